// Programs that run for long: what they hold on to is counted in nodes and bytes.
#include <gtest/gtest.h>
#include <malloc.h>

#include <fstream>
#include <functional>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/runtime.h"

namespace glia {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

Tensor batch_of(int64_t bytes, float value) {
  return from_vector(std::vector<float>(static_cast<size_t>(bytes / 4), value), {bytes / 4});
}
int64_t heap_bytes() {
  const auto info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}
int64_t nodes() { return graph_stats().nodes_live; }
int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * 4096;
}
ParameterList list_of(const Variable& v) {
  ParameterList list;
  list.push_back(v);
  return list;
}

// ---- Results that are kept and not read ----

// A loop that keeps a small result of each batch does not keep the batches.
void keeps_no_batches(const std::function<Tensor(const Tensor&)>& result, bool reads_another) {
  trim();
  reset_memory_peak();
  const int64_t before = memory_stats().in_use;
  std::vector<Tensor> kept;
  for (int i = 0; i < 700; ++i) {
    const Tensor batch = batch_of(kMiB, static_cast<float>(i));
    kept.push_back(result(batch));
    if (reads_another) {
      EXPECT_EQ(max(batch).item(), i);
    }
  }
  EXPECT_LT(memory_stats().peak - before, 300 * kMiB);
  for (int i = 0; i < 700; ++i) ASSERT_NEAR(kept[i].to_vector<double>()[0], i, 1e-3 * i) << i;
}

TEST(LongRuns, PendingScalarsDoNotKeepBatches) {
  const auto loss = [](const Tensor& x) { return mean(x * 2 - x); };
  keeps_no_batches(loss, false);
  keeps_no_batches(loss, true);
}
TEST(LongRuns, PendingSmallResultsDoNotKeepBatches) {
  keeps_no_batches([](const Tensor& x) { return max(reshape(x, {4, -1}), {1}); }, false);
  // By way of a small view, of a step that shrinks little by little, and of a product.
  keeps_no_batches([](const Tensor& x) { return mean(slice(x, 0, {0, 100})); }, false);
  keeps_no_batches(
      [](const Tensor& x) {
        Tensor y = reshape(x, {-1, 4});
        while (y.size(0) > 16) y = max(reshape(y, {-1, 4, 4}), {1});
        return sum(y, {0}) / 16;
      },
      false);
  const Tensor w = ones({4, 1024});
  keeps_no_batches(
      [&](const Tensor& x) {
        return index(linear(reshape(x, {-1, 1024}), w / 1024), {0});
      },
      false);
}
// The same where gradients may be asked for: they are the same afterwards.
TEST(LongRuns, PendingLossesOfAModelKeepTheirGradients) {
  const Parameter w = tensor({2.0f});
  std::vector<Tensor> losses;
  for (int i = 0; i < 300; ++i)
    losses.push_back(mean(square(batch_of(kMiB, static_cast<float>(i)) * w)));
  for (int i : {0, 7, 299})
    EXPECT_NEAR(gradients(losses[i], list_of(w))[0].item(), 4.0 * i * i, 1e-3 * i * i);
}

// Very many results in one: planned in pieces that are alike.
TEST(LongRuns, AStackOfVeryManyLossesIsComputedInPieces) {
  const int count = 20'000;
  std::vector<Tensor> losses;
  for (int i = 0; i < count; ++i)
    losses.push_back(mean(square(tensor({1.0f, 2.0f, 3.0f}) * static_cast<float>(i % 7))));
  trim();
  const int64_t bytes = heap_bytes(), plans = graph_stats().plans_built;
  const auto values = stack(losses).to_vector<float>();
  EXPECT_LT(heap_bytes() - bytes, 300 * kMiB);
  EXPECT_LT(graph_stats().plans_built - plans, 40);
  for (int i = 0; i < count; ++i)
    ASSERT_NEAR(values[i], 14.0f / 3 * (i % 7) * (i % 7), 1e-4 * (1 + values[i])) << i;
  trim();
}

// ---- Variables that are set and not read ----

TEST(LongRuns, AVariableThatIsSetLeavesNothing) {
  Buffer v = zeros({4});
  const auto set_many = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v.set(ones({4}) * i);
      const Buffer gone = v + 1;
    }
  };
  set_many(5000);
  const int64_t nodes_before = nodes(), bytes_before = heap_bytes();
  set_many(100'000);
  EXPECT_LT(nodes() - nodes_before, 1000);
  EXPECT_LT(heap_bytes() - bytes_before, 64 << 10);
  EXPECT_EQ(v.tensor().to_vector<float>()[0], 99'999);
}

TEST(LongRuns, AnAverageThatNobodyReadsStaysFlat) {
  for (const bool of_trainable : {false, true}) {
    const Parameter p = ones({4});
    const Tensor fixed = ones({4});
    Buffer average = zeros({4});
    const auto follow = [&](int count) {
      for (int i = 0; i < count; ++i)
        average.set(average * 0.999 + (of_trainable ? p.tensor() : fixed) * 0.001);
    };
    follow(20'000);
    const int64_t nodes_before = nodes(), bytes_before = heap_bytes();
    follow(40'000);
    EXPECT_LT(nodes() - nodes_before, 8 * 1024) << of_trainable;
    EXPECT_LT(heap_bytes() - bytes_before, 4 * kMiB) << of_trainable;
    EXPECT_NEAR(average.tensor().to_vector<float>()[0], 1, 1e-3);
  }
}

// ---- Histories ----

// A long history of which one parameter has been stepped, and another one that it is made of at
// its beginning has not.
TEST(LongRuns, EndingHistoriesLooksAtEachNodeFewTimes) {
  Parameter first = ones({1}), every = ones({1}) * 0.5f;
  optim::SGD optimizer(list_of(every), {.lr = 0.1});
  const int steps = 5000;
  std::vector<Tensor> kept;
  Tensor h = first * 2;
  for (int i = 0; i < steps; ++i) {
    h = tanh(h * every);
    h.item();
    kept.push_back(h);
  }
  const int64_t before = history_visits();
  optimizer.step({ones({1})});
  EXPECT_LT(history_visits() - before, 20 * steps);
  // It is still there for the parameter that was not stepped.
  EXPECT_NE(gradients(kept[3], list_of(first))[0].item(), 0);
}

// ---- Memory that is given back ----

TEST(LongRuns, MoveAssignmentGivesBackWhatTheTensorNamed) {
  const int64_t before = memory_stats().in_use;
  Tensor a = batch_of(8 * kMiB, 1), b = batch_of(kMiB, 2);
  a = std::move(b);
  EXPECT_LT(memory_stats().in_use - before, 2 * kMiB);
  EXPECT_FALSE(b.defined());
  Tensor& same = a;
  a = std::move(same);
  EXPECT_EQ(a.data<float>()[0], 2);
}

TEST(LongRuns, TrimGivesMemoryBackToTheSystem) {
  const auto work = [] {
    std::vector<Tensor> kept;
    for (int i = 0; i < 300; ++i) {
      const Tensor x = batch_of(kMiB / 2, static_cast<float>(i));
      kept.push_back(exp(x * 1e-3) + x);
      eval(kept.back());
    }
  };
  work();
  trim();
  const int64_t before = resident_bytes();
  for (int i = 0; i < 3; ++i) work();
  trim();
  EXPECT_LT(resident_bytes() - before, 16 * kMiB);
}

}  // namespace
}  // namespace glia
