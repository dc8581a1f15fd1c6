// An input of a fused group that is not contiguous.
#pragma once

#include <cstdint>

#include "runtime/backend.h"

namespace glia::cpu {

// The axes over which a value is read in a space, neighbours that lie as one merged: their sizes
// and strides, in elements; returns how many.
int merge_axes(const Shape& space, const Program::Value& value, int64_t* sizes, int64_t* strides);

// The axes of the space as such an input lies over them, merged where they lie densely over each
// other.
class StridedInput {
 public:
  StridedInput() = default;
  StridedInput(const Shape& space, const Program::Value& value);

  // Elements [first, first + n) of the space, one after the other.
  void gather(const void* in, void* out, int64_t first, int64_t n, int64_t size) const;

 private:
  int rank_ = 0;
  int64_t sizes_[kMaxRank], strides_[kMaxRank];  // elements
};

}  // namespace glia::cpu
