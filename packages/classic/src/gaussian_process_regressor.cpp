#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "columns.h"
#include "fitted.h"
#include "gaussian_process.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/math/optimize.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "linear.h"
#include "randomized.h"

namespace glia::classic {

Param kernel_param(Kernel* at) {
  return {"kernel", [at] { return ParamValue(to_text(*at)); },
          [at](const ParamValue& value) {
            if (std::holds_alternative<std::monostate>(value)) return false;
            *at = parse_kernel(to_text(value));
            return true;
          }};
}

Tensor to_tensor_or_none(const std::vector<double>& theta) {
  return theta.empty() ? Tensor() : vector_of(theta);
}

Kernel with_fitted(const Kernel& kernel, const Tensor& theta, Where where) {
  return theta.defined() ? kernel.with_theta(theta.to_vector<double>(), where) : kernel;
}

Fitted likeliest(const std::string& op, const Kernel& kernel, KernelOptimizer optimizer,
                 int64_t restarts, uint64_t seed, const Likelihood& likelihood, Where where) {
  if (restarts < 0)
    throw ValueError(op + ": n_restarts_optimizer = " + std::to_string(restarts), where);
  const std::vector<double> begin = kernel.theta();
  if (optimizer == KernelOptimizer::kNone || begin.empty())
    return {begin, likelihood(kernel).value};
  const auto bounds = kernel.bounds();
  const optimize::ValueAndGradient objective = [&](const std::vector<double>& theta,
                                                   std::vector<double>& gradient) {
    const MarginalLikelihood at = likelihood(kernel.with_theta(theta));
    for (size_t i = 0; i < gradient.size(); ++i) gradient[i] = -at.gradient[i];
    return -at.value;
  };
  data::Random random(seed, 3);
  Fitted best{begin, -std::numeric_limits<double>::infinity()};
  for (int64_t run = 0; run <= restarts; ++run) {
    std::vector<double> theta = begin;
    if (run > 0)
      for (size_t i = 0; i < theta.size(); ++i)
        theta[i] = bounds[i].first + random.uniform() * (bounds[i].second - bounds[i].first);
    const optimize::OptimizeResult found = optimize::minimize_host(
        objective, theta, {.bounds = bounds, .gtol = 1e-6, .ftol = 1e-13, .maxiter = 1000});
    if (-found.fun > best.value) best = {found.x.to_vector<double>(), -found.fun};
  }
  if (!std::isfinite(best.value))
    throw ValueError(op + ": the covariance is not positive definite where the kernel begins; a "
                          "larger alpha, or a WhiteKernel, may help",
                     where);
  return best;
}

namespace {

Tensor with_noise(const Tensor& k, const GaussianProcessRegressorOptions& o) {
  return k + (o.alphas.defined() ? diag(cast(o.alphas, kF64)) : o.alpha * eye(k.size(0), kF64));
}

MarginalLikelihood likelihood_of(const Kernel& kernel, const Tensor& x, const Tensor& y,
                                 const GaussianProcessRegressorOptions& o) {
  const Kernel::Gradient k = kernel.gradient(x);
  const auto n = static_cast<double>(x.size(0)), outputs = static_cast<double>(y.size(1));
  MarginalLikelihood out{-std::numeric_limits<double>::infinity(),
                         std::vector<double>(k.by_theta.size())};
  try {
    const Tensor l = linalg::cholesky(with_noise(k.value, o));
    const Tensor a = linalg::cholesky_solve(y, l);
    const Tensor fit = sum(y * a), logs = sum(log(diagonal(l)));
    eval({l, a, fit, logs});
    out.value =
        -0.5 * fit.item() - outputs * (logs.item() + n / 2 * std::log(2 * std::numbers::pi));
    if (k.by_theta.empty()) return out;
    // 1/2 tr((a a^T - K^-1) dK), of all outputs.
    const Tensor inner = matmul(a, transpose(a)) - outputs * linalg::cholesky_inverse(l);
    std::vector<Tensor> slopes;
    for (const Tensor& by : k.by_theta) slopes.push_back(0.5 * sum(inner * by));
    out.gradient = stack(slopes).to_vector<double>();
  } catch (const ValueError&) {  // not positive definite
  }
  return out;
}

}  // namespace

std::vector<Param> GaussianProcessRegressor::params() {
  auto& o = options_;
  return {kernel_param(&o.kernel),
          {"alpha", &o.alpha},
          {"optimizer", &o.optimizer, {"fmin_l_bfgs_b", "none"}},
          {"n_restarts_optimizer", &o.n_restarts_optimizer},
          {"normalize_y", &o.normalize_y},
          {"random_state", &o.random_state}};
}

GaussianProcessRegressor& GaussianProcessRegressor::fit(const Tensor& x, const Tensor& y,
                                                        const Tensor& sample_weight, Where where) {
  const std::string op = "GaussianProcessRegressor.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  refuse_sample_weight(op, sample_weight, where);
  require_option(o.alpha >= 0 && std::isfinite(o.alpha), op, "alpha", o.alpha, where);
  const Regression r = check_regression(op, x, y, {}, where);
  const int64_t n = r.x.size(0);
  if (o.alphas.defined()) {
    if (o.alphas.shape() != Shape{n})
      throw ShapeError(op + ": alphas is " + o.alphas.shape().str() + ", not " + Shape{n}.str(),
                       where);
    if (!all((o.alphas >= 0) & isfinite(o.alphas)).item<bool>())
      throw ValueError(op + ": alphas has a number below 0, or not finite", where);
  }
  Tensor centre = zeros({r.y.size(1)}, kF64), spread = ones({r.y.size(1)}, kF64);
  if (o.normalize_y) {
    centre = mean(r.y, {0});
    const Tensor deviation = sqrt(var(r.y, {0}, false, 0));
    spread = glia::where(deviation > 0, deviation, 1);
  }
  const Tensor targets = (r.y - centre) / spread;
  eval({r.x, targets, centre, spread});
  const Fitted best = likeliest(
      op, o.kernel, o.optimizer, o.n_restarts_optimizer, o.random_state,
      [&](const Kernel& k) { return likelihood_of(k, r.x, targets, o); }, where);
  const Tensor found = to_tensor_or_none(best.theta);
  const Kernel fitted_kernel = with_fitted(o.kernel, found, where);
  Tensor factor, weights;
  try {
    factor = linalg::cholesky(with_noise(fitted_kernel(r.x), o));
    weights = linalg::cholesky_solve(targets, factor);
    eval({factor, weights}, where);
  } catch (const ValueError&) {
    throw ValueError(op + ": the covariance by " + to_text(fitted_kernel) +
                         " is not positive definite; a larger alpha may help",
                     where);
  }
  X_train = r.x;
  y_train = targets;
  L = factor;
  alpha = weights;
  theta = found;
  log_marginal_likelihood_value = best.value;
  y_mean_ = centre;
  y_std_ = spread;
  flat_ = r.flat;
  n_features_in = r.x.size(1);
  return *this;
}

Kernel GaussianProcessRegressor::kernel(Where where) const {
  require_fitted("GaussianProcessRegressor.kernel", fitted(), where);
  return with_fitted(options_.kernel, theta, where);
}

Tensor GaussianProcessRegressor::posterior_mean(const Tensor& across) const {
  return y_std_ * matmul(across, alpha) + y_mean_;
}

// (..., outputs) without its last axis where y was flat.
Tensor GaussianProcessRegressor::shaped(const Tensor& of_outputs) const {
  return flat_ != 0 ? squeeze(of_outputs, -1) : of_outputs;
}

Tensor GaussianProcessRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianProcessRegressor.predict", x, n_features_in, where);
  return shaped(posterior_mean(kernel(where)(given, X_train)));
}

GaussianProcessRegressor::MeanStd GaussianProcessRegressor::predict_std(const Tensor& x,
                                                                        Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianProcessRegressor.predict_std", x, n_features_in, where);
  const Kernel k = kernel(where);
  const Tensor across = k(given, X_train);
  const Tensor known = linalg::solve_triangular(L, transpose(across));
  const Tensor variance = maximum(k.diag(given) - sum(square(known), {0}), 0.0);
  return {shaped(posterior_mean(across)), shaped(sqrt(unsqueeze(variance, 1) * square(y_std_)))};
}

GaussianProcessRegressor::MeanCov GaussianProcessRegressor::predict_cov(const Tensor& x,
                                                                        Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianProcessRegressor.predict_cov", x, n_features_in, where);
  const Kernel k = kernel(where);
  const Tensor across = k(given, X_train);
  const Tensor known = linalg::solve_triangular(L, transpose(across));
  const Tensor cov = k(given) - matmul(transpose(known), known);
  return {shaped(posterior_mean(across)), shaped(unsqueeze(cov, 2) * square(y_std_))};
}

Tensor GaussianProcessRegressor::sample_y(const Tensor& x, int64_t n_samples, uint64_t random_state,
                                          Where where) const {
  if (n_samples < 1)
    throw ValueError("GaussianProcessRegressor.sample_y: n_samples = " + std::to_string(n_samples),
                     where);
  const NoGrad no_grad;
  const MeanCov known = predict_cov(x, where);
  const bool flat = flat_ != 0;
  const Tensor mean = flat ? unsqueeze(known.mean, 1) : known.mean;
  const Tensor covs = flat ? unsqueeze(known.cov, 2) : known.cov;
  std::vector<Tensor> outputs;
  for (int64_t o = 0; o < mean.size(1); ++o) {
    const linalg::EighResult e = linalg::eigh(index(covs, {Slice{}, Slice{}, o}));
    const Tensor root = e.eigenvectors * sqrt(maximum(e.eigenvalues, 0.0));
    const Tensor z =
        normal_numbers({mean.size(0), n_samples}, random_state + static_cast<uint64_t>(o));
    outputs.push_back(unsqueeze(index(mean, {Slice{}, o}), 1) + matmul(root, z));
  }
  Tensor drawn = flat ? outputs[0] : stack(outputs, 1);
  eval(drawn, where);
  return drawn;
}

MarginalLikelihood GaussianProcessRegressor::log_marginal_likelihood(const std::vector<double>& at,
                                                                     Where where) const {
  const NoGrad no_grad;
  require_fitted("GaussianProcessRegressor.log_marginal_likelihood", fitted(), where);
  return likelihood_of(options_.kernel.with_theta(at, where), X_train, y_train, options_);
}

std::vector<FittedAttribute> GaussianProcessRegressor::attributes() {
  return {{"X_train", &X_train, {-1, -2}},
          {"y_train", &y_train, {-1, -1}},
          {"L", &L, {-1, -1}},
          {"alpha", &alpha, {-1, -1}},
          {"theta", &theta, {-1}, kF64, true},
          {"log_marginal_likelihood_value", &log_marginal_likelihood_value, {}},
          {"y_mean", &y_mean_, {-1}},
          {"y_std", &y_std_, {-1}},
          {"flat", &flat_, {}}};
}

StateDict GaussianProcessRegressor::state_dict(Where where) const {
  GaussianProcessRegressor copy = *this;
  return fitted_state(copy, copy.attributes(), where);
}

void GaussianProcessRegressor::load_state_dict(const StateDict& state, Where where) {
  GaussianProcessRegressor fresh = *this;
  load_fitted_state(fresh, fresh.attributes(), state, where);
  const int64_t n = fresh.X_train.size(0), outputs = fresh.y_train.size(1);
  const size_t count = fresh.theta.defined() ? static_cast<size_t>(fresh.theta.size(0)) : 0;
  if (fresh.y_train.size(0) != n || fresh.L.shape() != Shape{n, n} ||
      fresh.alpha.shape() != Shape{n, outputs} || fresh.y_mean_.shape() != Shape{outputs} ||
      fresh.y_std_.shape() != Shape{outputs} || options_.kernel.theta().size() != count ||
      (fresh.flat_ != 0 && outputs != 1))
    throw Error("GaussianProcessRegressor.load_state_dict: its parts do not fit together", where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
