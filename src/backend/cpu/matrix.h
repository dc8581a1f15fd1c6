// Matrix products and convolutions in f32 and bf16, behind one interface: carried by oneDNN.
// All are bit-identical for any number of threads: work is cut by shape and each piece computed
// by one thread.
#pragma once

#include <cstdint>
#include <utility>

#include "glia/dtype.h"

namespace glia::cpu {

struct MatmulShape {
  DType dtype = kF32;  // of all three; kF32 or kBF16
  int64_t batch = 1, m = 0, n = 0, k = 0;
  // Elements between neighbours: a[i * a_row + j * a_col], one of a_row and a_col being 1 (and
  // the same for b); a batch stride of 0 shares the matrix.
  int64_t a_batch = 0, a_row = 0, a_col = 1;
  int64_t b_batch = 0, b_row = 0, b_col = 1;
  bool operator==(const MatmulShape&) const = default;
};
// out (batch, m, n) contiguous = a (m, k) times b (k, n).
void matmul(const MatmulShape& shape, const void* a, const void* b, void* out);

// Cross-correlation of x (N, H, W, C) with w (O, kH, kW, C / groups) to y (N, oH, oW, O).
struct ConvShape {
  DType dtype = kF32;
  int64_t n = 0, h = 0, w = 0, c = 0, o = 0, kh = 0, kw = 0, oh = 0, ow = 0;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
  bool operator==(const ConvShape&) const = default;
};
void conv2d(const ConvShape& shape, const void* x, const void* w, void* y);
void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx);
void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw);

// Forgets cached primitives and their scratch memory.
void trim_matrix_cache();

}  // namespace glia::cpu
