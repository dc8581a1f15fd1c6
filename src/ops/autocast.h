// Mixed precision: in which dtype this thread's operations compute inside an Autocast.
#pragma once

#include "core/node.h"
#include "glia/ops.h"

namespace glia {

// Whether this thread is inside an Autocast(kBF16).
bool autocast_on();

// For products (matmul, linear, conv2d, ...): the dtype in which operands of this common dtype are
// multiplied, bf16 for all floats but f64 inside an Autocast.
DType product_dtype(DType common);
// An operand in that dtype. A parameter is cast once: the Autocast keeps it, until an optimizer
// steps.
Tensor product_operand(const Tensor& x, DType dtype, const Where& where);
// Before an optimizer steps: its parameters end.
void forget_cast_parameters();

// A product and its bias: added in f32 and rounded once.
Tensor with_bias(const Tensor& y, const Tensor& bias, const Where& where);

// For what stays in f32 (losses, norms, softmax, sums): inside an Autocast, a 16-bit float in f32.
Tensor full_precision(const Tensor& x, const Where& where);

}  // namespace glia
