// Tiles of integers and bool, vectorised by the compiler.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/integer.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

template <class Operation, class T>
__attribute__((flatten)) void integer_tile(void* out, const void* a, const void* b, const void*,
                                           int64_t n) {
  using V = Scalar<T>;
  constexpr bool kBinary = Operation::kInputs == 2;
  auto* y = static_cast<Stored<T>*>(out);
  const auto* p = static_cast<const Stored<T>*>(a);
  const auto* q = static_cast<const Stored<T>*>(kBinary ? b : a);
  for_each(n, [=](int64_t i)
                  HWY_ATTR { Operation::value(V::load(p + i), V::load(q + i)).store(y + i); });
}

template <class T>
TileFunction integer_of(Code code) {
  switch (code) {
#define GLIA_CASE(code)                                                            \
  case Code::code:                                                                 \
    if constexpr (defined_on<T>(code##_::kTypes)) return integer_tile<code##_, T>; \
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

TileFunction integer_kernel(Code code, DType dtype) {
  return with_dtype(dtype, [code](auto zero) -> TileFunction {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) return integer_of<T>(code);
    return nullptr;
  });
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(integer_kernel);
TileFunction integer_function(Code code, DType dtype) {
  return GLIA_DISPATCH(integer_kernel)(code, dtype);
}
}  // namespace glia::cpu
#endif
