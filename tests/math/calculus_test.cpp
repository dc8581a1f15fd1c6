// Derivatives of fields, Taylor's coefficients, and differences.
#include "glia/math/calculus.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "tests/support/values.h"

namespace glia::calculus {
namespace {

using test::expect_same;
using test::expect_values;

Tensor of(const Tensor& x, int64_t i) { return index(x, {i}); }

TEST(Calculus, HessianAndItsProducts) {
  // x^2 y + exp(x y)
  const Function f = [](const Tensor& x) {
    return square(of(x, 0)) * of(x, 1) + exp(of(x, 0) * of(x, 1));
  };
  const double a = 0.5, b = -0.3, e = std::exp(a * b);
  const Tensor x = tensor<double>({a, b});
  const std::vector<double> exact{2 * b + b * b * e, 2 * a + (1 + a * b) * e,
                                  2 * a + (1 + a * b) * e, a * a * e};
  expect_values(hessian(f, x), {2, 2}, exact, 1e-14);
  expect_values(hvp(f, x, tensor<double>({1, 2})), {2},
                {exact[0] + 2 * exact[1], exact[2] + 2 * exact[3]}, 1e-14);
  expect_values(numerical_hessian(f, x), {2, 2}, exact, 1e-8);
  EXPECT_EQ(hessian([](const Tensor& t) { return sum(t * t * t); }, ones({2, 3}, kF64)).shape(),
            Shape({2, 3, 2, 3}));
  expect_values(hessian([](const Tensor& t) { return sum(t); }, x), {2, 2}, {0, 0, 0, 0});
  expect_values(hvp([](const Tensor& t) { return sum(t); }, x, x), {2}, {0, 0});
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return hessian(f, in[0]); }, {x}), "");
  EXPECT_THROW(hessian([](const Tensor& t) { return t; }, x), ShapeError);
  EXPECT_THROW(hvp(f, x, ones({3}, kF64)), ShapeError);
  EXPECT_THROW(hessian({}, x), ShapeError);
  EXPECT_THROW(hessian(f, ones({2}, kI64)), ShapeError);
}

TEST(Calculus, TaylorsCoefficients) {
  // exp, sin, 1 / (1 - x) at 0.
  const Tensor zero = tensor(0.0), one = tensor(1.0);
  expect_values(taylor([](const Tensor& x) { return exp(x); }, zero, one, 7), {8},
                {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040}, 1e-15);
  expect_values(taylor([](const Tensor& x) { return 1 / (1 - x); }, zero, one, 6), {7},
                {1, 1, 1, 1, 1, 1, 1}, 1e-13);
  expect_values(taylor([](const Tensor& x) { return sin(x); }, zero, one, 5), {6},
                {0, 1, 0, -1.0 / 6, 0, 1.0 / 120}, 1e-16);
  // Along a direction, of two numbers: x^2 y along (1, 2) from (1, 1): (1 + t)^2 (1 + 2 t).
  expect_values(taylor([](const Tensor& x) { return square(of(x, 0)) * of(x, 1); }, ones({2}, kF64),
                       tensor<double>({1, 2}), 4),
                {5}, {1, 4, 5, 2, 0}, 1e-14);
  // Each of several values.
  expect_values(
      taylor([](const Tensor& x) { return exp(x); }, tensor<double>({0, 1}), ones({2}, kF64), 2),
      {3, 2}, {1, std::exp(1), 1, std::exp(1), 0.5, std::exp(1) / 2}, 1e-14);
  EXPECT_THROW(taylor([](const Tensor& x) { return x; }, zero, one, -1), ValueError);
  EXPECT_THROW(taylor([](const Tensor& x) { return x; }, zero, one, 17), ValueError);
}

TEST(Calculus, Fields) {
  // (x y, y z, z x): divergence x + y + z, curl (-y, -z, -x).
  const Function field = [](const Tensor& p) {
    return stack({of(p, 0) * of(p, 1), of(p, 1) * of(p, 2), of(p, 2) * of(p, 0)});
  };
  const Tensor p = tensor<double>({1, 2, 4});
  EXPECT_DOUBLE_EQ(divergence(field, p).item(), 7);
  expect_values(curl(field, p), {3}, {-2, -4, -1}, 1e-15);
  const Tensor many = test::numbers({5, 3});
  expect_same(divergence(field, many), sum(many, {1}), 1e-14);
  expect_same(curl(field, many), -index(many, {Ellipsis, tensor<int64_t>({1, 2, 0})}), 1e-14);
  EXPECT_DOUBLE_EQ(curl(
                       [](const Tensor& q) {
                         return stack({-of(q, 1), of(q, 0)});
                       },
                       tensor<double>({3, 4}))
                       .item(),
                   2);
  // 1 / r is harmonic but at 0; |x|^2 in d dimensions has 2 d.
  const Function potential = [](const Tensor& q) { return 1 / sqrt(sum(square(q))); };
  EXPECT_NEAR(laplacian(potential, p).item(), 0, 1e-15);
  expect_values(laplacian([](const Tensor& q) { return sum(square(q)); }, ones({4, 6}, kF64)), {4},
                {12, 12, 12, 12}, 1e-14);
  // The divergence of a curl, and the curl of a gradient, are zero.
  const Function wild = [](const Tensor& q) { return sin(q) * flip(exp(0.3 * q), {0}); };
  EXPECT_NEAR(
      divergence([&](const Tensor& q) { return curl(wild, q); }, tensor<double>({0.3, -1, 0.7}))
          .item(),
      0, 1e-13);
  EXPECT_THROW(curl(field, ones({4}, kF64)), ShapeError);
  EXPECT_THROW(divergence([](const Tensor& q) { return sum(q); }, p), ShapeError);
  EXPECT_THROW(divergence(field, ones({2, 2, 3}, kF64)), ShapeError);
}

TEST(Calculus, Differences) {
  // exp(x) / sqrt(sin^3 x + cos^3 x) at 1.5 (Squire & Trapp 1998): 4.05342789389862.
  const RealFunction f = [](double x) {
    return std::exp(x) / std::sqrt(std::pow(std::sin(x), 3) + std::pow(std::cos(x), 3));
  };
  const DerivativeResult r = derivative(f, 1.5);
  EXPECT_NEAR(r.df, 4.05342789389862, 1e-10);
  EXPECT_LE(std::abs(r.df - 4.05342789389862), r.error + 1e-12);
  const RealFunction e = [](double x) { return std::exp(x); };
  const double off[] = {0, 1e-12, 1e-10, 1e-8, 1e-6};
  for (int64_t order = 1; order <= 4; ++order) {
    for (int direction : {-1, 0, 1}) {
      const DerivativeResult d = derivative(e, 0.7, {.order = order, .direction = direction});
      EXPECT_NEAR(d.df, std::exp(0.7), off[order] * (direction == 0 ? 4 : 1000))
          << order << direction;
      EXPECT_LE(std::abs(d.df - std::exp(0.7)), 30 * d.error + 1e-13);
    }
  }
  // At the end of a domain: only from one side.
  EXPECT_NEAR(
      derivative([](double x) { return std::pow(x, 1.5) + x; }, 0, {.direction = 1, .levels = 40})
          .df,
      1, 1e-3);
  EXPECT_NEAR(derivative([](double x) { return x * x; }, 1e8).df, 2e8, 1e-2);
  const Tensor x = tensor<double>({{0.3, 2}, {-1, 0.1}});
  const Function g = [](const Tensor& t) {
    return concat({sum(exp(t), {0}), reshape(prod(t), {1})});
  };
  const Tensor exact = jacobian([&](const std::vector<Tensor>& in) { return g(in[0]); }, {x})[0];
  expect_same(numerical_jacobian(g, x), exact, 1e-10);
  EXPECT_THROW(derivative(e, NAN), ValueError);
  EXPECT_THROW(derivative(e, 1, {.order = 5}), ValueError);
  EXPECT_THROW(derivative(e, 1, {.step = 0.0}), ValueError);
  EXPECT_THROW(derivative(e, 1, {.direction = 2}), ValueError);
  EXPECT_THROW(derivative({}, 1), ShapeError);
}

}  // namespace
}  // namespace glia::calculus
