// What special functions need of each other.
#pragma once

#include "glia/tensor.h"

namespace glia {

// The derivative of betainc() by a.
Tensor betainc_by_a(const Tensor& a, const Tensor& b, const Tensor& x);

}  // namespace glia
