// Operands of elementwise functions that are computed in f32 or f64: 16-bit floats in f32.
#pragma once

#include "ops/private.h"

namespace glia {

// One, and the dtype of the result.
struct Given {
  Tensor x;
  DType dtype;
  Given(const char* op, const Operand& operand) {
    const Tensor t = as_float(op, operand);
    dtype = t.dtype();
    x = cast(t, sum_dtype(dtype));
  }
  Tensor result(const Tensor& y) const { return cast(y, dtype); }
};

// Two in the dtype that they have together, broadcast to one shape.
struct Both {
  Tensor a, b;
  DType dtype;
  Both(const char* op, const Operand& x, const Operand& y) {
    for (const Operand* one : {&x, &y}) {
      if (!one->is_scalar()) require_defined(op, one->tensor(), one->where());
    }
    const Tensor joint = maximum(x, y);  // says what they are together, and is not computed
    dtype = is_float(joint.dtype()) ? joint.dtype() : kF32;
    const auto spread = [&](const Operand& one) {
      return expand(cast(cast(one, dtype), sum_dtype(dtype)), joint.shape(), one.where());
    };
    a = spread(x);
    b = spread(y);
  }
  Tensor result(const Tensor& y) const { return cast(y, dtype); }
};

}  // namespace glia
