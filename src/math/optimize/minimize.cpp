// Which method, and whether it can do what is asked.
#include <fmt/format.h>

#include "glia/op.h"
#include "glia/ops.h"
#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

void require_options(const MinimizeOptions& o, Method method, const Where& where) {
  const auto require = [&](bool ok, const char* what) {
    if (!ok) throw ValueError(fmt::format("minimize: {}", what), where);
  };
  for (const auto& t : {o.tol, o.gtol, o.ftol, o.xtol, o.xatol, o.fatol, o.ctol})
    require(!t || *t >= 0, "a tolerance is negative or NaN");
  require(!o.maxiter || *o.maxiter >= 0, "maxiter is negative");
  require(!o.maxfev || *o.maxfev >= 1, "maxfev is below 1");
  require(o.lr > 0 && std::isfinite(o.lr), "lr is not above 0");
  require(o.momentum >= 0 && o.momentum < 1, "momentum is not in [0, 1)");
  const double c2 = o.c2.value_or(method == Method::kCG ? 0.4 : 0.9);
  require(o.c1 > 0 && o.c1 < c2 && c2 < 1, "0 < c1 < c2 < 1 does not hold");
  require(o.maxcor >= 1 && o.maxcor <= 1000, "maxcor is not in 1 .. 1000");
  require(o.initial_trust_radius > 0 && o.max_trust_radius >= o.initial_trust_radius &&
              o.eta >= 0 && o.eta < 0.25,
          "of the trust region 0 < initial <= max and 0 <= eta < 0.25 do not hold");
  const bool bounds = method == Method::kNelderMead || method == Method::kProjectedGradient ||
                      method == Method::kLBFGSB || method == Method::kAugmentedLagrangian;
  require(o.bounds.empty() || bounds, "the method has no bounds");
  require(o.constraints.empty() || method == Method::kAugmentedLagrangian,
          "only kAugmentedLagrangian has constraints");
  require(
      method != Method::kAugmentedLagrangian || (!o.jac && !o.hess),
      "kAugmentedLagrangian has no jac and hess: gradients are those of the sum with constraints");
  require(!o.projection || method == Method::kProjectedGradient,
          "only kProjectedGradient has a projection");
  const bool fixed = o.line_search == LineSearch::kFixed;
  require(!fixed || method == Method::kGradientDescent, "only kGradientDescent has a fixed step");
  require(o.momentum == 0 || fixed, "momentum is for a fixed step");
}

Method method_of(const MinimizeOptions& options, const Where& where) {
  const Method method =
      options.method.value_or(!options.constraints.empty() ? Method::kAugmentedLagrangian
                              : !options.bounds.empty()    ? Method::kLBFGSB
                                                           : Method::kBFGS);
  require_options(options, method, where);
  return method;
}

OptimizeResult run(Problem& problem, Method method) {
  switch (method) {
    case Method::kNelderMead:
      return nelder_mead(problem);
    case Method::kGradientDescent:
      return gradient_descent(problem);
    case Method::kProjectedGradient:
      return projected_gradient(problem);
    case Method::kCG:
      return conjugate_gradients(problem);
    case Method::kLBFGSB:
      return lbfgsb(problem);
    case Method::kNewton:
      return newton(problem);
    case Method::kNewtonCG:
      return newton_cg(problem);
    case Method::kDogleg:
    case Method::kTrustNCG:
    case Method::kTrustExact:
      return trust_region(problem, method);
    default:
      return bfgs(problem);
  }
}

}  // namespace

OptimizeResult minimize(const Function& fun, const Tensor& x0, const MinimizeOptions& options,
                        Where where) {
  const Method method = method_of(options, where);
  if (!fun) fail("minimize", "the function is not given", where);
  if (method == Method::kAugmentedLagrangian) return augmented_lagrangian(fun, x0, options, where);
  Problem problem("minimize", fun, x0, options, where);
  return run(problem, method);
}

OptimizeResult minimize_host(const ValueAndGradient& fun, const std::vector<double>& x0,
                             const MinimizeOptions& options, Where where) {
  const Method method = method_of(options, where);
  if (method == Method::kAugmentedLagrangian)
    throw ValueError("minimize_host: kAugmentedLagrangian is for functions of tensors", where);
  Problem problem("minimize_host", fun, from_vector(x0, {static_cast<int64_t>(x0.size())}), options,
                  where);
  return run(problem, method);
}

Tensor rosen(const Tensor& x, Where where) {
  require_defined("rosen", x, where);
  if (x.rank() != 1 || x.size(0) < 2)
    fail("rosen", "x is (N) with N >= 2, not " + x.shape().str(), where);
  const Tensor a = slice(x, 0, {0, -1}), b = slice(x, 0, {1});
  return sum(100 * square(b - square(a)) + square(1 - a));
}

}  // namespace glia::optimize
