// The one matrix kernel: a block of C, summed over a batch of products of a matrix A, read where
// it lies, and a matrix B of contiguous vectors (Georganas et al., "High-performance deep learning
// via a single building block", 2020).
#pragma once

#include <cstdint>

namespace glia::cpu::gemm {

// c (rows, columns) = or += sum over i < batch of A_i (rows, k) B_i (k, columns), where
//   A_i[r][l] = a[i * a_batch + r * a_row + l * a_col], a_row or a_col being 1;
//   B_i[l][j] = b[i * b_batch + l * b_row + j / W * b_panel + j % W], W = lanes().
// Every element is summed in the order of i and l; integers wrap.
template <class T>
struct Block {
  int64_t rows = 0, columns = 0, k = 0;
  const T* a = nullptr;
  int64_t a_row = 0, a_col = 1;
  const T* b = nullptr;
  int64_t b_row = 0, b_panel = 0;
  T* c = nullptr;
  int64_t c_row = 0;
  int64_t batch = 1, a_batch = 0, b_batch = 0;
  bool add = false;
  bool padded = false;  // b's last vectors may be read whole
};
template <class T>
using BlockFunction = void (*)(const Block<T>&);

// out[r * out_row + c] = in[c * in_row + r] for r < rows, c < columns.
template <class T>
using TransposeFunction = void (*)(T* out, int64_t out_row, const T* in, int64_t in_row,
                                   int64_t rows, int64_t columns);

// c[t * c_thin + w * c_wide] = the sum over l < k of x[t * x_row + l] y[w * y_row + l], for
// t < thin, w < wide: two matrices of contiguous rows, one of them with few.
template <class T>
struct Dots {
  int64_t thin = 0, wide = 0, k = 0;
  const T* x = nullptr;
  int64_t x_row = 0;
  const T* y = nullptr;
  int64_t y_row = 0;
  T* c = nullptr;
  int64_t c_thin = 0, c_wide = 0;
};
template <class T>
using DotsFunction = void (*)(const Dots<T>&);

// out[j] = the pair of a[j] and b[j], for j < n; a in the lower half.
using InterleaveFunction = void (*)(const uint16_t* a, const uint16_t* b, int64_t n, uint32_t* out);

template <class T>
struct Kernels {
  int64_t lanes;  // of a vector
  int64_t rows;   // of C that are computed at a time, at most
  bool pairs;     // what a float of A and B holds is a pair of bf16
  BlockFunction<T> block;
  TransposeFunction<T> transpose;
  DotsFunction<T> dots;
};
// For the instruction set in use; null below AVX2. T is float, double or int32_t.
template <class T>
const Kernels<T>* kernels();
// The same on pairs of bf16, neighbours along k, which is then half as long; C is f32 all the same.
// Null where the processor has no instruction for it.
const Kernels<float>* pair_kernels();
InterleaveFunction interleave_pairs();

}  // namespace glia::cpu::gemm
