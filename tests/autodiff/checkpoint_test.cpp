// Sequences of functions with checkpoints between them.
#include <gtest/gtest.h>

#include <string>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kClose = 1e-10;
using Tensors = std::vector<Tensor>;

struct Eager {
  bool before = eager();
  explicit Eager(bool on) { set_eager(on); }
  ~Eager() { set_eager(before); }
};

// Layers whose masks are drawn when they are called.
std::vector<TensorFunction> layers_of(const Tensors& w) {
  std::vector<TensorFunction> layers;
  for (const Tensor& one : w)
    layers.push_back([one](const Tensors& x) { return tanh(matmul(dropout(x[0], 0.3), one)); });
  return layers;
}

// Which f() says in its error of too few.
template <class F>
int64_t least_bytes(F&& f) {
  const std::string message = message_of<ValueError>(f), before = "are too few, ";
  const size_t at = message.find(before);
  EXPECT_NE(at, std::string::npos) << message;
  return at == std::string::npos ? 1 : std::stoll(message.substr(at + before.size()));
}

TEST(Checkpoint, SequentialGivesTheSameGradients) {
  for (const bool on : {false, true}) {
    SCOPED_TRACE(on ? "eager" : "lazy");
    const Eager mode(on);
    Tensors w;
    for (int i = 0; i < 5; ++i) w.push_back(trainable(numbers({3, 3}, i)));
    const Tensor x = trainable(numbers({2, 3}, 7));
    const auto loss = [&](const CheckpointOptions& options) {
      manual_seed(5);
      if (options.segments == 0 && options.bytes == 0) {
        Tensor h = x;
        for (const auto& layer : layers_of(w)) h = layer({h});
        return sum(square(h));
      }
      return sum(square(checkpoint_sequential(layers_of(w), x, options)));
    };
    Tensors all = w;
    all.push_back(x);
    const Tensors expected = gradients(loss({}), all);
    std::vector<CheckpointOptions> ways;
    for (int64_t segments = 1; segments <= 5; ++segments) ways.push_back({.segments = segments});
    const int64_t least = least_bytes([&] { loss({.bytes = 1}); });
    for (const int64_t bytes : {least, least * 5 / 4, least * 2, least * 100})
      ways.push_back({.bytes = bytes});
    for (const CheckpointOptions& way : ways) {
      SCOPED_TRACE(std::to_string(way.segments) + " segments, " + std::to_string(way.bytes));
      const Tensor value = loss(way);
      expect_same(value, loss({}), kClose);
      const Tensors found = gradients(loss(way), all);
      for (size_t i = 0; i < all.size(); ++i) expect_same(found[i], expected[i], kClose);
    }
    EXPECT_EQ(gradgradcheck(
                  [](const Tensors& in) {
                    const std::vector<TensorFunction> f{
                        [](const Tensors& t) { return sin(t[0]); },
                        [](const Tensors& t) { return t[0]; },
                        [](const Tensors& t) { return t[0] * exp(t[0]); }};
                    return checkpoint_sequential(f, in[0], {.segments = 3});
                  },
                  {numbers({3})}),
              "");
  }
}

TEST(Checkpoint, SequentialKeepsWithinItsBudget) {
  const Eager off(false);
  constexpr int64_t kRow = int64_t{512} * 512 * 4;
  const auto peak = [](int64_t bytes) {
    const Tensor w = trainable(full({512, 512}, 0.01));
    const std::vector<TensorFunction> layers(
        24, [](const Tensors& in) { return tanh(cumsum(in[0], 1) * 0.01); });
    Tensor h = checkpoint_sequential(layers, w, {.bytes = bytes});
    const Tensor g = gradients(sum(h), {w})[0];
    h = Tensor();
    const int64_t before = memory_stats().in_use;
    trim();
    eval(g);
    return std::make_pair(memory_stats().peak - before, g);
  };
  const auto [less, g1] = peak(30 * kRow);
  const auto [more, g2] = peak(100 * kRow);  // the peak only rises
  expect_same(g1, g2, 1e-6);
  EXPECT_LT(less, more * 7 / 10);
  const int64_t least = least_bytes([&] { peak(kRow); });
  EXPECT_LT(least, 30 * kRow);
  peak(least);
  EXPECT_THROW(peak(least - 1), ValueError);
}

TEST(Checkpoint, SequentialSaysWhatIsWrong) {
  const Tensor x = ones({2});
  const std::vector<TensorFunction> one{[](const Tensors& in) { return in[0] * 2; }};
  EXPECT_THROW(checkpoint_sequential({}, x, {.segments = 1}), ValueError);
  EXPECT_THROW(checkpoint_sequential(one, x, {}), ValueError);
  EXPECT_THROW(checkpoint_sequential(one, x, {.segments = 2}), ValueError);
  EXPECT_THROW(checkpoint_sequential(one, x, {.segments = 1, .bytes = 9}), ValueError);
  EXPECT_THROW(checkpoint_sequential(one, x, {.bytes = -1}), ValueError);
  EXPECT_THROW(checkpoint_sequential(one, Tensor(), {.segments = 1}), Error);
  EXPECT_THROW(checkpoint_sequential({TensorFunction()}, x, {.segments = 1}), Error);
  expect_values(checkpoint_sequential(one, x, {.bytes = 1000}), {2}, {2, 2});
  const nn::Sequential net(nn::Linear(2, 3), glia::tanh, nn::Linear(3, 1));
  expect_same(checkpoint_sequential(net.functions(), x, {.segments = 2}), net(x));
}

}  // namespace
}  // namespace glia::test
