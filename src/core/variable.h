// The place behind a Variable.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "core/node.h"
#include "glia/tensor.h"

namespace glia {

// Counts the processes that fork() has led to; see src/runtime/fork.cpp.
extern std::atomic<uint32_t> process_generation;

// A lock that is held for moments, and does not stay locked in a child process when another thread
// held it at the fork.
class ShortLock {
 public:
  void lock() {
    const uint32_t mine = process_generation.load(std::memory_order_relaxed);
    uint32_t seen = 0;
    while (!holder_.compare_exchange_weak(seen, mine, std::memory_order_acquire)) {
      if (seen != mine) continue;  // free, or held in a process that this one was forked from
      sched_yield();
      seen = 0;
    }
  }
  void unlock() { holder_.store(0, std::memory_order_release); }

 private:
  std::atomic<uint32_t> holder_{0};
};

// The lock guards the value. An optimizer's step in place holds it until the new value is there.
struct Variable::Cell {
  ShortLock lock;
  std::atomic<bool> trainable{false};
  Tensor value;
  // The last value that was computed, not owned, and its Node::sequence: see restore().
  Node* computed = nullptr;
  uint64_t sequence = 0;
  uint64_t place = 0;  // Node::place of its values

  Tensor read() {
    std::lock_guard hold(lock);
    return value;
  }
};
// What this thread reads in the place from now on, with its history; undefined: the value that is
// there. Returns what was so until now.
Tensor substitute(const Variable::Cell* cell, const Tensor& value);
// While one lives, this thread reads this value of a variable.
class Substitution {
 public:
  Substitution(const Variable& place, const Tensor& value)
      : cell_(place.cell()), before_(substitute(cell_, value)) {}
  ~Substitution() { substitute(cell_, before_); }
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

 private:
  const Variable::Cell* const cell_;
  const Tensor before_;
};
// These are about to be copied, one by one: copies of those that share a place shall share one.
void keep_ties(std::span<const Variable* const> variables);

}  // namespace glia
