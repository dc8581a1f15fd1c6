// Convolutions of 3x3 at stride 1 with a quarter of the multiplications (Winograd 1980; Lavin &
// Gray, "Fast algorithms for convolutional neural networks", 2016).
#pragma once

#include "backend/cpu/gemm/kernel.h"
#include "backend/cpu/matrix.h"
#include "core/node.h"

namespace glia::cpu::gemm::winograd {

// Whether this can be computed here, and whether it measures no slower than the sum itself;
// `gradient`: of the weights.
bool can(const ConvShape& shape);
bool pays(const ConvShape& shape, bool gradient);

// Weights (9 C, O), as pack_columns leaves them, for correlate(): 36 matrices (C, O) of that form.
MemoryRef transform_weights(const Kernels<float>& kernels, int64_t c, int64_t o,
                            const float* packed);

// y (N, oH, oW, O), positions y_row floats apart; the 36 matrices lie `matrix` floats apart.
void correlate(const Kernels<float>& kernels, const ConvShape& shape, const float* x,
               const float* matrices, int64_t matrix, float* y, int64_t y_row, Epilogue* epilogue);

// dw (O, 3, 3, C).
void weight_gradient(const Kernels<float>& kernels, const ConvShape& shape, const float* x,
                     const float* dy, float* dw);

}  // namespace glia::cpu::gemm::winograd
