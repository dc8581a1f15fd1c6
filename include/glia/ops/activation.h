// Activations besides those of glia/ops.h, with PyTorch's names and defaults. Of 16-bit numbers
// they are computed in f32 and rounded once; at corners and ends derivatives are PyTorch's.
#pragma once

#include "glia/ops.h"

namespace glia {

// ---- Of each element --------------------------------------------------------------------------

// x where it is above the threshold, else the value.
Tensor threshold(const Operand& x, double threshold, double value);
// x between two values, which are what lies beyond them. Throws ShapeError unless min <= max.
Tensor hardtanh(const Operand& x, double min_val = -1, double max_val = 1);
Tensor relu6(const Operand& x);        // min(max(x, 0), 6)
Tensor hardsigmoid(const Operand& x);  // relu6(x + 3) / 6
Tensor hardswish(const Operand& x);    // x hardsigmoid(x) (Howard et al. 2019)
// x where it is beyond lambd on either side, else 0; softshrink moves it by lambd towards 0.
Tensor hardshrink(const Operand& x, double lambd = 0.5);
Tensor softshrink(const Operand& x, double lambd = 0.5);
Tensor tanhshrink(const Operand& x);  // x - tanh(x)
Tensor softsign(const Operand& x);    // x / (1 + |x|)
Tensor mish(const Operand& x);        // x tanh(softplus(x)) (Misra 2019)
// A scaled ELU whose outputs keep mean 0 and variance 1 (Klambauer et al. 2017).
Tensor selu(const Operand& x);
// max(x, 0) + min(alpha (exp(x / alpha) - 1), 0) (Barron 2017). Throws ShapeError for alpha 0.
Tensor celu(const Operand& x, double alpha = 1);
// log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold. Throws ShapeError
// for beta 0.
Tensor softplus(const Operand& x, double beta, double threshold = 20);
// How x Phi(x) is computed: exactly, or by 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
enum class GELUApproximate { kNone, kTanh };
Tensor gelu(const Operand& x, GELUApproximate approximate);
// x where it is positive, else x times the weight: one, or one for each channel, the last axis (He
// et al. 2015).
Tensor prelu(const Tensor& x, const Tensor& weight, Where where = Where::current());
// x where it is positive, else x times a slope: in training one drawn between lower and upper for
// each element, else their mean (Xu et al. 2015).
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
             Where where = Where::current());

// ---- Of the halves of an axis -----------------------------------------------------------------
// The axis is cut into halves a and b, and the result is half as long. Throws ShapeError for an odd
// size.

Tensor glu(const Tensor& x, int axis = -1, Where where = Where::current());  // a sigmoid(b)
// a silu(b) and a gelu(b) (Shazeer 2020).
Tensor swiglu(const Tensor& x, int axis = -1, Where where = Where::current());
Tensor geglu(const Tensor& x, int axis = -1, Where where = Where::current());

// ---- Along an axis ----------------------------------------------------------------------------

Tensor softmin(const Tensor& x, int axis = -1, Where where = Where::current());  // softmax(-x)
struct GumbelSoftmaxOptions {
  double tau = 1;     // temperature: above 0
  bool hard = false;  // 1 at the largest and 0 elsewhere, with the gradient of what is soft
  int axis = -1;
};
// A sample of the categorical distribution of these logits that has a gradient (Jang et al. 2017,
// Maddison et al. 2017).
Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxOptions& options = {},
                      Where where = Where::current());

}  // namespace glia
