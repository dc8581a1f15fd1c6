// Matrix products and convolutions in f32 and bf16 by oneDNN; as in matrix.h.
#pragma once

#include "backend/cpu/matrix.h"

namespace glia::cpu::onednn {

void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out);

void conv2d(const ConvShape& shape, const void* x, const void* w, void* y);
void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx);
void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw);

// Forgets cached primitives.
void trim();

}  // namespace glia::cpu::onednn
