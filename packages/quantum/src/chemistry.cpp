#include "glia/quantum/chemistry.h"

#include <cmath>
#include <numbers>
#include <string>

#include "glia/error.h"

namespace glia::quantum {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kBohr = 0.529177210903;  // in Angstrom (CODATA 2018)

// The 1s function as three Gaussians: exponents and factors.
constexpr int kTerms = 3;
constexpr double kExponents[kTerms] = {3.425250914, 0.6239137298, 0.1688554040};
constexpr double kFactors[kTerms] = {0.1543289673, 0.5353281423, 0.4446345422};
double factor(int i) { return kFactors[i] * std::pow(2 * kExponents[i] / kPi, 0.75); }

// Boys' function of order 0.
double boys(double t) {
  return t < 1e-12 ? 1 - t / 3 : 0.5 * std::sqrt(kPi / t) * std::erf(std::sqrt(t));
}

// Integrals over the functions of atoms at these positions along a line (Szabo & Ostlund 1989, A).
struct Integrals {
  double r;  // the second atom; the first is at 0

  double at(int atom) const { return atom * r; }
  template <class F>
  double pairs(int a, int b, F&& f) const {
    double sum = 0;
    for (int i = 0; i < kTerms; ++i)
      for (int j = 0; j < kTerms; ++j) {
        const double p = kExponents[i], q = kExponents[j], apart = at(a) - at(b);
        sum += factor(i) * factor(j) * std::exp(-p * q / (p + q) * apart * apart) *
               f(p, q, (p * at(a) + q * at(b)) / (p + q));
      }
    return sum;
  }
  double overlap(int a, int b) const {
    return pairs(a, b, [](double p, double q, double) { return std::pow(kPi / (p + q), 1.5); });
  }
  double core(int a, int b) const {  // motion, and both nuclei
    return pairs(a, b, [&](double p, double q, double center) {
      const double apart = at(a) - at(b), m = p * q / (p + q);
      double value = m * (3 - 2 * m * apart * apart) * std::pow(kPi / (p + q), 1.5);
      for (int nucleus = 0; nucleus < 2; ++nucleus) {
        const double d = center - at(nucleus);
        value -= 2 * kPi / (p + q) * boys((p + q) * d * d);
      }
      return value;
    });
  }
  double repulsion(int a, int b, int c, int d) const {  // (ab|cd)
    return pairs(a, b, [&](double p, double q, double left) {
      return pairs(c, d, [&](double s, double t, double right) {
        const double u = p + q, v = s + t, apart = left - right;
        return 2 * std::pow(kPi, 2.5) / (u * v * std::sqrt(u + v)) *
               boys(u * v / (u + v) * apart * apart);
      });
    });
  }
};

}  // namespace

Molecule hydrogen(double distance, Where where) {
  if (!(distance >= 0.1 && distance <= 10))
    throw ValueError("hydrogen: a distance of " + std::to_string(distance) + " Angstrom", where);
  const double r = distance / kBohr;
  const Integrals in{r};
  const double s = in.overlap(0, 1);
  // Orbitals by symmetry: the sum and the difference.
  const double norm[2] = {1 / std::sqrt(2 * (1 + s)), 1 / std::sqrt(2 * (1 - s))};
  const auto weight = [&](int orbital, int atom) {
    return norm[orbital] * (orbital == 1 && atom == 1 ? -1 : 1);
  };
  double h[2] = {0, 0};
  for (int o = 0; o < 2; ++o)
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b) h[o] += weight(o, a) * weight(o, b) * in.core(a, b);
  const auto orbitals = [&](int p, int q, int t, int u) {
    double sum = 0;
    for (int n = 0; n < 16; ++n) {
      const int a = n & 1, b = n >> 1 & 1, c = n >> 2 & 1, d = n >> 3 & 1;
      sum += weight(p, a) * weight(q, b) * weight(t, c) * weight(u, d) * in.repulsion(a, b, c, d);
    }
    return sum;
  };
  const double lower = orbitals(0, 0, 0, 0), upper = orbitals(1, 1, 1, 1),
               between = orbitals(0, 0, 1, 1), exchange = orbitals(0, 1, 0, 1);

  const auto n = [](int64_t wire) { return 0.5 * (I() - Z(wire)); };
  Observable sum = I(1 / r) + h[0] * (n(0) + n(1)) + h[1] * (n(2) + n(3)) + lower * (n(0) * n(1)) +
                   upper * (n(2) * n(3)) + between * ((n(0) + n(1)) * (n(2) + n(3))) -
                   exchange * (n(0) * n(2) + n(1) * n(3)) +
                   exchange / 4 * Observable({1, 1, -1, -1}, {"YXXY", "XYYX", "YYXX", "XXYY"});
  const double both_low = 2 * h[0] + lower + 1 / r, both_high = 2 * h[1] + upper + 1 / r;
  const double half = (both_high - both_low) / 2;
  return {std::move(sum), both_low, (both_low + both_high) / 2 - std::hypot(half, exchange)};
}

}  // namespace glia::quantum
