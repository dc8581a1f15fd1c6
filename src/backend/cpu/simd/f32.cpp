#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/f32.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/simd/float-inl.h"
#include "backend/cpu/simd/functions.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
TileFunction f32_kernel(Code code) { return float_function<float>(code); }
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
HWY_EXPORT(f32_kernel);
TileFunction f32_function(Code code) { return GLIA_DISPATCH(f32_kernel)(code); }
}  // namespace glia::cpu
#endif
