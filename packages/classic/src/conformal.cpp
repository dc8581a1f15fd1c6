#include "glia/classic/conformal.h"

#include <algorithm>
#include <type_traits>

#include "columns.h"
#include "conformal_parts.h"
#include "fitted.h"
#include "glia/classic/linear_model.h"
#include "glia/ops.h"
#include "glia/ops/select.h"
#include "linear.h"
#include "metrics/inputs.h"

namespace glia::classic {

// ---- What all share -----------------------------------------------------------------------------

void check_level(const std::string& op, double level, Where where) {
  require_option(level > 0 && level < 1, op, "confidence_level", level, where);
}

void require_scores(const std::string& op, const Tensor& scores, Where where) {
  if (!scores.defined())
    throw Error(op + ": there are no scores; call conformalize first, or let fit keep samples",
                where);
}

std::vector<Param> split_params(SplitConformalOptions& o) {
  return {{"confidence_level", &o.confidence_level},
          {"conformalize_size", &o.conformalize_size},
          {"prefit", &o.prefit},
          {"random_state", &o.random_state}};
}

TrainTest conformal_parts(const std::string& op, const SplitConformalOptions& o, int64_t samples,
                          const Tensor& classes, Where where) {
  require_option(o.conformalize_size >= 0 && o.conformalize_size < 1, op, "conformalize_size",
                 o.conformalize_size, where);
  if (o.conformalize_size == 0) return {arange(0, samples, 1, kI64), {}};
  return train_test_split(
      samples,
      {.test_size = o.conformalize_size, .random_state = o.random_state, .stratify = classes},
      where);
}

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

Tensor in_order(const Folds& folds, const std::vector<Tensor>& of_tests) {
  std::vector<Tensor> order;
  for (const TrainTest& split : folds.splits) order.push_back(split.test);
  return take(concat(of_tests, 0), argsort(concat(order, 0)));
}

namespace {

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

// How many folds a state tells of. Throws Error for positions that cannot be.
int64_t fold_count(std::string_view name, const Tensor& fold, const Tensor& scores, Where where) {
  const auto of = fold.to_vector<int64_t>();
  const int64_t most = *std::ranges::max_element(of);
  if (fold.shape() != scores.shape() || most >= fold.size(0) || *std::ranges::min_element(of) < 0)
    throw Error(std::string(name) + ".load_state_dict: fold does not fit scores", where);
  return most + 1;
}

template <class Base>
constexpr bool kClasses = std::is_same_v<Base, Classifier>;

}  // namespace

// ---- SplitConformal -----------------------------------------------------------------------------

template <class Base>
std::vector<Param> SplitConformal<Base>::own_params() {
  return split_params(options_);
}

template <class Base>
void SplitConformal<Base>::learn(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                 Where where) {
  const std::string op = std::string(this->name()) + ".fit";
  const NoGrad no_grad;
  const Estimator& part = this->estimator();
  check_level(op, options_.confidence_level, where);
  require_kind(op, part, this->kind(), where);
  const Extent size = extent_of(op, x, where);
  const auto copy = this->clone();
  auto& fresh = static_cast<SplitConformal&>(*copy);
  fresh.n_features_in = size.features;
  fresh.scores = {};
  if (options_.prefit) {
    require_fitted(op, part.fitted(), where);
    fresh.fitted_estimator = part.clone();
    fresh.set_scores(x, y, where);
  } else {
    Tensor targets = y, codes;
    if constexpr (kClasses<Base>)
      codes = check_classes(op, y, size.samples, where).codes;
    else
      targets = flat_targets(op, y, size.samples, where);
    const TrainTest parts = conformal_parts(op, options_, size.samples, codes, where);
    const std::shared_ptr<Estimator> own = part.clone();
    own->fit(take(x, parts.train), take(targets, parts.train), rows(sample_weight, parts.train),
             where);
    fresh.fitted_estimator = own;
    if constexpr (kClasses<Base>) fresh.classes = classes_known(op, *own, where);
    if (parts.test.defined())
      fresh.set_scores(take(x, parts.test), take(targets, parts.test), where);
  }
  *this = std::move(fresh);
}

template <class Base>
Tensor SplitConformal<Base>::predict(const Tensor& x, Where where) const {
  require_fitted(std::string(this->name()) + ".predict", this->fitted(), where);
  return fitted_estimator->predict(x, where);
}

template <class Base>
StateDict SplitConformal<Base>::state_dict(Where where) const {
  Tensor kept = scores;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}}, where);
  append_copies(state, {fitted_estimator});
  return state;
}

template <class Base>
void SplitConformal<Base>::load_state_dict(const StateDict& state, Where where) {
  const auto copy = this->clone();
  auto& fresh = static_cast<SplitConformal&>(*copy);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}, kF64, true}}, own_state(state), where);
  fresh.fitted_estimator = loaded_copies(this->estimator(), state, 1, where)[0];
  *this = std::move(fresh);
}

template class SplitConformal<Classifier>;
template class SplitConformal<Regressor>;

// ---- CrossConformal -----------------------------------------------------------------------------

template <class Base>
std::vector<Param> CrossConformal<Base>::own_params() {
  return {{"confidence_level", &options_.confidence_level},
          cv_param(&options_.cv),
          {"random_state", &options_.random_state}};
}

template <class Base>
StateDict CrossConformal<Base>::state_dict(Where where) const {
  Tensor kept = scores, of = fold;
  StateDict state = fitted_state(*this, {{"scores", &kept, {}}, {"fold", &of, {}}}, where);
  append_copies(state, estimators);
  return state;
}

template <class Base>
void CrossConformal<Base>::load_state_dict(const StateDict& state, Where where) {
  const auto copy = this->clone();
  auto& fresh = static_cast<CrossConformal&>(*copy);
  load_fitted_state(fresh, {{"scores", &fresh.scores, {-1}}, {"fold", &fresh.fold, {-1}, kI64}},
                    own_state(state), where);
  const int64_t count = fold_count(this->name(), fresh.fold, fresh.scores, where);
  fresh.estimators =
      loaded_copies(this->estimator(), state, count + (kClasses<Base> ? 0 : 1), where);
  *this = std::move(fresh);
}

template class CrossConformal<Classifier>;
template class CrossConformal<Regressor>;

// ---- Classifiers --------------------------------------------------------------------------------

namespace {

Param score_param(ConformityScore* at) {
  return {"conformity_score", at, {"lac", "aps", "aps_randomized"}};
}

}  // namespace

SplitConformalClassifier::SplitConformalClassifier()
    : SplitConformalClassifier(LogisticRegression()) {}

std::vector<Param> SplitConformalClassifier::own_params() {
  std::vector<Param> own = SplitConformal::own_params();
  own.push_back(score_param(&score_));
  return own;
}

SplitConformalClassifier& SplitConformalClassifier::fit(const Tensor& x, const Tensor& y,
                                                        const Tensor& sample_weight, Where where) {
  learn(x, y, sample_weight, where);
  return *this;
}

SplitConformalClassifier& SplitConformalClassifier::conformalize(const Tensor& x, const Tensor& y,
                                                                 Where where) {
  set_scores(x, y, where);
  return *this;
}

void SplitConformalClassifier::set_scores(const Tensor& x, const Tensor& y, Where where) {
  const std::string op = "SplitConformalClassifier.conformalize";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Extent size = extent_of(op, x, where);
  const Tensor known = classes_known(op, *fitted_estimator, where);
  const Tensor codes = codes_among(op, known, y, size.samples, where);
  scores = conformity_scores(fitted_estimator->predict_proba(x, where), codes, score_,
                             options_.random_state, where);
  classes = known;
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

CrossConformalClassifier::CrossConformalClassifier()
    : CrossConformalClassifier(LogisticRegression()) {}

std::vector<Param> CrossConformalClassifier::own_params() {
  std::vector<Param> own = CrossConformal::own_params();
  own.push_back(score_param(&score_));
  return own;
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

}  // namespace glia::classic
