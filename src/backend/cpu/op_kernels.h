// Kernels of single ops, by family; each family is one file. Null where the op is none of its own.
#pragma once

#include <string_view>

#include "runtime/backend.h"

namespace glia::cpu {

RunFunction attention_kernel(std::string_view op);  // f32; never stores all weights
RunFunction recurrent_kernel(std::string_view op);  // f32; over whole sequences
RunFunction pool_kernel(std::string_view op);       // f32 and f64
RunFunction rows_kernel(std::string_view op);       // f32 and f64; see ops/rows_kernels.h

}  // namespace glia::cpu
