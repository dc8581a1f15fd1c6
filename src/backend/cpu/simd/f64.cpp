#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/f64.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/simd/float-inl.h"
#include "backend/cpu/simd/functions.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
TileFunction f64_kernel(Code code) { return float_function<double>(code); }
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(f64_kernel);
TileFunction f64_function(Code code) { return GLIA_DISPATCH(f64_kernel)(code); }
}  // namespace glia::cpu
#endif
