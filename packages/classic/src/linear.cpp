#include "linear.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "checks.h"
#include "fitted.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"

namespace glia::classic {

Csr check_x(std::string_view op, const Csr& x, int64_t n_features_in, Where where) {
  if (n_features_in >= 0) require_fitted(op, n_features_in > 0, where);
  const Shape& shape = x.shape();
  if (shape[0] == 0 || shape[1] == 0 || (n_features_in >= 0 && shape[1] != n_features_in))
    throw ShapeError(
        std::string(op) + ": X is " + shape.str() +
            (n_features_in >= 0 ? ", but fit saw " + std::to_string(n_features_in) + " features"
                                : ", which has no numbers"),
        where);
  const Tensor values = cast(stop_gradient(x.values()), kF64);
  if (!all(isfinite(values)).item<bool>())
    throw ValueError(std::string(op) + ": X contains a number that is not finite", where);
  return x.with_values(values);
}

Regression check_regression(std::string_view op, const Tensor& x, const Tensor& y,
                            const Tensor& sample_weight, Where where) {
  const Tensor samples = cast(check_x(op, x, where), kF64);
  const int64_t n = samples.size(0);
  const Tensor targets = check_targets(op, y, n, where);
  const Tensor weight = check_sample_weight(op, sample_weight, n, kF64, where);
  const bool flat = targets.rank() == 1;
  return {samples, flat ? reshape(targets, {n, 1}) : targets, weight, flat};
}

Centred centred(const Regression& r, bool fit_intercept) {
  Centred c{r.x, r.y, zeros({r.x.size(1)}, kF64), zeros({r.y.size(1)}, kF64)};
  const Tensor weight = r.weight.defined() ? reshape(r.weight, {-1, 1}) : Tensor();
  if (fit_intercept) {
    if (weight.defined()) {
      const Tensor share = weight / sum(weight);
      c.x_mean = sum(r.x * share, {0});
      c.y_mean = sum(r.y * share, {0});
    } else {
      c.x_mean = mean(r.x, {0});
      c.y_mean = mean(r.y, {0});
    }
    c.x = c.x - c.x_mean;
    c.y = c.y - c.y_mean;
  }
  if (weight.defined()) {
    const Tensor root = sqrt(weight);
    c.x = c.x * root;
    c.y = c.y * root;
  }
  eval({c.x, c.y, c.x_mean, c.y_mean});
  return c;
}

Tensor solve_definite(const Tensor& a, const Tensor& b) {
  const Tensor l = linalg::cholesky(a), d = diag(l);
  if (!(min(d) > 1e-6 * max(d)).item<bool>()) throw ValueError("a nearly singular matrix");
  Tensor x = linalg::cholesky_solve(b, l);
  eval(x);
  return x;
}

Regression weighted_rows(const Regression& r) {
  if (!r.weight.defined()) return r;
  const std::vector<double> weight = r.weight.to_vector<double>();
  std::vector<int64_t> kept;
  std::vector<double> rest;
  double total = 0;
  for (size_t i = 0; i < weight.size(); ++i)
    if (weight[i] > 0) {
      kept.push_back(static_cast<int64_t>(i));
      rest.push_back(weight[i]);
      total += weight[i];
    }
  for (double& w : rest) w *= static_cast<double>(rest.size()) / total;
  const int64_t n = static_cast<int64_t>(kept.size());
  const Tensor rows = from_vector(kept, {n});
  return {take(r.x, rows), take(r.y, rows), from_vector(rest, {n}), r.flat};
}

Tensor intercepts(const Centred& c, const Tensor& coef) {
  return c.y_mean - reshape(matmul(coef, reshape(c.x_mean, {-1, 1})), {-1});
}

void set_linear(std::string_view op, LinearRegressor& model, const Tensor& coef,
                const Tensor& intercept, bool flat, int64_t n_features, Where where) {
  const Tensor w = flat ? reshape(coef, {n_features}) : coef;
  const Tensor b = flat ? reshape(intercept, {}) : intercept;
  if (!(all(isfinite(w)) & all(isfinite(b))).item<bool>())
    throw ValueError(std::string(op) + ": the coefficients are beyond f64", where);
  eval({w, b}, where);
  model.coef = w;
  model.intercept = b;
  model.n_features_in = n_features;
}

std::vector<double> class_sample_weights(std::string_view op, const ClassTargets& targets,
                                         const Tensor& sample_weight, int64_t samples,
                                         bool balanced, const std::vector<double>& class_weight,
                                         Where where) {
  const Tensor given = check_sample_weight(op, sample_weight, samples, kF64, where);
  std::vector<double> weight = given.defined()
                                   ? given.to_vector<double>()
                                   : std::vector<double>(static_cast<size_t>(samples), 1);
  const std::vector<int64_t> codes = targets.codes.to_vector<int64_t>();
  const size_t k = static_cast<size_t>(targets.classes.size(0));
  std::vector<double> factor(k, 1);
  if (balanced) {
    double total = 0;
    std::vector<double> count(k);
    for (size_t i = 0; i < weight.size(); ++i) {
      total += weight[i];
      count[codes[i]] += weight[i];
    }
    for (size_t c = 0; c < k; ++c)
      factor[c] = count[c] > 0 ? total / (static_cast<double>(k) * count[c]) : 0;
  } else if (!class_weight.empty()) {
    if (class_weight.size() != k)
      throw ValueError(std::string(op) + ": class_weight has " +
                           std::to_string(class_weight.size()) + " numbers for " +
                           std::to_string(k) + " classes",
                       where);
    for (const double w : class_weight) require_option(w >= 0, op, "class_weight", w, where);
    factor = class_weight;
  }
  double total = 0;
  for (size_t i = 0; i < weight.size(); ++i) total += weight[i] *= factor[codes[i]];
  if (!(total > 0 && std::isfinite(total)))
    throw ValueError(std::string(op) + ": the weights of all samples are 0 or beyond f64", where);
  return weight;
}

void check_priors(std::string_view op, const char* option, const std::vector<double>& priors,
                  int64_t classes, Where where) {
  if (priors.empty()) return;
  if (static_cast<int64_t>(priors.size()) != classes)
    throw ValueError(std::string(op) + ": " + option + " has " + std::to_string(priors.size()) +
                         " numbers for " + std::to_string(classes) + " classes",
                     where);
  double total = 0;
  for (const double p : priors) {
    require_option(p >= 0, op, option, p, where);
    total += p;
  }
  if (!(std::abs(total - 1) < 1e-8))
    throw ValueError(
        std::string(op) + ": " + option + " adds up to " + to_text(ParamValue(total)) + ", not 1",
        where);
}

void require_option(bool right, std::string_view op, std::string_view option, double value,
                    Where where) {
  if (!right)
    throw ValueError(
        std::string(op) + ": " + std::string(option) + " = " + to_text(ParamValue(value)), where);
}

namespace {

template <class T>
Param param_of_list(std::string name, std::vector<T>* at) {
  return {std::move(name),
          [at] {
            std::string text;
            for (const T x : *at) text += (text.empty() ? "" : ",") + to_text(ParamValue(x));
            return ParamValue(text);
          },
          [at](const ParamValue& value) {
            const std::string text =
                std::holds_alternative<std::monostate>(value) ? "" : to_text(value);
            std::vector<T> numbers;
            const char *from = text.data(), *end = from + text.size();
            while (from != end) {
              T x = 0;
              const auto read = std::from_chars(from, end, x);
              if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ',')) return false;
              numbers.push_back(x);
              from = read.ptr == end ? end : read.ptr + 1;
            }
            *at = std::move(numbers);
            return true;
          }};
}

}  // namespace

Param list_param(std::string name, std::vector<double>* at) {
  return param_of_list(std::move(name), at);
}
Param list_param(std::string name, std::vector<int64_t>* at) {
  return param_of_list(std::move(name), at);
}

double largest(const std::vector<double>& x) {
  double most = 0;
  for (const double one : x) most = std::max(most, std::abs(one));
  return most;
}

// ---- LinearRegressor, LinearClassifier ---------------------------------------------------------

namespace {

Tensor affine(const Tensor& x, const Tensor& coef, const Tensor& intercept) {
  const Tensor rows = coef.rank() == 1 ? reshape(coef, {1, -1}) : coef;
  Tensor y = matmul(cast(x, kF64), transpose(rows));
  if (coef.rank() == 1) y = reshape(y, {-1});
  return y + intercept;
}

}  // namespace

Tensor LinearRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return affine(check_x(std::string(name()) + ".predict", x, n_features_in, where), coef,
                intercept);
}

StateDict LinearRegressor::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state{{"coef", coef}, {"intercept", intercept}};
  const auto copy = clone();
  append_fitted(state, static_cast<LinearRegressor&>(*copy).attributes());
  return state;
}

void LinearRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const bool flat = std::any_of(state.begin(), state.end(), [](const auto& entry) {
    return entry.first == "coef" && entry.second.defined() && entry.second.rank() == 1;
  });
  const Tensor w = read.take("coef", kF64, flat ? Shape{-1} : Shape{-1, -1});
  const Tensor b = read.take("intercept", kF64, flat ? Shape{} : Shape{w.size(0)});
  const int64_t features = w.size(-1);
  take_fitted(read, attributes(), features);
  coef = w;
  intercept = b;
  n_features_in = features;
}

Tensor LinearClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor scores =
      affine(check_x(std::string(name()) + ".decision_function", x, n_features_in, where), coef,
             intercept);
  return coef.size(0) == 1 ? reshape(scores, {-1}) : scores;
}

Tensor LinearClassifier::decision_function(const Csr& x, Where where) const {
  const NoGrad no_grad;
  const Csr given = check_x(std::string(name()) + ".decision_function", x, n_features_in, where);
  const Tensor scores = spmm(given, transpose(coef), where) + intercept;
  return coef.size(0) == 1 ? reshape(scores, {-1}) : scores;
}

namespace {

Tensor most_likely(const Tensor& classes, const Tensor& scores) {
  return take(classes, scores.rank() == 1 ? cast(scores > 0, kI64) : argmax(scores, 1));
}

}  // namespace

Tensor LinearClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x(std::string(name()) + ".predict", x, n_features_in, where);
  return most_likely(classes, decision_function(given, where));
}

Tensor LinearClassifier::predict(const Csr& x, Where where) const {
  const NoGrad no_grad;
  return most_likely(classes, decision_function(x, where));
}

StateDict LinearClassifier::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state{{"classes", classes}, {"coef", coef}, {"intercept", intercept}};
  const auto copy = clone();
  append_fitted(state, static_cast<LinearClassifier&>(*copy).attributes());
  return state;
}

void LinearClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor labels = read.take("classes", kI64, {-1});
  const int64_t rows = labels.size(0) == 2 ? 1 : labels.size(0);
  const Tensor w = read.take("coef", kF64, {rows, -1});
  const Tensor b = read.take("intercept", kF64, {rows});
  take_fitted(read, attributes(), w.size(1), labels.size(0));
  classes = labels;
  coef = w;
  intercept = b;
  n_features_in = w.size(1);
}

}  // namespace glia::classic
