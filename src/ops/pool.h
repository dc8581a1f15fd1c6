// The sizes of a pooling, for the kernels that compute it.
#pragma once

#include <cstdint>

#include "core/op.h"

namespace glia {

struct PoolAttributes {
  int64_t window_h = 1, window_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  GLIA_ATTRIBUTES(window_h, window_w, stride_h, stride_w, pad_h, pad_w)
};

// x (N, H, W, C) and y (N, oH, oW, C).
struct PoolShape : PoolAttributes {
  PoolShape(const Shape& x, const Shape& y, const KernelCall& call)
      : PoolAttributes(call.attributes<PoolAttributes>()),
        n(x[0]),
        h(x[1]),
        w(x[2]),
        c(x[3]),
        oh(y[1]),
        ow(y[2]) {}

  int64_t n, h, w, c, oh, ow;
};

// One pooling of (N, H, W, C), as recorded: `y` may have windows that pass the end but begin before
// it. The mean is the sum divided by the window's size, whatever is inside.
Tensor record_max_pool2d(const Tensor& x, const PoolAttributes& windows, int64_t oh, int64_t ow,
                         const Where& where);
Tensor record_avg_pool2d(const Tensor& x, const PoolAttributes& windows, int64_t oh, int64_t ow,
                         const Where& where);

}  // namespace glia
