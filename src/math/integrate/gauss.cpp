// Rules of Gauss by the eigenvalues of the recurrence (Golub & Welsch 1969).
#include <fmt/format.h>

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numbers>

#include "glia/math/integrate.h"
#include "glia/op.h"
#include "math/vectors.h"

namespace glia::integrate {
namespace {

void require_count(const char* name, int64_t n, const Where& where) {
  if (n < 1 || n > 2000)
    throw ValueError(fmt::format("{}: n is {}, not 1 to 2000", name, n), where);
}

// Of orthonormal polynomials with x p[k] = b[k] p[k+1] + a[k] p[k] + b[k-1] p[k-1], k < n, whose
// weight has the integral `mass`.
GaussRule rule_of(const Vector& a, const Vector& b, double log_mass) {
  const auto n = static_cast<int64_t>(a.size());
  HostMatrix t(n, n);
  for (int64_t k = 0; k < n; ++k) {
    t(k, k) = a[k];
    if (k + 1 < n) t(k, k + 1) = t(k + 1, k) = b[k];
  }
  Vector x(a.size()), w(a.size());
  dense::factor_symmetric(false, true, t.view(), x.data());
  for (int64_t i = 0; i < n; ++i) {
    // One step of Newton's method on p[n], and the weight 1 / sum p[k]^2 (Christoffel), both by the
    // recurrence, whose numbers are kept in range.
    const auto go_through = [&](double at, double* step) {
      double before = 0, now = 1, d_before = 0, d_now = 0, sum = 1, scale = 0;
      for (int64_t k = 0; k < n; ++k) {
        const double down = k > 0 ? b[k - 1] : 0, up = k + 1 < n ? b[k] : 1;
        const double next = ((at - a[k]) * now - down * before) / up;
        const double d_next = (now + (at - a[k]) * d_now - down * d_before) / up;
        before = now, now = next, d_before = d_now, d_now = d_next;
        if (k + 1 < n) sum += now * now;
        if (std::abs(now) > 1e100 || std::abs(d_now) > 1e150) {
          for (double* v : {&before, &now, &d_before, &d_now}) *v *= 1e-100;
          sum *= 1e-200;
          scale += 200 * std::numbers::ln10;
        }
      }
      *step = now / d_now;
      return -(std::log(sum) + scale);
    };
    double step = 0;
    go_through(x[i], &step);
    if (std::isfinite(step) && std::abs(step) < 1e-8 * std::max(1.0, std::abs(x[i]))) x[i] -= step;
    w[i] = std::exp(log_mass + go_through(x[i], &step));
  }
  return {from_vector(x, {n}), from_vector(w, {n})};
}

// An even weight: nodes and weights are mirrored exactly.
GaussRule symmetric(const GaussRule& r) {
  return {(r.nodes - flip(r.nodes, {0})) / 2, (r.weights + flip(r.weights, {0})) / 2};
}

}  // namespace

GaussRule roots_jacobi(int64_t n, double alpha, double beta, Where where) {
  require_count("roots_jacobi", n, where);
  if (!(alpha > -1 && beta > -1 && std::isfinite(alpha) && std::isfinite(beta)))
    throw ValueError(
        fmt::format("roots_jacobi: alpha {} and beta {} are not above -1", alpha, beta), where);
  Vector a(static_cast<size_t>(n)), b(static_cast<size_t>(n));
  const double sum = alpha + beta;
  for (int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<double>(i);
    const double c = 2 * k + sum;
    a[i] = i == 0 ? (beta - alpha) / (sum + 2) : (beta - alpha) * sum / (c * (c + 2));
    const double m = k + 1, e = 2 * m + sum;  // b[i] between i and i + 1
    b[i] = i == 0
               ? 2 / (sum + 2) * std::sqrt((alpha + 1) * (beta + 1) / (sum + 3))
               : 2 / e * std::sqrt(m * (m + alpha) * (m + beta) * (m + sum) / ((e + 1) * (e - 1)));
  }
  const double log_mass =
      (sum + 1) * std::numbers::ln2 + std::log(boost::math::beta(alpha + 1, beta + 1));
  const GaussRule r = rule_of(a, b, log_mass);
  return alpha == beta ? symmetric(r) : r;
}
GaussRule roots_legendre(int64_t n, Where where) {
  require_count("roots_legendre", n, where);
  return roots_jacobi(n, 0, 0, where);
}
GaussRule roots_chebyt(int64_t n, Where where) {
  require_count("roots_chebyt", n, where);
  Vector x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)  // a sine: exact at 0
    x[i] = std::sin(std::numbers::pi * static_cast<double>(2 * i + 1 - n) /
                    static_cast<double>(2 * n));
  return {from_vector(x, {n}), full({n}, std::numbers::pi / static_cast<double>(n), kF64)};
}
GaussRule roots_hermite(int64_t n, Where where) {
  require_count("roots_hermite", n, where);
  Vector a(static_cast<size_t>(n)), b(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) b[i] = std::sqrt(static_cast<double>(i + 1) / 2);
  return symmetric(rule_of(a, b, std::log(std::numbers::pi) / 2));
}
GaussRule roots_laguerre(int64_t n, double alpha, Where where) {
  require_count("roots_laguerre", n, where);
  if (!(alpha > -1 && std::isfinite(alpha)))
    throw ValueError(fmt::format("roots_laguerre: alpha {} is not above -1", alpha), where);
  Vector a(static_cast<size_t>(n)), b(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<double>(i);
    a[i] = 2 * k + 1 + alpha;
    b[i] = std::sqrt((k + 1) * (k + 1 + alpha));
  }
  return rule_of(a, b, boost::math::lgamma(alpha + 1));
}

Tensor fixed_quad(const Function& f, double a, double b, int64_t n, Where where) {
  if (!f) fail("fixed_quad", "the function is not given", where);
  require_count("fixed_quad", n, where);
  if (!std::isfinite(a) || !std::isfinite(b))
    throw ValueError("fixed_quad: a limit is not finite", where);
  const GaussRule rule = roots_legendre(n, where);
  const Tensor y = f((b - a) / 2 * (rule.nodes + 1) + a);
  if (!y.defined() || y.rank() < 1 || y.size(0) != n)
    fail("fixed_quad",
         fmt::format("the function gives {} for {} places",
                     y.defined() ? y.shape().str() : "nothing", n),
         where);
  Shape each{n};
  for (int i = 1; i < y.rank(); ++i) each.push_back(1);
  return (b - a) / 2 * sum(reshape(rule.weights, each) * y, {0});
}

}  // namespace glia::integrate
