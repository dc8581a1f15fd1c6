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

struct Biases {
  std::mutex mutex;
  std::vector<Bias*> all, spare;  // spare: of threads that have ended
  std::mutex ending;              // one at a time
};
Biases& biases() {
  static auto* b = new Biases;  // outlives tensors of static storage
  return *b;
}

// When its thread ends, the counts that it made have no thread of their own any more.
struct CleanUp {
  ~CleanUp() {
    std::lock_guard hold(biases().mutex);
    biases().spare.push_back(std::exchange(own_bias, nullptr));
  }
};

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

void hold_biases(bool on) {
  auto& [mutex, all, spare, ending] = biases();
  if (on) {
    ending.lock();
    mutex.lock();
  } else {
    mutex.unlock();
    ending.unlock();
  }
}

void end_other_biases() {
  membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  for (Bias* bias : biases().all) {
    if (bias == own_bias) continue;
    bias->state = Bias::kEnded;
    bias->busy = false;
  }
}

constinit thread_local Bias* own_bias = nullptr;

Bias* make_own_bias() {
  static const bool possible = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  static thread_local CleanUp at_thread_end;
  (void)at_thread_end;
  std::lock_guard hold(biases().mutex);
  auto& [mutex, all, spare, ending] = biases();
  if (spare.empty()) {
    own_bias = new Bias;
    if (!possible) own_bias->state = Bias::kEnded;
    all.push_back(own_bias);
  } else {
    own_bias = spare.back();
    spare.pop_back();
  }
  return own_bias;
}

void end_bias(Bias* bias) {
  std::lock_guard hold(biases().ending);
  if (bias->state.load() == Bias::kEnded) return;
  bias->state.store(Bias::kEnding);
  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  while (bias->busy.load(std::memory_order_acquire)) sched_yield();
  bias->state.store(Bias::kEnded, std::memory_order_release);
}

}  // namespace glia
