// What is not known of numbers.
#pragma once

#include <limits>

namespace glia::classic {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace glia::classic
