// Values that plans compute twice instead of storing them.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/host.h"

namespace glia::test {
namespace {

constexpr int64_t kSize = 128;
constexpr int64_t kBytes = kSize * kSize * 4;

// The gradients of a function of x between two products, as one plan or eagerly. In a plan its
// forward and backward passes are different groups, with products between them.
template <class F>
std::vector<Host> gradients_through(F&& f, bool as_plan) {
  set_eager(!as_plan);
  Numbers numbers(5);
  const auto input = [&] {
    return trainable(upload(random_host({kSize, kSize}, kF32, -1, 1, numbers)));
  };
  const Tensor x = input(), a = input(), b = input();
  manual_seed(7);
  const Tensor y = matmul(f(matmul(x, a)), b);
  const std::vector<Tensor> g = gradients(y, {x, a, b}, ones({kSize, kSize}));
  eval({g[0], g[1], g[2]});
  std::vector<Host> out;
  for (const Tensor& t : g) out.push_back(host(t));
  set_eager(false);
  return out;
}

template <class F>
void expect_same_bits(F&& f) {
  const std::vector<Host> eager = gradients_through(f, false), plan = gradients_through(f, true);
  for (size_t i = 0; i < eager.size(); ++i) EXPECT_EQ(bit_difference(plan[i], eager[i]), "");
}

TEST(Recompute, GivesTheSameBits) {
  expect_same_bits([](const Tensor& h) { return relu(h) * 0.5; });
  expect_same_bits([](const Tensor& h) { return gelu(h); });
  expect_same_bits([](const Tensor& h) { return sigmoid(h) * tanh(h); });
  expect_same_bits([](const Tensor& h) { return dropout(sigmoid(h), 0.3); });
  expect_same_bits([](const Tensor& h) { return square(sin(h) + h) * rand(h.shape()); });
}

// Only the product of each layer stays; without repeating, two factors would.
TEST(Recompute, SavesMemory) {
  constexpr int kLayers = 8;
  const auto layers = [](Tensor h) {
    const Tensor w = full({kSize, kSize}, 0.01);
    for (int i = 0; i < kLayers; ++i) h = matmul(sigmoid(h * 0.5 + 1) * exp(h * 0.25), w);
    return h;
  };
  gradients_through(layers, true);
  EXPECT_LE(graph_stats().plan_bytes, (kLayers + 8) * kBytes);
  EXPECT_LE(graph_stats().plan_bytes_least, graph_stats().plan_bytes);
}

// Two values of each layer stay: its product, and what the next product is made of. With gradients
// of weights at the end, the gradients of all products would stay too.
TEST(Order, GradientsOfWeightsComeBeforeThoseOfInputs) {
  constexpr int kLayers = 8;
  constexpr int64_t kRows = 4096, kWidth = 16, kLayerBytes = kRows * kWidth * 4;
  std::vector<Tensor> weights;
  for (int i = 0; i < kLayers; ++i) weights.push_back(trainable(randn({kWidth, kWidth})));
  Tensor h = randn({kRows, kWidth});
  eval(h);
  for (const Tensor& w : weights) h = tanh(square(matmul(h, w)));
  eval(gradients(sum(h), weights));
  EXPECT_LE(graph_stats().plan_bytes_least, (2 * kLayers + 3) * kLayerBytes);
}

}  // namespace
}  // namespace glia::test
