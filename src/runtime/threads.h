// The pool of threads behind parallel_for.
#pragma once

#include <cstdint>

#include "glia/parallel.h"

namespace glia {

// In a child process: the threads of the pool are not there.
void renew_pool();

// How often this thread's calls have been given to the pool.
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
