// What the operations of linear algebra share: checks, batches, parts of matrices.
#pragma once

#include <string>
#include <utility>

#include "glia/linalg.h"
#include "glia/op.h"
#include "math/dense.h"

namespace glia::linalg {

// ---- Checks -----------------------------------------------------------------------------------

// Fails unless a is defined, f32 or f64 and of rank 2 or more, with sizes that LAPACK counts;
// square if asked.
void require_matrix(const char* op, const Tensor& a, const Where& where, bool square = false);
void require_square(const char* op, const Tensor& a, const Where& where);
// "op: the matrix [of batch element i] " + what, as a ValueError.
[[noreturn]] void fail_matrix(const char* op, const Shape& shape, int64_t i,
                              const std::string& what);

// ---- Shapes -----------------------------------------------------------------------------------

// The axes in front of the last `count`.
Shape batch_of(const Shape& shape, int count = 2);
// These, then the sizes.
Shape joined(Shape batch, std::initializer_list<int64_t> sizes);
// Both with the batches that they broadcast to, and matrices as they are.
std::pair<Tensor, Tensor> same_batch(const char* op, const Tensor& a, const Tensor& b,
                                     const Where& where);

// What a kernel sees of an array of matrices.
struct Sizes {
  int64_t batch = 1, rows, cols;
  explicit Sizes(const Shape& shape);
  int64_t least() const { return std::min(rows, cols); }
  int64_t size() const { return rows * cols; }
};
// The array's data from matrix i on, null if it has none.
template <class T>
T* matrix(const Array& a, int64_t i, int64_t size) {
  return a.data ? a.as<T>() + i * size : nullptr;
}
template <class T>
bool all_finite(const T* x, int64_t count) {
  T sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i] * 0;
  return sum == 0;
}
// Calls run<float> or run<double> by the first input's dtype.
#define GLIA_RUN(function)                                                     \
  [](const KernelCall& call) {                                                 \
    call.in[0].dtype == kF64 ? function<double>(call) : function<float>(call); \
  }

// ---- Recording --------------------------------------------------------------------------------

// The batch rule of operations on the last axes of all their inputs.
Tensor batch_in_front(const Recorded& one, std::span<const Tensor> inputs,
                      std::span<const bool> batched, int64_t size);
// A result within a gradient rule.
inline Tensor result(const Vjp& v, int which, const Shape& shape) {
  return v.out(which).defined() ? v.out(which) : output(v.out(), which, shape, v.dtype());
}

// ---- Parts ------------------------------------------------------------------------------------

inline Tensor t(const Tensor& x) { return transpose(x, -2, -1); }
// What is on or above (below) diagonal k counted to the right, else zeros.
Tensor upper_part(const Tensor& x, int64_t k = 0);
Tensor lower_part(const Tensor& x, int64_t k = 0);
Tensor rows_of(const Tensor& x, int64_t first, int64_t last);
Tensor cols_of(const Tensor& x, int64_t first, int64_t last);
// (..., N) -> (..., N, N), and the diagonal of (..., M, N).
Tensor diagonal_matrix(const Tensor& x);
Tensor diagonal_of(const Tensor& x);
// The identity for each matrix of a batch.
Tensor identity(const Shape& batch, int64_t n, DType dtype);
// Rows of x (..., M, N) at positions (..., M), i64.
Tensor permute_rows(const Tensor& x, const Tensor& positions);
// a + b, of which either may be undefined.
Tensor added(const Tensor& a, const Tensor& b);

// b as matrices that fit a, and whether the result is a vector as b was.
struct RightSide {
  Tensor b;
  bool vector = false;
};
RightSide right_side(const char* op, const Tensor& a, const Tensor& b, bool left,
                     const Where& where);
// op(a)^-1 b as an operation on matrices of one batch.
Tensor divide_triangular(const Tensor& a, const Tensor& b, const dense::Triangle& kind,
                         const Where& where);
// L\U, pivots and the rows' permutation: A[perm[i]] = (L U)[i].
struct Factors {
  Tensor lu, pivots, perm;
};
Factors factorise(const Tensor& a, const Where& where);

}  // namespace glia::linalg
