// Floats of 8 bits and less, which are computed with in f32.
#pragma once

#include <cstdint>

#include "glia/onnx/value.h"

namespace glia::onnx {

bool is_small_float(ElementType type);
float from_code(ElementType type, uint8_t code);
// The nearest one, at a tie the even code. What lies beyond the largest becomes that if `saturate`,
// else infinite or, where the type has no infinity, NaN.
float rounded(ElementType type, float x, bool saturate);

}  // namespace glia::onnx
