#include <cmath>

#include "checks.h"
#include "glia/classic/density.h"
#include "glia/ops.h"
#include "grid_dbscan.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

// For any metric and number of features: by the neighbours of each sample.
DensityLabels by_neighbors(const Tensor& x, const Tensor& weight, const DBSCANOptions& options,
                           Where where) {
  const int64_t n = x.size(0);
  NearestNeighbors search({.radius = options.eps,
                           .metric = options.metric,
                           .p = options.p,
                           .algorithm = options.algorithm},
                          where);
  const RadiusNeighbors near = search.fit(x, {}, {}, where).radius_neighbors(x, {}, where);
  const int64_t* starts = near.starts.data<int64_t>().data();
  const int64_t* others = near.indices.data<int64_t>().data();
  DensityLabels found{std::vector<int64_t>(static_cast<size_t>(n), -1),
                      std::vector<bool>(static_cast<size_t>(n))};
  for (int64_t i = 0; i < n; ++i) {
    double mass = static_cast<double>(starts[i + 1] - starts[i]);
    if (weight.defined()) {
      mass = 0;
      for (int64_t e = starts[i]; e < starts[i + 1]; ++e) mass += weight.data<double>()[others[e]];
    }
    found.core[i] = mass >= static_cast<double>(options.min_samples);
  }
  std::vector<int64_t>& of = found.labels;
  std::vector<int64_t> open;
  int64_t clusters = 0;
  for (int64_t first = 0; first < n; ++first) {
    if (!found.core[first] || of[first] != -1) continue;
    of[first] = clusters;
    open.assign(1, first);
    while (!open.empty()) {
      const int64_t i = open.back();
      open.pop_back();
      if (!found.core[i]) continue;
      for (int64_t e = starts[i]; e < starts[i + 1]; ++e)
        if (of[others[e]] == -1) {
          of[others[e]] = clusters;
          open.push_back(others[e]);
        }
    }
    ++clusters;
  }
  return found;
}

}  // namespace

DBSCAN::DBSCAN(const DBSCANOptions& options, Where where) : options_(options) {
  check_options(where);
}

void DBSCAN::check_options(Where where) const {
  const auto fail = [&](const std::string& what) { throw ValueError("DBSCAN: " + what, where); };
  if (!(options_.eps > 0)) fail("eps = " + std::to_string(options_.eps));
  if (options_.min_samples < 1) fail("min_samples = " + std::to_string(options_.min_samples));
}

std::vector<Param> DBSCAN::params() {
  auto& o = options_;
  return {{"eps", &o.eps},
          {"min_samples", &o.min_samples},
          {"metric", &o.metric, metric_names()},
          {"p", &o.p},
          {"algorithm", &o.algorithm, {"auto", "kd_tree", "brute"}}};
}

DBSCAN& DBSCAN::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                    Where where) {
  const NoGrad no_grad;
  check_options(where);
  const Tensor given = check_x("DBSCAN.fit", x, where);
  const int64_t n = given.size(0);
  const Tensor weight = check_sample_weight("DBSCAN.fit", sample_weight, n, kF64, where);
  std::optional<DensityLabels> found;
  if (options_.metric == Metric::kEuclidean && options_.algorithm == NeighborAlgorithm::kAuto) {
    const Tensor rows = cast(given, kF64);
    found = grid_dbscan(rows.data<double>().data(), n, given.size(1), options_.eps,
                        static_cast<double>(options_.min_samples),
                        weight.defined() ? weight.data<double>().data() : nullptr);
  }
  if (!found) found = by_neighbors(given, weight, options_, where);
  std::vector<int64_t> cores;
  for (int64_t i = 0; i < n; ++i)
    if (found->core[i]) cores.push_back(i);
  const Tensor indices = from_vector(cores, {static_cast<int64_t>(cores.size())});
  Tensor samples;
  if (options_.metric != Metric::kPrecomputed) {
    samples = take(given, indices);
    eval(samples, where);
  }
  labels = from_vector(found->labels, {n});
  core_sample_indices = indices;
  components = samples;
  n_features_in = given.size(1);
  return *this;
}

StateDict DBSCAN::state_dict(Where where) const {
  require_fitted("DBSCAN.state_dict", fitted(), where);
  StateDict state = {{"labels", labels},
                     {"core_sample_indices", core_sample_indices},
                     {"n_features_in", tensor(n_features_in)}};
  if (components.defined()) state.emplace_back("components", components);
  return state;
}

void DBSCAN::load_state_dict(const StateDict& state, Where where) {
  StateReader read("DBSCAN", state, where);
  const Tensor of = read.take("labels", kI64, {-1});
  const Tensor cores = read.take("core_sample_indices", kI64, read.shape_of("core_sample_indices"));
  const int64_t features = read.count("n_features_in");
  Tensor samples;
  if (options_.metric != Metric::kPrecomputed)
    samples = read.take("components", kF64, read.shape_of("components"));
  read.finish();
  if (cores.rank() != 1 || !all_within(cores, of.size(0)) || features < 1 ||
      (samples.defined() && samples.shape() != Shape{cores.size(0), features}))
    throw Error("DBSCAN.load_state_dict: its parts do not fit together", where);
  labels = of;
  core_sample_indices = cores;
  components = samples;
  n_features_in = features;
}

}  // namespace glia::classic
