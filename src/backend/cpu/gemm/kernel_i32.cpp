// The matrix kernel on i32, whose sums wrap.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/kernel_i32.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/gemm/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

const gemm::Kernels<int32_t>* i32_table() {
#if HWY_TARGET == HWY_SCALAR
  return nullptr;
#else
  return &kKernels<int32_t, false>;
#endif
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

GLIA_EXPORT(i32_table);

template <>
const gemm::Kernels<int32_t>* gemm::kernels() {
  return GLIA_DISPATCH(i32_table)();
}

}  // namespace glia::cpu
#endif
