// How a recorded attention is put together, for the kernels that compute it.
//
//   attention(q, k, v, scale, length, mask) -> out, lse
//   attention_backward(q, k, v, scale, length, mask, out, lse, gout) -> gq, gk, gv
//
// q (..., T, D), k (..., S, D), v (..., S, E) and the mask (..., T, S) have the same leading axes,
// any of which may repeat; lse (..., T) is the logarithm of each query's sum of exponentials. There
// may be no length and no mask.
#pragma once

#include "glia/op.h"

namespace glia {

struct AttentionAttributes {
  bool causal = false;
  GLIA_ATTRIBUTES(causal)
};
// Which input is which.
enum {
  kAttentionQ,
  kAttentionK,
  kAttentionV,
  kAttentionScale,
  kAttentionLength,
  kAttentionMask,
  kAttentionOut,
  kAttentionLse,
  kAttentionGout
};

}  // namespace glia
