// Roots of functions of one number, and of elementwise functions of many.
#include <fmt/format.h>

#include <boost/math/tools/roots.hpp>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/math/roots.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

struct Search {
  const RealFunction& f;
  double xtol, rtol;
  int64_t maxiter;
  RootScalarResult result = {};

  double operator()(double x) {
    ++result.function_calls;
    return f(x);
  }
  double tolerance(double x) const { return xtol + rtol * std::abs(x); }
  bool next() { return result.iterations < maxiter && (++result.iterations, true); }
  void found(double x) {
    result.root = x;
    result.converged = true;
  }
};

void brent(Search& s, double a, double fa, double b, double fb) {
  double before = a, f_before = fa, other = a, f_other = fa, d = b - a, e = d;
  double x = b, fx = fb;
  while (s.next()) {
    if (fx != 0 && std::signbit(f_before) != std::signbit(fx)) {
      other = before, f_other = f_before;
      d = e = x - before;
    }
    if (std::abs(f_other) < std::abs(fx)) {  // x is the best
      before = x, x = other, other = before;
      f_before = fx, fx = f_other, f_other = f_before;
    }
    const double delta = s.tolerance(x) / 2, half = (other - x) / 2;
    s.result.root = x;
    if (fx == 0 || std::abs(half) < delta) return s.found(x);
    if (std::abs(e) > delta && std::abs(fx) < std::abs(f_before)) {
      double step;
      if (before == other) {
        step = -fx * (x - before) / (fx - f_before);
      } else {
        const double p = (f_before - fx) / (before - x), q = (f_other - fx) / (other - x);
        step = -fx * (f_other * q - f_before * p) / (q * p * (f_other - f_before));
      }
      if (2 * std::abs(step) < std::min(std::abs(e), 3 * std::abs(half) - delta))
        e = d, d = step;
      else
        e = d = half;
    } else {
      e = d = half;
    }
    before = x, f_before = fx;
    x += std::abs(d) > delta ? d : (half > 0 ? delta : -delta);
    fx = s(x);
    if (std::isnan(fx)) return;
  }
}

void bisection(Search& s, double a, double fa, double b) {
  double width = b - a;
  while (s.next()) {
    width /= 2;
    const double middle = a + width, f = s(middle);
    s.result.root = middle;
    if (std::isnan(f)) return;
    if (std::signbit(f) == std::signbit(fa)) a = middle;
    if (f == 0 || std::abs(width) < s.tolerance(middle)) return s.found(middle);
  }
}

void ridders(Search& s, double a, double fa, double b, double fb) {
  while (s.next()) {
    const double half = (b - a) / 2, middle = a + half, fm = s(middle);
    const double root = std::sqrt(fm * fm - fa * fb);
    if (std::isnan(fm)) return;
    double step = std::copysign(1, fb - fa) * half * fm / root;
    step = std::copysign(std::min(std::abs(step), std::abs(half) - s.tolerance(middle) / 2), step);
    const double x = root == 0 ? middle : middle - step, fx = root == 0 ? fm : s(x);
    if (std::isnan(fx)) return;
    if (fx != 0 && std::signbit(fm) != std::signbit(fx)) {
      a = middle, fa = fm, b = x, fb = fx;
    } else if (std::signbit(fb) != std::signbit(fx)) {
      a = x, fa = fx;
    } else {
      b = x, fb = fx;
    }
    s.result.root = x;
    if (fx == 0 || std::abs(b - a) < s.tolerance(x)) return s.found(x);
  }
}

void alefeld(Search& s, double a, double fa, double b, double fb) {
  if (b < a) std::swap(a, b), std::swap(fa, fb);
  auto steps = static_cast<std::uintmax_t>(s.maxiter);
  const auto close = [&](double low, double high) {
    return std::abs(high - low) <= 2 * s.tolerance(std::min(std::abs(low), std::abs(high)));
  };
  const auto [low, high] =
      boost::math::tools::toms748_solve([&](double x) { return s(x); }, a, b, fa, fb, close, steps);
  s.result.iterations = static_cast<int64_t>(steps);
  s.result.root = (low + high) / 2;
  if (close(low, high)) s.found(low == high ? low : (low + high) / 2);
}

void secant(Search& s, double x0, std::optional<double> second) {
  double a = x0, b = second.value_or(x0 * (1 + 1e-4) + (x0 >= 0 ? 1e-4 : -1e-4));
  double fa = s(a), fb = s(b);
  if (std::abs(fb) < std::abs(fa)) std::swap(a, b), std::swap(fa, fb);
  while (s.next()) {
    s.result.root = b;
    if (fb == 0) return s.found(b);
    if (fa == fb) {
      if (a == b) return s.found(b);
      s.result.flag = "the secant is level";
      return;
    }
    const double x = std::abs(fb) > std::abs(fa) ? (-fa / fb * b + a) / (1 - fa / fb)
                                                 : (-fb / fa * a + b) / (1 - fb / fa);
    if (!std::isfinite(x)) return;
    s.result.root = x;
    if (std::abs(x - b) <= s.tolerance(b)) return s.found(x);
    a = b, fa = fb, b = x;
    fb = s(b);
  }
}

void newton_steps(Search& s, double x, const RealFunction& first, const RealFunction& second) {
  while (s.next()) {
    const double f = s(x);
    s.result.root = x;
    if (f == 0) return s.found(x);
    const double slope = first(x);
    ++s.result.function_calls;
    if (slope == 0) {
      s.result.flag = "the derivative is zero";
      return;
    }
    double step = f / slope;
    if (second) {
      ++s.result.function_calls;
      const double by = 1 - step * second(x) / (2 * slope);
      if (std::abs(by - 1) < 1) step /= by;  // else Newton's
    }
    const double next = x - step;
    if (!std::isfinite(next)) return;
    s.result.root = next;
    if (std::abs(next - x) <= s.tolerance(x)) return s.found(next);
    x = next;
  }
}

double bracketed(const char* name, ScalarRootMethod method, const RealFunction& f, double a,
                 double b, double xtol, const Where& where) {
  const RootScalarResult r =
      root_scalar(f, {.method = method, .bracket = std::pair{a, b}, .xtol = xtol}, where);
  if (!r.converged) throw ValueError(fmt::format("{}: {}", name, r.flag), where);
  return r.root;
}

}  // namespace

RootScalarResult root_scalar(const RealFunction& f, const RootScalarOptions& o, Where where) {
  constexpr const char* kName = "root_scalar";
  using enum ScalarRootMethod;
  if (!f) fail(kName, "the function is not given", where);
  if (!o.method && !o.bracket && !o.x0)
    throw ValueError("root_scalar: neither a bracket nor x0 is given", where);
  const ScalarRootMethod method = o.method.value_or(o.bracket               ? kBrentq
                                                    : o.fprime && o.fprime2 ? kHalley
                                                    : o.fprime              ? kNewton
                                                                            : kSecant);
  const bool open = method == kNewton || method == kSecant || method == kHalley;
  Search s{f, o.xtol.value_or(open ? 1.48e-8 : 2e-12), open ? 0 : o.rtol,
           o.maxiter.value_or(open ? 50 : 100)};
  if (!(s.xtol > 0) || !(s.rtol >= 0)) throw ValueError("root_scalar: xtol is not above 0", where);
  if (s.maxiter < 1) throw ValueError("root_scalar: maxiter is below 1", where);
  if (open) {
    if (!o.x0 || !std::isfinite(*o.x0))
      throw ValueError("root_scalar: the method needs a finite x0", where);
    if (method != kSecant && (!o.fprime || (method == kHalley && !o.fprime2)))
      throw ValueError("root_scalar: the method needs fprime, and kHalley fprime2", where);
    if (method == kSecant && o.x1 && *o.x1 == *o.x0)
      throw ValueError("root_scalar: x0 and x1 are equal", where);
    if (method == kSecant)
      secant(s, *o.x0, o.x1);
    else
      newton_steps(s, *o.x0, o.fprime, method == kHalley ? o.fprime2 : RealFunction{});
  } else {
    if (!o.bracket) throw ValueError("root_scalar: the method needs a bracket", where);
    const auto [a, b] = *o.bracket;
    if (!std::isfinite(a) || !std::isfinite(b))
      throw ValueError(fmt::format("root_scalar: the bracket is {} to {}", a, b), where);
    const double fa = s(a), fb = s(b);
    if (std::isnan(fa) || std::isnan(fb))
      throw ValueError("root_scalar: the function is NaN at an end of the bracket", where);
    if (fa == 0 || fb == 0) {
      s.found(fa == 0 ? a : b);
    } else if (std::signbit(fa) == std::signbit(fb)) {
      throw ValueError(
          fmt::format("root_scalar: the function has one sign at both ends: f({}) = {}, f({}) = {}",
                      a, fa, b, fb),
          where);
    } else if (method == kBrentq) {
      brent(s, a, fa, b, fb);
    } else if (method == kBisect) {
      bisection(s, a, fa, b);
    } else if (method == kRidder) {
      ridders(s, a, fa, b, fb);
    } else {
      alefeld(s, a, fa, b, fb);
    }
  }
  if (s.result.flag.empty())
    s.result.flag = s.result.converged                 ? "converged"
                    : s.result.iterations >= s.maxiter ? fmt::format("{} steps are done", s.maxiter)
                                                       : "the function is not finite";
  return s.result;
}

double brentq(const RealFunction& f, double a, double b, double xtol, Where where) {
  return bracketed("brentq", ScalarRootMethod::kBrentq, f, a, b, xtol, where);
}
double bisect(const RealFunction& f, double a, double b, double xtol, Where where) {
  return bracketed("bisect", ScalarRootMethod::kBisect, f, a, b, xtol, where);
}
double ridder(const RealFunction& f, double a, double b, double xtol, Where where) {
  return bracketed("ridder", ScalarRootMethod::kRidder, f, a, b, xtol, where);
}
double toms748(const RealFunction& f, double a, double b, double xtol, Where where) {
  return bracketed("toms748", ScalarRootMethod::kToms748, f, a, b, xtol, where);
}

NewtonResult newton(const Function& f, const Tensor& x0, const NewtonOptions& o, Where where) {
  if (!f) fail("newton", "the function is not given", where);
  if (!(o.tol > 0) || !(o.rtol >= 0) || o.maxiter < 1)
    throw ValueError("newton: tol and maxiter are above 0, rtol is not below", where);
  Tensor x = checked_start("newton", x0, where);
  Tensor done = zeros(x.shape(), kBool), level = zeros(x.shape(), kBool);
  NewtonResult result;
  while (result.nit < o.maxiter && !all(done | level).item<bool>()) {
    ++result.nit;
    const Tensor t = trainable(x), y = f(t);
    if (!y.defined() || y.shape() != x.shape())
      fail("newton",
           fmt::format("the function gives {} for x {}", y.defined() ? y.shape().str() : "nothing",
                       x.shape().str()),
           where);
    require_dependence("newton", y, where);
    const Tensor slope = gradients(sum(y), {t}, {}, where)[0];
    Tensor step = y / slope;
    if (o.halley && slope.requires_grad()) {
      const Tensor by = 1 - step * gradients(sum(slope), {t}, {}, where)[0] / (2 * slope);
      step = glia::where(abs(by - 1) < 1, step / by, step);
    }
    const Tensor zero = y == 0, flat = (slope == 0) & ~zero;
    step = glia::where(zero | flat | done | level, 0, step);
    const Tensor next = stop_gradient(t - step);
    done = done | zero | ((abs(step) <= o.tol + o.rtol * abs(x)) & ~flat & ~level);
    level = level | (flat & ~done);
    x = next;
    eval({x, done, level}, where);
  }
  result.root = x;
  result.converged = done & isfinite(x);
  result.zero_der = level;
  return result;
}

}  // namespace glia::optimize
