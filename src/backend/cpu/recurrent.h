// Recurrences over whole sequences in f32.
#pragma once

#include <string_view>

#include "runtime/backend.h"

namespace glia::cpu {

// Null where the op is none of the recurrent ones.
RunFunction recurrent_kernel(std::string_view op);

}  // namespace glia::cpu
