// Comparisons and where: results or conditions are bools.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/compare.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

template <class Operation, class T>
__attribute__((flatten)) void compare_tile(void* out, const void* a, const void* b, const void*,
                                           int64_t n) {
  uint8_t* y = static_cast<uint8_t*>(out);
  const Stored<T>*p = static_cast<const Stored<T>*>(a), *q = static_cast<const Stored<T>*>(b);
  for_each(n, [=](int64_t i) HWY_ATTR {
    y[i] = Operation::value(Scalar<T>::load(p + i), Scalar<T>::load(q + i));
  });
}

template <class T>
TileFunction compare_of(Code code) {
  switch (code) {
#define UNARY(code, ...)
#define BINARY(code, ...)
#define COMPARE(code, ...) \
  case Code::code:         \
    return defined_on<T>(code##_::kTypes) ? compare_tile<code##_, T> : nullptr;
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
    default:
      return nullptr;
  }
}

TileFunction compare_kernel(Code code, DType dtype) {
  return with_dtype(dtype, [code](auto zero) -> TileFunction {
    using T = decltype(zero);
    if constexpr (std::is_arithmetic_v<T>) return compare_of<T>(code);
    return nullptr;
  });
}

template <class T>
__attribute__((flatten)) void where_tile(void* out, const void* condition, const void* a,
                                         const void* b, int64_t n) {
  T* y = static_cast<T*>(out);
  const uint8_t* c = static_cast<const uint8_t*>(condition);
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b);
  for_each(n, [=](int64_t i) HWY_ATTR {
    const T u = p[i], v = q[i];
    y[i] = c[i] ? u : v;
  });
}

TileFunction where_kernel(int64_t size) {
  switch (size) {
    case 1:
      return where_tile<uint8_t>;
    case 2:
      return where_tile<uint16_t>;
    case 4:
      return where_tile<uint32_t>;
    default:
      return where_tile<uint64_t>;
  }
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(compare_kernel);
GLIA_EXPORT(where_kernel);
TileFunction compare_function(Code code, DType dtype) {
  return GLIA_DISPATCH(compare_kernel)(code, dtype);
}
TileFunction where_function(int64_t size) { return GLIA_DISPATCH(where_kernel)(size); }
}  // namespace glia::cpu
#endif
