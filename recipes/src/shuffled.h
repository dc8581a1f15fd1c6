// Orders that are drawn.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "glia/data.h"

namespace glia::recipes {

// 0 to count - 1 in an order by the seed (Fisher & Yates).
inline std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  data::Random random(seed);
  for (size_t i = order.size(); i-- > 1;)
    std::swap(order[i], order[static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1))]);
  return order;
}

}  // namespace glia::recipes
