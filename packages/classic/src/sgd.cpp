#include "glia/classic/sgd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/classic/metrics.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

// ---- Losses ------------------------------------------------------------------------------------

// Of y and what is said of it, p; y is -1 or 1 for the first five.
double loss_of(SGDLoss loss, double y, double p, double epsilon) {
  const double z = y * p, rest = y - p, beyond = std::max(std::abs(rest) - epsilon, 0.0);
  switch (loss) {
    case SGDLoss::kHinge:
      return z <= 1 ? 1 - z : 0;
    case SGDLoss::kPerceptron:
      return z <= 0 ? -z : 0;
    case SGDLoss::kLogLoss:
      return std::max(-z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    case SGDLoss::kModifiedHuber:
      return z >= 1 ? 0 : z >= -1 ? (1 - z) * (1 - z) : -4 * z;
    case SGDLoss::kSquaredHinge:
      return z < 1 ? (1 - z) * (1 - z) : 0;
    case SGDLoss::kSquaredError:
      return 0.5 * rest * rest;
    case SGDLoss::kHuber:
      return std::abs(rest) <= epsilon ? 0.5 * rest * rest
                                       : epsilon * (std::abs(rest) - 0.5 * epsilon);
    case SGDLoss::kEpsilonInsensitive:
      return beyond;
    case SGDLoss::kSquaredEpsilonInsensitive:
      return beyond * beyond;
  }
  return 0;
}

// Its derivative by p.
double slope_of(SGDLoss loss, double y, double p, double epsilon) {
  const double z = y * p, rest = y - p, sign = rest > 0 ? -1 : 1;
  const double beyond = std::max(std::abs(rest) - epsilon, 0.0);
  switch (loss) {
    case SGDLoss::kHinge:
      return z <= 1 ? -y : 0;
    case SGDLoss::kPerceptron:
      return z <= 0 ? -y : 0;
    case SGDLoss::kLogLoss:
      return -y / (1 + std::exp(z));
    case SGDLoss::kModifiedHuber:
      return z >= 1 ? 0 : z >= -1 ? -2 * (1 - z) * y : -4 * y;
    case SGDLoss::kSquaredHinge:
      return z < 1 ? -2 * (1 - z) * y : 0;
    case SGDLoss::kSquaredError:
      return -rest;
    case SGDLoss::kHuber:
      return std::abs(rest) <= epsilon ? -rest : sign * epsilon;
    case SGDLoss::kEpsilonInsensitive:
      return beyond > 0 ? sign : 0;
    case SGDLoss::kSquaredEpsilonInsensitive:
      return 2 * sign * beyond;
  }
  return 0;
}

bool for_classes(SGDLoss loss) { return loss <= SGDLoss::kPerceptron; }

// ---- One run -----------------------------------------------------------------------------------

struct Run {
  const Vector& x;   // (n, d)
  Vector y, weight;  // (n)
  int64_t n, d;
  std::vector<bool> kept_out;         // (n) for early stopping
  double positive = 1, negative = 1;  // weights of the sides
};

struct Neuron {
  Vector w;
  double b = 0;
  int64_t epochs = 0, steps = 0;
};

double predicted(const Run& run, const Neuron& neuron, int64_t i) {
  double sum = 0;
  for (int64_t j = 0; j < run.d; ++j) sum += run.x[i * run.d + j] * neuron.w[j];
  return sum + neuron.b;
}

// Accuracy of signs, or R^2, on what is kept out.
double validation_score(const Run& run, const Neuron& neuron, bool classes) {
  double right = 0, total = 0, mean = 0, left = 0, whole = 0;
  for (int64_t i = 0; i < run.n; ++i)
    if (run.kept_out[i]) {
      total += run.weight[i];
      mean += run.weight[i] * run.y[i];
    }
  mean /= total;
  for (int64_t i = 0; i < run.n; ++i) {
    if (!run.kept_out[i]) continue;
    const double p = predicted(run, neuron, i);
    right += run.weight[i] * ((p > 0) == (run.y[i] > 0) ? 1 : 0);
    left += run.weight[i] * (run.y[i] - p) * (run.y[i] - p);
    whole += run.weight[i] * (run.y[i] - mean) * (run.y[i] - mean);
  }
  return classes ? right / total : 1 - left / whole;
}

// scikit-learn's plain SGD. Throws ValueError if the weights overflow.
Neuron descend(const std::string& op, const Run& run, const SGDClassifierOptions& o, Neuron neuron,
               data::Random& random, Where where) {
  const bool l1 = o.penalty == SGDPenalty::kL1 || o.penalty == SGDPenalty::kElasticNet;
  const double ratio = o.penalty == SGDPenalty::kL1   ? 1
                       : o.penalty == SGDPenalty::kL2 ? 0
                                                      : o.l1_ratio;
  const bool classes = for_classes(o.loss);
  const double forever = std::numeric_limits<double>::infinity();
  constexpr double kLargestSlope = 1e12;
  Vector taken(static_cast<size_t>(run.d));  // of the L1 penalty, from each weight
  Vector average = neuron.w;
  double average_b = neuron.b, due = 0, eta = o.eta0, begin = 0;
  if (o.learning_rate == SGDRate::kOptimal) {
    const double usual = std::sqrt(1 / std::sqrt(o.alpha));
    const double first = usual / std::max(1.0, slope_of(o.loss, 1, -usual, o.epsilon));
    begin = 1 / (first * o.alpha);
  }
  std::vector<int64_t> order(static_cast<size_t>(run.n));
  std::iota(order.begin(), order.end(), 0);
  const double trained =
      static_cast<double>(std::count(run.kept_out.begin(), run.kept_out.end(), false));
  double best = forever, best_score = -forever;
  int64_t idle = 0;
  double t = static_cast<double>(neuron.steps) + 1;
  while (neuron.epochs < o.max_iter) {
    ++neuron.epochs;
    double whole = 0;
    if (o.shuffle)
      for (int64_t i = run.n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    for (const int64_t i : order) {
      if (run.kept_out[i]) continue;
      const double* x = run.x.data() + i * run.d;
      const double y = run.y[i], p = predicted(run, neuron, i);
      if (o.learning_rate == SGDRate::kOptimal) eta = 1 / (o.alpha * (begin + t - 1));
      if (o.learning_rate == SGDRate::kInvScaling) eta = o.eta0 / std::pow(t, o.power_t);
      if (!o.early_stopping) {
        whole += loss_of(o.loss, y, p, o.epsilon);
        if (o.penalty != SGDPenalty::kNone) {
          double squares = 0, sizes = 0;
          for (const double w : neuron.w) squares += w * w, sizes += std::abs(w);
          whole += o.alpha * ((1 - ratio) * 0.5 * squares + ratio * sizes);
        }
      }
      const double slope =
          std::clamp(slope_of(o.loss, y, p, o.epsilon), -kLargestSlope, kLargestSlope);
      const double update = -eta * slope * (y > 0 ? run.positive : run.negative) * run.weight[i];
      const double shrink = o.penalty == SGDPenalty::kL2 || o.penalty == SGDPenalty::kElasticNet
                                ? std::max(0.0, 1 - (1 - ratio) * eta * o.alpha)
                                : 1;
      for (int64_t j = 0; j < run.d; ++j) neuron.w[j] = neuron.w[j] * shrink + update * x[j];
      if (o.fit_intercept) neuron.b += update;
      if (o.average > 0 && static_cast<double>(o.average) <= t) {
        const double part = 1 / (t - static_cast<double>(o.average) + 1);
        for (int64_t j = 0; j < run.d; ++j) average[j] += part * (neuron.w[j] - average[j]);
        average_b += part * (neuron.b - average_b);
      }
      if (l1) {  // Tsuruoka et al. 2009
        due += ratio * eta * o.alpha;
        for (int64_t j = 0; j < run.d; ++j) {
          const double before = neuron.w[j];
          if (before > 0)
            neuron.w[j] = std::max(0.0, before - (due + taken[j]));
          else if (before < 0)
            neuron.w[j] = std::min(0.0, before + (due - taken[j]));
          taken[j] += neuron.w[j] - before;
        }
      }
      t += 1;
    }
    if (!std::isfinite(largest(neuron.w)) || !std::isfinite(neuron.b))
      throw ValueError(op + ": the weights overflow in epoch " + std::to_string(neuron.epochs) +
                           "; scale the features or take a smaller eta0",
                       where);
    bool better = true;
    if (o.early_stopping) {
      const double score = validation_score(run, neuron, classes);
      better = !o.tol || score >= best_score + *o.tol;
      best_score = std::max(best_score, score);
    } else {
      const double mean = whole / trained;
      better = !o.tol || mean <= best - *o.tol;
      best = std::min(best, mean);
    }
    idle = better ? 0 : idle + 1;
    if (idle >= o.n_iter_no_change) {
      if (o.learning_rate != SGDRate::kAdaptive || eta <= 1e-6) break;
      eta /= 5;
      idle = 0;
    }
  }
  neuron.steps = static_cast<int64_t>(t) - 1;
  if (o.average > 0 && o.average <= neuron.steps) {
    neuron.w = average;
    neuron.b = average_b;
  }
  return neuron;
}

void check(const std::string& op, const SGDClassifierOptions& o, Where where) {
  const bool needs_rate = o.learning_rate != SGDRate::kOptimal;
  require_option(o.alpha >= 0 && std::isfinite(o.alpha), op, "alpha", o.alpha, where);
  require_option(o.alpha > 0 || needs_rate, op, "alpha", o.alpha, where);
  require_option(o.l1_ratio >= 0 && o.l1_ratio <= 1, op, "l1_ratio", o.l1_ratio, where);
  require_option(o.max_iter >= 1, op, "max_iter", static_cast<double>(o.max_iter), where);
  require_option(o.tol.value_or(0) >= 0, op, "tol", o.tol.value_or(0), where);
  require_option(o.epsilon >= 0, op, "epsilon", o.epsilon, where);
  require_option(o.eta0 > 0 || !needs_rate, op, "eta0", o.eta0, where);
  require_option(o.validation_fraction > 0 && o.validation_fraction < 1, op, "validation_fraction",
                 o.validation_fraction, where);
  require_option(o.n_iter_no_change >= 1, op, "n_iter_no_change",
                 static_cast<double>(o.n_iter_no_change), where);
  require_option(o.average >= 0, op, "average", static_cast<double>(o.average), where);
}

// Which samples are kept out: of each code its part, drawn.
std::vector<bool> kept_out(const std::string& op, const SGDClassifierOptions& o,
                           const std::vector<int64_t>& codes, data::Random& random, Where where) {
  std::vector<bool> out(codes.size());
  if (!o.early_stopping) return out;
  const int64_t most = *std::max_element(codes.begin(), codes.end());
  int64_t count = 0;
  for (int64_t code = 0; code <= most; ++code) {
    std::vector<int64_t> of;
    for (size_t i = 0; i < codes.size(); ++i)
      if (codes[i] == code) of.push_back(static_cast<int64_t>(i));
    const int64_t part = std::llround(o.validation_fraction * static_cast<double>(of.size()));
    for (int64_t i = 0; i < part; ++i) {
      std::swap(of[i], of[i + random.below(static_cast<int64_t>(of.size()) - i)]);
      out[of[i]] = true;
      ++count;
    }
  }
  if (count == 0 || count == static_cast<int64_t>(codes.size()))
    throw ValueError(op + ": validation_fraction = " + to_text(ParamValue(o.validation_fraction)) +
                         " of " + std::to_string(codes.size()) + " samples keeps none or all out",
                     where);
  return out;
}

// The options that both share, in scikit-learn's order.
template <class Options>
std::vector<Param> shared_params(Options& o) {
  return {{"penalty", &o.penalty, {"none", "l1", "l2", "elasticnet"}},
          {"alpha", &o.alpha},
          {"l1_ratio", &o.l1_ratio},
          {"fit_intercept", &o.fit_intercept},
          {"max_iter", &o.max_iter},
          {"tol", &o.tol},
          {"shuffle", &o.shuffle},
          {"epsilon", &o.epsilon},
          {"random_state", &o.random_state},
          {"learning_rate", &o.learning_rate, {"constant", "optimal", "invscaling", "adaptive"}},
          {"eta0", &o.eta0},
          {"power_t", &o.power_t},
          {"early_stopping", &o.early_stopping},
          {"validation_fraction", &o.validation_fraction},
          {"n_iter_no_change", &o.n_iter_no_change},
          {"warm_start", &o.warm_start},
          {"average", &o.average}};
}

const std::vector<std::string> kLosses{"hinge",
                                       "log_loss",
                                       "modified_huber",
                                       "squared_hinge",
                                       "perceptron",
                                       "squared_error",
                                       "huber",
                                       "epsilon_insensitive",
                                       "squared_epsilon_insensitive"};

}  // namespace

// ---- SGDClassifier -----------------------------------------------------------------------------

std::vector<Param> SGDClassifier::params() {
  std::vector<Param> all = shared_params(options_);
  all.insert(all.begin(), {"loss", &options_.loss, kLosses});
  all.emplace_back("balanced", &options_.balanced);
  all.push_back(list_param("class_weight", &options_.class_weight));
  return all;
}

std::vector<FittedAttribute> SGDClassifier::attributes() {
  return {{"n_iter", &n_iter, {}}, {"t", &t, {}}};
}

SGDClassifier& SGDClassifier::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                  Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  check(op, options_, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  const ClassTargets targets = check_classes(op, y, n, where);
  const int64_t k = targets.classes.size(0), rows = k == 2 ? 1 : k;
  if (k < 2) throw ValueError(op + ": y has one class only", where);
  const Vector values = given.to_vector<double>();
  const Tensor own = check_sample_weight(op, sample_weight, n, kF64, where);
  const Vector weight = own.defined() ? own.to_vector<double>() : Vector(static_cast<size_t>(n), 1);
  const std::vector<int64_t> codes = targets.codes.to_vector<int64_t>();
  // Each class's weight, which counts samples; of more than two, the rest weighs 1.
  const Vector factors =
      class_sample_weights(op, targets, {}, n, options_.balanced, options_.class_weight, where);
  Vector factor(static_cast<size_t>(k));
  for (int64_t i = 0; i < n; ++i) factor[codes[i]] = factors[i];
  data::Random random(options_.random_state);
  const std::vector<bool> out = kept_out(op, options_, codes, random, where);
  Vector w, b;
  int64_t epochs = 0, steps = 0;
  for (int64_t r = 0; r < rows; ++r) {
    Run run{.x = values,
            .weight = weight,
            .n = n,
            .d = d,
            .kept_out = out,
            .positive = factor[rows == 1 ? 1 : r],
            .negative = rows == 1 ? factor[0] : 1};
    for (const int64_t code : codes) run.y.push_back(code == (rows == 1 ? 1 : r) ? 1 : -1);
    Neuron neuron{.w = Vector(static_cast<size_t>(d))};
    if (options_.warm_start && fitted() && coef.shape() == Shape{rows, d}) {
      const Vector before = coef.to_vector<double>();
      std::copy_n(before.begin() + r * d, d, neuron.w.begin());
      neuron.b = intercept.to_vector<double>()[r];
      neuron.steps = t;
    }
    neuron = descend(op, run, options_, std::move(neuron), random, where);
    w.insert(w.end(), neuron.w.begin(), neuron.w.end());
    b.push_back(neuron.b);
    epochs = std::max(epochs, neuron.epochs);
    steps = std::max(steps, neuron.steps);
  }
  classes = targets.classes;
  coef = from_vector(w, {rows, d});
  intercept = from_vector(b, {rows});
  n_features_in = d;
  n_iter = epochs;
  t = steps;
  return *this;
}

Tensor SGDClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  if (options_.loss != SGDLoss::kLogLoss && options_.loss != SGDLoss::kModifiedHuber)
    has_no("predict_proba", where);
  const Tensor z = decision_function(
      check_x(std::string(name()) + ".predict_proba", x, n_features_in, where), where);
  const Tensor p = options_.loss == SGDLoss::kLogLoss ? sigmoid(z) : (clamp(z, -1, 1) + 1) / 2;
  if (z.rank() == 1) return stack({1 - p, p}, 1);
  const Tensor whole = sum(p, {1}, true);
  return glia::where(whole > 0, p / whole, 1 / static_cast<double>(z.size(1)));
}

// ---- SGDRegressor ------------------------------------------------------------------------------

std::vector<Param> SGDRegressor::params() {
  std::vector<Param> all = shared_params(options_);
  all.insert(all.begin(), {"loss", &options_.loss, kLosses});
  return all;
}

std::vector<FittedAttribute> SGDRegressor::attributes() {
  return {{"n_iter", &n_iter, {}}, {"t", &t, {}}};
}

SGDRegressor& SGDRegressor::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  const std::string op = "SGDRegressor.fit";
  const NoGrad no_grad;
  const SGDRegressorOptions& r = options_;
  if (for_classes(r.loss))
    throw ValueError(op + ": loss " + kLosses[static_cast<size_t>(r.loss)] + " is for classes",
                     where);
  const SGDClassifierOptions o{.loss = r.loss,
                               .penalty = r.penalty,
                               .alpha = r.alpha,
                               .l1_ratio = r.l1_ratio,
                               .fit_intercept = r.fit_intercept,
                               .max_iter = r.max_iter,
                               .tol = r.tol,
                               .shuffle = r.shuffle,
                               .epsilon = r.epsilon,
                               .learning_rate = r.learning_rate,
                               .eta0 = r.eta0,
                               .power_t = r.power_t,
                               .early_stopping = r.early_stopping,
                               .validation_fraction = r.validation_fraction,
                               .n_iter_no_change = r.n_iter_no_change,
                               .average = r.average};
  check(op, o, where);
  const Regression given = check_regression(op, x, y, sample_weight, where);
  if (!given.flat) throw ShapeError(op + ": y is (samples)", where);
  const int64_t n = given.x.size(0), d = given.x.size(1);
  const Vector values = given.x.to_vector<double>();
  data::Random random(r.random_state);
  Run run{.x = values,
          .y = given.y.to_vector<double>(),
          .weight = given.weight.defined() ? given.weight.to_vector<double>() : Vector(n, 1),
          .n = n,
          .d = d};
  run.kept_out = kept_out(op, o, std::vector<int64_t>(static_cast<size_t>(n)), random, where);
  Neuron neuron{.w = Vector(static_cast<size_t>(d))};
  if (r.warm_start && fitted() && coef.numel() == d) {
    neuron.w = coef.to_vector<double>();
    neuron.b = intercept.item();
    neuron.steps = t;
  }
  neuron = descend(op, run, o, std::move(neuron), random, where);
  set_linear(op, *this, from_vector(neuron.w, {1, d}), tensor({neuron.b}), true, d, where);
  n_iter = neuron.epochs;
  t = neuron.steps;
  return *this;
}

// ---- Perceptron --------------------------------------------------------------------------------

Perceptron::Perceptron(const PerceptronOptions& o)
    : SGDClassifier({.loss = SGDLoss::kPerceptron,
                     .penalty = o.penalty,
                     .alpha = o.alpha,
                     .l1_ratio = o.l1_ratio,
                     .fit_intercept = o.fit_intercept,
                     .max_iter = o.max_iter,
                     .tol = o.tol,
                     .shuffle = o.shuffle,
                     .random_state = o.random_state,
                     .learning_rate = SGDRate::kConstant,
                     .eta0 = o.eta0,
                     .early_stopping = o.early_stopping,
                     .validation_fraction = o.validation_fraction,
                     .n_iter_no_change = o.n_iter_no_change,
                     .balanced = o.balanced,
                     .class_weight = o.class_weight,
                     .warm_start = o.warm_start}) {}

std::vector<Param> Perceptron::params() {
  std::vector<Param> mine;
  for (const Param& p : SGDClassifier::params())
    if (p.name() != "loss" && p.name() != "epsilon" && p.name() != "learning_rate" &&
        p.name() != "power_t" && p.name() != "average")
      mine.push_back(p);
  return mine;
}

namespace {

// y as -1 and 1. Throws ValueError unless there are two classes.
Vector signs(const std::string& op, const ClassTargets& targets, Where where) {
  if (targets.classes.size(0) != 2)
    throw ValueError(
        op + ": y has " + std::to_string(targets.classes.size(0)) + " classes, not two", where);
  Vector y;
  for (const int64_t code : targets.codes.to_vector<int64_t>()) y.push_back(code == 1 ? 1 : -1);
  return y;
}

}  // namespace

PerceptronRun perceptron(const Tensor& x, const Tensor& y, bool fit_intercept, int64_t max_epochs,
                         Where where) {
  const std::string op = "perceptron";
  const NoGrad no_grad;
  require_option(max_epochs >= 1, op, "max_epochs", static_cast<double>(max_epochs), where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  const Vector values = given.to_vector<double>();
  const Run run{.x = values, .y = signs(op, check_classes(op, y, n, where), where), .n = n, .d = d};
  Neuron neuron{.w = Vector(static_cast<size_t>(d))};
  PerceptronRun result;
  while (!result.separated && result.epochs < max_epochs) {
    ++result.epochs;
    result.separated = true;
    for (int64_t i = 0; i < n; ++i) {
      if (run.y[i] * predicted(run, neuron, i) > 0) continue;
      ++result.mistakes;
      result.separated = false;
      for (int64_t j = 0; j < d; ++j) neuron.w[j] += run.y[i] * values[i * d + j];
      if (fit_intercept) neuron.b += run.y[i];
    }
  }
  result.coef = from_vector(neuron.w, {d});
  result.intercept = neuron.b;
  return result;
}

// ---- Adaline -----------------------------------------------------------------------------------

std::vector<Param> Adaline::params() {
  return {{"learning_rate", &options_.learning_rate},
          {"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"batch", &options_.batch},
          {"shuffle", &options_.shuffle},
          {"fit_intercept", &options_.fit_intercept},
          {"random_state", &options_.random_state}};
}

std::vector<FittedAttribute> Adaline::attributes() {
  return {{"n_iter", &n_iter, {}}, {"errors", &errors, {-1}}};
}

Adaline& Adaline::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const std::string op = "Adaline.fit";
  const NoGrad no_grad;
  require_option(options_.learning_rate > 0, op, "learning_rate", options_.learning_rate, where);
  require_option(options_.max_iter >= 1, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  require_option(options_.tol >= 0, op, "tol", options_.tol, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  const ClassTargets targets = check_classes(op, y, n, where);
  const Tensor weight = check_sample_weight(op, sample_weight, n, kF64, where);
  const Vector values = given.to_vector<double>();
  Run run{.x = values,
          .y = signs(op, targets, where),
          .weight = weight.defined() ? weight.to_vector<double>() : Vector(n, 1),
          .n = n,
          .d = d};
  const double total = std::accumulate(run.weight.begin(), run.weight.end(), 0.0);
  data::Random random(options_.random_state);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Neuron neuron{.w = Vector(static_cast<size_t>(d))};
  Vector history;
  double moved = std::numeric_limits<double>::infinity();
  while (moved > options_.tol && neuron.epochs < options_.max_iter) {
    ++neuron.epochs;
    const Neuron before = neuron;
    double squares = 0, sum_b = 0;
    Vector sum(static_cast<size_t>(d));
    if (options_.shuffle)
      for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    for (const int64_t i : order) {
      const double rest = run.y[i] - predicted(run, neuron, i);
      squares += run.weight[i] * rest * rest;
      const double step = options_.learning_rate * run.weight[i] * rest;
      Vector& w = options_.batch ? sum : neuron.w;
      for (int64_t j = 0; j < d; ++j) w[j] += step * values[i * d + j];
      if (options_.fit_intercept) (options_.batch ? sum_b : neuron.b) += step;
    }
    if (options_.batch) {
      for (int64_t j = 0; j < d; ++j) neuron.w[j] += sum[j] / total;
      neuron.b += sum_b / total;
    }
    if (!std::isfinite(largest(neuron.w)) || !std::isfinite(neuron.b))
      throw ValueError(op + ": the weights overflow in epoch " + std::to_string(neuron.epochs) +
                           "; take a smaller learning_rate than " +
                           to_text(ParamValue(options_.learning_rate)),
                       where);
    history.push_back(squares / total);
    moved = std::abs(neuron.b - before.b);
    for (int64_t j = 0; j < d; ++j) moved = std::max(moved, std::abs(neuron.w[j] - before.w[j]));
  }
  classes = targets.classes;
  coef = from_vector(neuron.w, {1, d});
  intercept = tensor({neuron.b});
  errors = from_vector(history, {neuron.epochs});
  n_features_in = d;
  n_iter = neuron.epochs;
  return *this;
}

}  // namespace glia::classic
