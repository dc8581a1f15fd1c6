// Norms, distances and dropouts of glia/ops/normalize.h beside their formulas.
#include "glia/ops/normalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "glia/autodiff.h"
#include "glia/nn/dropout.h"
#include "glia/ops/activation.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), text.npos) << text;
}

// ---- Norms over groups ----

// By sums over each group, in long double.
std::vector<double> by_groups(const Tensor& x, int64_t groups, double eps) {
  const int64_t n = x.size(0), c = x.size(-1), s = x.numel() / (n * c), each = c / groups;
  const std::vector<double> in = x.to_vector<double>();
  std::vector<double> out(in.size());
  for (int64_t i = 0; i < n * groups; ++i) {
    const int64_t example = i / groups, first = i % groups * each;
    const auto at = [&](int64_t r, int64_t k) { return (example * s + r) * c + first + k; };
    long double mean = 0, var = 0;
    for (int64_t r = 0; r < s; ++r)
      for (int64_t k = 0; k < each; ++k) mean += in[at(r, k)];
    mean /= s * each;
    for (int64_t r = 0; r < s; ++r)
      for (int64_t k = 0; k < each; ++k) var += (in[at(r, k)] - mean) * (in[at(r, k)] - mean);
    var /= s * each;
    for (int64_t r = 0; r < s; ++r)
      for (int64_t k = 0; k < each; ++k)
        out[at(r, k)] = static_cast<double>((in[at(r, k)] - mean) / std::sqrt(var + eps));
  }
  return out;
}

TEST(GroupNorm, IsItsFormula) {
  struct {
    Shape shape;
    int64_t groups;
  } const cases[] = {{{2, 3, 4}, 2},       {{3, 5, 2, 6}, 3},   {{2, 7, 37}, 1}, {{2, 7, 37}, 37},
                     {{1, 300, 70}, 10},   {{4, 6}, 3},         {{9, 1, 1}, 1},  {{10, 33, 16}, 16},
                     {{2, 4, 3, 2, 5}, 5}, {{1, 1100, 130}, 13}};
  for (const auto& [shape, groups] : cases) {
    SCOPED_TRACE(shape.str());
    const Tensor x = numbers(shape) * 3 + 2;
    const std::vector<double> want = by_groups(x, groups, 1e-5);
    expect_values(group_norm(x, groups), shape, want, 1e-12);
    const Tensor f32 = cast(x, kF32);
    expect_values(group_norm(f32, groups), shape, by_groups(f32, groups, 1e-5), 2e-6);
  }
}

TEST(GroupNorm, IsExactFarFromZero) {
  const Tensor x = cast(numbers({3, 50, 8}) + 1e5, kF32);  // of 24 bits 7 are left
  expect_values(group_norm(x, 2), x.shape(), by_groups(x, 2, 1e-5), 2e-6);
  const Tensor wide = numbers({3, 50, 8}) + 1e9;
  expect_values(group_norm(wide, 2), x.shape(), by_groups(wide, 2, 1e-5), 1e-6);
  // One that is far off begins the group.
  Tensor off = index_update(cast(numbers({1, 50, 8}), kF32), {0, 0, 0}, tensor(1e4f));
  expect_values(group_norm(off, 1), off.shape(), by_groups(off, 1, 1e-5), 1e-5);
  // What is constant has no deviation.
  expect_same(group_norm(full({2, 5, 4}, 1e7), 2), zeros({2, 5, 4}));
}

TEST(GroupNorm, HasItsGradient) {
  const auto f = [](const std::vector<Tensor>& in) { return group_norm(in[0], 2, in[1], in[2]); };
  const std::vector<Tensor> in{numbers({2, 5, 6}), numbers({6}, 1), numbers({6}, 2)};
  EXPECT_EQ(gradcheck(f, in), "");
  EXPECT_EQ(gradgradcheck(f, in), "");
  const auto of_images = [](const std::vector<Tensor>& in) {
    return instance_norm(in[0], in[1], in[2], 1e-3);
  };
  const std::vector<Tensor> images{numbers({2, 3, 2, 11}), numbers({11}, 1), numbers({11}, 2)};
  EXPECT_EQ(gradcheck(of_images, images), "");
  EXPECT_EQ(gradgradcheck(of_images, images), "");
}

TEST(GroupNorm, IsOtherNormsAtItsEnds) {
  const Tensor x = numbers({3, 4, 5, 8}), w = numbers({8}, 1), b = numbers({8}, 2);
  const Tensor flat = reshape(x, {3, 160});
  expect_same(group_norm(x, 1), reshape(layer_norm(flat, {}, {}), x.shape()), 1e-13);
  expect_same(group_norm(x, 8, w, b), instance_norm(x, w, b));
  const Tensor one = index(x, {Slice{0, 1}});
  expect_same(instance_norm(one, w, b), batch_norm(one, w, b).out, 1e-13);
}

TEST(GroupNorm, DtypesEdgesAndShapes) {
  const Tensor x = cast(numbers({2, 3, 4}), kBF16);
  EXPECT_EQ(group_norm(x, 2).dtype(), kBF16);
  expect_same(group_norm(x, 2), cast(group_norm(cast(x, kF32), 2), kBF16));
  EXPECT_EQ(group_norm(ones({2, 4}, kI32), 2).dtype(), kF32);
  // In the wider of both.
  EXPECT_EQ(group_norm(cast(x, kF32), 2, numbers({4})).dtype(), kF32);
  EXPECT_EQ(group_norm(zeros({0, 3, 4}), 2).shape(), (Shape{0, 3, 4}));
  EXPECT_EQ(group_norm(zeros({2, 0, 4}), 2).shape(), (Shape{2, 0, 4}));
  EXPECT_TRUE(std::isnan(sum(group_norm(tensor({{1.0, double{NAN}, 1.0, 2.0}}), 1)).item()));
  expect_text(message_of([&] { group_norm(x, 3); }),
              "group_norm: 4 channels have no 3 equal groups");
  for (int64_t groups : {int64_t{0}, int64_t{-2}, INT64_MIN, INT64_MAX})
    EXPECT_THROW(group_norm(x, groups), ShapeError);
  EXPECT_THROW(group_norm(ones({4}), 2), ShapeError);
  EXPECT_THROW(group_norm(Tensor(), 2), ShapeError);
  expect_text(message_of([&] { group_norm(x, 2, ones({3})); }), "weight has shape (3,), not (4,)");
  expect_text(message_of([&] { group_norm(x, 2, {}, ones({4, 1})); }), "bias has shape (4, 1)");
  expect_text(message_of([&] { instance_norm(ones({3, 4})); }), "needs (N, ..., C), not (3, 4)");
}

TEST(GroupNorm, VmapAndThreads) {
  const Tensor x = numbers({3, 2, 40, 6}), w = numbers({6}, 1);
  const auto f = [&](const std::vector<Tensor>& in) { return group_norm(in[0], 3, w); };
  std::vector<Tensor> each;
  for (int i = 0; i < 3; ++i) each.push_back(f({index(x, {i})}));
  expect_same(vmap(f)({x}), stack(each), 1e-13);
  const Tensor large = cast(numbers({3, 5000, 24}), kF32),
               g = cast(numbers({3, 5000, 24}, 5), kF32);
  const int before = num_threads();
  std::vector<std::vector<float>> seen;
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    const Tensor in = trainable(large + 0.0f);
    const Tensor y = group_norm(in, 4);
    seen.push_back((y + gradients(y, {in}, g)[0]).to_vector<float>());
  }
  set_num_threads(before);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

// ---- Other norms ----

TEST(RmsNorm, IsItsFormula) {
  const Tensor x = numbers({2, 3, 4}), w = numbers({4}, 1), w2 = numbers({3, 4}, 1);
  const Tensor root = sqrt(mean(square(x), {-1}, true) + std::numeric_limits<double>::epsilon());
  expect_same(rms_norm(x, w), x / root * w, 1e-14);
  const Tensor both = sqrt(mean(square(x), {1, 2}, true) + 0.5);
  expect_same(rms_norm(x, w2, 1, 0.5), x / both * w2, 1e-14);
  expect_same(rms_norm(x, {}, 2, 0.5), x / both, 1e-14);
  const auto f = [](const std::vector<Tensor>& in) { return rms_norm(in[0], in[1]); };
  EXPECT_EQ(gradcheck(f, {x, w}), "");
  EXPECT_EQ(gradgradcheck(f, {x, w}), "");
  EXPECT_EQ(rms_norm(cast(x, kBF16)).dtype(), kBF16);
  EXPECT_EQ(rms_norm(zeros({0, 4})).shape(), (Shape{0, 4}));
  expect_text(message_of([&] { rms_norm(x, ones({3})); }), "weight has shape (3,), not (4,)");
  EXPECT_THROW(rms_norm(x, {}, 0), ShapeError);
  EXPECT_THROW(rms_norm(x, {}, 4), ShapeError);
  EXPECT_THROW(rms_norm(x, {}, INT32_MIN), ShapeError);
}

TEST(LocalResponseNorm, IsItsFormula) {
  const Tensor x = numbers({2, 3, 7}) * 2;
  const std::vector<double> in = x.to_vector<double>();
  for (int64_t size : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{4}, int64_t{40}, INT64_MAX}) {
    std::vector<double> want;
    for (size_t i = 0; i < in.size(); ++i) {
      const int64_t c = static_cast<int64_t>(i) % 7;
      double total = 0;
      for (int64_t k = 0; k < 7; ++k)
        if (k >= c - size / 2 && k <= add_sizes(c, (size - 1) / 2))
          total += in[i - c + k] * in[i - c + k];
      want.push_back(in[i] / std::pow(2 + 0.3 * total / static_cast<double>(size), 0.6));
    }
    expect_values(local_response_norm(x, size, {.alpha = 0.3, .beta = 0.6, .k = 2}), x.shape(),
                  want, 1e-14);
  }
  EXPECT_EQ(
      gradcheck([](const auto& in) { return local_response_norm(in[0], 3, {.alpha = 0.5}); }, {x}),
      "");
  EXPECT_EQ(local_response_norm(zeros({2, 0}), 3).shape(), (Shape{2, 0}));
  for (int64_t size : {int64_t{0}, int64_t{-1}, INT64_MIN})
    EXPECT_THROW(local_response_norm(x, size), ShapeError);
  EXPECT_THROW(local_response_norm(tensor(1.0), 3), ShapeError);
}

// ---- Distances ----

TEST(Distances, AreTheirFormulas) {
  const Tensor a = numbers({4, 5}), b = numbers({4, 5}, 1);
  const Tensor d = abs(a - b + 1e-6);
  expect_same(pairwise_distance(a, b), sqrt(sum(square(d), {1})), 1e-14);
  expect_same(pairwise_distance(a, b, 1), sum(d, {1}), 1e-14);
  expect_same(pairwise_distance(a, b, 3), pow(sum(pow(d, 3), {1}), 1.0 / 3), 1e-14);
  expect_same(pairwise_distance(a, b, INFINITY), max(d, {1}), 1e-14);
  expect_same(pairwise_distance(a, b, -INFINITY), min(d, {1}), 1e-14);
  expect_same(pairwise_distance(a, a, 0, 0), zeros({4}));
  EXPECT_EQ(pairwise_distance(a, index(b, {0}), 2, 0, true).shape(), (Shape{4, 1}));
  expect_same(cosine_similarity(a, b),
              sum(a * b, {1}) / sqrt(sum(square(a), {1}) * sum(square(b), {1})), 1e-14);
  expect_same(cosine_similarity(a, b * 100), cosine_similarity(a, b), 1e-13);
  EXPECT_EQ(cosine_similarity(unsqueeze(a, 1), b).shape(), (Shape{4, 4}));
  expect_same(sum(square(normalize(a)), {1}), ones({4}, kF64), 1e-14);
  expect_same(sum(abs(normalize(a, 1, 0)), {0}), ones({5}, kF64), 1e-14);
  for (double p : {1.0, 2.0, 3.0, 0.5}) {
    EXPECT_EQ(gradcheck([p](const auto& in) { return pairwise_distance(in[0], in[1], p); }, {a, b}),
              "");
    EXPECT_EQ(gradcheck([p](const auto& in) { return normalize(in[0], p); }, {a}), "");
  }
  EXPECT_EQ(gradgradcheck([](const auto& in) { return cosine_similarity(in[0], in[1]); }, {a, b}),
            "");
}

TEST(Distances, ZerosHaveNumbersAndSlopes) {
  const Tensor zero = trainable(zeros({2, 3}, kF64));
  for (const Tensor& y : {normalize(zero), unsqueeze(pairwise_distance(zero, zero, 2, 0), 1),
                          unsqueeze(cosine_similarity(zero, ones({2, 3}, kF64)), 1)}) {
    expect_same(sum(y), tensor(0.0));
    EXPECT_TRUE(std::isfinite(sum(gradients(sum(y), {zero})[0]).item()));
  }
  EXPECT_TRUE(std::isnan(normalize(tensor({1.0, double{NAN}})).to_vector<double>()[0]));
  EXPECT_EQ(normalize(zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(normalize(zeros({3, 0})).shape(), (Shape{3, 0}));
  EXPECT_THROW(normalize(tensor(1.0)), ShapeError);
  EXPECT_THROW(normalize(ones({3}), 2, 1), ShapeError);
  EXPECT_THROW(pairwise_distance(tensor(1.0), tensor(2.0)), ShapeError);
  EXPECT_THROW(pairwise_distance(ones({2, 3}), ones({2, 4})), ShapeError);
  EXPECT_THROW(cosine_similarity(ones({2, 3}), ones({3}), 2), ShapeError);
}

// ---- Dropout ----

// The share of zeros, and whether all others are 1 / (1 - p).
double share_of_zeros(const Tensor& x, double p) {
  double zeros = 0;
  const std::vector<double> values = x.to_vector<double>();
  for (double v : values) {
    zeros += v == 0;
    EXPECT_TRUE(v == 0 || std::abs(v - 1 / (1 - p)) < 1e-6) << v;
  }
  return zeros / static_cast<double>(values.size());
}

TEST(Dropout, DropsWholeChannels) {
  manual_seed(2);
  const auto check = [](const Tensor& y, const Axes& positions) {
    EXPECT_NEAR(share_of_zeros(y, 0.3), 0.3, 0.05);
    expect_same(max(y, positions), min(y, positions));  // all alike
  };
  check(dropout1d(ones({40, 3, 50}), 0.3), {1});
  check(dropout2d(ones({40, 3, 2, 50}), 0.3), {1, 2});
  check(dropout3d(ones({40, 2, 3, 2, 50}), 0.3), {1, 2, 3});
  check(dropout2d(ones({3, 2, 1000}), 0.3), {0, 1});  // of one example
  expect_text(message_of([] {
                dropout2d(ones({3, 4}));
              }),
              "dropout2d: needs a batch of rank 4 or an example of rank 3, not (3, 4)");
  EXPECT_THROW(dropout3d(ones({2, 3, 4})), ShapeError);
  EXPECT_THROW(dropout1d(ones({2, 3, 4, 5})), ShapeError);
}

TEST(Dropout, DropPathDropsExamples) {
  manual_seed(4);
  const Tensor rows = drop_path(ones({2000, 3, 2}), 0.25);
  EXPECT_NEAR(share_of_zeros(rows, 0.25), 0.25, 0.03);
  expect_same(max(rows, {1, 2}), min(rows, {1, 2}));
  double dropped = 0;
  for (int i = 0; i < 400; ++i) {
    const Tensor y = drop_path(ones({3, 2}), 0.25, DropPathMode::kBatch);
    expect_same(max(y), min(y));
    dropped += max(y).item() == 0;
  }
  EXPECT_NEAR(dropped / 400, 0.25, 0.07);
  EXPECT_THROW(drop_path(tensor(1.0), 0.5), ShapeError);
}

TEST(Dropout, AlphaKeepsMeanAndVariance) {
  manual_seed(6);
  const Tensor x = randn({200000});
  for (double p : {0.1, 0.5, 0.9}) {
    const Tensor y = alpha_dropout(x, p);
    EXPECT_NEAR(mean(y).item(), 0, 0.02);
    EXPECT_NEAR(var(y).item(), 1, 0.03);
  }
  const Tensor y = feature_alpha_dropout(ones({50, 4, 20}), 0.4);
  expect_same(max(y, {1}), min(y, {1}));
  EXPECT_THROW(feature_alpha_dropout(ones({3}), 0.5), ShapeError);
}

TEST(Dropout, EndsAndModes) {
  const Tensor x = numbers({2, 3, 4});
  for (const auto f : {dropout1d, alpha_dropout, feature_alpha_dropout}) {
    expect_same(f(x, 0, Where::current()), x);
    expect_same(f(x, 1, Where::current()), zeros({2, 3, 4}, kF64));
    for (double p : {-0.1, 1.1, static_cast<double>(NAN)})
      EXPECT_THROW(f(x, p, Where::current()), ShapeError);
    EXPECT_THROW(f(Tensor(), 0.5, Where::current()), ShapeError);
    EXPECT_EQ(f(zeros({2, 0, 4}), 0.5, Where::current()).shape(), (Shape{2, 0, 4}));
    EXPECT_EQ(f(cast(x, kBF16), 0.5, Where::current()).dtype(), kBF16);
    // The same numbers again from the same seed, and a gradient where values were kept.
    manual_seed(3);
    const Tensor once = f(x, 0.5, Where::current());
    manual_seed(3);
    expect_same(f(x, 0.5, Where::current()), once);
    EXPECT_EQ(gradcheck(
                  [&](const auto& in) {
                    manual_seed(3);
                    return f(in[0], 0.5, Where::current());
                  },
                  {x}),
              "");
  }
  // Each example of a vmap draws for itself.
  manual_seed(1);
  const Tensor each =
      vmap([](const auto& in) { return dropout1d(in[0], 0.5); })({ones({60, 2, 1})});
  const double total = sum(each).item();
  EXPECT_GT(total, 60);
  EXPECT_LT(total, 180);

  nn::DropPath path(0.5);
  nn::Dropout2d whole(1);
  expect_same(whole(ones({1, 2, 2, 3})), zeros({1, 2, 2, 3}));
  for (nn::Module* layer : std::vector<nn::Module*>{&path, &whole}) layer->eval();
  expect_same(path(x), x);
  expect_same(whole(ones({1, 2, 2, 3})), ones({1, 2, 2, 3}));
  nn::AlphaDropout alpha;
  nn::FeatureAlphaDropout features(0.2);
  nn::Dropout1d lines(1);
  nn::Dropout3d volumes(1);
  EXPECT_EQ(alpha(x).shape(), x.shape());
  EXPECT_EQ(features(x).shape(), x.shape());
  expect_same(lines(x), zeros_like(x));
  expect_same(volumes(ones({1, 2, 2, 2, 2})), zeros({1, 2, 2, 2, 2}));
  EXPECT_EQ(message_of([] { nn::AlphaDropout(1.5); }),
            "AlphaDropout: the probability 1.5 is not in [0, 1]");
}

}  // namespace
}  // namespace glia::test
