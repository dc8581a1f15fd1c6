// The sizes of a convolution, for the kernels that compute it.
#pragma once

#include <cstdint>

#include "core/op.h"
#include "glia/tensor.h"

namespace glia {

// Of all three ops.
struct ConvAttributes {
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
  GLIA_ATTRIBUTES(stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups)
};

// Cross-correlation of x (N, H, W, C) with w (O, kH, kW, C / groups) to y (N, oH, oW, O). The
// padding below and to the right is what the sizes leave for it.
struct ConvShape {
  DType dtype = kF32;
  int64_t n = 0, h = 0, w = 0, c = 0, o = 0, kh = 0, kw = 0, oh = 0, ow = 0;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
  bool operator==(const ConvShape&) const = default;
};

// From the three arrays of a recorded convolution, whichever of them is the result.
ConvShape conv_shape(DType dtype, const Shape& x, const Shape& w, const Shape& y,
                     const ConvAttributes& attributes);
inline ConvShape conv_shape(const Array& x, const Array& w, const Array& y,
                            const ConvAttributes& attributes) {
  return conv_shape(x.dtype, x.layout.shape, w.layout.shape, y.layout.shape, attributes);
}

// The gradient of a convolution in its input as an operation: x (N, oH, oW, O), weight (O, kH, kW,
// C / groups) -> `out` (N, H, W, C).
Tensor record_conv2d_transposed(const char* op, const Tensor& x, const Tensor& weight,
                                const Shape& out, const ConvAttributes& attributes, Where where);

}  // namespace glia
