// Sums and updates of rows with SIMD vectors of columns.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "backend/cpu/op_kernels.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "ops/rows.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

template <class T>
using Value = Lane<T>;

#include "ops/rows_kernels.h"

RunFunction rows_kernel(std::string_view op) {
  if (op == "sum_rows") return run_sum_rows;
  if (op == "dot_rows") return run_dot_rows;
  if (op == "spread_rows" || op == "sparse_rows") return run_spread_rows;
  if (op == "foreach_rows") return run_foreach_rows;
  return nullptr;
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

HWY_EXPORT(rows_kernel);
RunFunction rows_kernel(std::string_view op) { return GLIA_DISPATCH(rows_kernel)(op); }

}  // namespace glia::cpu
#endif
