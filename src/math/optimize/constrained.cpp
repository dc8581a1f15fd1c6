// Constraints as terms of the function, whose multipliers are learned (Hestenes 1969, Powell 1969;
// Rockafellar 1974 for inequalities; Nocedal & Wright 2006, 17.4).
#include <fmt/format.h>

#include <chrono>

#include "glia/op.h"
#include "glia/ops.h"
#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

Tensor checked_values(const Tensor& c, size_t i, const Where& where) {
  if (!c.defined() || c.numel() == 0)
    fail("minimize", fmt::format("constraint {} gives nothing", i), where);
  return reshape(cast(c, kF64), {c.numel()});
}

}  // namespace

OptimizeResult augmented_lagrangian(const Function& fun, const Tensor& x0,
                                    const MinimizeOptions& options, const Where& where) {
  const std::vector<Constraint>& all = options.constraints;
  const double sign = options.maximize ? -1 : 1;
  const double ctol = options.ctol.value_or(1e-8);
  const double gtol = options.gtol.value_or(options.tol.value_or(1e-6));
  Tensor x = checked_start("minimize", x0, where);
  std::vector<Vector> multipliers;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].fun) fail("minimize", fmt::format("constraint {} has no function", i), where);
    NoGrad none;
    multipliers.emplace_back(host_values(checked_values(all[i].fun(x), i, where)).size());
  }
  double penalty = 10, worst_before = INFINITY;
  double inner_tolerance = std::max(gtol, 0.1);
  const int64_t rounds = options.maxiter.value_or(100);
  OptimizeResult total;
  total.trace.push_back(NAN);
  int64_t nit = 0, nfev = 0, njev = 0;
  const auto began = std::chrono::steady_clock::now();
  for (int64_t round = 0; round < rounds; ++round) {
    // f + sum over equalities of m c + p c^2 / 2, over inequalities of ((max(0, m - p c))^2 - m^2)
    // / 2p.
    const Function lagrangian = [&](const Tensor& at) {
      const Tensor f = fun(at);
      if (!f.defined() || f.numel() != 1)
        fail("minimize",
             fmt::format("the function gives {} instead of one number",
                         f.defined() ? f.shape().str() : "nothing"),
             where);
      Tensor sum_of = sign * reshape(cast(f, kF64), {});
      for (size_t i = 0; i < all.size(); ++i) {
        const Tensor c = checked_values(all[i].fun(at), i, where);
        const Tensor m = from_vector(multipliers[i], c.shape());
        if (all[i].type == ConstraintType::kEquality)
          sum_of = sum_of + sum(m * c) + penalty / 2 * sum(square(c));
        else
          sum_of = sum_of + sum(square(maximum(m - penalty * c, 0)) - square(m)) / (2 * penalty);
      }
      return sum_of;
    };
    MinimizeOptions inner;
    inner.bounds = options.bounds;
    inner.derivatives = options.derivatives;
    inner.gtol = inner_tolerance;
    inner.ftol = 0;
    inner.maxcor = options.maxcor;
    if (options.maxfev) inner.maxfev = std::max<int64_t>(1, *options.maxfev - nfev);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began;
    if (options.max_seconds)
      inner.max_seconds = std::max(0.0, *options.max_seconds - spent.count());
    Problem problem("minimize", lagrangian, x, inner, where);
    const OptimizeResult one = lbfgsb(problem);
    nit += one.nit, nfev += one.nfev, njev += one.njev;
    if (one.status == Status::kNotFinite) {
      total = one;
      total.nit = nit, total.nfev = nfev, total.njev = njev;
      return total;
    }
    const Vector x_before = host_values(x), x_now = host_values(one.x);
    x = one.x;
    double worst = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      NoGrad none;
      const Vector c = host_values(checked_values(all[i].fun(x), i, where));
      for (size_t k = 0; k < c.size(); ++k) {
        double& m = multipliers[i][k];
        if (all[i].type == ConstraintType::kEquality) {
          worst = std::max(worst, std::abs(c[k]));
          m += penalty * c[k];
        } else {
          // What is not met, and a multiplier of what does not bind.
          worst = std::max(worst, std::abs(std::min(c[k], m / penalty)));
          m = std::max(0.0, m - penalty * c[k]);
        }
      }
    }
    const bool still = length(difference(x_now, x_before)) <= 1e-8 * (1 + length(x_now));
    total.x = x;
    total.jac = one.jac;
    {
      NoGrad none;
      total.fun = fun(x).item();
    }
    total.nit = nit, total.nfev = nfev, total.njev = njev;
    total.trace.push_back(total.fun);
    total.maxcv = worst;
    const bool flat = one.success || one.status == Status::kPrecisionLoss;
    if (worst <= ctol && flat && (inner_tolerance <= gtol || still)) {
      total.status = Status::kConverged, total.success = true;
      total.message = "the constraints are within ctol and the gradient within gtol";
      break;
    }
    if (worst <= ctol && options.f_target && sign * total.fun <= sign * *options.f_target) {
      total.status = Status::kConverged, total.success = true;
      total.message = "the value that was asked for is reached";
      break;
    }
    if (one.status == Status::kMaxEvaluations || one.status == Status::kMaxTime) {
      total.status = one.status, total.success = false;
      total.message = one.message;
      break;
    }
    if (options.callback && options.callback(total)) {
      total.status = Status::kCallback, total.success = false;
      total.message = "the callback has stopped it";
      break;
    }
    if (worst > 0.25 * worst_before) penalty = std::min(10 * penalty, 1e12);
    worst_before = worst;
    inner_tolerance = std::max(gtol, 0.1 * inner_tolerance);
    total.status = worst <= ctol ? Status::kMaxIterations : Status::kInfeasible;
    total.success = false;
    total.message = fmt::format("after {} rounds constraints are violated by {:g}", rounds, worst);
  }
  for (const Vector& m : multipliers)
    total.v.push_back(from_vector(m, {static_cast<int64_t>(m.size())}));
  NoGrad none;
  total.trace[0] = fun(checked_start("minimize", x0, where)).item();
  return total;
}

}  // namespace glia::optimize
