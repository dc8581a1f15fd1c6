// MixUp and CutMix.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/data.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::data {
namespace {

using test::message_of;

// Images that are 1 in each pixel of image 0, 2 of image 1, ...
Tensor images(int64_t n, int64_t side) {
  return reshape(arange(1, n + 1, 1, kF32), {n, 1, 1, 1}) + zeros({n, side, side, 2});
}
const std::vector<int64_t> kLabels{0, 2, 1, 0};
Tensor labels() { return from_vector(kLabels, {4}); }

TEST(Mixtures, MixupIsAWeightedSumWithTheImageBefore) {
  Random random(3);
  const auto [x, y] = mixup(random, images(4, 3), labels(), 3);
  ASSERT_EQ(x.shape().str(), Shape({4, 3, 3, 2}).str());
  ASSERT_EQ(y.shape().str(), Shape({4, 3}).str());
  const auto p = y.to_vector<double>();
  const double part = p[2 * 3 + 1];  // of image 2, its own class
  EXPECT_GT(part, 0);
  EXPECT_LT(part, 1);
  const double others = 1 - part;
  test::expect_values(y, {4, 3}, {1, 0, 0, others, 0, part, 0, part, others, part, others, 0},
                      1e-6);
  // Image i is i + 1, the one before it i; of the first it is the last.
  const auto v = max(x, {1, 2, 3}).to_vector<double>();
  EXPECT_NEAR(v[0], part * 1 + others * 4, 1e-6);
  for (int i = 1; i < 4; ++i) EXPECT_NEAR(v[i], part * (i + 1) + others * i, 1e-6);
  test::expect_same(max(x, {1, 2, 3}), min(x, {1, 2, 3}));
}

TEST(Mixtures, CutmixPutsInABoxAndMixesByItsArea) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    const auto [x, y] = cutmix(random, images(4, 8), labels(), 3);
    const auto v = x.to_vector<double>();
    double other = 0;
    for (int64_t i = 0; i < 64; ++i) {
      EXPECT_TRUE(v[i * 2] == 1 || v[i * 2] == 4);
      EXPECT_EQ(v[i * 2], v[i * 2 + 1]);
      other += v[i * 2] == 4;
      EXPECT_EQ(v[i * 2] == 4, v[(64 + i) * 2] == 1);  // the same box in each image
    }
    EXPECT_NEAR(y.to_vector<double>()[2 * 3 + 1], 1 - other / 64, 1e-6);
  }
}

// Mean 1/2 and variance 1 / (4 (2 alpha + 1)) of Beta(alpha, alpha).
TEST(Mixtures, PartsAreOfTheBetaDistribution) {
  for (const double alpha : {0.1, 0.5, 1.0, 4.0}) {
    constexpr int kCount = 4000;
    double sum = 0, squares = 0;
    for (uint64_t seed = 0; seed < kCount; ++seed) {
      Random random(seed, 1);
      const auto y = mixup(random, ones({2, 1}), tensor<int64_t>({0, 1}), 2, alpha)[1];
      const double part = y.to_vector<double>()[0];
      ASSERT_TRUE(part >= 0 && part <= 1);
      sum += part;
      squares += (part - 0.5) * (part - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kCount, 0.5, 4 * std::sqrt(variance / kCount)) << alpha;
    EXPECT_NEAR(squares / kCount, variance, 0.06 * variance) << alpha;
  }
}

TEST(Mixtures, OfABatchAreAFunctionOfSeedEpochAndPosition) {
  const auto set =
      from_tensors(images(4, 4), labels())
          .batch(2)
          .augment(5, [](Random& random, const Tensor& x, const Tensor& y) {
            return random.uniform() < 0.5 ? mixup(random, x, y, 3, 0.4) : cutmix(random, x, y, 3);
          });
  const auto all = [&](auto samples) {
    std::vector<double> out;
    for (auto [x, y] : samples) {
      for (const double v : x.template to_vector<double>()) out.push_back(v);
      for (const double v : y.template to_vector<double>()) out.push_back(v);
    }
    return out;
  };
  EXPECT_EQ(all(set), all(set.prefetch(2, 2)));
  // Their labels may be mixed again, and are what the loss takes.
  Random random(1);
  const auto [x, y] = mixup(random, images(4, 3), labels(), 3);
  const auto [again, soft] = cutmix(random, x, y, 3);
  test::expect_values(sum(soft, {1}), {4}, {1, 1, 1, 1}, 1e-6);
  EXPECT_NEAR(cross_entropy(zeros({4, 3}), soft).item(), std::log(3), 1e-6);
}

TEST(Mixtures, OfOneImageAreItself) {
  Random random(0);
  test::expect_same(mixup(random, images(1, 2), tensor<int64_t>({1}), 2)[0], images(1, 2), 1e-6);
  test::expect_same(cutmix(random, images(1, 2), tensor<int64_t>({1}), 2)[0], images(1, 2));
  EXPECT_EQ(mixup(random, zeros({0, 2}), zeros({0}, kI64), 2)[1].numel(), 0);
}

TEST(Mixtures, RefuseWhatDoesNotFit) {
  Random random(0);
  const Tensor x = images(4, 3), y = labels();
  EXPECT_THROW(mixup(random, cast(x, kU8), y, 3), ShapeError);
  EXPECT_THROW(mixup(random, x, zeros({3}, kI64), 3), ShapeError);
  EXPECT_THROW(mixup(random, x, zeros({4, 2}), 3), ShapeError);
  EXPECT_THROW(mixup(random, x, cast(y, kF32), 3), ShapeError);
  EXPECT_THROW(cutmix(random, reshape(x, {4, 18}), y, 3), ShapeError);
  EXPECT_EQ(message_of([&] { mixup(random, x, y, 3, 0); }),
            "mixup: alpha = 0.000000 is out of range");
  EXPECT_THROW(cutmix(random, x, y, 3, NAN), ValueError);
  EXPECT_THROW(cutmix(random, x, y, 0), ValueError);
  EXPECT_THROW(mixup(random, x, y, 2)[1].item(), Error);  // a class that is none
}

}  // namespace
}  // namespace glia::data
