#include "runtime/threads.h"

#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <exception>

#include "glia/error.h"
#include "glia/runtime.h"

namespace glia {
namespace {

int initial_threads() {
  for (const char* name : {"GLIA_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (const char* text = std::getenv(name)) {
      const int n = std::atoi(text);
      if (n > 0) return n;
    }
  }
  return omp_get_num_procs();
}

std::atomic<int>& threads() {
  static std::atomic<int> n{initial_threads()};
  return n;
}

}  // namespace

int num_threads() { return threads().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  if (n < 1) throw Error("set_num_threads: " + std::to_string(n) + " is less than 1");
  threads().store(n);
}

void parallel_for(int64_t count, void (*body)(void*, int64_t), void* context) {
  const int team = static_cast<int>(std::min<int64_t>(num_threads(), count));
  if (team <= 1 || omp_in_parallel()) {
    for (int64_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  std::exception_ptr thrown;
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team)
  {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        body(context, i);
      } catch (...) {
#pragma omp critical
        if (!thrown) thrown = std::current_exception();
      }
    }
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace glia
