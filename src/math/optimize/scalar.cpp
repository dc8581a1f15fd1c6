// Minima of functions of one number.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "glia/math/optimize.h"
#include "glia/op.h"

namespace glia::optimize {
namespace {

constexpr double kGolden = 0.3819660112501051518;  // (3 - sqrt 5) / 2

struct Counted {
  const RealFunction& f;
  int64_t calls = 0;
  double operator()(double x) {
    ++calls;
    return f(x);
  }
};
struct Bracket {
  double a, b, c, fb;  // b between a and c, and f not above there
};

// Downhill from a to b and on, by parabolas and golden sections (Press et al. 1992, 10.1).
Bracket find_bracket(Counted& f, double a, double b, const Where& where) {
  constexpr double kGrow = 1.618034, kMost = 110;
  double fa = f(a), fb = f(b);
  if (fa < fb) std::swap(a, b), std::swap(fa, fb);
  double c = b + kGrow * (b - a), fc = f(c);
  for (int i = 0; fc < fb; ++i) {
    if (i >= 1000 || !std::isfinite(c))
      throw ValueError("minimize_scalar: no bracket: the function falls without end", where);
    const double t1 = (b - a) * (fb - fc), t2 = (b - c) * (fb - fa);
    double below = 2 * (t2 - t1);
    if (std::abs(below) < 1e-21) below = std::copysign(1e-21, below);
    const double limit = b + kMost * (c - b);
    double u = b - ((b - c) * t2 - (b - a) * t1) / below, fu;
    if ((u - c) * (b - u) > 0) {
      fu = f(u);
      if (fu < fc) {
        a = b, b = u, fb = fu;
        break;
      }
      if (fu > fb) {
        c = u, fc = fu;
        break;
      }
      u = c + kGrow * (c - b);
      fu = f(u);
    } else if ((u - limit) * (limit - c) >= 0) {
      u = limit;
      fu = f(u);
    } else if ((u - limit) * (c - u) > 0) {
      fu = f(u);
      if (fu < fc) {
        b = c, c = u, fb = fc, fc = fu;
        u = c + kGrow * (c - b);
        fu = f(u);
      }
    } else {
      u = c + kGrow * (c - b);
      fu = f(u);
    }
    a = b, b = c, c = u;
    fa = fb, fb = fc, fc = fu;
  }
  if (!std::isfinite(fb) && std::isnan(fb))
    throw ValueError("minimize_scalar: the function is NaN", where);
  return {std::min(a, c), b, std::max(a, c), fb};
}

Bracket bracket_of(Counted& f, const std::vector<double>& given, const Where& where) {
  for (double v : given) {
    if (!std::isfinite(v)) throw ValueError("minimize_scalar: the bracket is not finite", where);
  }
  if (given.size() == 2) {
    if (given[0] == given[1])
      throw ValueError("minimize_scalar: both points of the bracket are equal", where);
    return find_bracket(f, given[0], given[1], where);
  }
  if (given.size() != 3)
    throw ValueError(fmt::format("minimize_scalar: a bracket of {} points", given.size()), where);
  const double a = std::min(given[0], given[2]), b = given[1], c = std::max(given[0], given[2]);
  const double fb = f(b);
  if (!(a < b && b < c && fb < f(a) && fb < f(c)))
    throw ValueError("minimize_scalar: of the bracket a < b < c, f(b) < f(a), f(c) do not hold",
                     where);
  return {a, b, c, fb};
}

// Brent 1973, 5.8. The tolerance is relative * |x| + absolute.
MinimizeScalarResult brent(Counted& f, Bracket at, bool begun, double relative, double absolute,
                           int64_t maxiter) {
  double a = at.a, b = at.c;
  double x = begun ? at.b : a + kGolden * (b - a), fx = begun ? at.fb : f(x);
  double w = x, v = x, fw = fx, fv = fx, d = 0, e = 0;
  MinimizeScalarResult r{};
  for (r.nit = 0; r.nit < maxiter; ++r.nit) {
    const double tol = relative * std::abs(x) + absolute, middle = (a + b) / 2;
    if (std::abs(x - middle) <= 2 * tol - (b - a) / 2) break;
    bool golden = true;
    if (std::abs(e) > tol) {
      const double s = (x - w) * (fx - fv);
      double q = (x - v) * (fx - fw), p = (x - v) * q - (x - w) * s;
      q = 2 * (q - s);
      if (q > 0) p = -p;
      q = std::abs(q);
      const double before = e;
      e = d;
      if (std::abs(p) < std::abs(q * before / 2) && p > q * (a - x) && p < q * (b - x)) {
        d = p / q;
        const double u = x + d;
        if (u - a < 2 * tol || b - u < 2 * tol) d = x < middle ? tol : -tol;
        golden = false;
      }
    }
    if (golden) {
      e = x < middle ? b - x : a - x;
      d = kGolden * e;
    }
    const double u = std::abs(d) >= tol ? x + d : x + (d > 0 ? tol : -tol);
    const double fu = f(u);
    if (fu <= fx) {
      (u < x ? b : a) = x;
      v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
    } else {
      (u < x ? a : b) = u;
      if (fu <= fw || w == x) {
        v = w, fv = fw, w = u, fw = fu;
      } else if (fu <= fv || v == x || v == w) {
        v = u, fv = fu;
      }
    }
  }
  r.success = r.nit < maxiter && !std::isnan(fx);
  r.x = x, r.fun = fx;
  return r;
}

MinimizeScalarResult golden(Counted& f, const Bracket& at, double tol, int64_t maxiter) {
  double low = at.a, high = at.c, x1, x2;
  if (std::abs(high - at.b) > std::abs(at.b - low))
    x1 = at.b, x2 = at.b + kGolden * (high - at.b);
  else
    x2 = at.b, x1 = at.b - kGolden * (at.b - low);
  double f1 = f(x1), f2 = f(x2);
  MinimizeScalarResult r{};
  for (r.nit = 0; r.nit < maxiter; ++r.nit) {
    if (std::abs(high - low) <= tol * (std::abs(x1) + std::abs(x2))) break;
    if (f2 < f1) {
      low = x1, x1 = x2, f1 = f2;
      x2 = high - kGolden * (high - low);
      f2 = f(x2);
    } else {
      high = x2, x2 = x1, f2 = f1;
      x1 = low + kGolden * (high - low);
      f1 = f(x1);
    }
  }
  r.success = r.nit < maxiter && !std::isnan(f1) && !std::isnan(f2);
  r.x = f1 < f2 ? x1 : x2, r.fun = std::min(f1, f2);
  return r;
}

}  // namespace

MinimizeScalarResult minimize_scalar(const RealFunction& fun, const MinimizeScalarOptions& options,
                                     Where where) {
  if (!fun) fail("minimize_scalar", "the function is not given", where);
  const ScalarMethod method =
      options.method.value_or(options.bounds ? ScalarMethod::kBounded : ScalarMethod::kBrent);
  if (options.tol && !(*options.tol >= 0))
    throw ValueError("minimize_scalar: tol is negative or NaN", where);
  if (options.maxiter < 1) throw ValueError("minimize_scalar: maxiter is below 1", where);
  if ((method == ScalarMethod::kBounded) != options.bounds.has_value())
    throw ValueError("minimize_scalar: kBounded, and it alone, has bounds", where);
  Counted f{fun};
  MinimizeScalarResult r{};
  if (method == ScalarMethod::kBounded) {
    const auto [low, high] = *options.bounds;
    if (!(low <= high && std::isfinite(low) && std::isfinite(high)))
      throw ValueError(fmt::format("minimize_scalar: the bounds are {} and {}", low, high), where);
    // SciPy's: the tolerance is sqrt(eps) |x| + xatol / 3.
    r = brent(f, {low, low, high, 0}, false, std::sqrt(0x1p-52), options.tol.value_or(1e-5) / 3,
              options.maxiter);
  } else {
    const Bracket bracket = bracket_of(f, options.bracket, where);
    if (method == ScalarMethod::kBrent)
      r = brent(f, bracket, true, options.tol.value_or(1.48e-8), 1e-11, options.maxiter);
    else
      r = golden(f, bracket, options.tol.value_or(std::sqrt(0x1p-52)), options.maxiter);
  }
  r.nfev = f.calls;
  r.message = r.success           ? "x is within the tolerance"
              : std::isnan(r.fun) ? "the function is NaN"
                                  : fmt::format("{} iterations are done", options.maxiter);
  return r;
}

}  // namespace glia::optimize
