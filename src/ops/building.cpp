// Diagonals, triangles, grids and other arrays made to a pattern.
#include <fmt/format.h>

#include <cmath>

#include "glia/ops/arrange.h"
#include "glia/random.h"
#include "ops/positions.h"

namespace glia {
namespace {

// Column less row of each element of a matrix of that size.
Tensor offsets(int64_t rows, int64_t columns) {
  return arange(columns) - unsqueeze(arange(rows), 1);
}

// Sums and differences of offsets stay within i64.
int64_t bounded(int64_t offset) {
  return std::clamp<int64_t>(offset, -INT64_MAX / 4, INT64_MAX / 4);
}

void require_matrix(const char* op, const Tensor& x, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() < 2) fail(op, "of rank 2 at least, not " + x.shape().str(), where);
}

// Where a diagonal of (rows, columns) lies among the flat positions, `columns` + 1 apart.
struct Diagonal {
  int64_t start = 0, count = 0;
  Diagonal(int64_t rows, int64_t columns, int64_t given) {
    const int64_t offset = bounded(given);
    start = offset >= 0 ? offset : -offset < rows ? multiply_sizes(-offset, columns) : 0;
    count = std::min(offset >= 0 ? rows : rows + offset, offset >= 0 ? columns - offset : columns);
    if (count <= 0) start = count = 0;
  }
};

// How many positions of the first rows lie left of column row + first.
__int128 below(int64_t rows, int64_t columns, int64_t first) {
  const int64_t begin = std::clamp<int64_t>(-first, 0, rows);
  const int64_t full = std::clamp<int64_t>(columns - first, begin, rows);  // rows from here on
  const __int128 some = full - begin;
  return some * (begin + first) + some * (some - 1) / 2 + __int128{rows - full} * columns;
}

Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t given, bool lower) {
  if (rows < 0 || columns < 0)
    throw ShapeError(fmt::format("{}: {} rows and {} columns", op, rows, columns));
  constexpr int64_t kMost = INT64_MAX / 4;
  const int64_t offset = bounded(given);
  rows = std::min(rows, kMost);
  columns = std::min(columns, kMost);
  const __int128 exact = lower ? below(rows, columns, offset + 1)
                               : __int128{rows} * columns - below(rows, columns, offset);
  const auto count = static_cast<int64_t>(std::min<__int128>(exact, INT64_MAX));
  return written_integers({2, count}, [&](int64_t* out) {
    // Each row from the first to the last of these has some.
    const int64_t first = lower ? std::clamp<int64_t>(-offset, 0, rows) : 0;
    int64_t* const end = out + count;
    for (int64_t r = first, *i = out, *j = end; i < end; ++r) {
      const int64_t from = lower ? 0 : std::clamp<int64_t>(r + offset, 0, columns);
      const int64_t to = lower ? std::clamp<int64_t>(r + offset + 1, 0, columns) : columns;
      for (int64_t c = from; c < to; ++c) {
        *i++ = r;
        *j++ = c;
      }
    }
  });
}

// The axes other than two, then these.
Axes two_last(int rank, int a, int b) {
  Axes order;
  for (int i = 0; i < rank; ++i) {
    if (i != a && i != b) order.push_back(i);
  }
  order.push_back(a);
  order.push_back(b);
  return order;
}

}  // namespace

// ---- Diagonals and triangles ----

Tensor tril(const Tensor& x, int64_t diagonal, Where where) {
  require_matrix("tril", x, where);
  return glia::where(offsets(x.size(-2), x.size(-1)) <= bounded(diagonal), x, zeros_like(x));
}
Tensor triu(const Tensor& x, int64_t diagonal, Where where) {
  require_matrix("triu", x, where);
  return glia::where(offsets(x.size(-2), x.size(-1)) >= bounded(diagonal), x, zeros_like(x));
}
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset) {
  return triangle_indices("tril_indices", rows, columns, offset, true);
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset) {
  return triangle_indices("triu_indices", rows, columns, offset, false);
}

// Every (columns + 1)-th element of the flattened matrix.
Tensor diagonal(const Tensor& x, int64_t offset, int axis0, int axis1, Where where) {
  require_matrix("diagonal", x, where);
  const int a = checked_axis("diagonal", axis0, x.rank(), where);
  const int b = checked_axis("diagonal", axis1, x.rank(), where);
  if (a == b) fail("diagonal", "an axis appears twice", where);
  const Tensor front = permute(x, two_last(x.rank(), a, b), where);
  const int64_t rows = x.shape()[a], columns = x.shape()[b];
  const Diagonal d(rows, columns, offset);
  Shape flat = front.shape();
  flat.erase(flat.rank() - 1);
  flat[flat.rank() - 1] = rows * columns;
  const int64_t stop = d.count ? d.start + (d.count - 1) * (columns + 1) + 1 : d.start;
  return slice(reshape(front, flat, where), -1, {d.start, stop, columns + 1}, where);
}

Tensor diag_embed(const Tensor& x, int64_t offset, int axis0, int axis1, Where where) {
  require_defined("diag_embed", x, where);
  if (x.rank() == 0 || x.rank() == kMaxRank)
    fail("diag_embed", "not defined for shape " + x.shape().str(), where);
  const int rank = x.rank() + 1;
  const int a = checked_axis("diag_embed", axis0, rank, where);
  const int b = checked_axis("diag_embed", axis1, rank, where);
  if (a == b) fail("diag_embed", "an axis appears twice", where);
  const int64_t size = add_sizes(x.size(-1), std::abs(bounded(offset)));
  const Diagonal d(size, size, offset);
  Shape flat = x.shape(), starts = Shape::filled(x.rank(), 0), steps = Shape::filled(x.rank(), 1);
  const int last = x.rank() - 1;
  flat[last] = multiply_sizes(size, size);
  flat.numel();  // throws where that is too large
  starts[last] = d.start;
  steps[last] = size + 1;
  Shape square = x.shape();
  square[last] = size;
  square.push_back(size);
  const Tensor matrix = x.numel() == 0 ? zeros(square, x.dtype())
                                       : reshape(embed(x, flat, starts, steps, 0, where), square);
  const Axes order = two_last(rank, a, b);
  Axes inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  return permute(matrix, inverse, where);
}

Tensor diag(const Tensor& x, int64_t at, Where where) {
  require_defined("diag", x, where);
  if (x.rank() == 1) return diag_embed(x, at, -2, -1, where);
  if (x.rank() != 2) fail("diag", "of rank 1 or 2, not " + x.shape().str(), where);
  return diagonal(x, at, 0, 1, where);
}

Tensor diagflat(const Tensor& x, int64_t offset, Where where) {
  require_defined("diagflat", x, where);
  return diag_embed(reshape(x, {-1}), offset, -2, -1, where);
}

Tensor trace(const Tensor& x, Where where) {
  require_defined("trace", x, where);
  if (x.rank() != 2) fail("trace", "of a matrix, not " + x.shape().str(), where);
  return sum(diagonal(x, 0, 0, 1, where), {}, false, where);
}

Tensor block_diag(const std::vector<Tensor>& parts, Where where) {
  if (parts.empty()) fail("block_diag", "no tensors", where);
  int64_t columns = 0;
  std::vector<Tensor> blocks;
  for (const Tensor& part : parts) {
    require_defined("block_diag", part, where);
    if (part.rank() > 2) fail("block_diag", "of matrices, not " + part.shape().str(), where);
    blocks.push_back(atleast_2d(part, where));
    columns = add_sizes(columns, blocks.back().size(1));
  }
  int64_t before = 0;
  for (Tensor& block : blocks) {
    const int64_t width = block.size(1);
    block = pad(block, {{0, 0}, {before, columns - before - width}}, 0, where);
    before += width;
  }
  return concat(blocks, 0, where);
}

// ---- Building ----

std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes, MeshIndexing indexing, Where where) {
  if (axes.empty()) fail("meshgrid", "no tensors", where);
  const int rank = static_cast<int>(axes.size());
  if (rank > kMaxRank) fail("meshgrid", std::to_string(rank) + " axes are too many", where);
  const auto place = [&](int k) {
    return indexing == MeshIndexing::kXy && rank > 1 && k < 2 ? 1 - k : k;
  };
  Shape shape = Shape::filled(rank, 1);
  for (int k = 0; k < rank; ++k) {
    require_defined("meshgrid", axes[k], where);
    if (axes[k].rank() > 1) fail("meshgrid", "axes of rank 1, not " + axes[k].shape().str(), where);
    shape[place(k)] = axes[k].numel();
  }
  std::vector<Tensor> out;
  for (int k = 0; k < rank; ++k) {
    Shape along = Shape::filled(rank, 1);
    along[place(k)] = axes[k].numel();
    out.push_back(expand(reshape(axes[k], along, where), shape, where));
  }
  return out;
}

Tensor cartesian_prod(const std::vector<Tensor>& parts, Where where) {
  std::vector<Tensor> grids = meshgrid(parts, MeshIndexing::kIj, where);
  if (grids.size() == 1) return grids[0];
  for (Tensor& grid : grids) grid = reshape(grid, {-1});
  return stack(grids, 1, where);
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement, Where where) {
  require_defined("combinations", x, where);
  if (x.rank() != 1) fail("combinations", "of rank 1, not " + x.shape().str(), where);
  if (r < 0) throw ValueError("combinations: r is " + std::to_string(r), where);
  const int64_t n = x.numel();
  if (r == 0) return zeros({0}, x.dtype());
  const int64_t free = with_replacement ? 0 : r;  // of n, what a choice takes away
  if (n == 0 || free > n) return zeros({0, r}, x.dtype());
  // (n over r), or (n + r - 1 over r), of which each step is whole.
  const double all = with_replacement ? static_cast<double>(n) + static_cast<double>(r) - 1 : n;
  const int64_t others = with_replacement ? n - 1 : n - r;
  double choices = 1;
  for (int64_t k = 0; k < std::min(r, others); ++k) {
    choices = choices * (all - static_cast<double>(k)) / static_cast<double>(k + 1);
    if (choices > 0x1p52) break;
  }
  const Shape shape{choices > 0x1p52 ? INT64_MAX : std::llround(choices), r};
  const int64_t rise = with_replacement ? 0 : 1;
  const Tensor at = written_integers(shape, [&](int64_t* row) {
    for (int64_t i = 0; i < r; ++i) row[i] = rise * i;
    for (int64_t left = shape[0] - 1; left > 0; --left, row += r) {
      int64_t i = r - 1;  // the last that can still rise
      while (row[i] == n - 1 - rise * (r - 1 - i)) --i;
      std::copy_n(row, i, row + r);
      row[r + i] = row[i] + 1;
      for (int64_t k = i + 1; k < r; ++k) row[r + k] = row[r + k - 1] + rise;
    }
  });
  return take(x, at, 0, where);
}

Tensor eye(int64_t n, int64_t m, DType dtype) {
  if (n < 0 || m < 0) throw ShapeError(fmt::format("eye: {} rows and {} columns", n, m));
  return cast(offsets(n, m) == 0, dtype);
}

Tensor full_like(const Tensor& x, const Number& value, Where where) {
  require_defined("full_like", x, where);
  return full(x.shape(), value, x.dtype());
}
Tensor rand_like(const Tensor& x, Where where) {
  require_defined("rand_like", x, where);
  return rand(x.shape(), x.dtype());
}
Tensor randn_like(const Tensor& x, Where where) {
  require_defined("randn_like", x, where);
  return randn(x.shape(), x.dtype());
}

Tensor logspace(double start, double end, int64_t count, double base, DType dtype) {
  if (count < 0) throw ShapeError(fmt::format("logspace: {} values", count));
  return cast(pow(base, linspace(start, end, count, kF64)), dtype);
}

Tensor vander(const Tensor& x, std::optional<int64_t> n, bool increasing, Where where) {
  require_defined("vander", x, where);
  if (x.rank() != 1) fail("vander", "of rank 1, not " + x.shape().str(), where);
  const int64_t count = n.value_or(x.numel());
  if (count < 0) throw ValueError("vander: n is " + std::to_string(count), where);
  if (count == 0) return zeros({x.numel(), 0}, x.dtype());
  const Tensor column = unsqueeze(x, 1);
  const Tensor ones_of = ones_like(column);
  Tensor powers = ones_of;
  if (count > 1) {
    const Tensor factors = concat({ones_of, expand(column, {x.numel(), count - 1})}, 1);
    powers = cumprod(factors, 1, where);
  }
  powers = cast(powers, x.dtype() == kBool ? kI64 : x.dtype());
  return increasing ? powers : flip(powers, {1});
}

}  // namespace glia
