// Matrix products and convolutions in f32 and bf16 on the one matrix kernel.
#pragma once

#include "backend/cpu/matrix.h"

namespace glia::cpu::gemm {

struct Kernels;

// Whether this can be computed here, and if so, whether it measures no slower than oneDNN.
bool can(const MatmulShape& shape, int64_t batch);
bool pays(const MatmulShape& shape, int64_t batch);

// As in matrix.h. An epilogue is for a batch of one and more than one column.
void matmul(const Kernels& kernels, const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const float* a, const float* b, float* out,
            Epilogue* epilogue);
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const bfloat16* a, const bfloat16* b,
            bfloat16* out);

enum class Pass : uint8_t { kForward, kData, kWeight };
bool can(const ConvShape& shape, Pass pass);
bool pays(const ConvShape& shape, Pass pass);

void conv2d(const Kernels& kernels, const ConvShape& shape, const float* x, const float* w,
            float* y, Epilogue* epilogue, MemoryRef* kept = nullptr);
void conv2d_backward_data(const Kernels& kernels, const ConvShape& shape, const float* dy,
                          const float* w, float* dx, Epilogue* epilogue);
void conv2d_backward_weight(const ConvShape& shape, const float* x, const float* dy, float* dw);
void conv2d(const ConvShape& shape, const bfloat16* x, const bfloat16* w, bfloat16* y);
void conv2d_backward_data(const ConvShape& shape, const bfloat16* dy, const bfloat16* w,
                          bfloat16* dx);

}  // namespace glia::cpu::gemm
