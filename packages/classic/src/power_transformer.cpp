#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "checks.h"
#include "columns.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

double box_cox(double x, double lambda) {
  return lambda == 0 ? std::log(x) : std::expm1(lambda * std::log(x)) / lambda;
}

double yeo_johnson(double x, double lambda) {
  return x >= 0 ? box_cox(1 + x, std::abs(lambda) < kEps ? 0 : lambda)
                : -box_cox(1 - x, std::abs(2 - lambda) < kEps ? 0 : 2 - lambda);
}

double power(PowerMethod method, double x, double lambda) {
  return method == PowerMethod::kBoxCox ? box_cox(x, lambda) : yeo_johnson(x, lambda);
}

double inverse_box_cox(double y, double lambda) {
  return lambda == 0 ? std::exp(y) : std::exp(std::log1p(lambda * y) / lambda);
}

double inverse(PowerMethod method, double y, double lambda) {
  if (method == PowerMethod::kBoxCox) return inverse_box_cox(y, lambda);
  return y >= 0 ? inverse_box_cox(y, std::abs(lambda) < kEps ? 0 : lambda) - 1
                : 1 - inverse_box_cox(-y, std::abs(2 - lambda) < kEps ? 0 : 2 - lambda);
}

// d/dlambda of box_cox(), by what it gives.
double slope(double x, double lambda, double value) {
  const double log = std::log(x);
  if (std::abs(lambda * log) < 1e-5)  // the series: what is taken off below would cancel
    return log * log * (0.5 + lambda * log * (1.0 / 3 + lambda * log / 8));
  return ((1 + lambda * value) * log - value) / lambda;
}

// The derivative of the log-likelihood by lambda, of numbers whose logs sum up to `logs`.
double likelihood_slope(PowerMethod method, const std::vector<double>& x, double lambda,
                        double logs) {
  const auto n = static_cast<double>(x.size());
  std::vector<double> z, d;
  double mean_z = 0, mean_d = 0;
  for (const double v : x) {
    z.push_back(power(method, v, lambda));
    if (method == PowerMethod::kBoxCox)
      d.push_back(slope(v, lambda, z.back()));
    else
      d.push_back(v >= 0 ? slope(1 + v, lambda, z.back()) : slope(1 - v, 2 - lambda, -z.back()));
    mean_z += z.back() / n;
    mean_d += d.back() / n;
  }
  double variance = 0, covariance = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    variance += (z[i] - mean_z) * (z[i] - mean_z);
    covariance += (z[i] - mean_z) * (d[i] - mean_d);
  }
  return logs - n * covariance / variance;
}

// The root of a function that falls, near 1: outwards until its sign changes, then by halves and
// secants (Dowell, Jarratt 1971).
double root(const std::function<double(double)>& f) {
  double low = -2, high = 2, step = 2, f_low = f(low), f_high = f(high);
  for (int i = 0; i < 40 && !(f_low > 0); ++i, step *= 2) {
    high = low;
    f_high = f_low;
    f_low = f(low -= step);
  }
  step = 2;
  for (int i = 0; i < 40 && !(f_high < 0); ++i, step *= 2) {
    low = high;
    f_low = f_high;
    f_high = f(high += step);
  }
  if (!(f_low > 0 && f_high < 0)) return std::numeric_limits<double>::quiet_NaN();
  int side = 0;
  for (int i = 0; i < 200; ++i) {
    double middle = (f_low * high - f_high * low) / (f_low - f_high);
    if (i % 3 == 2 || !(middle > low && middle < high)) middle = (low + high) / 2;
    if (middle == low || middle == high || high - low <= kEps * std::abs(middle)) return middle;
    const double value = f(middle);
    if (value == 0) return middle;
    if (value > 0) {
      low = middle;
      f_low = value;
      if (side == 1) f_high /= 2;
      side = 1;
    } else {
      high = middle;
      f_high = value;
      if (side == -1) f_low /= 2;
      side = -1;
    }
  }
  return (low + high) / 2;
}

double best_lambda(PowerMethod method, const std::vector<double>& x) {
  double logs = 0;
  for (const double v : x)
    logs +=
        method == PowerMethod::kBoxCox ? std::log(v) : std::copysign(std::log1p(std::abs(v)), v);
  return root([&](double lambda) { return likelihood_slope(method, x, lambda, logs); });
}

void require_positive(const char* op, const Features& x, Where where) {
  for (const double v : x.values)
    if (v <= 0)
      throw ValueError(
          std::string(op) + ": Box-Cox takes positive numbers, not " + std::to_string(v), where);
}

}  // namespace

std::vector<Param> PowerTransformer::params() {
  return {{"method", &options_.method, {"yeo-johnson", "box-cox"}},
          {"standardize", &options_.standardize}};
}

PowerTransformer& PowerTransformer::fit(const Tensor& x, const Tensor& /*y*/,
                                        const Tensor& sample_weight, Where where) {
  const char* op = "PowerTransformer.fit";
  refuse_sample_weight(op, sample_weight, where);
  const Features given = features_of(op, x, true, -1, where);
  if (options_.method == PowerMethod::kBoxCox) require_positive(op, given, where);
  std::vector<double> exponents, means, scales;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    if (seen.empty())
      throw ValueError(std::string(op) + ": feature " + std::to_string(j) + " is all missing",
                       where);
    const auto n = static_cast<double>(seen.size());
    const auto moments = [&](auto value) {
      double mean = 0, squares = 0;
      for (const double v : seen) mean += value(v) / n;
      for (const double v : seen) squares += (value(v) - mean) * (value(v) - mean) / n;
      return std::pair(mean, squares);
    };
    const auto constant = [&](const std::pair<double, double>& m) {
      return m.second <= n * kEps * m.second + (n * m.first * kEps) * (n * m.first * kEps);
    };
    double lambda = 1;
    if (!constant(moments([](double v) { return v; }))) {
      lambda = best_lambda(options_.method, seen);
    } else if (options_.method == PowerMethod::kBoxCox) {
      throw ValueError(std::string(op) + ": feature " + std::to_string(j) +
                           " is constant, which Box-Cox has no exponent for",
                       where);
    }
    if (!std::isfinite(lambda))
      throw ValueError(std::string(op) + ": feature " + std::to_string(j) +
                           " has no exponent that is most likely",
                       where);
    exponents.push_back(lambda);
    const auto after = moments([&](double v) { return power(options_.method, v, lambda); });
    means.push_back(options_.standardize ? after.first : 0);
    scales.push_back(options_.standardize && !constant(after) ? std::sqrt(after.second) : 1);
    if (!std::isfinite(means.back()) || !std::isfinite(scales.back()))
      throw ValueError(std::string(op) + ": feature " + std::to_string(j) +
                           " is beyond f64 once it is transformed",
                       where);
  }
  lambdas = vector_of(exponents);
  mean = vector_of(means);
  scale = vector_of(scales);
  n_features_in = given.columns;
  return *this;
}

Tensor PowerTransformer::transform(const Tensor& x, Where where) const {
  const char* op = "PowerTransformer.transform";
  Features given = features_of(op, x, true, n_features_in, where);
  if (options_.method == PowerMethod::kBoxCox) require_positive(op, given, where);
  const auto l = lambdas.to_vector<double>(), m = mean.to_vector<double>(),
             s = scale.to_vector<double>();
  for (int64_t i = 0; i < given.rows; ++i)
    for (int64_t j = 0; j < given.columns; ++j) {
      const auto f = static_cast<size_t>(j);
      double& v = given.at(i, j);
      if (!std::isnan(v)) v = (power(options_.method, v, l[f]) - m[f]) / s[f];
    }
  return given.tensor();
}

Tensor PowerTransformer::inverse_transform(const Tensor& x, Where where) const {
  Features given = features_of("PowerTransformer.inverse_transform", x, true, n_features_in, where);
  const auto l = lambdas.to_vector<double>(), m = mean.to_vector<double>(),
             s = scale.to_vector<double>();
  for (int64_t i = 0; i < given.rows; ++i)
    for (int64_t j = 0; j < given.columns; ++j) {
      const auto f = static_cast<size_t>(j);
      double& v = given.at(i, j);
      if (!std::isnan(v)) v = inverse(options_.method, v * s[f] + m[f], l[f]);
    }
  return given.tensor();
}

StateDict PowerTransformer::state_dict(Where where) const {
  require_fitted("PowerTransformer.state_dict", fitted(), where);
  return {{"lambdas", lambdas}, {"mean", mean}, {"scale", scale}};
}

void PowerTransformer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("PowerTransformer", state, where);
  const Tensor exponents = read.take("lambdas", kF64, {-1});
  const Tensor center = read.take("mean", kF64, exponents.shape());
  const Tensor width = read.take("scale", kF64, exponents.shape());
  read.finish();
  lambdas = exponents;
  mean = center;
  scale = width;
  n_features_in = exponents.size(0);
}

}  // namespace glia::classic
