// Recurrent layers: the f32 kernels against the composition, which f64 runs, and the layers.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using Operands = std::vector<Tensor>;  // x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0
struct Kind {
  const char* name;
  int64_t gates;
  std::function<LSTMResult(const Operands&)> run;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"lstm", 4, [](const Operands& t) { return lstm(t[0], t[1], t[2], t[3], t[4], t[5], t[6]); }},
      {"gru", 3,
       [](const Operands& t) -> LSTMResult {
         const RNNResult r = gru(t[0], t[1], t[2], t[3], t[4], t[5]);
         return {r.out, r.h, {}};
       }},
      {"tanh", 1,
       [](const Operands& t) -> LSTMResult {
         const RNNResult r = rnn(t[0], t[1], t[2], t[3], t[4], t[5]);
         return {r.out, r.h, {}};
       }},
      {"relu", 1, [](const Operands& t) -> LSTMResult {
         const RNNResult r = rnn(t[0], t[1], t[2], t[3], t[4], t[5], RNNNonlinearity::kReLU);
         return {r.out, r.h, {}};
       }}};
  return all;
}

struct Sizes {
  int64_t steps, batch, in, hidden;
};
Operands operands(const Kind& kind, const Sizes& s, bool bias, bool state) {
  const int64_t width = kind.gates * s.hidden;
  const auto make = [](const Shape& shape, double phase) { return numbers(shape, phase) * 0.5; };
  Operands t{make({s.steps, s.batch, s.in}, 1), make({width, s.in}, 2), make({width, s.hidden}, 3)};
  t.resize(7);
  if (bias) t[3] = make({width}, 4), t[4] = make({width}, 5);
  if (state) t[5] = make({s.batch, s.hidden}, 6);
  if (state && kind.gates == 4) t[6] = make({s.batch, s.hidden}, 7);
  return t;
}

// Results, then the gradients of a weighted sum of them by every operand.
std::vector<Tensor> everything(const Kind& kind, const Operands& given, DType dtype) {
  Operands t(7);
  std::vector<Tensor> by;
  for (size_t i = 0; i < t.size(); ++i) {
    if (given[i].defined()) by.push_back(t[i] = trainable(cast(given[i], dtype)));
  }
  const LSTMResult r = kind.run(t);
  std::vector<Tensor> all;
  Tensor loss;
  for (const Tensor* y : {&r.out, &r.h, &r.c}) {
    if (!y->defined()) continue;
    all.push_back(*y);
    const Tensor part = sum(*y * cast(numbers(y->shape(), 9), dtype));
    loss = loss.defined() ? loss + part : part;
  }
  for (const Tensor& g : gradients(loss, by)) all.push_back(g);
  eval(all);
  return all;
}

TEST(Recurrent, KernelsAgreeWithTheComposition) {
  for (const Kind& kind : kinds())
    for (const Sizes& s :
         {Sizes{1, 1, 1, 1}, {3, 2, 4, 5}, {7, 1, 24, 32}, {5, 37, 9, 33}, {4, 5, 3, 130}})
      for (int flags = 0; flags < 4; ++flags) {
        SCOPED_TRACE(std::string(kind.name) + " T" + std::to_string(s.steps) + " N" +
                     std::to_string(s.batch) + " H" + std::to_string(s.hidden) + " flags " +
                     std::to_string(flags));
        const Operands t = operands(kind, s, flags & 1, flags & 2);
        const auto got = everything(kind, t, kF32), want = everything(kind, t, kF64);
        ASSERT_EQ(got.size(), want.size());
        for (size_t i = 0; i < got.size(); ++i) {
          const double scale = std::max(1.0, max(abs(want[i])).item());
          EXPECT_LE(max(abs(cast(got[i], kF64) - want[i])).item(), 2e-5 * scale) << i;
        }
      }
}

TEST(Recurrent, DerivativesOfBothOrders) {
  for (const Kind& kind : kinds()) {
    Operands t = operands(kind, {3, 2, 2, 3}, true, true);
    const auto f = [&](const std::vector<Tensor>& in) {
      const LSTMResult r =
          kind.run({in[0], in[1], in[2], in[3], in[4], in[5], kind.gates == 4 ? in[6] : Tensor()});
      return r.c.defined() ? concat({flatten(r.out, 0), flatten(r.c, 0)}) : flatten(r.out, 0);
    };
    if (kind.gates != 4) t.pop_back();
    EXPECT_EQ(gradcheck(f, t), "") << kind.name;
    // In f32 the second derivative is that of the composition.
    const auto second = [&](DType dtype) {
      std::vector<Tensor> in;
      for (const Tensor& x : t) in.push_back(trainable(cast(x, dtype)));
      const std::vector<Tensor> g = gradients(sum(square(f(in))), {in[0], in[2]});
      return gradients(sum(square(g[0])) + sum(square(g[1])), {in[1], in[2]});
    };
    const auto got = second(kF32), want = second(kF64);
    for (size_t i = 0; i < got.size(); ++i)
      expect_same(cast(got[i], kF64), want[i], 1e-4 * std::max(1.0, max(abs(want[i])).item()));
  }
}

TEST(Recurrent, DoesNotDependOnThreads) {
  const int before = num_threads();
  for (const Kind& kind : kinds()) {
    const Operands t = operands(kind, {20, 33, 16, 64}, true, true);
    set_num_threads(1);
    const auto want = everything(kind, t, kF32);
    for (int n : {2, 4}) {
      set_num_threads(n);
      const auto got = everything(kind, t, kF32);
      for (size_t i = 0; i < got.size(); ++i) expect_same(got[i], want[i]);
    }
  }
  set_num_threads(before);
}

TEST(Recurrent, EmptySequences) {
  const LSTMResult r = lstm(zeros({0, 2, 3}), zeros({16, 3}), zeros({16, 4}));
  EXPECT_EQ(r.out.shape().str(), Shape({0, 2, 4}).str());
  expect_values(r.h, {2, 4}, std::vector<double>(8, 0));
}

TEST(Recurrent, ErrorsNameTheShapes) {
  const auto said = message_of<ShapeError>([] {
    lstm(zeros({2, 2, 3}), zeros({16, 5}), zeros({16, 4}));
  });
  EXPECT_NE(said.find("weight_ih"), std::string::npos) << said;
  EXPECT_THROW(gru(zeros({2, 3}), zeros({12, 3}), zeros({12, 4})), ShapeError);
  EXPECT_THROW(nn::LSTM(3, 0), ShapeError);
  EXPECT_THROW(nn::GRU(3, 4)(zeros({2, 2, 5})), ShapeError);
}

TEST(RecurrentLayers, HavePyTorchsNamesAndShapes) {
  const nn::LSTM net(3, 4, {.num_layers = 2, .bidirectional = true});
  const StateDict state = net.state_dict();
  ASSERT_EQ(state.size(), 16u);
  EXPECT_EQ(state[0].first, "weight_ih_l0");
  EXPECT_EQ(state[3].first, "bias_hh_l0");
  EXPECT_EQ(state[4].first, "weight_ih_l0_reverse");
  EXPECT_EQ(state[8].first, "weight_ih_l1");
  EXPECT_EQ(state[8].second.shape().str(), Shape({16, 8}).str());
  const LSTMResult r = net(zeros({5, 2, 3}));
  EXPECT_EQ(r.out.shape().str(), Shape({5, 2, 8}).str());
  EXPECT_EQ(r.h.shape().str(), Shape({4, 2, 4}).str());
}

TEST(RecurrentLayers, BatchFirstAndUnbatchedAreTheSame) {
  nn::GRU net(3, 4);
  const Tensor x = cast(numbers({5, 3}), kF32), want = net(x).out;
  expect_same(net(unsqueeze(x, 1)).out, unsqueeze(want, 1));
  net.options.batch_first = true;
  expect_same(net(unsqueeze(x, 0)).out, unsqueeze(want, 0));
}

}  // namespace
}  // namespace glia::test
