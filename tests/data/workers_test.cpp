// Several workers: the same samples in the same order, faults in their place, forks.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "glia/data.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::data {
namespace {

using Numbers = std::vector<int64_t>;

Numbers all_of(Samples samples, State from = {}) {
  samples.set_state(from);
  Numbers out;
  for (const Sample& s : samples)
    for (const int64_t n : s["n"].to_vector<int64_t>()) out.push_back(n);
  return out;
}

// With every kind of chance: orders, numbers on the host, random tensors.
Samples random_samples() {
  return from_tensors(arange(200))
      .named({"n"})
      .shuffle(1)
      .augment(2,
               [](Random& random, Sample s) {
                 if (random.below(4) == 0)
                   std::this_thread::sleep_for(std::chrono::microseconds(300));
                 s.set("n", s["n"] * 1000 + random.below(1000));
                 return s;
               })
      .batch(3)
      .map([](Sample s) {
        s.set("n", s["n"] * 1000 + randint(0, 1000, {s["n"].size(0)}));
        return s;
      });
}

TEST(Workers, AnyNumberGivesTheSame) {
  manual_seed(1);
  for (const State from : {State{0, 0}, State{3, 40}}) {
    const Numbers want = all_of(random_samples(), from);
    for (const int64_t ahead : {1, 3, 16})
      for (const int64_t workers : {1, 2, 7})
        EXPECT_EQ(all_of(random_samples().prefetch(ahead, workers), from), want)
            << workers << " workers, " << ahead << " ahead";
  }
  EXPECT_THROW(random_samples().prefetch(2, 0), Error);
  EXPECT_THROW(random_samples().prefetch(2, -1), Error);
  EXPECT_THROW(random_samples().prefetch(2, INT64_MAX), Error);
}

TEST(Workers, WorkAtTheSameTime) {
  // Each of three waits until all are there.
  std::mutex mutex;
  std::condition_variable changed;
  int there = 0;
  const auto meet = [&](Sample s) {
    std::unique_lock hold(mutex);
    ++there;
    changed.notify_all();
    EXPECT_TRUE(changed.wait_for(hold, std::chrono::seconds(20), [&] { return there >= 3; }));
    return s;
  };
  EXPECT_EQ(all_of(from_tensors(arange(3)).named({"n"}).map(meet).prefetch(3, 3)),
            (Numbers{0, 1, 2}));
}

TEST(Workers, FaultsComeInTheirPlace) {
  for (const int64_t workers : {1, 2, 5}) {
    Samples s = from_tensors(arange(50)).named({"n"}).map([](Sample one) {
      if (one["n"].item<int64_t>() >= 23) throw ValueError("broken");
      return one;
    });
    s = s.prefetch(8, workers);
    int taken = 0;
    try {
      for (const Sample& one : s) EXPECT_EQ(one["n"].item<int64_t>(), taken++);
      FAIL() << "nothing was thrown";
    } catch (const ValueError& e) {
      EXPECT_STREQ(e.what(), "broken (epoch 0, position 23)");
    }
    EXPECT_EQ(taken, 23);
    EXPECT_EQ(s.state(), (State{0, 23}));
  }
  // What is not Glia's own comes as it is.
  auto strange = from_tensors(arange(3)).named({"n"}).map([](Sample) -> Sample { throw 42; });
  EXPECT_THROW(all_of(strange.prefetch(2, 2)), int);
}

TEST(Workers, ComputeWhatTheyPrepare) {
  auto s = from_tensors(arange(8))
               .named({"n"})
               .map([](Sample one) {
                 one.set("n", one["n"] / 0.0 > 1);
                 one.set("m", index(arange(3), {arange(2) + 2}));  // out of range when computed
                 return one;
               })
               .prefetch(2, 2);
  EXPECT_THROW(all_of(s), ValueError);
}

TEST(Workers, ChildProcessesHavePassesOfTheirOwn) {
  Samples samples = random_samples().prefetch(4, 3);
  const Numbers want = all_of(random_samples());
  for (int i = 0; i < 20; ++i) {
    auto begun = samples.pass();
    Sample first;
    ASSERT_TRUE(begun.next(first));
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      int status = 0;
      try {
        Sample more;
        begun.next(more);
        status |= 1;  // it should have failed
      } catch (const Error& e) {
        if (std::string(e.what()).find("fork") == std::string::npos) status |= 2;
      }
      if (all_of(samples) != want) status |= 4;
      { const auto ended = std::move(begun); }
      _exit(status);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    samples.set_state({});
  }
}

}  // namespace
}  // namespace glia::data
