#include "glia/classic/voting.h"

#include <algorithm>

#include "columns.h"
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

void check_parts(std::string_view name, const NamedEstimators& parts, EstimatorKind kind,
                 Where where) {
  check_names(std::string(name).c_str(), parts, where);
  for (const auto& [part_name, part] : parts)
    if (part->kind() != kind)
      throw ValueError(std::string(name) + ": " + part_name + " is no " +
                           (kind == EstimatorKind::kClassifier ? "classifier" : "regressor"),
                       where);
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

// What is read of a classifier of parts.
struct Loaded {
  NamedEstimators parts;
  Tensor classes;
  int64_t width = 0;
};
Loaded load_classifier(std::string_view name, const NamedEstimators& parts, const StateDict& state,
                       Where where) {
  Loaded out;
  StateDict own;
  out.parts = loaded_parts(parts, state, own, where);
  StateReader read(name, own, where);
  out.classes = read.take("classes", kI64, {-1});
  out.width = read.count("n_features_in");
  read.finish();
  if (out.width < 1) throw Error(std::string(name) + ".load_state_dict: n_features_in is 0", where);
  return out;
}

}  // namespace

// ---- Votes of classes -------------------------------------------------------------------------

VotingClassifier::VotingClassifier(const VotingClassifierOptions& options)
    : options_(options), estimators_(class_parts(true)) {}
VotingClassifier::VotingClassifier(NamedEstimators estimators,
                                   const VotingClassifierOptions& options, Where where)
    : options_(options) {
  set_parts(std::move(estimators), where);
}

std::vector<Param> VotingClassifier::params() {
  std::vector<Param> all = params_of(estimators_);
  all.insert(all.begin(), {{"voting", &options_.voting, {"hard", "soft"}},
                           list_param("weights", &options_.weights)});
  return all;
}
std::vector<std::pair<std::string, const Estimator*>> VotingClassifier::parts() const {
  return seen(estimators_);
}
void VotingClassifier::set_parts(NamedEstimators parts, Where where) {
  check_parts(name(), parts, EstimatorKind::kClassifier, where);
  estimators_ = std::move(parts);
  n_features_in = 0;
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

StateDict VotingClassifier::state_dict(Where where) const {
  require_fitted("VotingClassifier.state_dict", fitted(), where);
  StateDict state = states_of(estimators_, n_features_in);
  state.emplace_back("classes", classes);
  return state;
}
void VotingClassifier::load_state_dict(const StateDict& state, Where where) {
  Loaded read = load_classifier(name(), estimators_, state, where);
  estimators_ = std::move(read.parts);
  classes = read.classes;
  n_features_in = read.width;
}

// ---- Means of numbers -------------------------------------------------------------------------

VotingRegressor::VotingRegressor(const VotingRegressorOptions& options)
    : options_(options), estimators_(number_parts(true)) {}
VotingRegressor::VotingRegressor(NamedEstimators estimators, const VotingRegressorOptions& options,
                                 Where where)
    : options_(options) {
  set_parts(std::move(estimators), where);
}

std::vector<Param> VotingRegressor::params() {
  std::vector<Param> all = params_of(estimators_);
  all.insert(all.begin(), list_param("weights", &options_.weights));
  return all;
}
std::vector<std::pair<std::string, const Estimator*>> VotingRegressor::parts() const {
  return seen(estimators_);
}
void VotingRegressor::set_parts(NamedEstimators parts, Where where) {
  check_parts(name(), parts, EstimatorKind::kRegressor, where);
  estimators_ = std::move(parts);
  n_features_in = 0;
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

StateDict VotingRegressor::state_dict(Where where) const {
  require_fitted("VotingRegressor.state_dict", fitted(), where);
  return states_of(estimators_, n_features_in);
}
void VotingRegressor::load_state_dict(const StateDict& state, Where where) {
  int64_t width = 0;
  estimators_ = loaded("VotingRegressor", estimators_, state, width, where);
  n_features_in = width;
}

// ---- Stacking ---------------------------------------------------------------------------------

namespace {

NamedEstimators with_final(NamedEstimators estimators, std::unique_ptr<Estimator> last) {
  estimators.emplace_back(kFinal, std::move(last));
  return estimators;
}

void check_stack(std::string_view name, const NamedEstimators& parts, EstimatorKind kind,
                 Where where) {
  check_parts(name, parts, kind, where);
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
    : options_(options),
      estimators_(with_final(class_parts(false), std::make_unique<LogisticRegression>())) {}
StackingClassifier::StackingClassifier(NamedEstimators estimators, const Estimator& final_estimator,
                                       const StackingOptions& options, Where where)
    : options_(options) {
  set_parts(with_final(std::move(estimators), final_estimator.clone()), where);
}

std::vector<Param> StackingClassifier::params() {
  std::vector<Param> all = params_of(estimators_);
  all.insert(all.begin(), {{"cv", &options_.cv}, {"passthrough", &options_.passthrough}});
  return all;
}
std::vector<std::pair<std::string, const Estimator*>> StackingClassifier::parts() const {
  return seen(estimators_);
}
void StackingClassifier::set_parts(NamedEstimators parts, Where where) {
  check_stack(name(), parts, EstimatorKind::kClassifier, where);
  estimators_ = std::move(parts);
  n_features_in = 0;
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

StateDict StackingClassifier::state_dict(Where where) const {
  require_fitted("StackingClassifier.state_dict", fitted(), where);
  StateDict state = states_of(estimators_, n_features_in);
  state.emplace_back("classes", classes);
  return state;
}
void StackingClassifier::load_state_dict(const StateDict& state, Where where) {
  Loaded read = load_classifier(name(), estimators_, state, where);
  estimators_ = std::move(read.parts);
  classes = read.classes;
  n_features_in = read.width;
}

StackingRegressor::StackingRegressor(const StackingOptions& options)
    : options_(options),
      estimators_(with_final(number_parts(false), std::make_unique<RidgeCV>())) {}
StackingRegressor::StackingRegressor(NamedEstimators estimators, const Estimator& final_estimator,
                                     const StackingOptions& options, Where where)
    : options_(options) {
  set_parts(with_final(std::move(estimators), final_estimator.clone()), where);
}

std::vector<Param> StackingRegressor::params() {
  std::vector<Param> all = params_of(estimators_);
  all.insert(all.begin(), {{"cv", &options_.cv}, {"passthrough", &options_.passthrough}});
  return all;
}
std::vector<std::pair<std::string, const Estimator*>> StackingRegressor::parts() const {
  return seen(estimators_);
}
void StackingRegressor::set_parts(NamedEstimators parts, Where where) {
  check_stack(name(), parts, EstimatorKind::kRegressor, where);
  estimators_ = std::move(parts);
  n_features_in = 0;
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

StateDict StackingRegressor::state_dict(Where where) const {
  require_fitted("StackingRegressor.state_dict", fitted(), where);
  return states_of(estimators_, n_features_in);
}
void StackingRegressor::load_state_dict(const StateDict& state, Where where) {
  int64_t width = 0;
  estimators_ = loaded("StackingRegressor", estimators_, state, width, where);
  n_features_in = width;
}

}  // namespace glia::classic
