// Axes as operators take them.
#pragma once

#include <cstdint>
#include <vector>

#include "call.h"

namespace glia::onnx {

// The attribute "axes" or the values of an input, counted from the front; empty: neither is given.
std::vector<int64_t> axes_given(Call& c, int input, int rank);
// Where an axis of (N, C, ...) is in (N, ..., C).
int place_of_axis(int64_t axis, int rank, bool channels_last);

}  // namespace glia::onnx
