// Products of arrays: einsum, tensordot, outer products, distances.
#pragma once

#include "glia/ops.h"

namespace glia {

// Einstein summation in NumPy's notation: "ij,jk->ik", "ij,jk" (without an arrow the letters that
// occur once, sorted), "...ij,...jk", "ii->i". Axes of size 1 broadcast. The order of contractions
// is found once for each equation and shapes, for up to six operands the one of least arithmetic,
// for more step by step; each is a matrix product. A ShapeError says what is wrong with an
// equation.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands,
              Where where = Where::current());
// Sums over the last `axes` axes of a and the first of b, or over pairs of axes.
Tensor tensordot(const Tensor& a, const Tensor& b, int axes = 2, Where where = Where::current());
Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& axes_a, const Axes& axes_b,
                 Where where = Where::current());
// (N) x (M) -> (N, M).
Tensor outer(const Tensor& a, const Tensor& b, Where where = Where::current());
// Over the last axis of both: (..., K) x (..., K) -> (..., ...).
Tensor inner(const Tensor& a, const Tensor& b, Where where = Where::current());
Tensor dot(const Tensor& a, const Tensor& b, Where where = Where::current());
Tensor vdot(const Tensor& a, const Tensor& b, Where where = Where::current());
// Over the axis; leading axes broadcast.
Tensor vecdot(const Tensor& a, const Tensor& b, int axis = -1, Where where = Where::current());
// Of vectors of three along the axis.
Tensor cross(const Tensor& a, const Tensor& b, int axis = -1, Where where = Where::current());
Tensor mv(const Tensor& a, const Tensor& x, Where where = Where::current());
Tensor mm(const Tensor& a, const Tensor& b, Where where = Where::current());
Tensor bmm(const Tensor& a, const Tensor& b, Where where = Where::current());
struct AddmmOptions {
  double beta = 1, alpha = 1;  // of what is added, and of the product; of beta 0 it is not read
};
// beta x + alpha a b: of matrices, of a matrix and a vector, of batches, and outer.
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options = {},
             Where where = Where::current());
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options = {},
             Where where = Where::current());
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options = {},
               Where where = Where::current());
Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options = {},
            Where where = Where::current());
// The matrices (..., M, M) to a power >= 0, by squaring.
Tensor matrix_power(const Tensor& x, int64_t n, Where where = Where::current());
// Every element of a times all of b.
Tensor kron(const Tensor& a, const Tensor& b, Where where = Where::current());
// Distances of rows a (..., P, M) and b (..., R, M) in the p-norm -> (..., P, R), summed directly:
// exact for rows that are close. The gradient at distance 0 is 0.
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2, Where where = Where::current());
// Of all pairs of rows (N, M), in order -> (N (N - 1) / 2).
Tensor pdist(const Tensor& x, double p = 2, Where where = Where::current());

}  // namespace glia
