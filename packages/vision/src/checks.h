// What the functions on pictures ask of one, and how they make another.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/tensor.h"

namespace glia::vision {

// Throws ShapeError unless it is u8 (H, W, 1 to 4) with pixels.
void check_image(const char* op, const Tensor& image, Where where);
// The same for what needs one channel or three.
void check_colours(const char* op, const Tensor& image, Where where);

// The pixels of `rows` and `columns` of an image (H, W, C), in that order; where an index is
// negative, `fill` of each channel.
Tensor picked(const Tensor& image, const std::vector<int64_t>& rows,
              const std::vector<int64_t>& columns, const std::vector<uint8_t>& fill);

// Each value of a channel c by table c, or all by one table: 256 bytes each.
Tensor looked_up(const Tensor& image, const std::vector<uint8_t>& tables);

// A value for each channel. Throws ValueError, naming the op, unless there are none (zeros), one,
// or as many as channels, all from 0 to 255.
std::vector<uint8_t> fill_of(const char* op, const std::vector<double>& fill, int64_t channels,
                             Where where);

}  // namespace glia::vision
