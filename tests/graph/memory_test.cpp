// The traps that a lazy graph sets: length, memory, donated inputs, handles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/graph/engine.h"

namespace glia {
namespace {

using namespace test;

constexpr int kMillion = 1'000'000;
// Steps of a loop whose operations are computed one by one in eager mode, 10 us each.
int many() { return eager() ? kMillion / 50 : kMillion; }

// ---- Length -----------------------------------------------------------------------------------

TEST(Length, AMillionNodesAreRecordedAndComputed) {
  Tensor x = zeros({});
  for (int i = 0; i < many(); ++i) x = x + 1;
  EXPECT_EQ(x.item<int64_t>(), many());
}

TEST(Length, AMillionPendingNodesArePlannedInPiecesThatAreAlike) {
  Tensor x = zeros({3}, kF64);
  {
    const Symbolic on;
    for (int i = 0; i < kMillion; ++i) x = x + 1;
  }
  const int64_t built = plans_built_by([&] { EXPECT_EQ(numbers(x)[2], kMillion); });
  EXPECT_LT(built, 8);
  trim();
}

TEST(Length, AMillionPendingNodesAreForgottenUncomputed) {
  const int64_t before = graph_stats().nodes_live;
  {
    const Symbolic on;
    Tensor x = zeros({3});
    for (int i = 0; i < kMillion; ++i) x = x + 1;
    EXPECT_GE(graph_stats().nodes_live, kMillion);
  }
  EXPECT_LE(graph_stats().nodes_live, before + 10);
}

TEST(Length, GradientsGoThroughAMillionNodes) {
  const Tensor x = trainable(tensor(2.0));
  const double factor = 1 + 1e-7;
  Tensor y = x;
  for (int i = 0; i < many(); ++i) y = y * factor;
  const Tensor g = gradients(y, {x})[0];
  EXPECT_NEAR(g.item(), std::pow(factor, many()), 1e-9);
  EXPECT_NEAR(y.item(), 2 * g.item(), 1e-9);
}

TEST(Length, ManyUsersOfOneTensor) {
  const Tensor x = trainable(ramp({4}));
  Tensor total = zeros({4});
  for (int i = 0; i < 20000; ++i) total = total + x;
  EXPECT_FLOAT_EQ(gradients(sum(total), {x})[0].data<float>()[1], 20000);
}

// ---- Memory -----------------------------------------------------------------------------------

// The most that is alive at any step of a loop, in its first and in its second half.
struct Peaks {
  int64_t nodes[2] = {0, 0}, bytes[2] = {0, 0};
};
template <class F>
Peaks peaks_of(int steps, F&& step) {
  Peaks peaks;
  for (int i = 0; i < steps; ++i) {
    step(i);
    if (i % 100 != 99) continue;
    const int half = i < steps / 2 ? 0 : 1;
    peaks.nodes[half] = std::max(peaks.nodes[half], graph_stats().nodes_live);
    peaks.bytes[half] = std::max(peaks.bytes[half], memory_stats().in_use);
  }
  return peaks;
}
void expect_flat(const Peaks& p) {
  EXPECT_LE(p.nodes[1], p.nodes[0] + p.nodes[0] / 10 + 100);
  EXPECT_LE(p.bytes[1], p.bytes[0] + p.bytes[0] / 10 + (1 << 16));
}

TEST(Memory, AMillionUnreadTotalsStayFlat) {
  Tensor total = zeros({}), ema = zeros({});
  const Tensor loss = tensor(0.5f);
  expect_flat(peaks_of(many(), [&](int) {
    total = total + loss;
    ema = 0.9 * ema + 0.1 * loss;
  }));
  EXPECT_EQ(total.item(), 0.5 * many());
  EXPECT_NEAR(ema.item(), 0.5, 1e-6);
}

TEST(Memory, TotalsReadNowAndThenStayFlat) {
  Tensor total = zeros({}), ema = zeros({});
  expect_flat(peaks_of(100000, [&](int i) {
    const Tensor loss = tensor(1.0f) * 0.5;
    total = total + loss;
    ema = 0.9 * ema + 0.1 * loss;
    if (i % 1000 == 0) total.item();
  }));
  EXPECT_EQ(total.item(), 50000);
}

TEST(Memory, TotalsOfATrainingLoopStayFlat) {
  const Parameter w(ramp({8, 8}));
  ParameterList list;
  list.push_back(w);
  optim::SGD opt(list, {.lr = 1e-3, .momentum = 0.9});
  const Tensor x = ramp({4, 8});
  Tensor total = zeros({}), ema = zeros({});
  expect_flat(peaks_of(12000, [&](int) {
    const Tensor loss = mean(square(matmul(x, w)));
    opt.step(gradients(loss, list));
    total = total + loss;
    ema = 0.9 * ema + 0.1 * loss;
  }));
  EXPECT_GT(total.item(), ema.item());
}

TEST(Memory, FreedBuffersGoToTheCacheAndTrimEmptiesIt) {
  trim();
  const int64_t used = memory_stats().in_use;
  {
    Tensor x = ones({1 << 18}) + ones({1 << 18});
    eval(x);
    EXPECT_GE(memory_stats().in_use, used + (1 << 20));
  }
  EXPECT_LE(memory_stats().in_use, used + 4096);
  EXPECT_GE(memory_stats().cached, 1 << 20);
  trim();
  EXPECT_EQ(memory_stats().cached, 0);
  EXPECT_EQ(graph_stats().plans_cached, 0);
}

// ---- Donation ---------------------------------------------------------------------------------

TEST(Donation, AHeldOldValueNeverChanges) {
  Tensor w = ramp({1000});
  eval(w);
  const Tensor old = w;
  const auto before = numbers(old);
  for (int i = 0; i < 3; ++i) {
    w = w - 0.5 * w;
    eval(w);
  }
  EXPECT_EQ(numbers(old), before);
  EXPECT_NE(numbers(w), before);
}

TEST(Donation, ADyingInputIsUpdatedInPlace) {
  Tensor w = ramp({1 << 16}) + 1;
  eval(w);
  const void* place = w.data<float>().data();
  for (int i = 0; i < 4; ++i) {
    w = w * 0.5 + 1;
    eval(w);
  }
  EXPECT_EQ(static_cast<const void*>(w.data<float>().data()), place);
}

TEST(Donation, ViewsOfADyingInputAreSafe) {
  Tensor w = ramp({100}) + 1;
  eval(w);
  const auto before = numbers(w);
  const Tensor tail = slice(w, 0, {50, 100}), back = flip(w, {0});
  w = w * 2 + back;
  eval({w, tail});
  EXPECT_EQ(numbers(tail), std::vector<double>(before.begin() + 50, before.end()));
  EXPECT_FLOAT_EQ(w.data<float>()[3], before[3] * 2 + before[96]);
}

TEST(Donation, WhatAHeldPendingViewReadsIsKept) {
  Tensor w = ramp({3}) + 1;
  eval(w);
  const auto before = numbers(w);
  const Tensor view = permute(w, {0});
  w = view * 0.5 + 1;
  eval(w);
  EXPECT_EQ(numbers(concat({view, view})).size(), 6u);
  EXPECT_EQ(numbers(view), before);
}

TEST(Donation, ASharedInputServesTwoResults) {
  Tensor w = ramp({64}) + 1;
  eval(w);
  const auto before = numbers(w);
  const Tensor a = w + 1, b = w * 2;
  w = Tensor();
  eval({a, b});
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_FLOAT_EQ(a.data<float>()[i], before[i] + 1);
    EXPECT_FLOAT_EQ(b.data<float>()[i], before[i] * 2);
  }
}

TEST(Donation, MemoryOfOthersIsNeverWritten) {
  auto values = std::make_shared<std::vector<float>>(256, 3.0f);
  Tensor x = from_external(values->data(), {256}, kF32, values);
  x = x * 2;
  eval(x);
  EXPECT_EQ((*values)[255], 3);
  EXPECT_EQ(x.data<float>()[255], 6);
}

TEST(Donation, InputsThatGradientsStillNeedAreKept) {
  const Tensor x = trainable(ramp({128}, kF64));
  Tensor y = sin(x);
  eval(y);
  Tensor z = exp(y);
  y = Tensor();
  eval(z);
  const auto g = gradients(sum(z), {x})[0].data<double>();
  const auto v = x.data<double>();
  for (size_t i = 0; i < v.size(); ++i)
    ASSERT_NEAR(g[i], std::exp(std::sin(v[i])) * std::cos(v[i]), 1e-12);
}

TEST(Donation, WhatAHeldRepetitionReadsIsKept) {
  Tensor row = ramp({1000}) + 1;
  eval(row);
  const auto want = numbers(row);
  const Tensor wide = expand(row, {4, 1000});
  row = row * 2;
  eval(row);
  EXPECT_EQ(numbers(slice(wide, 0, {1, 2})), want);
  row = sum(wide, {0});
  EXPECT_EQ(row.data<float>()[10], 4 * static_cast<float>(want[10]));
  EXPECT_EQ(numbers(wide)[3010], want[10]);
}

// ---- Handles ----------------------------------------------------------------------------------

TEST(Handles, CopiedMovedAndSelfAssigned) {
  Tensor a = ramp({3}) + 1;
  Tensor& same = a;
  a = same;
  a = std::move(same);
  Tensor b = a, c = std::move(a);
  const auto want = numbers(b);
  EXPECT_EQ(numbers(c), want);
  a = b;
  b = Tensor();
  EXPECT_FALSE(b.defined());
  EXPECT_EQ(numbers(a), want);
  std::swap(a, b);
  EXPECT_EQ(numbers(b), want);
  EXPECT_EQ(numbers(c), want);
}

TEST(Handles, AVectorOfThemGrows) {
  std::vector<Tensor> all;
  for (int i = 0; i < 1000; ++i) all.push_back(full({2}, i) * 2);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(all[static_cast<size_t>(i)].data<float>()[1], 2 * i);
}

TEST(Handles, ResultsOutliveTheirModule) {
  Tensor y, w;
  {
    const nn::Linear layer(4, 3);
    y = layer(ramp({2, 4}));
    w = layer.weight.tensor();
  }
  EXPECT_EQ(y.data<float>().size(), 6u);
  const Tensor g = gradients(sum(y), {w})[0];
  EXPECT_EQ(g.shape(), Shape({3, 4}));
  EXPECT_FLOAT_EQ(g.data<float>()[0], numbers(sum(ramp({2, 4}), {0}))[0]);
}

TEST(Handles, VariablesAreValues) {
  Parameter a(ramp({3}));
  Parameter b = a;
  EXPECT_FALSE(a.same_place(b));
  b.set(zeros({3}));
  EXPECT_NE(numbers(a.tensor()), numbers(b.tensor()));
  Parameter c = std::move(b);
  EXPECT_EQ(numbers(c.tensor()), std::vector<double>(3, 0));
  Parameter& same = c;
  c = same;
  EXPECT_EQ(numbers(c.tensor()), std::vector<double>(3, 0));
  const Variable again = a.alias();
  again.set(ones({3}));
  EXPECT_EQ(numbers(a.tensor()), std::vector<double>(3, 1));
  EXPECT_THROW(Parameter().tensor(), Error);
}

}  // namespace
}  // namespace glia
