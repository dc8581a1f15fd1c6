// Matrix products and convolutions behind one interface: carried by the own matrix kernel (gemm/)
// or, in f32 and bf16 where that is slower or cannot, by oneDNN. All are bit-identical for any
// number of threads: work is cut by shape and each piece computed by one thread.
#pragma once

#include <cstdint>
#include <span>

#include "core/op.h"
#include "glia/dtype.h"
#include "ops/conv.h"

namespace glia::cpu {

// Products of a (m, k) and b (k, n), all of one shape. Strides are the elements between
// neighbours: a[i * a_row + j * a_col]; fits() says which can be used.
struct MatmulShape {
  DType dtype = kF32;  // of a, b and the output; kF32, kBF16, or what has_own() says
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_col = 1;
  int64_t b_row = 0, b_col = 1;
};
// Whether a matrix of these sizes and strides has a contiguous axis and no overlapping rows.
bool fits(int64_t rows, int64_t cols, int64_t row, int64_t col);

// out (batch, m, n), contiguous; product i multiplies the matrices that start a_offsets[i] and
// b_offsets[i] elements after a and b. Both spans have `batch` entries. Rows of an epilogue: those
// of all products.
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out,
            Epilogue* epilogue = nullptr);

// Whether there are products of f64 or i32 on this processor, and this convolution in f64.
bool has_own(DType dtype);
enum class Pass : uint8_t { kForward, kData, kWeight };
bool has_own(const ConvShape& shape, Pass pass);

// Rows of an epilogue: the positions of all images. Columns: the channels. `kept`: see KernelCall.
void conv2d(const ConvShape& shape, const void* x, const void* w, void* y,
            Epilogue* epilogue = nullptr, MemoryRef* kept = nullptr);
void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx,
                          Epilogue* epilogue = nullptr);
void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw);

// For carriers that hand nothing on while they work: all of a finished output (rows, columns).
void hand_on(Epilogue* epilogue, int64_t rows, int64_t columns);

// For tests and benchmarks: who computes, where there is a choice.
enum class Carrier : uint8_t { kBest, kOwn, kOnednn };
void set_carrier_for_test(Carrier carrier);

// Whether the processor has instructions for products in bf16.
bool has_bf16_products();
// Forgets cached primitives.
void trim_matrix_cache();

}  // namespace glia::cpu
