// Lengths, distances and angles of vectors.
#include <cmath>

#include "glia/ops/normalize.h"
#include "ops/loss.h"

namespace glia {
namespace {

// A root whose slope at 0 is 0 instead of infinite.
template <class Root>
Tensor rooted(const Tensor& x, Root&& root) {
  const Tensor some = x > 0;
  return where(some | isnan(x), root(where(some | isnan(x), x, 1)), 0);
}

// Along one axis, which stays with size 1.
Tensor length(const Tensor& x, double p, int axis, const Where& where) {
  const Axes along{axis};
  if (p == 2)
    return rooted(sum(square(x), along, true, where), [](const Tensor& s) { return sqrt(s); });
  const Tensor size = abs(x);
  if (p == 0) return sum(cast(x != 0, x.dtype()), along, true, where);
  if (p == 1) return sum(size, along, true, where);
  if (std::isinf(p)) return p > 0 ? max(size, along, true, where) : min(size, along, true, where);
  return rooted(sum(pow(size, p), along, true, where),
                [p](const Tensor& s) { return pow(s, 1 / p); });
}

}  // namespace

Tensor normalize(const Tensor& x, double p, int axis, double eps, Where where) {
  const Wide w("normalize", {x}, where);
  const int at = checked_axis("normalize", axis, w.x[0].rank(), where);
  if (w.x[0].numel() == 0) return cast(w.x[0], w.dtype);
  return cast(w.x[0] / clamp(length(w.x[0], p, at, where), eps, INFINITY), w.dtype);
}

Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim,
                         Where where) {
  const Wide w("pairwise_distance", {x1, x2}, where);
  const Tensor d = Operand(w.x[0], where) - w.x[1] + eps;
  if (d.rank() == 0) fail("pairwise_distance", "the operands are single numbers", where);
  const Tensor y = cast(length(d, p, d.rank() - 1, where), w.dtype);
  return keepdim ? y : squeeze(y, -1, where);
}

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int axis, double eps, Where where) {
  const char* op = "cosine_similarity";
  const Wide w(op, {x1, x2}, where);
  const Shape shape = broadcast(w.x[0].shape(), w.x[1].shape());
  const int at = checked_axis(op, axis, shape.rank(), where);
  const Tensor a = expand(w.x[0], shape, where), b = expand(w.x[1], shape, where);
  const auto least = [&](const Tensor& x) { return clamp(length(x, 2, at, where), eps, INFINITY); };
  const Tensor y = sum(a * b, {at}, true, where) / least(a) / least(b);
  return cast(squeeze(y, at, where), w.dtype);
}

}  // namespace glia
