// Which samples are near: as a matrix, and as a graph with weights.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/classic/neighbors.h"
#include "glia/tensor.h"

namespace glia::classic {

// 1 where a row of b is among the k nearest to one of a, itself included, else 0: (n, m) f64.
Tensor neighbor_affinity(const Tensor& a, const Tensor& b, int64_t k, Where where);

// A sparse matrix: row i has the entries starts[i] to starts[i + 1], by their column.
struct Graph {
  std::vector<int64_t> starts;
  std::vector<int32_t> columns;
  std::vector<double> values;

  int64_t size() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t edges() const { return static_cast<int64_t>(columns.size()); }
  // Throws ValueError unless both are numbers of an i32.
  static Graph of_neighbors(const Tensor& indices, const std::vector<double>& values, Where where);

  Graph transposed() const;  // of a square one
  // f(a_ij, a_ji) wherever one of them is there.
  template <class F>
  Graph united(F&& f) const;
  // The entries that are at least that, and above 0.
  Graph at_least(double least) const;
  // y = A x.
  void multiply(const double* x, double* y) const;
  // Which part that is connected each sample lies in, from 0 on in their order, if each edge goes
  // both ways; and how many there are.
  std::vector<int64_t> parts(int64_t& count) const;
};

template <class F>
Graph Graph::united(F&& f) const {
  const Graph other = transposed();
  Graph out;
  out.starts = {0};
  for (int64_t i = 0; i < size(); ++i) {
    int64_t a = starts[i], b = other.starts[i];
    while (a < starts[i + 1] || b < other.starts[i + 1]) {
      const int32_t left = a < starts[i + 1] ? columns[a] : INT32_MAX;
      const int32_t right = b < other.starts[i + 1] ? other.columns[b] : INT32_MAX;
      out.columns.push_back(left < right ? left : right);
      out.values.push_back(
          f(left <= right ? values[a] : 0.0, right <= left ? other.values[b] : 0.0));
      a += left <= right;
      b += right <= left;
    }
    out.starts.push_back(out.edges());
  }
  return out;
}

// The first k eigenvectors of a graph's normalised Laplacian, those of its least eigenvalues, each
// divided by the square roots of the degrees and with its largest number positive: (n, k). Of a
// dense matrix of affinities (n, n) f64, whose diagonal does not count, and of a symmetric graph.
Tensor laplacian_map(const Tensor& affinity, int64_t k);
Tensor laplacian_map(const Graph& graph, int64_t k, uint64_t seed, double tol = 0);

}  // namespace glia::classic
