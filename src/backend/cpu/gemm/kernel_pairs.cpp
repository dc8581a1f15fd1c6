// The matrix kernel on pairs of bf16, and how they are put together.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/kernel_pairs.cpp"
#include "backend/cpu/simd/targets.h"

#include "backend/cpu/gemm/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

// Only AVX-512 has the instruction.
const gemm::Kernels<float>* pair_table() {
#if HWY_TARGET == HWY_AVX3
  static const bool can = __builtin_cpu_supports("avx512bf16");
  if (can) return &kKernels<float, true>;
#endif
  return nullptr;
}

#if HWY_TARGET == HWY_SCALAR
void interleave(const uint16_t*, const uint16_t*, int64_t, uint32_t*) {}
#else
void interleave(const uint16_t* a, const uint16_t* b, int64_t n, uint32_t* out) {
  const hn::ScalableTag<uint32_t> words;
  constexpr int64_t kWords = hn::MaxLanes(words);
  const hn::Rebind<uint16_t, decltype(words)> halves;
  int64_t j = 0;
  for (; j + kWords <= n; j += kWords) {
    const auto low = hn::PromoteTo(words, hn::LoadU(halves, a + j));
    const auto high = hn::PromoteTo(words, hn::LoadU(halves, b + j));
    hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), words, out + j);
  }
  for (; j < n; ++j) out[j] = a[j] | uint32_t{b[j]} << 16;
}
#endif

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

GLIA_EXPORT(pair_table);
GLIA_EXPORT(interleave);

const gemm::Kernels<float>* gemm::pair_kernels() { return GLIA_DISPATCH(pair_table)(); }
gemm::InterleaveFunction gemm::interleave_pairs() { return GLIA_DISPATCH(interleave); }

}  // namespace glia::cpu
#endif
