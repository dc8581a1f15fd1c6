// Fused groups as generated machine code, on x86 with AVX2 or AVX-512.
#pragma once

#include <memory>

#include "runtime/backend.h"

namespace glia::cpu::jit {

// Null where the program has something that generated code cannot do, or the processor none.
std::unique_ptr<FusedKernel> compile(const Program& program);
// Forgets the code that no kernel has.
void trim_code();

}  // namespace glia::cpu::jit
