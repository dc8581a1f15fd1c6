// How much of an input that is not contiguous is best gathered at once.
#pragma once

#include <cstdint>

#include "runtime/backend.h"

namespace glia::cpu {

// So many elements of the space, because the lines of cache that hold some of them hold the others;
// 0: it does not matter.
int64_t elements_together(const Shape& space, const Program::Value& value);

}  // namespace glia::cpu
