// What the optimizers' formulas have in common.
#pragma once

#include "glia/ops.h"

namespace glia::optim {

// The gradient g with that of the penalty decay / 2 * p^2. Without a decay p has no part in it:
// zero times an infinite parameter would be NaN.
template <bool decays>
Tensor decayed(const Tensor& g, const Tensor& p, const Tensor& decay) {
  if constexpr (decays) return g + p * decay;
  return g;
}

}  // namespace glia::optim
