// Matrix products and convolutions as recorded: how a call becomes one of matrix.h.
#include "backend/cpu/jit/kernel.h"
#include "backend/cpu/matrix.h"
#include "backend/cpu/simd/tile.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "runtime/backend.h"
#include "runtime/threads.h"

namespace glia {
namespace {

// One operand's matrices, copied row by row where the kernels cannot take their strides.
struct Matrices {
  const void* data;
  int64_t row, col;
  std::vector<int64_t> offsets;
  MemoryRef copied;

  Matrices(const Array& in, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride,
           std::vector<int64_t> starts)
      : data(in.data), row(row_stride), col(col_stride), offsets(std::move(starts)) {
    if (offsets.empty() || cpu::fits(rows, cols, row, col)) return;
    const int64_t size = static_cast<int64_t>(size_of(in.dtype));
    const int64_t count = static_cast<int64_t>(offsets.size()) * rows;
    copied = MemoryRef(allocate_memory(static_cast<size_t>(count * cols * size)));
    char* const to = static_cast<char*>(copied->data);
    parallel_for(count, [&](int64_t i) {
      const int64_t from = offsets[i / rows] + i % rows * row;
      cpu::copy_strided(to + i * cols * size, 1, in.as<char>() + from * size, col, cols, size);
    });
    for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<int64_t>(i) * rows * cols;
    data = to;
    row = cols;
    col = 1;
  }
};

void run_matmul(const KernelCall& call) {
  MatmulLayout at(call);
  const Matrices a(call.in[0], at.m, at.k, at.a_row, at.a_col, std::move(at.a_offsets));
  const Matrices b(call.in[1], at.k, at.n, at.b_row, at.b_col, std::move(at.b_offsets));
  const cpu::MatmulShape shape{.dtype = call.out[0].dtype,
                               .m = at.m,
                               .n = at.n,
                               .k = at.k,
                               .a_row = a.row,
                               .a_col = a.col,
                               .b_row = b.row,
                               .b_col = b.col};
  cpu::matmul(shape, a.offsets, b.offsets, a.data, b.data, call.out[0].data, call.epilogue);
}

void run_conv2d(const KernelCall& call) {
  const Array &x = call.in[0], &w = call.in[1], &y = call.out[0];
  cpu::conv2d(conv_shape(x, w, y, call.attributes<ConvAttributes>()), x.data, w.data, y.data,
              call.epilogue, call.kept);
}

void run_backward_data(const KernelCall& call) {
  const Array &dy = call.in[0], &w = call.in[1], &dx = call.out[0];
  cpu::conv2d_backward_data(conv_shape(dx, w, dy, call.attributes<ConvAttributes>()), dy.data,
                            w.data, dx.data, call.epilogue);
}

void run_backward_weight(const KernelCall& call) {
  const Array &x = call.in[0], &dy = call.in[1], &dw = call.out[0];
  cpu::conv2d_backward_weight(conv_shape(x, dw, dy, call.attributes<ConvAttributes>()), x.data,
                              dy.data, dw.data);
}

// Of f64 and i32, which oneDNN does not know.
bool is_own(const Recorded& node) { return cpu::has_own(node.dtype()); }
// The places of x, w and y among the inputs; -1: the result.
template <int kX, int kW, int kY, cpu::Pass kPass>
bool is_own_conv(const Recorded& node) {
  const auto shape = [&](int i) { return i < 0 ? node.shape() : node.in_shape(i); };
  return cpu::has_own(
      conv_shape(node.dtype(), shape(kX), shape(kW), shape(kY), node.attributes<ConvAttributes>()),
      kPass);
}

const RegisterKernel kernels[] = {
    {{"matmul", {kF32}, [] { return run_matmul; }, true}},
    {{"matmul", {kBF16}, [] { return run_matmul; }}},
    {{"matmul", {kF64, kI32}, [] { return run_matmul; }, false, is_own}},
    {{"conv2d", {kF32}, [] { return run_conv2d; }, true}},
    {{"conv2d", {kBF16}, [] { return run_conv2d; }}},
    {{"conv2d_backward_data", {kF32}, [] { return run_backward_data; }, true}},
    {{"conv2d_backward_data", {kBF16}, [] { return run_backward_data; }}},
    {{"conv2d_backward_weight", {kF32, kBF16}, [] { return run_backward_weight; }}},
    {{"conv2d",
      {kF64},
      [] { return run_conv2d; },
      false,
      is_own_conv<0, 1, -1, cpu::Pass::kForward>}},
    {{"conv2d_backward_data",
      {kF64},
      [] { return run_backward_data; },
      false,
      is_own_conv<-1, 1, 0, cpu::Pass::kData>}},
    {{"conv2d_backward_weight",
      {kF64},
      [] { return run_backward_weight; },
      false,
      is_own_conv<0, -1, 1, cpu::Pass::kWeight>}},
};

}  // namespace

void multiply_squares(DType dtype, int64_t n, const void* a, const void* b, void* out) {
  const cpu::MatmulShape shape{.dtype = dtype, .m = n, .n = n, .k = n, .a_row = n, .b_row = n};
  const int64_t start[] = {0};
  cpu::matmul(shape, start, start, a, b, out);
}

bool has_fast_bf16() { return cpu::has_bf16_products(); }

void trim_kernel_caches() {
  cpu::trim_matrix_cache();
  cpu::jit::trim_code();
}

}  // namespace glia
