#include "glia/classic/cross_decomposition.h"

#include <cmath>
#include <limits>

#include "columns.h"
#include "fitted.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

Tensor deviations(const Tensor& x, bool scale) {
  if (!scale || x.size(0) < 2) return ones({x.size(1)}, kF64);
  const Tensor deviation = sqrt(var(x, {0}));
  return where(deviation > 0, deviation, 1);
}

struct Direction {
  Tensor x, y;  // (features, 1), (outputs, 1)
  int64_t steps = 0;
};
// The first singular vectors of X^T y, by the power method; none where y is 0.
Direction direction_of(const Tensor& x, const Tensor& y, const PLSRegressionOptions& o) {
  const auto present = (max(abs(y), {0}) > kEpsilon).to_vector<uint8_t>();
  size_t first = 0;
  while (first < present.size() && present[first] == 0) ++first;
  if (first == present.size()) return {};
  Tensor score =
      slice(y, 1, {.start = static_cast<int64_t>(first), .stop = static_cast<int64_t>(first) + 1});
  Direction d;
  Tensor before;
  while (d.steps < o.max_iter) {
    ++d.steps;
    const Tensor w = matmul(transpose(x), score) / sum(square(score));
    d.x = w / (sqrt(sum(square(w))) + kEpsilon);
    const Tensor t = matmul(x, d.x);
    d.y = matmul(transpose(y), t) / sum(square(t));
    score = matmul(y, d.y) / (sum(square(d.y)) + kEpsilon);
    eval({d.x, d.y, score});
    if (y.size(1) == 1) break;
    if (before.defined() && sum(square(d.x - before)).item() < o.tol) break;
    before = d.x;
  }
  return d;
}

}  // namespace

std::vector<Param> PLSRegression::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"scale", &o.scale},
          {"max_iter", &o.max_iter},
          {"tol", &o.tol}};
}

PLSRegression& PLSRegression::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                  Where where) {
  const std::string op = "PLSRegression.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  refuse_sample_weight(op, sample_weight, where);
  require_option(o.max_iter >= 1, op, "max_iter", static_cast<double>(o.max_iter), where);
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  const Regression r = check_regression(op, x, y, {}, where);
  const int64_t n = r.x.size(0), p = r.x.size(1), q = r.y.size(1), count = o.n_components;
  if (count < 1 || count > std::min(n, p))
    throw ValueError(op + ": n_components = " + std::to_string(count) + ", and not from 1 to " +
                         std::to_string(std::min(n, p)),
                     where);
  const Tensor centre = mean(r.x, {0}), level = mean(r.y, {0});
  const Tensor spread = deviations(r.x, o.scale), y_spread = deviations(r.y, o.scale);
  Tensor a = (r.x - centre) / spread, b = (r.y - level) / y_spread;
  std::vector<Tensor> xw, yw, xs, ys, xl, yl;
  std::vector<int64_t> steps;
  for (int64_t i = 0; i < count; ++i) {
    // What is left of an output by rounding alone is nothing.
    b = glia::where(max(abs(b), {0}, true) < 10 * kEpsilon, 0, b);
    Direction d = direction_of(a, b, o);
    steps.push_back(d.steps);
    if (!d.x.defined()) {  // y is told entirely: the other components are 0
      xw.push_back(zeros({p, 1}, kF64)), xl.push_back(zeros({p, 1}, kF64));
      yw.push_back(zeros({q, 1}, kF64)), yl.push_back(zeros({q, 1}, kF64));
      xs.push_back(zeros({n, 1}, kF64)), ys.push_back(zeros({n, 1}, kF64));
      continue;
    }
    const Tensor flat = squeeze(d.x, 1), turn = sign(take(flat, argmax(abs(flat), 0)));
    d.x = d.x * turn, d.y = d.y * turn;
    const Tensor t = matmul(a, d.x), power = sum(square(t));
    xs.push_back(t);
    ys.push_back(matmul(b, d.y) / sum(square(d.y)));
    xl.push_back(matmul(transpose(a), t) / power);
    yl.push_back(matmul(transpose(b), t) / power);
    xw.push_back(d.x), yw.push_back(d.y);
    a = a - matmul(t, transpose(xl.back()));
    b = b - matmul(t, transpose(yl.back()));
    eval({a, b, xs.back(), ys.back(), xl.back(), yl.back(), d.x, d.y});
  }
  const auto rotations = [](const Tensor& weights, const Tensor& loadings) {
    return matmul(weights, linalg::pinv(matmul(transpose(loadings), weights)));
  };
  PLSRegression fresh(o);
  fresh.x_weights = concat(xw, 1), fresh.y_weights = concat(yw, 1);
  fresh.x_scores = concat(xs, 1), fresh.y_scores = concat(ys, 1);
  fresh.x_loadings = concat(xl, 1), fresh.y_loadings = concat(yl, 1);
  fresh.x_rotations = rotations(fresh.x_weights, fresh.x_loadings);
  fresh.y_rotations = rotations(fresh.y_weights, fresh.y_loadings);
  fresh.coef =
      unsqueeze(y_spread, 1) * matmul(fresh.y_loadings, transpose(fresh.x_rotations)) / spread;
  fresh.intercept = level;
  fresh.n_iter = vector_of(steps);
  fresh.x_mean_ = centre;
  fresh.x_std_ = spread;
  fresh.flat_ = r.flat;
  fresh.n_features_in = p;
  for (const FittedAttribute& attribute : fresh.attributes())
    if (const auto* t = std::get_if<Tensor*>(&attribute.at)) eval(**t, where);
  if (!all(isfinite(fresh.coef)).item<bool>())
    throw ValueError(op + ": the coefficients are beyond f64", where);
  *this = std::move(fresh);
  return *this;
}

Tensor PLSRegression::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("PLSRegression.predict", x, n_features_in, where), kF64);
  const Tensor y = matmul(given - x_mean_, transpose(coef)) + intercept;
  return flat_ != 0 ? squeeze(y, 1) : y;
}

Tensor PLSRegression::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("PLSRegression.transform", x, n_features_in, where), kF64);
  return matmul((given - x_mean_) / x_std_, x_rotations);
}

Tensor PLSRegression::inverse_transform(const Tensor& x, Where where) const {
  const std::string op = "PLSRegression.inverse_transform";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  if (given.size(1) != x_loadings.size(1))
    throw ShapeError(op + ": X has " + std::to_string(given.size(1)) + " components, not " +
                         std::to_string(x_loadings.size(1)),
                     where);
  return matmul(given, transpose(x_loadings)) * x_std_ + x_mean_;
}

std::vector<FittedAttribute> PLSRegression::attributes() {
  return {{"x_weights", &x_weights, {-2, -1}},
          {"x_loadings", &x_loadings, {-2, -1}},
          {"x_rotations", &x_rotations, {-2, -1}},
          {"y_weights", &y_weights, {-1, -1}},
          {"y_loadings", &y_loadings, {-1, -1}},
          {"y_rotations", &y_rotations, {-1, -1}},
          {"x_scores", &x_scores, {-1, -1}},
          {"y_scores", &y_scores, {-1, -1}},
          {"coef", &coef, {-1, -2}},
          {"intercept", &intercept, {-1}},
          {"n_iter", &n_iter, {-1}, kI64},
          {"x_mean", &x_mean_, {-2}},
          {"x_std", &x_std_, {-2}},
          {"flat", &flat_, {}}};
}

StateDict PLSRegression::state_dict(Where where) const {
  PLSRegression copy = *this;
  return fitted_state(copy, copy.attributes(), where);
}

void PLSRegression::load_state_dict(const StateDict& state, Where where) {
  PLSRegression fresh = *this;
  load_fitted_state(fresh, fresh.attributes(), state, where);
  const int64_t count = fresh.x_weights.size(1), outputs = fresh.coef.size(0);
  if (fresh.x_rotations.size(1) != count || fresh.x_loadings.size(1) != count ||
      fresh.intercept.shape() != Shape{outputs} || (fresh.flat_ != 0 && outputs != 1))
    throw Error("PLSRegression.load_state_dict: its parts do not fit together", where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
