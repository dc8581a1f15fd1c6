// Movement and building of arrays: what NumPy and PyTorch have beside reshape, slices and joins.
#pragma once

#include <optional>

#include "glia/ops.h"

namespace glia {

// ---- Axes -------------------------------------------------------------------------------------

// The axes `source` brought to the places `destination`; the others stay in order.
Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination,
               Where where = Where::current());
Tensor swapaxes(const Tensor& x, int axis0, int axis1, Where where = Where::current());
Tensor atleast_1d(const Tensor& x, Where where = Where::current());
Tensor atleast_2d(const Tensor& x, Where where = Where::current());
Tensor atleast_3d(const Tensor& x, Where where = Where::current());
Tensor broadcast_to(const Tensor& x, const Shape& shape, Where where = Where::current());
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& parts,
                                      Where where = Where::current());

// ---- Parts ------------------------------------------------------------------------------------

// `length` elements of the axis from `start` on, which may count from the end.
Tensor narrow(const Tensor& x, int axis, int64_t start, int64_t length,
              Where where = Where::current());
std::vector<Tensor> unbind(const Tensor& x, int axis = 0, Where where = Where::current());
// At most `chunks` parts of equal size; the last may be smaller.
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int axis = 0,
                          Where where = Where::current());
// Exactly so many parts, the first ones larger by one; or cut before each index.
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int axis = 0,
                                 Where where = Where::current());
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<int64_t>& indices, int axis = 0,
                                 Where where = Where::current());
// All windows of `size` along the axis, `step` apart, as a new last axis.
Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step,
              Where where = Where::current());
// All windows of that shape over the axes (all when empty), as new last axes.
Tensor sliding_window_view(const Tensor& x, const Shape& window, const Axes& axes = {},
                           Where where = Where::current());

// ---- Joining and repeating --------------------------------------------------------------------

Tensor hstack(const std::vector<Tensor>& parts, Where where = Where::current());
Tensor vstack(const std::vector<Tensor>& parts, Where where = Where::current());
Tensor dstack(const std::vector<Tensor>& parts, Where where = Where::current());
Tensor column_stack(const std::vector<Tensor>& parts, Where where = Where::current());
// x so often along each axis; missing ones come in front.
Tensor repeat(const Tensor& x, const Shape& repeats, Where where = Where::current());
// The same, where missing repeats are 1.
Tensor tile(const Tensor& x, const Shape& repeats, Where where = Where::current());
// Each element so often; without an axis of the flattened x. Repeats (N) are read at once.
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int> axis = {},
                         Where where = Where::current());
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> axis = {},
                         Where where = Where::current());
// What goes out at one end comes in at the other. Without axes x is flattened meanwhile.
Tensor roll(const Tensor& x, const std::vector<int64_t>& shifts, const Axes& axes = {},
            Where where = Where::current());
// A quarter turn in the plane of two axes, from the first to the second, k times.
Tensor rot90(const Tensor& x, int64_t k = 1, std::pair<int64_t, int64_t> axes = {0, 1},
             Where where = Where::current());
Tensor flipud(const Tensor& x, Where where = Where::current());
Tensor fliplr(const Tensor& x, Where where = Where::current());

// ---- Diagonals and triangles ------------------------------------------------------------------

// Zero above, or below, a diagonal of the last two axes.
Tensor tril(const Tensor& x, int64_t diagonal = 0, Where where = Where::current());
Tensor triu(const Tensor& x, int64_t diagonal = 0, Where where = Where::current());
// The positions of a triangle of (rows, columns): (2, count) i64.
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset = 0);
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset = 0);
// A diagonal of two axes as the last axis.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int axis0 = 0, int axis1 = 1,
                Where where = Where::current());
// The last axis as a diagonal of two new axes, zero elsewhere.
Tensor diag_embed(const Tensor& x, int64_t offset = 0, int axis0 = -2, int axis1 = -1,
                  Where where = Where::current());
// The diagonal of a matrix, or the matrix of a diagonal.
Tensor diag(const Tensor& x, int64_t diagonal = 0, Where where = Where::current());
// The matrix with all elements of x on a diagonal.
Tensor diagflat(const Tensor& x, int64_t offset = 0, Where where = Where::current());
Tensor trace(const Tensor& x, Where where = Where::current());
// The matrices along the diagonal of one; rank 0 and 1 are rows.
Tensor block_diag(const std::vector<Tensor>& parts, Where where = Where::current());

// ---- Building ---------------------------------------------------------------------------------

enum class MeshIndexing { kIj, kXy };
// Grids of coordinates; xy has the first two axes swapped.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes,
                             MeshIndexing indexing = MeshIndexing::kIj,
                             Where where = Where::current());
// Every way to take one of each, a row for each.
Tensor cartesian_prod(const std::vector<Tensor>& parts, Where where = Where::current());
// Every choice of r elements of x (N), a row for each.
Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false,
                    Where where = Where::current());
Tensor eye(int64_t n, int64_t m, DType dtype = kF32);
Tensor full_like(const Tensor& x, const Number& value, Where where = Where::current());
Tensor rand_like(const Tensor& x, Where where = Where::current());
Tensor randn_like(const Tensor& x, Where where = Where::current());
// base^start to base^end.
Tensor logspace(double start, double end, int64_t count, double base = 10, DType dtype = kF32);
// Powers of x (N): columns x^0 to x^(n - 1) if increasing, else the other way round; n: N if unset.
Tensor vander(const Tensor& x, std::optional<int64_t> n = {}, bool increasing = false,
              Where where = Where::current());

}  // namespace glia
