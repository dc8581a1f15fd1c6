// Integrals against closed forms.
#include "glia/math/integrate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::integrate {
namespace {

using test::expect_values;
using test::message_of;
constexpr double kPi = std::numbers::pi;

TEST(Quad, KnownIntegrals) {
  struct Known {
    const char* name;
    RealFunction f;
    double a, b, value;
    bool singular = false;
  };
  const std::vector<Known> all{
      {"x^2", [](double x) { return x * x; }, 0, 4, 64.0 / 3},
      {"exp(-x)", [](double x) { return std::exp(-x); }, 0, INFINITY, 1},
      {"normal", [](double x) { return std::exp(-x * x); }, -INFINITY, INFINITY, std::sqrt(kPi)},
      {"below 0", [](double x) { return std::exp(x); }, -INFINITY, 0, 1},
      {"cauchy", [](double x) { return 1 / (1 + x * x); }, -INFINITY, INFINITY, kPi},
      {"backwards", [](double x) { return x * x; }, 4, 0, -64.0 / 3},
      {"1/sqrt", [](double x) { return 1 / std::sqrt(x); }, 0, 1, 2, true},
      {"log", [](double x) { return std::log(x); }, 0, 1, -1, true},
      {"x^-0.9", [](double x) { return std::pow(x, -0.9); }, 0, 1, 10, true},
      {"log/sqrt", [](double x) { return std::log(x) / std::sqrt(x); }, 0, 1, -4, true},
      {"inner", [](double x) { return std::pow(std::abs(x - 1.0 / 3), -0.5); }, 0, 1,
       2 * (std::sqrt(1.0 / 3) + std::sqrt(2.0 / 3)), true},
      {"sin(100 x)", [](double x) { return std::sin(100 * x); }, 0, 1, (1 - std::cos(100)) / 100},
      {"runge", [](double x) { return 1 / (1 + 25 * x * x); }, -1, 1, 2.0 / 5 * std::atan(5)},
      {"peak", [](double x) { return 1e-3 / (1e-6 + std::pow(x - 0.3, 2)); }, 0, 1,
       std::atan(700) + std::atan(300)},
      {"1/sqrt(1-x^2)", [](double x) { return 1 / std::sqrt(1 - x * x); }, -1, 1, kPi, true},
      {"step", [](double x) { return x < 0.3 ? 0 : 1; }, 0, 1, 0.7}};
  for (const Known& k : all) {
    SCOPED_TRACE(k.name);
    const QuadResult r = quad(k.f, k.a, k.b);
    EXPECT_TRUE(r.success) << r.message << " " << r.value << " " << r.abserr;
    EXPECT_NEAR(r.value, k.value, 1.5e-8 * std::max(1.0, std::abs(k.value)));
    EXPECT_LE(std::abs(r.value - k.value), std::max(r.abserr, 1e-13));  // the error is a bound
    EXPECT_LE(r.neval, 2000);
  }
}

TEST(Quad, WeightsAndPoints) {
  // QUADPACK's weights (Piessens et al. 1983).
  QuadResult r = quad([](double x) { return std::exp(-x); }, 0, INFINITY,
                      {.weight = Weight::kCos, .wvar = {3}});
  EXPECT_TRUE(r.success) << r.message;
  EXPECT_NEAR(r.value, 0.1, 1e-9);  // 1 / (1 + w^2)
  r = quad([](double x) { return std::exp(-x); }, 0, INFINITY,
           {.weight = Weight::kSin, .wvar = {-3}});
  EXPECT_NEAR(r.value, -0.3, 1e-9);
  r = quad([](double x) { return 1 / x; }, 1, INFINITY, {.weight = Weight::kSin, .wvar = {1}});
  EXPECT_NEAR(r.value, kPi / 2 - 0.946083070367183, 1e-9);  // pi/2 - Si(1)
  r = quad([](double x) { return x; }, 0, 1, {.weight = Weight::kSin, .wvar = {1000}});
  EXPECT_TRUE(r.success);
  EXPECT_NEAR(r.value, (std::sin(1000) - 1000 * std::cos(1000)) / 1e6, 1e-12);
  r = quad([](double) { return 1.0; }, 0, 2, {.weight = Weight::kAlg, .wvar = {-0.9, 0.5}});
  EXPECT_NEAR(r.value, std::pow(2, 0.6) * std::tgamma(0.1) * std::tgamma(1.5) / std::tgamma(1.6),
              1e-8);
  r = quad([](double) { return 1.0; }, 0, 1, {.weight = Weight::kAlgLogA, .wvar = {0, 0}});
  EXPECT_NEAR(r.value, -1, 1e-10);
  r = quad([](double) { return 1.0; }, 0, 1, {.weight = Weight::kAlgLog, .wvar = {0, 0}});
  EXPECT_NEAR(r.value, 2 - kPi * kPi / 6, 1e-10);
  r = quad([](double) { return 1.0; }, 0, 3, {.weight = Weight::kCauchy, .wvar = {1}});
  EXPECT_NEAR(r.value, std::log(2), 1e-10);
  r = quad([](double x) { return std::exp(x); }, -1, 1, {.weight = Weight::kCauchy, .wvar = {0}});
  EXPECT_NEAR(r.value, 2.114501750751457, 1e-10);  // 2 Shi(1)
  r = quad([](double x) { return std::abs(x - 0.7); }, 0, 1, {.points = {0.7}});
  EXPECT_NEAR(r.value, (0.49 + 0.09) / 2, 1e-15);
  EXPECT_EQ(r.neval, 42);
}

TEST(Quad, SaysWhatItCannotDo) {
  QuadResult r = quad([](double x) { return 1 / x; }, 0, 1);
  EXPECT_FALSE(r.success);
  EXPECT_FALSE(r.message.empty());
  r = quad([](double x) { return std::sin(1 / x) / x; }, 0, 1, {.limit = 5});
  EXPECT_FALSE(r.success);
  r = quad([](double) { return NAN; }, 0, 1);
  EXPECT_FALSE(r.success);
  EXPECT_EQ(quad([](double) { return NAN; }, 2, 2).value, 0);
  EXPECT_THROW(quad([](double x) { return x; }, NAN, 1), ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.epsabs = -1}), ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.epsabs = 0, .epsrel = 1e-20}), ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.limit = 0}), ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.points = {2}}), ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.weight = Weight::kAlg, .wvar = {-1, 0}}),
               ValueError);
  EXPECT_THROW(quad([](double x) { return x; }, 0, 1, {.weight = Weight::kCauchy, .wvar = {0}}),
               ValueError);
  EXPECT_THROW(
      quad([](double x) { return x; }, 0, INFINITY, {.weight = Weight::kAlg, .wvar = {0, 0}}),
      ValueError);
  EXPECT_THROW(quad({}, 0, 1), ShapeError);
}

TEST(TanhSinh, ReachesTheLastDigits) {
  EXPECT_NEAR(tanhsinh([](double x) { return std::log(x); }, 0, 1).value, -1, 4e-16);
  EXPECT_NEAR(tanhsinh([](double x) { return 1 / std::sqrt(x); }, 0, 1).value, 2, 1e-12);
  EXPECT_NEAR(tanhsinh([](double x) { return std::exp(-x); }, 0, INFINITY).value, 1, 4e-16);
  EXPECT_NEAR(tanhsinh([](double x) { return std::exp(-x * x); }, -INFINITY, INFINITY).value,
              std::sqrt(kPi), 1e-15);
  EXPECT_NEAR(tanhsinh([](double x) { return std::exp(x); }, 0, -INFINITY).value, -1, 4e-16);
  EXPECT_FALSE(tanhsinh([](double) { return NAN; }, 0, 1).success);
  EXPECT_THROW(tanhsinh({}, 0, 1), ShapeError);
}

TEST(GaussRules, AreExactForPolynomials) {
  // Abramowitz & Stegun 1964, tables 25.4, 25.9 and 25.10.
  GaussRule r = roots_legendre(5);
  expect_values(r.nodes, {5},
                {-0.906179845938664, -0.538469310105683, 0, 0.538469310105683, 0.906179845938664},
                1e-15);
  expect_values(r.weights, {5},
                {0.236926885056189, 0.478628670499366, 0.568888888888889, 0.478628670499366,
                 0.236926885056189},
                1e-15);
  r = roots_laguerre(3);
  expect_values(r.nodes, {3}, {0.415774556783, 2.294280360279, 6.289945082937}, 1e-12);
  expect_values(r.weights, {3}, {0.711093009929, 0.278517733569, 0.0103892565016}, 1e-12);
  r = roots_hermite(3);
  expect_values(r.nodes, {3}, {-1.22474487139159, 0, 1.22474487139159}, 1e-14);
  expect_values(r.weights, {3}, {0.295408975150919, 1.18163590060368, 0.295408975150919}, 1e-14);
  for (int64_t n : {1, 2, 7, 20, 64}) {
    const auto moment = [&](const GaussRule& rule, int64_t k) {
      return sum(rule.weights * pow(rule.nodes, k)).item();
    };
    for (int64_t k = 0; k < std::min<int64_t>(2 * n, 30); ++k) {
      const double even = k % 2 == 0 ? 1 : 0, d = static_cast<double>(k);
      EXPECT_NEAR(moment(roots_legendre(n), k), even * 2 / (d + 1), 1e-14);
      const double hermite = std::tgamma((d + 1) / 2);
      EXPECT_NEAR(moment(roots_hermite(n), k) / hermite, even, 1e-12) << n << " " << k;
      const double laguerre = std::tgamma(d + 1.5);
      EXPECT_NEAR(moment(roots_laguerre(n, 0.5), k) / laguerre, 1, 1e-12) << n << " " << k;
      // (1 + x)^k with the weight (1 - x)^0.3 (1 + x)^-0.4
      const GaussRule jacobi = roots_jacobi(n, 0.3, -0.4);
      const double exact = std::exp((0.9 + d) * std::log(2) + std::lgamma(1.3) +
                                    std::lgamma(d + 0.6) - std::lgamma(d + 1.9));
      EXPECT_NEAR(sum(jacobi.weights * pow(jacobi.nodes + 1, k)).item() / exact, 1, 1e-12);
    }
  }
  EXPECT_NEAR(sum(roots_chebyt(9).weights * square(roots_chebyt(9).nodes)).item(), kPi / 2, 1e-14);
  // Large ones keep their digits, weights below 1e-308 are zero.
  EXPECT_NEAR(sum(roots_hermite(400).weights).item(), std::sqrt(kPi), 1e-12);
  EXPECT_NEAR(sum(roots_laguerre(300).weights).item(), 1, 1e-12);
  EXPECT_THROW(roots_legendre(0), ValueError);
  EXPECT_THROW(roots_legendre(INT64_MAX), ValueError);
  EXPECT_THROW(roots_jacobi(3, -1, 0), ValueError);
  EXPECT_THROW(roots_laguerre(3, NAN), ValueError);
}

TEST(FixedQuad, HasAGradient) {
  // d/dp of the integral of exp(p x) over [0, 1], (e^p (p - 1) + 1) / p^2.
  const Tensor p = trainable(tensor<double>(0.7));
  const Tensor v = fixed_quad([&](const Tensor& x) { return exp(p * x); }, 0, 1, 12);
  EXPECT_NEAR(v.item(), std::expm1(0.7) / 0.7, 1e-15);
  EXPECT_NEAR(gradients(v, {p})[0].item(), (std::exp(0.7) * (0.7 - 1) + 1) / 0.49, 1e-14);
  expect_values(fixed_quad(
                    [](const Tensor& x) {
                      return stack({x, square(x)}, 1);
                    },
                    0, 3),
                {2}, {4.5, 9}, 1e-14);
  EXPECT_THROW(fixed_quad([](const Tensor& x) { return sum(x); }, 0, 1), ShapeError);
  EXPECT_THROW(fixed_quad([](const Tensor& x) { return x; }, 0, INFINITY), ValueError);
}

TEST(Sampled, KnownSums) {
  const Tensor x = linspace(0, kPi, 101, kF64), y = sin(x);
  EXPECT_NEAR(trapezoid(y, {.x = x}).item(), 2, 2e-4);
  EXPECT_NEAR(simpson(y, {.x = x}).item(), 2, 2e-8);
  EXPECT_NEAR(simpson(y, {.dx = kPi / 100}).item(), simpson(y, {.x = x}).item(), 1e-14);
  const Tensor coarse = sin(linspace(0, kPi, 65, kF64));
  EXPECT_NEAR(romb(coarse, kPi / 64).item(), 2, 1e-13);
  // Simpson's rule is exact for parabolas at any places, odd or even in number.
  for (int64_t n : {3, 4, 7, 8}) {
    const Tensor t = cumsum(linspace(0.1, 1.3, n, kF64), 0);
    const double a = index(t, {0}).item(), b = index(t, {-1}).item();
    EXPECT_NEAR(simpson(3 * square(t) - t, {.x = t}).item(),
                b * b * b - a * a * a - (b * b - a * a) / 2, 1e-12);
  }
  expect_values(cumulative_trapezoid(tensor<double>({1, 2, 4}), {.dx = 2}), {2}, {3, 9});
  expect_values(cumulative_trapezoid(tensor<double>({1, 2, 4}), {.dx = 2}, 0), {3}, {0, 3, 9});
  const Tensor rows = tensor<double>({{1, 2, 4}, {0, 1, 0}});
  expect_values(trapezoid(rows), {2}, {4.5, 1});
  expect_values(trapezoid(rows, {.axis = 0}), {3}, {0.5, 1.5, 2});
  expect_values(cumulative_trapezoid(rows, {.axis = 0}, 0), {2, 3}, {0, 0, 0, 0.5, 1.5, 2});
  EXPECT_EQ(trapezoid(tensor<double>({3})).item(), 0);
  EXPECT_EQ(gradcheck(
                [](const std::vector<Tensor>& in) {
                  return simpson(in[0], {.x = cumsum(square(in[1]), 0)});
                },
                {test::numbers({6}), test::numbers({6}, 1)}),
            "");
  EXPECT_THROW(trapezoid(y, {.x = linspace(0, 1, 7)}), ShapeError);
  EXPECT_THROW(trapezoid(tensor<double>(1)), ShapeError);
  EXPECT_THROW(trapezoid({}), ShapeError);
  EXPECT_THROW(romb(y), ValueError);
}

// Genz 1984's families over the unit cube, whose integrals have closed forms.
TEST(Cubature, GenzFamilies) {
  for (int64_t d : {1, 2, 3, 5}) {
    SCOPED_TRACE(d);
    const std::vector<double> low(static_cast<size_t>(d), 0), high(static_cast<size_t>(d), 1);
    const auto n = static_cast<double>(d);
    const double tolerance = d == 5 ? 1e-4 : 1e-8;
    const auto check = [&](const char* name, const Function& f, double value) {
      const CubatureResult r = cubature(f, low, high, {.rtol = tolerance});
      EXPECT_TRUE(r.success) << name;
      EXPECT_NEAR(r.estimate.item(), value, tolerance * std::abs(value)) << name;
    };
    check(
        "oscillatory", [](const Tensor& x) { return cos(0.3 + sum(x, {1})); },
        [&] {  // 2^d cos(0.3 + d / 2) sin(1 / 2)^d
          return std::pow(2 * std::sin(0.5), n) * std::cos(0.3 + n / 2);
        }());
    check(
        "product peak", [](const Tensor& x) { return prod(1 / (0.25 + square(x - 0.4)), {1}); },
        std::pow(2 * (std::atan(1.2) + std::atan(0.8)), n));
    check(
        "gaussian", [](const Tensor& x) { return exp(-sum(square(x - 0.5), {1})); },
        std::pow(std::sqrt(kPi) * std::erf(0.5), n));
  }
  // Several integrals at once, and infinite limits.
  const CubatureResult r = cubature(
      [](const Tensor& x) {
        const Tensor e = exp(-sum(square(x), {1}));
        return stack({e, e * square(index(x, {Ellipsis, 0}))}, 1);
      },
      {-INFINITY, 0}, {INFINITY, INFINITY});
  EXPECT_TRUE(r.success);
  expect_values(r.estimate, {2}, {kPi / 2, kPi / 4}, 1e-7);
  expect_values(cubature(
                    [](const Tensor& x) {
                      return index(x, {Ellipsis, 0});
                    },
                    {1, 1}, {0, 0})
                    .estimate,
                {}, {0.5}, 1e-12);
  EXPECT_FALSE(cubature(
                   [](const Tensor& x) {
                     return 1 / abs(index(x, {Ellipsis, 0}) - 0.3);
                   },
                   {0, 0}, {1, 1}, {.max_subdivisions = 200})
                   .success);
  EXPECT_THROW(cubature([](const Tensor& x) { return sum(x); }, {0, 0}, {1, 1}), ShapeError);
  EXPECT_THROW(cubature([](const Tensor& x) { return x; }, {0}, {1, 1}), ShapeError);
  EXPECT_THROW(cubature([](const Tensor& x) { return x; }, {}, {}), ShapeError);
  EXPECT_THROW(cubature([](const Tensor& x) { return x; }, std::vector<double>(16, 0),
                        std::vector<double>(16, 1)),
               ShapeError);
  EXPECT_THROW(cubature([](const Tensor& x) { return x; }, {NAN}, {1}), ValueError);
}

TEST(QmcQuad, ErrorIsWithinItsEstimate) {
  const Function f = [](const Tensor& x) { return prod(1.5 * square(x) + 0.5, {1}); };  // mean 1
  const std::vector<double> low(4, 0), high(4, 1);
  const RandomState before = random_state();
  const MonteCarloResult quasi = qmc_quad(f, low, high),
                         plain = qmc_quad(f, low, high, {.quasi = false});
  EXPECT_EQ(random_state().calls, before.calls);  // the thread's numbers go on as they were
  EXPECT_NEAR(quasi.integral.item(), 1, 5 * quasi.standard_error.item());
  EXPECT_NEAR(plain.integral.item(), 1, 5 * plain.standard_error.item());
  EXPECT_LT(quasi.standard_error.item(), 0.3 * plain.standard_error.item());
  EXPECT_NEAR(qmc_quad(
                  [](const Tensor& x) {
                    return index(x, {Ellipsis, 0});
                  },
                  {2}, {0})
                  .integral.item(),
              -2, 1e-2);
  EXPECT_THROW(qmc_quad(f, {0}, {INFINITY}), ValueError);
  EXPECT_THROW(qmc_quad(f, low, high, {.n_estimates = 1}), ValueError);
}

}  // namespace
}  // namespace glia::integrate
