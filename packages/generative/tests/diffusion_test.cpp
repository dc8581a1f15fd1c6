// Diffusion beside its formulas and where the answer is known; the U-Net; pixel after pixel; flows.
#include "glia/generative/diffusion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/generative/flow.h"
#include "glia/generative/pixel_cnn.h"
#include "glia/generative/unet.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

TEST(Diffusion, SchedulesEndInNoise) {
  for (const BetaSchedule schedule : {BetaSchedule::kLinear, BetaSchedule::kCosine}) {
    const Diffusion d({.schedule = schedule});
    EXPECT_EQ(d.betas().size(), 1000u);
    double left = 1;
    for (size_t i = 0; i < 1000; ++i) {
      left *= 1 - d.betas()[i];
      EXPECT_DOUBLE_EQ(d.alphas_cumprod()[i], left);
    }
    EXPECT_LT(left, 1e-4);
    EXPECT_GT(d.alphas_cumprod()[0], 0.999);
  }
  EXPECT_EQ(Diffusion({.steps = 10}).timesteps(10),
            (std::vector<int64_t>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(Diffusion({.steps = 10}).timesteps(3), (std::vector<int64_t>{9, 6, 2}));
  EXPECT_THROW(Diffusion({.steps = 0}), ValueError);
  EXPECT_THROW(Diffusion({.beta_start = 0.5, .beta_end = 0.1}), ValueError);
  EXPECT_THROW(Diffusion().timesteps(1001), ValueError);
}

TEST(Diffusion, TellsTheDataFromWhatIsPredicted) {
  const Tensor x = uniform({5, 2, 3}, -1, 1, kF64), noise = randn({5, 2, 3}, kF64);
  const Tensor t = tensor({0, 1, 20, 500, 999});
  for (const Prediction p : {Prediction::kEpsilon, Prediction::kSample, Prediction::kVelocity}) {
    const Diffusion d({.prediction = p});
    const Tensor noisy = d.noised(x, noise, t);
    EXPECT_LT(max(abs(d.original(noisy, d.target(x, noise, t), t) - x)).item(), 1e-9);
    // One step with the right answer leads to where the data are with less of the same noise.
    const Tensor at = tensor({700, 700, 700, 700, 700}), before = tensor({400, 400, 400, 400, 400});
    const Tensor from = d.noised(x, noise, at);
    const Tensor to = d.step(from, d.target(x, noise, at), 700, 400, {.eta = 0});
    EXPECT_LT(max(abs(to - d.noised(x, noise, before))).item(), 1e-9);
    EXPECT_LT(max(abs(d.step(from, d.target(x, noise, at), 700, -1, {}) - x)).item(), 1e-9);
  }
  const Diffusion d;
  EXPECT_THROW(d.noised(x, noise, tensor({1, 2})), ShapeError);
  EXPECT_THROW(d.noised(x, zeros({5, 2}), t), ShapeError);
  EXPECT_THROW(d.step(x, x, 3, 3, {}), ValueError);
  EXPECT_THROW(d.step(x, x, 1000, 3, {}), ValueError);
  EXPECT_THROW(d.step(x, x, 7, 3, {.eta = 1}), ShapeError);  // without noise
}

// Of data N(m, v) what the network should say is known: samples must be of that distribution.
TEST(Diffusion, SamplesWhatTheRightNetworkDescribes) {
  manual_seed(1);
  const double m = 0.3, v = 0.04;
  for (const double eta : {0.0, 1.0}) {
    const Diffusion d;
    const Denoiser right = [&](const Tensor& x, const Tensor& t) {
      const double a2 = d.alphas_cumprod()[t.to_vector<int64_t>()[0]], a = std::sqrt(a2);
      const double s2 = 1 - a2;
      return (x - a * m) * (std::sqrt(s2) / (a2 * v + s2));  // E[noise | x]
    };
    const Tensor x =
        d.sample(right, {20000, 1}, {.steps = eta > 0 ? 1000 : 200, .eta = eta, .clip = false});
    EXPECT_NEAR(mean(x).item(), m, 0.01) << eta;
    EXPECT_NEAR(var(x).item(), v, 0.004) << eta;
  }
}

TEST(UNet, IsWhatItsOptionsSayAndLearns) {
  manual_seed(1);
  const UNetOptions options{
      .width = 8, .multipliers = {1, 2}, .heads = 2, .groups = 4, .classes = 3};
  UNet net(options);
  const Tensor x = randn({4, 8, 8, 1}), t = tensor({0, 3, 500, 999});
  EXPECT_EQ(net(x, t).shape(), x.shape());
  EXPECT_EQ(max(abs(net(x, t))).item(), 0) << "it begins with nothing";
  for (const Variable& p : net.parameters()) p.set(p.tensor() + 0.05 * randn(p.shape()));
  // Step and class count; the number behind the classes is none.
  const auto at = [&](const Tensor& steps, const Tensor& labels) {
    return net(x, steps, labels).to_vector<float>();
  };
  EXPECT_NE(at(t, {}), at(tensor({1, 3, 500, 999}), {}));
  EXPECT_NE(at(t, {}), at(t, tensor({0, 1, 2, 0})));
  EXPECT_EQ(at(t, {}), at(t, tensor({3, 3, 3, 3})));
  const Tensor labels = tensor({0, 1, 2, 0});
  const auto close = [](const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); };
  EXPECT_LT(close(guided(net, labels, 2)(x, t), 2 * net(x, t, labels) - net(x, t)), 1e-4);
  EXPECT_LT(close(guided(net, labels, 0)(x, t), net(x, t)), 1e-4);
  EXPECT_EQ(guided(net, labels, 1)(x, t).to_vector<float>(), at(t, labels));
  const Tensor dropped = dropped_labels(zeros({2000}, kI64), 3, 0.25);
  EXPECT_NEAR(mean(cast(dropped == 3, kF32)).item(), 0.25, 0.05);

  const Diffusion d;
  optim::Adam optimizer(net.parameters(), {.lr = 3e-3});
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    const double loss =
        optimizer
            .step([&] {
              return d.loss(guided(net, zeros({16}, kI64)), full({16, 8, 8, 1}, 0.5));
            })
            .item();
    (i < 10 ? first : last) += i < 10 || i >= 30 ? loss / 10 : 0;
  }
  EXPECT_LT(last, 0.7 * first);

  EXPECT_THROW(net(zeros({1, 7, 8, 1}), tensor({1})), ShapeError);
  EXPECT_THROW(net(zeros({1, 8, 8, 2}), tensor({1})), ShapeError);
  EXPECT_THROW(UNet({.width = 9}), ShapeError);
  EXPECT_THROW(UNet({.multipliers = {}}), ShapeError);
  UNet plain({.width = 8, .multipliers = {1}, .heads = 1, .groups = 4});
  EXPECT_THROW(plain(zeros({1, 8, 8, 1}), tensor({1}), tensor({0})), ValueError);
  EXPECT_THROW(guided(plain, tensor({0})), ValueError);
}

// ---- Pixel after pixel --------------------------------------------------------------------------

TEST(PixelCnn, SeesAllPixelsBeforeAndNoneAfter) {
  manual_seed(1);
  PixelCnn net({.levels = 3, .width = 8, .layers = 5});
  for (const Variable& p : net.parameters()) p.set(2 * p.tensor());
  const int64_t side = 5;
  const Tensor x = randint(0, 3, {1, side, side});
  const Tensor before = net(x);
  for (const int64_t at : {0, 7, 12, 24}) {
    const int64_t row = at / side, column = at % side;
    const Tensor other =
        index_update(x, {0, row, column}, tensor((x.to_vector<int64_t>()[at] + 1) % 3));
    const std::vector<float> change = sum(abs(net(other) - before), {3}).to_vector<float>();
    for (int64_t i = 0; i < side * side; ++i) {
      // As far as five layers see.
      const int64_t down = i / side - row, across = std::abs(i % side - column);
      if (i <= at) {
        EXPECT_EQ(change[i], 0) << at << " changes " << i;
      } else if (down <= 3 && across <= 3) {
        EXPECT_NE(change[i], 0) << at << " to " << i;
      }
    }
  }
}

TEST(PixelCnn, IsADistributionAndDrawsFromIt) {
  manual_seed(2);
  PixelCnn net({.levels = 2, .width = 6, .layers = 2, .classes = 2});
  for (const Variable& p : net.parameters()) p.set(3 * p.tensor());
  // All pictures of 2 x 3 together have the probability 1.
  const Tensor all =
      remainder(floor_divide(unsqueeze(arange(64), 1), tensor({1, 2, 4, 8, 16, 32})), 2);
  const Tensor pictures = reshape(cast(all, kI64), {64, 2, 3});
  const Tensor p = exp(net.log_likelihood(pictures, ones({64}, kI64)));
  EXPECT_NEAR(sum(p).item(), 1, 1e-5);
  const int64_t n = 4000;
  const Tensor drawn = net.sample(n, 2, 3, ones({n}, kI64));
  const Tensor number = sum(flatten(drawn, 1) * tensor({1, 2, 4, 8, 16, 32}), {1});
  const Tensor shares = mean(one_hot(number, 64), {0});
  EXPECT_LT(max(abs(shares - p)).item(), 0.035);
  const Tensor begin = ones({3, 1, 3}, kI64);
  const Tensor on = net.sample(3, 2, 3, zeros({3}, kI64), begin);
  EXPECT_EQ(slice(on, 1, {0, 1}).to_vector<int64_t>(), begin.to_vector<int64_t>());
  EXPECT_THROW(net(pictures), ValueError);
  EXPECT_THROW(net.sample(0, 2, 3), ShapeError);
  EXPECT_THROW(PixelCnn({.levels = 1}), ShapeError);
}

// ---- Flows --------------------------------------------------------------------------------------

TEST(RealNvp, HasTheDensityThatItsJacobianSays) {
  manual_seed(1);
  RealNvp flow(3, {.layers = 4, .hidden = {8}});
  flow.to(kF64);
  const Tensor x = randn({5, 3}, kF64);
  // It begins as the identity.
  EXPECT_EQ(flow.forward(x).out.to_vector<double>(), x.to_vector<double>());
  for (const Variable& p : flow.parameters()) p.set(p.tensor() + 0.3 * randn(p.shape(), kF64));
  const Flowed z = flow.forward(x);
  EXPECT_LT(max(abs(flow.inverse(z.out) - x)).item(), 1e-10);
  for (int64_t i = 0; i < 5; ++i) {
    const Tensor j = jacobian(
        [&](const std::vector<Tensor>& in) {
          return index(flow.forward(unsqueeze(in[0], 0)).out, {0});
        },
        {index(x, {i})})[0];
    EXPECT_NEAR(linalg::slogdet(j).logabsdet.item(), z.log_det.to_vector<double>()[i], 1e-10);
  }
  EXPECT_THROW(flow.forward(zeros({3, 2})), ShapeError);
  EXPECT_THROW(flow.inverse(zeros({3})), ShapeError);
  EXPECT_THROW(RealNvp(1), ValueError);
  EXPECT_THROW(RealNvp(2, {.layers = 0}), ValueError);
}

TEST(RealNvp, LearnsADensityOfIntegralOne) {
  manual_seed(1);
  RealNvp flow(2, {.layers = 6, .hidden = {32}});
  optim::Adam optimizer(flow.parameters(), {.lr = 5e-3});
  // A bent ridge.
  const auto data = [](int64_t n) {
    const Tensor a = randn({n}), b = 0.3 * randn({n});
    return stack(std::vector<Tensor>{a, square(a) - 1 + b}, 1);
  };
  for (int i = 0; i < 300; ++i) optimizer.step([&] { return -mean(flow.log_density(data(128))); });
  // The entropies of a and b together are what can be reached.
  const double most = -2 * 0.5 * std::log(2 * M_PI * M_E) - std::log(0.3);
  const double reached = mean(flow.log_density(data(4000))).item();
  EXPECT_GT(reached, most - 0.15);
  EXPECT_LT(reached, most + 0.05);
  const Tensor line = linspace(-8, 16, 601);
  const Tensor grid = reshape(stack(std::vector<Tensor>{expand(unsqueeze(line, 1), {601, 601}),
                                                        expand(unsqueeze(line, 0), {601, 601})},
                                    2),
                              {-1, 2});
  EXPECT_NEAR(sum(exp(cast(flow.log_density(grid), kF64))).item() * 0.04 * 0.04, 1, 0.01);
  EXPECT_EQ(flow.sample(7).shape(), (Shape{7, 2}));
}

}  // namespace
}  // namespace glia::generative
