#include "backend/cpu/strided.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/gathered.h"
#include "backend/cpu/simd/tile.h"

namespace glia::cpu {

// Rows up to this long are copied column by column.
constexpr int64_t kShortRun = 8;
constexpr int64_t kLine = 64;               // bytes of cache that come at once
constexpr int64_t kMostTogether = 1 << 19;  // bytes of rows that are gathered at once

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

namespace {

// Whether the rows of the last axis lie beside each other.
bool is_transposed(int rank, const int64_t* strides) {
  return rank >= 2 && strides[rank - 2] == 1 && strides[rank - 1] > 1;
}

// to[r * columns + c] = from[c * stride + r], for some rows whose elements share lines of cache: by
// blocks, since rows may lie so that they share the places of the cache.
template <class T>
void copy_transposed(T* to, int64_t columns, const T* from, int64_t stride, int64_t rows) {
  constexpr int64_t kRows = kLine / sizeof(T);
  for (; rows >= kRows; rows -= kRows, from += kRows, to += kRows * columns) {
    T block[kRows * kRows];
    int64_t c = 0;
    for (; c + kRows <= columns; c += kRows) {
      for (int64_t k = 0; k < kRows; ++k) {
        const T* const line = from + (c + k) * stride;
        for (int64_t r = 0; r < kRows; ++r) block[r * kRows + k] = line[r];
      }
      for (int64_t r = 0; r < kRows; ++r)
        std::memcpy(to + r * columns + c, block + r * kRows, kRows * sizeof(T));
    }
    for (; c < columns; ++c) {
      for (int64_t r = 0; r < kRows; ++r) to[r * columns + c] = from[c * stride + r];
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) to[r * columns + c] = from[c * stride + r];
  }
}

void copy_transposed(char* to, int64_t columns, const char* from, int64_t stride, int64_t rows,
                     int64_t size) {
  const auto as = [&]<class T>(T) {
    copy_transposed(reinterpret_cast<T*>(to), columns, reinterpret_cast<const T*>(from), stride,
                    rows);
  };
  switch (size) {
    case 1:
      return as(uint8_t());
    case 2:
      return as(uint16_t());
    case 4:
      return as(uint32_t());
    default:
      return as(uint64_t());
  }
}

}  // namespace

StridedInput::StridedInput(const Shape& space, const Program::Value& value) {
  rank_ = merge_axes(space, value, sizes_, strides_);
}

int64_t elements_together(const Shape& space, const Program::Value& value) {
  int64_t sizes[kMaxRank], strides[kMaxRank];
  const int rank = merge_axes(space, value, sizes, strides);
  if (!is_transposed(rank, strides)) return 0;
  const auto size = static_cast<int64_t>(size_of(value.dtype));
  const int64_t rows = std::min(kLine / size, sizes[rank - 2]), columns = sizes[rank - 1];
  return columns <= kMostTogether / (rows * size) ? rows * columns : 0;
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
  const bool transposed = is_transposed(rank_, strides_);
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
    if (transposed && at[last] == 0 && n >= 2 * sizes_[last]) {
      const int64_t rows = std::min(n / sizes_[last], sizes_[last - 1] - at[last - 1]);
      copy_transposed(out, sizes_[last], in + offset * size, strides_[last], rows, size);
      out += rows * sizes_[last] * size;
      n -= rows * sizes_[last];
      at[last - 1] += rows;
      offset += rows;
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
