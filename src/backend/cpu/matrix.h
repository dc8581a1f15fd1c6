// Matrix products and convolutions in f32 and bf16, behind one interface: carried by oneDNN.
// All are bit-identical for any number of threads: work is cut by shape and each piece computed
// by one thread.
#pragma once

#include <cstdint>
#include <span>

#include "glia/dtype.h"
#include "ops/conv.h"

namespace glia::cpu {

// Products of a (m, k) and b (k, n), all of one shape. Strides are the elements between
// neighbours: a[i * a_row + j * a_col]; fits() says which can be used.
struct MatmulShape {
  DType dtype = kF32;  // of a, b and the output; kF32 or kBF16
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_col = 1;
  int64_t b_row = 0, b_col = 1;
};
// Whether a matrix of these sizes and strides has a contiguous axis and no overlapping rows.
bool fits(int64_t rows, int64_t cols, int64_t row, int64_t col);
// out (batch, m, n), contiguous; product i multiplies the matrices that start a_offsets[i] and
// b_offsets[i] elements after a and b. Both spans have `batch` entries.
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out);

void conv2d(const ConvShape& shape, const void* x, const void* w, void* y);
void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx);
void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw);

// Whether the processor has instructions for products in bf16.
bool has_bf16_products();
// Forgets cached primitives.
void trim_matrix_cache();

}  // namespace glia::cpu
