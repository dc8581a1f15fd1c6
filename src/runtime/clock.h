// Time for statistics and profiles.
#pragma once

#include <chrono>

namespace glia {

inline double milliseconds() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace glia
