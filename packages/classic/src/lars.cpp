#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/classic/linear_penalised.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "linear.h"

namespace glia::classic {
namespace {

struct Steps {
  std::vector<double> alphas;
  std::vector<std::vector<double>> coefs;
  std::vector<int64_t> active;
};

// The path of X (N, D) and y (N), from products of X alone.
Steps follow(const Tensor& x, const Tensor& y, bool lasso, double alpha_min, int64_t max_steps) {
  const int64_t d = x.size(1);
  const double n = static_cast<double>(x.size(0));
  const Tensor across = transpose(x);
  const std::vector<double> gram = matmul(across, x).to_vector<double>();
  const std::vector<double> moments = matmul(across, reshape(y, {-1, 1})).to_vector<double>();
  const double tiny = 1e-12 * std::max(largest(moments), std::numeric_limits<double>::min());
  std::vector<double> w(static_cast<size_t>(d));
  std::vector<bool> barred(w.size());  // dependent on those that are in
  Steps steps;
  int64_t dropped = -1;
  for (int64_t round = 0;; ++round) {
    std::vector<double> c = moments;  // X^T of the residual
    for (int64_t j = 0; j < d; ++j)
      for (int64_t k = 0; k < d; ++k) c[j] -= gram[j * d + k] * w[k];
    double most = 0;
    for (int64_t j = 0; j < d; ++j)
      if (!barred[j]) most = std::max(most, std::abs(c[j]));
    double alpha = most / n;
    if (alpha < alpha_min && !steps.alphas.empty()) {  // between the last two
      const double before = steps.alphas.back();
      const double share = before > alpha ? (before - alpha_min) / (before - alpha) : 0;
      const std::vector<double>& last = steps.coefs.back();
      for (int64_t j = 0; j < d; ++j) w[j] = last[j] + share * (w[j] - last[j]);
      alpha = alpha_min;
    }
    steps.alphas.push_back(alpha);
    steps.coefs.push_back(w);
    if (alpha <= alpha_min || most <= tiny || round >= max_steps) break;

    // The feature that comes in.
    if (dropped < 0) {
      int64_t enter = -1;
      for (int64_t j = 0; j < d; ++j)
        if (!barred[j] &&
            std::find(steps.active.begin(), steps.active.end(), j) == steps.active.end() &&
            (enter < 0 || std::abs(c[j]) > std::abs(c[enter])))
          enter = j;
      if (enter < 0) {
        if (most <= tiny) break;
      } else {
        steps.active.push_back(enter);
      }
    }
    const int64_t k = static_cast<int64_t>(steps.active.size());
    if (k == 0) break;
    std::vector<double> part, signs;
    for (const int64_t i : steps.active) {
      for (const int64_t j : steps.active) part.push_back(gram[i * d + j]);
      signs.push_back(c[i] < 0 ? -1 : 1);
    }
    std::vector<double> direction;
    try {
      const Tensor l = linalg::cholesky(from_vector(part, {k, k}));
      const std::vector<double> diagonal = diag(l).to_vector<double>();
      if (*std::min_element(diagonal.begin(), diagonal.end()) <=
          1e-7 * *std::max_element(diagonal.begin(), diagonal.end()))
        throw ValueError("dependent");
      direction = linalg::cholesky_solve(from_vector(signs, {k, 1}), l).to_vector<double>();
    } catch (const ValueError&) {  // the new one is a combination of the others
      barred[steps.active.back()] = true;
      steps.active.pop_back();
      steps.alphas.pop_back();
      steps.coefs.pop_back();
      dropped = -1;
      --round;
      continue;
    }
    double step = most;  // to where all correlations are 0
    std::vector<double> fall(static_cast<size_t>(d));
    for (int64_t j = 0; j < d; ++j)
      for (int64_t i = 0; i < k; ++i) fall[j] += gram[j * d + steps.active[i]] * direction[i];
    for (int64_t j = 0; j < d; ++j) {
      if (barred[j] || std::find(steps.active.begin(), steps.active.end(), j) != steps.active.end())
        continue;
      if (j == dropped) continue;
      for (const double sign : {1.0, -1.0}) {
        const double reach = (most - sign * c[j]) / (1 - sign * fall[j]);
        if (reach > 1e-14 * most && reach < step) step = reach;
      }
    }
    dropped = -1;
    int64_t leaves = -1;
    if (lasso)
      for (int64_t i = 0; i < k; ++i) {
        const double zero = -w[steps.active[i]] / direction[i];
        if (zero > 1e-14 * most && zero < step) step = zero, leaves = i;
      }
    for (int64_t i = 0; i < k; ++i) w[steps.active[i]] += step * direction[i];
    if (leaves >= 0) {
      dropped = steps.active[leaves];
      w[dropped] = 0;
      steps.active.erase(steps.active.begin() + leaves);
    }
  }
  return steps;
}

}  // namespace

LarsPath lars_path(const Tensor& x, const Tensor& y, bool lasso, double alpha_min, int64_t max_iter,
                   Where where) {
  const char* op = "lars_path";
  const NoGrad no_grad;
  require_option(alpha_min >= 0, op, "alpha_min", alpha_min, where);
  require_option(max_iter >= 0, op, "max_iter", static_cast<double>(max_iter), where);
  const Regression r = check_regression(op, x, y, {}, where);
  if (!r.flat) throw ShapeError(std::string(op) + ": y is (samples)", where);
  const Steps steps = follow(r.x, r.y, lasso, alpha_min, max_iter);
  const int64_t count = static_cast<int64_t>(steps.alphas.size());
  std::vector<double> flat;
  for (const std::vector<double>& w : steps.coefs) flat.insert(flat.end(), w.begin(), w.end());
  return {from_vector(steps.alphas, {count}), transpose(from_vector(flat, {count, r.x.size(1)})),
          from_vector(steps.active, {static_cast<int64_t>(steps.active.size())})};
}

std::vector<Param> Lars::params() {
  return {{"fit_intercept", &options_.fit_intercept},
          {"n_nonzero_coefs", &options_.n_nonzero_coefs}};
}

std::vector<Param> LassoLars::params() {
  return {{"alpha", &options_.alpha},
          {"fit_intercept", &options_.fit_intercept},
          {"max_iter", &options_.max_iter}};
}

std::vector<FittedAttribute> Lars::attributes() { return {{"n_iter", &n_iter, {}}}; }

namespace {

// The end of the path for each output: (O, D), and the most steps.
std::pair<Tensor, int64_t> ends(const Centred& c, bool lasso, double alpha_min, int64_t max_steps) {
  std::vector<double> all;
  int64_t most = 0;
  for (int64_t o = 0; o < c.y.size(1); ++o) {
    const Steps steps = follow(c.x, narrow(c.y, 1, o, 1), lasso, alpha_min, max_steps);
    all.insert(all.end(), steps.coefs.back().begin(), steps.coefs.back().end());
    most = std::max(most, static_cast<int64_t>(steps.alphas.size()) - 1);
  }
  return {from_vector(all, {c.y.size(1), c.x.size(1)}), most};
}

}  // namespace

Lars& Lars::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const char* op = "Lars.fit";
  const NoGrad no_grad;
  require_option(options_.n_nonzero_coefs >= 1, op, "n_nonzero_coefs",
                 static_cast<double>(options_.n_nonzero_coefs), where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  const Centred c = centred(r, options_.fit_intercept);
  const auto [w, steps] = ends(c, false, 0, options_.n_nonzero_coefs);
  set_linear(op, *this, w, intercepts(c, w), r.flat, r.x.size(1), where);
  n_iter = steps;
  return *this;
}

LassoLars& LassoLars::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                          Where where) {
  const char* op = "LassoLars.fit";
  const NoGrad no_grad;
  require_option(options_.alpha >= 0, op, "alpha", options_.alpha, where);
  require_option(options_.max_iter >= 1, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  const Regression r = weighted_rows(check_regression(op, x, y, sample_weight, where));
  const Centred c = centred(r, options_.fit_intercept);
  const auto [w, steps] = ends(c, true, options_.alpha, options_.max_iter);
  set_linear(op, *this, w, intercepts(c, w), r.flat, r.x.size(1), where);
  n_iter = steps;
  return *this;
}

}  // namespace glia::classic
