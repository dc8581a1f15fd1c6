#include <cmath>

#include "checks.h"
#include "glia/classic/cluster.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/ops.h"
#include "graph.h"

namespace glia::classic {

SpectralClustering::SpectralClustering(const SpectralClusteringOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void SpectralClustering::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, double value) {
    throw ValueError(
        "SpectralClustering: " + std::string(name) + " = " + to_text(ParamValue(value)), where);
  };
  if (o.n_clusters < 1) fail("n_clusters", static_cast<double>(o.n_clusters));
  if (o.n_components.value_or(1) < 1) fail("n_components", static_cast<double>(*o.n_components));
  if (!(o.gamma > 0)) fail("gamma", o.gamma);
  if (o.n_neighbors < 1) fail("n_neighbors", static_cast<double>(o.n_neighbors));
  if (o.n_init < 1) fail("n_init", static_cast<double>(o.n_init));
}

std::vector<Param> SpectralClustering::params() {
  auto& o = options_;
  return {{"n_clusters", &o.n_clusters},
          {"n_components", &o.n_components},
          {"affinity", &o.affinity, {"rbf", "nearest_neighbors", "precomputed"}},
          {"gamma", &o.gamma},
          {"n_neighbors", &o.n_neighbors},
          {"n_init", &o.n_init},
          {"random_state", &o.random_state}};
}

SpectralClustering& SpectralClustering::fit(const Tensor& x, const Tensor& /*y*/,
                                            const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("SpectralClustering.fit", sample_weight, where);
  const Tensor given = cast(check_x("SpectralClustering.fit", x, where), kF64);
  const int64_t n = given.size(0), k = options_.n_components.value_or(options_.n_clusters);
  if (n < options_.n_clusters || n < k)
    throw ValueError("SpectralClustering.fit: " + std::to_string(n) +
                         " samples for n_clusters = " + std::to_string(options_.n_clusters),
                     where);
  Tensor a;
  if (options_.affinity == Affinity::kRbf) {
    a = rbf_kernel(given, given, options_.gamma);
  } else if (options_.affinity == Affinity::kNearestNeighbors) {
    a = neighbor_affinity(given, given, std::min(options_.n_neighbors, n), where);
    a = (a + transpose(a)) * 0.5;
  } else {
    if (n != given.size(1))
      throw ShapeError("SpectralClustering.fit: affinities are square, not " + given.shape().str(),
                       where);
    if (any(given < 0).item<bool>())
      throw ValueError("SpectralClustering.fit: an affinity is below 0", where);
    if (!all(abs(given - transpose(given)) <= 1e-10 * max(given)).item<bool>())
      throw ValueError("SpectralClustering.fit: affinities are not symmetric", where);
    a = given;
  }
  const Tensor map = laplacian_map(a, k);
  KMeans kmeans({.n_clusters = options_.n_clusters,
                 .n_init = options_.n_init,
                 .random_state = options_.random_state},
                where);
  const Tensor of = kmeans.fit_predict(map, {}, {}, where);
  labels = of;
  n_features_in = given.size(1);
  return *this;
}

StateDict SpectralClustering::state_dict(Where where) const {
  require_fitted("SpectralClustering.state_dict", fitted(), where);
  return {{"labels", labels}, {"n_features_in", tensor(n_features_in)}};
}

void SpectralClustering::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SpectralClustering", state, where);
  const Tensor of = read.take("labels", kI64, {-1});
  const int64_t features = read.count("n_features_in");
  read.finish();
  if (features < 1) throw Error("SpectralClustering.load_state_dict: n_features_in is 0", where);
  labels = of;
  n_features_in = features;
}

}  // namespace glia::classic
