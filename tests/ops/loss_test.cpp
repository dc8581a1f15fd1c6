// Losses of glia/ops/loss.h beside their formulas, their derivatives, and what they refuse. Those
// that PyTorch has are compared with it in tests/parity.
#include "glia/ops/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops/normalize.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr Reduction kEach = Reduction::kNone, kSum = Reduction::kSum, kMean = Reduction::kMean;

void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), text.npos) << text;
}

// ---- What holds of every loss ----

using Inputs = std::vector<Tensor>;
struct Case {
  const char* name;
  Inputs in;  // those of f64 are differentiated
  std::function<Tensor(const Inputs&, Reduction)> loss;
  bool smooth = true;        // has a second derivative at these numbers
  bool mean_of_each = true;  // the mean is that of the losses
};

const std::vector<Case>& cases() {
  const Tensor x = numbers({4, 5}), y = numbers({4, 5}, 1), z = numbers({4, 5}, 2);
  const Tensor p = y * 0.4 + 0.5, q = z * 0.4 + 0.5;  // between 0 and 1
  const Tensor signs = tensor<int64_t>({1, -1, -1, 1}), classes = tensor<int64_t>({3, 0, 4, 1});
  const Tensor each_sign = where(z > 0, ones({4, 5}, kI64), -1);
  const Tensor lists =
      tensor<int64_t>({{3, 0, -1, 1, 2}, {1, -1, -1, -1, -1}, {-1, 2, 3, 4, 0}, {0, 1, 2, 3, 4}});
  const Tensor several = reshape(p, {2, 2, 5});
#define LOSS(...) [=](const Inputs& t, Reduction r) -> Tensor { return __VA_ARGS__; }
  static const std::vector<Case> all{
      {"huber", {x, y}, LOSS(huber_loss(t[0], t[1], 0.6, r))},
      {"binary_cross_entropy", {p, q}, LOSS(binary_cross_entropy(t[0], t[1], {.reduction = r}))},
      {"binary_cross_entropy, weights",
       {p, q, numbers({5})},
       LOSS(binary_cross_entropy(t[0], t[1], {r, t[2]}))},
      {"poisson_nll", {x, y}, LOSS(poisson_nll_loss(t[0], t[1], {.reduction = r}))},
      {"poisson_nll, rates",
       {p, y + 2.5},
       LOSS(poisson_nll_loss(t[0], t[1], {.log_input = false, .full = true, .reduction = r}))},
      {"gaussian_nll", {x, y, q}, LOSS(gaussian_nll_loss(t[0], t[1], t[2], {.reduction = r}))},
      {"kl_div", {x, q}, LOSS(kl_div(t[0], t[1], {.reduction = r}))},
      {"kl_div of logarithms",
       {x, y},
       LOSS(kl_div(t[0], t[1], {.log_target = true, .reduction = r}))},
      {"hinge_embedding", {x}, LOSS(hinge_embedding_loss(t[0], each_sign, 0.5, r))},
      {"soft_margin", {x, y}, LOSS(soft_margin_loss(t[0], t[1], r))},
      {"margin_ranking", {x, y}, LOSS(margin_ranking_loss(t[0], t[1], each_sign, 0.2, r))},
      {"multi_margin", {x}, LOSS(multi_margin_loss(t[0], classes, {.reduction = r}))},
      {"multi_margin, squares",
       {x, numbers({5})},
       LOSS(multi_margin_loss(t[0], classes, {2, 0.8, r, t[1]}))},
      {"multilabel_margin", {x}, LOSS(multilabel_margin_loss(t[0], lists, r))},
      {"multilabel_soft_margin",
       {x, p, numbers({5})},
       LOSS(multilabel_soft_margin_loss(t[0], t[1], {r, t[2]}))},
      {"cosine_embedding", {x, y}, LOSS(cosine_embedding_loss(t[0], t[1], signs, -0.4, r))},
      {"triplet_margin", {x, y, z}, LOSS(triplet_margin_loss(t[0], t[1], t[2], {.reduction = r}))},
      {"triplet_margin, swapped",
       {x, y, z},
       LOSS(triplet_margin_loss(t[0], t[1], t[2], {.p = 3, .swap = true, .reduction = r}))},
      {"triplet_margin_with_distance",
       {x, y, z},
       LOSS(triplet_margin_with_distance_loss(
           t[0], t[1], t[2],
           [](const Tensor& a, const Tensor& b) { return sum(square(a - b), {-1}); },
           {.margin = 3, .reduction = r}))},
      {"contrastive",
       {x, y, index(q, {Ellipsis, 0})},
       LOSS(contrastive_loss(t[0], t[1], t[2], 4, r))},
      {"info_nce", {x, y}, LOSS(info_nce_loss(t[0], t[1], {}, {0.3, r}))},
      {"info_nce, negatives",
       {x, y, numbers({7, 5}, 8)},
       LOSS(info_nce_loss(t[0], t[1], t[2], {0.3, r}))},
      {"nt_xent", {x, y}, LOSS(nt_xent_loss(t[0], t[1], {0.5, r}))},
      {"sigmoid_focal", {x, p}, LOSS(sigmoid_focal_loss(t[0], t[1], {.reduction = r}))},
      {"sigmoid_focal without alpha",
       {x, p},
       LOSS(sigmoid_focal_loss(t[0], t[1], {.alpha = -1, .gamma = 0.5, .reduction = r}))},
      {"focal", {x}, LOSS(focal_loss(t[0], classes, {.reduction = r}))},
      {"focal, weights",
       {x, q},
       LOSS(focal_loss(t[0], classes, {1.5, 4, r, index(t[1], {0})})),
       true,
       false},
      {"tversky",
       {several, reshape(q, {2, 2, 5})},
       LOSS(tversky_loss(t[0], t[1], {0.3, 0.7, 1, r}))},
      {"dice", {several, reshape(q, {2, 2, 5})}, LOSS(dice_loss(t[0], t[1], {.reduction = r}))},
      {"jaccard", {several, reshape(q, {2, 2, 5})}, LOSS(jaccard_loss(t[0], t[1], {0.1, r}))},
  };
#undef LOSS
  return all;
}

TEST(Losses, HaveReductions) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Tensor each = c.loss(c.in, kEach);
    EXPECT_GE(each.rank(), 1);
    EXPECT_NEAR(c.loss(c.in, kSum).item(), sum(each).item(), 1e-12);
    if (c.mean_of_each) EXPECT_NEAR(c.loss(c.in, kMean).item(), mean(each).item(), 1e-13);
    EXPECT_EQ(c.loss(c.in, kMean).shape(), Shape());
  }
}

TEST(Losses, HaveDerivatives) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (Reduction r : {kEach, kMean}) {
      const auto f = [&](const Inputs& in) { return c.loss(in, r); };
      EXPECT_EQ(gradcheck(f, c.in), "");
      EXPECT_EQ(gradgradcheck(f, c.in), "");
    }
  }
}

TEST(Losses, AreComputedInF32AndRoundedOnce) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Inputs f32, half;
    for (const Tensor& t : c.in) {
      f32.push_back(cast(t, kF32));
      half.push_back(cast(t, kBF16));
    }
    const Tensor want = c.loss(c.in, kEach), got = c.loss(f32, kEach);
    EXPECT_EQ(got.dtype(), kF32);
    expect_same(got, want, 3e-5);
    EXPECT_EQ(c.loss(half, kEach).dtype(), kBF16);
    Inputs widened;
    for (const Tensor& t : half) widened.push_back(cast(t, kF32));
    expect_same(c.loss(half, kEach), cast(c.loss(widened, kEach), kBF16));
  }
}

TEST(Losses, EagerIsLazyAndVmapIsALoop) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const auto f = [&](const Inputs& in) { return c.loss(in, kMean); };
    const Tensor one = f(c.in);
    set_eager(true);
    expect_same(f(c.in), one, 1e-13);
    set_eager(false);
    Inputs other, both;
    for (const Tensor& t : c.in) {
      other.push_back(t * 0.9);
      both.push_back(stack({t, other.back()}));
    }
    expect_same(vmap(f)(both), stack({one, f(other)}), 1e-13);
  }
}

TEST(Losses, RefuseWhatIsNotDefinedOrDoesNotFit) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (size_t i = 0; i < std::min<size_t>(c.in.size(), 2); ++i) {
      Inputs in = c.in;
      if (std::string(c.name).find("weights") == std::string::npos || i == 0) {
        in[i] = {};
        if (std::string(c.name) != "multi_margin, squares" || i == 0)
          EXPECT_THROW(c.loss(in, kMean), ShapeError) << i;
      }
      in[i] = ones({3, 7, 2}, kF64);
      EXPECT_THROW(c.loss(in, kMean).item(), ShapeError) << i;
    }
  }
}

// ---- Values that PyTorch does not have ----

TEST(Losses, BinaryCrossEntropyAtItsEnds) {
  const Tensor x = trainable(tensor({0.0, 1.0, 0.0, 1.0}));
  const Tensor y = tensor({0.0, 1.0, 1.0, 0.0});
  expect_values(binary_cross_entropy(x, y, {.reduction = kEach}), {4}, {0, 0, 100, 100});
  expect_values(gradients(binary_cross_entropy(x, y, {.reduction = kSum}), {x})[0], {4},
                {0, 0, -1e12, 1e12});
  EXPECT_TRUE(std::isnan(binary_cross_entropy(tensor({1.5}), tensor({0.5})).item()));
  EXPECT_TRUE(
      std::isnan(binary_cross_entropy(zeros({0}), zeros({0})).item()));  // a mean of nothing
  expect_text(message_of([&] { binary_cross_entropy(x, y, {.weight = ones({3})}); }),
              "binary_cross_entropy: weight (3,) does not broadcast to (4,)");
}

TEST(Losses, VariancesHaveAFloor) {
  const Tensor x = zeros({3}, kF64), v = trainable(tensor({0.0, 1e-9, 2.0}));
  const Tensor each = gaussian_nll_loss(x, x + 1, v, {.eps = 0.1, .reduction = kEach});
  expect_values(each, {3},
                {0.5 * (std::log(0.1) + 10), 0.5 * (std::log(0.1) + 10), 0.5 * (std::log(2) + 0.5)},
                1e-13);
  expect_values(gradients(sum(each), {v})[0], {3}, {-45, -45, 0.125}, 1e-12);
  EXPECT_EQ(gaussian_nll_loss(ones({4, 3}), ones({4, 3}), ones({4}), {.reduction = kEach}).shape(),
            (Shape{4, 3}));
  EXPECT_EQ(gaussian_nll_loss(ones({4, 3}), ones({4, 3}), tensor(2.f)).shape(), Shape());
  EXPECT_THROW(gaussian_nll_loss(ones({4, 3}), ones({4, 3}), ones({2})), ShapeError);
  EXPECT_THROW(gaussian_nll_loss(x, x, v, {.eps = 0}), ShapeError);
}

TEST(Losses, KlOfWhatCannotBeIsZero) {
  const Tensor x = log(tensor({0.25, 0.75})), t = trainable(tensor({0.0, 1.0}));
  expect_values(kl_div(x, t, {.reduction = kEach}), {2}, {0, -std::log(0.75)}, 1e-15);
  for (double g : gradients(kl_div(x, t), {t})[0].to_vector<double>())
    EXPECT_TRUE(std::isfinite(g));
  const Tensor rows = log(full({3, 4}, 0.25, kF64)), target = full({3, 4}, 0.25, kF64);
  EXPECT_NEAR(kl_div(rows - 1, target, {.batchmean = true}).item(), 1, 1e-14);
  EXPECT_THROW(kl_div(tensor(1.0), tensor(1.0), {.batchmean = true}), ShapeError);
}

TEST(Losses, FocalIsCrossEntropyThatForgetsWhatIsEasy) {
  const Tensor x = numbers({4, 3}) * 3, t = tensor<int64_t>({0, 2, -100, 1});
  expect_same(focal_loss(x, t, {.gamma = 0}), cross_entropy(x, t), 1e-14);
  const Tensor w = tensor({1.0, 2.0, 0.5});
  expect_same(focal_loss(x, t, {.gamma = 0, .weight = w}), cross_entropy(x, t, {.weight = w}),
              1e-14);
  const Tensor p = softmax(x);
  const double one = index(p, {1, 2}).item();
  EXPECT_NEAR(index(focal_loss(x, t, {.gamma = 3, .reduction = kEach}), {1}).item(),
              -std::pow(1 - one, 3) * std::log(one), 1e-14);
  EXPECT_EQ(index(focal_loss(x, t, {.reduction = kEach}), {2}).item(), 0);
  // Logits far away are right or wrong without NaN.
  const Tensor far = trainable(tensor({{1000.0, 0.0}, {-1000.0, 0.0}}));
  const Tensor losses = focal_loss(far, tensor<int64_t>({0, 0}), {.reduction = kEach});
  expect_values(losses, {2}, {0, 1000});
  for (double g : gradients(sum(losses), {far})[0].to_vector<double>())
    EXPECT_TRUE(std::isfinite(g));
  const Tensor z = tensor({0.3, -1.2}), y = tensor({1.0, 0.0});
  const Tensor s = sigmoid(z);
  expect_same(sigmoid_focal_loss(z, y),
              where(y == 1, -0.25 * square(1 - s) * log(s), -0.75 * square(s) * log(1 - s)), 1e-14);
  expect_same(sigmoid_focal_loss(z, y, {.alpha = -1, .gamma = 0}),
              binary_cross_entropy_with_logits(z, y, kEach), 1e-15);
  EXPECT_THROW(focal_loss(x, tensor<int64_t>({0, 2, 3, 1})).item(), ValueError);
  EXPECT_THROW(focal_loss(x, tensor<int64_t>({0, INT64_MIN, 1, 1})).item(), ValueError);
}

TEST(Losses, OverlapIsOfEachClass) {
  const Tensor t = unsqueeze(tensor({{1.0, 0.0}, {1.0, 1.0}, {0.0, 0.0}}), 0);  // (1, 3, 2)
  const Tensor x = unsqueeze(tensor({{0.5, 0.0}, {1.0, 0.0}, {0.5, 1.0}}), 0);
  // Both: 1.5 and 0; sums 2 and 1 of x, 2 and 1 of t.
  expect_values(dice_loss(x, t, {1, kEach}), {1, 2}, {1 - 4.0 / 5, 1 - 1.0 / 3}, 1e-15);
  expect_values(jaccard_loss(x, t, {1, kEach}), {1, 2}, {1 - 2.5 / 3.5, 1 - 1.0 / 3}, 1e-15);
  expect_values(tversky_loss(x, t, {0.3, 0.7, 0, kEach}), {1, 2}, {0.25, 1}, 1e-15);
  expect_same(dice_loss(x, t, {0}), tversky_loss(x, t, {.smooth = 0}), 1e-15);
  expect_values(dice_loss(t, t, {0, kEach}), {1, 2}, {0, 0}, 1e-15);
  EXPECT_THROW(dice_loss(ones({3}), ones({3})), ShapeError);
  EXPECT_THROW(dice_loss(ones({0, 3}), ones({0, 3})), ShapeError);
}

TEST(Losses, ContrastsAreByHand) {
  const Tensor a = numbers({3, 4}), b = numbers({3, 4}, 1);
  const auto cosine = [](const Tensor& u, const Tensor& v) {
    return cosine_similarity(unsqueeze(u, 1), unsqueeze(v, 0));
  };
  const Tensor among = log_softmax(cosine(a, b) / 0.2);
  double want = 0;
  for (int i = 0; i < 3; ++i) want -= index(among, {i, i}).item();
  EXPECT_NEAR(info_nce_loss(a, b, {}, {0.2, kSum}).item(), want, 1e-12);
  const Tensor views = concat({a, b});
  const std::vector<double> s = (cosine(views, views) / 0.5).to_vector<double>();
  std::vector<double> each;
  for (int i = 0; i < 6; ++i) {
    double others = 0;
    for (int j = 0; j < 6; ++j)
      if (j != i) others += std::exp(s[i * 6 + j]);
    each.push_back(std::log(others) - s[i * 6 + (i + 3) % 6]);
  }
  expect_values(nt_xent_loss(a, b, {0.5, kEach}), {6}, each, 1e-12);
  const Tensor d = pairwise_distance(a, b, 2, 0);
  expect_same(contrastive_loss(a, b, tensor({1.0, 0.0, 0.0}), 1.5, kEach),
              0.5 * where(tensor({true, false, false}), square(d), square(maximum(1.5 - d, 0))),
              1e-13);
  // The same points have a slope.
  const Tensor x = trainable(a);
  for (double g : gradients(contrastive_loss(x, x, zeros({3}, kF64)), {x})[0].to_vector<double>())
    EXPECT_TRUE(std::isfinite(g));
  EXPECT_THROW(info_nce_loss(a, b, {}, {.temperature = 0}), ShapeError);
  EXPECT_THROW(info_nce_loss(a, b, ones({2, 3})), ShapeError);
  EXPECT_THROW(nt_xent_loss(a, b, {.temperature = NAN}), ShapeError);
  EXPECT_THROW(contrastive_loss(a, b, ones({4})), ShapeError);
}

TEST(Losses, MarginsRefuseOptions) {
  const Tensor x = ones({2, 3});
  const Tensor t = tensor<int64_t>({0, 1});
  expect_text(message_of([&] { multi_margin_loss(x, t, {.p = 3}); }), "p is 3, neither 1 nor 2");
  EXPECT_THROW(multi_margin_loss(x, t, {.weight = ones({2})}), ShapeError);
  expect_text(message_of<ValueError>([&] {
                multi_margin_loss(x, tensor<int64_t>({0, 3})).item();
              }),
              "class 3 at position 1 is not one of 3");
  EXPECT_THROW(multi_margin_loss(x, tensor<int64_t>({0, -1})).item(), ValueError);
  EXPECT_THROW(multi_margin_loss(x, ones({2})), ShapeError);
  EXPECT_THROW(multilabel_margin_loss(x, tensor<int64_t>({{0, 3, -1}, {0, 1, 2}})).item(),
               ValueError);
  EXPECT_EQ(multilabel_margin_loss(x, full({2, 3}, -1, kI64)).item(), 0);  // nothing is there
  EXPECT_THROW(multilabel_margin_loss(x, t), ShapeError);
  EXPECT_THROW(triplet_margin_loss(x, x, x, {.margin = 0}), ShapeError);
  EXPECT_THROW(huber_loss(x, x, 0), ShapeError);
  EXPECT_THROW(huber_loss(x, x, NAN), ShapeError);
  EXPECT_THROW(cosine_embedding_loss(x, x, ones({3})), ShapeError);
  EXPECT_THROW(multilabel_soft_margin_loss(tensor(1.0), tensor(1.0)), ShapeError);
  EXPECT_EQ(huber_loss(zeros({0, 3}), zeros({0, 3}), 1, kSum).item(), 0);
}

// ---- Divergences ----

TEST(Divergences, AreThoseOfSamples) {
  manual_seed(8);
  const Tensor mean_of = tensor({0.5, -1.0}), log_var = tensor({0.3, -0.7});
  const Tensor other = tensor({0.0, 0.4}), other_log_var = tensor({-0.2, 0.5});
  const Tensor z = sample_normal(expand(mean_of, {400000, 2}), log_var);
  EXPECT_EQ(z.shape(), (Shape{400000, 2}));
  const auto sampled = [&](const Tensor& m, const Tensor& v) {
    return mean(normal_log_likelihood(z, mean_of, log_var) - normal_log_likelihood(z, m, v), {0});
  };
  expect_same(kl_normal(mean_of, log_var, other, other_log_var), sampled(other, other_log_var),
              0.01);
  expect_same(kl_normal(mean_of, log_var), sampled(zeros({2}, kF64), zeros({2}, kF64)), 0.01);
  // Of a hair's breadth nothing is left but the square.
  EXPECT_NEAR(kl_normal(tensor(1e-9), tensor(0.0)).item(), 0.5e-18, 1e-24);
  EXPECT_NEAR(kl_normal(tensor(0.0), tensor(1e-6)).item(), 0.25e-12, 1e-17);

  const Tensor a = tensor({0.3, -2.0}), b = tensor({1.0, 0.0});
  const Tensor p = sigmoid(a), q = sigmoid(b);
  expect_same(kl_bernoulli(a, b), p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)), 1e-15);
  expect_same(kl_bernoulli(tensor({800.0}), tensor({-800.0})), tensor({800.0}));
  expect_same(bernoulli_log_likelihood(tensor({1.0, 0.0}), a),
              log(stack({index(p, {0}), 1 - index(p, {1})})), 1e-15);
  const Tensor c = numbers({3, 4}), d = numbers({4}, 1);
  expect_same(kl_categorical(c, d), sum(softmax(c) * (log_softmax(c) - log_softmax(d)), {-1}),
              1e-14);
  const Tensor never = trainable(tensor({0.0, -(double)INFINITY}));
  expect_same(kl_categorical(never, zeros({2}, kF64)), tensor(std::log(2.0)), 1e-15);
  EXPECT_THROW(kl_categorical(c, ones({3})), ShapeError);
}

TEST(Divergences, HaveDerivatives) {
  const Tensor a = numbers({3, 4}), b = numbers({4}, 1), c = numbers({3, 1}, 2),
               d = numbers({3, 4}, 3);
  const auto check = [](const TensorFunction& f, const Inputs& in) {
    EXPECT_EQ(gradcheck(f, in), "");
    EXPECT_EQ(gradgradcheck(f, in), "");
  };
  check([](const Inputs& t) { return kl_normal(t[0], t[1], t[2], t[3]); }, {a, b, c, d});
  check([](const Inputs& t) { return kl_bernoulli(t[0], t[1]); }, {a, b});
  check([](const Inputs& t) { return kl_categorical(t[0], t[1]); }, {a, b});
  check([](const Inputs& t) { return normal_log_likelihood(t[0], t[1], t[2]); }, {a, b, c});
  check([](const Inputs& t) { return bernoulli_log_likelihood(t[0], t[1]); }, {a, d});
  check([](const Inputs& t) { return elbo(t[0], t[1], {2, 0.1}); }, {a, d + 0.05});
  check(
      [](const Inputs& t) {
        manual_seed(2);
        return sample_normal(t[0], t[1]);
      },
      {a, b});
}

TEST(Divergences, ElboIsOfTheBatch) {
  const Tensor ll = -abs(numbers({4, 6})), kl = abs(numbers({4, 2}, 1));
  EXPECT_NEAR(elbo(ll, kl).item(), (sum(ll).item() - sum(kl).item()) / 4, 1e-14);
  EXPECT_NEAR(elbo(ll, kl, {.beta = 3}).item(), (sum(ll).item() - 3 * sum(kl).item()) / 4, 1e-14);
  // What is free is counted as the floor, and has no slope.
  const Tensor x = trainable(kl);
  EXPECT_NEAR(elbo(ll, x, {.free_bits = 5}).item(), sum(ll).item() / 4 - 10, 1e-14);
  expect_same(gradients(elbo(ll, x, {.free_bits = 5}), {x})[0], zeros({4, 2}, kF64));
  EXPECT_THROW(elbo(ll, ones({3, 2})), ShapeError);
  EXPECT_THROW(elbo(tensor(1.0), tensor(1.0)), ShapeError);
}

}  // namespace
}  // namespace glia::test
