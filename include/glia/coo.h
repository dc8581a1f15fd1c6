// Sparse matrices by coordinates, and arithmetic of sparse matrices. The structure of each result
// is found on the host when it is called; values are tensors, through which gradients flow.
// Functions throw ShapeError for what does not fit.
#pragma once

#include <cstdint>

#include "glia/sparse.h"

namespace glia {

// A sparse matrix by its entries, in any order; those at one place count together.
struct Coo {
  Tensor indices;  // (2, K) i64 or i32: rows, then columns
  Tensor values;   // (K) f32 or f64
  Shape shape;     // (R, C)

  // What is not zero in x (R, C), or the entries of a.
  static Coo from_dense(const Tensor& x);
  static Coo from_csr(const Csr& a);
  // In order of rows, then columns, each place once.
  Coo coalesce() const;
  Coo transpose() const;
  Csr to_csr() const;
  Tensor to_dense() const;  // (R, C)
};

// a + factor * b, of one shape and dtype; an entry wherever either has one.
Csr add(const Csr& a, const Csr& b, double factor = 1, Where where = Where::current());
// Entry by entry a's values times b's, where both have an entry.
Csr mul(const Csr& a, const Csr& b, Where where = Where::current());
// The sparse product (R, M) x (M, C) (Gustavson 1978): an entry wherever a sum has a term.
Csr spspmm(const Csr& a, const Csr& b, Where where = Where::current());
// a's structure with values (x y)[r, c], x (R, D), y (D, C): nothing else of x y is computed.
Csr sddmm(const Csr& a, const Tensor& x, const Tensor& y, Where where = Where::current());
// Along the columns (1) or rows (0) of the entries that there are -> (R) or (C); -1: of all -> ().
Tensor sum(const Csr& a, int axis = -1, Where where = Where::current());
// Over the entries of each row, of which others count as minus infinity.
Csr softmax(const Csr& a, Where where = Where::current());

struct CgOptions {
  double rtol = 1e-5, atol = 0;  // of the residual's norm: at most max(rtol |b|, atol)
  int64_t maxiter = 0;           // 0: 10 R
  bool jacobi = false;           // preconditioned by the diagonal
};
// x of A x = b for a symmetric positive definite A (R, R) by conjugate gradients (Hestenes &
// Stiefel 1952): b (R) or (R, K), each column by itself. Differentiable in b and in the values, as
// of a matrix that need not stay symmetric. Throws ValueError, when the value is computed, if it
// does not converge.
Tensor cg(const Csr& a, const Tensor& b, const CgOptions& options = {},
          Where where = Where::current());

}  // namespace glia
