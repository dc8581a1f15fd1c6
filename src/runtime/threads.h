// The pools of threads behind parallel_for.
#pragma once

#include <cstdint>

#include "glia/parallel.h"

namespace glia {

// In a child process: the threads of the pools are not there.
void renew_pools();

// While one lives, the calling thread counts as one that computes: so many cores are left to
// others.
class Core {
 public:
  Core();
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
};

// How often this thread's calls have been given to a pool.
int64_t jobs_shared();

// While it lives, if `alone`, the calling thread's parallel_for runs in order.
class Alone {
 public:
  explicit Alone(bool alone);
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  const bool before_;
};

}  // namespace glia
