// How a recorded recurrence is put together, for the kernels that compute it.
//
//   recurrent(x, w[, bias_ih, bias_hh][, h0[, c0]]) -> gates, y, inner
//   recurrent_backward(gates, w, gy, ...) -> dx, dh0, dinner
//     LSTM: ..., inner[, gc][, c0]; GRU: ..., inner, y[, h0]; else nothing, and gates is y
//
// x (T, B, G H) is the input's part of every gate, gates the activated ones in PyTorch's order.
// inner (T, B, H) is the LSTM's cell, or the GRU's product in its third gate; gc (B, H) belongs to
// the last cell. dinner is an LSTM's dc0, of a GRU the gradient of the products with w (T, B, 3 H).
#pragma once

#include <cstdint>

#include "core/op.h"

namespace glia {

struct Recurrence {
  enum Cell : int64_t { kLSTM, kGRU, kTanh, kReLU };
  enum { kGates, kY, kInner };  // outputs

  Cell cell = kLSTM;
  bool has_bias = false, has_state = false, has_inner_gradient = false;
  GLIA_ATTRIBUTES(cell, has_bias, has_state, has_inner_gradient)

  int64_t gates() const { return cell == kLSTM ? 4 : cell == kGRU ? 3 : 1; }
};

}  // namespace glia
