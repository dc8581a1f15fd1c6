// Numbers without a pattern.
#pragma once

#include <cstdint>

namespace glia::test {

// A small generator of numbers in [-1, 1] and of sizes.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  uint64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  int64_t size(int64_t low, int64_t high) { return low + next() % (high - low + 1); }
  double value() { return static_cast<double>(next() % 2001) / 1000 - 1; }

 private:
  uint64_t state_;
};

}  // namespace glia::test
