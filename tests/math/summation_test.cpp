// Sums that lose little, logarithms of sums, and special functions of distributions.
#include "glia/math/summation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/math/special.h"
#include "glia/ops/special.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::expect_same;
using test::expect_values;
using test::message_of;
using In = std::vector<Tensor>;

TEST(Summation, EachMethodIsAsGoodAsItSays) {
  // Neumaier 1974: Kahan's method loses what is smaller than the largest.
  const std::vector<double> hard{1, 1e100, 1, -1e100};
  EXPECT_EQ(stable_sum(hard, SumMethod::kNeumaier), 2);
  EXPECT_EQ(stable_sum(hard, SumMethod::kExact), 2);
  EXPECT_EQ(stable_sum(hard, SumMethod::kKahan), 0);
  EXPECT_EQ(stable_sum(std::vector<double>(10, 0.1), SumMethod::kExact), 1);
  EXPECT_EQ(stable_sum(std::vector<double>{1e16, 1, 1e-16}, SumMethod::kExact), 10000000000000002);
  EXPECT_EQ(stable_sum(std::vector<double>{1e308, 1e308, -1e308}, SumMethod::kNeumaier), INFINITY);
  for (SumMethod method :
       {SumMethod::kKahan, SumMethod::kNeumaier, SumMethod::kPairwise, SumMethod::kExact}) {
    EXPECT_EQ(stable_sum(std::vector<double>{}, method), 0);
    EXPECT_EQ(stable_sum(std::vector<double>{2, INFINITY, 1}, method), INFINITY);
    EXPECT_TRUE(std::isnan(stable_sum(std::vector<double>{INFINITY, -INFINITY, 1}, method)));
    EXPECT_TRUE(std::isnan(stable_sum(std::vector<double>{NAN, 1}, method)));
    // A million times a number that is no dyadic fraction.
    const double sum = stable_sum(std::vector<double>(1000000, 0.1), method);
    EXPECT_NEAR(sum, 100000, method == SumMethod::kPairwise ? 1e-9 : 1.5e-11);
  }
}

TEST(Summation, AlongAxes) {
  manual_seed(1);
  const Tensor x = randn({3, 50, 4}, kF64);
  for (SumMethod method : {SumMethod::kKahan, SumMethod::kPairwise, SumMethod::kExact}) {
    for (int axis : {0, 1, 2, -1}) {
      const Tensor y = stable_sum(x, {.method = method, .axis = axis});
      expect_same(y, sum(x, {axis}), 1e-13);
      EXPECT_EQ(stable_sum(x, {.method = method, .axis = axis, .keepdim = true}).shape(),
                sum(x, {axis}, true).shape());
    }
    EXPECT_NEAR(stable_sum(x, {.method = method}).item(), sum(x).item(), 1e-12);
  }
  EXPECT_EQ(stable_sum(x, {.keepdim = true}).shape(), Shape({1, 1, 1}));
  EXPECT_EQ(stable_sum(zeros({0})).item(), 0);
  EXPECT_EQ(stable_sum(ones({7}, kBF16)).dtype(), kBF16);
  EXPECT_EQ(gradcheck([](const In& t) { return stable_sum(square(t[0]), {.axis = 1}); }, {x}), "");
  expect_same(vmap([](const In& t) { return stable_sum(t[0], {.axis = 0}); })({x}), sum(x, {1}),
              1e-13);
  EXPECT_NE(message_of<ShapeError>([&] { stable_sum(x, {.axis = 3}); }), "");
  EXPECT_NE(message_of([] { stable_sum(Tensor()); }), "");
}

TEST(Summation, LogarithmsOfSums) {
  const Tensor x = tensor<double>({{1000, 1001, 999}, {-1000, -INFINITY, -1001}});
  expect_same(logmeanexp(x, {1}), logsumexp(x, {1}) - std::log(3.0), 1e-12);
  EXPECT_NEAR(logmeanexp(tensor<double>({2, 2})).item(), 2, 1e-15);
  const Tensor w = tensor<double>({2, 0, 1});
  expect_values(weighted_logsumexp(x, w, {1}), {2},
                {1000 + std::log(2 + std::exp(-1.0)), -1000 + std::log(2 + std::exp(-1.0))}, 1e-12);
  EXPECT_NEAR(weighted_logsumexp(tensor<double>({3, 1}), tensor<double>({1, -1})).item(),
              std::log(std::exp(3.0) - std::exp(1.0)), 1e-14);
  EXPECT_TRUE(std::isnan(weighted_logsumexp(tensor<double>({1.0}), tensor<double>({-1.0})).item()));
  expect_values(log1mexp(tensor<double>({-1e-20, -0.5, -50, 0, -INFINITY})), {5},
                {std::log(1e-20), std::log(-std::expm1(-0.5)), -std::exp(-50.0), -INFINITY, 0},
                1e-13);
  expect_values(logdiffexp(tensor<double>({1000, 2, 5, -INFINITY}),
                           tensor<double>({999, 2, -INFINITY, -INFINITY})),
                {4}, {1000 + std::log1p(-std::exp(-1.0)), -INFINITY, 5, -INFINITY}, 1e-12);
  EXPECT_TRUE(std::isnan(logdiffexp(1.0, 2.0).item()));
  const Tensor a = tensor<double>({2.0, 0.3, 5.0}), b = tensor<double>({1.9, -2.0, -9.0});
  EXPECT_EQ(gradcheck([](const In& t) { return logdiffexp(t[0], t[1]); }, {a, b}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return weighted_logsumexp(t[0], t[1]); }, {a, exp(b)}), "");
}

// ---- Special functions ----

TEST(SpecialOfDistributions, KnownValues) {
  // mpmath 1.3, 30 digits.
  expect_values(betainc(tensor<double>({2, 0.5, 30, 40, 0.01}), tensor<double>({3, 0.5, 2, 80, 5}),
                        tensor<double>({0.3, 0.1, 0.2, 0.34, 0.5})),
                {5},
                {0.34829999999999998, 0.20483276469913346, 2.6843545600000044e-20,
                 0.56970357953411341, 0.99988978428855419},
                1e-12);
  expect_values(log_iv(tensor<double>({0, 1, -3, 40, 2}), tensor<double>({1, 0.5, 10, 3, 1e5})),
                {5},
                {0.23591435850717865, -1.3552054470253345, 7.4721486171486275, -94.047193133169045,
                 99993.324579984216},
                1e-9);
  EXPECT_TRUE(std::isnan(betainc(-1.0, 1.0, 0.5).item()));
  EXPECT_TRUE(std::isnan(betainc(1.0, 1.0, 1.5).item()));
  EXPECT_TRUE(std::isnan(log_iv(0.5, 1.0).item()));
  EXPECT_EQ(gammaincinv(2.0, 1.0).item(), INFINITY);
  EXPECT_EQ(gammainccinv(2.0, 1.0).item(), 0);
  EXPECT_EQ(betainc(ones({3, 1}), 2.0, full({4}, 0.5)).shape(), Shape({3, 4}));
  EXPECT_EQ(betainc(1, 2, 0.5).dtype(), kF32);
}

TEST(SpecialOfDistributions, Gradients) {
  const Tensor a = tensor<double>({0.4, 1, 2.5, 40, 6}), b = tensor<double>({1.3, 0.5, 3, 20, 0.2});
  const Tensor x = tensor<double>({0.2, 0.7, 0.55, 0.62, 0.97});
  EXPECT_EQ(gradcheck([](const In& t) { return betainc(t[0], t[1], t[2]); }, {a, b, x}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return betaincinv(t[0], t[1], t[2]); },
                      {a, b, tensor<double>({0.2, 0.7, 0.55, 0.12, 0.6})}),
            "");
  EXPECT_EQ(
      gradcheck([](const In& t) { return gammaincinv(t[0], t[1]) + gammainccinv(t[0], t[1]); },
                {a, x}),
      "");
  EXPECT_EQ(gradcheck(
                [&](const In& t) {
                  return log_iv(tensor<double>({0, 1, 2, 5, 7}), t[0]);
                },
                {a}),
            "");
  EXPECT_EQ(gradgradcheck([&](const In& t) { return betainc(a, b, t[0]); }, {x}), "");
  expect_same(betaincinv(a, b, betainc(a, b, x)), x, 1e-12);
  expect_same(gammaincinv(a, gammainc(a, a * 0.9)), a * 0.9, 1e-10);
}

}  // namespace
}  // namespace glia
