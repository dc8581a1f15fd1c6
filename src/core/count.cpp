#include "core/count.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <utility>
#include <vector>

namespace glia {
namespace {

// Of threads that have ended.
struct Spare {
  std::mutex mutex;
  std::vector<Bias*> biases;
};
Spare& spare() {
  static auto* s = new Spare;  // outlives tensors of static storage
  return *s;
}

// When its thread ends, the counts that it made have no thread of their own any more.
struct CleanUp {
  ~CleanUp() {
    std::lock_guard hold(spare().mutex);
    spare().biases.push_back(std::exchange(own_bias, nullptr));
  }
};

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

constinit thread_local Bias* own_bias = nullptr;

Bias* make_own_bias() {
  static const bool possible = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  static thread_local CleanUp at_thread_end;
  (void)at_thread_end;
  std::lock_guard hold(spare().mutex);
  std::vector<Bias*>& biases = spare().biases;
  if (biases.empty()) {
    own_bias = new Bias;
    if (!possible) own_bias->state = Bias::kEnded;
  } else {
    own_bias = biases.back();
    biases.pop_back();
  }
  return own_bias;
}

void end_bias(Bias* bias) {
  static std::mutex one_at_a_time;
  std::lock_guard hold(one_at_a_time);
  if (bias->state.load() == Bias::kEnded) return;
  bias->state.store(Bias::kEnding);
  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  while (bias->busy.load(std::memory_order_acquire)) sched_yield();
  bias->state.store(Bias::kEnded, std::memory_order_release);
}

}  // namespace glia
