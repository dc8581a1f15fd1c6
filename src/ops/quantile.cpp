// What lies at a place of the order: medians, quantiles, modes.
#include <cmath>

#include "glia/ops/reduce.h"
#include "glia/ops/special.h"
#include "ops/operands.h"

namespace glia {
namespace {

// The element at `place` (along the axis size 1) of the order along the axis, and its index.
std::pair<Tensor, Tensor> at_place(const Tensor& x, const Tensor& order, const Tensor& place,
                                   int axis, bool keepdim, const Where& where) {
  const Tensor at = gather(order, place, axis, where), y = gather(x, at, axis, where);
  if (keepdim) return {y, at};
  return {squeeze(y, axis, where), squeeze(at, axis, where)};
}

int filled_axis(const char* op, const Tensor& x, int axis, const Where& where) {
  const int i = checked_axis(op, axis, x.rank(), where);
  if (x.shape()[i] == 0)
    fail(op, "axis " + std::to_string(i) + " of " + x.shape().str() + " is empty", where);
  return i;
}

// NaN comes last: the median is the first of them, or the one in the middle of the others.
std::pair<Tensor, Tensor> middle(const char* op, const Tensor& x, int axis, bool keepdim,
                                 bool skip_nan, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() == 0) return as_number(middle(op, as_line(x), axis, keepdim, skip_nan, where));
  const int i = filled_axis(op, x, axis, where);
  const int64_t size = x.shape()[i];
  const Tensor count = sum(x == x, {i}, true, where);
  Tensor place = (size - 1) / 2 + zeros_like(count);
  if (is_float(x.dtype()))
    place =
        skip_nan ? floor_divide(maximum(count - 1, 0), 2) : glia::where(count < size, count, place);
  return at_place(x, argsort(x, i, false, where), place, i, keepdim, where);
}

// Of all elements, which share the gradient where they are equal.
Tensor middle(const char* op, const Tensor& x, bool skip_nan, const Where& where) {
  require_defined(op, x, where);
  if (x.numel() == 0) fail(op, "no elements in " + x.shape().str(), where);
  const auto value = [&] {
    const NoGrad off;
    return middle(op, reshape(x, {-1}), 0, false, skip_nan, where).first;
  };
  const auto rule = [](const std::vector<Tensor>& in, const Tensor& y, const Tensor& g) {
    const Tensor equal = cast((in[0] == y) | (isnan(in[0]) & isnan(y)), g.dtype());
    return std::vector<Tensor>{equal * (g / sum(equal))};
  };
  return with_rule(value(), {x}, rule, where);
}

// x with the axes (all when empty) as one at the end, and the shape of what is left.
struct Gathered {
  Tensor rows;
  Shape shape;
  Gathered(const char* op, const Tensor& x, const Axes& axes, bool keepdim, const Where& where) {
    const int64_t mask = axis_mask(op, axes, x.rank(), where);
    shape = reduced_shape(x.shape(), axes, keepdim);
    Axes order;
    Shape to;
    for (int i = 0; i < x.rank(); ++i) {
      if (mask >> i & 1) continue;
      order.push_back(i);
      to.push_back(x.shape()[i]);
    }
    int64_t count = 1;
    for (int i = 0; i < x.rank(); ++i) {
      if (!(mask >> i & 1)) continue;
      order.push_back(i);
      count *= x.shape()[i];
    }
    if (count == 0) fail(op, "no elements along the reduced axes of " + x.shape().str(), where);
    to.push_back(count);
    rows = reshape(permute(x, order, where), to, where);
  }
};

// Between the two neighbours of a place: how far from the lower one to the upper one.
Tensor share_of(const Tensor& place, const Tensor& lower, Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kLinear:
      return place - lower;
    case Interpolation::kMidpoint:
      return where(place == lower, 0, full({}, 0.5, kF64));
    case Interpolation::kHigher:
      return ceil(place) - lower;
    case Interpolation::kNearest:
      return round(place) - lower;
    case Interpolation::kLower:
      break;
  }
  return zeros_like(place);
}

Tensor quantiles(const char* op, const Tensor& x, const std::vector<double>& q, bool several,
                 const QuantileOptions& options, bool skip_nan, const Where& where) {
  for (double fraction : q) {
    if (!(fraction >= 0 && fraction <= 1))
      throw ValueError(std::string(op) + ": q is " + Number(fraction).str() + ", not in [0, 1]",
                       where);
  }
  const Given in(op, Operand(x, where));
  const Gathered g(op, in.x, options.axes, options.keepdim, where);
  const Tensor sorted = sort(g.rows, -1, false, where).first;
  const int64_t size = g.rows.size(-1);
  const Tensor fractions = from_vector(q, {static_cast<int64_t>(q.size())});
  const Tensor last = skip_nan ? cast(maximum(sum(~isnan(g.rows), {-1}, true, where) - 1, 0), kF64)
                               : full({1}, static_cast<double>(size - 1), kF64);
  Shape wide = sorted.shape();
  wide[wide.rank() - 1] = static_cast<int64_t>(q.size());
  Tensor place = expand(fractions * last, wide, where);
  // NaN comes last, and is what a row that has one gives.
  if (!skip_nan)
    place =
        glia::where(isnan(slice(sorted, -1, {-1}, where)), static_cast<double>(size - 1), place);
  const Tensor lower = floor(place);
  const auto neighbour = [&](const Tensor& at) {
    return gather(sorted, cast(at, kI64), -1, where);
  };
  const Tensor low = neighbour(lower), high = neighbour(ceil(place));
  const Tensor share = cast(share_of(place, lower, options.interpolation), low.dtype());
  // Next to an infinity only what is wanted is read.
  Tensor y = low + glia::where(share == 0, 0, (high - low) * share);
  y = in.result(permute(y, [&] {
    Axes order{y.rank() - 1};
    for (int i = 0; i + 1 < y.rank(); ++i) order.push_back(i);
    return order;
  }()));
  Shape to = g.shape;
  if (several) to.insert(0, static_cast<int64_t>(q.size()));
  return reshape(y, to, where);
}

}  // namespace

std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int axis, bool keepdim,
                                   Where where) {
  require_defined("kthvalue", x, where);
  if (x.rank() == 0) return as_number(kthvalue(as_line(x), k, axis, keepdim, where));
  const int i = filled_axis("kthvalue", x, axis, where);
  if (k < 1 || k > x.shape()[i])
    fail("kthvalue",
         "k = " + std::to_string(k) + " for axis " + std::to_string(i) + " of " + x.shape().str(),
         where);
  Shape one = x.shape();
  one[i] = 1;
  return at_place(x, argsort(x, i, false, where), full(one, k - 1, kI64), i, keepdim, where);
}

Tensor median(const Tensor& x, Where where) { return middle("median", x, false, where); }
std::pair<Tensor, Tensor> median(const Tensor& x, int axis, bool keepdim, Where where) {
  return middle("median", x, axis, keepdim, false, where);
}
Tensor nanmedian(const Tensor& x, Where where) { return middle("nanmedian", x, true, where); }
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int axis, bool keepdim, Where where) {
  return middle("nanmedian", x, axis, keepdim, true, where);
}

// In the order, each place knows where its run of equal values began; the first of the largest
// distances is the end of the mode's run.
std::pair<Tensor, Tensor> mode(const Tensor& x, int axis, bool keepdim, Where where) {
  require_defined("mode", x, where);
  if (x.rank() == 0) return as_number(mode(as_line(x), axis, keepdim, where));
  const int i = filled_axis("mode", x, axis, where);
  const Tensor order = argsort(x, i, false, where), sorted = gather(x, order, i, where);
  Shape along = Shape::filled(x.rank(), 1);
  along[i] = x.shape()[i];
  const Tensor place = expand(reshape(arange(x.shape()[i]), along), x.shape());
  const Tensor begins = slice(sorted, i, {1}) != slice(sorted, i, {0, -1});
  std::vector<std::pair<int64_t, int64_t>> front(x.rank());
  front[i].first = 1;
  const Tensor start = cummax(glia::where(pad(begins, front, true), place, 0), i, where).first;
  return at_place(x, order, argmax(place - start, i, true, where), i, keepdim, where);
}

Tensor quantile(const Tensor& x, double q, const QuantileOptions& options, Where where) {
  return quantiles("quantile", x, {q}, false, options, false, where);
}
Tensor quantile(const Tensor& x, const std::vector<double>& q, const QuantileOptions& options,
                Where where) {
  return quantiles("quantile", x, q, true, options, false, where);
}
Tensor nanquantile(const Tensor& x, double q, const QuantileOptions& options, Where where) {
  return quantiles("nanquantile", x, {q}, false, options, true, where);
}
Tensor nanquantile(const Tensor& x, const std::vector<double>& q, const QuantileOptions& options,
                   Where where) {
  return quantiles("nanquantile", x, q, true, options, true, where);
}

}  // namespace glia
