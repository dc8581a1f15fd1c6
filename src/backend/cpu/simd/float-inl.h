// Tiles of f32 or f64, for one instruction set.
#if defined(GLIA_FLOAT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GLIA_FLOAT_INL_H
#undef GLIA_FLOAT_INL_H
#else
#define GLIA_FLOAT_INL_H
#endif

#include "backend/cpu/simd/lane-inl.h"
#include "backend/cpu/simd/tile.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

template <class Operation, class T>
__attribute__((flatten)) void float_tile(void* out, const void* a, const void* b, const void*,
                                         int64_t n) {
  using V = Lane<T>;
  constexpr bool kBinary = Operation::kInputs == 2;
  T* y = static_cast<T*>(out);
  const T* p = static_cast<const T*>(a);
  const T* q = static_cast<const T*>(kBinary ? b : a);
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    const V u = V::load(p + i);
    Operation::value(u, kBinary ? V::load(q + i) : u).store(y + i);
  }
  if constexpr (V::kLanes > 1) {
    const int64_t left = n - i;
    if (left == 0) return;
    const V u = V::load_first(left, p + i, V(1));
    Operation::value(u, kBinary ? V::load_first(left, q + i, V(1)) : u).store_first(left, y + i);
  }
}

template <class T>
TileFunction float_function(Code code) {
  switch (code) {
#define GLIA_CASE(code)                                                          \
  case Code::code:                                                               \
    if constexpr (defined_on<T>(code##_::kTypes)) return float_tile<code##_, T>; \
    break;
#define UNARY(code, ...) GLIA_CASE(code)
#define BINARY(code, ...) GLIA_CASE(code)
#define COMPARE(code, ...)
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
#undef GLIA_CASE
    default:
      break;
  }
  return nullptr;
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
