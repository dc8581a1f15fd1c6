// Distances of sets beside what they are of known distributions; networks of pictures.
#include "glia/generative/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/error.h"
#include "glia/generative/dcgan.h"
#include "glia/generative/gan.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

TEST(FrechetDistance, IsThatOfGaussians) {
  manual_seed(1);
  const Tensor x = randn({500, 4}, kF64);
  EXPECT_NEAR(frechet_distance(x, x), 0, 1e-9);
  EXPECT_NEAR(frechet_distance(x, x + tensor({3.0, 0.0, 0.0, 4.0})), 25, 1e-9);
  // Twice as wide: tr(C + 4 C - 4 C) = tr C.
  const Tensor apart = x - mean(x, {0});
  EXPECT_NEAR(frechet_distance(x, mean(x, {0}) + 2 * apart), sum(square(apart)).item() / 499, 1e-8);
  // Features that never differ from one another have no covariance at all.
  EXPECT_NEAR(frechet_distance(zeros({5, 300}), ones({5, 300})), 300, 1e-9);
  EXPECT_THROW(frechet_distance(x, zeros({500, 3})), ShapeError);
  EXPECT_THROW(frechet_distance(x, zeros({1, 4})), ShapeError);
}

TEST(KernelDistance, IsNothingBetweenEqualDistributions) {
  manual_seed(1);
  const Tensor a = randn({600, 8}), b = randn({600, 8}), c = randn({600, 8}) + 0.5;
  const KernelDistance same = kernel_distance(a, b, {.subsets = 20, .subset_size = 200});
  const KernelDistance other = kernel_distance(a, c, {.subsets = 20, .subset_size = 200});
  EXPECT_NEAR(same.mean, 0, 0.02);
  EXPECT_GT(other.mean, 10 * std::abs(same.mean));
  EXPECT_GT(other.std, 0);
  // Linear and without a constant it is |m - m'|^2, but for the unbiased diagonal.
  const Tensor x = tensor({{1.0, 0.0}, {3.0, 0.0}}), y = tensor({{5.0, 0.0}, {7.0, 0.0}});
  EXPECT_NEAR(kernel_distance(x, y, {.subsets = 1, .degree = 1, .coef0 = 0, .gamma = 1}).mean,
              3 + 35 - 2 * 2 * 6, 1e-9);
  EXPECT_THROW(kernel_distance(a, b, {.subsets = 0}), ValueError);
  EXPECT_THROW(kernel_distance(a, b, {.subset_size = 1}), ValueError);
}

TEST(PrecisionRecall, CountsBalls) {
  // Real ones on a line; made ones at two of them, and far away.
  const Tensor real = reshape(cast(arange(10), kF64), {10, 1});
  const Tensor fake = reshape(tensor({0.2, 0.3, 0.4, 100.0, 101.0, 102.0}), {6, 1});
  const PrecisionRecall p = precision_recall(real, fake, 1);
  EXPECT_DOUBLE_EQ(p.precision, 0.5);
  EXPECT_DOUBLE_EQ(p.recall, 0.0) << "made balls are of 0.1 and hold no whole number";
  EXPECT_DOUBLE_EQ(p.density, 3.0 * 2 / 6) << "each of three is in the balls of 0 and 1";
  EXPECT_DOUBLE_EQ(p.coverage, 0.2);
  const PrecisionRecall own = precision_recall(real, real);
  EXPECT_EQ(own.precision, 1);
  EXPECT_EQ(own.recall, 1);
  EXPECT_EQ(own.coverage, 1);
  EXPECT_THROW(precision_recall(real, fake, 6), ValueError);
  EXPECT_THROW(precision_recall(real, zeros({10, 2})), ShapeError);
}

TEST(Parzen, IsADensity) {
  const Tensor at = tensor({{0.0}, {2.0}}), x = tensor({{0.5}, {-1.0}, {9.0}});
  const std::vector<double> d = parzen_log_density(x, at, 0.7).to_vector<double>();
  const auto normal = [](double x) {
    return std::exp(-x * x / 2 / 0.49) / 0.7 / std::sqrt(2 * std::numbers::pi);
  };
  EXPECT_NEAR(d[0], std::log((normal(0.5) + normal(1.5)) / 2), 1e-12);
  EXPECT_NEAR(d[2], std::log((normal(9) + normal(7)) / 2), 1e-9);
  EXPECT_THROW(parzen_log_density(x, at, 0), ValueError);
}

TEST(Dcgan, HasTheShapesOfItsPictures) {
  for (const int64_t size : {8, 24, 28, 32, 64}) {
    const DcganOptions o{.size = size, .channels = 3, .width = 4};
    const Tensor made = dcgan_generator(5, o)(randn({2, 5}));
    EXPECT_EQ(made.shape(), (Shape{2, size, size, 3}));
    EXPECT_LE(max(abs(made)).item(), 1);
    EXPECT_EQ(dcgan_critic(1, o)(made).shape(), (Shape{2, 1}));
  }
  const auto critic = dcgan_critic(3, {.size = 8, .width = 4, .norm = DcganNorm::kSpectral});
  EXPECT_EQ(critic.parameter_count(), 4 * 16 + 4 + 4 * 4 * 4 * 3 + 3);
  EXPECT_THROW(dcgan_generator(5, {.size = 30}), ShapeError);
  EXPECT_THROW(dcgan_critic(1, {.size = 4}), ShapeError);
  EXPECT_THROW(dcgan_generator(0), ShapeError);
  EXPECT_THROW(dcgan_generator(5, {.norm = DcganNorm::kSpectral}), ShapeError);
}

// Every loss and penalty takes steps, with classes and without.
TEST(Gan, OfPicturesByEveryLoss) {
  for (const int64_t classes : {0, 3}) {
    for (const GanLoss loss : {GanLoss::kNonSaturating, GanLoss::kWasserstein, GanLoss::kHinge,
                               GanLoss::kLeastSquares}) {
      manual_seed(1);
      DcganOptions o{.size = 8, .width = 4};
      nn::Sequential generator = dcgan_generator(4 + classes, o);
      o.norm = loss == GanLoss::kHinge ? DcganNorm::kSpectral : DcganNorm::kNone;
      nn::Sequential critic = dcgan_critic(1 + classes, o);
      Gan gan(std::move(generator), std::move(critic),
              {.loss = loss,
               .r1 = loss == GanLoss::kNonSaturating ? 1.0 : 0.0,
               .noise = 4,
               .classes = classes,
               .batch_size = 6,
               .critic_lr = 1e-3});
      const training::Task task = gan.task([&](int64_t n) -> Labelled {
        return {rand({n, 8, 8, 1}), classes ? randint(0, classes, {n}) : Tensor()};
      });
      for (int i = 0; i < 3; ++i)
        for (const training::Metric& m : task.step({}))
          EXPECT_TRUE(std::isfinite(m.sum.tensor().item()));
      EXPECT_EQ(gan.sample(5).shape(), (Shape{5, 8, 8, 1}));
      if (classes) {
        manual_seed(3);
        const auto one = gan.sample(5, zeros({5}, kI64)).to_vector<float>();
        manual_seed(3);
        EXPECT_NE(gan.sample(5, ones({5}, kI64)).to_vector<float>(), one);
      }
    }
  }
  EXPECT_THROW(with_class(zeros({3, 2}), zeros({2}, kI64), 4), ShapeError);
}

// The best critic of equal distributions says 0 of everything: log 4 (Goodfellow et al. 2014).
TEST(GanLosses, AreLogFourWhereNothingCanBeTold) {
  EXPECT_NEAR(critic_loss(GanLoss::kNonSaturating, zeros({9, 1}), zeros({9, 1})).item(),
              std::log(4), 1e-6);
  // And the optimal critic log(p / q) gives -2 JSD + log 4: by quadrature, two normals.
  const Tensor x = linspace(-12, 12, 4001, kF64);
  const auto density = [&](double m) { return exp(-0.5 * square(x - m)) / std::sqrt(2 * M_PI); };
  const Tensor p = density(1), q = density(-1), best = 2 * x;
  const double step = 24.0 / 4000;
  const double loss = sum(p * softplus(-best) + q * softplus(best)).item() * step;
  const Tensor middle = (p + q) / 2;
  const double divergence = sum(p * log(p / middle) + q * log(q / middle)).item() / 2 * step;
  EXPECT_NEAR(loss, std::log(4) - 2 * divergence, 1e-9);
}

TEST(R1Penalty, IsTheSquaredSlopeAtRealSamples) {
  Parameter w(tensor({3.0, 4.0}));
  const auto critic = [&](const Tensor& x) { return sum(x * w, {1}); };
  EXPECT_NEAR(r1_penalty(critic, randn({5, 2}, kF64)).item(), 25, 1e-9);
  EXPECT_THROW(r1_penalty(critic, zeros({0, 2})), ShapeError);
}

}  // namespace
}  // namespace glia::generative
