#include "glia/classic/multiclass.h"

#include <algorithm>

#include "columns.h"
#include "copies.h"
#include "fit_and_score.h"
#include "fitted.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "pair_votes.h"

namespace glia::classic {
namespace {

// What an estimator of 0 and 1 says for 1: (samples), above the threshold where it is guessed.
struct Binary {
  Tensor score;
  double threshold = 0;
};
Binary binary_of(const Estimator& estimator, const Tensor& x, Where where) {
  const Response r = response_of(estimator, x, where);
  return {r.values, r.probabilities ? 0.5 : 0};
}

Tensor second_column(const Tensor& p) { return index(p, {Slice{}, 1}); }

}  // namespace

// ---- OneVsRestClassifier
// --------------------------------------------------------------------------

OneVsRestClassifier::OneVsRestClassifier() : OneVsRestClassifier(LogisticRegression()) {}

OneVsRestClassifier& OneVsRestClassifier::fit(const Tensor& x, const Tensor& y,
                                              const Tensor& sample_weight, Where where) {
  const std::string op = "OneVsRestClassifier.fit";
  const NoGrad no_grad;
  require_kind(op, *estimator_, EstimatorKind::kClassifier, where);
  const Extent size = extent_of(op, x, where);
  const bool labels = y.defined() && y.rank() == 2;
  Tensor all, flags;  // flags (samples, classes) i64
  if (labels) {
    const Tensor given = check_targets(op, y, size.samples, where);
    if (!glia::all((given == 0) | (given == 1)).item<bool>())
      throw ValueError(op + ": labels are 0 and 1", where);
    flags = cast(given, kI64);
    all = arange(0, y.size(1), 1, kI64);
  } else {
    const ClassTargets targets = check_classes(op, y, size.samples, where);
    all = targets.classes;
    if (all.size(0) < 2)
      throw ValueError(op + ": y has one class, where at least two are needed", where);
    flags = cast(unsqueeze(targets.codes, 1) == arange(0, all.size(0), 1, kI64), kI64);
  }
  const int64_t k = all.size(0);
  FittedEstimators fitted_ones;
  std::vector<int64_t> constant;
  for (int64_t c = !labels && k == 2 ? 1 : 0; c < k; ++c) {
    const Tensor is = index(flags, {Slice{}, c});
    const int64_t count = sum(is).item<int64_t>();
    const bool one_value = count == 0 || count == size.samples;
    constant.push_back(one_value ? (count > 0 ? 1 : 0) : -1);
    std::shared_ptr<Estimator> own;
    if (!one_value) {
      own = estimator_->clone();
      own->fit(x, is, sample_weight, where);
    }
    fitted_ones.push_back(own);
  }
  classes = all;
  estimators = std::move(fitted_ones);
  constants = vector_of(constant);
  multilabel = labels;
  n_features_in = size.features;
  return *this;
}

// (samples, estimators).
Tensor OneVsRestClassifier::scores(const Tensor& x, bool probabilities, double* threshold,
                                   Where where) const {
  require_fitted("OneVsRestClassifier", fitted(), where);
  std::vector<Tensor> columns;
  const auto constant = constants.to_vector<int64_t>();
  for (size_t i = 0; i < estimators.size(); ++i) {
    if (!estimators[i]) {
      const int64_t n = extent_of("OneVsRestClassifier", x, where).samples;
      columns.push_back(full({n}, static_cast<double>(constant[i]), kF64));
    } else if (probabilities) {
      columns.push_back(cast(second_column(estimators[i]->predict_proba(x, where)), kF64));
    } else {
      const Binary b = binary_of(*estimators[i], x, where);
      if (threshold) *threshold = b.threshold;
      columns.push_back(b.score);
    }
  }
  return stack(columns, 1);
}

Tensor OneVsRestClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("OneVsRestClassifier.decision_function", fitted(), where);
  std::vector<Tensor> columns;
  for (const auto& own : estimators) {
    if (!own)
      throw Error("OneVsRestClassifier.decision_function: a label is constant, which has none",
                  where);
    columns.push_back(cast(own->decision_function(x, where), kF64));
  }
  return columns.size() == 1 && multilabel == 0 ? columns[0] : stack(columns, 1);
}

Tensor OneVsRestClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor p = scores(x, true, nullptr, where);
  if (multilabel != 0) return p;
  if (p.size(1) == 1) return concat({1 - p, p}, 1);
  const Tensor total = sum(p, {1}, true);
  return p / glia::where(total > 0, total, 1);
}

Tensor OneVsRestClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  double threshold = 0.5;
  const Tensor s = scores(x, false, &threshold, where);
  if (multilabel != 0) {
    // A constant label is what it always was.
    const Tensor known = constants >= 0;
    return cast(glia::where(known, constants > 0, s > threshold), kI64);
  }
  if (s.size(1) == 1) return take(classes, cast(squeeze(s, 1) > threshold, kI64));
  return take(classes, argmax(s, 1));
}

double OneVsRestClassifier::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                  Where where) const {
  return accuracy_score(y, predict(x, where), sample_weight, where);
}

StateDict OneVsRestClassifier::state_dict(Where where) const {
  OneVsRestClassifier copy = *this;
  StateDict state = fitted_state(
      copy, {{"constants", &copy.constants, {}}, {"multilabel", &copy.multilabel, {}}}, where);
  append_copies(state, estimators);
  return state;
}

void OneVsRestClassifier::load_state_dict(const StateDict& state, Where where) {
  OneVsRestClassifier fresh(*estimator_);
  load_fitted_state(
      fresh, {{"constants", &fresh.constants, {-1}, kI64}, {"multilabel", &fresh.multilabel, {}}},
      own_state(state), where);
  const int64_t k = fresh.classes.size(0);
  const int64_t count = k == 2 && fresh.multilabel == 0 ? 1 : k;
  if (fresh.constants.size(0) != count)
    throw Error("OneVsRestClassifier.load_state_dict: constants does not fit the classes", where);
  std::vector<bool> absent;
  for (const int64_t c : fresh.constants.to_vector<int64_t>()) absent.push_back(c >= 0);
  fresh.estimators = loaded_copies(*estimator_, state, count, where, absent);
  *this = std::move(fresh);
}

// ---- OneVsOneClassifier
// ---------------------------------------------------------------------------

OneVsOneClassifier::OneVsOneClassifier() : OneVsOneClassifier(LogisticRegression()) {}

OneVsOneClassifier& OneVsOneClassifier::fit(const Tensor& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const std::string op = "OneVsOneClassifier.fit";
  const NoGrad no_grad;
  require_kind(op, *estimator_, EstimatorKind::kClassifier, where);
  const Extent size = extent_of(op, x, where);
  const ClassTargets targets = check_classes(op, y, size.samples, where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError(op + ": y has one class, where at least two are needed", where);
  FittedEstimators all;
  for (int64_t a = 0; a < k; ++a)
    for (int64_t b = a + 1; b < k; ++b) {
      const Tensor some = reshape(nonzero((targets.codes == a) | (targets.codes == b)), {-1});
      std::shared_ptr<Estimator> own = estimator_->clone();
      own->fit(take(x, some), cast(take(targets.codes, some) == b, kI64), rows(sample_weight, some),
               where);
      all.push_back(std::move(own));
    }
  estimators = std::move(all);
  classes = targets.classes;
  n_features_in = size.features;
  return *this;
}

Tensor OneVsOneClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("OneVsOneClassifier.decision_function", fitted(), where);
  std::vector<Tensor> guess, sure;
  for (const auto& own : estimators) {
    guess.push_back(own->predict(x, where));
    sure.push_back(binary_of(*own, x, where).score);
  }
  const Tensor votes = pair_votes(stack(guess, 1) == 1, stack(sure, 1), classes.size(0));
  return classes.size(0) == 2 ? second_column(votes) : votes;
}

Tensor OneVsOneClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  require_fitted("OneVsOneClassifier.predict", fitted(), where);
  if (classes.size(0) == 2) {
    const Binary b = binary_of(*estimators[0], x, where);
    return take(classes, cast(b.score > b.threshold, kI64));
  }
  return take(classes, argmax(decision_function(x, where), 1));
}

StateDict OneVsOneClassifier::state_dict(Where where) const {
  StateDict state = fitted_state(*this, {}, where);
  append_copies(state, estimators);
  return state;
}

void OneVsOneClassifier::load_state_dict(const StateDict& state, Where where) {
  OneVsOneClassifier fresh(*estimator_);
  load_fitted_state(fresh, {}, own_state(state), where);
  const int64_t k = fresh.classes.size(0);
  fresh.estimators = loaded_copies(*estimator_, state, k * (k - 1) / 2, where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
