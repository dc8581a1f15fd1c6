// Several threads of a program, and processes that it forks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

Tensor filled(const Shape& shape, float value) {
  return from_vector(std::vector<float>(static_cast<size_t>(shape.numel()), value), shape);
}

// All values are equal, so that a mixture of two steps is seen.
bool is_whole(const std::vector<float>& values) {
  return std::ranges::all_of(values, [&](float v) { return v == values[0]; });
}

// A model whose weights are all equal and grow by one in every step, read by other threads.
void read_while(const std::function<void(Parameter&, optim::Optimizer&)>& change) {
  Parameter w = filled({32, 8}, 0);
  ParameterList list;
  list.push_back(w);
  optim::SGD optimizer(list, {.lr = 1});
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0, backwards = 0, threw = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      const NoGrad off;
      const Tensor x = filled({4, 8}, 1);
      float last = 0;
      while (!done) {
        try {
          const std::vector<float> seen =
              t == 0 ? w.tensor().to_vector<float>() : linear(x, w).to_vector<float>();
          torn += !is_whole(seen);
          backwards += seen[0] < last;
          last = seen[0];
          if (t == 2) {
            const Tensor held = w;
            torn += !is_whole(held.to_vector<float>());
          }
        } catch (const Error&) {
          ++threw;
        }
      }
    });
  }
  for (int i = 0; i < 3000; ++i) change(w, optimizer);
  done = true;
  for (std::thread& t : readers) t.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(backwards, 0);
  EXPECT_EQ(threw, 0);
  EXPECT_EQ(w.tensor().to_vector<float>(), std::vector<float>(256, 3000));
}

TEST(Threads, AReaderSeesTheOldOrTheNewValueOfAStepInPlace) {
  const Tensor g = filled({32, 8}, -1);
  read_while([&](Parameter&, optim::Optimizer& optimizer) { optimizer.step({g}); });
}
TEST(Threads, AReaderSeesTheOldOrTheNewValueOfAStepOnAGraph) {
  read_while([&](Parameter& w, optim::Optimizer& optimizer) {
    optimizer.step(gradients(-sum(w), optimizer.parameters()));
  });
}
TEST(Threads, AReaderSeesTheOldOrTheNewValueThatIsSet) {
  read_while([&](Parameter& w, optim::Optimizer&) {
    const NoGrad off;
    w.set(w + 1);
  });
}
TEST(Threads, AReaderSeesTheOldOrTheNewValueThatIsMadeElsewhere) {
  float next = 0;
  read_while([&](Parameter& w, optim::Optimizer&) { w = filled({32, 8}, ++next); });
}

// Two threads that step over the same variables in another order.
TEST(Threads, StepsOverSharedVariablesDoNotWaitForEachOther) {
  Parameter a = filled({100}, 0), b = filled({50}, 0);
  const auto run = [](const Variable& first, const Variable& second) {
    ParameterList list;
    list.push_back(first);
    list.push_back(second);
    optim::SGD optimizer(list, {.lr = 1, .momentum = 0.5});
    const std::vector<Tensor> g{filled(first.shape(), -1), filled(second.shape(), -1)};
    for (int i = 0; i < 2000; ++i) optimizer.step(g);
  };
  std::thread one([&] { run(a, b); }), two([&] { run(b, a); });
  one.join();
  two.join();
  EXPECT_TRUE(is_whole(a.tensor().to_vector<float>()));
  EXPECT_TRUE(is_whole(b.tensor().to_vector<float>()));
}

TEST(Threads, WithoutASeedEachDrawsNumbersOfItsOwn) {
  std::set<std::vector<float>> drawn{rand({4}).to_vector<float>()};
  for (int t = 0; t < 4; ++t)
    std::thread([&] { drawn.insert(rand({4}).to_vector<float>()); }).join();
  EXPECT_EQ(drawn.size(), 5u);
  std::vector<float> a, b;
  const auto seeded = [](std::vector<float>* out) {
    manual_seed(7);
    *out = rand({4}).to_vector<float>();
  };
  std::thread(seeded, &a).join();
  std::thread(seeded, &b).join();
  EXPECT_EQ(a, b);
}

// ---- fork ----

// What a child process that runs f ends with; 124: it had to be ended after a minute.
int status_of_child(const std::function<bool()>& f) {
  const pid_t child = fork();
  if (child == 0) {
    bool right = false;
    try {
      right = f();
    } catch (...) {
    }
    _exit(right ? 0 : 1);
  }
  for (int i = 0; i < 6000; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return 124;
}

Tensor work() {
  const Tensor a = test::numbers({300, 300});
  return sum(exp(matmul(a, a) * 0.01) + sin(a), {0});
}

TEST(Fork, AChildComputesAfterThreadsWereUsed) {
  const int before = num_threads();
  set_num_threads(4);
  const std::vector<double> right = work().to_vector<double>();
  const Tensor computed = work(), pending = work();
  eval(computed);
  const auto same = [&](const Tensor& t) { return t.to_vector<double>() == right; };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(status_of_child([&] {
                const bool first = same(work()) && same(computed) && same(pending);
                // And a grandchild.
                return first && status_of_child([&] { return same(work()); }) == 0;
              }),
              0);
    EXPECT_TRUE(same(work()));
  }
  set_num_threads(before);
}

// Other threads compute, free and step at the moment of the fork.
TEST(Fork, AChildComputesWhateverOtherThreadsDoMeanwhile) {
  const int before = num_threads();
  set_num_threads(3);
  Parameter w = filled({64, 64}, 0);
  ParameterList list;
  list.push_back(w);
  std::atomic<bool> done = false;
  std::vector<std::thread> others;
  others.emplace_back([&] {
    optim::SGD optimizer(list, {.lr = 1});
    const Tensor g = filled({64, 64}, -1);
    while (!done) optimizer.step({g});
  });
  others.emplace_back([&] {
    const NoGrad off;
    while (!done) matmul(w, w).to_vector<float>();
  });
  others.emplace_back([&] {
    while (!done) work().to_vector<double>();
  });
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(status_of_child([&] {
                const bool whole = is_whole(w.tensor().to_vector<float>());
                w = filled({64, 64}, 2);
                return whole && matmul(w, w).to_vector<float>()[0] == 256 &&
                       work().to_vector<double>().size() == 300;
              }),
              0);
  }
  done = true;
  for (std::thread& t : others) t.join();
  set_num_threads(before);
}

}  // namespace
}  // namespace glia
