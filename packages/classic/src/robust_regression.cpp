#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "glia/classic/linear_robust.h"
#include "glia/linalg.h"
#include "glia/math/optimize.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {

// ---- BayesianRidge -----------------------------------------------------------------------------

std::vector<Param> BayesianRidge::params() {
  return {{"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"alpha_1", &options_.alpha_1},
          {"alpha_2", &options_.alpha_2},
          {"lambda_1", &options_.lambda_1},
          {"lambda_2", &options_.lambda_2},
          {"alpha_init", &options_.alpha_init},
          {"lambda_init", &options_.lambda_init},
          {"fit_intercept", &options_.fit_intercept}};
}

std::vector<FittedAttribute> BayesianRidge::attributes() {
  return {{"alpha", &alpha, {}},
          {"lambda", &lambda, {}},
          {"sigma", &sigma, {-2, -2}},
          {"x_offset", &x_offset, {-2}},
          {"n_iter", &n_iter, {}}};
}

BayesianRidge& BayesianRidge::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                  Where where) {
  const char* op = "BayesianRidge.fit";
  const NoGrad no_grad;
  require_option(options_.max_iter >= 1, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  for (const auto& [name, value] :
       {std::pair("tol", options_.tol), std::pair("alpha_1", options_.alpha_1),
        std::pair("alpha_2", options_.alpha_2), std::pair("lambda_1", options_.lambda_1),
        std::pair("lambda_2", options_.lambda_2),
        std::pair("alpha_init", options_.alpha_init.value_or(0)),
        std::pair("lambda_init", options_.lambda_init.value_or(0))})
    require_option(value >= 0, op, name, value, where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  if (!r.flat) throw ShapeError(std::string(op) + ": y is (samples)", where);
  const Centred c = centred(r, options_.fit_intercept);
  const int64_t d = r.x.size(1);
  const double n = r.weight.defined() ? sum(r.weight).item() : static_cast<double>(r.x.size(0));
  const Tensor share = r.weight.defined() ? r.weight / n : full({r.x.size(0)}, 1 / n, kF64);
  const Tensor flat = reshape(r.y, {-1});
  const double variance = sum(share * square(flat - sum(share * flat))).item();

  const linalg::SVDResult s = linalg::svd(c.x, false);
  const std::vector<double> u = matmul(transpose(s.U), c.y).to_vector<double>();
  const std::vector<double> values = s.S.to_vector<double>();
  const double outside = (sum(square(c.y)) - sum(square(matmul(transpose(s.U), c.y)))).item();
  double noise =
      options_.alpha_init.value_or(1 / (variance + std::numeric_limits<double>::epsilon()));
  double weights = options_.lambda_init.value_or(1);
  const auto coefficients = [&] {  // in the directions of Vh
    std::vector<double> w;
    for (size_t k = 0; k < values.size(); ++k)
      w.push_back(values[k] * u[k] / (values[k] * values[k] + weights / noise));
    return w;
  };
  const Tensor v = transpose(s.Vh);
  const auto across = [&](const std::vector<double>& w) {
    return matmul(v, from_vector(w, {static_cast<int64_t>(w.size())}));
  };
  Tensor before;
  int64_t iterations = 0;
  while (iterations < options_.max_iter) {
    ++iterations;
    const std::vector<double> w = coefficients();
    double gamma = 0, squares = 0, error = std::max(outside, 0.0);
    for (size_t k = 0; k < values.size(); ++k) {
      const double e = values[k] * values[k];
      gamma += noise * e / (weights + noise * e);
      squares += w[k] * w[k];
      error += (u[k] - values[k] * w[k]) * (u[k] - values[k] * w[k]);
    }
    weights = (gamma + 2 * options_.lambda_1) / (squares + 2 * options_.lambda_2);
    noise = (n - gamma + 2 * options_.alpha_1) / (error + 2 * options_.alpha_2);
    const Tensor now = across(w);
    if (before.defined() && sum(abs(now - before)).item() < options_.tol) break;
    before = now;
  }
  const Tensor w = reshape(across(coefficients()), {1, d});
  // V diag(1 / (noise s^2 + weights)) V^T, and 1 / weights outside of the span of V.
  std::vector<double> shrink;
  for (const double value : values)
    shrink.push_back(1 / (noise * value * value + weights) - 1 / weights);
  const Tensor covariance =
      matmul(v * from_vector(shrink, {static_cast<int64_t>(shrink.size())}), s.Vh) +
      eye(d, kF64) / weights;
  eval({covariance, c.x_mean}, where);
  set_linear(op, *this, w, intercepts(c, w), true, d, where);
  alpha = noise;
  lambda = weights;
  sigma = covariance;
  x_offset = c.x_mean;
  n_iter = iterations;
  return *this;
}

Tensor BayesianRidge::predict_std(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor rows =
      cast(check_x("BayesianRidge.predict_std", x, n_features_in, where), kF64) - x_offset;
  return sqrt(sum(matmul(rows, sigma) * rows, {1}) + 1 / alpha);
}

// ---- HuberRegressor ----------------------------------------------------------------------------

std::vector<Param> HuberRegressor::params() {
  return {{"epsilon", &options_.epsilon},
          {"max_iter", &options_.max_iter},
          {"alpha", &options_.alpha},
          {"warm_start", &options_.warm_start},
          {"fit_intercept", &options_.fit_intercept},
          {"tol", &options_.tol}};
}

std::vector<FittedAttribute> HuberRegressor::attributes() {
  return {{"scale", &scale, {}}, {"outliers", &outliers, {-1}, kBool}, {"n_iter", &n_iter, {}}};
}

HuberRegressor& HuberRegressor::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                    Where where) {
  const char* op = "HuberRegressor.fit";
  const NoGrad no_grad;
  require_option(options_.epsilon >= 1, op, "epsilon", options_.epsilon, where);
  require_option(options_.alpha >= 0, op, "alpha", options_.alpha, where);
  require_option(options_.tol >= 0, op, "tol", options_.tol, where);
  require_option(options_.max_iter >= 0, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  if (!r.flat) throw ShapeError(std::string(op) + ": y is (samples)", where);
  const int64_t n = r.x.size(0), d = r.x.size(1);
  const std::vector<double> rows = r.x.to_vector<double>(), target = r.y.to_vector<double>();
  const std::vector<double> weight =
      r.weight.defined() ? r.weight.to_vector<double>() : std::vector<double>(target.size(), 1);
  double total = 0;
  for (const double w : weight) total += w;
  const double epsilon = options_.epsilon, alpha = options_.alpha;

  // Parameters: weights, the intercept, and the logarithm of the scale, which keeps it positive.
  const optimize::ValueAndGradient objective = [&](const std::vector<double>& p,
                                                   std::vector<double>& g) {
    const double s = std::exp(p[d + 1]);
    std::fill(g.begin(), g.end(), 0);
    double value = total * s, slope = total;
    for (int64_t j = 0; j < d; ++j) {
      value += alpha * p[j] * p[j];
      g[j] = 2 * alpha * p[j];
    }
    for (int64_t i = 0; i < n; ++i) {
      const double* row = rows.data() + i * d;
      double rest = target[i] - p[d];
      for (int64_t j = 0; j < d; ++j) rest -= row[j] * p[j];
      double pull = 0;
      if (std::abs(rest) > epsilon * s) {
        value += weight[i] * (2 * epsilon * std::abs(rest) - s * epsilon * epsilon);
        slope -= weight[i] * epsilon * epsilon;
        pull = -2 * epsilon * weight[i] * (rest > 0 ? 1 : -1);
      } else {
        value += weight[i] * rest * rest / s;
        slope -= weight[i] * (rest / s) * (rest / s);
        pull = -2 * weight[i] * rest / s;
      }
      for (int64_t j = 0; j < d; ++j) g[j] += pull * row[j];
      g[d] += pull;
    }
    if (!options_.fit_intercept) g[d] = 0;
    g[d + 1] = slope * s;
    return std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
  };
  std::vector<double> p(static_cast<size_t>(d + 2));
  if (options_.warm_start && fitted() && coef.numel() == d) {
    p = coef.to_vector<double>();
    p.push_back(intercept.item());
    p.push_back(std::log(scale));
  }
  const optimize::OptimizeResult result =
      optimize::minimize_host(objective, p,
                              {.method = optimize::Method::kLBFGSB,
                               .gtol = options_.tol,
                               .ftol = 0.0,
                               .maxiter = options_.max_iter});
  p = result.x.to_vector<double>();
  const double found = std::max(std::exp(p[d + 1]), 10 * std::numeric_limits<double>::epsilon());
  std::vector<bool> far;
  for (int64_t i = 0; i < n; ++i) {
    double rest = target[i] - p[d];
    for (int64_t j = 0; j < d; ++j) rest -= rows[i * d + j] * p[j];
    far.push_back(std::abs(rest) > epsilon * found);
  }
  set_linear(op, *this, from_vector(std::vector<double>(p.begin(), p.begin() + d), {1, d}),
             tensor({p[d]}), true, d, where);
  scale = found;
  outliers = from_vector(far, {n});
  n_iter = result.nit;
  return *this;
}

}  // namespace glia::classic
