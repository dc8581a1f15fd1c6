// Plans of several threads at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using Values = std::vector<float>;

// Something that one thread sets and others wait for. False: it never came.
class Signal {
 public:
  void set() {
    std::lock_guard hold(mutex_);
    is_set_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, std::chrono::seconds(60), [&] { return is_set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
};

// calling(x, number): x as it is; its kernel calls function `number`.
std::vector<std::function<void()>> functions(8);
struct CallAttributes {
  int64_t number = 0;
  GLIA_ATTRIBUTES(number)
};
void run_call(const KernelCall& call) {
  functions[call.attributes<CallAttributes>().number]();
  std::copy_n(call.in[0].as<const float>(), call.in[0].numel(), call.out[0].as<float>());
}
void vjp_call(Vjp& v) { v.set(0, v.g()); }
const glia::Op kCall{.name = "test_call",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<CallAttributes>,
                     .vjp = vjp_call,
                     .run = run_call,
                     .may_throw = true};
const RegisterOp registered(kCall);
Tensor calling(const Tensor& x, int64_t number, std::function<void()> f) {
  functions[number] = std::move(f);
  return record(kCall, {x.node()}, x.shape(), x.dtype(), CallAttributes{number}, Where::current());
}

Tensor filled(const Shape& shape, float value) {
  return from_vector(Values(static_cast<size_t>(shape.numel()), value), shape);
}
bool is_whole(const Values& values) {
  return std::ranges::all_of(values, [&](float v) { return v == values[0]; });
}

// While one lives a plan runs on another thread, in an operation of it.
class LongPlan {
 public:
  explicit LongPlan(const Tensor& x, int64_t number = 0)
      : result(calling(x * 2, number,
                       [this] {
                         inside_.set();
                         came_to_its_end = go_on_.wait();
                       }) +
               1) {
    thread_ = std::thread([this] { eval(result); });
    EXPECT_TRUE(inside_.wait());
  }
  ~LongPlan() { end(); }
  void go_on() { go_on_.set(); }
  void end() {
    go_on();
    if (thread_.joinable()) thread_.join();
    EXPECT_TRUE(came_to_its_end);
  }

  const Tensor result;
  std::atomic<bool> came_to_its_end = false;

 private:
  Signal inside_, go_on_;
  std::thread thread_;
};

// ---- Beside a plan that runs ----

TEST(Flights, OthersDoWhatTheyLikeWhileAPlanRuns) {
  const Tensor x = filled({8}, 3);
  LongPlan plan(x);
  EXPECT_EQ(sum(square(x)).item(), 72);
  // The leaf that it reads, and what it has not computed yet, in graphs of others.
  Parameter w = filled({8}, 2);
  ParameterList list;
  list.push_back(w);
  optim::SGD optimizer(list, {.lr = 1, .momentum = 0.5});
  const Tensor loss = sum(w * x);
  optimizer.step(gradients(loss, optimizer.parameters()));
  EXPECT_EQ(w.tensor().to_vector<float>(), Values(8, -1));
  optimizer.step({filled({8}, 1)});  // in place
  EXPECT_EQ(loss.item(), 48);
  const auto squares = vmap([](const std::vector<Tensor>& v) { return sum(v[0] * v[0]); });
  EXPECT_EQ(squares({ones({2, 3})}).to_vector<float>(), Values(2, 3));
  const Tensor pending = plan.result * 3;
  EXPECT_EQ(pending.shape(), Shape({8}));
  trim();
  set_eager(true);
  EXPECT_EQ(softmax(x, 0).to_vector<float>(), Values(8, 0.125));
  set_eager(false);
  EXPECT_GT(graph_stats().plans_run, 0);
  plan.end();
  EXPECT_EQ(pending.to_vector<float>(), Values(8, 21));
}

TEST(Flights, WhoeverNeedsAValueWaitsForIt) {
  int runs = 0;
  Signal inside, go_on;
  Tensor x = trainable(filled({4}, 3));
  const Tensor y = square(calling(x, 0, [&] {
    ++runs;
    inside.set();
    EXPECT_TRUE(go_on.wait());
  }));
  std::thread first([&] { eval(y); });
  ASSERT_TRUE(inside.wait());
  std::atomic<int> begun = 0, right = 0;
  std::vector<std::thread> others;
  others.emplace_back([&] {
    ++begun;
    right += y.to_vector<float>() == Values(4, 9);
  });
  others.emplace_back([&] {
    ++begun;
    right += sum(y + 1).item() == 40;
  });
  others.emplace_back([&] {
    ++begun;
    right += gradients(sum(y), {x})[0].to_vector<float>() == Values(4, 6);
  });
  others.emplace_back([&] {
    const Tensor mine = y * 2;
    ++begun;
    right += checkpoint([](const std::vector<Tensor>& v) { return v[0] * 2; }, {mine})
                 .to_vector<float>() == Values(4, 36);
  });
  while (begun < 4) std::this_thread::yield();
  go_on.set();
  first.join();
  for (std::thread& t : others) t.join();
  EXPECT_EQ(right, 4);
  // Once, and at most once more for the gradient of what was not kept.
  EXPECT_LE(runs, 2);
}

TEST(Flights, APlanThatThrowsLeavesItsNodesToOthers) {
  std::atomic<int> runs = 0;
  Signal inside, go_on;
  const Tensor x = filled({4}, 3);
  const Tensor y = calling(x + 1, 0,
                           [&] {
                             if (runs++ > 0) return;
                             inside.set();
                             EXPECT_TRUE(go_on.wait());
                             throw ValueError("broken");
                           }) *
                   2;
  std::string said;
  std::thread first([&] { said = test::message_of<ValueError>([&] { eval(y); }); });
  ASSERT_TRUE(inside.wait());
  std::atomic<bool> begun = false;
  Values seen;
  std::thread second([&] {
    begun = true;
    seen = y.to_vector<float>();
  });
  while (!begun) std::this_thread::yield();
  go_on.set();
  first.join();
  second.join();
  EXPECT_NE(said.find("broken"), std::string::npos);
  EXPECT_EQ(seen, Values(4, 8));
  EXPECT_EQ(runs, 2);
}

TEST(Flights, OnePlanRunsTwiceAtOnce) {
  // Each of three threads waits within the plan until all are there.
  constexpr int kThreads = 3;
  std::mutex mutex;
  std::condition_variable changed;
  int there = 0;
  bool met = true;
  const auto meet = [&] {
    std::unique_lock hold(mutex);
    const int round = there++ / kThreads;
    changed.notify_all();
    met &= changed.wait_for(hold, std::chrono::seconds(60),
                            [&] { return there >= (round + 1) * kThreads; });
  };
  calling(ones({1}), 0, meet);
  const Tensor scale = test::numbers({16});
  const Tensor weights = test::numbers({32, 3, 3, 16});
  eval({scale, weights});
  const auto result = [&](float value) {
    const Tensor x = record(kCall, {filled({1, 6, 6, 16}, value).node()}, {1, 6, 6, 16}, kF32,
                            CallAttributes{0}, Where::current());
    return conv2d(x, cast(weights, kF32), {}, {.padding = {1, 1}}) *
           rsqrt(sum(square(cast(scale, kF32))));
  };
  std::vector<Values> right;
  for (int t = 0; t < kThreads; ++t) {
    functions[1] = [] {};
    const Tensor x = filled({1, 6, 6, 16}, static_cast<float>(t));
    right.push_back((conv2d(calling(x, 1, [] {}), cast(weights, kF32), {}, {.padding = {1, 1}}) *
                     rsqrt(sum(square(cast(scale, kF32)))))
                        .to_vector<float>());
  }
  const int64_t plans = graph_stats().plans_built;
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const NoGrad off;
      for (int i = 0; i < 5; ++i)
        same += result(static_cast<float>(t)).to_vector<float>() == right[t];
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_TRUE(met);
  EXPECT_EQ(same, 5 * kThreads);
  EXPECT_EQ(graph_stats().plans_built, plans + 1);
}

TEST(Flights, AnOperationMayEvaluate) {
  const Tensor inner = sum(filled({5}, 2)) * 2, x = filled({4}, 1);
  const Tensor y = calling(x, 0, [&] { EXPECT_EQ(inner.item(), 20); }) + 1;
  EXPECT_EQ(y.to_vector<float>(), Values(4, 2));
  // What another thread is computing.
  LongPlan plan(x, 1);
  std::atomic<bool> begun = false;
  std::thread waits([&] {
    const Tensor z = calling(x, 2,
                             [&] {
                               begun = true;
                               EXPECT_EQ(plan.result.to_vector<float>(), Values(4, 3));
                             }) +
                     2;
    EXPECT_EQ(z.to_vector<float>(), Values(4, 3));
  });
  while (!begun) std::this_thread::yield();
  plan.end();
  waits.join();
}

TEST(Flights, TwoThatWaitForEachOtherAreAnError) {
  Signal first, second;
  Tensor a, b;
  const Tensor x = filled({4}, 1);
  a = calling(x, 0,
              [&] {
                first.set();
                EXPECT_TRUE(second.wait());
                eval(b);
              }) +
      1;
  b = calling(x, 1,
              [&] {
                second.set();
                EXPECT_TRUE(first.wait());
                eval(a);
              }) +
      2;
  std::atomic<int> threw = 0;
  const auto run = [&](const Tensor& t) {
    try {
      eval(t);
    } catch (const Error& e) {
      threw += std::string(e.what()).find("evaluated within an operation") != std::string::npos;
    }
  };
  std::thread one([&] { run(a); }), two([&] { run(b); });
  one.join();
  two.join();
  EXPECT_EQ(threw, 2);
  // And one alone.
  functions[0] = [&] { eval(a); };
  run(a);
  EXPECT_EQ(threw, 3);
  functions[0] = functions[1] = [] {};
  EXPECT_EQ(a.to_vector<float>(), Values(4, 2));
  EXPECT_EQ(b.to_vector<float>(), Values(4, 3));
}

TEST(Flights, WorkersOfAPipelineComputeWhileAPlanRuns) {
  auto samples = data::from_tensors(arange(40)).named({"n"}).map([](data::Sample s) {
    s.set("n", s["n"] * 2 + sum(randn({16})).item() * 0);
    return s;
  });
  auto ahead = samples.batch(2).prefetch(4, 2);
  LongPlan plan(filled({8}, 1));
  int64_t taken = 0;
  for (const data::Sample& s : ahead) {
    EXPECT_EQ(s["n"].to_vector<double>()[1], static_cast<double>(4 * taken + 2));
    ++taken;
  }
  EXPECT_EQ(taken, 20);
}

// ---- Same bits ----

struct Model {
  nn::Sequential net;
  ParameterList parameters;
  optim::Adam optimizer;
  explicit Model(int64_t seed)
      : net((manual_seed(seed), nn::Sequential{nn::Linear(24, 48), relu, nn::Linear(48, 5)})),
        parameters(net.parameters()),
        optimizer(parameters, {.lr = 0.01}) {}
  Values train(int steps) {
    Values losses;
    for (int i = 0; i < steps; ++i) {
      const Tensor x = cast(test::numbers({32, 24}, i), kF32);
      const Tensor loss = cross_entropy(net(x), remainder(arange(32), 5));
      optimizer.step(gradients(loss, parameters));
      losses.push_back(static_cast<float>(loss.item()));
      if (i % 10 == 9) optimizer.step(gradients(sum(square(net(x))), parameters));
    }
    for (const Tensor& t : parameters.tensors()) {
      const Values v = t.to_vector<float>();
      losses.insert(losses.end(), v.begin(), v.end());
    }
    return losses;
  }
};

TEST(Flights, TwoThreadsTrainTwoModelsToTheSameBits) {
  const int before = num_threads();
  std::vector<Values> right;
  for (int64_t seed : {1, 2}) right.push_back(Model(seed).train(60));
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    std::vector<Values> found(2);
    std::vector<std::thread> both;
    for (int t = 0; t < 2; ++t) both.emplace_back([&, t] { found[t] = Model(t + 1).train(60); });
    for (std::thread& t : both) t.join();
    EXPECT_TRUE(found == right) << threads << " threads";
  }
  set_num_threads(before);
}

TEST(Flights, EightThreadsInferWithOneModel) {
  const NoGrad off;
  manual_seed(3);
  nn::Sequential net{nn::Conv2d(3, 8, {.kernel = 3, .padding = 1}), nn::BatchNorm2d(8), relu,
                     nn::Flatten(), nn::Linear(8 * 36, 5)};
  net.eval();
  const auto input = [](int i) { return cast(test::numbers({1, 6, 6, 3}, i), kF32); };
  std::vector<Values> right;
  for (int i = 0; i < 8; ++i) right.push_back(net(input(i)).to_vector<float>());
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const NoGrad off_here;
      for (int i = 0; i < 100; ++i) {
        const int which = (t + i) % 8;
        same += net(input(which)).to_vector<float>() == right[which];
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(same, 800);
}

// ---- Everything at once ----

TEST(Flights, ManyThreadsShareAParameterThatIsTrained) {
  constexpr int kRounds = 4000;
  const int before = num_threads();
  set_num_threads(3);
  Parameter w = filled({64, 32}, 0);
  ParameterList list;
  list.push_back(w);
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0, threw = 0;
  std::vector<std::thread> others;
  const auto repeat = [&](std::function<void(int)> f) {
    others.emplace_back([&, f = std::move(f)] {
      for (int i = 0; !done; ++i) {
        try {
          f(i);
        } catch (const std::exception&) {
          ++threw;
        }
      }
    });
  };
  repeat([&](int) {  // reads, and holds old values
    const NoGrad off;
    std::vector<Tensor> held;
    for (int k = 0; k < 5; ++k) {
      held.push_back(w);
      held.push_back(matmul(w, ones({32, 4})) + static_cast<float>(k));
    }
    for (const Tensor& t : held) torn += !is_whole(t.to_vector<float>());
  });
  repeat([&](int i) {  // gradients of its own
    const Tensor here = w;
    const Tensor loss = sum(square(matmul(here, ones({32, 4})) * 0.5));
    const Tensor g = gradients(loss, {here})[0];
    if (i % 3 == 0) return;  // recorded and destroyed
    torn += !is_whole(g.to_vector<float>());
    if (i % 3 == 1) loss.item();
  });
  repeat([&](int i) {  // a plan that throws, with values that others read
    const NoGrad off;
    const Tensor y = w * 2;
    const Tensor broken = index(arange(3), {arange(2) + 2}) + sum(y);
    bool thrown = false;
    try {
      eval({y, broken});
    } catch (const ValueError&) {
      thrown = true;
    }
    torn += !thrown || !is_whole(y.to_vector<float>());
    if (i % 16 == 0) trim();
  });
  Tensor shared = filled({16}, 1);  // recorded by one thread, computed by whoever is first
  std::mutex mutex;
  for (int k = 0; k < 2; ++k) {
    repeat([&](int) {
      Tensor mine;
      {
        std::lock_guard hold(mutex);
        shared = (shared + 1) * 1;
        mine = shared;
      }
      torn += !is_whole((mine * 2).to_vector<float>());
    });
  }
  optim::SGD optimizer(list, {.lr = 1});
  const Tensor g = filled({64, 32}, -1);
  for (int i = 0; i < kRounds; ++i) {
    optimizer.step({g});
    optimizer.step(gradients(-sum(w), optimizer.parameters()));
  }
  done = true;
  for (std::thread& t : others) t.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(threw, 0);
  EXPECT_EQ(w.tensor().to_vector<float>(), Values(64 * 32, 2 * kRounds));
  set_num_threads(before);
}

TEST(Flights, AProfileBeginsAndEndsWhileThreadsCompute) {
  std::atomic<bool> done = false;
  std::atomic<int> begun = 0;
  std::vector<std::thread> others;
  for (int t = 0; t < 2; ++t) {
    others.emplace_back([&, t] {
      for (++begun; !done;) sum(exp(filled({64, 64 + t}, 1))).item();
    });
  }
  while (begun < 2) std::this_thread::yield();
  for (int i = 0; i < 300; ++i) {
    profile_start({.gb_per_s = 10, .gflop_per_s = 10, .bf16_gflop_per_s = 10});
    const double value = sum(filled({100}, 1) * 2).item();
    const Profile p = profile_stop();
    EXPECT_EQ(value, 200);
    EXPECT_GE(p.boundaries, 1);
    EXPECT_GE(p.plans_made + static_cast<int64_t>(p.rows.size()), 1);
  }
  done = true;
  for (std::thread& t : others) t.join();
}

// ---- Cores ----

TEST(Cores, ThreadsShareThem) {
  const int before = num_threads();
  set_num_threads(4);
  {
    const ThreadLimit two(2);
    EXPECT_EQ(num_threads(), 2);
    {
      const ThreadLimit more(3);
      EXPECT_EQ(num_threads(), 2);
    }
    std::thread([] { EXPECT_EQ(num_threads(), 4); }).join();
  }
  EXPECT_EQ(num_threads(), 4);
  EXPECT_THROW(ThreadLimit(0), Error);
  // Three callers at once: never more than the four cores and a caller's own.
  std::atomic<int> now = 0, most = 0;
  std::atomic<int64_t> items = 0;
  const auto call = [&] {
    for (int i = 0; i < 200; ++i) {
      parallel_for(64, [&](int64_t) {
        const int here = ++now;
        int seen = most;
        while (seen < here && !most.compare_exchange_weak(seen, here)) {
        }
        ++items;
        --now;
      });
    }
  };
  std::thread a(call), b(call), c(call);
  for (std::thread* t : {&a, &b, &c}) t->join();
  EXPECT_EQ(items, 3 * 200 * 64);
  EXPECT_LE(most, 6);
  set_num_threads(before);
}

}  // namespace
}  // namespace glia
