// Losses of adversarial networks beside their formulas, the penalty's derivatives, and a Gan that
// goes on from its state.
#include "glia/generative/gan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/generative/mixture.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

TEST(GanLosses, AreTheirFormulas) {
  const std::vector<double> real = {0.5, -1, 2}, fake = {-0.25, 3, 0};
  const Tensor r = tensor({0.5, -1.0, 2.0}), f = tensor({-0.25, 3.0, 0.0});
  double critic = 0, generator = 0, difference = 0;
  for (int i = 0; i < 3; ++i) {
    // The cross-entropy of logits: -log s(real) - log(1 - s(fake)), and -log s(fake).
    const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
    critic += (-std::log(s(real[i])) - std::log(1 - s(fake[i]))) / 3;
    generator += -std::log(s(fake[i])) / 3;
    difference += (fake[i] - real[i]) / 3;
  }
  EXPECT_NEAR(critic_loss(GanLoss::kNonSaturating, r, f).item(), critic, 1e-12);
  EXPECT_NEAR(generator_loss(GanLoss::kNonSaturating, f).item(), generator, 1e-12);
  EXPECT_NEAR(critic_loss(GanLoss::kWasserstein, r, f).item(), difference, 1e-12);
  EXPECT_NEAR(generator_loss(GanLoss::kWasserstein, f).item(), -(-0.25 + 3) / 3, 1e-12);
  // Logits at which a sigmoid is 0 or 1.
  const Tensor a = tensor({2.0, 0.5}), b = tensor({-2.0, 0.25});
  EXPECT_NEAR(critic_loss(GanLoss::kHinge, a, b).item(), 0.25 + 0.625, 1e-12);
  EXPECT_NEAR(generator_loss(GanLoss::kHinge, b).item(), 0.875, 1e-12);
  EXPECT_NEAR(critic_loss(GanLoss::kLeastSquares, a, b).item(), (1.25 + 4.0625) / 4, 1e-12);
  EXPECT_NEAR(generator_loss(GanLoss::kLeastSquares, b).item(), (9 + 0.5625) / 4, 1e-12);
  EXPECT_NEAR(critic_loss(GanLoss::kNonSaturating, tensor({-800.0}), tensor({800.0})).item(), 1600,
              1e-9);
}

TEST(GradientPenalty, IsThatOfALinearCriticAnywhere) {
  Parameter w(tensor({3.0, 4.0}));
  const auto critic = [&](const Tensor& x) { return sum(x * w, {1}); };
  const Tensor real = randn({5, 2}, kF64), fake = randn({5, 2}, kF64);
  const Tensor penalty = gradient_penalty(critic, real, fake);
  EXPECT_NEAR(penalty.item(), 16, 1e-9);  // (5 - 1)^2
  // d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
  const Tensor g = gradients(penalty, {w})[0];
  EXPECT_NEAR(g.to_vector<double>()[0], 8 * 3.0 / 5, 1e-9);
  EXPECT_NEAR(g.to_vector<double>()[1], 8 * 4.0 / 5, 1e-9);
}

TEST(GradientPenalty, IsTakenBetweenTheSamples) {
  // The slope of x^2 tells where it was taken: each of its own part of the way.
  std::vector<double> seen;
  const auto critic = [&](const Tensor& x) {
    seen = x.to_vector<double>();
    return square(x);
  };
  gradient_penalty(critic, full({64, 1}, 2.0), full({64, 1}, 3.0));
  double low = 3, high = 2;
  for (const double x : seen) low = std::min(low, x), high = std::max(high, x);
  EXPECT_GE(low, 2);
  EXPECT_LE(high, 3);
  EXPECT_GT(high - low, 0.5);
  // Pictures have one part each, too.
  const Tensor real = zeros({4, 2, 3, 1}), fake = ones({4, 2, 3, 1});
  gradient_penalty(
      [&](const Tensor& x) {
        seen = x.to_vector<double>();
        return sum(square(x), {1, 2, 3});
      },
      real, fake);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i / 6 * 6]) << i;
}

TEST(GradientPenalty, RefusesWhatDoesNotFit) {
  const auto critic = [](const Tensor& x) { return x; };
  EXPECT_THROW(gradient_penalty(critic, zeros({3, 2}), zeros({2, 2})), ShapeError);
  EXPECT_THROW(gradient_penalty(critic, zeros({3}), zeros({3})), ShapeError);
  // A slope of 0 has a derivative.
  Parameter w(zeros({2}));
  const Tensor penalty = gradient_penalty([&](const Tensor& x) { return sum(x * w, {1}); },
                                          zeros({3, 2}), ones({3, 2}));
  for (const double g : gradients(penalty, {w})[0].to_vector<double>())
    EXPECT_TRUE(std::isfinite(g));
}

nn::Sequential network(int64_t in, int64_t out) {
  return nn::Sequential(nn::Linear(in, 16), relu, nn::Linear(16, out));
}

TEST(Gan, GoesOnToTheSameBits) {
  const Mixture ring = ring_of_gaussians();
  for (const GanLoss loss : {GanLoss::kNonSaturating, GanLoss::kWasserstein}) {
    const auto run = [&](int64_t stop, const std::string& path) {
      manual_seed(3);
      nn::Sequential generator = network(2, 2), critic = network(2, 1);
      Gan gan(std::move(generator), std::move(critic),
              {.loss = loss, .batch_size = 8, .critic_steps = 2, .total_steps = 12});
      training::Trainer trainer(gan.task([&](int64_t n) { return ring.sample(n); }),
                                {.steps = 12, .interval = 4});
      if (stop < 0) trainer.load(path);
      trainer.add({.on_step = [&](training::Trainer& t) {
        if (t.step() == stop) t.stop();
      }});
      trainer.fit();
      if (stop > 0) trainer.save(path);
      return gan.averaged_weights();
    };
    const std::string path = testing::TempDir() + "gan.safetensors";
    const StateDict whole = run(0, "");
    run(5, path);
    const StateDict resumed = run(-1, path);
    for (size_t i = 0; i < whole.size(); ++i)
      EXPECT_EQ(whole[i].second.to_vector<double>(), resumed[i].second.to_vector<double>());
  }
}

TEST(Gan, SamplesByTheAverageAndKeepsItsOwnWeights) {
  nn::Sequential generator = network(3, 2), critic = network(2, 1);
  Gan gan(std::move(generator), std::move(critic), {.noise = 3, .batch_size = 4});
  const training::Task task = gan.task([](int64_t n) { return randn({n, 2}); });
  for (int i = 0; i < 3; ++i) task.step({});
  const auto weights = [&] { return task.parts[0].state_dict()[0].second.to_vector<double>(); };
  const std::vector<double> before = weights();
  EXPECT_EQ(gan.sample(7).shape(), (Shape{7, 2}));
  EXPECT_NE(gan.averaged_weights()[0].second.to_vector<double>(), before);
  EXPECT_EQ(weights(), before);
  EXPECT_THROW(Gan(network(2, 2), network(2, 1), {.critic_steps = 0}), ValueError);
  EXPECT_THROW(Gan(network(2, 2), network(2, 1), {.batch_size = 0}), ValueError);
}

}  // namespace
}  // namespace glia::generative
