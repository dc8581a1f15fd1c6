#include "glia/classic/kernel_ridge.h"

#include <cmath>

#include "fitted.h"
#include "glia/classic/metrics.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {

std::vector<Param> KernelRidge::params() {
  auto& o = options_;
  return {{"alpha", &o.alpha},
          {"kernel",
           &o.kernel,
           {"linear", "poly", "rbf", "sigmoid", "laplacian", "cosine", "chi2", "additive_chi2",
            "precomputed"}},
          {"gamma", &o.gamma},
          {"degree", &o.degree},
          {"coef0", &o.coef0}};
}

Tensor KernelRidge::kernel_of(const Tensor& x, const Tensor& y, Where where) const {
  const auto& o = options_;
  switch (o.kernel) {
    case RidgeKernel::kLinear:
      return linear_kernel(x, y, where);
    case RidgeKernel::kPoly:
      return polynomial_kernel(x, y, o.degree, o.gamma, o.coef0, where);
    case RidgeKernel::kRbf:
      return rbf_kernel(x, y, o.gamma, where);
    case RidgeKernel::kSigmoid:
      return sigmoid_kernel(x, y, o.gamma, o.coef0, where);
    case RidgeKernel::kLaplacian:
      return laplacian_kernel(x, y, o.gamma, where);
    case RidgeKernel::kCosine:
      return cosine_similarity(x, y, where);
    case RidgeKernel::kChi2:
      return chi2_kernel(x, y, o.gamma.value_or(1), where);
    case RidgeKernel::kAdditiveChi2:
      return additive_chi2_kernel(x, y, where);
    default:
      return x;
  }
}

KernelRidge& KernelRidge::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                              Where where) {
  const char* op = "KernelRidge.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  require_option(o.alpha >= 0 && std::isfinite(o.alpha), op, "alpha", o.alpha, where);
  require_option(!o.gamma || (*o.gamma >= 0 && std::isfinite(*o.gamma)), op, "gamma",
                 o.gamma.value_or(0), where);
  require_option(o.degree >= 0 && std::isfinite(o.degree), op, "degree", o.degree, where);
  require_option(std::isfinite(o.coef0), op, "coef0", o.coef0, where);
  const Regression r = check_regression(op, x, y, sample_weight, where);
  const int64_t n = r.x.size(0);
  if (o.kernel == RidgeKernel::kPrecomputed && r.x.size(1) != n)
    throw ShapeError(std::string(op) + ": a kernel is square, not " + r.x.shape().str(), where);
  Tensor k = kernel_of(r.x, r.x, where), targets = r.y, root;
  if (r.weight.defined()) {
    root = unsqueeze(sqrt(r.weight), 1);
    targets = targets * root;
    k = k * root * transpose(root);
  }
  k = k + o.alpha * eye(n, kF64);
  eval(k, where);
  Tensor dual;
  try {
    dual = linalg::cholesky_solve(targets, linalg::cholesky(k));
    eval(dual);
    if (!all(isfinite(dual)).item<bool>()) dual = {};
  } catch (const ValueError&) {
    dual = {};
  }
  if (!dual.defined())  // singular: the shortest of all solutions
    dual = linalg::lstsq(k, targets, {.driver = linalg::LstsqDriver::kGelsd}).solution;
  if (root.defined()) dual = dual * root;
  if (!all(isfinite(dual)).item<bool>())
    throw ValueError(std::string(op) + ": the coefficients are beyond f64", where);
  if (r.flat) dual = reshape(dual, {n});
  eval({dual, r.x}, where);
  dual_coef = dual;
  X_fit = r.x;
  n_features_in = r.x.size(1);
  return *this;
}

Tensor KernelRidge::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("KernelRidge.predict", x, n_features_in, where), kF64);
  const Tensor k = kernel_of(given, X_fit, where);
  return dual_coef.rank() == 1 ? squeeze(matmul(k, unsqueeze(dual_coef, 1)), 1)
                               : matmul(k, dual_coef);
}

std::vector<FittedAttribute> KernelRidge::attributes() {
  return {{"dual_coef", &dual_coef, {-1}}, {"X_fit", &X_fit, {-1, -2}}};
}

StateDict KernelRidge::state_dict(Where where) const {
  KernelRidge copy = *this;
  return fitted_state(copy, copy.attributes(), where);
}

void KernelRidge::load_state_dict(const StateDict& state, Where where) {
  KernelRidge fresh = *this;
  std::vector<FittedAttribute> all = fresh.attributes();
  for (const auto& [key, value] : state)
    if (key == "dual_coef" && value.defined() && value.rank() == 2) all[0].shape = {-1, -1};
  load_fitted_state(fresh, all, state, where);
  if (fresh.dual_coef.size(0) != fresh.X_fit.size(0))
    throw Error("KernelRidge.load_state_dict: dual_coef does not fit X_fit", where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
