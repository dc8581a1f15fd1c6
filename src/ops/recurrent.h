// How a recorded recurrence is put together, for the kernels that compute it.
//
//   recurrent(x, w, bias_ih, bias_hh, h0, c0) -> y, c, gates, inner
//   recurrent_backward(gates, w, y, inner, h0, c0, gy, gc) -> dx, dh0, dc0, dproducts
//
// x (T, B, G H) is the input's part of every gate, y (T, B, H) every state and c (B, H) an LSTM's
// last cell. gates (T, B, G H) are the activated ones in PyTorch's order, of an LSTM or GRU; inner
// (T, B, H) is the LSTM's cell, or the GRU's product in its third gate. dproducts (T, B, 3 H) is of
// a GRU the gradient of the products with w. There may be no biases, initial states and gradient of
// c.
#pragma once

#include <cstdint>

#include "glia/op.h"
#include "glia/ops.h"

namespace glia {

struct Recurrence {
  enum Cell : int64_t { kLSTM, kGRU, kTanh, kReLU };
  enum In { kX, kW, kBiasIH, kBiasHH, kH0, kC0 };
  enum Out { kY, kC, kGates, kInner };
  struct Backward {
    enum In { kGates, kW, kY, kInner, kH0, kC0, kGy, kGc };
    enum Out { kDx, kDh0, kDc0, kDproducts };
  };

  Cell cell = kLSTM;
  GLIA_ATTRIBUTES(cell)

  int64_t gates() const { return cell == kLSTM ? 4 : cell == kGRU ? 3 : 1; }
};

// What lstm(), gru() and rnn() are given. With lengths (N), integers from 0 to T, sequences end
// earlier, and x is finite behind them: `out` is zero behind them, and last states are those of
// each one's last step.
struct RecurrentOperands {
  const Tensor &x, &weight_ih, &weight_hh, &bias_ih, &bias_hh, &h0, &c0;
  Tensor lengths = {};
};
LSTMResult recurrent_layer(const char* op, Recurrence::Cell cell, const RecurrentOperands& in,
                           const Where& where);

}  // namespace glia
