// Sums and updates of rows with SIMD vectors of columns.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "ops/rows.h"
#include "runtime/backend.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

template <class T>
using Value = Lane<T>;

#include "ops/rows_kernels.h"

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(run_sum_rows);
GLIA_EXPORT(run_dot_rows);
GLIA_EXPORT(run_spread_rows);
GLIA_EXPORT(run_foreach_rows);

const RegisterKernel kernels[] = {
    {{"sum_rows", {kF32, kF64}, GLIA_CHOOSE(run_sum_rows)}},
    {{"dot_rows", {kF32, kF64}, GLIA_CHOOSE(run_dot_rows)}},
    {{"spread_rows", {kF32, kF64}, GLIA_CHOOSE(run_spread_rows)}},
    {{"sparse_rows", {kF32, kF64}, GLIA_CHOOSE(run_spread_rows)}},
    {{"foreach_rows", {kF32, kF64}, GLIA_CHOOSE(run_foreach_rows)}},
};

}  // namespace
}  // namespace glia::cpu
#endif
