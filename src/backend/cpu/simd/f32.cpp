#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/f32.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/simd/float-inl.h"
#include "backend/cpu/simd/functions.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
TileFunction f32_kernel(Code code) { return float_function<float>(code); }

template <int quarters>
void sine_lanes(uint32_t, float* x, const float*) {
#if HWY_TARGET == HWY_SCALAR
  *x = sine_of<quarters>(Scalar<float>::of(*x)).v;
#else
  sine_of_lanes<quarters>(x);
#endif
}
SineFunction sine_kernel(int quarters) { return quarters == 0 ? sine_lanes<0> : sine_lanes<1>; }
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(f32_kernel);
GLIA_EXPORT(sine_kernel);
TileFunction f32_function(Code code) { return GLIA_DISPATCH(f32_kernel)(code); }
SineFunction sine_function(int quarters) { return GLIA_DISPATCH(sine_kernel)(quarters); }
}  // namespace glia::cpu
#endif
