// Activations beside their formulas, their slopes, and what they do at corners and with options
// that make no sense. Values and slopes at special points are compared with PyTorch in
// tests/parity.
#include "glia/ops/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

struct Case {
  const char* name;
  Tensor (*function)(const Tensor&);
  std::function<double(double)> formula;
  std::vector<double> corners = {};
};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double clipped(double x, double low, double high) { return std::min(std::max(x, low), high); }

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"threshold",
       [](const Tensor& x) { return threshold(x, 0.5, -2); },
       [](double x) { return x > 0.5 ? x : -2; },
       {0.5}},
      {"relu6",
       [](const Tensor& x) { return relu6(x); },
       [](double x) { return clipped(x, 0, 6); },
       {0, 6}},
      {"hardtanh",
       [](const Tensor& x) { return hardtanh(x, -2, 1.5); },
       [](double x) { return clipped(x, -2, 1.5); },
       {-2, 1.5}},
      {"hardsigmoid",
       [](const Tensor& x) { return hardsigmoid(x); },
       [](double x) { return clipped(x + 3, 0, 6) / 6; },
       {-3, 3}},
      {"hardswish",
       [](const Tensor& x) { return hardswish(x); },
       [](double x) { return x * clipped(x + 3, 0, 6) / 6; },
       {-3, 3}},
      {"hardshrink",
       [](const Tensor& x) { return hardshrink(x, 1); },
       [](double x) { return std::abs(x) > 1 ? x : 0; },
       {-1, 1}},
      {"softshrink",
       [](const Tensor& x) { return softshrink(x, 1); },
       [](double x) { return std::abs(x) > 1 ? x - std::copysign(1, x) : 0; },
       {-1, 1}},
      {"tanhshrink", [](const Tensor& x) { return tanhshrink(x); },
       [](double x) { return x - std::tanh(x); }},
      {"softsign",
       [](const Tensor& x) { return softsign(x); },
       [](double x) { return x / (1 + std::abs(x)); },
       {0}},
      {"mish", [](const Tensor& x) { return mish(x); },
       [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"selu",
       [](const Tensor& x) { return selu(x); },
       [](double x) {
         return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
       },
       {0}},
      {"celu",
       [](const Tensor& x) { return celu(x, 1.5); },
       [](double x) { return x > 0 ? x : 1.5 * std::expm1(x / 1.5); },
       {0}},
      {"softplus",
       [](const Tensor& x) { return softplus(x, 2, 7); },
       [](double x) { return 2 * x > 7 ? x : std::log1p(std::exp(2 * x)) / 2; },
       {3.5}},
      {"gelu", [](const Tensor& x) { return gelu(x, GELUApproximate::kTanh); },
       [](double x) {
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       }},
      {"rrelu",
       [](const Tensor& x) { return rrelu(x, 0.1, 0.3); },
       [](double x) { return x > 0 ? x : 0.2 * x; },
       {0}},
  };
  return all;
}

// Away from corners, where slopes are those of differences.
std::vector<double> points(const Case& c) {
  std::vector<double> out;
  for (double x = -7.03; x < 8; x += 0.37) {
    bool near = false;
    for (double corner : c.corners) near |= std::abs(x - corner) < 0.01;
    if (!near) out.push_back(x);
  }
  return out;
}

TEST(Activations, AreTheirFormulas) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    std::vector<double> x = points(c), want;
    x.insert(x.end(), c.corners.begin(), c.corners.end());
    for (double each : x) want.push_back(c.formula(each));
    const Shape shape{static_cast<int64_t>(x.size())};
    const Tensor t = from_vector(x, shape);
    expect_values(c.function(t), shape, want, 1e-14);
    expect_values(c.function(cast(t, kF32)), shape, want, 1e-5);
    EXPECT_EQ(c.function(cast(t, kF32)).dtype(), kF32);
    // Rounded once.
    const Tensor half = cast(t, kBF16);
    EXPECT_EQ(c.function(half).dtype(), kBF16);
    expect_same(c.function(half), cast(c.function(cast(half, kF32)), kBF16));
    EXPECT_EQ(c.function(tensor({1, 2})).dtype(), kF32);
    EXPECT_EQ(c.function(zeros({2, 0, 3})).shape(), (Shape{2, 0, 3}));
  }
}

TEST(Activations, HaveTheirSlopes) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const std::vector<double> x = points(c);
    const Tensor t = from_vector(x, {static_cast<int64_t>(x.size())});
    const auto f = [&](const std::vector<Tensor>& in) { return c.function(in[0]); };
    EXPECT_EQ(gradcheck(f, {t}), "");
    EXPECT_EQ(gradgradcheck(f, {t}), "");
  }
}

TEST(Activations, FarNumbersHaveSlopesToo) {
  for (const Case& c : cases()) {
    if (std::string(c.name) == "softsign") continue;  // infinity divided by infinity
    SCOPED_TRACE(c.name);
    const Tensor x = trainable(tensor({-1e30f, -1e20f, 1e20f, 1e30f}));
    for (double g : gradients(sum(c.function(x)), {x})[0].to_vector<double>()) {
      if (std::string(c.name) != "gelu") EXPECT_TRUE(std::isfinite(g));
    }
    EXPECT_TRUE(std::isnan(c.function(tensor({std::nanf("")})).item()));
  }
}

TEST(Activations, EagerIsLazyAndVmapIsALoop) {
  const Tensor x = numbers({3, 5}) * 4;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Tensor lazy = c.function(x);
    expect_same(vmap([&](const std::vector<Tensor>& in) { return c.function(in[0]); })({x}), lazy,
                1e-15);
    set_eager(true);
    expect_same(c.function(x), lazy, 1e-14);
    set_eager(false);
  }
}

TEST(Activations, PReLULearnsItsSlope) {
  const Tensor x = numbers({2, 3, 4});
  const auto f = [](const std::vector<Tensor>& in) { return prelu(in[0], in[1]); };
  for (const Tensor& w : {tensor({0.2, -0.3, 1.5, 0.0}), tensor({0.25}), tensor(0.3)}) {
    EXPECT_EQ(gradcheck(f, {x, w}), "");
    EXPECT_EQ(gradgradcheck(f, {x, w}), "");
  }
  // An infinite number that is kept says nothing of the slope.
  const Tensor w = trainable(tensor({0.5}));
  expect_values(gradients(sum(prelu(tensor({(double)INFINITY, -2.0}), w)), {w})[0], {1}, {-2});
  EXPECT_NE(message_of([&] {
              prelu(x, ones({3}));
            }).find("the weight (3,) is neither one number nor one for each channel of (2, 3, 4)"),
            std::string::npos);
  EXPECT_THROW(prelu(x, {}), ShapeError);
  const nn::PReLU layer(4);
  EXPECT_EQ(layer.state_dict()[0].first, "weight");
  expect_values(layer.weight, {4}, {0.25, 0.25, 0.25, 0.25});
  EXPECT_THROW(nn::PReLU(0), ShapeError);
}

TEST(Activations, GatesAreHalves) {
  const Tensor x = numbers({2, 6, 3}) * 3;
  const Tensor a = slice(x, 1, {0, 3}), b = slice(x, 1, {3, 6});
  expect_same(glu(x, 1), a * sigmoid(b), 1e-15);
  expect_same(swiglu(x, -2), a * silu(b), 1e-15);
  expect_same(geglu(x, 1), a * gelu(b), 1e-15);
  EXPECT_EQ(nn::GLU(1)(x).shape(), (Shape{2, 3, 3}));
  EXPECT_EQ(gradcheck([](const auto& in) { return swiglu(in[0], 1); }, {x}), "");
  EXPECT_EQ(message_of([&] { glu(x); }).find("glu: axis 2 of (2, 6, 3) has no halves"), 0u);
  EXPECT_THROW(glu(x, 3), ShapeError);
  EXPECT_THROW(glu(tensor(1.0), 0), ShapeError);
  EXPECT_EQ(glu(zeros({0, 4})).shape(), (Shape{0, 2}));
}

TEST(Activations, RReLUDrawsSlopesInTraining) {
  manual_seed(5);
  nn::RReLU layer(0.2, 0.4);
  const std::vector<double> y = layer(full({20000}, -1)).to_vector<double>();
  double total = 0;
  for (double v : y) {
    EXPECT_TRUE(v >= -0.4 && v <= -0.2);
    total -= v;
  }
  EXPECT_NEAR(total / 20000, 0.3, 0.002);
  expect_same(layer(ones({5})), ones({5}));
  layer.eval();
  EXPECT_NEAR(layer(tensor({-1.0})).item(), -0.3, 1e-15);
  EXPECT_THROW(rrelu(ones({1}), 0.5, 0.1), ShapeError);
  EXPECT_THROW(rrelu(ones({1}), -INFINITY, 0.1, true), ShapeError);
}

TEST(Activations, GumbelSoftmaxSamplesTheDistribution) {
  manual_seed(1);
  const Tensor logits = expand(log(tensor({0.2, 0.5, 0.3})), {30000, 3});
  const Tensor hard = gumbel_softmax(logits, {.tau = 0.5, .hard = true});
  for (double v : hard.to_vector<double>()) ASSERT_TRUE(v == 0 || v == 1);
  const std::vector<double> share = mean(hard, {0}).to_vector<double>();
  EXPECT_NEAR(share[0], 0.2, 0.01);
  EXPECT_NEAR(share[1], 0.5, 0.01);
  expect_same(sum(hard, {1}), ones({30000}));
  const Tensor x = trainable(numbers({4, 3}));
  const auto slope = [&](bool on) {
    manual_seed(9);
    const Tensor y = gumbel_softmax(x, {.hard = on, .axis = 0});
    return gradients(sum(y * numbers({4, 3}, 2)), {x})[0];
  };
  expect_same(slope(true), slope(false), 1e-14);
  EXPECT_GT(sum(abs(slope(true))).item(), 0.01);
  EXPECT_THROW(gumbel_softmax(x, {.tau = 0}), ShapeError);
  EXPECT_THROW(gumbel_softmax(x, {.tau = -1}), ShapeError);
  EXPECT_THROW(gumbel_softmax(x, {.axis = 2}), ShapeError);
  EXPECT_EQ(gumbel_softmax(zeros({0, 3}), {.hard = true}).shape(), (Shape{0, 3}));
}

TEST(Activations, SoftminIsASoftmax) {
  const Tensor x = numbers({2, 3, 4});
  expect_same(softmin(x, 1), softmax(-x, 1));
  expect_same(nn::Softmin(0)(x), softmax(-x, 0));
  expect_same(nn::Softmax2d()(x), softmax(x));
  EXPECT_THROW(nn::Softmax2d()(ones({3, 4})), ShapeError);
}

TEST(Activations, RefuseOptionsWithoutSense) {
  const Tensor x = ones({2});
  EXPECT_EQ(message_of([&] {
              hardtanh(x, 2, 1);
            }).find("hardtanh: min_val 2.000000 is above max_val 1.000000"),
            0u);
  expect_same(hardtanh(x, 1, 1), ones_like(x));
  EXPECT_THROW(hardtanh(x, NAN, 1), ShapeError);
  EXPECT_THROW(softshrink(x, -1), ShapeError);
  EXPECT_THROW(softshrink(x, NAN), ShapeError);
  EXPECT_THROW(celu(x, 0), ShapeError);
  EXPECT_THROW(softplus(x, 0), ShapeError);
  EXPECT_THROW(mish(Tensor()), ShapeError);
}

TEST(Activations, LayersAreTheFunctions) {
  const Tensor x = numbers({2, 4}) * 8;
  nn::Sequential all;
  all.push_back(nn::ReLU6());
  all.push_back(nn::Hardswish());
  all.push_back(nn::Hardsigmoid());
  all.push_back(nn::Tanhshrink());
  all.push_back(nn::Softsign());
  all.push_back(nn::Mish());
  all.push_back(nn::SELU());
  expect_same(all(x), selu(mish(softsign(tanhshrink(hardsigmoid(hardswish(relu6(x))))))), 1e-12);
  expect_same(nn::Threshold(1, -1)(x), threshold(x, 1, -1));
  expect_same(nn::Hardtanh(-3, 2)(x), hardtanh(x, -3, 2));
  expect_same(nn::Hardshrink()(x), hardshrink(x));
  expect_same(nn::Softshrink(2)(x), softshrink(x, 2));
  expect_same(nn::CELU(0.5)(x), celu(x, 0.5), 1e-15);
  expect_same(nn::GELU(GELUApproximate::kTanh)(x), gelu(x, GELUApproximate::kTanh), 1e-15);
  expect_same(nn::Softplus()(x), softplus(x, 1, 20), 1e-15);
  expect_same(nn::SwiGLU()(x), swiglu(x), 1e-15);
  expect_same(nn::GEGLU()(x), geglu(x), 1e-15);
}

}  // namespace
}  // namespace glia::test
