#include "glia/classic/neighbors.h"

#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/ops.h"
#include "neighbor_index.h"

namespace glia::classic {
namespace {

// Neighbours by distances that are given, of each row.
std::vector<std::vector<Neighbor>> rows_of(const Tensor& distances, bool self) {
  const double* d = distances.data<double>().data();
  const int64_t n = distances.size(1);
  std::vector<std::vector<Neighbor>> rows(static_cast<size_t>(distances.size(0)));
  for (size_t i = 0; i < rows.size(); ++i)
    for (int64_t j = 0; j < n; ++j)
      if (!self || static_cast<int64_t>(i) != j) rows[i].push_back({d[i * n + j], j});
  return rows;
}

std::vector<Param> params_of(NeighborsOptions& o) {
  return {{"n_neighbors", &o.n_neighbors},
          {"radius", &o.radius},
          {"metric", &o.metric, metric_names()},
          {"p", &o.p},
          {"algorithm", &o.algorithm, {"auto", "kd_tree", "brute"}}};
}

// What each neighbour counts, (queries, k).
Tensor votes(const Tensor& distances, NeighborWeights weights) {
  if (weights == NeighborWeights::kUniform) return ones(distances.shape(), kF64);
  const Tensor exact = distances == 0.0, met = any(exact, {1}, true);
  return where(met, cast(exact, kF64), 1 / where(exact, 1.0, distances));
}

}  // namespace

std::vector<std::string> metric_names() {
  return {"euclidean", "manhattan", "chebyshev", "minkowski", "cosine", "precomputed"};
}

// ---- NearestNeighbors -------------------------------------------------------------------------

NearestNeighbors::NearestNeighbors(const NeighborsOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void NearestNeighbors::check_options(Where where) const {
  const auto fail = [&](const std::string& what) {
    throw ValueError("NearestNeighbors: " + what, where);
  };
  const NeighborsOptions& o = options_;
  if (o.n_neighbors < 1) fail("n_neighbors = " + std::to_string(o.n_neighbors));
  if (!(o.radius >= 0)) fail("radius = " + std::to_string(o.radius));
  if (!(o.p >= 1) || !std::isfinite(o.p)) fail("p = " + std::to_string(o.p));
  if (o.algorithm == NeighborAlgorithm::kKdTree &&
      (o.metric == Metric::kCosine || o.metric == Metric::kPrecomputed))
    fail("algorithm = kd_tree cannot be used with this metric");
}

std::vector<Param> NearestNeighbors::params() { return params_of(options_); }

NearestNeighbors& NearestNeighbors::fit(const Tensor& x, const Tensor& /*y*/,
                                        const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("NearestNeighbors.fit", sample_weight, where);
  const Tensor given = cast(check_x("NearestNeighbors.fit", x, where), kF64);
  if (options_.metric == Metric::kPrecomputed && given.size(0) != given.size(1))
    throw ShapeError("NearestNeighbors.fit: distances are square, not " + given.shape().str(),
                     where);
  eval(given, where);
  std::shared_ptr<const NeighborIndex> index;
  if (options_.metric != Metric::kPrecomputed)
    index = std::make_shared<NeighborIndex>(given, options_.metric, options_.p, options_.algorithm);
  fit_x = given;
  index_ = std::move(index);
  n_features_in = given.size(1);
  return *this;
}

KNeighbors NearestNeighbors::kneighbors(const Tensor& x, std::optional<int64_t> n_neighbors,
                                        Where where) const {
  const NoGrad no_grad;
  const char* op = "NearestNeighbors.kneighbors";
  require_fitted(op, fitted(), where);
  const bool self = !x.defined();
  const Tensor queries = self ? fit_x : cast(check_x(op, x, n_features_in, where), kF64);
  const int64_t k = n_neighbors.value_or(options_.n_neighbors),
                most = fit_x.size(0) - (self ? 1 : 0);
  if (k < 1 || k > most)
    throw ValueError(std::string(op) + ": n_neighbors = " + std::to_string(k) + " of " +
                         std::to_string(most) + " samples",
                     where);
  const int64_t count = queries.size(0);
  std::vector<Neighbor> found;
  if (index_) {
    found = index_->nearest(queries, k, self);
  } else {
    for (auto& row : rows_of(queries, self)) {
      std::partial_sort(row.begin(), row.begin() + k, row.end());
      found.insert(found.end(), row.begin(), row.begin() + k);
    }
  }
  std::vector<double> distances;
  std::vector<int64_t> indices;
  for (const Neighbor& n : found) {
    distances.push_back(index_ ? index_->distance().of_reduced(n.reduced) : n.reduced);
    indices.push_back(n.index);
  }
  return {from_vector(distances, {count, k}), from_vector(indices, {count, k})};
}

RadiusNeighbors NearestNeighbors::radius_neighbors(const Tensor& x, std::optional<double> radius,
                                                   Where where) const {
  const NoGrad no_grad;
  const char* op = "NearestNeighbors.radius_neighbors";
  require_fitted(op, fitted(), where);
  const bool self = !x.defined();
  const Tensor queries = self ? fit_x : cast(check_x(op, x, n_features_in, where), kF64);
  const double r = radius.value_or(options_.radius);
  if (!(r >= 0)) throw ValueError(std::string(op) + ": radius = " + std::to_string(r), where);
  std::vector<int64_t> starts{0}, indices;
  std::vector<double> distances;
  const auto lists = index_ ? index_->within(queries, r, self) : rows_of(queries, self);
  for (const auto& row : lists) {
    for (const Neighbor& n : row) {
      if (!index_ && n.reduced > r) continue;
      distances.push_back(index_ ? index_->distance().of_reduced(n.reduced) : n.reduced);
      indices.push_back(n.index);
    }
    starts.push_back(static_cast<int64_t>(indices.size()));
  }
  const auto count = static_cast<int64_t>(indices.size());
  return {from_vector(starts, {static_cast<int64_t>(starts.size())}),
          from_vector(distances, {count}), from_vector(indices, {count})};
}

StateDict NearestNeighbors::state_dict(Where where) const {
  require_fitted("NearestNeighbors.state_dict", fitted(), where);
  return {{"fit_x", fit_x}};
}

void NearestNeighbors::load_state_dict(const StateDict& state, Where where) {
  StateReader read("NearestNeighbors", state, where);
  const Tensor x = read.take("fit_x", kF64, {-1, -1});
  read.finish();
  fit(x, {}, {}, where);
}

// ---- KNeighborsClassifier ---------------------------------------------------------------------

KNeighborsClassifier::KNeighborsClassifier(const KNeighborsOptions& options, Where where)
    : neighbors_(options, where), weights_(options.weights) {}

std::vector<Param> KNeighborsClassifier::params() {
  std::vector<Param> all = neighbors_.params();
  all.push_back({"weights", &weights_, {"uniform", "distance"}});
  return all;
}

KNeighborsClassifier& KNeighborsClassifier::fit(const Tensor& x, const Tensor& y,
                                                const Tensor& sample_weight, Where where) {
  refuse_sample_weight("KNeighborsClassifier.fit", sample_weight, where);
  const Tensor given = check_x("KNeighborsClassifier.fit", x, where);
  ClassTargets targets = check_classes("KNeighborsClassifier.fit", y, given.size(0), where);
  neighbors_.fit(given, {}, {}, where);
  classes = targets.classes;
  codes = targets.codes;
  n_features_in = given.size(1);
  return *this;
}

KNeighbors KNeighborsClassifier::kneighbors(const Tensor& x, Where where) const {
  return neighbors_.kneighbors(check_x("KNeighborsClassifier", x, n_features_in, where), {}, where);
}

Tensor KNeighborsClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const KNeighbors near = kneighbors(x, where);
  const Tensor vote = votes(near.distances, weights_);
  const Tensor of = take(codes, near.indices);  // (queries, k)
  const Tensor shares = sum(
      glia::where(unsqueeze(of, 2) == arange(0, classes.size(0), 1, kI64), unsqueeze(vote, 2), 0.0),
      {1});
  return shares / sum(shares, {1}, true);
}

StateDict KNeighborsClassifier::state_dict(Where where) const {
  require_fitted("KNeighborsClassifier.state_dict", fitted(), where);
  return {{"fit_x", neighbors_.fit_x}, {"classes", classes}, {"codes", codes}};
}

void KNeighborsClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KNeighborsClassifier", state, where);
  const Tensor x = read.take("fit_x", kF64, {-1, -1});
  const Tensor all = read.take("classes", kI64, {-1});
  const Tensor of = read.take("codes", kI64, {x.size(0)});
  read.finish();
  if (!all_within(of, all.size(0)))
    throw Error("KNeighborsClassifier.load_state_dict: codes are not among the classes", where);
  neighbors_.fit(x, {}, {}, where);
  classes = all;
  codes = of;
  n_features_in = x.size(1);
}

// ---- KNeighborsRegressor ----------------------------------------------------------------------

KNeighborsRegressor::KNeighborsRegressor(const KNeighborsOptions& options, Where where)
    : neighbors_(options, where), weights_(options.weights) {}

std::vector<Param> KNeighborsRegressor::params() {
  std::vector<Param> all = neighbors_.params();
  all.push_back({"weights", &weights_, {"uniform", "distance"}});
  return all;
}

KNeighborsRegressor& KNeighborsRegressor::fit(const Tensor& x, const Tensor& y,
                                              const Tensor& sample_weight, Where where) {
  refuse_sample_weight("KNeighborsRegressor.fit", sample_weight, where);
  const Tensor given = check_x("KNeighborsRegressor.fit", x, where);
  const Tensor numbers = check_targets("KNeighborsRegressor.fit", y, given.size(0), where);
  eval(numbers, where);
  neighbors_.fit(given, {}, {}, where);
  targets = numbers;
  n_features_in = given.size(1);
  return *this;
}

KNeighbors KNeighborsRegressor::kneighbors(const Tensor& x, Where where) const {
  return neighbors_.kneighbors(check_x("KNeighborsRegressor", x, n_features_in, where), {}, where);
}

Tensor KNeighborsRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const KNeighbors near = kneighbors(x, where);
  Tensor vote = votes(near.distances, weights_);
  vote = vote / sum(vote, {1}, true);
  const Tensor of = take(targets, near.indices);  // (queries, k) or (queries, k, outputs)
  return sum(of * (targets.rank() == 1 ? vote : unsqueeze(vote, 2)), {1});
}

StateDict KNeighborsRegressor::state_dict(Where where) const {
  require_fitted("KNeighborsRegressor.state_dict", fitted(), where);
  return {{"fit_x", neighbors_.fit_x}, {"targets", targets}};
}

void KNeighborsRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KNeighborsRegressor", state, where);
  const Tensor x = read.take("fit_x", kF64, {-1, -1});
  const Tensor y = read.take("targets", kF64, read.shape_of("targets"));
  read.finish();
  fit(x, y, {}, where);
}

}  // namespace glia::classic
