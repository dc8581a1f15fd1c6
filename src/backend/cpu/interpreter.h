// Fused groups on any processor.
#pragma once

#include <memory>

#include "runtime/backend.h"

namespace glia::cpu {

// Throws Error if an operation is not defined on its operands' dtype.
std::unique_ptr<FusedKernel> interpret(const Program& program);

}  // namespace glia::cpu
