#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/classic/linear_penalised.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

// (D, O) by singular values; directions of value 0 get nothing.
Tensor by_svd(const Centred& c, double alpha) {
  const linalg::SVDResult s = linalg::svd(c.x, false);
  const Tensor least = max(s.S) * (std::numeric_limits<double>::epsilon() *
                                   static_cast<double>(std::max(c.x.size(0), c.x.size(1))));
  const Tensor factor = where(s.S > least, s.S / (square(s.S) + alpha), 0);
  return matmul(transpose(s.Vh), reshape(factor, {-1, 1}) * matmul(transpose(s.U), c.y));
}

Tensor by_cholesky(const Centred& c, double alpha) {
  const int64_t n = c.x.size(0), d = c.x.size(1);
  const Tensor across = transpose(c.x);
  if (d <= n)
    return solve_definite(matmul(across, c.x) + alpha * eye(d, kF64), matmul(across, c.y));
  return matmul(across, solve_definite(matmul(c.x, across) + alpha * eye(n, kF64), c.y));
}

}  // namespace

std::vector<Param> Ridge::params() {
  return {{"alpha", &options_.alpha},
          {"fit_intercept", &options_.fit_intercept},
          {"solver", &options_.solver, {"auto", "svd", "cholesky"}}};
}

Ridge& Ridge::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const char* op = "Ridge.fit";
  const NoGrad no_grad;
  require_option(options_.alpha >= 0 && std::isfinite(options_.alpha), op, "alpha", options_.alpha,
                 where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  const Centred c = centred(r, options_.fit_intercept);
  Tensor w;
  if (options_.solver != RidgeSolver::kSVD) {
    try {
      w = by_cholesky(c, options_.alpha);
    } catch (const ValueError&) {  // not positive definite
      if (options_.solver == RidgeSolver::kCholesky) throw;
      w = {};
    }
  }
  if (!w.defined()) w = by_svd(c, options_.alpha);
  w = transpose(w);
  set_linear(op, *this, w, intercepts(c, w), r.flat, r.x.size(1), where);
  return *this;
}

std::vector<Param> RidgeCV::params() {
  return {list_param("alphas", &options_.alphas), {"fit_intercept", &options_.fit_intercept}};
}

std::vector<FittedAttribute> RidgeCV::attributes() {
  return {{"alpha", &alpha, {}}, {"best_score", &best_score, {}}, {"cv_errors", &cv_errors, {-1}}};
}

RidgeCV& RidgeCV::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const char* op = "RidgeCV.fit";
  const NoGrad no_grad;
  if (options_.alphas.empty()) throw ValueError(std::string(op) + ": alphas is empty", where);
  for (const double a : options_.alphas)
    require_option(a > 0 && std::isfinite(a), op, "alphas", a, where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  const Centred c = centred(r, options_.fit_intercept);
  const linalg::SVDResult s = linalg::svd(c.x, false);
  const Tensor moments = matmul(transpose(s.U), c.y);  // (K, O)
  // The intercept's part of each sample's leverage.
  Tensor own = zeros({c.x.size(0)}, kF64);
  if (options_.fit_intercept)
    own = r.weight.defined() ? r.weight / sum(r.weight)
                             : full({c.x.size(0)}, 1 / static_cast<double>(c.x.size(0)), kF64);
  std::vector<Tensor> errors;
  for (const double a : options_.alphas) {
    const Tensor factor = reshape(square(s.S) / (square(s.S) + a), {-1, 1});
    const Tensor rest = c.y - matmul(s.U, factor * moments);
    const Tensor leverage = reshape(matmul(square(s.U), factor), {-1}) + own;
    errors.push_back(mean(square(rest / reshape(1 - leverage, {-1, 1}))));
  }
  const std::vector<double> all = stack(errors).to_vector<double>();
  const auto best = std::min_element(all.begin(), all.end());
  const double chosen = options_.alphas[best - all.begin()];
  if (!std::isfinite(*best))
    throw ValueError(std::string(op) + ": the errors of samples left out are not finite", where);
  const Tensor factor = reshape(s.S / (square(s.S) + chosen), {-1, 1});
  const Tensor w = transpose(matmul(transpose(s.Vh), factor * moments));
  set_linear(op, *this, w, intercepts(c, w), r.flat, r.x.size(1), where);
  alpha = chosen;
  best_score = -*best;
  cv_errors = from_vector(all, {static_cast<int64_t>(all.size())});
  return *this;
}

}  // namespace glia::classic
