// Numbers that transforms draw.
#pragma once

#include <utility>

#include "glia/data.h"

namespace glia::vision {

// Evenly between the two.
double between(data::Random& random, const std::pair<double, double>& range);
// True with probability p. Throws ValueError unless that is one.
bool chance(data::Random& random, double p);

}  // namespace glia::vision
