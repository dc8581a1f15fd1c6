// Which kernels carry a matrix product or a convolution.
#include "backend/cpu/matrix.h"

#include <algorithm>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernel.h"
#include "backend/cpu/onednn/onednn.h"
#include "runtime/threads.h"

namespace glia::cpu {
namespace {

Carrier carrier = Carrier::kBest;

// Whether the own kernel computes this; `more`: the batch or the pass.
template <class Shape, class More>
bool own(const Shape& shape, More more) {
  if (carrier == Carrier::kOnednn || !gemm::can(shape, more)) return false;
  return carrier == Carrier::kOwn || gemm::pays(shape, more);
}

template <class T>
void own_matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
                std::span<const int64_t> b_offsets, const void* a, const void* b, void* out,
                Epilogue* epilogue) {
  const auto batch = static_cast<int64_t>(a_offsets.size());
  const bool inside = batch == 1 && shape.n > 1;
  gemm::matmul(*gemm::kernels<T>(), shape, a_offsets, b_offsets, static_cast<const T*>(a),
               static_cast<const T*>(b), static_cast<T*>(out), inside ? epilogue : nullptr);
  if (!inside) hand_on(epilogue, batch * shape.m, shape.n);
}

template <class T>
void own_conv2d(const ConvShape& shape, const void* x, const void* w, void* y, Epilogue* epilogue,
                MemoryRef* kept) {
  gemm::conv2d(*gemm::kernels<T>(), shape, static_cast<const T*>(x), static_cast<const T*>(w),
               static_cast<T*>(y), epilogue, kept);
}

template <class T>
void own_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx,
                       Epilogue* epilogue) {
  gemm::conv2d_backward_data(*gemm::kernels<T>(), shape, static_cast<const T*>(dy),
                             static_cast<const T*>(w), static_cast<T*>(dx), epilogue);
}

template <class T>
void own_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw) {
  gemm::conv2d_backward_weight(shape, static_cast<const T*>(x), static_cast<const T*>(dy),
                               static_cast<T*>(dw));
}

}  // namespace

bool has_own(DType dtype) {
  return dtype == kF64   ? gemm::kernels<double>() != nullptr
         : dtype == kI32 ? gemm::kernels<int32_t>() != nullptr
                         : false;
}

bool has_own(const ConvShape& shape, Pass pass) {
  return has_own(shape.dtype) && gemm::can(shape, pass);
}

bool fits(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  const auto contiguous = [](int64_t rows, int64_t cols, int64_t row, int64_t col) {
    return (cols == 1 || col == 1) && (rows == 1 || row >= cols);
  };
  return contiguous(rows, cols, row, col) || contiguous(cols, rows, col, row);
}

void set_carrier_for_test(Carrier c) { carrier = c; }

void hand_on(Epilogue* epilogue, int64_t rows, int64_t columns) {
  if (!epilogue || rows * columns == 0) return;
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 14) / columns);
  const int64_t parts = (rows + step - 1) / step;
  epilogue->begin(parts);
  parallel_for(parts, [&](int64_t i) {
    epilogue->run({i, i * step, std::min(step, rows - i * step), 0, columns});
  });
}

void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out,
            Epilogue* epilogue) {
  const auto batch = static_cast<int64_t>(a_offsets.size());
  if (shape.dtype == kF64)
    return own_matmul<double>(shape, a_offsets, b_offsets, a, b, out, epilogue);
  if (shape.dtype == kI32)
    return own_matmul<int32_t>(shape, a_offsets, b_offsets, a, b, out, epilogue);
  const bool mine = own(shape, batch);
  if (mine && shape.dtype == kF32)
    return own_matmul<float>(shape, a_offsets, b_offsets, a, b, out, epilogue);
  if (mine) {
    gemm::matmul(shape, a_offsets, b_offsets, static_cast<const bfloat16*>(a),
                 static_cast<const bfloat16*>(b), static_cast<bfloat16*>(out));
  } else {
    onednn::matmul(shape, a_offsets, b_offsets, a, b, out);
  }
  hand_on(epilogue, batch * shape.m, shape.n);
}

void conv2d(const ConvShape& shape, const void* x, const void* w, void* y, Epilogue* epilogue,
            MemoryRef* kept) {
  if (shape.dtype == kF64) return own_conv2d<double>(shape, x, w, y, epilogue, kept);
  const bool mine = own(shape, Pass::kForward);
  if (mine && shape.dtype == kF32) return own_conv2d<float>(shape, x, w, y, epilogue, kept);
  if (mine) {
    gemm::conv2d(shape, static_cast<const bfloat16*>(x), static_cast<const bfloat16*>(w),
                 static_cast<bfloat16*>(y));
  } else {
    onednn::conv2d(shape, x, w, y);
  }
  hand_on(epilogue, shape.n * shape.oh * shape.ow, shape.o);
}

void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx,
                          Epilogue* epilogue) {
  if (shape.dtype == kF64) return own_backward_data<double>(shape, dy, w, dx, epilogue);
  const bool mine = own(shape, Pass::kData);
  if (mine && shape.dtype == kF32) return own_backward_data<float>(shape, dy, w, dx, epilogue);
  if (mine) {
    gemm::conv2d_backward_data(shape, static_cast<const bfloat16*>(dy),
                               static_cast<const bfloat16*>(w), static_cast<bfloat16*>(dx));
  } else {
    onednn::conv2d_backward_data(shape, dy, w, dx);
  }
  hand_on(epilogue, shape.n * shape.h * shape.w, shape.c);
}

void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw) {
  if (shape.dtype == kF64) return own_backward_weight<double>(shape, x, dy, dw);
  if (!own(shape, Pass::kWeight)) return onednn::conv2d_backward_weight(shape, x, dy, dw);
  own_backward_weight<float>(shape, x, dy, dw);
}

void trim_matrix_cache() { onednn::trim(); }

}  // namespace glia::cpu
