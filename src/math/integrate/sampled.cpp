// Integrals of values at places along an axis.
#include <fmt/format.h>

#include "glia/math/integrate.h"
#include "glia/op.h"
#include "glia/ops/arrange.h"

namespace glia::integrate {
namespace {

// y with the axis as its last, and the distances between places, which broadcast to it.
struct Sampled {
  Tensor y, h;
  int64_t n;
};
Sampled sampled(const char* name, const Tensor& y, const SampledOptions& o, const Where& where) {
  require_defined(name, y, where);
  if (y.rank() == 0) fail(name, "a single number has no axis", where);
  const int axis = checked_axis(name, o.axis, y.rank(), where);
  const Tensor values = cast(movedim(y, {axis}, {-1}, where), y.dtype() == kF32 ? kF32 : kF64);
  const int64_t n = values.size(-1);
  if (!o.x.defined()) return {values, full({std::max<int64_t>(n - 1, 0)}, o.dx, values.dtype()), n};
  Tensor x = cast(o.x, values.dtype());
  if (x.rank() == 1 && x.size(0) == n) {
    // the same places for all
  } else if (x.shape() == y.shape()) {
    x = movedim(x, {axis}, {-1}, where);
  } else {
    fail(name, fmt::format("x is {} for y {}", o.x.shape().str(), y.shape().str()), where);
  }
  if (n < 2) return {values, zeros({0}, values.dtype()), n};
  return {values, slice(x, -1, {1, n}) - slice(x, -1, {0, n - 1}), n};
}
Tensor part(const Tensor& x, int64_t from, int64_t to, int64_t step = 1) {
  return slice(x, -1, {from, to, step});
}
Tensor trapezoids(const Sampled& s) {
  return s.h * (part(s.y, 1, s.n) + part(s.y, 0, s.n - 1)) / 2;
}
Tensor none(const Sampled& s) { return sum(0 * s.y, {-1}); }

}  // namespace

Tensor trapezoid(const Tensor& y, const SampledOptions& options, Where where) {
  const Sampled s = sampled("trapezoid", y, options, where);
  return s.n < 2 ? none(s) : sum(trapezoids(s), {-1});
}

Tensor cumulative_trapezoid(const Tensor& y, const SampledOptions& options,
                            std::optional<double> initial, Where where) {
  const Sampled s = sampled("cumulative_trapezoid", y, options, where);
  if (s.n < 1) throw ValueError("cumulative_trapezoid: there are no values", where);
  Tensor sums = s.n < 2 ? part(s.y, 0, 0) : cumsum(trapezoids(s), -1);
  if (initial) {
    const Tensor first = 0 * part(s.y, 0, 1) + *initial;
    sums = s.n < 2 ? first : concat({first, sums}, -1);
  }
  return movedim(sums, {-1}, {checked_axis("cumulative_trapezoid", options.axis, y.rank(), where)});
}

Tensor simpson(const Tensor& y, const SampledOptions& options, Where where) {
  const Sampled s = sampled("simpson", y, options, where);
  if (s.n < 2) return none(s);
  if (s.n == 2) return sum(trapezoids(s), {-1});
  const int64_t odd = s.n % 2 == 1 ? s.n : s.n - 1;  // places of whole pairs of intervals
  const Tensor h0 = part(s.h, 0, odd - 1, 2), h1 = part(s.h, 1, odd - 1, 2);
  const Tensor y0 = part(s.y, 0, odd - 2, 2), y1 = part(s.y, 1, odd - 1, 2),
               y2 = part(s.y, 2, odd, 2);
  const Tensor both = h0 + h1;
  Tensor total = sum(
      both / 6 * (y0 * (2 - h1 / h0) + y1 * both * both / (h0 * h1) + y2 * (2 - h0 / h1)), {-1});
  if (odd < s.n) {
    const auto at = [&](const Tensor& x, int64_t i) { return squeeze(part(x, i, i + 1), -1); };
    const Tensor a = at(s.h, s.n - 3), b = at(s.h, s.n - 2);
    total = total + at(s.y, s.n - 1) * (2 * b * b + 3 * a * b) / (6 * (a + b)) +
            at(s.y, s.n - 2) * (b * b + 3 * a * b) / (6 * a) -
            at(s.y, s.n - 3) * b * b * b / (6 * a * (a + b));
  }
  return total;
}

Tensor romb(const Tensor& y, double dx, int axis, Where where) {
  const Sampled s = sampled("romb", y, {.dx = dx, .axis = axis}, where);
  int64_t intervals = 1;
  int levels = 0;
  while (intervals < s.n - 1) intervals *= 2, ++levels;
  if (s.n < 2 || intervals != s.n - 1)
    throw ValueError(fmt::format("romb: {} places are not 2^k + 1", s.n), where);
  std::vector<Tensor> row;
  for (int level = 0; level <= levels; ++level) {
    const int64_t step = intervals >> level;
    const Tensor each = part(s.y, 0, s.n, step);
    const int64_t n = each.size(-1);
    std::vector<Tensor> next{
        static_cast<double>(step) * dx *
        (sum(each, {-1}) -
         (squeeze(part(each, 0, 1), -1) + squeeze(part(each, n - 1, n), -1)) / 2)};
    double power = 1;
    for (size_t k = 0; k < row.size(); ++k) {
      power *= 4;
      next.push_back(next[k] + (next[k] - row[k]) / (power - 1));
    }
    row = std::move(next);
  }
  return row.back();
}

}  // namespace glia::integrate
