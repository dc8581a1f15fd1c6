// Sums of probabilities by their logarithms.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

namespace glia::audio {

inline constexpr double kNoWay = -std::numeric_limits<double>::infinity();

// log(exp(a) + exp(b)).
inline double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return a == kNoWay ? a + b : a + std::log1p(std::exp(b - a));
}

}  // namespace glia::audio
