// Positions and numbers are arguments of plans: other ones plan nothing anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "tests/graph/engine.h"

namespace glia {
namespace {

using namespace test;

// step(i) of the first few i makes the plans that it needs for the 600 others.
template <class F>
void expect_no_new_plans(F&& step) {
  for (int i = 0; i < 3; ++i) step(i);
  EXPECT_EQ(plans_built_by([&] {
              for (int i = 3; i < 600; ++i) step(i);
            }),
            0);
}

TEST(Positions, SlicesWhoseGradientsAreAsked) {
  const Tensor x = trainable(ramp({640, 6}, kF64));
  const auto at = numbers(x);
  expect_no_new_plans([&](int i) {
    const Tensor batch = slice(x, 0, {i, i + 10});
    const auto g = numbers(gradients(sum(square(batch)), {x})[0]);
    for (const int row : {0, i - 1, i, i + 9, i + 10, 639}) {
      if (row < 0) continue;
      const bool inside = row >= i && row < i + 10;
      ASSERT_EQ(g[row * 6 + 2], inside ? 2 * at[row * 6 + 2] : 0) << i << " " << row;
    }
  });
}

TEST(Positions, SlicesAcrossRowsAndInSteps) {
  const Tensor x = ramp({6, 640}, kF64);
  eval(x);
  const auto at = numbers(x);
  const auto want = [&](int first, int last, int step) {
    double sum = 0;
    for (int row = 0; row < 6; ++row) {
      for (int i = first; i < last; i += step) sum += at[row * 640 + i] * at[row * 640 + i];
    }
    return sum;
  };
  expect_no_new_plans([&](int i) {
    ASSERT_NEAR(sum(square(slice(x, 1, {i, i + 3}))).item(), want(i, i + 3, 1), 1e-9) << i;
    ASSERT_NEAR(sum(square(slice(x, 1, {i, i + 30, 7}))).item(), want(i, i + 30, 7), 1e-9) << i;
    ASSERT_NEAR(sum(square(index(x, {Ellipsis, i}))).item(), want(i, i + 1, 1), 1e-9) << i;
    ASSERT_EQ(numbers(index(x, {Slice{}, Slice{i + 4, i, -1}}))[3], at[i + 1]) << i;
  });
}

TEST(Positions, OfWhatIsPendingAndOfSeveralSlicesAtOnce) {
  const Tensor x = ramp({640, 8}, kF64), w = ramp({8, 8}, kF64);
  eval({x, w});
  const auto at = numbers(x);
  expect_no_new_plans([&](int i) {
    const Tensor twice = x * 2, column = slice(slice(twice, 0, {i, i + 20}), 1, {i % 7, i % 7 + 2});
    const Tensor other = index(twice, {Slice{600 - i, 620 - i}, i % 5});
    const auto y = numbers(column + unsqueeze(other, 1));
    for (const int row : {0, 7, 19}) {
      const double want = 2 * at[(i + row) * 8 + i % 7 + 1] + 2 * at[(600 - i + row) * 8 + i % 5];
      ASSERT_EQ(y[row * 2 + 1], want) << i << " " << row;
    }
    const Tensor product = matmul(x, w), part = slice(product, 0, {i, i + 4});
    ASSERT_EQ(numbers(part * 3)[5], numbers(index(product, {i, 5}))[0] * 3) << i;
  });
}

TEST(Positions, AViewThatIsReadHasThem) {
  const Tensor x = ramp({640, 6});
  eval(x);
  const auto at = numbers(x);
  expect_no_new_plans([&](int i) {
    const Tensor t = trainable(x), row = index(t, {i}), rows = slice(t, 0, {i, i + 2});
    eval({row, rows});
    ASSERT_EQ(row.data<float>()[2], static_cast<float>(at[i * 6 + 2])) << i;
    ASSERT_EQ(rows.data<float>()[7], static_cast<float>(at[i * 6 + 7])) << i;
  });
}

TEST(Positions, AmountsOfPadding) {
  const Tensor x = trainable(ramp({4, 3}, kF64));
  const auto at = numbers(x);
  const Tensor weights = ramp({604, 5}, kF64);
  eval(weights);
  const auto w = numbers(weights);
  expect_no_new_plans([&](int i) {
    const Tensor y = pad(x, {{i, 600 - i}, {i % 3, 2 - i % 3}}, 1.5);
    const Tensor g = gradients(sum(y * weights), {x})[0];
    const auto values = numbers(y), slopes = numbers(g);
    ASSERT_EQ(values[(i + 2) * 5 + i % 3 + 1], at[7]) << i;
    ASSERT_EQ(std::ranges::count(values, 1.5), 604 * 5 - 12 + std::ranges::count(at, 1.5)) << i;
    ASSERT_EQ(slopes[7], w[(i + 2) * 5 + i % 3 + 1]) << i;
  });
}

TEST(Positions, BoxesThatAreReplaced) {
  const Tensor x = ramp({40, 30}), v = ramp({4, 3}, kF32, 0.02);
  eval({x, v});
  const auto at = numbers(x), to = numbers(v);
  expect_no_new_plans([&](int i) {
    const int row = i % 30, column = i % 25;
    const auto y = numbers(index_update(x, {Slice{row, row + 8, 2}, Slice{column, column + 3}}, v));
    ASSERT_EQ(y[(row + 2) * 30 + column + 1], to[4]) << i;
    ASSERT_EQ(y[(row + 1) * 30 + column + 1], at[(row + 1) * 30 + column + 1]) << i;
  });
}

// A loop over mini-batches that are cut from what requires a gradient.
TEST(Positions, ALoopOverCutBatchesPlansNothingAnew) {
  const TwoLayers net;
  const Tensor data = trainable(ramp({700, 6})), wanted = ramp({700, 3});
  eval(wanted);
  expect_no_new_plans([&](int i) {
    const Tensor x = slice(data, 0, {i, i + 32}), y = slice(wanted, 0, {i, i + 32});
    const Tensor loss = mean(square(matmul(tanh(matmul(x, net.w1)), net.w2) - y));
    std::vector<Tensor> by = net.weights();
    by.push_back(data);
    std::vector<Tensor> g = gradients(loss, by);
    g.pop_back();
    net.update(g, 1e-3);
  });
}

TEST(Numbers, TheClassThatIsIgnored) {
  const Tensor x = trainable(ramp({6, 5}, kF64));
  const Tensor target = tensor<int64_t>({4, 3, 2, 1, 0, 4});
  const auto at = [&](int ignored) {
    const Tensor loss = cross_entropy(x, target, {.ignore_index = ignored});
    const Tensor nll = nll_loss(log_softmax(x), target, NLLLossOptions{.ignore_index = ignored});
    const Tensor focal = focal_loss(x, target, {.ignore_index = ignored});
    const Tensor g = gradients(loss + nll + focal, {x})[0];
    EXPECT_NEAR(loss.item(), nll.item(), 1e-12);
    const auto row = numbers(g);
    for (int i = 0; i < 6; ++i) {
      const bool none = numbers(target)[i] == ignored;
      EXPECT_EQ(row[i * 5] == 0, none) << ignored << " " << i;
    }
  };
  expect_no_new_plans([&](int i) { at(i % 2 ? i % 5 : -i); });
  const Tensor wrong = cross_entropy(x, target, {.ignore_index = 100});
  EXPECT_NO_THROW(wrong.item());
  const Tensor outside = cross_entropy(x, tensor<int64_t>({4, 7, 2, 1, 0, 4}), {.ignore_index = 7});
  EXPECT_NO_THROW(outside.item());
  EXPECT_THROW(cross_entropy(x, tensor<int64_t>({4, 7, 2, 1, 0, 4})).item(), ValueError);
}

TEST(Numbers, EpsilonsOfNormalisation) {
  const Tensor x = trainable(ramp({2, 6, 8}, kF64)), w = trainable(ramp({8}, kF64));
  const Tensor b = ramp({8}, kF64);
  eval(b);
  expect_no_new_plans([&](int i) {
    const double eps = 0.01 * (i + 1);
    const Tensor rms = rms_norm(x, w, 1, eps), layer = layer_norm(x, w, b, 1, eps);
    const Tensor batch = batch_norm(x, w, b, eps).out, group = group_norm(x, 2, w, b, eps);
    const Tensor all =
        sum(square(rms)) + sum(square(layer)) + sum(square(batch)) + sum(square(group));
    const auto g = gradients(all, {x, w});
    const Tensor square_mean = mean(square(x), {-1}, true);
    const Tensor want = x / sqrt(square_mean + eps) * w;
    ASSERT_LT(max(abs(rms - want)).item(), 1e-12) << eps;
    const Tensor centred = x - mean(x, {-1}, true);
    const Tensor plain = centred / sqrt(mean(square(centred), {-1}, true) + eps) * w + b;
    ASSERT_LT(max(abs(layer - plain)).item(), 1e-12) << eps;
    eval(g);
  });
}

}  // namespace
}  // namespace glia
