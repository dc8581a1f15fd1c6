// Pooling with SIMD vectors of channels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/pool.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "ops/pool.h"
#include "runtime/backend.h"
#include "runtime/threads.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

template <class T>
using Value = Lane<T>;

#include "ops/pool_kernels.h"

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(run_max_pool);
GLIA_EXPORT(run_max_pool_backward);
GLIA_EXPORT(run_max_pool_gather);
GLIA_EXPORT(run_avg_pool);
GLIA_EXPORT(run_avg_pool_backward);

const RegisterKernel kernels[] = {
    {{"max_pool2d", {kF32, kF64}, GLIA_CHOOSE(run_max_pool)}},
    {{"max_pool2d_backward", {kF32, kF64}, GLIA_CHOOSE(run_max_pool_backward)}},
    {{"max_pool2d_gather", {kF32, kF64}, GLIA_CHOOSE(run_max_pool_gather)}},
    {{"avg_pool2d", {kF32, kF64}, GLIA_CHOOSE(run_avg_pool)}},
    {{"avg_pool2d_backward", {kF32, kF64}, GLIA_CHOOSE(run_avg_pool_backward)}},
};

}  // namespace
}  // namespace glia::cpu
#endif
