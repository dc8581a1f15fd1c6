// Pooling kernels in f32 and f64.
#pragma once

#include <string_view>

#include "runtime/backend.h"

namespace glia::cpu {

// Null where the op is none of the pooling ops.
RunFunction pool_kernel(std::string_view op);

}  // namespace glia::cpu
