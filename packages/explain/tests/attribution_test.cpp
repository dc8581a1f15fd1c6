// Attributions on networks whose answers are known: completeness, closed forms, other rules, maps
// and words, and what is refused. Beside Captum and shap: parity/captum_methods.py,
// parity/shap_values.py.
#include "glia/explain/attribution.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/explain/examples.h"
#include "glia/explain/layers.h"
#include "glia/explain/metrics.h"
#include "glia/explain/perturb.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/ops/activation.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::explain {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using glia::test::numbers;

struct ConvNet : nn::Module {
  nn::Conv2d first{2, 6, {.kernel = 3, .padding = 1}}, second{6, 8, {.kernel = 3, .padding = 1}};
  nn::Linear out{8, 3};
  Tensor operator()(const Tensor& x) const {
    const Tensor h = max_pool2d(relu(first(x)), 2);
    return out(mean(relu(second(h)), {1, 2}));
  }
  GLIA_FIELDS(first, second, out)
};

// Gates, norms and products of two things that both depend on the input.
struct Gated : nn::Module {
  nn::Linear a{5, 8}, b{5, 8}, q{8, 4}, k{8, 4}, out{4, 2};
  nn::LayerNorm norm{8};
  Tensor operator()(const Tensor& x) const {
    const Tensor h = norm(gelu(a(x)) * sigmoid(b(x)) + silu(a(x)) / (1 + square(b(x))));
    const Tensor m = softmax(matmul(unsqueeze(q(h), 2), unsqueeze(k(h), 1)) * 0.5);
    return out(squeeze(matmul(m, unsqueeze(leaky_relu(q(h)), 2)), 2));
  }
  GLIA_FIELDS(a, b, q, k, out, norm)
};

template <class M>
Forward of(const M& net) {
  return [&net](const Tensor& x) { return net(x); };
}

double largest(const Tensor& t) { return max(abs(t)).item(); }

class Attribution : public ::testing::Test {
 protected:
  void SetUp() override { manual_seed(3); }
};

TEST_F(Attribution, IntegratedGradientsAddUp) {
  ConvNet net;
  const Tensor x = randn({3, 8, 8, 2}), base = randn({1, 8, 8, 2}) * 0.1;
  const auto a = integrated_gradients(of(net), x,
                                      {.target = from_vector(std::vector<int64_t>{0, 2, 1}, {3}),
                                       .baseline = base,
                                       .n_steps = 300});
  EXPECT_EQ(a.attributions.shape(), x.shape());
  EXPECT_LT(largest(a.delta), 3e-3);  // a network of corners
  // Of a smooth one the rule of Gauss has all digits.
  nn::Sequential smooth(
      nn::Linear(5, 8), tanh, nn::Linear(8, 8), [](const Tensor& t) { return silu(t); },
      nn::Linear(8, 2));
  smooth.to(kF64);
  const Tensor z = randn({4, 5}, kF64);
  const auto b = integrated_gradients(of(smooth), z, {.target = 1});
  EXPECT_LT(largest(b.delta), 1e-6);
  const Forward cubic = [](const Tensor& t) { return sum(t * t * t, {1}); };
  expect_same(integrated_gradients(cubic, z, {.n_steps = 2}).attributions, z * z * z, 1e-12);
  for (auto method : {IntegralMethod::kRiemannMiddle, IntegralMethod::kRiemannTrapezoid,
                      IntegralMethod::kRiemannLeft, IntegralMethod::kRiemannRight})
    EXPECT_LT(largest(integrated_gradients(cubic, z, {.n_steps = 400, .method = method}).delta),
              0.2);
}

TEST_F(Attribution, OfALinearModelAllAgree) {
  const Tensor w = numbers({4}), x = numbers({3, 4}, 1), base = numbers({1, 4}, 2);
  const Forward f = [&](const Tensor& t) { return sum(t * cast(w, t.dtype()), {1}) + 0.7; };
  const Tensor exact = w * (x - base);
  expect_same(integrated_gradients(f, x, {.baseline = base}).attributions, exact, 1e-6);
  expect_same(deep_lift(f, x, {.baseline = base}).attributions, exact, 1e-6);
  expect_same(feature_ablation(f, x, {.baseline = base}), exact, 1e-6);
  expect_same(shapley_value_sampling(f, x, {.baseline = base, .n_samples = 2}), exact, 1e-6);
  expect_same(kernel_shap(f, x, {.background = base}).values, exact, 1e-6);
  expect_same(occlusion(f, x, {.sliding_window_shapes = {1}, .baseline = base}), exact, 1e-6);
  expect_same(gradient_shap(f, x, base).attributions, exact, 1e-6);
  expect_same(input_x_gradient(f, x), w * x, 1e-6);
  expect_same(saliency(f, x), expand(abs(w), x.shape()), 1e-6);
  const auto a = lime(f, x, {.baseline = base, .n_samples = 400, .alpha = 1e-6});
  expect_same(a.attributions, exact, 1e-4);
  EXPECT_GT(min(a.score).item(), 0.9999);
}

TEST_F(Attribution, DeepLiftAddsUp) {
  ConvNet net;
  const Tensor x = randn({3, 8, 8, 2}), base = randn({1, 8, 8, 2});
  const auto a = deep_lift(of(net), x, {.target = 1, .baseline = base});
  EXPECT_LT(largest(a.delta), 1e-5);
  // Through gates, norms, attention and division too, which the rescale rule alone leaves out.
  Gated gated;
  gated.to(kF64);
  const Tensor z = randn({4, 5}, kF64), other = randn({3, 5}, kF64);
  EXPECT_LT(
      largest(deep_lift(of(gated), z, {.target = 1, .baseline = slice(other, 0, {0, 1})}).delta),
      1e-9);
  EXPECT_LT(largest(deep_lift_shap(of(gated), z, other, 0).delta), 1e-9);
  // Of one feature it is the whole difference, whatever the function.
  const Forward bent = [](const Tensor& t) {
    return sum(gelu(t) + elu(t) + relu6(t) * tanh(t) + maximum(t, t * t) + softplus(t), {1});
  };
  const Tensor one = numbers({5, 1}) * 3;
  expect_same(squeeze(deep_lift(bent, one).attributions, 1), bent(one) - bent(zeros_like(one)),
              1e-9);
  // Without a difference the slope counts.
  EXPECT_EQ(largest(deep_lift(bent, one, {.baseline = one}).attributions), 0);
}

TEST_F(Attribution, RelevanceIsKept) {
  nn::Sequential net(nn::Linear(5, 7, {.bias = false}), relu, nn::Linear(7, 3, {.bias = false}));
  const Tensor x = randn({4, 5});
  const auto a = lrp(of(net), x, {.target = 2});
  EXPECT_LT(largest(a.delta), 1e-5);
  // Without biases and epsilon it is the gradient times the input (Ancona et al. 2018).
  expect_same(a.attributions, input_x_gradient(of(net), x, 2), 1e-5);
  // Positive weights of positive inputs share what is positive among what is.
  const auto b = lrp(of(net), abs(x), {.target = 2, .rule = LrpRule::kAlpha1Beta0});
  EXPECT_TRUE(all(isfinite(b.attributions)).item<bool>());
  ConvNet conv;
  const auto c = lrp(of(conv), randn({2, 8, 8, 2}), {.target = 0, .rule = LrpRule::kGamma});
  EXPECT_TRUE(all(isfinite(c.attributions)).item<bool>());
}

TEST_F(Attribution, OtherWaysThroughReLUs) {
  // One unit: y = -relu(w x). Behind the unit the gradient is negative, so guided passes nothing.
  const Forward f = [](const Tensor& t) { return -sum(relu(2 * t), {1}) + sum(relu(3 * t), {1}); };
  const Tensor x = tensor({{1.0f, -1.0f}});
  expect_values(saliency(f, x, {.abs = false}), {1, 2}, {1, 0});
  expect_values(guided_backprop(f, x), {1, 2}, {3, 0});
  expect_values(deconvolution(f, x), {1, 2}, {3, 3});
  // The rules end with the call, also when it throws.
  EXPECT_THROW(guided_backprop([](const Tensor& t) { return floor(t); }, x), Error);
  expect_values(saliency(f, x, {.abs = false}), {1, 2}, {1, 0});
}

TEST_F(Attribution, GradCamByHand) {
  ConvNet net;
  const Tensor x = randn({2, 8, 8, 2});
  const Tensor map = layer_activation(of(net), x);
  EXPECT_EQ(map.shape(), (Shape{2, 4, 4, 8}));
  // The last map is what the mean sees: its gradient is the last layer's weight by the area.
  const Tensor weight = index(net.out.weight.tensor(), {1}) / 16;
  const Tensor by_hand = sum(map * weight, {3});
  expect_same(grad_cam(of(net), x, {.target = 1}), by_hand, 1e-6);
  EXPECT_EQ(grad_cam(of(net), x, {.target = 1, .upsample = true}).shape(), (Shape{2, 8, 8}));
  EXPECT_GE(min(grad_cam_plus_plus(of(net), x, {.target = 1})).item(), 0);
  EXPECT_EQ(guided_grad_cam(of(net), x, {.target = 1}).shape(), x.shape());
  // A layer by its weight: what the convolution gives, before ReLU and pooling.
  const Tensor first = layer_activation(of(net), x, net.first.weight);
  expect_same(first, net.first(x), 1e-6);
  EXPECT_EQ(grad_cam(of(net), x, {.target = 1, .layer = net.first.weight}).shape(),
            (Shape{2, 8, 8}));
  ConvNet other;
  EXPECT_NE(message_of([&] { grad_cam(of(net), x, {.target = 1, .layer = other.first.weight}); }),
            "");
  EXPECT_NE(message_of([&] {
              grad_cam([](const Tensor& t) { return sum(t, {1}); }, randn({2, 3}));
            }),
            "");
  // A scaled picture that goes flat into a perceptron is no map.
  const nn::Linear flat(48, 2);
  EXPECT_NE(message_of([&] {
              grad_cam(
                  [&](const Tensor& t) {
                    return flat(reshape((t - 1) / 2, {-1, 48}));
                  },
                  randn({2, 4, 4, 3}), {.target = 1});
            }).find("no maps"),
            std::string::npos);
}

TEST_F(Attribution, WordsOfAnEmbedding) {
  nn::Embedding words(10, 4);
  nn::Linear out(4, 3);
  const Tensor ids = from_vector(std::vector<int64_t>{1, 2, 2, 7, 0, 3}, {2, 3});
  const auto f = [&] { return out(tanh(sum(words(ids), {1}))); };
  const Tensor table = words.weight.tensor();
  const auto a = embedding_gradients(words, f, {.target = 2});
  EXPECT_EQ(a.attributions.shape(), ids.shape());
  EXPECT_LT(largest(a.delta), 1e-5);
  // Equal words weigh the same in one text, and the table is back.
  EXPECT_FLOAT_EQ(index(a.attributions, {0, 1}).item(), index(a.attributions, {0, 2}).item());
  expect_same(words.weight.tensor(), table);
}

TEST_F(Attribution, TrustMeasures) {
  nn::Sequential net(nn::Linear(6, 12), tanh, nn::Linear(12, 3));
  const Tensor x = randn({5, 6});
  const Forward f = of(net);
  const Method integrated = [&](const Tensor& t) {
    return integrated_gradients(f, t, {.target = 0}).attributions;
  };
  const Tensor slope = saliency(f, x, {.target = 0, .abs = false});
  // Infidelity of the gradient is of second order, that of noise is not.
  const double good = mean(infidelity(f, x, slope, {.target = 0})).item(),
               bad = mean(infidelity(f, x, randn({5, 6}), {.target = 0})).item();
  EXPECT_LT(good, 0.01 * bad);
  EXPECT_GT(min(sensitivity_max(integrated, x)).item(), 0);
  EXPECT_EQ(largest(sensitivity_max([](const Tensor& t) { return ones_like(t); }, x)), 0);
  // Adebayo's check: gradients change with the weights, edges do not.
  const StateDict before = net.state_dict();
  const auto changed = cascading_randomisation(net, integrated, x, 1);
  ASSERT_EQ(changed.size(), 2u);
  EXPECT_EQ(changed[0].layer, "2");
  EXPECT_LT(changed[1].similarity, 0.9);
  const auto same = cascading_randomisation(
      net, [](const Tensor& t) { return t * t; }, x, 1);
  EXPECT_DOUBLE_EQ(same[1].similarity, 1);
  for (size_t i = 0; i < before.size(); ++i)
    expect_same(net.state_dict()[i].second, before[i].second);
  // Of a sum the most important first falls fastest.
  const Forward total = [](const Tensor& t) { return sum(t, {1}); };
  const Tensor positive = abs(x) + 0.1;
  const auto right = deletion_insertion(total, positive, positive),
             wrong = deletion_insertion(total, positive, -positive);
  EXPECT_TRUE(all(right.deletion < wrong.deletion).item<bool>());
  EXPECT_TRUE(all(right.insertion > wrong.insertion).item<bool>());
  const Tensor smooth =
      noise_tunnel([&](const Tensor& t) { return saliency(f, t, {.target = 0}); }, x);
  EXPECT_EQ(smooth.shape(), x.shape());
  EXPECT_GE(min(noise_tunnel(integrated, x, {.type = NoiseTunnelType::kVarGrad})).item(), 0);
}

TEST_F(Attribution, WhatIsRefused) {
  const Forward f = [](const Tensor& t) { return t; };
  const Tensor x = randn({2, 3});
  EXPECT_NE(message_of<ShapeError>([&] { saliency(f, x); }).find("no target"), std::string::npos);
  EXPECT_NE(message_of<ValueError>([&] { saliency(f, x, {.target = 3}); }), "");
  EXPECT_NE(message_of<ShapeError>([&] { saliency(f, Tensor()); }), "");
  EXPECT_NE(message_of<ShapeError>([&] { saliency(f, ones({2, 3}, kI64), {.target = 0}); }), "");
  EXPECT_NE(message_of<ShapeError>(
                [&] { saliency(f, x, {.target = from_vector(std::vector<int64_t>{0}, {1})}); }),
            "");
  EXPECT_NE(message_of<ShapeError>(
                [&] { integrated_gradients(f, x, {.target = 0, .baseline = ones({4})}); }),
            "");
  EXPECT_NE(
      message_of<ValueError>([&] { integrated_gradients(f, x, {.target = 0, .n_steps = 0}); }), "");
  EXPECT_NE(message_of([&] {
              saliency([](const Tensor& t) { return cast(cast(t, kI64), kF32); }, x, {.target = 0});
            }).find("does not depend"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              saliency([](const Tensor& t) { return ones({t.size(0), 2}); }, x, {.target = 0});
            }),
            "");
  EXPECT_NE(
      message_of<ValueError>([&] { occlusion(f, x, {.target = 0, .sliding_window_shapes = {9}}); }),
      "");
  EXPECT_NE(message_of<ValueError>([&] {
              feature_ablation(
                  f, x,
                  {.target = 0, .feature_mask = from_vector(std::vector<int64_t>{0, 2, 2}, {3})});
            }),
            "");
  EXPECT_EQ(integrated_gradients(f, zeros({0, 3}), {.target = 0}).attributions.shape(),
            (Shape{0, 3}));
}

}  // namespace
}  // namespace glia::explain
