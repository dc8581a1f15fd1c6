#include "runtime/threads.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "glia/error.h"
#include "glia/runtime.h"
#include "runtime/profiler.h"
#include "runtime/settings.h"

namespace glia {
namespace {

// How often an idle worker looks for work before it sleeps: some 50 us.
constexpr int kSpins = 2000;

int initial_threads() {
  if (const auto n = whole_setting("GLIA_NUM_THREADS", 1, kMostThreads))
    return static_cast<int>(*n);
  // OpenMP's own may hold a list, the first number of which counts; OpenMP speaks of nonsense in
  // it.
  int64_t n = 0;
  if (const char* text = setting("OMP_NUM_THREADS")) n = std::strtol(text, nullptr, 10);
  cpu_set_t allowed;
  if (n < 1 && sched_getaffinity(0, sizeof allowed, &allowed) == 0) n = CPU_COUNT(&allowed);
  if (n < 1) n = std::thread::hardware_concurrency();
  return static_cast<int>(std::clamp<int64_t>(n, 1, kMostThreads));
}

std::atomic<int>& threads() {
  static std::atomic<int> n{initial_threads()};
  return n;
}

thread_local bool in_parallel = false;
thread_local int64_t jobs = 0;  // that this thread has given to a pool
thread_local int most = kMostThreads;
thread_local int times_counted = 0;  // among those that compute

// Threads that compute, and workers that help them.
std::atomic<int> busy{0};

// Cores that nobody uses, for the workers of one call.
class Helpers {
 public:
  explicit Helpers(int wanted) {
    int now = busy.load(std::memory_order_relaxed);
    do {
      count = std::clamp(threads().load(std::memory_order_relaxed) - now, 0, wanted);
    } while (count > 0 && !busy.compare_exchange_weak(now, now + count, std::memory_order_relaxed));
  }
  ~Helpers() {
    if (count > 0) busy.fetch_sub(count, std::memory_order_relaxed);
  }
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  int count = 0;
};

// Workers wait for a ticket of a new round, spinning for a moment before they sleep. The caller
// does whatever they have not taken, and waits only for what they have. A line of cache takes 100
// ns and more from one core to another: all that a worker must know to begin lies in the line that
// it looks at, and it answers in one other. The caller takes items from the front and workers from
// the back, so that what one core has written in a round is there in the next, where items often
// follow it.
class Pool {
 public:
  // False if another thread is using this pool.
  bool run(void (*body)(void*, int64_t), void* context, int64_t count, int helpers) {
    std::unique_lock use(in_use_, std::try_to_lock);
    if (!use) return false;
    while (static_cast<int>(workers_.size()) < helpers) start_worker();
    ++jobs;
    const Job job(body, context, count);
    body_.store(body, std::memory_order_relaxed);
    context_.store(context, std::memory_order_relaxed);
    count_.store(count, std::memory_order_relaxed);
    helpers_.store(helpers, std::memory_order_relaxed);
    site_.store(profiler::current_site(), std::memory_order_relaxed);
    // The first unit is the caller's.
    const auto units = static_cast<int>((count - 1) / job.unit + 1);
    Ticket ticket{ticket_.load(std::memory_order_relaxed).round + 1, 1, uint16_t(units - 1)};
    const uint32_t round = ticket.round;
    ticket_.store(ticket, std::memory_order_release);
    // Not in order with that: a worker that falls asleep just now misses this round.
    if (sleepers_.load(std::memory_order_relaxed) > 0) {
      alarms_.fetch_add(1);
      alarms_.notify_all();
    }
    int mine = 0;
    for (int i = 0; i >= 0; i = take_first(round, &ticket), ++mine) do_unit(job, i);
    taken_ += units - mine;
    while (done_.load(std::memory_order_acquire) != taken_) _mm_pause();
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(thrown_, nullptr));
    return true;
  }

 private:
  static constexpr int64_t kMaxUnits = UINT16_MAX;

  struct Job {
    void (*body)(void*, int64_t);
    void* context;
    int64_t count;
    int64_t unit;  // items that are taken together
    Job(void (*body)(void*, int64_t), void* context, int64_t count)
        : body(body), context(context), count(count), unit((count - 1) / kMaxUnits + 1) {}
  };
  // The round, and the units of its items that nobody has taken yet. As long as there is one, what
  // the pool says of the job is about that round.
  struct Ticket {
    uint32_t round;
    uint16_t first, left;
  };

  // The next unit of that round, or -1.
  int take_first(uint32_t round, Ticket* seen) {
    while (seen->round == round && seen->left > 0) {
      const Ticket next{round, uint16_t(seen->first + 1), uint16_t(seen->left - 1)};
      if (change(seen, next)) return next.first - 1;
    }
    return -1;
  }
  int take_last(uint32_t round, Ticket* seen) {
    while (seen->round == round && seen->left > 0) {
      const Ticket next{round, seen->first, uint16_t(seen->left - 1)};
      if (change(seen, next)) return next.first + next.left;
    }
    return -1;
  }
  // Leaves in `seen` what the ticket is then.
  bool change(Ticket* seen, Ticket next) {
    if (!ticket_.compare_exchange_strong(*seen, next, std::memory_order_acq_rel,
                                         std::memory_order_acquire))
      return false;
    *seen = next;
    return true;
  }

  void do_unit(const Job& job, int i) {
    in_parallel = true;
    try {
      const int64_t end = std::min(job.count, (i + 1) * job.unit);
      for (int64_t item = i * job.unit; item < end; ++item) job.body(job.context, item);
    } catch (...) {
      if (!failed_.exchange(true)) thrown_ = std::current_exception();
    }
    in_parallel = false;
  }

  void start_worker() {
    static std::atomic<int> started{0};
    const int index = static_cast<int>(workers_.size());
    workers_.emplace_back([this, index, number = started.fetch_add(1),
                           round = ticket_.load().round] { serve(index, number, round); });
    workers_.back().detach();
  }

  // The worker's place among those of the pool, and its number among all.
  void serve(int index, int number, uint32_t round) {
    for (;;) {
      Ticket ticket = wait_for_other_than(round);
      round = ticket.round;
      const Job job(body_.load(std::memory_order_relaxed), context_.load(std::memory_order_relaxed),
                    count_.load(std::memory_order_relaxed));
      if (index >= helpers_.load(std::memory_order_relaxed)) continue;
      int i = take_last(round, &ticket);
      if (i < 0) continue;
      int64_t taken = 0;
      {
        const profiler::WorkerSpan span(number, site_.load(std::memory_order_relaxed));
        for (; i >= 0; i = take_last(round, &ticket), ++taken) do_unit(job, i);
      }
      done_.fetch_add(taken, std::memory_order_release);
    }
  }

  Ticket wait_for_other_than(uint32_t round) {
    Ticket ticket;
    for (int spins = 0; (ticket = ticket_.load(std::memory_order_acquire)).round == round;) {
      if (++spins < kSpins) {
        _mm_pause();
        continue;
      }
      sleepers_.fetch_add(1);
      const uint32_t alarm = alarms_.load();
      if (ticket_.load().round == round) alarms_.wait(alarm);
      sleepers_.fetch_sub(1);
    }
    return ticket;
  }

  static constexpr size_t kLine = 64;

  alignas(kLine) std::atomic<Ticket> ticket_{Ticket{0, 0, 0}};
  std::atomic<void (*)(void*, int64_t)> body_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<int64_t> count_{0};
  std::atomic<int> helpers_{0};
  std::atomic<int> site_{-1};  // of the plan's step that it is for

  alignas(kLine) std::atomic<int64_t> done_{0};  // units that workers have finished, of all rounds

  alignas(kLine) int64_t taken_ = 0;  // units that workers have taken
  std::atomic<int> sleepers_{0};
  std::atomic<uint32_t> alarms_{0};  // what sleepers wait for
  std::mutex in_use_;
  std::vector<std::thread> workers_;
  std::atomic<bool> failed_{false};
  std::exception_ptr thrown_ = nullptr;
};

// One for each caller of a moment that has helpers; their threads end with the process.
constexpr int kMostPools = 64;
std::atomic<Pool*> pools[kMostPools];
std::mutex new_pool;

bool share(void (*body)(void*, int64_t), void* context, int64_t count, int helpers) {
  for (std::atomic<Pool*>& place : pools) {
    Pool* pool = place.load(std::memory_order_acquire);
    if (!pool) {
      std::lock_guard hold(new_pool);
      pool = place.load(std::memory_order_relaxed);
      if (!pool) place.store(pool = new Pool, std::memory_order_release);
    }
    if (pool->run(body, context, count, helpers)) return true;
  }
  return false;
}

}  // namespace

int num_threads() { return std::min(threads().load(std::memory_order_relaxed), most); }

void set_num_threads(int n) {
  if (n < 1 || n > kMostThreads)
    throw Error("set_num_threads: " + std::to_string(n) + " is not from 1 to " +
                std::to_string(kMostThreads));
  threads().store(n);
}

ThreadLimit::ThreadLimit(int threads) : before_(most) {
  if (threads < 1) throw Error("ThreadLimit: " + std::to_string(threads) + " is not 1 or more");
  most = std::min(most, threads);
}
ThreadLimit::~ThreadLimit() { most = before_; }

void parallel_for(int64_t count, void (*body)(void*, int64_t), void* context) {
  const auto team = std::min<int64_t>(num_threads(), count);
  if (team > 1 && !in_parallel) {
    const Core mine;
    const Helpers helpers(static_cast<int>(team) - 1);
    if (helpers.count > 0 && share(body, context, count, helpers.count)) return;
  }
  for (int64_t i = 0; i < count; ++i) body(context, i);
}

Core::Core() {
  if (times_counted++ == 0) busy.fetch_add(1, std::memory_order_relaxed);
}
Core::~Core() {
  if (--times_counted == 0) busy.fetch_sub(1, std::memory_order_relaxed);
}

int64_t jobs_shared() { return jobs; }

void renew_pools() {
  for (std::atomic<Pool*>& place : pools) place = nullptr;
  ::new (&new_pool) std::mutex;
  busy = times_counted > 0 ? 1 : 0;
}

Alone::Alone(bool alone) : before_(in_parallel) { in_parallel = in_parallel || alone; }
Alone::~Alone() { in_parallel = before_; }

}  // namespace glia
