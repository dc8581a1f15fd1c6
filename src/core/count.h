// A reference count that the thread which made it changes without locked instructions.
//
// Almost every node is only ever touched by the thread that recorded it, and locked instructions
// would be half of what recording costs. So a thread's counts are biased towards it: it changes
// them by plain loads and stores, and says in Bias::busy that it does. The first other thread that
// changes one of them ends the bias for good: it announces that, makes sure by membarrier(2) that
// the owner has seen it, and waits until no plain change is under way. From then on every thread
// uses locked instructions. (Choi, Shull and Torrellas, "Biased reference counting", 2018, bias
// single objects; a bias for each thread needs no second count and no queues.)
#pragma once

#include <atomic>
#include <cstdint>

namespace glia {

// One for each thread that makes counts; when it ends, the next new thread takes it over.
struct Bias {
  enum State : uint8_t { kHeld, kEnding, kEnded };
  std::atomic<State> state{kHeld};
  std::atomic<bool> busy{false};
};

// This thread's, null before it has made a count.
extern constinit thread_local Bias* own_bias;
Bias* make_own_bias();
// Called by another thread than its own; costs some microseconds, once.
void end_bias(Bias* bias);

// Around a fork(): keeps other threads from beginning and ending biases, and, in the child, ends
// those of threads that are not there.
void hold_biases(bool on);
void end_other_biases();

class Count {
 public:
  explicit Count(uint64_t value) : value_(value), bias_(own_bias ? own_bias : make_own_bias()) {}

  uint64_t value() const { return value_.load(std::memory_order_acquire); }

  // Adds `by`, modulo 2^64, and returns the value before.
  uint64_t add(uint64_t by) {
    if (const Plain plain(bias_); plain.allowed()) {
      const uint64_t before = value_.load(std::memory_order_relaxed);
      value_.store(before + by, std::memory_order_release);
      return before;
    }
    return value_.fetch_add(by, std::memory_order_acq_rel);
  }

  // The same unless the low half is 0; the value before tells.
  uint64_t add_unless_dead(uint64_t by) {
    uint64_t before = value();
    if (const Plain plain(bias_); plain.allowed()) {
      before = value_.load(std::memory_order_relaxed);
      if (static_cast<uint32_t>(before) != 0) value_.store(before + by, std::memory_order_release);
      return before;
    }
    while (static_cast<uint32_t>(before) != 0 &&
           !value_.compare_exchange_weak(before, before + by)) {
    }
    return before;
  }

 private:
  // While one lives this thread may change counts of that bias plainly, if allowed() says so.
  class Plain {
   public:
    explicit Plain(Bias* bias) : own_(bias == own_bias ? bias : nullptr) {
      if (!own_) {
        if (bias->state.load(std::memory_order_acquire) != Bias::kEnded) end_bias(bias);
        return;
      }
      own_->busy.store(true, std::memory_order_relaxed);
      // What end_bias() does on the other side makes a real fence of this one.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      allowed_ = own_->state.load(std::memory_order_relaxed) == Bias::kHeld;
    }
    ~Plain() {
      if (own_) own_->busy.store(false, std::memory_order_release);
    }
    bool allowed() const { return allowed_; }

   private:
    Bias* const own_;
    bool allowed_ = false;
  };

  std::atomic<uint64_t> value_;
  Bias* bias_;
};

}  // namespace glia
