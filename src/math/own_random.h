// A stream of random numbers of one's own.
#pragma once

#include "glia/random.h"

namespace glia {

// Puts the thread's stream of random numbers back.
class OwnRandom {
 public:
  explicit OwnRandom(uint64_t seed) : before_(random_state()) { manual_seed(seed); }
  ~OwnRandom() { set_random_state(before_); }
  OwnRandom(const OwnRandom&) = delete;
  OwnRandom& operator=(const OwnRandom&) = delete;

 private:
  RandomState before_;
};

}  // namespace glia
