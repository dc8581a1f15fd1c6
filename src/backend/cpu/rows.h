// Sums and updates of rows in f32 and f64.
#pragma once

#include <string_view>

#include "runtime/backend.h"

namespace glia::cpu {

// Null where the op is none of those in ops/rows_kernels.h.
RunFunction rows_kernel(std::string_view op);

}  // namespace glia::cpu
