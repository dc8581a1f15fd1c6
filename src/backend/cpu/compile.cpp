// How a fused group runs: as a copy if it is one, as generated code where that can say it, else
// tile by tile.
#include "backend/cpu/copies.h"
#include "backend/cpu/interpreter.h"
#include "backend/cpu/jit/kernel.h"
#include "runtime/backend.h"

namespace glia {

std::unique_ptr<FusedKernel> compile(const Program& program) {
  if (auto copy = cpu::compile_copy(program)) return copy;
  if (auto generated = cpu::jit::compile(program)) return generated;
  return cpu::interpret(program);
}

}  // namespace glia
