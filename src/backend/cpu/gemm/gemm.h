// Matrix products and convolutions in f32 on the one matrix kernel.
#pragma once

#include "backend/cpu/matrix.h"

namespace glia::cpu::gemm {

// Whether this can be computed here, and whether it measures no slower than oneDNN.
bool can(const MatmulShape& shape);
bool pays(const MatmulShape& shape, int64_t batch);

// As in matrix.h.
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const float* a, const float* b, float* out,
            const Epilogue* epilogue);

}  // namespace glia::cpu::gemm
