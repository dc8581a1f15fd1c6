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
