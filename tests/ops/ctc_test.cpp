// The loss of connectionist temporal classification beside the sum over all paths.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops/loss.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using Labels = std::vector<int64_t>;

// What a path of classes says: repeated ones once, without blanks.
Labels said(const Labels& path, int64_t blank) {
  Labels out;
  for (size_t t = 0; t < path.size(); ++t)
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) out.push_back(path[t]);
  return out;
}

// -log of the sum over all paths of so many frames; log_probs (T, C).
double by_paths(const Tensor& log_probs, int64_t frames, const Labels& labels, int64_t blank) {
  const int64_t classes = log_probs.size(1);
  const std::vector<double> p = log_probs.to_vector<double>();
  double total = 0;
  Labels path(static_cast<size_t>(frames));
  for (;;) {
    if (said(path, blank) == labels) {
      double log_p = 0;
      for (int64_t t = 0; t < frames; ++t) log_p += p[t * classes + path[t]];
      total += std::exp(log_p);
    }
    int64_t t = 0;
    while (t < frames && ++path[t] == classes) path[t++] = 0;
    if (t == frames) return -std::log(total);
  }
}

struct Batch {
  Tensor log_probs = log_softmax(numbers({5, 6, 4}) * 3);
  Tensor labels = tensor<int64_t>({{1, 2, 3}, {1, 1, 0}, {3, 0, 0}, {0, 0, 0}, {2, 3, 2}});
  Tensor frames = tensor<int64_t>({6, 5, 4, 3, 6}), counts = tensor<int64_t>({3, 2, 1, 0, 3});
  Tensor loss(const CTCLossOptions& options = {}) const {
    return ctc_loss(log_probs, labels, frames, counts, options);
  }
};

TEST(Ctc, IsTheSumOverAllPaths) {
  const Batch b;
  std::vector<double> want;
  double mean = 0;
  for (int64_t n = 0; n < 5; ++n) {
    Labels labels = index(b.labels, {n}).to_vector<int64_t>();
    labels.resize(index(b.counts, {n}).item<int64_t>());
    want.push_back(
        by_paths(index(b.log_probs, {n}), index(b.frames, {n}).item<int64_t>(), labels, 0));
    mean += want.back() / std::max<double>(1, static_cast<double>(labels.size())) / 5;
  }
  expect_values(b.loss({.reduction = Reduction::kNone}), {5}, want, 1e-12);
  EXPECT_NEAR(b.loss().item(), mean, 1e-12);
  EXPECT_NEAR(b.loss({.reduction = Reduction::kSum}).item(),
              want[0] + want[1] + want[2] + want[3] + want[4], 1e-11);
}

TEST(Ctc, AnyClassMayBeTheBlank) {
  const Tensor x = log_softmax(numbers({5, 3}));
  const Tensor labels = tensor<int64_t>({0, 1, 0});
  EXPECT_NEAR(ctc_loss(x, labels, tensor<int64_t>(5), tensor<int64_t>(3),
                       {.blank = 2, .reduction = Reduction::kSum})
                  .item(),
              by_paths(x, 5, {0, 1, 0}, 2), 1e-12);
}

TEST(Ctc, LabelsMayLieOneAfterTheOther) {
  Batch b;
  const Tensor want = b.loss({.reduction = Reduction::kNone});
  b.labels = tensor<int32_t>({1, 2, 3, 1, 1, 3, 2, 3, 2});
  expect_same(b.loss({.reduction = Reduction::kNone}), want);
  b.labels = tensor<int32_t>({1, 2, 3, 1, 1, 3, 2, 3});
  EXPECT_EQ(message_of<ValueError>([&] {
              b.loss();
            }).find("ctc_loss: 8 labels, where the lengths are 9 together"),
            0u);
}

TEST(Ctc, GradientIsThatOfTheLogProbabilities) {
  const Batch b;
  const auto loss = [&](const std::vector<Tensor>& in) {
    return ctc_loss(in[0], b.labels, b.frames, b.counts, {.reduction = Reduction::kNone});
  };
  EXPECT_EQ(gradcheck(loss, {b.log_probs}), "");
  // Also of numbers that are no log-probabilities, and through a softmax.
  EXPECT_EQ(gradcheck(loss, {numbers({5, 6, 4}) * 2 + 1}), "");
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return loss({log_softmax(in[0])}); },
                      {numbers({5, 6, 4})}),
            "");
  // Of each frame that counts all paths share one, of others none.
  const Tensor x = trainable(b.log_probs);
  const Tensor g = gradients(sum(loss({x})), {x})[0];
  const std::vector<int64_t> frames = b.frames.to_vector<int64_t>();
  const std::vector<double> shares = sum(g, {2}).to_vector<double>();
  for (int64_t n = 0; n < 5; ++n)
    for (int64_t t = 0; t < 6; ++t) EXPECT_NEAR(shares[n * 6 + t], t < frames[n] ? -1 : 0, 1e-12);
}

TEST(Ctc, HasNoSecondDerivative) {
  const Batch b;
  const Tensor x = trainable(b.log_probs);
  const Tensor g = gradients(ctc_loss(x, b.labels, b.frames, b.counts), {x})[0];
  const std::string text = message_of([&] { gradients(sum(square(g)), {x}); });
  EXPECT_NE(text.find("ctc_loss_backward"), text.npos) << text;
}

TEST(Ctc, WithoutAPathTheLossIsInfinite) {
  // Two equal labels need three frames.
  const Tensor x = trainable(log_softmax(numbers({2, 2, 3})));
  const Tensor labels = tensor<int64_t>({{1, 1}, {1, 2}}), two = tensor<int64_t>({2, 2});
  const auto loss = [&](bool zero) {
    return ctc_loss(x, labels, two, two, {.zero_infinity = zero, .reduction = Reduction::kNone});
  };
  const std::vector<double> values = loss(false).to_vector<double>();
  EXPECT_EQ(values[0], INFINITY);
  EXPECT_TRUE(std::isfinite(values[1]));
  EXPECT_TRUE(std::isnan(sum(gradients(sum(loss(false)), {x})[0]).item()));
  expect_values(loss(true), {2}, {0, values[1]});
  const Tensor g = gradients(sum(loss(true)), {x})[0];
  expect_values(sum(abs(index(g, {0}))), {}, {0});
  EXPECT_NEAR(sum(index(g, {1})).item(), -2, 1e-12);
}

TEST(Ctc, EndsOfLengths) {
  const Tensor x = log_softmax(numbers({1, 3, 2}));
  const auto loss = [&](int64_t frames, const Tensor& labels, int64_t count) {
    return ctc_loss(x, labels, full({1}, frames, kI64), full({1}, count, kI64),
                    {.reduction = Reduction::kSum})
        .item();
  };
  EXPECT_EQ(loss(0, zeros({1, 0}, kI64), 0), 0);  // nothing says nothing
  EXPECT_EQ(loss(0, ones({1, 1}, kI64), 1), INFINITY);
  EXPECT_NEAR(loss(3, zeros({1, 0}, kI64), 0), by_paths(index(x, {0}), 3, {}, 0), 1e-12);
  EXPECT_EQ(ctc_loss(zeros({0, 3, 2}), zeros({0, 1}, kI64), zeros({0}, kI64), zeros({0}, kI64),
                     {.reduction = Reduction::kNone})
                .numel(),
            0);
  EXPECT_EQ(
      ctc_loss(zeros({2, 0, 2}), zeros({2, 0}, kI64), zeros({2}, kI64), zeros({2}, kI64)).item(),
      0);
}

TEST(Ctc, StaysExactFarFromOne) {
  // Log-probabilities whose exponentials are 0, and long sequences.
  const Tensor far = numbers({1, 6, 4}) - 2000, near = far + 2000;
  const Tensor labels = tensor<int64_t>({{1, 2}}), frames = tensor<int64_t>({6}),
               counts = tensor<int64_t>({2});
  const CTCLossOptions sums{.reduction = Reduction::kSum};
  EXPECT_NEAR(ctc_loss(far, labels, frames, counts, sums).item(),
              ctc_loss(near, labels, frames, counts, sums).item() + 12000, 1e-8);
  manual_seed(3);
  const Tensor x = log_softmax(randn({2, 700, 30}));
  const Tensor many = randint(1, 30, {2, 200}), ends = tensor<int64_t>({700, 650}),
               some = tensor<int64_t>({200, 150});
  const Tensor in_f32 = ctc_loss(x, many, ends, some),
               in_f64 = ctc_loss(cast(x, kF64), many, ends, some);
  EXPECT_NEAR(in_f32.item(), in_f64.item(), 1e-7 * in_f64.item());
  EXPECT_EQ(in_f32.dtype(), kF32);
  EXPECT_EQ(ctc_loss(cast(x, kBF16), many, ends, some).dtype(), kBF16);
}

TEST(Ctc, IsTheSameForAnyNumberOfThreads) {
  const Batch b;
  const int before = num_threads();
  std::vector<std::vector<double>> seen;
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    const Tensor x = trainable(b.log_probs + 0.0);
    seen.push_back(
        gradients(ctc_loss(x, b.labels, b.frames, b.counts), {x})[0].to_vector<double>());
  }
  set_num_threads(before);
  EXPECT_EQ(seen[0], seen[1]);
}

TEST(Ctc, VmapIsALoop) {
  const Batch b;
  const auto f = [&](const std::vector<Tensor>& in) {
    return ctc_loss(in[0], in[1], in[2], in[3]);
  };
  const auto twice = [](const Tensor& t) { return stack({t, flip(t, {0})}); };
  const Tensor got =
      vmap(f)({twice(b.log_probs), twice(b.labels), twice(b.frames), twice(b.counts)});
  const Tensor one = b.loss();
  expect_same(got, stack({one, one}), 1e-12);
  // And its gradient, with labels that all share.
  const auto slope = [&](const std::vector<Tensor>& in) {
    const Tensor x = trainable(in[0]);
    return gradients(ctc_loss(x, b.labels, b.frames, b.counts), {x})[0];
  };
  const Tensor other = log_softmax(b.log_probs * 2);
  expect_same(vmap(slope)({stack({b.log_probs, other})}),
              stack({slope({b.log_probs}), slope({other})}), 1e-12);
}

TEST(Ctc, RefusesWhatDoesNotFit) {
  Batch b;
  const auto says = [&](const std::string& part) {
    const std::string text = message_of([&] { b.loss().item(); });
    EXPECT_NE(text.find(part), text.npos) << text;
    b = {};
  };
  b.frames = tensor<int64_t>({6, 7, 4, 3, 6});
  says("7 frames in example 1, where there are at most 6");
  b.frames = tensor<int64_t>({6, INT64_MIN, 4, 3, 6});
  says("-9223372036854775808 frames in example 1");
  b.counts = tensor<int64_t>({3, 2, 4, 0, 3});
  says("4 labels in example 2, where there are at most 3");
  b.counts = tensor<int64_t>({3, 2, INT64_MAX, 0, 3});
  says("9223372036854775807 labels in example 2");
  b.labels = tensor<int64_t>({{1, 2, 4}, {1, 1, 0}, {3, 0, 0}, {0, 0, 0}, {2, 3, 2}});
  says("label 4 at position 2 of example 0 is not one of 4 classes");
  b.labels = tensor<int64_t>({{1, 2, 3}, {1, 0, 0}, {3, 0, 0}, {0, 0, 0}, {2, 3, 2}});
  says("label 0 at position 1 of example 1 is the blank");
  b.labels = cast(b.labels, kF32);
  says("labels are f32, not integers");
  b.labels = slice(b.labels, 0, {0, 4});
  says("labels (4, 3) do not fit (5, 6, 4)");
  b.frames = tensor<int64_t>({6, 5});
  says("are not one for each of 5 examples");
  b.log_probs = zeros({6});
  says("needs log-probabilities (N, T, C) or (T, C), not (6,)");
  b.counts = tensor<int64_t>({3, 2, -1, 0, 3});
  b.labels = tensor<int64_t>({1, 2, 3});
  says("an example has -1 labels");
  b.counts = tensor<int64_t>({INT64_MAX, INT64_MAX, 1, 0, 3});
  b.labels = tensor<int64_t>({1, 2, 3});
  says("3 labels, where the lengths are");
  EXPECT_NE(message_of([&] { b.loss({.blank = 4}); }).find("the blank 4 is not one of 4 classes"),
            std::string::npos);
  EXPECT_THROW(b.loss({.blank = -1}), ShapeError);
  EXPECT_THROW(ctc_loss({}, b.labels, b.frames, b.counts), ShapeError);
  EXPECT_THROW(ctc_loss(b.log_probs, {}, b.frames, b.counts), ShapeError);
}

}  // namespace
}  // namespace glia::test
