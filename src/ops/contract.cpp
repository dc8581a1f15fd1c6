// Products of arrays and distances, out of matrix products and sums.
#include "glia/ops/contract.h"

#include <cmath>

#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "ops/private.h"

namespace glia {
namespace {

void require_rank(const char* op, const Tensor& x, int rank, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() != rank)
    fail(op, "of rank " + std::to_string(rank) + ", not " + x.shape().str(), where);
}

// a with the axes to sum over at the end, as a matrix (others, summed); b the other way round.
struct Sides {
  Axes order;
  Shape free;
  int64_t summed = 1;
  Sides(const char* op, const Tensor& x, const Axes& axes, bool last, const Where& where) {
    std::vector<bool> gone(x.rank());
    Axes sums;
    for (int64_t axis : axes) {
      const int i = checked_axis(op, axis, x.rank(), where);
      if (gone[i]) fail(op, "axis " + std::to_string(axis) + " appears twice", where);
      gone[i] = true;
      sums.push_back(i);
      summed = multiply_sizes(summed, x.shape()[i]);
    }
    if (!last) order = sums;
    for (int i = 0; i < x.rank(); ++i) {
      if (gone[i]) continue;
      order.push_back(i);
      free.push_back(x.shape()[i]);
    }
    if (last) order.insert(order.end(), sums.begin(), sums.end());
  }
};

Tensor scaled(const Tensor& x, double factor) { return factor == 1 ? x : x * factor; }

// beta x + alpha product; of beta 0 x is not read.
Tensor added(const char* op, const Tensor& x, const Tensor& product, const AddmmOptions& options,
             const Where& where) {
  require_defined(op, x, where);
  const Tensor p = scaled(product, options.alpha);
  const Tensor wide = expand(x, p.shape(), where);
  return options.beta == 0 ? p : scaled(wide, options.beta) + p;
}

}  // namespace

Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& axes_a, const Axes& axes_b,
                 Where where) {
  require_defined("tensordot", a, where);
  require_defined("tensordot", b, where);
  if (axes_a.size() != axes_b.size())
    fail("tensordot", std::to_string(axes_a.size()) + " axes with " + std::to_string(axes_b.size()),
         where);
  const Sides left("tensordot", a, axes_a, true, where),
      right("tensordot", b, axes_b, false, where);
  for (size_t i = 0; i < axes_a.size(); ++i) {
    if (a.size(static_cast<int>(axes_a[i])) != b.size(static_cast<int>(axes_b[i])))
      fail("tensordot",
           "axis " + std::to_string(axes_a[i]) + " of " + a.shape().str() + " and axis " +
               std::to_string(axes_b[i]) + " of " + b.shape().str() + " differ",
           where);
  }
  Shape to = left.free;
  if (to.rank() + right.free.rank() > kMaxRank)
    fail("tensordot",
         "the result of " + a.shape().str() + " and " + b.shape().str() + " has too many axes",
         where);
  for (int64_t size : right.free) to.push_back(size);
  const Tensor rows = reshape(permute(a, left.order), {left.free.numel(), left.summed});
  const Tensor columns = reshape(permute(b, right.order), {right.summed, right.free.numel()});
  return reshape(matmul(rows, columns, where), to, where);
}
Tensor tensordot(const Tensor& a, const Tensor& b, int axes, Where where) {
  require_defined("tensordot", a, where);
  require_defined("tensordot", b, where);
  if (axes < 0 || axes > a.rank() || axes > b.rank())
    fail("tensordot",
         "over " + std::to_string(axes) + " axes of " + a.shape().str() + " and " + b.shape().str(),
         where);
  Axes left, right;
  for (int i = 0; i < axes; ++i) {
    left.push_back(a.rank() - axes + i);
    right.push_back(i);
  }
  return tensordot(a, b, left, right, where);
}

Tensor outer(const Tensor& a, const Tensor& b, Where where) {
  require_rank("outer", a, 1, where);
  require_rank("outer", b, 1, where);
  return Operand(unsqueeze(a, 1), where) * b;
}
Tensor inner(const Tensor& a, const Tensor& b, Where where) {
  require_defined("inner", a, where);
  require_defined("inner", b, where);
  if (a.rank() == 0 || b.rank() == 0) return Operand(a, where) * b;
  return tensordot(a, b, {a.rank() - 1}, {b.rank() - 1}, where);
}
Tensor dot(const Tensor& a, const Tensor& b, Where where) {
  require_rank("dot", a, 1, where);
  require_rank("dot", b, 1, where);
  return matmul(a, b, where);
}
Tensor vdot(const Tensor& a, const Tensor& b, Where where) { return dot(a, b, where); }
Tensor vecdot(const Tensor& a, const Tensor& b, int axis, Where where) {
  const Tensor product = Operand(a, where) * b;
  return cast(sum(product, {axis}, false, where), product.dtype());
}

Tensor cross(const Tensor& a, const Tensor& b, int axis, Where where) {
  require_defined("cross", a, where);
  require_defined("cross", b, where);
  const std::vector<Tensor> both = broadcast_tensors({a, b}, where);
  const int i = checked_axis("cross", axis, both[0].rank(), where);
  if (both[0].shape()[i] != 3)
    fail("cross",
         "axis " + std::to_string(i) + " of " + both[0].shape().str() + " is not of size 3", where);
  // x1 y2 - x2 y1, and so on round.
  const auto turned = [&](const Tensor& x, int64_t by) { return roll(x, {by}, {i}, where); };
  return turned(both[0], -1) * turned(both[1], -2) - turned(both[0], -2) * turned(both[1], -1);
}

Tensor mv(const Tensor& a, const Tensor& x, Where where) {
  require_rank("mv", a, 2, where);
  require_rank("mv", x, 1, where);
  return matmul(a, x, where);
}
Tensor mm(const Tensor& a, const Tensor& b, Where where) {
  require_rank("mm", a, 2, where);
  require_rank("mm", b, 2, where);
  return matmul(a, b, where);
}
Tensor bmm(const Tensor& a, const Tensor& b, Where where) {
  require_rank("bmm", a, 3, where);
  require_rank("bmm", b, 3, where);
  if (a.shape()[0] != b.shape()[0])
    fail("bmm", "batches " + a.shape().str() + " and " + b.shape().str() + " differ", where);
  return matmul(a, b, where);
}
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options,
             Where where) {
  return added("addmm", x, mm(a, b, where), options, where);
}
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options,
             Where where) {
  return added("addmv", x, mv(a, b, where), options, where);
}
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options,
               Where where) {
  return added("baddbmm", x, bmm(a, b, where), options, where);
}
Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const AddmmOptions& options,
            Where where) {
  return added("addr", x, outer(a, b, where), options, where);
}

Tensor matrix_power(const Tensor& x, int64_t n, Where where) {
  require_defined("matrix_power", x, where);
  if (x.rank() < 2 || x.size(-1) != x.size(-2))
    fail("matrix_power", "of square matrices, not " + x.shape().str(), where);
  if (n < 0) throw ValueError("matrix_power: n is " + std::to_string(n), where);
  if (n == 0) return expand(eye(x.size(-1), x.dtype()), x.shape());
  Tensor power = x, result;
  for (;; power = matmul(power, power, where)) {
    if (n & 1) result = result.defined() ? matmul(result, power, where) : power;
    n >>= 1;
    if (n == 0) return result;
  }
}

Tensor kron(const Tensor& a, const Tensor& b, Where where) {
  require_defined("kron", a, where);
  require_defined("kron", b, where);
  const int rank = std::max(a.rank(), b.rank());
  if (2 * rank > kMaxRank)
    fail("kron", "of rank 4 at most, not " + a.shape().str() + " and " + b.shape().str(), where);
  Shape of_a = Shape::filled(2 * rank, 1), of_b = of_a, to = Shape::filled(rank, 1);
  for (int i = 0; i < a.rank(); ++i) of_a[2 * (rank - a.rank() + i)] = a.shape()[i];
  for (int i = 0; i < b.rank(); ++i) of_b[2 * (rank - b.rank() + i) + 1] = b.shape()[i];
  for (int i = 0; i < rank; ++i) to[i] = multiply_sizes(of_a[2 * i], of_b[2 * i + 1]);
  return reshape(Operand(reshape(a, of_a), where) * reshape(b, of_b), to, where);
}

Tensor cdist(const Tensor& a, const Tensor& b, double p, Where where) {
  require_defined("cdist", a, where);
  require_defined("cdist", b, where);
  if (a.rank() < 2 || b.rank() < 2 || a.size(-1) != b.size(-1))
    fail("cdist", "rows " + a.shape().str() + " and " + b.shape().str() + " do not fit", where);
  if (a.rank() == kMaxRank || b.rank() == kMaxRank)
    fail("cdist", "of rank 7 at most, not " + a.shape().str(), where);
  if (!(p >= 0)) throw ValueError("cdist: p is " + Number(p).str(), where);
  const Tensor off = Operand(unsqueeze(a, -2), where) - unsqueeze(b, -3);
  if (a.size(-1) == 0) {
    Shape to = off.shape();
    to.erase(to.rank() - 1);
    return zeros(to, is_float(off.dtype()) ? off.dtype() : kF32);
  }
  return vector_norm(off, p, {-1}, false, where);
}

Tensor pdist(const Tensor& x, double p, Where where) {
  require_rank("pdist", x, 2, where);
  if (!(p >= 0)) throw ValueError("pdist: p is " + Number(p).str(), where);
  const Tensor pairs = triu_indices(x.size(0), x.size(0), 1);
  const auto side = [&](int64_t i) {
    return take(x, select_position(pairs, 0, i, where), 0, where);
  };
  const Tensor off = side(0) - side(1);
  if (x.size(1) == 0) return zeros({off.size(0)}, is_float(off.dtype()) ? off.dtype() : kF32);
  return vector_norm(off, p, {-1}, false, where);
}

}  // namespace glia
