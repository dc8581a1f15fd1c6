// Attention in f32 that never stores all weights.
#pragma once

#include <string_view>

#include "runtime/backend.h"

namespace glia::cpu {

// Null where the op is none of the attention ops.
RunFunction attention_kernel(std::string_view op);

}  // namespace glia::cpu
