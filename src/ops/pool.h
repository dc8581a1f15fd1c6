// The sizes of a pooling, for the kernels that compute it.
#pragma once

#include <cstdint>
#include <span>

#include "core/op.h"

namespace glia {

// x (N, H, W, C) and y (N, oH, oW, C).
struct PoolShape {
  // Places of a recorded pooling's attributes.
  enum { kWindowH, kWindowW, kStrideH, kStrideW, kPadH, kPadW };

  PoolShape(const Shape& x, const Shape& y, std::span<const int64_t> attributes)
      : n(x[0]),
        h(x[1]),
        w(x[2]),
        c(x[3]),
        oh(y[1]),
        ow(y[2]),
        window_h(attributes[kWindowH]),
        window_w(attributes[kWindowW]),
        stride_h(attributes[kStrideH]),
        stride_w(attributes[kStrideW]),
        pad_h(attributes[kPadH]),
        pad_w(attributes[kPadW]) {}

  int64_t n, h, w, c, oh, ow;
  int64_t window_h, window_w, stride_h, stride_w, pad_h, pad_w;
};

}  // namespace glia
