#include "graph.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/ops.h"
#include "glia/parallel.h"
#include "lanczos.h"
#include "merge_tree.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// Eigenvectors of D^-1/2 A D^-1/2 as a map.
Tensor scaled_map(const Tensor& vectors, const Tensor& roots) {
  Tensor map = vectors / unsqueeze(roots, 1);
  map = map * transpose(signs_of_rows(transpose(map)));
  eval(map);
  return map;
}

}  // namespace

Tensor neighbor_affinity(const Tensor& a, const Tensor& b, int64_t k, Where where) {
  NearestNeighbors search({.n_neighbors = k}, where);
  const KNeighbors near = search.fit(b, {}, {}, where).kneighbors(a, {}, where);
  const int64_t n = a.size(0), m = b.size(0);
  std::vector<double> matrix(static_cast<size_t>(n * m));
  const auto indices = near.indices.data<int64_t>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < k; ++j) matrix[i * m + indices[i * k + j]] = 1;
  return from_vector(matrix, {n, m});
}

Graph Graph::of_neighbors(const Tensor& indices, const std::vector<double>& values, Where where) {
  const int64_t n = indices.size(0), k = indices.size(1);
  if (n > INT32_MAX) throw ValueError("a graph of " + std::to_string(n) + " samples", where);
  const auto at = indices.data<int64_t>();
  Graph out;
  out.starts = {0};
  std::vector<int64_t> order(static_cast<size_t>(k));
  for (int64_t i = 0; i < n; ++i) {
    std::iota(order.begin(), order.end(), i * k);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return at[a] < at[b]; });
    for (const int64_t entry : order) {
      out.columns.push_back(static_cast<int32_t>(at[entry]));
      out.values.push_back(values[entry]);
    }
    out.starts.push_back(out.edges());
  }
  return out;
}

Graph Graph::transposed() const {
  Graph out;
  out.starts.assign(starts.size(), 0);
  out.columns.resize(columns.size());
  out.values.resize(values.size());
  for (const int32_t c : columns) ++out.starts[c + 1];
  std::partial_sum(out.starts.begin(), out.starts.end(), out.starts.begin());
  std::vector<int64_t> next(out.starts.begin(), out.starts.end() - 1);
  for (int64_t i = 0; i < size(); ++i)
    for (int64_t e = starts[i]; e < starts[i + 1]; ++e) {
      const int64_t to = next[columns[e]]++;
      out.columns[to] = static_cast<int32_t>(i);
      out.values[to] = values[e];
    }
  return out;
}

Graph Graph::at_least(double least) const {
  Graph out;
  out.starts = {0};
  for (int64_t i = 0; i < size(); ++i) {
    for (int64_t e = starts[i]; e < starts[i + 1]; ++e)
      if (values[e] >= least && values[e] > 0) {
        out.columns.push_back(columns[e]);
        out.values.push_back(values[e]);
      }
    out.starts.push_back(out.edges());
  }
  return out;
}

void Graph::multiply(const double* x, double* y) const {
  constexpr int64_t kRows = 512;
  const int64_t n = size();
  parallel_for((n + kRows - 1) / kRows, [&](int64_t block) {
    for (int64_t i = block * kRows; i < std::min(n, (block + 1) * kRows); ++i) {
      double sum = 0;
      for (int64_t e = starts[i]; e < starts[i + 1]; ++e) sum += values[e] * x[columns[e]];
      y[i] = sum;
    }
  });
}

std::vector<int64_t> Graph::parts(int64_t& count) const {
  DisjointSets sets(size());
  for (int64_t i = 0; i < size(); ++i)
    for (int64_t e = starts[i]; e < starts[i + 1]; ++e) {
      const int64_t a = sets.find(i), b = sets.find(columns[e]);
      if (a != b) sets.join(std::max(a, b), std::min(a, b));
    }
  std::vector<int64_t> part(static_cast<size_t>(size()), -1);
  count = 0;
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t root = sets.find(i);  // the first of its set
    part[i] = root == i ? count++ : part[root];
  }
  return part;
}

Tensor laplacian_map(const Tensor& affinity, int64_t k) {
  const Tensor a = affinity * (1 - eye(affinity.size(0), kF64));
  const Tensor degree = sum(a, {1}), roots = sqrt(where(degree > 0, degree, 1.0));
  // The largest eigenvalues of the similarities are the least of the Laplacian.
  return scaled_map(largest_eigen(a / roots / unsqueeze(roots, 1), k).vectors, roots);
}

Tensor laplacian_map(const Graph& graph, int64_t k, uint64_t seed, double tol) {
  constexpr int64_t kMostDense = 600;
  const int64_t n = graph.size();
  if (n <= kMostDense) {
    std::vector<double> dense(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
        dense[i * n + graph.columns[e]] = graph.values[e];
    return laplacian_map(from_vector(dense, {n, n}), k);
  }
  std::vector<double> roots;
  Graph similar = graph;
  for (int64_t i = 0; i < n; ++i) {
    double degree = 0;
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
      if (graph.columns[e] != i) degree += graph.values[e];
    roots.push_back(degree > 0 ? std::sqrt(degree) : 1);
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
      const int32_t j = graph.columns[e];
      similar.values[e] = j == i ? 0 : graph.values[e] / (roots[i] * roots[j]);
    }
  const Eigen found =
      largest_eigen(n, k, [&](const double* x, double* y) { similar.multiply(x, y); },
                    {.tol = tol, .seed = seed});
  return scaled_map(found.vectors, from_vector(roots, {n}));
}

}  // namespace glia::classic
