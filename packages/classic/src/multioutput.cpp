#include "glia/classic/multioutput.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "columns.h"
#include "copies.h"
#include "fit_and_score.h"
#include "fitted.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

// y as columns; those of classes are whole numbers.
struct Outputs {
  std::vector<Tensor> columns;
  bool flat = false;
};
Outputs outputs_of(const std::string& op, const Tensor& y, int64_t samples, bool classes,
                   Where where) {
  Tensor given = check_targets(op, y, samples, where);
  if (classes && !all(given == floor(given)).item<bool>())
    throw ValueError(op + ": y contains a number that is no class: classes are integers", where);
  if (classes) given = cast(given, kI64);
  if (given.rank() == 1) return {{given}, true};
  Outputs out;
  for (int64_t o = 0; o < given.size(1); ++o) out.columns.push_back(index(given, {Slice{}, o}));
  return out;
}

// Each output by its own copy.
FittedEstimators fitted_each(const Estimator& estimator, const Tensor& x, const Outputs& y,
                             const Tensor& weight, Where where) {
  FittedEstimators all;
  for (const Tensor& own : y.columns) {
    std::shared_ptr<Estimator> copy = estimator.clone();
    copy->fit(x, own, weight, where);
    all.push_back(std::move(copy));
  }
  return all;
}

Tensor joined(const std::vector<Tensor>& columns, bool flat) {
  return flat ? columns[0] : stack(columns, 1);
}

// The share of samples that have all outputs right.
double all_right(const std::string& op, const Tensor& y, const Tensor& guess, const Tensor& weight,
                 Where where) {
  const Tensor given = check_targets(op, y, guess.size(0), where);
  if (given.shape() != guess.shape())
    throw ShapeError(op + ": y is " + given.shape().str() + ", not " + guess.shape().str(), where);
  Tensor same = given == cast(guess, kF64);
  if (same.rank() == 2) same = all(same, {1});
  const Tensor w = check_sample_weight(op, weight, guess.size(0), kF64, where);
  const Tensor right = cast(same, kF64);
  return (w.defined() ? sum(right * w) / sum(w) : mean(right)).item();
}

// Which output each link is of. Throws ValueError for what is no permutation.
std::vector<int64_t> order_of(const std::string& op, const ChainOptions& options, int64_t outputs,
                              Where where) {
  std::vector<int64_t> order(static_cast<size_t>(outputs));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (options.order.empty()) return order;
  std::vector<int64_t> sorted = options.order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != order)
    throw ValueError(
        op + ": order does not name each of " + std::to_string(outputs) + " outputs once", where);
  return options.order;
}

FittedEstimators fitted_chain(const Estimator& estimator, const ChainOptions& options,
                              const std::vector<int64_t>& order, const Tensor& x, const Outputs& y,
                              const Tensor& weight, Where where) {
  FittedEstimators all;
  Tensor seen = cast(x, kF64);
  for (size_t i = 0; i < order.size(); ++i) {
    const Tensor& own = y.columns[order[i]];
    std::shared_ptr<Estimator> copy = estimator.clone();
    copy->fit(seen, own, weight, where);
    all.push_back(std::move(copy));
    if (i + 1 == order.size()) break;
    const Tensor next =
        options.cv ? cross_val_predict(estimator, seen, own,
                                       {.cv = CV(*options.cv), .sample_weight = weight}, where)
                   : own;
    seen = concat({seen, column(cast(next, kF64))}, 1);
  }
  return all;
}

}  // namespace

// ---- What all share
// -------------------------------------------------------------------------------

MultiOutputEstimator& MultiOutputEstimator::fit(const Tensor& x, const Tensor& y,
                                                const Tensor& sample_weight, Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  require_kind(op, *estimator_, kind(), where);
  const Extent size = extent_of(op, x, where);
  const Outputs outputs =
      outputs_of(op, y, size.samples, kind() == EstimatorKind::kClassifier, where);
  const ChainOptions none, *links = chain();
  const auto order =
      order_of(op, links ? *links : none, static_cast<int64_t>(outputs.columns.size()), where);
  estimators = links ? fitted_chain(*estimator_, *links, order, x, outputs, sample_weight, where)
                     : fitted_each(*estimator_, x, outputs, sample_weight, where);
  order_ = order;
  flat_ = outputs.flat;
  n_features_in = size.features;
  return *this;
}

std::vector<Tensor> MultiOutputEstimator::each(const Tensor& x, const Says& says,
                                               Where where) const {
  std::vector<Tensor> out(estimators.size());
  Tensor seen = chain() ? cast(x, kF64) : x;
  for (size_t i = 0; i < estimators.size(); ++i) {
    const bool passed_on = chain() && i + 1 < estimators.size();
    const Tensor guess = passed_on || !says ? estimators[i]->predict(seen, where) : Tensor();
    out[order_[i]] = says ? says(*estimators[i], seen) : guess;
    if (passed_on) seen = concat({seen, column(cast(guess, kF64))}, 1);
  }
  return out;
}

Tensor MultiOutputEstimator::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted(std::string(name()) + ".predict", fitted(), where);
  return joined(each(x, {}, where), flat_ != 0);
}

double MultiOutputEstimator::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                   Where where) const {
  const Tensor guess = predict(x, where);
  return kind() == EstimatorKind::kClassifier
             ? all_right(std::string(name()) + ".score", y, guess, sample_weight, where)
             : r2_score(y, guess, sample_weight, where);
}

StateDict MultiOutputEstimator::state_dict(Where where) const {
  Tensor order = vector_of(order_);
  int64_t flat = flat_;
  StateDict state = fitted_state(*this, {{"order", &order, {}}, {"flat", &flat, {}}}, where);
  append_copies(state, estimators);
  return state;
}

void MultiOutputEstimator::load_state_dict(const StateDict& state, Where where) {
  const auto fresh = clone();
  Tensor order;
  int64_t flat = 0;
  load_fitted_state(*fresh, {{"order", &order, {-1}, kI64}, {"flat", &flat, {}}}, own_state(state),
                    where);
  FittedEstimators copies = loaded_copies(*estimator_, state, order.size(0), where);
  std::vector<int64_t> sorted = order.to_vector<int64_t>();
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<int64_t>(i))
      throw Error(std::string(name()) + ".load_state_dict: order is no permutation", where);
  if (flat != 0 && sorted.size() != 1)
    throw Error(std::string(name()) + ".load_state_dict: flat, of several outputs", where);
  estimators = std::move(copies);
  order_ = order.to_vector<int64_t>();
  flat_ = flat;
  n_features_in = fresh->n_features_in;
}

// ---- Outputs that do not know of each other -----------------------------------------------------

MultiOutputClassifier::MultiOutputClassifier() : MultiOutputClassifier(LogisticRegression()) {}

std::vector<Tensor> MultiOutputClassifier::predict_probas(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("MultiOutputClassifier.predict_probas", fitted(), where);
  return each(
      x, [&](const Estimator& own, const Tensor& seen) { return own.predict_proba(seen, where); },
      where);
}

Tensor MultiOutputClassifier::predict_proba(const Tensor& x, Where where) const {
  if (fitted() && estimators.size() > 1)
    throw Error("MultiOutputClassifier has no predict_proba of several outputs; see predict_probas",
                where);
  return predict_probas(x, where).front();
}

MultiOutputRegressor::MultiOutputRegressor() : MultiOutputRegressor(Ridge()) {}

// ---- Chains -------------------------------------------------------------------------------------

std::vector<Param> ChainEstimator::own_params() {
  ChainOptions& o = options_;
  return {{"order",
           [&o] {
             std::string text;
             for (const int64_t i : o.order) text += (text.empty() ? "" : ",") + std::to_string(i);
             return ParamValue(text);
           },
           [&o](const ParamValue& value) {
             std::vector<double> numbers;
             try {
               list_param("order", &numbers).set(value);
             } catch (const ValueError&) {
               return false;
             }
             o.order.clear();
             for (const double x : numbers) o.order.push_back(static_cast<int64_t>(x));
             return true;
           }},
          {"cv", &o.cv}};
}

ClassifierChain::ClassifierChain() : ClassifierChain(LogisticRegression()) {}

Tensor ClassifierChain::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("ClassifierChain.predict_proba", fitted(), where);
  const auto says = [&](const Estimator& own, const Tensor& seen) {
    const Tensor p = own.predict_proba(seen, where);
    if (flat_ != 0) return p;
    if (p.size(1) != 2)
      throw Error("ClassifierChain.predict_proba: an output has more than two classes", where);
    return index(p, {Slice{}, 1});
  };
  return joined(each(x, says, where), flat_ != 0);
}

RegressorChain::RegressorChain() : RegressorChain(Ridge()) {}

}  // namespace glia::classic
