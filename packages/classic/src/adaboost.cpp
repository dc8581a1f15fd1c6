#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "boosting_loss.h"
#include "columns.h"
#include "copies.h"
#include "glia/classic/ensemble.h"
#include "glia/classic/tree.h"
#include "glia/ops.h"
#include "linear.h"
#include "members.h"

namespace glia::classic {
namespace {

struct Boosts {
  FittedEstimators estimators;
  std::vector<double> weights, errors;
};

// What a boost says of itself: nothing where it is no use, error 0 where it is perfect.
struct Boost {
  bool useful = true;
  double weight = 1, error = 0;
};

// boost(random, sample weights, last, boosts) fits one more, and weighs the samples anew.
template <class Options, class Step>
Boosts run_boosts(const std::string& op, const Options& o, int64_t n, const Tensor& sample_weight,
                  Step&& step, Where where) {
  require_option(o.n_estimators >= 1 && o.n_estimators <= INT32_MAX, op, "n_estimators",
                 static_cast<double>(o.n_estimators), where);
  require_option(o.learning_rate > 0, op, "learning_rate", o.learning_rate, where);
  const Tensor given = check_sample_weight(op, sample_weight, n, kF64, where);
  std::vector<double> weight =
      given.defined() ? given.to_vector<double>() : std::vector<double>(static_cast<size_t>(n), 1);
  const double all = pairwise_sum(weight);
  for (double& w : weight) w /= all;
  std::vector<char> counts;
  for (const double w : weight) counts.push_back(w > 0);
  Twister random(o.random_state);
  Boosts boosts;
  for (int64_t i = 0; i < o.n_estimators; ++i) {
    for (size_t k = 0; k < weight.size(); ++k)
      if (counts[k]) weight[k] = std::max(weight[k], std::numeric_limits<double>::epsilon());
    const Boost boost = step(random, weight, i + 1 == o.n_estimators, boosts);
    if (!boost.useful) break;
    boosts.weights.push_back(boost.weight);
    boosts.errors.push_back(boost.error);
    if (boost.error == 0) break;
    const double sum = pairwise_sum(weight);
    if (!(sum > 0 && std::isfinite(sum))) break;
    if (i + 1 < o.n_estimators)
      for (double& w : weight) w /= sum;
  }
  // One that is kept though it was no use has no say but its own.
  boosts.weights.resize(boosts.estimators.size(), 0);
  boosts.errors.resize(boosts.estimators.size(), 1);
  return boosts;
}

template <class Model>
StateDict boosts_state(const Model& model, Where where) {
  require_fitted(std::string(model.name()) + ".state_dict", model.fitted(), where);
  StateDict state = {{"n_features_in", tensor(model.n_features_in)},
                     {"estimator_weights", model.estimator_weights},
                     {"estimator_errors", model.estimator_errors}};
  append_copies(state, model.estimators());
  return state;
}

struct BoostState {
  FittedEstimators estimators;
  Tensor weights, errors;
  int64_t n_features_in = 0;
};
BoostState read_boosts(StateReader& read, const StateDict& state, const Estimator& base,
                       std::string_view name, Where where) {
  BoostState out;
  out.n_features_in = read.count("n_features_in");
  out.weights = cast(read.take("estimator_weights", kF64, {-1}), kF64);
  out.errors = read.take("estimator_errors", kF64, {out.weights.size(0)});
  read.finish();
  if (out.n_features_in < 1)
    throw Error(std::string(name) + ".load_state_dict: n_features_in is 0", where);
  out.estimators = loaded_copies(base, state, out.weights.size(0), where);
  return out;
}

template <class Model>
void check_query(const Model& model, const char* method, const Tensor& x, Where where) {
  const std::string op = std::string(model.name()) + "." + method;
  require_fitted(op, model.fitted(), where);
  check_rank(op, x, where);
  if (x.size(1) != model.n_features_in) check_x(op, x, model.n_features_in, where);  // says so
}

}  // namespace

// ---- Classes ----------------------------------------------------------------------------------

AdaBoostClassifier::AdaBoostClassifier(const AdaBoostClassifierOptions& options)
    : AdaBoostClassifier(DecisionTreeClassifier({.max_depth = 1}), options) {}
AdaBoostClassifier::AdaBoostClassifier(const Estimator& estimator,
                                       const AdaBoostClassifierOptions& options)
    : MetaEstimator(estimator), options_(options) {}

std::vector<Param> AdaBoostClassifier::own_params() {
  return {{"n_estimators", &options_.n_estimators},
          {"learning_rate", &options_.learning_rate},
          {"random_state", &options_.random_state}};
}

AdaBoostClassifier& AdaBoostClassifier::fit(const Tensor& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const ClassTargets targets = check_classes(op, y, x.size(0), where);
  const auto k = static_cast<double>(targets.classes.size(0));
  if (k < 2) throw ValueError(op + ": y has one class only", where);
  const auto codes = targets.codes.to_vector<int64_t>();
  const auto step = [&](Twister& random, std::vector<double>& weight, bool last, Boosts& boosts) {
    std::shared_ptr<Estimator> one = estimator_->clone();
    seed_estimator(*one, random);
    one->fit(x, targets.codes, vector_of(weight), where);
    const auto said = one->predict(x, where).to_vector<int64_t>();
    std::vector<double> wrong(said.size()), products(said.size());
    for (size_t i = 0; i < said.size(); ++i) {
      wrong[i] = said[i] != codes[i];
      products[i] = wrong[i] * weight[i];
    }
    const double error = pairwise_sum(products) / pairwise_sum(weight);
    if (error >= 1 - 1 / k) {
      if (boosts.estimators.empty())
        throw ValueError(op + ": " + std::string(estimator_->name()) +
                             " is no better than chance, and cannot be boosted",
                         where);
      return Boost{.useful = false};
    }
    boosts.estimators.push_back(std::move(one));
    if (error <= 0) return Boost{};
    const double says = options_.learning_rate * (std::log((1 - error) / error) + std::log(k - 1));
    if (!last)
      for (size_t i = 0; i < weight.size(); ++i)
        if (weight[i] > 0) weight[i] = std::exp(std::log(weight[i]) + says * wrong[i]);
    return Boost{.weight = says, .error = error};
  };
  Boosts boosts = run_boosts(op, options_, x.size(0), sample_weight, step, where);
  classes = targets.classes;
  estimators_ = std::move(boosts.estimators);
  estimator_weights = vector_of(boosts.weights);
  estimator_errors = vector_of(boosts.errors);
  n_features_in = x.size(1);
  return *this;
}

Tensor AdaBoostClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  check_query(*this, "decision_function", x, where);
  const int64_t n = x.size(0), k = classes.size(0);
  const auto weights = estimator_weights.to_vector<double>();
  std::vector<double> sums(static_cast<size_t>(n * k));
  double all = 0;
  for (size_t e = 0; e < estimators_.size(); ++e) {
    const auto said = estimators_[e]->predict(x, where).to_vector<int64_t>();
    const double other = -1 / static_cast<double>(k - 1) * weights[e];
    for (int64_t i = 0; i < n; ++i)
      for (int64_t c = 0; c < k; ++c)
        sums[static_cast<size_t>(i * k + c)] +=
            said[static_cast<size_t>(i)] == c ? weights[e] : other;
    all += weights[e];
  }
  for (double& s : sums) s /= all;
  const Tensor both = from_vector(sums, {n, k});
  return k > 2 ? both : index(both, {Slice{}, 1}) - index(both, {Slice{}, 0});
}

Tensor AdaBoostClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor decision = decision_function(x, where);
  return take(classes, decision.rank() == 1 ? cast(decision > 0.0, kI64) : argmax(decision, 1));
}

Tensor AdaBoostClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor decision = decision_function(x, where);
  if (decision.rank() == 1) return softmax(stack({-decision, decision}, 1) / 2.0, 1);
  return softmax(decision / static_cast<double>(classes.size(0) - 1), 1);
}

StateDict AdaBoostClassifier::state_dict(Where where) const {
  StateDict state = boosts_state(*this, where);
  state.emplace_back("classes", classes);
  return state;
}

void AdaBoostClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), own_state(state), where);
  const Tensor labels = read.take("classes", kI64, {-1});
  BoostState s = read_boosts(read, state, *estimator_, name(), where);
  if (labels.size(0) < 2)
    throw Error(std::string(name()) + ".load_state_dict: one class only", where);
  classes = labels;
  estimators_ = std::move(s.estimators);
  estimator_weights = s.weights;
  estimator_errors = s.errors;
  n_features_in = s.n_features_in;
}

// ---- Numbers ----------------------------------------------------------------------------------

AdaBoostRegressor::AdaBoostRegressor(const AdaBoostRegressorOptions& options)
    : AdaBoostRegressor(DecisionTreeRegressor({.max_depth = 3}), options) {}
AdaBoostRegressor::AdaBoostRegressor(const Estimator& estimator,
                                     const AdaBoostRegressorOptions& options)
    : MetaEstimator(estimator), options_(options) {}

std::vector<Param> AdaBoostRegressor::own_params() {
  return {{"n_estimators", &options_.n_estimators},
          {"learning_rate", &options_.learning_rate},
          {"loss", &options_.loss, {"linear", "square", "exponential"}},
          {"random_state", &options_.random_state}};
}

AdaBoostRegressor& AdaBoostRegressor::fit(const Tensor& x, const Tensor& y,
                                          const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const int64_t n = x.size(0);
  const Tensor targets = check_targets(op, y, n, where);
  if (targets.rank() != 1)
    throw ShapeError(op + ": y is (samples), not " + targets.shape().str(), where);
  const auto truth = targets.to_vector<double>();
  const auto step = [&](Twister& random, std::vector<double>& weight, bool last, Boosts& boosts) {
    std::shared_ptr<Estimator> one = estimator_->clone();
    seed_estimator(*one, random);
    const Tensor rows = vector_of(random.weighted(weight, n));
    one->fit(take(x, rows), take(targets, rows), {}, where);
    const auto said = one->predict(x, where).to_vector<double>();
    double most = 0;
    std::vector<double> off(said.size());
    for (size_t i = 0; i < said.size(); ++i) {
      off[i] = std::abs(said[i] - truth[i]);
      if (weight[i] > 0) most = std::max(most, off[i]);
    }
    std::vector<double> products;
    for (size_t i = 0; i < off.size(); ++i) {
      if (!(weight[i] > 0)) continue;
      if (most != 0) off[i] /= most;
      if (options_.loss == AdaBoostLoss::kSquare) off[i] *= off[i];
      if (options_.loss == AdaBoostLoss::kExponential) off[i] = 1 - std::exp(-off[i]);
      products.push_back(weight[i] * off[i]);
    }
    const double error = pairwise_sum(products);
    const bool bad = error >= 0.5;
    if (!bad || boosts.estimators.empty()) boosts.estimators.push_back(std::move(one));
    if (error <= 0) return Boost{};
    if (bad) return Boost{.useful = false};
    const double beta = error / (1 - error);
    if (!last)
      for (size_t i = 0; i < weight.size(); ++i)
        if (weight[i] > 0) weight[i] *= std::pow(beta, (1 - off[i]) * options_.learning_rate);
    return Boost{.weight = options_.learning_rate * std::log(1 / beta), .error = error};
  };
  Boosts boosts = run_boosts(op, options_, n, sample_weight, step, where);
  estimators_ = std::move(boosts.estimators);
  estimator_weights = vector_of(boosts.weights);
  estimator_errors = vector_of(boosts.errors);
  n_features_in = x.size(1);
  return *this;
}

Tensor AdaBoostRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  check_query(*this, "predict", x, where);
  const auto n = static_cast<size_t>(x.size(0));
  const auto weights = estimator_weights.to_vector<double>();
  std::vector<std::vector<double>> said;
  for (const auto& one : estimators_) said.push_back(one->predict(x, where).to_vector<double>());
  std::vector<double> out(n);
  std::vector<size_t> order(said.size());
  for (size_t i = 0; i < n; ++i) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return said[a][i] < said[b][i]; });
    double all = 0;
    for (const size_t e : order) all += weights[e];
    double sum = 0;
    size_t at = 0;
    while (at + 1 < order.size() && (sum += weights[order[at]]) < 0.5 * all) ++at;
    out[i] = said[order[at]][i];
  }
  return vector_of(out);
}

StateDict AdaBoostRegressor::state_dict(Where where) const { return boosts_state(*this, where); }

void AdaBoostRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), own_state(state), where);
  BoostState s = read_boosts(read, state, *estimator_, name(), where);
  estimators_ = std::move(s.estimators);
  estimator_weights = s.weights;
  estimator_errors = s.errors;
  n_features_in = s.n_features_in;
}

}  // namespace glia::classic
