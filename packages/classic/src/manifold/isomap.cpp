#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "graph.h"
#include "manifold/places.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The lengths of the shortest ways from one sample to all (Dijkstra 1959).
void shortest_ways(const Graph& graph, int64_t from, double* length) {
  using Stop = std::pair<double, int64_t>;
  std::priority_queue<Stop, std::vector<Stop>, std::greater<>> next;
  std::fill(length, length + graph.size(), kInfinity);
  length[from] = 0;
  next.emplace(0, from);
  while (!next.empty()) {
    const auto [way, at] = next.top();
    next.pop();
    if (way > length[at]) continue;
    for (int64_t e = graph.starts[at]; e < graph.starts[at + 1]; ++e) {
      const int32_t to = graph.columns[e];
      const double longer = way + graph.values[e];
      if (longer >= length[to]) continue;
      length[to] = longer;
      next.emplace(longer, to);
    }
  }
}

// With an edge between the nearest samples of each two parts.
Graph joined(const Graph& graph, const std::vector<int64_t>& part, int64_t parts,
             const Tensor& distances) {
  const int64_t n = graph.size();
  const auto d = distances.data<double>();
  std::vector<int64_t> nearest(static_cast<size_t>(parts * parts), -1);  // entries of d
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) {
      if (part[i] == part[j]) continue;
      int64_t& best = nearest[std::max(part[i], part[j]) * parts + std::min(part[i], part[j])];
      if (best < 0 || d[i * n + j] < d[best]) best = i * n + j;
    }
  std::vector<std::vector<std::pair<int32_t, double>>> more(static_cast<size_t>(n));
  for (const int64_t entry : nearest)
    if (entry >= 0) {
      more[entry / n].emplace_back(static_cast<int32_t>(entry % n), d[entry]);
      more[entry % n].emplace_back(static_cast<int32_t>(entry / n), d[entry]);
    }
  Graph out;
  out.starts = {0};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
      more[i].emplace_back(graph.columns[e], graph.values[e]);
    std::sort(more[i].begin(), more[i].end());
    for (const auto& [column, value] : more[i]) {
      out.columns.push_back(column);
      out.values.push_back(value);
    }
    out.starts.push_back(out.edges());
  }
  return out;
}

// The neighbours of queries, a row each.
Graph neighbors_of(const NearestNeighbors& search, const Tensor& queries, const IsomapOptions& o,
                   Where where) {
  if (!o.radius) {
    const KNeighbors near = search.kneighbors(queries, {}, where);
    return Graph::of_neighbors(near.indices, near.distances.to_vector<double>(), where);
  }
  const RadiusNeighbors near = search.radius_neighbors(queries, {}, where);
  const std::vector<int64_t> columns = near.indices.to_vector<int64_t>();
  return {near.starts.to_vector<int64_t>(),
          {columns.begin(), columns.end()},
          near.distances.to_vector<double>()};
}

}  // namespace

Isomap::Isomap(const IsomapOptions& options, Where where) : options_(options) {
  check_options(where);
}

void Isomap::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("Isomap: " + std::string(name) + " = " + to_text(value), where);
  };
  if (o.n_neighbors < 1) fail("n_neighbors", o.n_neighbors);
  if (!(o.radius.value_or(1) > 0)) fail("radius", *o.radius);
  if (o.n_components < 1) fail("n_components", o.n_components);
  if (!(o.p >= 1) || !std::isfinite(o.p)) fail("p", o.p);
}

std::vector<Param> Isomap::params() {
  auto& o = options_;
  return {{"n_neighbors", &o.n_neighbors},
          {"radius", &o.radius},
          {"n_components", &o.n_components},
          {"metric", &o.metric, metric_names()},
          {"p", &o.p}};
}

NearestNeighbors Isomap::search(Where where) const {
  return NearestNeighbors({.n_neighbors = options_.n_neighbors,
                           .radius = options_.radius.value_or(1),
                           .metric = options_.metric,
                           .p = options_.p},
                          where);
}

Isomap& Isomap::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                    Where where) {
  const NoGrad no_grad;
  const char* op = "Isomap.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = check_map_x(op, x, options_.metric, where);
  const int64_t n = given.size(0);
  if (n <= options_.n_components || (!options_.radius && n <= options_.n_neighbors))
    throw ValueError(std::string(op) + ": " + std::to_string(n) + " samples are too few for " +
                         "n_components or n_neighbors",
                     where);
  NearestNeighbors near = search(where);
  near.fit(given, {}, {}, where);
  Graph graph = neighbors_of(near, {}, options_, where).united([](double a, double b) {
    return std::max(a, b);
  });
  int64_t parts = 0;
  const std::vector<int64_t> part = graph.parts(parts);
  if (parts > 1) {
    const Tensor all = distances_of(given, options_.metric, options_.p, where);
    eval(all, where);
    graph = joined(graph, part, parts, all);
  }
  std::vector<double> ways(static_cast<size_t>(n * n));
  parallel_for(n, [&](int64_t i) { shortest_ways(graph, i, &ways[i * n]); });
  const Tensor lengths = from_vector(ways, {n, n});
  KernelPCA pca({.n_components = options_.n_components, .kernel = PcaKernel::kPrecomputed}, where);
  const Tensor map = pca.fit_transform(square(lengths) * -0.5, {}, {}, where);
  eval(map, where);
  embedding = map;
  dist_matrix = lengths;
  kernel_pca = std::move(pca);
  fit_x = given;
  n_features_in = given.size(1);
  return *this;
}

Tensor Isomap::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("Isomap.transform", x, n_features_in, where), kF64);
  NearestNeighbors near = search(where);
  near.fit(fit_x, {}, {}, where);
  const Graph graph = neighbors_of(near, given, options_, where);
  const int64_t n = fit_x.size(0), rows = given.size(0);
  const auto ways = dist_matrix.data<double>();
  std::vector<double> to(static_cast<size_t>(rows * n), kInfinity);
  for (int64_t i = 0; i < rows; ++i) {
    if (graph.starts[i] == graph.starts[i + 1])
      throw ValueError(
          "Isomap.transform: sample " + std::to_string(i) +
              " has no neighbour within radius = " + to_text(ParamValue(*options_.radius)),
          where);
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
      for (int64_t j = 0; j < n; ++j)
        to[i * n + j] = std::min(to[i * n + j], graph.values[e] + ways[graph.columns[e] * n + j]);
  }
  return kernel_pca.transform(square(from_vector(to, {rows, n})) * -0.5, where);
}

double Isomap::reconstruction_error(Where where) const {
  require_fitted("Isomap.reconstruction_error", fitted(), where);
  const Tensor kernel = square(dist_matrix) * -0.5;
  const Tensor rows = mean(kernel, {0});
  const Tensor centred = kernel - rows - unsqueeze(rows, 1) + mean(rows);
  const Tensor left = sum(square(centred)) - sum(square(kernel_pca.eigenvalues));
  return std::sqrt(std::max(left.item(), 0.0)) / static_cast<double>(dist_matrix.size(0));
}

StateDict Isomap::state_dict(Where where) const {
  require_fitted("Isomap.state_dict", fitted(), where);
  return {{"dist_matrix", dist_matrix},
          {"fit_x", fit_x},
          {"eigenvalues", kernel_pca.eigenvalues},
          {"eigenvectors", kernel_pca.eigenvectors}};
}

void Isomap::load_state_dict(const StateDict& state, Where where) {
  StateReader read("Isomap", state, where);
  const Tensor ways = cast(read.take("dist_matrix", kF64, {-1, -1}), kF64);
  const int64_t n = ways.size(0);
  const Tensor samples = cast(read.take("fit_x", kF64, {n, -1}), kF64);
  const Tensor values = cast(read.take("eigenvalues", kF64, {options_.n_components}), kF64);
  const Tensor vectors = cast(read.take("eigenvectors", kF64, {n, options_.n_components}), kF64);
  read.finish();
  if (ways.size(1) != n)
    throw Error("Isomap.load_state_dict: dist_matrix is " + ways.shape().str(), where);
  KernelPCA pca({.n_components = options_.n_components, .kernel = PcaKernel::kPrecomputed}, where);
  const Tensor rows = mean(square(ways) * -0.5, {0});
  pca.load_state_dict({{"eigenvalues", values},
                       {"eigenvectors", vectors},
                       {"fit_rows", rows},
                       {"fit_all", mean(rows)},
                       {"gamma", tensor(1.0)},
                       {"n_features_in", tensor(n)}},
                      where);
  const Tensor map = vectors * sqrt(values);
  eval(map, where);
  embedding = map;
  dist_matrix = ways;
  kernel_pca = std::move(pca);
  fit_x = samples;
  n_features_in = samples.size(1);
}

}  // namespace glia::classic
