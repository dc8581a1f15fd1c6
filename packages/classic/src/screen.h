// What a product in f32 may be wrong by, where it says which distances must be computed in f64.
#pragma once

#include <cstdint>

namespace glia::classic {

// |estimate - distance| <= this * (|x| + |y|)^2 of the squared distance of x and y, with d
// features, as |x|^2 + |y|^2 - 2 x.y of numbers that were rounded to f32.
constexpr double product_error(int64_t d) { return static_cast<double>(d + 16) * 0x1p-24; }

}  // namespace glia::classic
