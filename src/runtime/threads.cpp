#include "runtime/threads.h"

#include <immintrin.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "glia/error.h"
#include "glia/runtime.h"
#include "runtime/profiler.h"

namespace glia {
namespace {

// How often an idle worker looks for work before it sleeps: some 50 us.
constexpr int kSpins = 2000;

int initial_threads() {
  for (const char* name : {"GLIA_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (const char* text = std::getenv(name)) {
      const int n = std::atoi(text);
      if (n > 0) return n;
    }
  }
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::atomic<int>& threads() {
  static std::atomic<int> n{initial_threads()};
  return n;
}

thread_local bool in_parallel = false;
thread_local int64_t jobs = 0;  // that this thread has given to the pool

struct Job {
  void (*body)(void*, int64_t);
  void* context;
  int64_t count;
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr thrown = nullptr;

  // Takes items until none are left.
  void work() {
    in_parallel = true;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        body(context, i);
      } catch (...) {
        if (!failed.exchange(true)) thrown = std::current_exception();
      }
    }
    in_parallel = false;
  }
};

// Workers wait for the round to change, spinning for a moment before they sleep. The caller does
// whatever they have not taken, and waits only for those that are at work.
class Pool {
 public:
  // False if another thread is using the pool.
  bool run(Job* job, int helpers) {
    std::unique_lock use(in_use_, std::try_to_lock);
    if (!use) return false;
    while (static_cast<int>(workers_.size()) < helpers) start_worker();
    ++jobs;
    wanted_.store(helpers, std::memory_order_relaxed);
    job_.store(job, std::memory_order_release);
    round_.fetch_add(1, std::memory_order_release);
    if (sleepers_.load() > 0) round_.notify_all();
    job->work();
    job_.store(nullptr);
    while (inside_.load() > 0) _mm_pause();
    return true;
  }

 private:
  void start_worker() {
    const int index = static_cast<int>(workers_.size());
    workers_.emplace_back([this, index, seen = round_.load()] { serve(index, seen); });
    workers_.back().detach();
  }

  void serve(int index, uint32_t seen) {
    for (;;) {
      int spins = 0;
      uint32_t now;
      while ((now = round_.load(std::memory_order_acquire)) == seen) {
        if (++spins < kSpins) {
          _mm_pause();
        } else {
          sleepers_.fetch_add(1);
          round_.wait(seen);
          sleepers_.fetch_sub(1);
        }
      }
      seen = now;
      if (index >= wanted_.load(std::memory_order_relaxed)) continue;
      inside_.fetch_add(1);
      if (Job* job = job_.load()) {
        const profiler::WorkerSpan span(index);
        job->work();
      }
      inside_.fetch_sub(1);
    }
  }

  std::mutex in_use_;
  std::vector<std::thread> workers_;
  std::atomic<uint32_t> round_{0};
  std::atomic<Job*> job_{nullptr};
  std::atomic<int> wanted_{0}, inside_{0}, sleepers_{0};
};

Pool& pool() {
  static auto* p = new Pool;  // its threads end with the process
  return *p;
}

}  // namespace

int num_threads() { return threads().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  if (n < 1) throw Error("set_num_threads: " + std::to_string(n) + " is less than 1");
  threads().store(n);
}

void parallel_for(int64_t count, void (*body)(void*, int64_t), void* context) {
  const auto team = std::min<int64_t>(num_threads(), count);
  Job job{body, context, count};
  if (team <= 1 || in_parallel || !pool().run(&job, static_cast<int>(team) - 1)) {
    for (int64_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  if (job.thrown) std::rethrow_exception(job.thrown);
}

int64_t jobs_shared() { return jobs; }

Alone::Alone(bool alone) : before_(in_parallel) { in_parallel = in_parallel || alone; }
Alone::~Alone() { in_parallel = before_; }

}  // namespace glia
