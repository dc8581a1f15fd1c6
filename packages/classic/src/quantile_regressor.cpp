#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/classic/linear_robust.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

// The least sum of weight (quantile u + (1 - quantile) v), where u - v = target - rows theta and
// neither is negative.
struct PinballProblem {
  Tensor rows;  // (n, k)
  Vector target, weight, quantile;
};

// By the interior points of its dual, whose variables lie between 0 and the weights (Portnoy &
// Koenker 1997). Throws ValueError if they do not come together.
Vector solve(const std::string& op, const PinballProblem& p, int64_t& n_iter, Where where) {
  const int64_t n = p.rows.size(0), k = p.rows.size(1);
  const Tensor across = transpose(p.rows);
  const auto times = [&](const Tensor& a, const Vector& x) {
    return matmul(a, from_vector(x, {static_cast<int64_t>(x.size()), 1})).to_vector<double>();
  };
  Vector a, s, right, theta(static_cast<size_t>(k));
  for (int64_t i = 0; i < n; ++i) {
    right.push_back(p.weight[i] * (1 - p.quantile[i]));
    a.push_back(right[i]);
    s.push_back(p.weight[i] - right[i]);
  }
  const Vector b = times(across, right);
  const double size = std::max(largest(p.target), 1.0);
  Vector u(a.size()), v(a.size());
  for (int64_t i = 0; i < n; ++i) {
    u[i] = std::max(p.target[i], 0.0) + 0.1 * size;
    v[i] = u[i] - p.target[i];
  }
  for (n_iter = 1; n_iter <= 200; ++n_iter) {
    double gap = 0, scale = 1;
    for (int64_t i = 0; i < n; ++i) {
      gap += u[i] * s[i] + v[i] * a[i];
      scale += std::abs(p.target[i]) * p.weight[i];
    }
    if (gap <= 1e-12 * scale) return theta;
    const double mu = 0.1 * gap / static_cast<double>(2 * n);
    const Vector said = times(p.rows, theta), held = times(across, a);
    Vector q, pull;
    for (int64_t i = 0; i < n; ++i) {
      q.push_back(1 / (u[i] / s[i] + v[i] / a[i]));
      pull.push_back(q[i] * (p.target[i] - said[i] - mu / s[i] + mu / a[i]));
    }
    Vector rest = times(across, pull);
    for (int64_t j = 0; j < k; ++j) rest[j] -= b[j] - held[j];
    const Tensor system = matmul(across, p.rows * from_vector(q, {n, 1}));
    const Vector step =
        linalg::lstsq(system, from_vector(rest, {k, 1}), {.driver = linalg::LstsqDriver::kGelsd})
            .solution.to_vector<double>();
    const Vector moved = times(p.rows, step);
    Vector da(a.size()), du(a.size()), dv(a.size());
    double dual = 1, primal = 1;
    for (int64_t i = 0; i < n; ++i) {
      da[i] = pull[i] - q[i] * moved[i];
      du[i] = mu / s[i] - u[i] + u[i] / s[i] * da[i];
      dv[i] = mu / a[i] - v[i] - v[i] / a[i] * da[i];
      constexpr double kInside = 0.9995;
      if (da[i] < 0) dual = std::min(dual, -kInside * a[i] / da[i]);
      if (da[i] > 0) dual = std::min(dual, kInside * s[i] / da[i]);
      if (du[i] < 0) primal = std::min(primal, -kInside * u[i] / du[i]);
      if (dv[i] < 0) primal = std::min(primal, -kInside * v[i] / dv[i]);
    }
    for (int64_t i = 0; i < n; ++i) {
      a[i] += dual * da[i];
      s[i] -= dual * da[i];
      u[i] += primal * du[i];
      v[i] += primal * dv[i];
    }
    for (int64_t j = 0; j < k; ++j) theta[j] += primal * step[j];
  }
  throw ValueError(op + ": 200 iterations were not enough", where);
}

}  // namespace

std::vector<Param> QuantileRegressor::params() {
  return {{"quantile", &options_.quantile},
          {"alpha", &options_.alpha},
          {"fit_intercept", &options_.fit_intercept}};
}

std::vector<FittedAttribute> QuantileRegressor::attributes() { return {{"n_iter", &n_iter, {}}}; }

QuantileRegressor& QuantileRegressor::fit(const Tensor& x, const Tensor& y,
                                          const Tensor& sample_weight, Where where) {
  const std::string op = "QuantileRegressor.fit";
  const NoGrad no_grad;
  require_option(options_.quantile > 0 && options_.quantile < 1, op, "quantile", options_.quantile,
                 where);
  require_option(options_.alpha >= 0 && std::isfinite(options_.alpha), op, "alpha", options_.alpha,
                 where);
  const Regression r = weighted_rows(check_regression(op, x, y, sample_weight, where));
  if (!r.flat) throw ShapeError(op + ": y is (samples)", where);
  const int64_t n = r.x.size(0), d = r.x.size(1), first = options_.fit_intercept;
  PinballProblem p{.rows = first ? concat({ones({n, 1}, kF64), r.x}, 1) : r.x,
                   .target = r.y.to_vector<double>(),
                   .weight = r.weight.defined() ? r.weight.to_vector<double>()
                                                : Vector(static_cast<size_t>(n), 1),
                   .quantile = Vector(static_cast<size_t>(n), options_.quantile)};
  if (options_.alpha > 0) {  // alpha n |w| is the loss of a sample that says 0 is w, of both sides
    Tensor unit = eye(d, kF64);
    if (first) unit = concat({zeros({d, 1}, kF64), unit}, 1);
    p.rows = concat({p.rows, unit}, 0);
    p.target.resize(static_cast<size_t>(n + d), 0);
    p.weight.resize(p.target.size(), 2 * options_.alpha * static_cast<double>(n));
    p.quantile.resize(p.target.size(), 0.5);
  }
  int64_t iterations = 0;
  const Vector theta = solve(op, p, iterations, where);
  set_linear(op, *this, from_vector(Vector(theta.begin() + first, theta.end()), {1, d}),
             tensor({first ? theta[0] : 0.0}), true, d, where);
  n_iter = iterations;
  return *this;
}

}  // namespace glia::classic
