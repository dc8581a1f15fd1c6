// Differences along an axis, and sums that undo them.
#include <cmath>

#include "glia/ops/reduce.h"
#include "ops/operands.h"

namespace glia {
namespace {

// x[from:] up to `to` elements before the end, along the axis.
Tensor cut(const Tensor& x, int axis, int64_t from, int64_t to, const Where& where) {
  return slice(x, axis, {from, std::max<int64_t>(x.shape()[axis] - to, 0)}, where);
}

// A rank-1 tensor along one axis of an array of that rank.
Tensor along(const Tensor& x, int axis, int rank) {
  Shape shape = Shape::filled(rank, 1);
  shape[axis] = x.numel();
  return reshape(x, shape);
}

// The widths between the places of y's elements along the axis.
Tensor widths(const char* op, const Tensor& y, const Tensor& x, int axis, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() == 1) {
    if (x.numel() != y.shape()[axis])
      fail(op,
           x.shape().str() + " places for axis " + std::to_string(axis) + " of " + y.shape().str(),
           where);
    return along(diff(x, {}, where), axis, y.rank());
  }
  if (x.rank() != y.rank())
    fail(op, "places " + x.shape().str() + " for " + y.shape().str(), where);
  return diff(x, {.axis = axis}, where);
}

// The areas between neighbours.
Tensor areas(const char* op, const Tensor& y, const Tensor* x, double dx, int axis,
             const Where& where) {
  require_defined(op, y, where);
  const Tensor t = as_float(op, y, where);
  const int i = checked_axis(op, axis, t.rank(), where);
  const Tensor heights = cut(t, i, 1, 0, where) + cut(t, i, 0, 1, where);
  return x ? heights * widths(op, t, *x, i, where) * 0.5 : heights * (dx * 0.5);
}

Tensor integral(const Tensor& y, const Tensor* x, double dx, int axis, const Where& where) {
  return sum(areas("trapezoid", y, x, dx, axis, where), {axis}, false, where);
}
Tensor integrals(const Tensor& y, const Tensor* x, double dx, int axis, const Where& where) {
  return cumsum(areas("cumulative_trapezoid", y, x, dx, axis, where), axis, where);
}

// The derivative along one axis: inside a difference of both neighbours, weighted by how far they
// are, and one-sided at both ends.
Tensor slope(const Tensor& x, int axis, const Tensor& steps, int edge_order, const Where& where) {
  const int64_t n = x.shape()[axis];
  const auto at = [&](int64_t i) { return slice(x, axis, {i, i + 1}, where); };
  const auto step = [&](int64_t i) {
    return along(slice(steps, 0, {i, i + 1}, where), axis, x.rank());
  };
  const Tensor before = along(slice(steps, 0, {0, -1}), axis, x.rank()),
               after = along(slice(steps, 0, {1}), axis, x.rank());
  const Tensor rise = cut(x, axis, 1, 0, where) - cut(x, axis, 0, 1, where);
  const Tensor left = cut(rise, axis, 0, 1, where), right = cut(rise, axis, 1, 0, where);
  std::vector<Tensor> parts;
  if (n > 2) parts.push_back((left / before * after + right / after * before) / (before + after));
  const auto edge = [&](int64_t a, int64_t b, int64_t c, int64_t first, int64_t second) {
    if (edge_order == 1) return (at(b) - at(a)) / step(first);
    // The parabola through three points.
    const Tensor h = step(first), k = step(second);
    return (at(b) - at(a)) / h * (2 * h + k) / (h + k) - (at(c) - at(b)) / k * h / (h + k);
  };
  parts.insert(parts.begin(), edge(0, 1, 2, 0, 1));
  // From the other end differences and the direction change signs.
  parts.push_back(edge_order == 1 ? (at(n - 1) - at(n - 2)) / step(n - 2)
                                  : -edge(n - 1, n - 2, n - 3, n - 2, n - 3));
  return concat(parts, axis, where);
}

}  // namespace

Tensor diff(const Tensor& x, const DiffOptions& options, Where where) {
  require_defined("diff", x, where);
  const int axis = checked_axis("diff", options.axis, x.rank(), where);
  if (options.n < 0) throw ValueError("diff: n is " + std::to_string(options.n), where);
  std::vector<Tensor> parts;
  for (const Tensor& part : {options.prepend, x, options.append}) {
    if (part.defined()) parts.push_back(part);
  }
  Tensor y = parts.size() > 1 ? concat(parts, axis, where) : x;
  for (int64_t i = 0; i < options.n && y.shape()[axis] > 0; ++i) {
    const Tensor after = cut(y, axis, 1, 0, where), before = cut(y, axis, 0, 1, where);
    y = y.dtype() == kBool ? after ^ before : after - before;
  }
  return y;
}

Tensor trapezoid(const Tensor& y, double dx, int axis, Where where) {
  return integral(y, nullptr, dx, axis, where);
}
Tensor trapezoid(const Tensor& y, const Tensor& x, int axis, Where where) {
  return integral(y, &x, 1, axis, where);
}
Tensor cumulative_trapezoid(const Tensor& y, double dx, int axis, Where where) {
  return integrals(y, nullptr, dx, axis, where);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int axis, Where where) {
  return integrals(y, &x, 1, axis, where);
}

std::vector<Tensor> gradient(const Tensor& x, const GradientOptions& options, Where where) {
  const Tensor t = as_float("gradient", x, where);
  Axes axes = options.axes;
  if (axes.empty()) axes = axes_in(axis_mask("gradient", {}, t.rank(), where));
  axis_mask("gradient", axes, t.rank(), where);
  const size_t count = axes.size(), spacings = options.spacing.size();
  if (options.edge_order != 1 && options.edge_order != 2)
    throw ValueError("gradient: edge_order is " + std::to_string(options.edge_order), where);
  if (spacings > 1 && spacings != count)
    fail("gradient", std::to_string(spacings) + " spacings for " + std::to_string(count) + " axes",
         where);
  if (!options.coordinates.empty() && options.coordinates.size() != count)
    fail("gradient",
         std::to_string(options.coordinates.size()) + " coordinates for " + std::to_string(count) +
             " axes",
         where);
  std::vector<Tensor> out;
  for (size_t k = 0; k < count; ++k) {
    const int axis = checked_axis("gradient", axes[k], t.rank(), where);
    const int64_t n = t.shape()[axis];
    if (n <= options.edge_order)
      fail("gradient", "axis " + std::to_string(axis) + " of " + t.shape().str() + " is too short",
           where);
    Tensor steps;
    if (options.coordinates.empty()) {
      const double h = spacings == 0 ? 1 : options.spacing[spacings == 1 ? 0 : k];
      steps = full({n - 1}, h, t.dtype());
    } else {
      const Tensor& places = options.coordinates[k];
      require_defined("gradient", places, where);
      if (places.shape() != Shape{n})
        fail("gradient",
             "coordinates " + places.shape().str() + " for axis " + std::to_string(axis) + " of " +
                 t.shape().str(),
             where);
      steps = cast(diff(places, {}, where), t.dtype());
    }
    out.push_back(slope(t, axis, steps, options.edge_order, where));
  }
  return out;
}

}  // namespace glia
