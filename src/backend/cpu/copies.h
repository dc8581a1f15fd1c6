// Groups that only copy a view: an axis that lies densely in the input is read in whole vectors.
#pragma once

#include <memory>

#include "runtime/backend.h"

namespace glia::cpu {

// Null for all other programs, and for views that are as well copied element by element.
std::unique_ptr<FusedKernel> compile_copy(const Program& program);

}  // namespace glia::cpu
