#include "backend/cpu/strided.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/simd/tile.h"

namespace glia::cpu {

// Rows up to this long are copied column by column.
constexpr int64_t kShortRun = 8;

int merge_axes(const Shape& space, const Program::Value& value, int64_t* sizes, int64_t* strides) {
  int rank = 0;
  for (int axis = 0; axis < space.rank(); ++axis) {
    const int64_t size = space[axis], stride = value.strides[axis];
    if (size == 1) continue;
    if (rank > 0 && strides[rank - 1] == stride * size) {
      sizes[rank - 1] *= size;
      strides[rank - 1] = stride;
    } else {
      sizes[rank] = size;
      strides[rank++] = stride;
    }
  }
  return rank;
}

StridedInput::StridedInput(const Shape& space, const Program::Value& value) {
  rank_ = merge_axes(space, value, sizes_, strides_);
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
  const auto carry = [&](int from) {
    for (int axis = from; axis > 0 && at[axis] == sizes_[axis]; --axis) {
      offset += strides_[axis - 1] - sizes_[axis] * strides_[axis];
      at[axis] = 0;
      ++at[axis - 1];
    }
  };
  while (n > 0) {
    if (last > 0 && sizes_[last] <= kShortRun && at[last] == 0 && n >= sizes_[last]) {
      const int64_t rows = std::min(n / sizes_[last], sizes_[last - 1] - at[last - 1]);
      const bool same = strides_[last - 1] == 0;
      for (int64_t j = 0; j < sizes_[last]; ++j)
        copy_strided(out + j * size, sizes_[last], in + (offset + j * strides_[last]) * size,
                     strides_[last - 1], same ? 1 : rows, size);
      const int64_t row = sizes_[last] * size, whole = rows * row;
      for (int64_t done = row; same && done < whole; done *= 2)
        std::memcpy(out + done, out, std::min(done, whole - done));
      out += rows * sizes_[last] * size;
      n -= rows * sizes_[last];
      at[last - 1] += rows;
      offset += rows * strides_[last - 1];
      carry(last - 1);
      continue;
    }
    const int64_t run = std::min(n, sizes_[last] - at[last]);
    copy_strided(out, 1, in + offset * size, strides_[last], run, size);
    out += run * size;
    n -= run;
    at[last] += run;
    offset += run * strides_[last];
    carry(last);
  }
}

}  // namespace glia::cpu
