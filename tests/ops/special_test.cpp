// Elementwise functions beyond arithmetic: far out, at their ends, as combinations, on integers.
#include "glia/ops/special.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/random.h"
#include "tests/support/host.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// First and second derivatives.
void check_derivatives(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(gradcheck(f, inputs), "");
  EXPECT_EQ(gradgradcheck(f, inputs), "");
}

// ---- Accuracy over all of a function's range ----

struct Ranged {
  const char* what;
  Tensor (*apply)(const Operand&);
  Real (*real)(Real);
  std::vector<double> magnitudes;  // of both signs, and numbers between neighbours
  double f32_ulps, f64_ulps;
};

template <class T>
void check_range(const Ranged& r, DType dtype, double ulps) {
  std::vector<T> x;
  for (double m : r.magnitudes) {
    for (int i = 0; i < 200; ++i) {
      const double v = m * (1 + i / 200.0);
      x.push_back(static_cast<T>(v));
      x.push_back(static_cast<T>(-v));
    }
  }
  const std::vector<T> y =
      r.apply(from_vector(x, {static_cast<int64_t>(x.size())})).template to_vector<T>();
  for (size_t i = 0; i < x.size(); ++i) {
    const Real want = r.real(x[i]);
    const Real rounded_want = rounded(want, dtype);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(y[i])) << r.what << " of " << x[i] << " is " << y[i];
    } else if (rounded_want != y[i]) {
      EXPECT_LE(std::abs(y[i] - want), ulps * ulp(want, dtype))
          << r.what << " of " << x[i] << " is " << y[i] << ", not " << want;
    }
  }
}

TEST(Special, IsAccurateFarOut) {
#define REAL(expression) [](Real x) -> Real { return expression; }
  const std::vector<double> all{1e-40, 1e-20, 1e-6, 0.01, 0.3, 0.6, 1,    1.4,  2,    5,
                                20,    80,    600,  1e4,  1e7, 1e9, 3e12, 1e15, 1e20, 1e37};
  const std::vector<double> unit{1e-40, 1e-8, 0.01, 0.2, 0.4, 0.5, 0.9, 0.99, 0.9999999};
  const Ranged functions[] = {
      {"tan", tan, REAL(std::tan(x)), all, 4, 4},
      {"asin", asin, REAL(std::asin(x)), unit, 4, 4},
      {"acos", acos, REAL(std::acos(x)), unit, 4, 4},
      {"atan", atan, REAL(std::atan(x)), all, 2, 4},
      {"sinh", sinh, REAL(std::sinh(x)), all, 3, 4},
      {"cosh", cosh, REAL(std::cosh(x)), all, 3, 4},
      {"asinh", asinh, REAL(std::asinh(x)), all, 3, 4},
      {"acosh", acosh, REAL(std::acosh(x)), all, 3, 4},
      {"atanh", atanh, REAL(std::atanh(x)), unit, 3, 4},
      {"log2", log2, REAL(std::log2(x)), all, 2, 4},
      {"log10", log10, REAL(std::log10(x)), all, 2, 4},
      {"exp2", exp2, REAL(std::exp2(x)), all, 2, 4},
      {"trunc", trunc, REAL(std::trunc(x)), all, 0, 0},
      {"erfc", erfc, REAL(std::erfc(x)), {1e-9, 0.1, 0.5, 1, 2, 4, 8}, 0.51, 3},
      {"lgamma", lgamma, REAL(std::lgamma(x)), {0.1, 3, 9, 100, 1e4}, 1, 400},
  };
#undef REAL
  for (const Ranged& r : functions) {
    check_range<float>(r, kF32, r.f32_ulps);
    check_range<double>(r, kF64, r.f64_ulps);
  }
}

TEST(Special, PowersAndLogarithmsOfTwoAreExact) {
  std::vector<double> whole;
  for (int n = -1074; n <= 1023; ++n) whole.push_back(n);
  const Tensor n = from_vector(whole, {static_cast<int64_t>(whole.size())});
  const std::vector<double> powers = exp2(n).to_vector<double>();
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(powers[i], std::ldexp(1.0, static_cast<int>(whole[i])));
  expect_same(log2(exp2(n)), n);
  expect_same(ldexp(tensor<double>({0.75}), n), exp2(n) * 0.75);
}

TEST(Special, LengthsDoNotOverflowOnTheWay) {
  const Tensor a = tensor<double>({3e300, 3e-300, 0.0, -kInf, kNaN, kNaN, 5.0});
  const Tensor b = tensor<double>({4e300, 4e-300, 0.0, kNaN, kInf, 1.0, -12.0});
  const std::vector<double> y = hypot(a, b).to_vector<double>();
  EXPECT_NEAR(y[0] / 5e300, 1, 1e-15);
  EXPECT_NEAR(y[1] / 5e-300, 1, 1e-15);
  EXPECT_EQ(y[2], 0);
  EXPECT_EQ(y[3], kInf);
  EXPECT_EQ(y[4], kInf);
  EXPECT_TRUE(std::isnan(y[5]));
  EXPECT_EQ(y[6], 13);
}

// ---- Special functions ----

TEST(Special, KnownValues) {
  const double euler = 0.57721566490153286, pi = 3.14159265358979324;
  expect_values(digamma(tensor<double>({1.0, 0.5, -0.5})), {3},
                {-euler, -euler - 2 * std::log(2), 2 - euler - 2 * std::log(2)}, 2e-15);
  expect_values(polygamma(1, tensor<double>({1.0, 0.5, -0.5, -1.5})), {4},
                {pi * pi / 6, pi * pi / 2, pi * pi / 2 + 4, pi * pi / 2 + 40 / 9.0}, 1e-14);
  expect_values(polygamma(3, tensor<double>({1.0})), {1}, {std::pow(pi, 4) / 15}, 1e-14);
  // pi^(1/2) Gamma(3) Gamma(2.5), and in three dimensions.
  expect_values(mvlgamma(tensor<double>({3}), 2), {1},
                {std::log(pi) / 2 + std::lgamma(3) + std::lgamma(2.5)}, 1e-14);
  expect_values(mvlgamma(2.5, 3), {},
                {1.5 * std::log(pi) + std::lgamma(2.5) + std::lgamma(2) + std::lgamma(1.5)}, 1e-6);
  EXPECT_EQ(gradcheck([](const auto& t) { return mvlgamma(t[0] + 3, 4); }, {numbers({3})}), "");
  EXPECT_THROW(mvlgamma(3, 0), ValueError);
  expect_values(lgamma(tensor<double>({0.5, 1, 2, 5})), {4}, {std::log(pi) / 2, 0, 0, std::log(24)},
                1e-15);
  expect_values(betaln(tensor<double>({0.5, 2.0}), tensor<double>({0.5, 3.0})), {2},
                {std::log(pi), -std::log(12)}, 1e-15);
  expect_values(gammainc(tensor<double>({1.0, 0.5}), tensor<double>({2.0, 2.0})), {2},
                {1 - std::exp(-2), std::erf(std::sqrt(2))}, 1e-15);
  expect_values(i0(tensor<double>({1.0})), {1}, {1.26606587775200834}, 1e-15);
  expect_values(i1(tensor<double>({-1.0})), {1}, {-0.56515910399248503}, 1e-15);
  expect_values(ndtri(tensor<double>({0.975, 1e-300})), {2},
                {1.95996398454005424, -37.0470962993612}, 1e-12);
  expect_values(erfinv(tensor<double>({0.5})), {1}, {0.47693627620446987}, 1e-15);
  expect_values(log_ndtr(tensor<double>({-40.0})), {1}, {-804.608442013754}, 1e-11);
  expect_values(entr(tensor<double>({0.0, 1, -1, kInf})), {4}, {0, 0, -kInf, -kInf});
}

TEST(Special, Poles) {
  const Tensor x = tensor<double>({0.0, -0.0, -1, -2, kInf, -kInf, kNaN});
  expect_values(lgamma(x), {7}, {kInf, kInf, kInf, kInf, kInf, kInf, kNaN});
  expect_values(digamma(x), {7}, {-kInf, kInf, kNaN, kNaN, kInf, kNaN, kNaN});
  expect_values(polygamma(1, x), {7}, {kInf, kInf, kInf, kInf, 0, kNaN, kNaN});
  expect_values(erfinv(tensor<double>({1.0, -1.0, 1.1})), {3}, {kInf, -kInf, kNaN});
  expect_values(ndtri(tensor<double>({0.0, 1.0, -0.1})), {3}, {-kInf, kInf, kNaN});
  expect_values(logit(tensor<double>({0.0, 1.0, 2.0})), {3}, {-kInf, kInf, kNaN});
  expect_values(erfcx(tensor<double>({-1e15, 1e300})), {2}, {kInf, 5.6418958354775628e-301},
                1e-310);
}

// What undoes, or halves, something else.
TEST(Special, Identities) {
  const Tensor x = numbers({400}) * 3, u = numbers({400}, 1) * 0.999;
  expect_same(erf(erfinv(u)), u, 1e-14);
  expect_same(ndtr(ndtri((u + 1) / 2)), (u + 1) / 2, 1e-14);
  expect_same(exp(log_ndtr(x)), ndtr(x), 1e-14);
  expect_same(erf(x) + erfc(x), ones_like(x), 1e-15);
  expect_same(exp(square(x)) * erfc(x) / erfcx(x), ones_like(x), 1e-12);
  expect_same(gammainc(abs(x), square(u)) + gammaincc(abs(x), square(u)), ones_like(x), 1e-14);
  expect_same(digamma(x + 1) - digamma(x), 1 / x, 1e-9);
  expect_same(lgamma(abs(x) + 1) - lgamma(abs(x)), log(abs(x)), 1e-12);
  expect_same(square(cosh(x)) - square(sinh(x)), ones_like(x), 1e-10);
  expect_same(sinh(asinh(x)), x, 1e-13);
  expect_same(sin(asin(u)), u, 1e-15);
  expect_same(cos(acos(u)), u, 1e-15);
  expect_same(tan(atan(x)), x, 1e-13);
  expect_same(logit(sigmoid(x)), x, 1e-12);
  expect_same(i0e(x) * exp(abs(x)) / i0(x), ones_like(x), 1e-14);
  expect_same(logaddexp(x, u), log(exp(x) + exp(u)), 1e-14);
  expect_same(logaddexp2(x, u), log2(exp2(x) + exp2(u)), 1e-14);
  expect_same(frac(x) + trunc(x), x);
  const FrexpResult parts = frexp(x);
  expect_same(ldexp(parts.mantissa, parts.exponent), x);
}

TEST(Special, SmallestNumbersComeApart) {
  const Tensor x = tensor<double>({5e-324, 1e-310, -3e-323, 0.0, kInf});
  const FrexpResult parts = frexp(x);
  expect_values(parts.exponent, {5}, {-1073, -1029, -1071, 0, 0});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(std::ldexp(parts.mantissa.to_vector<double>()[i], parts.exponent.to_vector<int>()[i]),
              x.to_vector<double>()[i]);
  EXPECT_EQ(parts.mantissa.to_vector<double>()[4], kInf);
}

TEST(Special, Derivatives) {
  const Tensor x = numbers({3, 4}) * 2, p = abs(numbers({3, 4}, 2)) + 0.4;
  const Tensor u = (numbers({3, 4}, 3) + 1.1) / 2.3, row = abs(numbers({4}, 4)) + 0.3;
  using In = const std::vector<Tensor>&;
  check_derivatives([](In t) { return sinc(t[0]); }, {concat({x, zeros({1, 4}, kF64), x * 0.1})});
  check_derivatives([](In t) { return logaddexp(t[0], t[1]); }, {x, row});
  check_derivatives([](In t) { return logaddexp2(t[0], t[1]); }, {x, row});
  check_derivatives([](In t) { return xlogy(t[0], t[1]); }, {x, row});
  check_derivatives([](In t) { return xlog1py(t[0], t[1]); }, {x, row});
  check_derivatives([](In t) { return entr(t[0]); }, {p});
  check_derivatives([](In t) { return logit(t[0]); }, {u});
  check_derivatives([](In t) { return logit(t[0], 0.01); }, {u});
  check_derivatives([](In t) { return ndtr(t[0]); }, {x});
  check_derivatives([](In t) { return betaln(t[0], t[1]); }, {p, row});
  check_derivatives([&](In t) { return gammainc(p + 1, t[0]) + gammaincc(p + 2, t[0]); }, {row});
  check_derivatives([](In t) { return lerp(t[0], t[1], t[2]); }, {x, row, u});
  check_derivatives([](In t) { return lerp(t[0], t[1], 0.3); }, {x, row});
  check_derivatives([](In t) { return addcmul(t[0], t[1], t[2], 0.5); }, {x, row, u});
  check_derivatives([](In t) { return addcdiv(t[0], t[1], t[2], 0.5); }, {x, row, u});
  check_derivatives([](In t) { return frexp(t[0]).mantissa; }, {p});
  check_derivatives([](In t) { return ldexp(t[0], 3); }, {x});
  check_derivatives([](In t) { return fmax(t[0], t[1]) + fmin(t[0], t[1] + 0.1); }, {x, row});
  check_derivatives([](In t) { return clamp_min(t[0], 0.21) * clamp_max(t[0], 0.77); }, {x});
  check_derivatives([](In t) { return float_power(t[0], 1.5) + frac(t[0]); }, {p});
}

TEST(Special, GammaInItsOrder) {
  const Tensor row = numbers({4}, 3) * 0.9 + 1.2;
  EXPECT_EQ(gradcheck(
                [](const std::vector<Tensor>& t) {
                  return gammainc(t[0], t[1]) + 2 * gammaincc(t[0] * 2, t[1]);
                },
                {row, square(row) + 0.1}),
            "");
  // By the series and by the fraction, far out and where P all but is 0 or 1: mpmath.
  const Tensor a = trainable(tensor<double>({1, 0.01, 3, 30, 50, 1000, 2.5, 1e5}));
  const Tensor x = tensor<double>({1, 1e-4, 20, 5, 80, 1010, 1e-3, 1e5 + 300});
  const std::vector<double> known{-0.4317297106348987,    -7.933494053725892,
                                  -9.6806039960773565e-7, -5.1121523193616428e-14,
                                  -6.6566241908768288e-5, -0.011945731337225442,
                                  -7.6172809445962199e-8, -0.00080392821236356437};
  const std::vector<double> found = gradients(sum(gammainc(a, x)), {a})[0].to_vector<double>();
  for (size_t i = 0; i < known.size(); ++i) {
    EXPECT_NEAR(found[i] / known[i], 1, 1e-11) << i;
  }
  const std::vector<double> upper = gradients(sum(gammaincc(a, x)), {a})[0].to_vector<double>();
  for (size_t i = 0; i < known.size(); ++i) EXPECT_EQ(upper[i], -found[i]);
  const Tensor slope = gradients(sum(gammainc(a, x)), {a})[0];
  EXPECT_NE(message_of([&] { gradients(sum(slope), {a}); }).find("has no second derivative by a"),
            std::string::npos);
}

TEST(Special, SixteenBitsAreRoundedOnce) {
  const Tensor x = numbers({200}) * 3;
  for (DType t : {kBF16, kF16}) {
    const Tensor half = cast(x, t), wide = cast(half, kF32);
    for (Tensor (*f)(const Operand&) : {tan, sinh, asinh, exp2, lgamma, digamma, erfc, i0, ndtr})
      expect_same(f(half), cast(f(wide), t));
    EXPECT_EQ(logaddexp(half, half).dtype(), t);
    expect_same(logaddexp(half, 0.5), cast(logaddexp(wide, 0.5), t));
    EXPECT_EQ(lerp(half, half, 0.5).dtype(), t);
  }
}

TEST(Special, IntegersBecomeF32) {
  const Tensor n = tensor<int64_t>({1, 2, 3});
  for (Tensor (*f)(const Operand&) :
       {tan, asinh, log2, exp2, lgamma, erfc, i0, sinc, rad2deg, frac})
    EXPECT_EQ(f(n).dtype(), kF32);
  EXPECT_EQ(xlogy(n, n).dtype(), kF32);
  EXPECT_EQ(xlogy(n, tensor<double>({1.0, 2, 3})).dtype(), kF64);
  EXPECT_EQ(float_power(n, 2).dtype(), kF64);
  expect_values(exp2(n), {3}, {2, 4, 8});
  expect_values(exp2(3), {}, {8});  // of a number
  expect_values(lgamma(5), {}, {std::log(24)}, 1e-6);
}

// ---- Combinations ----

TEST(Special, LerpIsExactAtBothEnds) {
  const Tensor a = tensor<float>({0.1f, 1e8f}), b = tensor<float>({0.7f, -1e-8f});
  expect_same(lerp(a, b, 0), a);
  expect_same(lerp(a, b, 1), b);
  expect_values(
      lerp(tensor<double>({0.0, 10}), tensor<double>({10.0, 20}), tensor<double>({{0.5}, {2.0}})),
      {2, 2}, {5, 15, 20, 30});
}

TEST(Special, ExtremesSkipNaN) {
  const Tensor a = tensor<double>({1.0, kNaN, kNaN, 3}), b = tensor<double>({2.0, 5, kNaN, kNaN});
  expect_values(fmax(a, b), {4}, {2, 5, kNaN, 3});
  expect_values(fmin(a, b), {4}, {1, 5, kNaN, 3});
  expect_values(fmax(tensor<int>({1, 7}), 3), {2}, {3, 7});
}

TEST(Special, ClampsHaveAWholeGradientAtTheBound) {
  const Tensor x = trainable(tensor<double>({0.0, 1, 2}));
  expect_values(gradients(sum(clamp_min(x, 1)), {x})[0], {3}, {0, 1, 1});
  expect_values(gradients(sum(clamp_max(x, 1)), {x})[0], {3}, {1, 1, 0});
  expect_values(clamp_min(tensor<int64_t>({1, 5}), 3), {2}, {3, 5});
  EXPECT_EQ(clamp_min(tensor<int64_t>({1, 5}), 3).dtype(), kI64);
}

TEST(Special, WhereSafeKeepsPolesAway) {
  const Tensor x = trainable(tensor<double>({-1.0, 0, 4})), scale = trainable(tensor(2.0));
  const Tensor y = where_safe(
      x > 0, x, [&](const Tensor& v) { return scale * sqrt(v) * log(v); }, 0);
  const std::vector<Tensor> g = gradients(sum(y), {x, scale});
  expect_values(y, {3}, {0, 0, 4 * std::log(4)}, 1e-12);
  expect_values(g[0], {3}, {0, 0, 2 * (std::log(4) / 4 + 0.5)}, 1e-12);
  expect_values(g[1], {}, {2 * std::log(4)}, 1e-12);
  // where() lets 0 * inf through.
  const Tensor poisoned = where(x > 0, sqrt(x), 0);
  EXPECT_TRUE(std::isnan(gradients(sum(poisoned), {x})[0].to_vector<double>()[0]));
  // Another point, and a tensor otherwise.
  const Tensor z = where_safe(
      x > 2, x, [](const Tensor& v) { return acosh(v - 1); }, -x, 5);
  expect_values(gradients(sum(z), {x})[0], {3}, {-1, -1, 1 / std::sqrt(8)}, 1e-12);
  EXPECT_NE(message_of([&] { where_safe(x > 0, x, {}, 0); }).find("where_safe"), std::string::npos);
}

TEST(Special, Closeness) {
  const Tensor a = tensor<double>({1.0, 1, kInf, kInf, kNaN}),
               b = tensor<double>({1.0 + 1e-9, 1.1, kInf, -kInf, kNaN});
  expect_values(isclose(a, b), {5}, {1, 0, 1, 0, 0});
  expect_values(isclose(a, b, {.rtol = 0.5, .equal_nan = true}), {5}, {1, 1, 1, 0, 1});
  EXPECT_TRUE(allclose(a, a, {.equal_nan = true}));
  EXPECT_FALSE(allclose(a, b));
  EXPECT_TRUE(allclose(tensor<int64_t>({1, 2}), tensor<int64_t>({1, 2})));
  EXPECT_TRUE(equal(tensor<double>({1, 2}), tensor<double>({1, 2})));
  EXPECT_FALSE(equal(tensor<double>({1, 2}), tensor<double>({{1, 2}})));
  EXPECT_FALSE(equal(a, a));  // NaN
  EXPECT_TRUE(equal(zeros({0, 3}), zeros({0, 3})));
  EXPECT_NE(message_of([&] { isclose(a, b, {.rtol = -1}); }).find("must not be negative"),
            std::string::npos);
  expect_values(isinf(b), {5}, {0, 0, 1, 1, 0});
  expect_values(isinf(tensor<int>({1, 2})), {2}, {0, 0});
  expect_values(signbit(tensor<double>({-0.0, 0.0, -2})), {3}, {1, 0, 1});
  expect_values(signbit(tensor<int>({-1, 1})), {2}, {1, 0});
  expect_values(signbit(tensor<uint8_t>({200, 1})), {2}, {0, 0});
  expect_values(heaviside(tensor<float>({-1, 0, 2, NAN}), 0.5), {4}, {0, 0.5, 1, 0});
  expect_values(logical_xor(tensor<double>({1.0, 0}), tensor<int>({3, 2})), {2}, {0, 1});
}

// ---- Integers ----

TEST(Special, Shifts) {
  const Tensor x = tensor<int>({1, -8, 5, INT32_MIN});
  expect_values(bitwise_left_shift(x, 3), {4}, {8, -64, 40, 0});
  expect_values(bitwise_right_shift(x, 2), {4}, {0, -2, 1, INT32_MIN / 4});
  expect_values(bitwise_right_shift(x, tensor<int>({0, 31, 32, -1})), {4}, {1, -1, 0, -1});
  expect_values(bitwise_left_shift(x, tensor<int>({31, 32, -1, 99})), {4}, {INT32_MIN, 0, 0, 0});
  const Tensor wide = tensor<int64_t>({INT64_MIN, -1, INT64_MAX});
  expect_values(bitwise_right_shift(wide, 63), {3}, {-1, -1, 0});
  expect_values(bitwise_right_shift(wide, 62), {3}, {-2, -1, 1});
  expect_values(bitwise_left_shift(tensor<uint8_t>({255, 1}), 7), {2}, {128, 128});
  EXPECT_NE(message_of([] { bitwise_left_shift(tensor<double>({1.0}), 1); }), "");
  EXPECT_NE(message_of([] { bitwise_left_shift(ones({2}, kBool), true); }), "");
}

TEST(Special, Divisors) {
  const Tensor a = tensor<int64_t>({12, -18, 0, 0, INT64_MIN, 7}),
               b = tensor<int64_t>({18, 12, 5, 0, 6, INT64_MIN});
  expect_values(gcd(a, b), {6}, {6, 6, 5, 0, 2, 1});
  expect_values(lcm(slice(a, 0, {0, 4}), slice(b, 0, {0, 4})), {4}, {36, 36, 0, 0});
  expect_values(gcd(a, 6), {6}, {6, 6, 6, 6, 2, 1});
  expect_values(fmod(tensor<int>({7, -7, 7, 7}), tensor<int>({3, 3, -3, 0})), {4}, {1, -1, 1, 0});
  expect_values(fmod(tensor<double>({7.5, -7.5, kInf, 1}), tensor<double>({2.0, -2, 2, kInf})), {4},
                {1.5, -1.5, kNaN, 1});
  EXPECT_NE(message_of([] { gcd(tensor<double>({1.0}), 2); }), "");
  EXPECT_NE(message_of([] { gcd(ones({2}, kBool), ones({2}, kBool)); }), "");
}

// ---- Errors ----

TEST(Special, SaysWhatIsWrong) {
  const Tensor none, x = ones({2}), y = ones({3});
  for (Tensor (*f)(const Operand&) :
       {tan, asin, lgamma, erfc, i0, sinc, entr, frac, ndtr, rad2deg, positive})
    EXPECT_NE(message_of([&] { f(none); }).find("not defined"), std::string::npos);
  for (Tensor (*f)(const Operand&, const Operand&) :
       {hypot, logaddexp, xlogy, fmod, copysign, nextafter, gammainc, betaln, fmax, ldexp}) {
    EXPECT_NE(message_of([&] { f(none, x); }).find("not defined"), std::string::npos);
    EXPECT_NE(message_of([&] { f(x, none); }).find("not defined"), std::string::npos);
    EXPECT_NE(message_of([&] { f(x, y); }).find("(2,)"), std::string::npos);
  }
  EXPECT_NE(message_of([&] { polygamma(-1, x); }).find("polygamma: order -1"), std::string::npos);
  EXPECT_NE(message_of([&] { nextafter(cast(x, kBF16), 1); }).find("bf16"), std::string::npos);
  EXPECT_NE(message_of([&] { polygamma(INT64_MAX, x); }), "");
  eval(polygamma(int64_t{1} << 53, tensor<double>({0.5, -0.5, 1e16, 0.0})));
  EXPECT_EQ(polygamma(1 << 20, tensor<double>({0.5, -0.5})).to_vector<double>().size(), 2u);
}

}  // namespace
}  // namespace glia::test
