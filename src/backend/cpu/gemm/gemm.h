// Matrix products and convolutions in f32 on the one matrix kernel.
#pragma once

#include "backend/cpu/matrix.h"

namespace glia::cpu::gemm {

// Whether this processor and these shapes can be had here.
bool carries(const MatmulShape& shape);

// As in matrix.h.
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const float* a, const float* b, float* out,
            const Epilogue* epilogue);

}  // namespace glia::cpu::gemm
