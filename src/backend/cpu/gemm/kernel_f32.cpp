// The matrix kernel on f32.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/kernel_f32.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/gemm/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

const gemm::Kernels<float>* f32_table() {
#if HWY_TARGET == HWY_SCALAR
  return nullptr;
#else
  return &kKernels<float, false>;
#endif
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

GLIA_EXPORT(f32_table);

template <>
const gemm::Kernels<float>* gemm::kernels() {
  return GLIA_DISPATCH(f32_table)();
}

}  // namespace glia::cpu
#endif
