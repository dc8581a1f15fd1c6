// Random numbers beside those of a run.
#pragma once

#include <cstdint>

#include "glia/random.h"

namespace glia::recipes {

// While it lives, this thread draws from a stream of that seed; then its own goes on.
class OwnStream {
 public:
  explicit OwnStream(uint64_t seed) : before_(random_state()) { manual_seed(seed); }
  ~OwnStream() { set_random_state(before_); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

 private:
  const RandomState before_;
};

}  // namespace glia::recipes
