#include "glia/classic/voting.h"

#include <algorithm>
#include <type_traits>

#include "columns.h"
#include "fitted.h"
#include "glia/classic/forest.h"
#include "glia/classic/hist_boosting.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/model_selection.h"
#include "glia/ops.h"
#include "linear.h"
#include "members.h"
#include "named_parts.h"

namespace glia::classic {
namespace {

constexpr const char* kFinal = "final_estimator";

NamedEstimators class_parts(bool linear) {
  NamedEstimators out;
  if (linear) out.emplace_back("linear", std::make_unique<LogisticRegression>());
  out.emplace_back("forest", std::make_unique<RandomForestClassifier>());
  out.emplace_back("boosting", std::make_unique<HistGradientBoostingClassifier>());
  return out;
}
NamedEstimators number_parts(bool linear) {
  NamedEstimators out;
  if (linear) out.emplace_back("linear", std::make_unique<RidgeCV>());
  out.emplace_back("forest", std::make_unique<RandomForestRegressor>());
  out.emplace_back("boosting", std::make_unique<HistGradientBoostingRegressor>());
  return out;
}

std::vector<double> part_weights(const std::string& op, const std::vector<double>& given,
                                 size_t parts, Where where) {
  if (given.empty()) return std::vector<double>(parts, 1);
  double sum = 0;
  for (const double w : given) {
    require_option(w >= 0 && std::isfinite(w), op, "weights", w, where);
    sum += w;
  }
  if (given.size() != parts || !(sum > 0))
    throw ValueError(op + ": weights has " + std::to_string(given.size()) + " numbers for " +
                         std::to_string(parts) + " estimators, or is all 0",
                     where);
  return given;
}

NamedEstimators fit_parts(const NamedEstimators& parts, const Tensor& x, const Tensor& y,
                          const Tensor& weight, Where where) {
  NamedEstimators fresh = parts;
  for (auto& [name, part] : fresh) part->fit(x, y, weight, where);
  return fresh;
}

void check_query(const Estimator& model, const char* method, const Tensor& x, Where where) {
  const std::string op = std::string(model.name()) + "." + method;
  require_fitted(op, model.fitted(), where);
  check_rank(op, x, where);
  if (x.size(1) != model.n_features_in) check_x(op, x, model.n_features_in, where);  // says so
}

}  // namespace

// ---- What all share ---------------------------------------------------------------------------

template <class Base>
std::vector<Param> NamedEnsemble<Base>::params() {
  std::vector<Param> all = own_params();
  for (Param& p : params_of(estimators_)) all.push_back(std::move(p));
  return all;
}

template <class Base>
std::vector<std::pair<std::string, const Estimator*>> NamedEnsemble<Base>::parts() const {
  return seen(estimators_);
}

template <class Base>
void NamedEnsemble<Base>::check_parts(const NamedEstimators& parts, Where where) const {
  const std::string own(this->name());
  check_names(own.c_str(), parts, where);
  for (const auto& [name, part] : parts)
    if (part->kind() != this->kind())
      throw ValueError(
          own + ": " + name + " is no " +
              (this->kind() == EstimatorKind::kClassifier ? "classifier" : "regressor"),
          where);
}

template <class Base>
void NamedEnsemble<Base>::set_parts(NamedEstimators parts, Where where) {
  check_parts(parts, where);
  estimators_ = std::move(parts);
  this->n_features_in = 0;
}

template <class Base>
StateDict NamedEnsemble<Base>::state_dict(Where where) const {
  require_fitted(std::string(this->name()) + ".state_dict", this->fitted(), where);
  StateDict state = states_of(estimators_, this->n_features_in);
  if constexpr (std::is_same_v<Base, Classifier>) state.emplace_back("classes", this->classes);
  return state;
}

template <class Base>
void NamedEnsemble<Base>::load_state_dict(const StateDict& state, Where where) {
  StateDict own;
  NamedEstimators parts = loaded_parts(estimators_, state, own, where);
  load_fitted_state(*this, {}, own, where);
  estimators_ = std::move(parts);
}

template class NamedEnsemble<Classifier>;
template class NamedEnsemble<Regressor>;

// ---- Votes of classes -------------------------------------------------------------------------

VotingClassifier::VotingClassifier(const VotingClassifierOptions& options)
    : NamedEnsemble(class_parts(true)), options_(options) {}
VotingClassifier::VotingClassifier(NamedEstimators estimators,
                                   const VotingClassifierOptions& options, Where where)
    : NamedEnsemble(NamedEstimators{}), options_(options) {
  set_parts(std::move(estimators), where);
}

std::vector<Param> VotingClassifier::own_params() {
  return {{"voting", &options_.voting, {"hard", "soft"}}, list_param("weights", &options_.weights)};
}

VotingClassifier& VotingClassifier::fit(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  require_parts(op.c_str(), !estimators_.empty(), where);
  check_rank(op, x, where);
  part_weights(op, options_.weights, estimators_.size(), where);
  const ClassTargets targets = check_classes(op, y, x.size(0), where);
  estimators_ = fit_parts(estimators_, x, targets.codes, sample_weight, where);
  classes = targets.classes;
  n_features_in = x.size(1);
  return *this;
}

Tensor VotingClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  if (options_.voting == Voting::kHard) has_no("predict_proba", where);
  check_query(*this, "predict_proba", x, where);
  const auto weights =
      part_weights("VotingClassifier", options_.weights, estimators_.size(), where);
  Tensor sum;
  double all = 0;
  for (size_t i = 0; i < estimators_.size(); ++i) {
    const Tensor p = shares_of(*estimators_[i].second, x, classes.size(0), where) * weights[i];
    sum = sum.defined() ? sum + p : p;
    all += weights[i];
  }
  return sum / all;
}

Tensor VotingClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  if (options_.voting == Voting::kSoft) return Classifier::predict(x, where);
  check_query(*this, "predict", x, where);
  const auto weights =
      part_weights("VotingClassifier", options_.weights, estimators_.size(), where);
  const int64_t n = x.size(0), k = classes.size(0);
  std::vector<double> votes(static_cast<size_t>(n * k));
  for (size_t e = 0; e < estimators_.size(); ++e) {
    const auto said = estimators_[e].second->predict(x, where).to_vector<int64_t>();
    for (int64_t i = 0; i < n; ++i)
      votes[static_cast<size_t>(i * k + said[static_cast<size_t>(i)])] += weights[e];
  }
  return take(classes, argmax(from_vector(votes, {n, k}), 1));
}

// ---- Means of numbers -------------------------------------------------------------------------

VotingRegressor::VotingRegressor(const VotingRegressorOptions& options)
    : NamedEnsemble(number_parts(true)), options_(options) {}
VotingRegressor::VotingRegressor(NamedEstimators estimators, const VotingRegressorOptions& options,
                                 Where where)
    : NamedEnsemble(NamedEstimators{}), options_(options) {
  set_parts(std::move(estimators), where);
}

std::vector<Param> VotingRegressor::own_params() {
  return {list_param("weights", &options_.weights)};
}

VotingRegressor& VotingRegressor::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                      Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  require_parts(op.c_str(), !estimators_.empty(), where);
  check_rank(op, x, where);
  part_weights(op, options_.weights, estimators_.size(), where);
  estimators_ =
      fit_parts(estimators_, x, check_targets(op, y, x.size(0), where), sample_weight, where);
  n_features_in = x.size(1);
  return *this;
}

Tensor VotingRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  check_query(*this, "predict", x, where);
  const auto weights = part_weights("VotingRegressor", options_.weights, estimators_.size(), where);
  Tensor sum;
  double all = 0;
  for (size_t i = 0; i < estimators_.size(); ++i) {
    const Tensor said = cast(estimators_[i].second->predict(x, where), kF64) * weights[i];
    sum = sum.defined() ? sum + said : said;
    all += weights[i];
  }
  return sum / all;
}

// ---- Stacking ---------------------------------------------------------------------------------

namespace {

NamedEstimators with_final(NamedEstimators estimators, std::unique_ptr<Estimator> last) {
  estimators.emplace_back(kFinal, std::move(last));
  return estimators;
}

void check_stack(std::string_view name, const NamedEstimators& parts, Where where) {
  if (parts.size() < 2 || parts.back().first != kFinal)
    throw ValueError(std::string(name) + ": its last part is final_estimator, after one or more",
                     where);
}

// Features of the final estimator: of two classes the second one's probability alone.
Tensor joined(const std::vector<Tensor>& said, const Tensor& x, bool passthrough) {
  std::vector<Tensor> columns;
  for (const Tensor& one : said) {
    const Tensor rows = cast(one, kF64);
    columns.push_back(rows.rank() == 1 ? reshape(rows, {-1, 1}) : rows);
  }
  if (passthrough) columns.push_back(cast(x, kF64));
  return concat(columns, 1);
}
Tensor without_first(const Tensor& p) { return p.size(1) == 2 ? index(p, {Slice{}, 1}) : p; }
// Probabilities, or else decisions, or classes.
Tensor said_by(const Estimator& part, const Tensor& x, Where where) {
  Tensor out;
  if (has_method(out, [&] { return part.predict_proba(x, where); })) return without_first(out);
  if (has_method(out, [&] { return part.decision_function(x, where); })) return out;
  return part.predict(x, where);
}
Tensor cross_said_by(const Estimator& part, const Tensor& x, const Tensor& y, int64_t cv,
                     const Tensor& weight, Where where) {
  Tensor out;
  const auto by = [&](PredictMethod method) {
    return cross_val_predict(part, x, y, {.cv = cv, .method = method, .sample_weight = weight},
                             where);
  };
  if (has_method(out, [&] { return by(PredictMethod::kPredictProba); })) return without_first(out);
  if (has_method(out, [&] { return by(PredictMethod::kDecisionFunction); })) return out;
  return by(PredictMethod::kPredict);
}

NamedEstimators fit_stack(const std::string& op, const StackingOptions& o,
                          const NamedEstimators& parts, const Tensor& x, const Tensor& y,
                          const Tensor& weight, bool classes, Where where) {
  require_option(o.cv >= 2, op, "cv", static_cast<double>(o.cv), where);
  NamedEstimators fresh = parts;
  std::vector<Tensor> said;
  for (size_t i = 0; i + 1 < fresh.size(); ++i) {
    Estimator& part = *fresh[i].second;
    said.push_back(
        classes ? cross_said_by(part, x, y, o.cv, weight, where)
                : cross_val_predict(part, x, y, {.cv = o.cv, .sample_weight = weight}, where));
    part.fit(x, y, weight, where);
  }
  fresh.back().second->fit(joined(said, x, o.passthrough), y, weight, where);
  return fresh;
}

}  // namespace

StackingClassifier::StackingClassifier(const StackingOptions& options)
    : NamedEnsemble(with_final(class_parts(false), std::make_unique<LogisticRegression>())),
      options_(options) {}
StackingClassifier::StackingClassifier(NamedEstimators estimators, const Estimator& final_estimator,
                                       const StackingOptions& options, Where where)
    : NamedEnsemble(NamedEstimators{}), options_(options) {
  set_parts(with_final(std::move(estimators), final_estimator.clone()), where);
}

std::vector<Param> StackingClassifier::own_params() {
  return {{"cv", &options_.cv}, {"passthrough", &options_.passthrough}};
}

void StackingClassifier::check_parts(const NamedEstimators& parts, Where where) const {
  NamedEnsemble::check_parts(parts, where);
  check_stack(name(), parts, where);
}

StackingClassifier& StackingClassifier::fit(const Tensor& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const ClassTargets targets = check_classes(op, y, x.size(0), where);
  estimators_ = fit_stack(op, options_, estimators_, x, targets.codes, sample_weight, true, where);
  classes = targets.classes;
  n_features_in = x.size(1);
  return *this;
}

Tensor StackingClassifier::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  check_query(*this, "transform", x, where);
  std::vector<Tensor> said;
  for (size_t i = 0; i + 1 < estimators_.size(); ++i)
    said.push_back(said_by(*estimators_[i].second, x, where));
  return joined(said, x, options_.passthrough);
}
Tensor StackingClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return take(classes, estimators_.back().second->predict(transform(x, where), where));
}
Tensor StackingClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return estimators_.back().second->predict_proba(transform(x, where), where);
}

StackingRegressor::StackingRegressor(const StackingOptions& options)
    : NamedEnsemble(with_final(number_parts(false), std::make_unique<RidgeCV>())),
      options_(options) {}
StackingRegressor::StackingRegressor(NamedEstimators estimators, const Estimator& final_estimator,
                                     const StackingOptions& options, Where where)
    : NamedEnsemble(NamedEstimators{}), options_(options) {
  set_parts(with_final(std::move(estimators), final_estimator.clone()), where);
}

std::vector<Param> StackingRegressor::own_params() {
  return {{"cv", &options_.cv}, {"passthrough", &options_.passthrough}};
}

void StackingRegressor::check_parts(const NamedEstimators& parts, Where where) const {
  NamedEnsemble::check_parts(parts, where);
  check_stack(name(), parts, where);
}

StackingRegressor& StackingRegressor::fit(const Tensor& x, const Tensor& y,
                                          const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const Tensor targets = check_targets(op, y, x.size(0), where);
  if (targets.rank() != 1)
    throw ShapeError(op + ": y is (samples), not " + targets.shape().str(), where);
  estimators_ = fit_stack(op, options_, estimators_, x, targets, sample_weight, false, where);
  n_features_in = x.size(1);
  return *this;
}

Tensor StackingRegressor::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  check_query(*this, "transform", x, where);
  std::vector<Tensor> said;
  for (size_t i = 0; i + 1 < estimators_.size(); ++i)
    said.push_back(estimators_[i].second->predict(x, where));
  return joined(said, x, options_.passthrough);
}
Tensor StackingRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return estimators_.back().second->predict(transform(x, where), where);
}

}  // namespace glia::classic
