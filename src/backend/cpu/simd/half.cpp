// Tiles of 16-bit floats: widened to f32, computed, rounded.
#include <algorithm>

#include "backend/cpu/simd/functions.h"

namespace glia::cpu {
namespace {

template <class Half, Code code, int kInputs, bool kCompares>
void half_tile(void* out, const void* a, const void* b, const void*, int64_t n) {
  constexpr int64_t kChunk = 256;
  constexpr DType kHalf = dtype_of<Half>;
  const TileFunction widen = cast_function(kHalf, kF32), narrow = cast_function(kF32, kHalf);
  const TileFunction compute = tile_function(code, kF32);
  float x[kChunk], y[kChunk];
  for (int64_t i = 0; i < n; i += kChunk) {
    const int64_t count = std::min(kChunk, n - i);
    widen(x, static_cast<const Half*>(a) + i, nullptr, nullptr, count);
    if (kInputs == 2) widen(y, static_cast<const Half*>(b) + i, nullptr, nullptr, count);
    if (kCompares) {
      compute(static_cast<bool*>(out) + i, x, y, nullptr, count);
    } else {
      compute(x, x, y, nullptr, count);
      narrow(static_cast<Half*>(out) + i, x, nullptr, nullptr, count);
    }
  }
}

template <class Half>
TileFunction half_of(Code code) {
  switch (code) {
#define UNARY(code, ...) \
  case Code::code:       \
    return half_tile<Half, Code::code, 1, false>;
#define BINARY(code, ...) \
  case Code::code:        \
    return half_tile<Half, Code::code, 2, false>;
#define COMPARE(code, ...) \
  case Code::code:         \
    return half_tile<Half, Code::code, 2, true>;
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
    default:
      return nullptr;
  }
}

}  // namespace

TileFunction half_function(Code code, DType dtype) {
  if (!tile_function(code, kF32)) return nullptr;
  return dtype == kF16 ? half_of<float16>(code) : half_of<bfloat16>(code);
}

}  // namespace glia::cpu
