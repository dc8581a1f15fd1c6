// Copies between strides, and filling.
#include <algorithm>
#include <cstring>

#include "backend/cpu/simd/tile.h"

namespace glia::cpu {
namespace {

template <int64_t kSize>
void copy_elements(char* out, int64_t out_stride, const char* in, int64_t in_stride, int64_t n) {
#pragma GCC unroll 4
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(out + i * out_stride * kSize, in + i * in_stride * kSize, kSize);
  }
}

// Rows too short for fill_tile to pay.
template <class T>
void spread_short(T* out, const T* in, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    const T value = in[r];
    for (int64_t c = 0; c < columns; ++c) *out++ = value;
  }
}
constexpr int64_t kShortRow = 32;

}  // namespace

void spread_tile(void* out, const void* in, int64_t rows, int64_t columns, int64_t size) {
  if (columns > kShortRow) {
    for (int64_t r = 0; r < rows; ++r) {
      fill_tile(static_cast<char*>(out) + r * columns * size,
                static_cast<const char*>(in) + r * size, columns, size);
    }
    return;
  }
  const auto as = [&]<class T>(T) {
    spread_short(static_cast<T*>(out), static_cast<const T*>(in), rows, columns);
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

void fill_tile(void* out, const void* value, int64_t n, int64_t size) {
  if (n <= 0) return;
  char* p = static_cast<char*>(out);
  std::memcpy(p, value, size);
  for (int64_t filled = size, total = n * size; filled < total; filled *= 2) {
    std::memcpy(p + filled, p, std::min(filled, total - filled));
  }
}

void copy_strided(void* out, int64_t out_stride, const void* in, int64_t in_stride, int64_t n,
                  int64_t size) {
  if (n <= 0) return;
  char* to = static_cast<char*>(out);
  const char* from = static_cast<const char*>(in);
  if (out_stride == 1 && in_stride == 1) {
    std::memcpy(to, from, n * size);
    return;
  }
  if (out_stride == 1 && in_stride == 0) return fill_tile(out, in, n, size);
  switch (size) {
    case 1:
      return copy_elements<1>(to, out_stride, from, in_stride, n);
    case 2:
      return copy_elements<2>(to, out_stride, from, in_stride, n);
    case 4:
      return copy_elements<4>(to, out_stride, from, in_stride, n);
    default:
      return copy_elements<8>(to, out_stride, from, in_stride, n);
  }
}

}  // namespace glia::cpu
