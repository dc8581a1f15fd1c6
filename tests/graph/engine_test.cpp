// The traps that a lazy graph sets: gradients, threads, errors, shapes, modes.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "runtime/threads.h"
#include "tests/graph/engine.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using namespace test;

// ---- Gradients --------------------------------------------------------------------------------

TEST(Gradients, OfAParameterUsedTwice) {
  const Tensor w = trainable(tensor({1.0, 2.0, 3.0}));
  const auto g = gradients(sum(w * w + 3 * w), {w})[0];
  EXPECT_EQ(numbers(g), (std::vector<double>{5, 7, 9}));
  const auto both = gradients(sum(w * w), {w, w});
  EXPECT_EQ(numbers(both[0]), numbers(both[1]));
}

TEST(Gradients, OfAnUnusedParameterAreZero) {
  const Tensor w = trainable(ramp({3})), unused = trainable(ramp({2, 2}));
  const auto g = gradients(sum(w), {w, unused});
  EXPECT_EQ(g[1].shape(), Shape({2, 2}));
  EXPECT_EQ(numbers(g[1]), std::vector<double>(4, 0));
  EXPECT_EQ(numbers(gradients(sum(ramp({3})), {w})[0]), std::vector<double>(3, 0));
}

TEST(Gradients, InPlaceStyleUpdates) {
  Tensor w = trainable(tensor({4.0, -2.0}));
  for (int i = 0; i < 50; ++i) {
    const Tensor g = gradients(sum(w * w), {w})[0];
    w = trainable(w - 0.25 * g);
  }
  EXPECT_NEAR(w.data<double>()[0], 4 * std::pow(0.5, 50), 1e-20);
}

TEST(Gradients, OfAnIntermediateTensor) {
  const Tensor x = trainable(tensor({1.0, 2.0}));
  const Tensor h = x * x;
  const auto g = gradients(sum(h * h), {h, x});
  EXPECT_EQ(numbers(g[0]), (std::vector<double>{2, 8}));
  EXPECT_EQ(numbers(g[1]), (std::vector<double>{4, 32}));
}

TEST(Gradients, OfAnyOrder) {
  const Tensor x = trainable(tensor(1.5));
  Tensor y = pow(x, 6.0);
  double want = std::pow(1.5, 6);
  for (int order = 1; order <= 6; ++order) {
    y = gradients(y, {x})[0];
    want *= (7 - order) / 1.5;
    EXPECT_NEAR(y.item(), want, 1e-8) << order;
  }
}

TEST(Gradients, NotRecordedUnderNoGrad) {
  const Tensor x = trainable(tensor(2.0));
  Tensor y;
  {
    const NoGrad off;
    { const NoGrad nested; }
    y = x * x;
  }
  EXPECT_FALSE(y.requires_grad());
  EXPECT_TRUE((x * x).requires_grad());
  EXPECT_FALSE(stop_gradient(x * x).requires_grad());
  EXPECT_EQ(gradients(x * y, {x})[0].item(), 4);
}

TEST(Gradients, HistoryEndsWhenAVariableIsSet) {
  const Parameter w(tensor({1.0, 2.0}));
  const Tensor loss = sum(w * w);
  loss.item();
  w.set(w - 0.1 * gradients(loss, {w.tensor()})[0]);
  eval_variables();
  EXPECT_NE(message_of<Error>([&] { gradients(loss, {w.tensor()}); }).find("history has ended"),
            std::string::npos);
  EXPECT_EQ(loss.item(), 5);
  EXPECT_EQ(numbers(gradients(sum(w * w), {w.tensor()})[0]), (std::vector<double>{1.6, 3.2}));
}

TEST(Gradients, HistoryFreesWhatItHeld) {
  const Parameter w(ramp({64, 64}));
  const auto step = [&] {
    Tensor h = w;
    for (int i = 0; i < 10; ++i) h = tanh(matmul(h, w));
    const Tensor loss = sum(h);
    loss.item();
    w.set(w - 0.01 * gradients(loss, {w.tensor()})[0]);
    eval_variables();
  };
  step();
  step();
  const int64_t nodes = graph_stats().nodes_live, bytes = memory_stats().in_use;
  for (int i = 0; i < 5; ++i) step();
  EXPECT_LE(graph_stats().nodes_live, nodes + 5);
  EXPECT_LE(memory_stats().in_use, bytes + 4096);
}

TEST(Gradients, AskedOfSomethingElseIsAnError) {
  const Tensor x = ramp({2});
  EXPECT_NE(message_of<Error>([&] { gradients(sum(x), {x}); }).find("requires no gradient"),
            std::string::npos);
  const Tensor w = trainable(x);
  EXPECT_NE(message_of<Error>([&] { gradients(w * 2, {w}); }).find("(2,)"), std::string::npos);
  EXPECT_NE(message_of<Error>([&] { trainable(tensor({1, 2})); }).find("i32"), std::string::npos);
}

// ---- Threads ----------------------------------------------------------------------------------

TEST(Threads, RecordAndEvaluateAtOnce) {
  const auto work = [](double seed) {
    const Parameter w(full({16, 16}, 0.01 * seed) + ramp({16, 16}));
    const Tensor x = ramp({8, 16});
    double loss = 0;
    for (int i = 0; i < 60; ++i) {
      const Tensor y = mean(square(tanh(matmul(x, w)) - seed));
      w.set(w - 0.1 * gradients(y, {w.tensor()})[0]);
      if (i % 3 == 0) loss = y.item();
      eval_variables();
    }
    return loss;
  };
  constexpr int kWorkers = 4;
  double want[kWorkers], got[kWorkers];
  for (int i = 0; i < kWorkers; ++i) want[i] = work(i + 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i) threads.emplace_back([&, i] { got[i] = work(i + 1); });
  for (auto& t : threads) t.join();
  for (int i = 0; i < kWorkers; ++i) EXPECT_EQ(got[i], want[i]);
}

TEST(Threads, OneReadsWhatAnotherRecordsOrComputed) {
  Tensor recorded, computed;
  std::thread([&] {
    recorded = ramp({100}) * 2;
    computed = ramp({100}) * 3;
    eval(computed);
  }).join();
  EXPECT_EQ(numbers(recorded), numbers(ramp({100}) * 2));
  EXPECT_EQ(numbers(computed), numbers(ramp({100}) * 3));
}

TEST(Threads, ManyReadOnePendingTensor) {
  for (int round = 0; round < 20; ++round) {
    const Tensor base = ramp({200}) + round, shared = exp(base) * 2;
    const Tensor alone = exp(base + 0) * 2;
    const auto want = numbers(alone);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        const Tensor mine = shared + i;
        right += numbers(shared) == want && mine.numel() == 200 &&
                 mine.data<float>()[7] == static_cast<float>(want[7]) + static_cast<float>(i);
      });
    for (auto& t : threads) t.join();
    EXPECT_EQ(right, 4);
  }
}

// Threads copy and drop handles while the thread that made the tensor does, without a lock.
TEST(Threads, HandlesAreCountedRightWhoeverMadeTheTensor) {
  ramp({1}).item();
  const int64_t before = graph_stats().nodes_live;
  for (int round = 0; round < 50; ++round) {
    std::thread([&] {  // each round's thread has counts of its own at first
      const Tensor shared = ramp({3});
      const auto use = [&] {
        for (int i = 0; i < 2000; ++i) {
          const Tensor again = shared, pending = again + i;
        }
      };
      std::thread other(use), third(use);
      use();
      other.join();
      third.join();
      EXPECT_EQ(numbers(shared), numbers(ramp({3})));
    })
        .join();
  }
  EXPECT_EQ(graph_stats().nodes_live, before);
}

TEST(Threads, SettingsOfOneThreadAreItsOwn) {
  const NoGrad off;
  bool other = false;
  std::thread([&] { other = (trainable(tensor(1.0)) * 2).requires_grad(); }).join();
  EXPECT_TRUE(other);
}

TEST(Threads, EveryItemIsDoneOnce) {
  const int before = num_threads();
  for (int threads : {1, 2, 3, 5}) {
    set_num_threads(threads);
    // More items than a ticket counts are taken several at a time.
    for (int64_t count : {0, 1, 2, 3, 1000, 65535, 65536, 65537, 200001}) {
      std::vector<std::atomic<int>> done(count);
      parallel_for(count, [&](int64_t i) { ++done[i]; });
      EXPECT_TRUE(std::ranges::all_of(done, [](const auto& n) { return n == 1; })) << count;
    }
    for (int round = 0; round < 20000; ++round) {
      std::atomic<int64_t> sum{0};
      parallel_for(round % 7, [&](int64_t i) { sum += i + round; });
      const int64_t n = round % 7;
      ASSERT_EQ(sum, n * (n - 1) / 2 + n * round);
    }
  }
  set_num_threads(before);
}

TEST(Threads, TheFirstExceptionIsThrownAgain) {
  const int before = num_threads();
  set_num_threads(2);
  for (int round = 0; round < 1000; ++round) {
    const int64_t bad = round % 10;
    const auto body = [&](int64_t i) {
      if (i == bad) throw ValueError(std::to_string(i));
    };
    EXPECT_THROW(parallel_for(10, body), ValueError);
    EXPECT_NO_THROW(parallel_for(10, [](int64_t) {}));
  }
  set_num_threads(before);
}

// ---- Errors -----------------------------------------------------------------------------------

TEST(Errors, AWrongShapeNamesTheOpTheShapesAndTheLine) {
  const Tensor a = ramp({128, 784}), b = ramp({512, 10});
  const int line = __LINE__ + 1;
  const std::string said = message_of<ShapeError>([&] { matmul(a, b); });
  EXPECT_NE(said.find("matmul"), std::string::npos) << said;
  EXPECT_NE(said.find("(128, 784) x (512, 10)"), std::string::npos) << said;
  EXPECT_NE(said.find("engine_test.cpp:" + std::to_string(line)), std::string::npos) << said;
  EXPECT_NE(message_of<ShapeError>([&] { a + b; }).find("add: "), std::string::npos);
  const std::string sum_line = "engine_test.cpp:" + std::to_string(__LINE__ + 1);
  EXPECT_NE(message_of<ShapeError>([&] { a + b; }).find(sum_line), std::string::npos);
}

TEST(Errors, AtRecordTimeLeaveEverythingUsable) {
  const Tensor a = ramp({3}), b = ramp({4});
  const Tensor pending = a * 2;
  EXPECT_THROW(pending + b, ShapeError);
  EXPECT_THROW(reshape(pending, {2, 2}), ShapeError);
  EXPECT_THROW(sum(pending, {3}), ShapeError);
  EXPECT_THROW(Tensor() + a, Error);
  EXPECT_THROW(pending.data<double>(), Error);
  EXPECT_THROW(pending.item(), ShapeError);
  EXPECT_EQ(pending.data<float>()[1], a.data<float>()[1] * 2);
}

TEST(Errors, AtRunTimeSayWhatAndLeaveEveryTensorUsable) {
  if (eager()) GTEST_SKIP() << "thrown when it is recorded";
  Tensor x = ramp({5, 2}) + 1;
  eval(x);
  const auto before = numbers(x);
  const Tensor y = x * 2;
  x = Tensor();  // its bytes might have been given away to y
  const Tensor indices = tensor({int64_t{1}, int64_t{7}});
  const int line = __LINE__ + 1;
  const Tensor z = take(y, indices) + 1;
  const Tensor other = y + 5;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::string said = message_of<ValueError>([&] { eval({y, z, other}); });
    EXPECT_NE(said.find("take"), std::string::npos) << said;
    EXPECT_NE(said.find("7"), std::string::npos) << said;
    EXPECT_NE(said.find("5"), std::string::npos) << said;
    EXPECT_NE(said.find("engine_test.cpp:" + std::to_string(line)), std::string::npos) << said;
  }
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_FLOAT_EQ(y.data<float>()[i], before[i] * 2);
    EXPECT_FLOAT_EQ(other.data<float>()[i], before[i] * 2 + 5);
  }
  EXPECT_THROW(z.data<float>(), ValueError);
  EXPECT_FLOAT_EQ(take(y, tensor({int64_t{1}})).data<float>()[0], y.data<float>()[2]);
}

TEST(Errors, InAnOptimizersStepLeaveTheParameters) {
  const Parameter w(ramp({5, 2}));
  ParameterList list;
  list.push_back(w);
  optim::SGD opt(list, {.lr = 0.1});
  const auto before = numbers(w.tensor());
  const auto loss = [&](int64_t i) { return sum(take(w, tensor({i}))); };
  EXPECT_THROW(opt.step(gradients(loss(9), list)), ValueError);
  EXPECT_EQ(numbers(w.tensor()), before);
  opt.step(gradients(loss(2), list));
  EXPECT_FLOAT_EQ(w.tensor().data<float>()[4], before[4] - 0.1);
}

TEST(Errors, AnOpWithoutAGradientIsNamed) {
  const Tensor x = trainable(ramp({4}));
  const Tensor y = cast(argsort(x), kF32);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(numbers(gradients(sum(y * x), {x})[0]), numbers(y));
}

// ---- Shapes -----------------------------------------------------------------------------------

TEST(Shapes, MoreThanTwoToTheThirtyFirstElements) {
  if (eager()) GTEST_SKIP() << "views are written out in eager mode";
  const Tensor x = zeros({1 << 20, 1 << 12}, kU8);
  EXPECT_EQ(x.numel(), int64_t{1} << 32);
  const Tensor y = permute(reshape(x, {1 << 10, 1 << 10, 1 << 12}), {2, 0, 1});
  EXPECT_EQ(y.shape(), Shape({1 << 12, 1 << 10, 1 << 10}));
  EXPECT_EQ(expand(tensor(1.0f), {1 << 16, 1 << 16, 1 << 16}).numel(), int64_t{1} << 48);
  EXPECT_THROW(zeros({int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
}

TEST(Shapes, APieceOfAHugeViewIsCheap) {
  if (eager()) GTEST_SKIP() << "views are written out in eager mode";
  const int64_t huge = int64_t{1} << 40;
  const Tensor x = expand(ramp({3, 1}), {3, huge});
  const int64_t before = memory_stats().in_use;
  const Tensor tail = slice(x, 1, {huge - 2, huge});
  EXPECT_EQ(tail.shape(), Shape({3, 2}));
  EXPECT_EQ(tail.data<float>()[5], ramp({3}).data<float>()[2]);
  const Tensor back = slice(flip(x, {1}), 1, {-5, Slice::kNone, 2}) * 2;
  EXPECT_EQ(back.data<float>()[1], ramp({3}).data<float>()[0] * 2);
  EXPECT_LE(memory_stats().in_use, before + (1 << 20));
}

TEST(Shapes, AHeldRepetitionIsNeverWrittenOut) {
  if (eager()) GTEST_SKIP() << "views are written out in eager mode";
  const Tensor row = ramp({3}) * 2, huge = expand(row, {int64_t{1} << 30, 3});
  const Tensor more = expand(unsqueeze(huge, 0), {1 << 10, int64_t{1} << 30, 3});
  const int64_t before = memory_stats().in_use;
  for (int round = 0; round < 3; ++round) {
    const auto piece = slice(slice(more, 0, {7, 8}), 1, {100, 102}).data<float>();
    EXPECT_EQ(piece[4], numbers(row)[1]);
  }
  const Tensor changed = row + 1;  // the row itself must not be given away
  EXPECT_EQ(changed.data<float>()[2], numbers(row)[2] + 1);
  EXPECT_EQ(slice(huge, 0, {0, 1}).data<float>()[2], numbers(row)[2]);
  EXPECT_LE(memory_stats().in_use, before + (1 << 20));
}

TEST(Shapes, EmptyAndSingle) {
  const Tensor none = zeros({0, 3});
  EXPECT_EQ(sum(none).item(), 0);
  EXPECT_EQ(prod(none).item(), 1);
  EXPECT_EQ((none + 1).data<float>().size(), 0u);
  EXPECT_EQ(matmul(zeros({2, 0}), zeros({0, 3})).data<float>()[5], 0);
  EXPECT_THROW(max(none), ShapeError);
  EXPECT_EQ(none.str(), "[]");
  const Tensor w = trainable(zeros({0, 3}));
  EXPECT_EQ(gradients(sum(w * w), {w})[0].shape(), Shape({0, 3}));
  EXPECT_EQ(sum(ones({1, 1, 1, 1, 1, 1, 1, 1})).item(), 1);
  EXPECT_THROW(ones({1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
}

TEST(Shapes, WideColumnsAreCutIntoWholePieces) {
  // More pieces of work than the columns fill when each is rounded up to whole tiles.
  for (int64_t rows : {7, 23, 29, 50}) {
    for (int64_t columns : {8886, 18000, 30000}) {
      const auto sums = sum(ones({rows, columns}, kF64) * ramp({columns}, kF64), {0});
      const auto want = ramp({columns}, kF64), got = sums / static_cast<double>(rows);
      EXPECT_LE(max(abs(got - want)).item(), 1e-12) << rows << " x " << columns;
    }
  }
}

TEST(Shapes, NaNAndInfinityPassThroughPlans) {
  const float nan = NAN, inf = INFINITY;
  const Tensor x = tensor({1.0f, nan, inf, -inf});
  const auto y = (relu(x) * 2 - x).data<float>();
  EXPECT_EQ(y[0], 1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], inf);
  EXPECT_TRUE(std::isnan(max(x).item()));
  EXPECT_TRUE(std::isnan(sum(x).item()));
  EXPECT_EQ(numbers(isfinite(x)), (std::vector<double>{1, 0, 0, 0}));
}

// ---- Modes ------------------------------------------------------------------------------------

TEST(Modes, EagerGivesTheSameBitsForElementwiseGraphs) {
  const auto run = [] {
    const Tensor x = trainable(ramp({33, 7}));
    const Tensor y = sigmoid(x * 3 + 1) * tanh(x) - maximum(x, 0.25);
    return std::pair(numbers(y), numbers(gradients(y, {x}, ramp({33, 7}))[0]));
  };
  const auto lazy = run();
  set_eager(true);
  const int64_t before = graph_stats().plans_run;
  const auto eager = run();
  EXPECT_GT(graph_stats().plans_run, before + 10);
  set_eager(false);
  EXPECT_EQ(lazy, eager);
}

TEST(Modes, SameBitsForEveryNumberOfThreads) {
  const int before = num_threads();
  std::vector<std::vector<double>> results;
  for (int threads : {1, 2, 4, 1}) {
    set_num_threads(threads);
    manual_seed(3);
    const Tensor x = trainable(randn({512, 300}));
    const Tensor h = softmax(matmul(x, randn({300, 200})), -1);
    const Tensor loss = sum(log(h + 1e-3)) + sum(square(mean(x, {0})));
    results.push_back(numbers(gradients(loss, {x})[0]));
    results.back().push_back(loss.item());
  }
  set_num_threads(before);
  for (const auto& r : results) EXPECT_EQ(r, results[0]);
}

// Teamwork tries both, and keeps to the one that is faster here.
TEST(Modes, SameBitsWhetherThreadsHelpOrNot) {
  const Tensor x = randn({128, 120}), w = randn({120, 84});
  const auto run = [&] { return matmul(relu(matmul(x, w)), flip(transpose(w, 0, 1), {0})); };
  const std::vector<double> first = numbers(run());
  for (int i = 0; i < 40; ++i) EXPECT_EQ(numbers(run()), first);
}

TEST(Modes, AloneMeansInOrderOnTheCallingThread) {
  std::vector<int64_t> seen;
  {
    const Alone alone(true);
    const int64_t before = jobs_shared();
    parallel_for(100, [&](int64_t i) { seen.push_back(i); });
    EXPECT_EQ(jobs_shared(), before);
  }
  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(Modes, SameBitsFromRunToRun) {
  const auto run = [] {
    manual_seed(11);
    return numbers(sum(dropout(randn({300, 300}), 0.2) * rand({300, 300}), {0}));
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace glia
