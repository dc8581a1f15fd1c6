#include "math/special_functions.h"

#include <algorithm>
#include <boost/math/distributions/non_central_chi_squared.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>

#include "ops/special_functions.h"

namespace glia::special {
namespace {

namespace policies = boost::math::policies;

constexpr double kPi = 3.14159265358979323846, kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What lies outside a domain is NaN, what is too large infinite.
using Quiet = policies::policy<policies::domain_error<policies::ignore_error>,
                               policies::pole_error<policies::ignore_error>,
                               policies::overflow_error<policies::ignore_error>,
                               policies::underflow_error<policies::ignore_error>,
                               policies::denorm_error<policies::ignore_error>,
                               policies::evaluation_error<policies::ignore_error>,
                               policies::indeterminate_result_error<policies::ignore_error>>;

bool positive(double a) { return a > 0 && a < kInf; }
bool fraction(double p) { return p >= 0 && p <= 1; }

}  // namespace

// ---- Incomplete beta and gamma functions ----

double betainc(double a, double b, double x) {
  if (!positive(a) || !positive(b) || !fraction(x)) return kNaN;
  return boost::math::ibeta(a, b, x, Quiet());
}
// The library's inverse is good to half of the digits where p is tiny: Newton's steps on log I by
// log x, which is all but linear there.
double betaincinv(double a, double b, double p) {
  if (!positive(a) || !positive(b) || !fraction(p)) return kNaN;
  double x = boost::math::ibeta_inv(a, b, p, Quiet());
  for (int i = 0; i < 10 && p < 0.5 && x > 0 && x < 1; ++i) {
    const double at = betainc(a, b, x);
    const double slope = boost::math::ibeta_derivative(a, b, x, Quiet()) * x;
    const double step = std::log(at / p) * at / slope;
    if (!(std::abs(step) < 1)) break;
    const double next = x * std::exp(-step);
    if (!(next < 1) || next == x) break;
    x = next;
    if (std::abs(step) < 1e-8) break;
  }
  return x;
}
double gammaincinv(double a, double p) {
  if (!positive(a) || !fraction(p)) return kNaN;
  return p == 1 ? kInf : boost::math::gamma_p_inv(a, p, Quiet());
}
double gammainccinv(double a, double q) {
  if (!positive(a) || !fraction(q)) return kNaN;
  return q == 0 ? kInf : boost::math::gamma_q_inv(a, q, Quiet());
}

namespace {

// A number and its derivatives by a and b.
struct WithSlopes {
  double value, by_a = 0, by_b = 0;
};
WithSlopes operator*(WithSlopes x, WithSlopes y) {
  return {x.value * y.value, x.by_a * y.value + x.value * y.by_a,
          x.by_b * y.value + x.value * y.by_b};
}
WithSlopes operator/(WithSlopes x, WithSlopes y) {
  const double value = x.value / y.value;
  return {value, (x.by_a - value * y.by_a) / y.value, (x.by_b - value * y.by_b) / y.value};
}
WithSlopes plus_one(WithSlopes x) { return {1 + x.value, x.by_a, x.by_b}; }

// The continued fraction of I_x(a, b) without its factor x^a (1 - x)^b / (a B(a, b)), for x below
// (a + 1) / (a + b + 2), by Lentz's method (Press et al. 2007, 6.4), with its derivatives (Boik &
// Robison-Cox 1998).
WithSlopes beta_fraction(double a, double b, double x) {
  constexpr WithSlopes kOne{1};
  const WithSlopes first{-(a + b) * x / (a + 1), -x * (1 - b) / ((a + 1) * (a + 1)), -x / (a + 1)};
  WithSlopes c = kOne, d = kOne / plus_one(first), h = d;
  const auto step = [&](WithSlopes n) {
    d = kOne / plus_one(n * d);
    c = plus_one(n / c);
    const WithSlopes factor = d * c;
    h = h * factor;
    return std::abs(factor.value - 1) < 1e-16 && std::abs(factor.by_a) < 1e-16 &&
           std::abs(factor.by_b) < 1e-16;
  };
  for (double m = 1; m < 1e6; ++m) {
    const WithSlopes behind{a + 2 * m, 1}, before{a + 2 * m - 1, 1}, next{a + 2 * m + 1, 1};
    step(WithSlopes{m * (b - m) * x, 0, m * x} / (before * behind));
    if (step(WithSlopes{-x} * WithSlopes{a + m, 1} * WithSlopes{a + b + m, 1, 1} / (behind * next)))
      break;
  }
  return h;
}

}  // namespace

double betainc_by_a(double a, double b, double x) {
  if (!positive(a) || !positive(b) || !fraction(x)) return kNaN;
  if (x == 0 || x == 1) return 0;
  const double density = boost::math::ibeta_derivative(a, b, x, Quiet()) * x * (1 - x);
  if (density == 0) return 0;
  if (x < (a + 1) / (a + b + 2)) {
    const WithSlopes h = beta_fraction(a, b, x);
    const double rate = std::log(x) - digamma(a) + digamma(a + b) - 1 / a;
    return density / a * (h.value * rate + h.by_a);
  }
  const WithSlopes h = beta_fraction(b, a, 1 - x);  // of what is left to 1
  const double rate = std::log(x) - digamma(a) + digamma(a + b);
  return -density / b * (h.value * rate + h.by_b);
}

// ---- Bessel functions of higher order ----

namespace {

// f(I_n(x) / I_(n - 1)(x)) for n = count .. 1, by their recurrence downwards, which is stable: what
// it begins with is forgotten by the square of I_start / I_count.
template <class F>
void each_bessel_ratio(double count, double x, F f) {
  double ratio = 0;
  for (double n = 30 + std::ceil(std::sqrt(count * count + 40 * x)); n > 0; --n) {
    ratio = x / (2 * n + x * ratio);
    if (n <= count) f(n, ratio);
  }
}

}  // namespace

double log_iv(double n, double x) {
  n = std::abs(n);
  if (!(x >= 0) || n != std::floor(n) || n > 1e7) return kNaN;
  if (x == 0) return n == 0 ? 0 : -kInf;
  double sum = std::log(i0e(x)) + x;
  each_bessel_ratio(n, x, [&](double, double ratio) { sum += std::log(ratio); });
  return sum;
}

// ---- Distributions ----

double skellam_below(double k, double rate1, double rate2) {
  if (!positive(rate1) || !positive(rate2) || std::isnan(k)) return kNaN;
  if (std::isinf(k)) return k > 0;
  k = std::floor(k);
  using ChiSquared = boost::math::non_central_chi_squared_distribution<double, Quiet>;
  if (k < 0) return boost::math::cdf(ChiSquared(-2 * k, 2 * rate1), 2 * rate2);
  return boost::math::cdf(boost::math::complement(ChiSquared(2 * (k + 1), 2 * rate2), 2 * rate1));
}

double student_t_below(double df, double x) {
  if (!(df > 0) || std::isnan(x)) return kNaN;
  if (std::isinf(df)) return std::erfc(-x * std::sqrt(0.5)) / 2;
  const double z = x / std::sqrt(df), square = z * z;
  // The smaller tail by whichever argument is small.
  const double tail = square > 1
                          ? boost::math::ibeta(df / 2, 0.5, 1 / (1 + square), Quiet()) / 2
                          : boost::math::ibetac(0.5, df / 2, square / (1 + square), Quiet()) / 2;
  return x < 0 ? tail : 1 - tail;
}

namespace {

// For x <= 0: the Fourier series, and an integral where that is too small for it; above kNormal a
// normal distribution.
double von_mises_tail(double concentration, double x) {
  constexpr double kNormal = 1e8, kSmall = 1e-3;
  if (x <= -kPi) return 0;
  if (concentration > kNormal) return std::erfc(-x * std::sqrt(concentration / 2)) / 2;
  double sum = 0;
  each_bessel_ratio(30 + std::ceil(9 * std::sqrt(concentration)), concentration,
                    [&](double n, double ratio) { sum = ratio * (std::sin(n * x) / n + sum); });
  const double p = 0.5 + x / (2 * kPi) + sum / kPi;
  if (p > kSmall) return p;
  const auto density = [concentration](double t) {
    const double half = std::sin(t / 2);
    return std::exp(-2 * concentration * half * half);
  };
  // Where the density is e^-40 of that at x it does not count.
  const double half = std::sin(x / 2);
  const double rest = std::min(1.0, half * half + 20 / concentration);
  const double first = -2 * std::asin(std::sqrt(rest));
  using Quadrature = boost::math::quadrature::gauss_kronrod<double, 31>;
  return Quadrature::integrate(density, first, x, 10, 1e-14) / (2 * kPi * i0e(concentration));
}

}  // namespace

double von_mises_below(double concentration, double x) {
  if (!(concentration >= 0) || std::isnan(x)) return kNaN;
  return x > 0 ? 1 - von_mises_tail(concentration, -x) : von_mises_tail(concentration, x);
}

double von_mises_at(double concentration, double p) {
  if (!(concentration >= 0) || !fraction(p)) return kNaN;
  if (p > 0.5) return -von_mises_at(concentration, 1 - p);
  if (p == 0) return -kPi;
  double low = -kPi, high = 0, x = (2 * p - 1) * kPi / std::sqrt(1 + concentration);
  const double scale = 2 * kPi * i0e(concentration);
  for (int i = 0; i < 200 && high - low > 1e-15 * std::abs(x); ++i) {
    const double at = von_mises_tail(concentration, x);
    (at > p ? high : low) = x;
    // Newton's step on the logarithm, which bends less.
    const double half = std::sin(x / 2);
    const double step = std::log(at / p) * at * scale * std::exp(2 * concentration * half * half);
    const double next = x - step;
    if (next == x) break;
    x = next > low && next < high ? next : (low + high) / 2;
  }
  return x;
}

}  // namespace glia::special
