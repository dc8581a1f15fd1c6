// Integers that a function computes itself, before anything is recorded.
#pragma once

#include "core/node.h"
#include "ops/private.h"

namespace glia {

// An i64 tensor of the shape, whose numbers write(pointer) puts down. What no memory holds is an
// error before any of it is written.
template <class F>
Tensor written_integers(const Shape& shape, F&& write) {
  MemoryRef memory(allocate_memory(static_cast<size_t>(shape.numel()) * sizeof(int64_t)));
  write(reinterpret_cast<int64_t*>(memory->data));
  return leaf(std::move(memory), 0, shape, kI64);
}

}  // namespace glia
