// What the kernels of group normalisation know of it.
#pragma once

#include "glia/op.h"

namespace glia {

// group_norm(x (N, S, C), weight (C), bias (C), eps) -> out, mean (N, groups), inverse deviation
// (N, groups); group_norm_backward(x, mean, inverse, weight, gradient of out) -> those of x, weight
// and bias. Weight and bias may be absent.
struct GroupNormAttributes {
  int64_t groups = 1;
  GLIA_ATTRIBUTES(groups)
};

}  // namespace glia
