// What copying a module needs of variables.
#pragma once

#include <span>

#include "glia/tensor.h"

namespace glia {

// These are about to be copied, one by one: copies of those that share a place shall share one.
void keep_ties(std::span<const Variable* const> variables);

}  // namespace glia
