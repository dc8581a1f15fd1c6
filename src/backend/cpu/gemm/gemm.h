// Matrix products and convolutions on the one matrix kernel.
#pragma once

#include "backend/cpu/matrix.h"

namespace glia::cpu::gemm {

template <class T>
struct Kernels;

// Whether this can be computed here, and if so, whether it measures no slower than oneDNN.
bool can(const MatmulShape& shape, int64_t batch);
bool pays(const MatmulShape& shape, int64_t batch);

// As in matrix.h; T is float, double or int32_t. An epilogue is for a batch of one and more than
// one column.
template <class T>
void matmul(const Kernels<T>& kernels, const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const T* a, const T* b, T* out, Epilogue* epilogue);
void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const bfloat16* a, const bfloat16* b,
            bfloat16* out);

bool can(const ConvShape& shape, Pass pass);
bool pays(const ConvShape& shape, Pass pass);

// T is float or double.
template <class T>
void conv2d(const Kernels<T>& kernels, const ConvShape& shape, const T* x, const T* w, T* y,
            Epilogue* epilogue, MemoryRef* kept = nullptr);
template <class T>
void conv2d_backward_data(const Kernels<T>& kernels, const ConvShape& shape, const T* dy,
                          const T* w, T* dx, Epilogue* epilogue);
template <class T>
void conv2d_backward_weight(const ConvShape& shape, const T* x, const T* dy, T* dw);
void conv2d(const ConvShape& shape, const bfloat16* x, const bfloat16* w, bfloat16* y);
void conv2d_backward_data(const ConvShape& shape, const bfloat16* dy, const bfloat16* w,
                          bfloat16* dx);

}  // namespace glia::cpu::gemm
