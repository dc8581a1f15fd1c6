#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/ops.h"
#include "graph.h"
#include "manifold/places.h"

namespace glia::classic {

SpectralEmbedding::SpectralEmbedding(const SpectralEmbeddingOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void SpectralEmbedding::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("SpectralEmbedding: " + std::string(name) + " = " + to_text(value), where);
  };
  if (o.n_components < 1) fail("n_components", o.n_components);
  if (!(o.gamma.value_or(0) >= 0)) fail("gamma", *o.gamma);
  if (o.n_neighbors.value_or(1) < 1) fail("n_neighbors", *o.n_neighbors);
}

std::vector<Param> SpectralEmbedding::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"affinity", &o.affinity, {"nearest_neighbors", "rbf", "precomputed"}},
          {"gamma", &o.gamma},
          {"n_neighbors", &o.n_neighbors},
          {"random_state", &o.random_state}};
}

SpectralEmbedding& SpectralEmbedding::fit(const Tensor& x, const Tensor& /*y*/,
                                          const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "SpectralEmbedding.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const bool precomputed = options_.affinity == EmbeddingAffinity::kPrecomputed;
  const Tensor given =
      check_map_x(op, x, precomputed ? Metric::kPrecomputed : Metric::kEuclidean, where);
  const int64_t n = given.size(0), k = options_.n_components + 1;
  if (n < k)
    throw ValueError(std::string(op) + ": n_components = " + std::to_string(options_.n_components) +
                         " of " + std::to_string(n) + " samples",
                     where);
  Tensor map;
  if (options_.affinity == EmbeddingAffinity::kNearestNeighbors) {
    const int64_t count = options_.n_neighbors.value_or(std::max<int64_t>(n / 10, 1));
    NearestNeighbors search({.n_neighbors = std::min(count, n)}, where);
    const KNeighbors near = search.fit(given, {}, {}, where).kneighbors(given, {}, where);
    const std::vector<double> each(static_cast<size_t>(near.indices.numel()), 1.0);
    const Graph graph =
        Graph::of_neighbors(near.indices, each, where).united([](double a, double b) {
          return (a + b) / 2;
        });
    map = laplacian_map(graph, k, options_.random_state);
  } else {
    map = laplacian_map(precomputed ? given : rbf_kernel(given, {}, options_.gamma, where), k);
  }
  const Tensor kept = slice(map, 1, Slice{1, k});
  eval(kept, where);
  embedding = kept;
  n_features_in = given.size(1);
  return *this;
}

StateDict SpectralEmbedding::state_dict(Where where) const {
  require_fitted("SpectralEmbedding.state_dict", fitted(), where);
  return {{"embedding", embedding}, {"n_features_in", tensor(n_features_in)}};
}

void SpectralEmbedding::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SpectralEmbedding", state, where);
  const Tensor map = cast(read.take("embedding", kF64, {-1, options_.n_components}), kF64);
  const int64_t features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("SpectralEmbedding.load_state_dict: n_features_in is 0", where);
  embedding = map;
  n_features_in = features;
}

}  // namespace glia::classic
