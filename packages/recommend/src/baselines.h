// Biases of users and items.
#pragma once

#include <vector>

#include "glia/recommend/explicit.h"

namespace glia::recommend {

struct Biases {
  std::vector<double> user, item;
};
Biases biases_of(const RatingMatrix& ratings, const BaselineOptions& options);

}  // namespace glia::recommend
