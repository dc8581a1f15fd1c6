// Which kernels carry a matrix product or a convolution.
#include "backend/cpu/matrix.h"

#include <algorithm>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/onednn/onednn.h"
#include "runtime/threads.h"

namespace glia::cpu {
namespace {

Carrier carrier = Carrier::kBest;

// After a carrier that hands nothing on.
void run_epilogue(const Epilogue* epilogue, int64_t rows, int64_t columns) {
  if (!epilogue || rows * columns == 0) return;
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 14) / columns);
  parallel_for((rows + step - 1) / step, [&](int64_t i) {
    epilogue->run(epilogue->context, i * step, std::min(step, rows - i * step), 0, columns);
  });
}

}  // namespace

bool fits(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  const auto contiguous = [](int64_t rows, int64_t cols, int64_t row, int64_t col) {
    return (cols == 1 || col == 1) && (rows == 1 || row >= cols);
  };
  return contiguous(rows, cols, row, col) || contiguous(cols, rows, col, row);
}

void set_carrier_for_test(Carrier c) { carrier = c; }

void matmul(const MatmulShape& shape, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out,
            const Epilogue* epilogue) {
  const auto batch = static_cast<int64_t>(a_offsets.size());
  const bool own = carrier == Carrier::kBest ? gemm::pays(shape, batch) : carrier == Carrier::kOwn;
  if (own && gemm::can(shape)) {
    return gemm::matmul(shape, a_offsets, b_offsets, static_cast<const float*>(a),
                        static_cast<const float*>(b), static_cast<float*>(out), epilogue);
  }
  onednn::matmul(shape, a_offsets, b_offsets, a, b, out);
  run_epilogue(epilogue, shape.m, shape.n);
}

void conv2d(const ConvShape& shape, const void* x, const void* w, void* y,
            const Epilogue* epilogue) {
  onednn::conv2d(shape, x, w, y);
  run_epilogue(epilogue, shape.n * shape.oh * shape.ow, shape.o);
}

void conv2d_backward_data(const ConvShape& shape, const void* dy, const void* w, void* dx) {
  onednn::conv2d_backward_data(shape, dy, w, dx);
}

void conv2d_backward_weight(const ConvShape& shape, const void* x, const void* dy, void* dw) {
  onednn::conv2d_backward_weight(shape, x, dy, dw);
}

void trim_matrix_cache() { onednn::trim(); }

}  // namespace glia::cpu
