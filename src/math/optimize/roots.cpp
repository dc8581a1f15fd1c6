// Roots of systems of equations.
#include <fmt/format.h>

#include "glia/autodiff.h"
#include "glia/math/least_squares.h"
#include "glia/math/roots.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "math/optimize/residuals.h"

namespace glia::optimize {
namespace {

using Outcome = std::pair<bool, std::string>;

// Powell's hybrid method as MINPACK has it (More, Garbow & Hillstrom 1980).
Outcome hybrid(Residuals& f, double xtol, int64_t maxfev, Vector& x, Vector& fx, int64_t& nit) {
  const int64_t n = f.columns();
  double size = length(fx), radius = 0;
  Vector scale(static_cast<size_t>(n));
  const auto scaled = [&](const Vector& v) {
    Vector out(v);
    for (int64_t k = 0; k < n; ++k) out[k] *= scale[k];
    return length(out);
  };
  bool first = true;
  int slow = 0, slow_jacobians = 0;
  if (size == 0) return {true, "the function is zero"};
  while (true) {
    HostMatrix j = f.jacobian(x, fx);
    bool fresh = true;
    int failures = 0;
    for (int64_t k = 0; k < n; ++k) {
      const auto begin = j.at.begin() + k * n;
      const double column = length(Vector(begin, begin + n));
      scale[k] = first ? (column == 0 ? 1 : column) : std::max(scale[k], column);
    }
    if (first) {
      radius = 100 * scaled(x);
      if (radius == 0) radius = 100;
    }
    while (true) {
      ++nit;
      // Newton's step, and where the linear model is least along the gradient, in scaled numbers.
      const Vector g = transposed_times(j, fx);
      const LuFactors factors(j);
      Vector p = factors.singular() ? Vector(static_cast<size_t>(n), INFINITY)
                                    : times(-1, factors.solve(fx));
      if (!all_finite(p) || scaled(p) > radius) {
        Vector cauchy(g), in_scale(g);
        for (int64_t k = 0; k < n; ++k) {
          in_scale[k] = -g[k] / scale[k];
          cauchy[k] = in_scale[k] / scale[k];
        }
        const double g_size = length(in_scale);
        if (g_size == 0)
          return {false, "the gradient of the sum of squares is zero: no root there"};
        const double along = g_size / length(j * cauchy);  // to the least, times g_size
        const double to_cauchy = along * along;
        if (!all_finite(p) || to_cauchy * g_size >= radius) {
          p = times(std::min(to_cauchy, radius / g_size), cauchy);
        } else {
          Vector c = times(to_cauchy, cauchy), rest = difference(p, c), cs(c), rs(rest);
          for (int64_t k = 0; k < n; ++k) cs[k] *= scale[k], rs[k] *= scale[k];
          const double a = dot(rs, rs), b = dot(cs, rs), d = dot(cs, cs) - radius * radius;
          const double root = std::sqrt(std::max(0.0, b * b - a * d));
          p = moved(c, b > 0 ? -d / (b + root) : (root - b) / a, rest);
        }
      }
      const double p_size = scaled(p);
      if (first) radius = std::min(radius, p_size);
      const Vector x_new = moved(x, 1, p);
      const Vector f_new = f.values(x_new);
      const double size_new = length(f_new);
      const double actual = size_new < size ? 1 - (size_new / size) * (size_new / size) : -1;
      const Vector model = moved(fx, 1, j * p);
      const double rest = length(model) / size;
      const double predicted = rest < 1 ? 1 - rest * rest : 0;
      const double ratio = predicted > 0 && std::isfinite(size_new) ? actual / predicted : 0;
      if (ratio < 0.1) {
        ++failures;
        radius /= 2;
      } else {
        failures = 0;
        if (ratio >= 0.5) radius = std::max(radius, 2 * p_size);
        if (std::abs(ratio - 1) <= 0.1) radius = 2 * p_size;
      }
      first = false;
      const Vector f_before = fx;
      if (ratio >= 1e-4) {
        x = x_new, fx = f_new;
        size = size_new;
      }
      ++slow;
      if (actual >= 0.001) slow = 0;
      if (fresh) ++slow_jacobians;
      if (actual >= 0.1) slow_jacobians = 0;
      if (size == 0 || radius <= xtol * scaled(x))
        return {true, size == 0 ? "the function is zero" : "x changes by less than tol"};
      if (f.nfev >= maxfev) return {false, fmt::format("{} values are computed", f.nfev)};
      if (0.1 * std::max(0.1 * radius, p_size) <= 0x1p-52 * scaled(x))
        return {false, "tol is too small: no digits are left"};
      if (slow_jacobians >= 5) return {false, "no progress in five Jacobians"};
      if (slow >= 10) return {false, "no progress in ten steps"};
      if (failures == 2 || !all_finite(f_new)) break;
      // Broyden's change, in scaled numbers: J += (f_new - model) (D^2 p)^T / |D p|^2.
      for (int64_t k = 0; k < n; ++k) {
        const double by = scale[k] * (scale[k] * p[k]) / (p_size * p_size);
        for (int64_t i = 0; i < n; ++i) j(i, k) += (f_new[i] - model[i]) * by;
      }
      fresh = false;
    }
  }
}

// A step along d that lowers |f|^2 enough (Armijo); x and fx move.
bool lower(Residuals& f, const Vector& d, Vector& x, Vector& fx) {
  const double before = length(fx);
  for (double t = 1; t > 1e-12; t /= 2) {
    Vector x_new = moved(x, t, d), f_new = f.values(x_new);
    if (all_finite(f_new) && length(f_new) <= (1 - 1e-4 * t) * before) {
      x = std::move(x_new), fx = std::move(f_new);
      return true;
    }
  }
  return false;
}

Outcome broyden(Residuals& f, double tol, int64_t maxiter, Vector& x, Vector& fx, int64_t& nit) {
  const int64_t n = f.columns();
  const double first = length(fx) > 0 ? 0.5 * std::max(length(x), 1.0) / length(fx) : 1;
  HostMatrix inverse = identity(n);
  const auto reset = [&] {
    inverse = identity(n);
    for (double& v : inverse.at) v *= -first;
  };
  reset();
  bool fresh = true;
  for (nit = 0; largest(fx) > tol; ++nit) {
    if (nit >= maxiter) return {false, fmt::format("{} iterations are done", maxiter)};
    const Vector x_before = x, f_before = fx;
    const Vector d = inverse * fx;
    if (!lower(f, d, x, fx)) {
      // A direction may be of use where the values do not fall: a full step that learns.
      Vector x_new = moved(x, 1, d), f_new = f.values(x_new);
      if (fresh || !all_finite(f_new) || length(f_new) > 10 * length(fx)) {
        if (fresh) return {false, "no step lowers the function"};
        reset();
        fresh = true;
        continue;
      }
      x = std::move(x_new), fx = std::move(f_new);
    }
    // inverse is that of -J: s = -inverse y for the new one (Sherman & Morrison 1950).
    const Vector s = difference(x, x_before), y = difference(fx, f_before);
    const Vector hy = times(-1, inverse * y), sh = times(-1, transposed_times(inverse, s));
    const double below = dot(s, hy);
    if (std::abs(below) > 1e-14 * length(s) * length(hy)) {
      for (int64_t k = 0; k < n; ++k) {
        for (int64_t i = 0; i < n; ++i) inverse(i, k) -= (s[i] - hy[i]) * sh[k] / below;
      }
    }
    fresh = false;
  }
  return {true, "the function is within tol"};
}

Outcome newton_krylov(Residuals& f, const Function& fun, double tol, int64_t maxiter, bool autodiff,
                      Vector& x, Vector& fx, int64_t& nit, const Where& where) {
  const int64_t n = f.columns(), inner = std::min<int64_t>(n, 30);
  double forcing = 0.1;
  for (nit = 0; largest(fx) > tol; ++nit) {
    if (nit >= maxiter) return {false, fmt::format("{} iterations are done", maxiter)};
    const auto product = [&](const Vector& v) {
      if (autodiff) {
        const Tensor t = jvp([&](const std::vector<Tensor>& in) { return fun(in[0]); },
                             {f.tensor(x)}, {f.tensor(v)}, where)
                             .second;
        return host_values(t);
      }
      const double h = std::sqrt(0x1p-52) * std::max(1.0, length(x)) / length(v);
      return times(1 / h, difference(f.values(moved(x, h, v)), fx));
    };
    // GMRES, restarted: J d = -f to |J d + f| <= forcing |f| (Saad & Schultz 1986).
    const double size = length(fx);
    Vector d(static_cast<size_t>(n)), r = times(-1, fx);
    double rest = size;
    for (int cycle = 0; cycle < 10 && rest > forcing * size; ++cycle) {
      std::vector<Vector> basis{times(1 / rest, r)};
      HostMatrix h(inner + 1, inner);
      Vector cosines, sines, right{rest};
      int64_t k = 0;
      for (; k < inner && std::abs(right.back()) > forcing * size; ++k) {
        Vector w = product(basis[k]);
        for (int64_t i = 0; i <= k; ++i) {
          h(i, k) = dot(w, basis[i]);
          w = moved(w, -h(i, k), basis[i]);
        }
        h(k + 1, k) = length(w);
        const double below = h(k + 1, k);
        basis.push_back(below > 0 ? times(1 / below, w) : w);
        for (int64_t i = 0; i < k; ++i) {
          const double a = h(i, k), b = h(i + 1, k);
          h(i, k) = cosines[i] * a + sines[i] * b;
          h(i + 1, k) = -sines[i] * a + cosines[i] * b;
        }
        const double root = std::hypot(h(k, k), below);
        if (root == 0) break;
        cosines.push_back(h(k, k) / root), sines.push_back(below / root);
        h(k, k) = root;
        right.push_back(-sines[k] * right[k]);
        right[k] *= cosines[k];
        if (below <= 1e-14 * root) {
          ++k;
          break;
        }
      }
      for (int64_t i = k; i-- > 0;) {
        for (int64_t c = i + 1; c < k; ++c) right[i] -= h(i, c) * right[c];
        right[i] /= h(i, i);
      }
      for (int64_t i = 0; i < k; ++i) d = moved(d, right[i], basis[i]);
      r = times(-1, moved(fx, 1, product(d)));
      const double now = length(r);
      if (!(now < 0.999 * rest)) break;
      rest = now;
    }
    const double before = length(fx);
    if (!all_finite(d) || length(d) == 0 || !lower(f, d, x, fx))
      return {false, "no step lowers the function"};
    // Eisenstat & Walker 1996.
    const double ratio = length(fx) / before;
    forcing = std::clamp(std::max(0.9 * ratio * ratio,
                                  0.9 * forcing * forcing > 0.1 ? 0.9 * forcing * forcing : 0.0),
                         1e-6, 0.5);
  }
  return {true, "the function is within tol"};
}

}  // namespace

RootResult root(const Function& fun, const Tensor& x0, const RootOptions& o, Where where) {
  constexpr const char* kName = "root";
  if (!fun) fail(kName, "the function is not given", where);
  const bool minpack = o.method == RootMethod::kHybr || o.method == RootMethod::kLm;
  const double tol = o.tol.value_or(minpack ? 1.49012e-8 : 6e-6);
  if (!(tol >= 0)) throw ValueError("root: tol is negative or NaN", where);
  if ((o.maxfev && *o.maxfev < 1) || (o.maxiter && *o.maxiter < 0))
    throw ValueError("root: maxfev is below 1 or maxiter below 0", where);
  const Tensor start = checked_start(kName, x0, where);
  const int64_t n = start.numel();
  LeastSquaresOptions options;
  options.jac = o.jac;
  options.derivatives = o.derivatives;
  const Function checked = [&](const Tensor& x) {
    const Tensor f = fun(x);
    if (!f.defined() || f.numel() != n)
      fail(kName,
           fmt::format("the function gives {} for x {}", f.defined() ? f.shape().str() : "nothing",
                       start.shape().str()),
           where);
    return reshape(cast(f, kF64), start.shape());
  };
  RootResult r;
  if (o.method == RootMethod::kLm) {
    options.method = LeastSquaresMethod::kLm;
    options.ftol = options.xtol = tol, options.gtol = 0, options.x_scale = {};
    options.max_nfev = o.maxfev.value_or(200 * (n + 1));
    const LeastSquaresResult one = least_squares(checked, start, options, where);
    r.x = one.x;
    r.fun = reshape(one.fun, start.shape());
    r.nfev = one.nfev, r.njev = r.nit = one.njev;
    r.success = one.success && one.cost <= 1e-8 * std::max(1.0, one.cost);
    r.message =
        one.success && !r.success ? "the sum of squares is least, but no root" : one.message;
    return r;
  }
  Residuals f(checked, start, options, where);
  Vector x = f.start(), fx = minpack ? f.first_values() : f.values(x);
  if (!all_finite(fx)) throw ValueError("root: the function is not finite at x0", where);
  Outcome end;
  if (o.method == RootMethod::kHybr)
    end = hybrid(f, tol, o.maxfev.value_or(200 * (n + 1)), x, fx, r.nit);
  else if (o.method == RootMethod::kBroyden1)
    end = broyden(f, tol, o.maxiter.value_or(100 * (n + 1)), x, fx, r.nit);
  else
    end = newton_krylov(f, checked, tol, o.maxiter.value_or(100 * (n + 1)),
                        o.derivatives == Derivatives::kAutodiff, x, fx, r.nit, where);
  std::tie(r.success, r.message) = end;
  r.x = f.tensor(x);
  r.fun = f.tensor(fx);
  r.nfev = f.nfev, r.njev = f.njev;
  return r;
}

}  // namespace glia::optimize
