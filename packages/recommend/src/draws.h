// First values of factors, drawn by a seed.
#pragma once

#include <cmath>
#include <vector>

#include "glia/data.h"

namespace glia::recommend {

inline std::vector<double> normal_draws(data::Random& random, int64_t count, double mean,
                                        double deviation) {
  std::vector<double> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); i += 2) {  // Box & Muller 1958
    const double r = std::sqrt(-2 * std::log(1 - random.uniform()));
    const double angle = 2 * 3.14159265358979323846 * random.uniform();
    out[i] = mean + deviation * r * std::cos(angle);
    if (i + 1 < out.size()) out[i + 1] = mean + deviation * r * std::sin(angle);
  }
  return out;
}
inline std::vector<double> uniform_draws(data::Random& random, int64_t count, double low,
                                         double high) {
  std::vector<double> out(static_cast<size_t>(count));
  for (double& x : out) x = low + (high - low) * random.uniform();
  return out;
}

}  // namespace glia::recommend
