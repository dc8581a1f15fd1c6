// Which samples are near, as a matrix.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::classic {

// 1 where a row of b is among the k nearest to one of a, itself included, else 0: (n, m) f64.
Tensor neighbor_affinity(const Tensor& a, const Tensor& b, int64_t k, Where where);

}  // namespace glia::classic
