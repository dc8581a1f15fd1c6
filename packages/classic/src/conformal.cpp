#include "glia/classic/conformal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"
#include "copies.h"
#include "fit_and_score.h"
#include "fitted.h"
#include "glia/classic/linear_model.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/ops/select.h"
#include "linear.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

std::vector<Param> split_params(SplitConformalOptions& o) {
  return {{"confidence_level", &o.confidence_level},
          {"conformalize_size", &o.conformalize_size},
          {"prefit", &o.prefit},
          {"random_state", &o.random_state}};
}
std::vector<Param> cross_params(CrossConformalOptions& o) {
  return {{"confidence_level", &o.confidence_level},
          cv_param(&o.cv),
          {"random_state", &o.random_state}};
}
Param score_param(ConformityScore* at) {
  return {"conformity_score", at, {"lac", "aps", "aps_randomized"}};
}

void check_level(const std::string& op, double level, Where where) {
  require_option(level > 0 && level < 1, op, "confidence_level", level, where);
}

void require_scores(const std::string& op, const Tensor& scores, Where where) {
  if (!scores.defined())
    throw Error(op + ": there are no scores; call conformalize first, or let fit keep samples",
                where);
}

// Which samples are for fitting, and which for the scores.
TrainTest parts_of(const std::string& op, const SplitConformalOptions& o, int64_t samples,
                   const Tensor& classes, Where where) {
  require_option(o.conformalize_size >= 0 && o.conformalize_size < 1, op, "conformalize_size",
                 o.conformalize_size, where);
  if (o.conformalize_size == 0) return {arange(0, samples, 1, kI64), {}};
  return train_test_split(
      samples,
      {.test_size = o.conformalize_size, .random_state = o.random_state, .stratify = classes},
      where);
}

// Positions of y's classes among those that the estimator knows.
Tensor codes_among(const std::string& op, const Tensor& classes, const Tensor& y, int64_t samples,
                   Where where) {
  const ClassTargets targets = check_classes(op, y, samples, where);
  const auto known = classes.to_vector<int64_t>();
  std::vector<int64_t> place;
  for (const int64_t c : targets.classes.to_vector<int64_t>()) {
    place.push_back(position(known, c));
    if (place.back() < 0)
      throw ValueError(
          op + ": y has the class " + std::to_string(c) + ", which the estimator does not know",
          where);
  }
  return take(vector_of(place), targets.codes);
}

Tensor classes_known(const std::string& op, const Estimator& estimator, Where where) {
  const Tensor* classes = classes_of(estimator);
  if (!classes || !classes->defined())
    throw ValueError(op + ": " + std::string(estimator.name()) + " is no classifier", where);
  return *classes;
}

// (samples) of a regressor of one output.
Tensor flat_prediction(const std::string& op, const Estimator& estimator, const Tensor& x,
                       Where where) {
  const Tensor y = cast(estimator.predict(x, where), kF64);
  if (y.rank() != 1) throw ShapeError(op + ": the estimator has several outputs", where);
  return y;
}

Tensor flat_targets(const std::string& op, const Tensor& y, int64_t samples, Where where) {
  const Tensor given = check_targets(op, y, samples, where);
  if (given.rank() != 1) throw ShapeError(op + ": y is (samples)", where);
  return given;
}

// Which fold's test each sample is in, and each fold's estimator.
struct Folds {
  Copies estimators;
  std::vector<TrainTest> splits;
  Tensor fold;
};
Folds fitted_folds(const std::string& op, const Estimator& estimator, const CV& cv, const Tensor& x,
                   const Tensor& y, const Tensor& weight, Where where) {
  Folds out;
  out.splits = all_splits(op, cv, estimator, x, y, {}, where);
  std::vector<int64_t> of(static_cast<size_t>(x.size(0)), -1);
  for (size_t s = 0; s < out.splits.size(); ++s) {
    for (const int64_t i : out.splits[s].test.to_vector<int64_t>()) of[i] = static_cast<int64_t>(s);
    std::shared_ptr<Estimator> copy = estimator.clone();
    const Tensor& train = out.splits[s].train;
    copy->fit(take(x, train), take(y, train), rows(weight, train), where);
    out.estimators.push_back(std::move(copy));
  }
  if (std::ranges::find(of, -1) != of.end())
    throw ValueError(op + ": each sample must be in one test of cv", where);
  out.fold = vector_of(of);
  return out;
}

// What the folds say of their tests, in the order of the samples.
Tensor in_order(const Folds& folds, const std::vector<Tensor>& of_tests) {
  std::vector<Tensor> order;
  for (const TrainTest& split : folds.splits) order.push_back(split.test);
  return take(concat(of_tests, 0), argsort(concat(order, 0)));
}

}  // namespace

// ---- SplitConformalClassifier
// -----------------------------------------------------------------------

SplitConformalClassifier::SplitConformalClassifier()
    : SplitConformalClassifier(LogisticRegression()) {}

std::vector<Param> SplitConformalClassifier::params() {
  std::vector<Param> own = split_params(options_);
  own.push_back(score_param(&score_));
  return with_part_params(std::move(own), estimator_);
}
std::vector<std::pair<std::string, const Estimator*>> SplitConformalClassifier::parts() const {
  return one_part(estimator_);
}
void SplitConformalClassifier::set_parts(NamedEstimators parts, Where where) {
  estimator_ = taken_part(name(), std::move(parts), where);
  n_features_in = 0;
}

SplitConformalClassifier& SplitConformalClassifier::fit(const Tensor& x, const Tensor& y,
                                                        const Tensor& sample_weight, Where where) {
  const std::string op = "SplitConformalClassifier.fit";
  const NoGrad no_grad;
  check_level(op, options_.confidence_level, where);
  require_kind(op, *estimator_, EstimatorKind::kClassifier, where);
  const Extent size = extent_of(op, x, where);
  SplitConformalClassifier fresh(*estimator_, options_, score_);
  fresh.n_features_in = size.features;
  if (options_.prefit) {
    require_fitted(op, estimator_->fitted(), where);
    fresh.fitted_estimator = estimator_->clone();
    fresh.conformalize(x, y, where);
  } else {
    const ClassTargets targets = check_classes(op, y, size.samples, where);
    const TrainTest parts = parts_of(op, options_, size.samples, targets.codes, where);
    const std::shared_ptr<Estimator> own = estimator_->clone();
    own->fit(take(x, parts.train), take(y, parts.train), rows(sample_weight, parts.train), where);
    fresh.fitted_estimator = own;
    fresh.classes = classes_known(op, *own, where);
    if (parts.test.defined()) fresh.conformalize(take(x, parts.test), take(y, parts.test), where);
  }
  *this = std::move(fresh);
  return *this;
}

SplitConformalClassifier& SplitConformalClassifier::conformalize(const Tensor& x, const Tensor& y,
                                                                 Where where) {
  const std::string op = "SplitConformalClassifier.conformalize";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Extent size = extent_of(op, x, where);
  const Tensor known = classes_known(op, *fitted_estimator, where);
  const Tensor codes = codes_among(op, known, y, size.samples, where);
  scores = conformity_scores(fitted_estimator->predict_proba(x, where), codes, score_,
                             options_.random_state, where);
  classes = known;
  return *this;
}

Tensor SplitConformalClassifier::predict(const Tensor& x, Where where) const {
  require_fitted("SplitConformalClassifier.predict", fitted(), where);
  return fitted_estimator->predict(x, where);
}
Tensor SplitConformalClassifier::predict_proba(const Tensor& x, Where where) const {
  require_fitted("SplitConformalClassifier.predict_proba", fitted(), where);
  return fitted_estimator->predict_proba(x, where);
}

Tensor SplitConformalClassifier::predict_set(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("SplitConformalClassifier.predict_set", fitted(), where);
  require_scores("SplitConformalClassifier.predict_set", scores, where);
  return prediction_sets(predict_proba(x, where),
                         conformal_quantile(scores, options_.confidence_level, where), score_,
                         options_.random_state + 1, where);
}

StateDict SplitConformalClassifier::state_dict(Where where) const {
  Tensor kept = scores;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}}, where);
  append_copies(state, {fitted_estimator});
  return state;
}

void SplitConformalClassifier::load_state_dict(const StateDict& state, Where where) {
  SplitConformalClassifier fresh(*estimator_, options_, score_);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}, kF64, true}}, own_state(state), where);
  fresh.fitted_estimator = loaded_copies(*estimator_, state, 1, where)[0];
  *this = std::move(fresh);
}

// ---- CrossConformalClassifier
// -----------------------------------------------------------------------

CrossConformalClassifier::CrossConformalClassifier()
    : CrossConformalClassifier(LogisticRegression()) {}

std::vector<Param> CrossConformalClassifier::params() {
  std::vector<Param> own = cross_params(options_);
  own.push_back(score_param(&score_));
  return with_part_params(std::move(own), estimator_);
}
std::vector<std::pair<std::string, const Estimator*>> CrossConformalClassifier::parts() const {
  return one_part(estimator_);
}
void CrossConformalClassifier::set_parts(NamedEstimators parts, Where where) {
  estimator_ = taken_part(name(), std::move(parts), where);
  n_features_in = 0;
}

CrossConformalClassifier& CrossConformalClassifier::fit(const Tensor& x, const Tensor& y,
                                                        const Tensor& sample_weight, Where where) {
  const std::string op = "CrossConformalClassifier.fit";
  const NoGrad no_grad;
  check_level(op, options_.confidence_level, where);
  require_kind(op, *estimator_, EstimatorKind::kClassifier, where);
  const Extent size = extent_of(op, x, where);
  const ClassTargets targets = check_classes(op, y, size.samples, where);
  const Folds folds = fitted_folds(op, *estimator_, options_.cv, x, y, sample_weight, where);
  std::vector<Tensor> of_tests;
  for (size_t s = 0; s < folds.splits.size(); ++s) {
    const Tensor& test = folds.splits[s].test;
    const Tensor p = folds.estimators[s]->predict_proba(take(x, test), where);
    if (p.size(1) != targets.classes.size(0))
      throw ValueError(op + ": a part of the samples lacks a class", where);
    of_tests.push_back(
        conformity_scores(p, take(targets.codes, test), score_, options_.random_state + s, where));
  }
  const Tensor all = in_order(folds, of_tests);
  eval(all);
  scores = all;
  estimators = folds.estimators;
  fold = folds.fold;
  classes = targets.classes;
  n_features_in = size.features;
  return *this;
}

Tensor CrossConformalClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("CrossConformalClassifier.predict_proba", fitted(), where);
  Tensor sum;
  for (const auto& own : estimators) {
    const Tensor p = own->predict_proba(x, where);
    sum = sum.defined() ? sum + p : p;
  }
  return sum / static_cast<double>(estimators.size());
}

Tensor CrossConformalClassifier::predict_set(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("CrossConformalClassifier.predict_set", fitted(), where);
  const int64_t k = classes.size(0);
  // How many samples fit better than each class would.
  Tensor better;
  for (size_t s = 0; s < estimators.size(); ++s) {
    const Tensor p = estimators[s]->predict_proba(x, where);
    std::vector<Tensor> columns;
    const Tensor rank =
        sort(take(scores, reshape(nonzero(fold == static_cast<int64_t>(s)), {-1}))).first;
    for (int64_t c = 0; c < k; ++c) {
      const Tensor own = conformity_scores(p, full({p.size(0)}, c, kI64), score_,
                                           options_.random_state + 1000 + s, where);
      // Samples of this fold below it.
      columns.push_back(searchsorted(rank, own));
    }
    const Tensor counts = stack(columns, 1);
    better = better.defined() ? better + counts : counts;
  }
  const auto n = static_cast<double>(scores.size(0));
  return cast(better, kF64) < options_.confidence_level * (n + 1);
}

StateDict CrossConformalClassifier::state_dict(Where where) const {
  Tensor kept = scores, of = fold;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}, {"fold", &of, {}}}, where);
  append_copies(state, estimators);
  return state;
}

namespace {

// How many folds a state tells of. Throws Error for positions that cannot be.
int64_t fold_count(std::string_view name, const Tensor& fold, const Tensor& scores, Where where) {
  const auto of = fold.to_vector<int64_t>();
  const int64_t most = *std::ranges::max_element(of);
  if (fold.shape() != scores.shape() || most >= fold.size(0) || *std::ranges::min_element(of) < 0)
    throw Error(std::string(name) + ".load_state_dict: fold does not fit scores", where);
  return most + 1;
}

}  // namespace

void CrossConformalClassifier::load_state_dict(const StateDict& state, Where where) {
  CrossConformalClassifier fresh(*estimator_, options_, score_);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}}, {"fold", &fresh.fold, {-1}, kI64}},
                    own_state(state), where);
  fresh.estimators =
      loaded_copies(*estimator_, state, fold_count(name(), fresh.fold, fresh.scores, where), where);
  *this = std::move(fresh);
}

// ---- SplitConformalRegressor
// ------------------------------------------------------------------------

SplitConformalRegressor::SplitConformalRegressor() : SplitConformalRegressor(LinearRegression()) {}

std::vector<Param> SplitConformalRegressor::params() {
  return with_part_params(split_params(options_), estimator_);
}
std::vector<std::pair<std::string, const Estimator*>> SplitConformalRegressor::parts() const {
  return one_part(estimator_);
}
void SplitConformalRegressor::set_parts(NamedEstimators parts, Where where) {
  estimator_ = taken_part(name(), std::move(parts), where);
  n_features_in = 0;
}

SplitConformalRegressor& SplitConformalRegressor::fit(const Tensor& x, const Tensor& y,
                                                      const Tensor& sample_weight, Where where) {
  const std::string op = "SplitConformalRegressor.fit";
  const NoGrad no_grad;
  check_level(op, options_.confidence_level, where);
  require_kind(op, *estimator_, EstimatorKind::kRegressor, where);
  const Extent size = extent_of(op, x, where);
  SplitConformalRegressor fresh(*estimator_, options_);
  fresh.n_features_in = size.features;
  if (options_.prefit) {
    require_fitted(op, estimator_->fitted(), where);
    fresh.fitted_estimator = estimator_->clone();
    fresh.conformalize(x, y, where);
  } else {
    const Tensor given = flat_targets(op, y, size.samples, where);
    const TrainTest parts = parts_of(op, options_, size.samples, {}, where);
    const std::shared_ptr<Estimator> own = estimator_->clone();
    own->fit(take(x, parts.train), take(given, parts.train), rows(sample_weight, parts.train),
             where);
    fresh.fitted_estimator = own;
    if (parts.test.defined())
      fresh.conformalize(take(x, parts.test), take(given, parts.test), where);
  }
  *this = std::move(fresh);
  return *this;
}

SplitConformalRegressor& SplitConformalRegressor::conformalize(const Tensor& x, const Tensor& y,
                                                               Where where) {
  const std::string op = "SplitConformalRegressor.conformalize";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Tensor given = flat_targets(op, y, extent_of(op, x, where).samples, where);
  const Tensor errors = abs(given - flat_prediction(op, *fitted_estimator, x, where));
  eval(errors, where);
  scores = errors;
  return *this;
}

Tensor SplitConformalRegressor::predict(const Tensor& x, Where where) const {
  require_fitted("SplitConformalRegressor.predict", fitted(), where);
  return fitted_estimator->predict(x, where);
}

PredictionInterval SplitConformalRegressor::predict_interval(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor y = cast(predict(x, where), kF64);
  require_scores("SplitConformalRegressor.predict_interval", scores, where);
  const double half = conformal_quantile(scores, options_.confidence_level, where);
  return {y, y - half, y + half};
}

StateDict SplitConformalRegressor::state_dict(Where where) const {
  Tensor kept = scores;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}}, where);
  append_copies(state, {fitted_estimator});
  return state;
}

void SplitConformalRegressor::load_state_dict(const StateDict& state, Where where) {
  SplitConformalRegressor fresh(*estimator_, options_);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}, kF64, true}}, own_state(state), where);
  fresh.fitted_estimator = loaded_copies(*estimator_, state, 1, where)[0];
  *this = std::move(fresh);
}

// ---- CrossConformalRegressor
// ------------------------------------------------------------------------

CrossConformalRegressor::CrossConformalRegressor() : CrossConformalRegressor(LinearRegression()) {}

std::vector<Param> CrossConformalRegressor::params() {
  return with_part_params(cross_params(options_), estimator_);
}
std::vector<std::pair<std::string, const Estimator*>> CrossConformalRegressor::parts() const {
  return one_part(estimator_);
}
void CrossConformalRegressor::set_parts(NamedEstimators parts, Where where) {
  estimator_ = taken_part(name(), std::move(parts), where);
  n_features_in = 0;
}

CrossConformalRegressor& CrossConformalRegressor::fit(const Tensor& x, const Tensor& y,
                                                      const Tensor& sample_weight, Where where) {
  const std::string op = "CrossConformalRegressor.fit";
  const NoGrad no_grad;
  check_level(op, options_.confidence_level, where);
  require_kind(op, *estimator_, EstimatorKind::kRegressor, where);
  const Extent size = extent_of(op, x, where);
  const Tensor given = flat_targets(op, y, size.samples, where);
  Folds folds = fitted_folds(op, *estimator_, options_.cv, x, given, sample_weight, where);
  std::vector<Tensor> of_tests;
  for (size_t s = 0; s < folds.splits.size(); ++s)
    of_tests.push_back(
        flat_prediction(op, *folds.estimators[s], take(x, folds.splits[s].test), where));
  const Tensor errors = abs(given - in_order(folds, of_tests));
  eval(errors, where);
  std::shared_ptr<Estimator> whole = estimator_->clone();
  whole->fit(x, given, sample_weight, where);
  folds.estimators.push_back(std::move(whole));
  estimators = std::move(folds.estimators);
  scores = errors;
  fold = folds.fold;
  n_features_in = size.features;
  return *this;
}

Tensor CrossConformalRegressor::predict(const Tensor& x, Where where) const {
  require_fitted("CrossConformalRegressor.predict", fitted(), where);
  return estimators.back()->predict(x, where);
}

PredictionInterval CrossConformalRegressor::predict_interval(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = "CrossConformalRegressor.predict_interval";
  require_fitted(op, fitted(), where);
  std::vector<std::vector<double>> said;
  for (const auto& own : estimators)
    said.push_back(flat_prediction(op, *own, x, where).to_vector<double>());
  const auto error = scores.to_vector<double>();
  const auto of = fold.to_vector<int64_t>();
  const auto n = static_cast<double>(error.size());
  // Of what the folds say, less and more the errors of their tests.
  const double rank = std::ceil(options_.confidence_level * (n + 1) * (1 - 1e-14));
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> lower, upper, low(error.size()), high(error.size());
  for (size_t q = 0; q < said.back().size(); ++q) {
    if (rank > n) {
      lower.push_back(-infinity), upper.push_back(infinity);
      continue;
    }
    for (size_t i = 0; i < error.size(); ++i) {
      const double own = said[static_cast<size_t>(of[i])][q];
      low[i] = error[i] - own;
      high[i] = own + error[i];
    }
    const auto at = static_cast<int64_t>(std::max(rank, 1.0)) - 1;
    std::nth_element(low.begin(), low.begin() + at, low.end());
    std::nth_element(high.begin(), high.begin() + at, high.end());
    lower.push_back(-low[static_cast<size_t>(at)]);
    upper.push_back(high[static_cast<size_t>(at)]);
  }
  return {vector_of(said.back()), vector_of(lower), vector_of(upper)};
}

StateDict CrossConformalRegressor::state_dict(Where where) const {
  Tensor kept = scores, of = fold;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}, {"fold", &of, {}}}, where);
  append_copies(state, estimators);
  return state;
}

void CrossConformalRegressor::load_state_dict(const StateDict& state, Where where) {
  CrossConformalRegressor fresh(*estimator_, options_);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}}, {"fold", &fresh.fold, {-1}, kI64}},
                    own_state(state), where);
  fresh.estimators = loaded_copies(*estimator_, state,
                                   fold_count(name(), fresh.fold, fresh.scores, where) + 1, where);
  *this = std::move(fresh);
}

// ---- ConformalizedQuantileRegressor
// -----------------------------------------------------------------

ConformalizedQuantileRegressor::ConformalizedQuantileRegressor()
    : ConformalizedQuantileRegressor(QuantileRegressor()) {}

std::vector<Param> ConformalizedQuantileRegressor::params() {
  std::vector<Param> own = split_params(options_);
  own.emplace_back("symmetric_correction", &options_.symmetric_correction);
  own.emplace_back("quantile_param", &options_.quantile_param);
  return with_part_params(std::move(own), estimator_);
}
std::vector<std::pair<std::string, const Estimator*>> ConformalizedQuantileRegressor::parts()
    const {
  return one_part(estimator_);
}
void ConformalizedQuantileRegressor::set_parts(NamedEstimators parts, Where where) {
  estimator_ = taken_part(name(), std::move(parts), where);
  n_features_in = 0;
}

ConformalizedQuantileRegressor& ConformalizedQuantileRegressor::fit(const Tensor& x,
                                                                    const Tensor& y,
                                                                    const Tensor& sample_weight,
                                                                    Where where) {
  const std::string op = "ConformalizedQuantileRegressor.fit";
  const NoGrad no_grad;
  check_level(op, options_.confidence_level, where);
  require_kind(op, *estimator_, EstimatorKind::kRegressor, where);
  if (options_.prefit)
    throw ValueError(op + ": three estimators are fitted, so that none is prefit; see conformalize",
                     where);
  const Extent size = extent_of(op, x, where);
  const Tensor given = flat_targets(op, y, size.samples, where);
  const TrainTest parts = parts_of(op, options_, size.samples, {}, where);
  ConformalizedQuantileRegressor fresh(*estimator_, options_);
  fresh.n_features_in = size.features;
  const double tail = (1 - options_.confidence_level) / 2;
  for (const double q : {tail, 1 - tail, 0.5}) {
    std::shared_ptr<Estimator> own = estimator_->clone();
    set_params(*own, {{options_.quantile_param, q}}, where);
    own->fit(take(x, parts.train), take(given, parts.train), rows(sample_weight, parts.train),
             where);
    fresh.estimators.push_back(std::move(own));
  }
  if (parts.test.defined()) fresh.conformalize(take(x, parts.test), take(given, parts.test), where);
  *this = std::move(fresh);
  return *this;
}

ConformalizedQuantileRegressor& ConformalizedQuantileRegressor::conformalize(const Tensor& x,
                                                                             const Tensor& y,
                                                                             Where where) {
  const std::string op = "ConformalizedQuantileRegressor.conformalize";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Tensor given = flat_targets(op, y, extent_of(op, x, where).samples, where);
  const Tensor low = flat_prediction(op, *estimators[0], x, where) - given,
               high = given - flat_prediction(op, *estimators[1], x, where);
  eval({low, high}, where);
  lower_scores = low;
  upper_scores = high;
  return *this;
}

Tensor ConformalizedQuantileRegressor::predict(const Tensor& x, Where where) const {
  require_fitted("ConformalizedQuantileRegressor.predict", fitted(), where);
  return estimators[2]->predict(x, where);
}

PredictionInterval ConformalizedQuantileRegressor::predict_interval(const Tensor& x,
                                                                    Where where) const {
  const NoGrad no_grad;
  const std::string op = "ConformalizedQuantileRegressor.predict_interval";
  require_fitted(op, fitted(), where);
  require_scores(op, lower_scores, where);
  const double level = options_.confidence_level;
  double below = 0, above = 0;
  if (options_.symmetric_correction) {
    below = above = conformal_quantile(maximum(lower_scores, upper_scores), level, where);
  } else {
    below = conformal_quantile(lower_scores, 1 - (1 - level) / 2, where);
    above = conformal_quantile(upper_scores, 1 - (1 - level) / 2, where);
  }
  return {flat_prediction(op, *estimators[2], x, where),
          flat_prediction(op, *estimators[0], x, where) - below,
          flat_prediction(op, *estimators[1], x, where) + above};
}

StateDict ConformalizedQuantileRegressor::state_dict(Where where) const {
  Tensor low = lower_scores, high = upper_scores;
  StateDict state =
      fitted_state(*this, {{"lower_scores", &low, {}}, {"upper_scores", &high, {}}}, where);
  append_copies(state, estimators);
  return state;
}

void ConformalizedQuantileRegressor::load_state_dict(const StateDict& state, Where where) {
  ConformalizedQuantileRegressor fresh(*estimator_, options_);
  load_fitted_state(fresh,
                    {{"lower_scores", &fresh.lower_scores, {-1}, kF64, true},
                     {"upper_scores", &fresh.upper_scores, {-1}, kF64, true}},
                    own_state(state), where);
  if (fresh.lower_scores.defined() != fresh.upper_scores.defined() ||
      (fresh.lower_scores.defined() && fresh.lower_scores.shape() != fresh.upper_scores.shape()))
    throw Error("ConformalizedQuantileRegressor.load_state_dict: its scores do not fit together",
                where);
  fresh.estimators = loaded_copies(*estimator_, state, 3, where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
