// Conformal intervals around regressors.
#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"
#include "conformal_parts.h"
#include "fitted.h"
#include "glia/classic/linear_model.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {

// ---- SplitConformalRegressor --------------------------------------------------------------------

SplitConformalRegressor::SplitConformalRegressor() : SplitConformalRegressor(LinearRegression()) {}

SplitConformalRegressor& SplitConformalRegressor::fit(const Tensor& x, const Tensor& y,
                                                      const Tensor& sample_weight, Where where) {
  learn(x, y, sample_weight, where);
  return *this;
}

SplitConformalRegressor& SplitConformalRegressor::conformalize(const Tensor& x, const Tensor& y,
                                                               Where where) {
  set_scores(x, y, where);
  return *this;
}

void SplitConformalRegressor::set_scores(const Tensor& x, const Tensor& y, Where where) {
  const std::string op = "SplitConformalRegressor.conformalize";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Tensor given = flat_targets(op, y, extent_of(op, x, where).samples, where);
  const Tensor errors = abs(given - flat_prediction(op, *fitted_estimator, x, where));
  eval(errors, where);
  scores = errors;
}

PredictionInterval SplitConformalRegressor::predict_interval(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor y = cast(predict(x, where), kF64);
  require_scores("SplitConformalRegressor.predict_interval", scores, where);
  const double half = conformal_quantile(scores, options_.confidence_level, where);
  return {y, y - half, y + half};
}

// ---- CrossConformalRegressor --------------------------------------------------------------------

CrossConformalRegressor::CrossConformalRegressor() : CrossConformalRegressor(LinearRegression()) {}

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

// ---- ConformalizedQuantileRegressor -------------------------------------------------------------

ConformalizedQuantileRegressor::ConformalizedQuantileRegressor()
    : ConformalizedQuantileRegressor(QuantileRegressor()) {}

std::vector<Param> ConformalizedQuantileRegressor::own_params() {
  std::vector<Param> own = split_params(options_);
  own.emplace_back("symmetric_correction", &options_.symmetric_correction);
  own.emplace_back("quantile_param", &options_.quantile_param);
  return own;
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
  const TrainTest parts = conformal_parts(op, options_, size.samples, {}, where);
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
