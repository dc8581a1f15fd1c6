#include "backend/cpu/strided.h"

#include <algorithm>

#include "backend/cpu/simd/tile.h"

namespace glia::cpu {

StridedInput::StridedInput(const Shape& space, const Program::Value& value) {
  for (int axis = 0; axis < space.rank(); ++axis) {
    const int64_t size = space[axis], stride = value.strides[axis];
    if (size == 1) continue;
    if (rank_ > 0 && strides_[rank_ - 1] == stride * size) {
      sizes_[rank_ - 1] *= size;
      strides_[rank_ - 1] = stride;
    } else {
      sizes_[rank_] = size;
      strides_[rank_++] = stride;
    }
  }
}

void StridedInput::gather(const void* from, void* to, int64_t first, int64_t n,
                          int64_t size) const {
  if (n == 0) return;  // sizes may be 0
  const char* in = static_cast<const char*>(from);
  char* out = static_cast<char*>(to);
  int64_t at[kMaxRank] = {}, offset = 0;
  int64_t rest = first;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    at[axis] = rest % sizes_[axis];
    rest /= sizes_[axis];
    offset += at[axis] * strides_[axis];
  }
  const int last = rank_ - 1;
  while (n > 0) {
    const int64_t run = std::min(n, sizes_[last] - at[last]);
    copy_strided(out, 1, in + offset * size, strides_[last], run, size);
    out += run * size;
    n -= run;
    at[last] += run;
    offset += run * strides_[last];
    for (int axis = last; axis > 0 && at[axis] == sizes_[axis]; --axis) {
      offset += strides_[axis - 1] - sizes_[axis] * strides_[axis];
      at[axis] = 0;
      ++at[axis - 1];
    }
  }
}

}  // namespace glia::cpu
