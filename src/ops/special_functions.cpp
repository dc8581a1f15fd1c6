#include "ops/special_functions.h"

#include <math.h>

#include <array>
#include <cmath>
#include <limits>

namespace glia::special {
namespace {

constexpr double kPi = 3.14159265358979323846, kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kEnough = 1e-17;  // of a sum: what comes behind changes nothing
constexpr double kRootPi = 1.77245385090551602730, kRootHalf = 0.70710678118654752440;

// sum of (x + k)^-s over k >= 0 for whole s > 1 and x > 0: terms up to where the Euler-Maclaurin
// formula is exact.
double hurwitz_zeta(double s, double x) {
  double sum = 0;
  for (; x < s + 10; ++x) {
    const double term = std::pow(x, -s);
    sum += term;
    if (!(term > sum * kEnough)) return sum;
  }
  // B_2k / (2k)!
  constexpr double kBernoulli[] = {1 / 12.0,         -1 / 720.0,     1 / 30240.0,
                                   -1 / 1209600.0,   1 / 47900160.0, -691 / 1307674368000.0,
                                   1 / 74724249600.0};
  const double power = std::pow(x, -s);
  double tail = power * (x / (s - 1) + 0.5), rising = s * power / x;
  for (int k = 0; k < 7; ++k) {
    tail += kBernoulli[k] * rising;
    rising *= (s + 2 * k + 1) * (s + 2 * k + 2) / (x * x);
  }
  return sum + tail;
}

// log Gamma(1 + a) for 0 <= a < 0.5, relatively exact also where that is tiny.
double lgamma1p(double a) {
  constexpr int kTerms = 32;
  static const auto zeta_minus_1 = [] {
    std::array<double, kTerms> z{};
    for (int k = 2; k < kTerms; ++k) z[k] = hurwitz_zeta(k, 2);
    return z;
  }();
  double sum = 0;
  for (int k = kTerms - 1; k >= 2; --k) sum = (k % 2 ? -1 : 1) * zeta_minus_1[k] / k + a * sum;
  return a * (a * sum + 0.42278433509846713939) - std::log1p(a);  // 1 - Euler's constant
}

}  // namespace

double lgamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

double digamma(double x) {
  if (x == 0) return std::copysign(kInf, -x);
  double sum = 0;
  if (x < 0) {
    if (x == std::floor(x)) return kNaN;
    sum = -kPi / std::tan(kPi * (x - std::trunc(x)));
    x = 1 - x;
  }
  for (; x < 10; ++x) sum -= 1 / x;
  constexpr double kSeries[] = {1 / 12.0,  -1 / 120.0,     1 / 252.0, -1 / 240.0,
                                1 / 132.0, -691 / 32760.0, 1 / 12.0};
  const double z = 1 / (x * x);
  double series = 0;
  for (int k = 6; k >= 0; --k) series = (series + kSeries[k]) * z;
  return sum + std::log(x) - 0.5 / x - series;
}

double polygamma(int64_t n, double x) {
  const double s = static_cast<double>(n) + 1, sign = n % 2 ? 1 : -1;
  const double scale = sign * std::tgamma(s);
  if (x != x || x == -kInf) return kNaN;
  if (x == kInf) return 0;
  if (x > 0) return scale * hurwitz_zeta(s, x);
  const double whole = std::floor(x);
  if (x == whole) return sign * kInf;
  // The terms on either side of 0.
  return scale * (hurwitz_zeta(s, x - whole) +
                  sign * (hurwitz_zeta(s, whole + 1 - x) - hurwitz_zeta(s, 1 - x)));
}

double erfcx(double x) {
  const double square = x * x;
  if (x < -27) return kInf;
  if (x < 0) return 2 * std::exp(square) * (1 + std::fma(x, x, -square)) - erfcx(-x);
  if (x < 10) return std::exp(square) * (1 + std::fma(x, x, -square)) * std::erfc(x);
  double term = 1, sum = 1;
  for (int k = 1; k < 20 && std::abs(term) > kEnough; ++k) {
    term *= -(2 * k - 1) / (2 * square);
    sum += term;
  }
  return sum / (x * kRootPi);
}

// A first guess (Winitzki 2008), then Halley's steps; near 1 of what is left to 1.
double erfinv(double y) {
  if (!(std::abs(y) <= 1)) return kNaN;
  if (std::abs(y) == 1) return std::copysign(kInf, y);
  const double v = std::abs(y), l = std::log((1 - v) * (1 + v));
  const double t = 2 / (kPi * 0.147) + l / 2;
  double x = v < 1e-3 ? v * kRootPi / 2 : std::sqrt(std::sqrt(t * t - l / 0.147) - t);
  for (int i = 0; i < 3; ++i) {
    const double off = v < 0.5 ? std::erf(x) - v : (1 - v) - std::erfc(x);
    const double step = off * (kRootPi / 2) * std::exp(x * x);
    x -= step / (1 + x * step);
  }
  return std::copysign(x, y);
}

double log_ndtr(double x) {
  if (x < -1) return std::log(erfcx(-x * kRootHalf) / 2) - x * x / 2;
  return std::log1p(-std::erfc(x * kRootHalf) / 2);
}

// In the tails a first guess (Abramowitz & Stegun 1964, 26.2.23), then Halley's steps on the
// logarithm.
double ndtri(double p) {
  if (!(0 <= p && p <= 1)) return kNaN;
  if (p == 0 || p == 1) return p == 0 ? -kInf : kInf;
  if (p > 0.9) return -ndtri(1 - p);
  if (p > 0.1) return erfinv(2 * p - 1) / kRootHalf;
  const double l = std::log(p), t = std::sqrt(-2 * l);
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                 (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
             t;
  for (int i = 0; i < 3; ++i) {
    const double slope = std::sqrt(2 / kPi) / erfcx(-x * kRootHalf);
    const double step = (log_ndtr(x) - l) / slope;
    x -= step / (1 + step * (x + slope) / 2);
  }
  return x;
}

namespace {

// The power series of I_n(a), all of whose terms are positive, for a <= 30.
double bessel_series(int n, double a) {
  const double q = a * a / 4;
  double term = n == 0 ? 1 : a / 2, sum = term;
  for (int k = 1; term > sum * kEnough; ++k) {
    term *= q / (double{1} * k * (k + n));
    sum += term;
  }
  return sum;
}
// The asymptotic series of I_n(a) e^-a for larger a.
double bessel_far(int n, double a) {
  double term = 1, sum = 1;
  for (int k = 1; k < 30 && std::abs(term) > kEnough; ++k) {
    const double odd = 2 * k - 1;
    term *= (odd * odd - 4 * n * n) / (8 * a * k);
    sum += term;
  }
  return sum / std::sqrt(2 * kPi * a);
}
double bessel(int n, double x, bool scaled) {
  const double a = std::abs(x);
  double y;
  if (a <= 30) {
    y = bessel_series(n, a) * (scaled ? std::exp(-a) : 1);
  } else if (scaled) {
    y = bessel_far(n, a);
  } else {
    const double half = std::exp(a / 2);  // e^a itself may overflow
    y = a == kInf ? kInf : half * bessel_far(n, a) * half;
  }
  return n == 1 ? std::copysign(y, x) : y;
}

}  // namespace

double i0(double x) { return bessel(0, x, false); }
double i0e(double x) { return bessel(0, x, true); }
double i1(double x) { return bessel(1, x, false); }
double i1e(double x) { return bessel(1, x, true); }

namespace {

// u - log(x / a) for u = (x - a) / a, where that is small too: with s = u / (2 + u),
// log(1 + u) = 2 atanh(s).
double minus_log(double a, double x) {
  const double u = (x - a) / a;
  if (std::abs(u) > 0.3) return u - std::log(x / a);
  const double s = u / (2 + u), z = s * s;
  double sum = 0;
  for (int k = 10; k >= 0; --k) sum = 1.0 / (2 * k + 3) + z * sum;
  return u * s - 2 * s * z * sum;
}

// x^a e^-x / Gamma(a), for large a by Stirling's series.
double gamma_density(double a, double x) {
  if (a < 20) return std::exp(a * std::log(x) - x - lgamma(a));
  const double z = 1 / (a * a);
  const double rest = (1 / 12.0 - z * (1 / 360.0 - z * (1 / 1260.0 - z / 1680))) / a;
  return std::exp(-a * minus_log(a, x) - rest) * std::sqrt(a / (2 * kPi));
}

constexpr int kMostTerms = 20000;  // for a up to 1e6

double gamma_lower_series(double a, double x) {
  double term = 1 / a, sum = term;
  for (int k = 1; k < kMostTerms && term > sum * kEnough; ++k) {
    term *= x / (a + k);
    sum += term;
  }
  return gamma_density(a, x) * sum;
}

// Lentz's form of the continued fraction (Lentz 1976).
double gamma_upper_fraction(double a, double x) {
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a, c = 1 / kTiny, d = 1 / (b != 0 ? b : kTiny), h = d;
  for (int k = 1; k < kMostTerms; ++k) {
    const double n = -k * (k - a);
    b += 2;
    d = n * d + b;
    c = b + n / c;
    if (std::abs(d) < kTiny) d = kTiny;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double factor = d * c;
    h *= factor;
    if (std::abs(factor - 1) < 1e-16) break;
  }
  return gamma_density(a, x) * h;
}

// For small a and x, where Q is tiny: it begins with 1 - x^a / Gamma(1 + a).
double gamma_upper_small(double a, double x) {
  double factor = 1, sum = 0;
  for (int n = 1; n < 100 && std::abs(factor) > kEnough; ++n) {
    factor *= -x / n;
    sum += factor / (a + n);
  }
  const double l = a * std::log(x);
  return -std::expm1(l - lgamma1p(a)) - std::exp(l - lgamma1p(a)) * a * sum;
}

// P for a above 1e6, by the first terms of the uniform expansion (Temme 1979); -1: Q.
double gamma_uniform(double a, double x, double side) {
  const double u = (x - a) / a, eta = std::copysign(std::sqrt(2 * minus_log(a, x)), u);
  const double near = -1 / 3.0 + eta * (1 / 12.0 - eta * (2 / 135.0 - eta / 864));
  const double c = std::abs(eta) < 0.003 ? near : 1 / u - 1 / eta;
  const double rest = std::exp(-a * eta * eta / 2) / std::sqrt(2 * kPi * a) * (c - 1 / (540 * a));
  return std::erfc(-side * eta * std::sqrt(a / 2)) / 2 - side * rest;
}

// P if `lower`, else Q.
double incomplete_gamma(double a, double x, bool lower) {
  if (!(a >= 0 && x >= 0)) return kNaN;
  if (a == 0) return x > 0 ? lower : kNaN;
  if (x == 0) return !lower;
  if (std::isinf(a)) return std::isinf(x) ? kNaN : !lower;
  if (std::isinf(x)) return lower;
  if (a > 1e6) return gamma_uniform(a, x, lower ? 1 : -1);
  if (x < 1.5 && a < 0.5) {
    const double q = gamma_upper_small(a, x);
    return !lower ? q : q < 0.5 ? 1 - q : gamma_lower_series(a, x);
  }
  if (x < a + 1) {
    const double p = gamma_lower_series(a, x);
    return lower ? p : 1 - p;
  }
  const double q = gamma_upper_fraction(a, x);
  return lower ? 1 - q : q;
}

}  // namespace

double gammainc(double a, double x) { return incomplete_gamma(a, x, true); }
double gammaincc(double a, double x) { return incomplete_gamma(a, x, false); }

namespace {

// A number and its derivative by a.
struct WithSlope {
  double value, slope = 0;
};
WithSlope operator+(WithSlope x, WithSlope y) { return {x.value + y.value, x.slope + y.slope}; }
WithSlope operator*(WithSlope x, WithSlope y) {
  return {x.value * y.value, x.value * y.slope + x.slope * y.value};
}
WithSlope operator/(WithSlope x, WithSlope y) {
  const double value = x.value / y.value;
  return {value, (x.slope - value * y.slope) / y.value};
}

constexpr double kLargeShape = 1e8;  // above it sums have too many terms

// dP/da by what x^a e^-x / Gamma(a) is: the series and the fraction of P and Q, term by term.
double slope_by_density(double a, double x, double log_x) {
  const double rate = log_x - digamma(a);
  if (x < a + 1) {
    WithSlope term{1 / a, -1 / (a * a)}, sum = term;
    for (double k = 1;
         term.value > sum.value * kEnough || std::abs(term.slope) > std::abs(sum.slope) * kEnough;
         ++k) {
      term = term * WithSlope{x} / WithSlope{a + k, 1};
      sum = sum + term;
    }
    return sum.value * rate + sum.slope;
  }
  WithSlope b{x + 1 - a, -1}, c{1e300}, d = WithSlope{1} / b, h = d;
  for (double k = 1; k < 1e6; ++k) {
    const WithSlope n{-k * (k - a), k};
    b.value += 2;
    d = WithSlope{1} / (n * d + b);
    c = b + n / c;
    const WithSlope factor = d * c;
    h = h * factor;
    if (std::abs(factor.value - 1) < 1e-16 && std::abs(factor.slope) < 1e-16) break;
  }
  return -(h.value * rate + h.slope);
}

// The slope of Wilson and Hilferty's cube (1931).
double slope_of_cube(double a, double x) {
  const double c = std::cbrt(x / a), z = c - 1 + 1 / (9 * a);
  return c * c * c + c * c * (1 / (3 * a) - 1.5 * z);
}

}  // namespace

double gammainc_by_a(double a, double x) {
  if (!(a > 0 && x >= 0)) return kNaN;
  if (x == 0 || std::isinf(x) || std::isinf(a)) return 0;
  if (a > kLargeShape) return -gamma_density(a, x) / x * slope_of_cube(a, x);
  const double density = gamma_density(a, x);
  return density == 0 ? 0 : density * slope_by_density(a, x, std::log(x));
}

double gamma_slope(double a, double log_x) {
  if (!(a > 0)) return kNaN;
  const double x = std::exp(log_x);
  return a > kLargeShape ? slope_of_cube(a, x) / x : -slope_by_density(a, x, log_x);
}

}  // namespace glia::special
