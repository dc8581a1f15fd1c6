// Pooling with SIMD vectors of channels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/pool.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>

#include "backend/cpu/op_kernels.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "ops/pool.h"
#include "runtime/threads.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

template <class T>
using Value = Lane<T>;

#include "ops/pool_kernels.h"

RunFunction pool_kernel(std::string_view op) {
  if (op == "max_pool2d") return run_max_pool;
  if (op == "max_pool2d_backward") return run_max_pool_backward;
  if (op == "max_pool2d_gather") return run_max_pool_gather;
  if (op == "avg_pool2d") return run_avg_pool;
  if (op == "avg_pool2d_backward") return run_avg_pool_backward;
  return nullptr;
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

HWY_EXPORT(pool_kernel);
RunFunction pool_kernel(std::string_view op) { return GLIA_DISPATCH(pool_kernel)(op); }

}  // namespace glia::cpu
#endif
