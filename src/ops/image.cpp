// Resizing pictures, and reading them at any place.
#include "glia/ops/image.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/private.h"

namespace glia {
namespace {

constexpr double kKeys = -0.75;  // of cubic interpolation; Pillow's, for averaging, is -0.5

void check_pictures(const char* op, const Tensor& x, const Where& where) {
  if (!x.defined()) fail(op, "the operand is not defined", where);
  if (x.rank() != 4) fail(op, "needs (N, H, W, C), got " + x.shape().str(), where);
}

// Cubic convolution at a distance from the tap (Keys 1981).
double keys(double distance, double a) {
  const double d = std::abs(distance);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}
Tensor keys(const Tensor& distance) {
  const Tensor d = abs(distance);
  return where(d < 1, ((kKeys + 2) * d - (kKeys + 3)) * d * d + 1,
               where(d < 2, ((kKeys * d - 5 * kKeys) * d + 8 * kKeys) * d - 4 * kKeys, 0));
}

// ---- One axis ----

struct Resize {
  int axis;
  int64_t from, to;
  double step;  // in the source, of one step in the result
};

// `taps` positions and weights for each position of the result: sums of taken slices.
Tensor by_taps(const Tensor& x, const Resize& r, int taps,
               const std::function<std::pair<int64_t, double>(int64_t, int)>& tap,
               const Where& where) {
  Shape along(std::vector<int64_t>(x.rank(), 1));
  along[r.axis] = r.to;
  Tensor y;
  for (int t = 0; t < taps; ++t) {
    std::vector<int64_t> at;
    std::vector<double> weights;
    for (int64_t i = 0; i < r.to; ++i) {
      const auto [position, weight] = tap(i, t);
      at.push_back(std::clamp<int64_t>(position, 0, r.from - 1));
      weights.push_back(weight);
    }
    const Tensor part = take(x, from_vector(at, {r.to}), r.axis, where);
    if (taps == 1) return part;
    const Tensor w = reshape(cast(from_vector(weights, {r.to}), x.dtype()), along, where);
    y = y.defined() ? y + part * w : part * w;
  }
  return y;
}

// Of a ratio of sizes the quotient comes last: i (from / to) may fall short of a whole number.
Tensor nearest(const Tensor& x, const Resize& r, bool exact, const Where& where) {
  const auto from = static_cast<double>(r.from), to = static_cast<double>(r.to);
  const bool ratio = r.step == from / to;
  return by_taps(
      x, r, 1,
      [&](int64_t i, int) {
        const double centre = static_cast<double>(i) + (exact ? 0.5 : 0),
                     at = ratio ? centre * from / to : centre * r.step;
        return std::pair{static_cast<int64_t>(std::floor(at)), 1.0};
      },
      where);
}

double source(const Resize& r, int64_t i, bool align_corners) {
  return align_corners ? static_cast<double>(i) * r.step
                       : (static_cast<double>(i) + 0.5) * r.step - 0.5;
}

Tensor linear_taps(const Tensor& x, const Resize& r, bool align_corners, const Where& where) {
  return by_taps(
      x, r, 2,
      [&](int64_t i, int t) {
        const double at = std::max(source(r, i, align_corners), 0.0), low = std::floor(at);
        return std::pair{static_cast<int64_t>(low) + t, t == 0 ? 1 - (at - low) : at - low};
      },
      where);
}

Tensor cubic_taps(const Tensor& x, const Resize& r, bool align_corners, const Where& where) {
  return by_taps(
      x, r, 4,
      [&](int64_t i, int t) {
        const double at = source(r, i, align_corners), low = std::floor(at);
        return std::pair{static_cast<int64_t>(low) + t - 1, keys(at - low - (t - 1), kKeys)};
      },
      where);
}

// Each result is a mean of what it covers, weighted by the filter stretched to that size.
Tensor averaged(const Tensor& x, const Resize& r, bool cubic, const Where& where) {
  const double scale = std::max(r.step, 1.0), support = (cubic ? 2 : 1) * scale;
  std::vector<double> matrix(r.to * r.from, 0.0);
  for (int64_t i = 0; i < r.to; ++i) {
    const double centre = r.step * (static_cast<double>(i) + 0.5);
    const auto first = static_cast<int64_t>(std::max(centre - support + 0.5, 0.0)),
               last = std::min(static_cast<int64_t>(centre + support + 0.5), r.from);
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      const double d = (static_cast<double>(k) - centre + 0.5) / scale;
      const double w = cubic ? keys(d, -0.5) : std::max(0.0, 1 - std::abs(d));
      matrix[i * r.from + k] = w;
      sum += w;
    }
    for (int64_t k = first; k < last; ++k) matrix[i * r.from + k] /= sum;
  }
  const Shape& s = x.shape();
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < r.axis; ++i) outer *= s[i];
  for (int i = r.axis + 1; i < s.rank(); ++i) inner *= s[i];
  Shape out = s;
  out[r.axis] = r.to;
  const Tensor m = cast(from_vector(matrix, {r.to, r.from}), x.dtype());
  return reshape(matmul(m, reshape(x, {outer, r.from, inner}, where), where), out, where);
}

// ---- At any place ----

// Coordinates of a grid in [-1, 1] as positions along an axis of that size.
Tensor positions(const Tensor& g, int64_t size, bool align_corners) {
  const auto n = static_cast<double>(size);
  return align_corners ? (g + 1) * ((n - 1) / 2) : ((g + 1) * n - 1) / 2;
}

Tensor within(const Tensor& x, int64_t size, const GridSampleOptions& o) {
  const auto last = static_cast<double>(size - 1);
  if (o.padding == GridPadding::kZeros) return x;
  Tensor at = x;
  if (o.padding == GridPadding::kReflection) {
    const double low = o.align_corners ? 0 : -0.5, span = o.align_corners ? last : last + 1;
    if (span <= 0) return zeros_like(x);
    const Tensor away = abs(x - low), turns = floor(away / span), extra = away - turns * span;
    at = where(remainder(turns, 2) == 0, extra + low, span - extra + low);
  }
  return clamp(at, 0, last);
}

// Places (N, P) of an axis and what holds for them.
struct Tap {
  Tensor at, weight;  // i64 within the axis, and its weight, which is 0 for places outside
};
using Taps = std::vector<Tap>;

Tap tap_at(const Tensor& whole, const Tensor& weight, int64_t size) {
  const auto last = static_cast<double>(size - 1);
  const Tensor inside = (whole >= 0) & (whole <= last);
  return {cast(clamp(stop_gradient(whole), 0, last), kI64), where(inside, weight, 0)};
}

Taps taps_of(const Tensor& grid, int64_t size, const GridSampleOptions& o) {
  const Tensor raw = positions(grid, size, o.align_corners);
  const Tensor finite = nan_to_num(raw, -1);
  const Tensor one = ones_like(finite);
  if (o.mode == InterpolationMode::kNearest)
    return {tap_at(round(within(finite, size, o)), one, size)};
  Taps taps;
  if (o.mode == InterpolationMode::kCubic) {
    const Tensor low = stop_gradient(floor(finite));
    for (int t = -1; t < 3; ++t)
      taps.push_back(tap_at(round(within(low + t, size, o)), keys(finite - low - t), size));
    return taps;
  }
  const Tensor at = within(finite, size, o), low = stop_gradient(floor(at));
  taps.push_back(tap_at(low, 1 - (at - low), size));
  taps.push_back(tap_at(low + 1, at - low, size));
  return taps;
}

}  // namespace

// PyTorch's channel c r^2 + i r + j is pixel (i, j) of channel c.
Tensor pixel_shuffle(const Tensor& x, int64_t factor, Where where) {
  check_pictures("pixel_shuffle", x, where);
  const Shape& s = x.shape();
  const int64_t square = factor > 0 ? multiply_sizes(factor, factor) : 0;
  if (square < 1 || s[3] % square != 0)
    fail("pixel_shuffle", s.str() + " has no channels for a factor of " + std::to_string(factor),
         where);
  const int64_t c = s[3] / square;
  const Tensor parts = reshape(x, {s[0], s[1], s[2], c, factor, factor}, where);
  return reshape(permute(parts, {0, 1, 4, 2, 5, 3}, where), {s[0], s[1] * factor, s[2] * factor, c},
                 where);
}
Tensor pixel_unshuffle(const Tensor& x, int64_t factor, Where where) {
  check_pictures("pixel_unshuffle", x, where);
  const Shape& s = x.shape();
  if (factor < 1 || s[1] % factor != 0 || s[2] % factor != 0)
    fail("pixel_unshuffle", s.str() + " does not divide by " + std::to_string(factor), where);
  const Tensor parts =
      reshape(x, {s[0], s[1] / factor, factor, s[2] / factor, factor, s[3]}, where);
  return reshape(permute(parts, {0, 1, 3, 5, 2, 4}, where),
                 {s[0], s[1] / factor, s[2] / factor, multiply_sizes(s[3], factor * factor)},
                 where);
}
Tensor channel_shuffle(const Tensor& x, int64_t groups, Where where) {
  if (!x.defined() || x.rank() < 1) fail("channel_shuffle", "the operand has no channels", where);
  const int64_t c = x.size(-1);
  if (groups < 1 || c % groups != 0)
    fail("channel_shuffle",
         std::to_string(c) + " channels do not divide into " + std::to_string(groups) + " groups",
         where);
  Shape split(x.shape().span().first(x.rank() - 1));
  split.push_back(groups);
  split.push_back(c / groups);
  return reshape(transpose(reshape(x, split, where), -1, -2, where), x.shape(), where);
}

Tensor interpolate(const Tensor& x, const Sizes& size, const InterpolateOptions& o, Where where) {
  if (!x.defined()) fail("interpolate", "the operand is not defined", where);
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3)
    fail("interpolate", "needs (N, ..., C) with one to three axes between, got " + x.shape().str(),
         where);
  const Sizes to = size.size() == 1 ? Sizes(axes, size[0]) : size;
  if (static_cast<int>(to.size()) != axes || (!o.scale.empty() && o.scale.size() != to.size()))
    fail("interpolate",
         "sizes and scales are not one for each of " + std::to_string(axes) + " axes", where);
  const bool smooth = o.mode == InterpolationMode::kLinear || o.mode == InterpolationMode::kCubic;
  if (o.align_corners && !smooth)
    fail("interpolate", "align_corners is for linear and cubic interpolation", where);
  if (o.antialias && !smooth)
    fail("interpolate", "antialias is for linear and cubic interpolation", where);
  for (int i = 0; i < axes; ++i) {
    if (to[i] < 1 || to[i] > INT32_MAX || x.size(i + 1) < 1)
      fail("interpolate", "cannot make size " + std::to_string(to[i]) + " of " + x.shape().str(),
           where);
    if (!o.scale.empty() && !(o.scale[i] > 0))
      fail("interpolate", "a scale is not positive", where);
  }
  if (o.mode == InterpolationMode::kArea) return adaptive_avg_pool(x, to, where);
  if (smooth && !is_float(x.dtype()))
    fail("interpolate", std::string("needs floats, got ") + name(x.dtype()), where);
  const bool half = x.dtype() == kF16 || x.dtype() == kBF16;
  Tensor y = half && smooth ? cast(Operand(x, where), kF32) : x;
  for (int i = 0; i < axes; ++i) {
    Resize r{i + 1, x.size(i + 1), to[i], 0};
    if (o.align_corners)
      r.step = r.to > 1 ? static_cast<double>(r.from - 1) / static_cast<double>(r.to - 1) : 0;
    else
      r.step = !o.scale.empty() ? 1 / o.scale[i]
                                : static_cast<double>(r.from) / static_cast<double>(r.to);
    if (o.mode == InterpolationMode::kLinear && o.antialias)
      y = averaged(y, r, false, where);
    else if (o.mode == InterpolationMode::kCubic && o.antialias)
      y = averaged(y, r, true, where);
    else if (o.mode == InterpolationMode::kLinear)
      y = linear_taps(y, r, o.align_corners, where);
    else if (o.mode == InterpolationMode::kCubic)
      y = cubic_taps(y, r, o.align_corners, where);
    else
      y = nearest(y, r, o.mode == InterpolationMode::kNearestExact, where);
  }
  return cast(Operand(y, where), x.dtype());
}

Tensor affine_grid(const Tensor& theta, const Sizes& size, bool align_corners, Where where) {
  const auto n = static_cast<int64_t>(size.size());
  if (!theta.defined() || n < 2 || n > 3 || theta.rank() != 3 || theta.size(1) != n ||
      theta.size(2) != n + 1 || std::ranges::any_of(size, [](int64_t s) { return s < 1; }))
    fail("affine_grid",
         "needs theta (N, 2, 3) and a height and width, or (N, 3, 4) and three sizes", where);
  Shape shape(std::vector<int64_t>(size.begin(), size.end()));
  std::vector<Tensor> columns;  // x, y (, z), 1
  for (int64_t i = n - 1; i >= 0; --i) {
    const auto count = static_cast<double>(size[i]);
    const double edge = size[i] == 1 ? 0 : align_corners ? 1 : 1 - 1 / count;
    Shape along(std::vector<int64_t>(n, 1));
    along[static_cast<int>(i)] = size[i];
    columns.push_back(expand(reshape(linspace(-edge, edge, size[i], theta.dtype()), along), shape));
  }
  columns.push_back(ones(shape, theta.dtype()));
  const Tensor base = reshape(stack(columns, static_cast<int>(n), where), {-1, n + 1}, where);
  const Tensor grid = matmul(base, transpose(theta, -1, -2, where), where);  // (N, P, n)
  shape.insert(0, theta.size(0));
  shape.push_back(n);
  return reshape(grid, shape, where);
}

Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& o, Where where) {
  if (!x.defined() || !grid.defined()) fail("grid_sample", "an operand is not defined", where);
  const int axes = x.rank() - 2;
  const Shape &xs = x.shape(), &gs = grid.shape();
  if (axes < 2 || axes > 3 || gs.rank() != xs.rank() || gs[gs.rank() - 1] != axes ||
      gs[0] != xs[0] || x.numel() == 0)
    fail("grid_sample", "x " + xs.str() + " and grid " + gs.str() + " do not belong together",
         where);
  if (o.mode != InterpolationMode::kLinear && o.mode != InterpolationMode::kNearest &&
      !(o.mode == InterpolationMode::kCubic && axes == 2))
    fail("grid_sample", "the mode is not linear, nearest, or, in pictures, cubic", where);
  const int64_t n = xs[0], c = xs[xs.rank() - 1];
  const Tensor places = reshape(grid, {n, -1, axes}, where);
  int64_t pixels = 1;
  std::vector<Taps> taps;
  for (int i = 0; i < axes; ++i) {
    pixels *= xs[i + 1];
    taps.push_back(taps_of(select_position(places, 2, axes - 1 - i, where), xs[i + 1], o));
  }
  const Tensor rows = reshape(x, {n * pixels, c}, where);
  const Tensor first = unsqueeze(arange(n) * pixels, 1);  // of each picture
  // Every combination of one tap of each axis.
  Tensor y;
  const std::function<void(int, const Tensor&, const Tensor&)> add = [&](int axis, const Tensor& at,
                                                                         const Tensor& weight) {
    if (axis == axes) {
      const Tensor part = take(rows, at + first, 0, where) * unsqueeze(weight, -1, where);
      y = y.defined() ? y + part : part;
      return;
    }
    for (const Tap& t : taps[axis])
      add(axis + 1, axis == 0 ? t.at : at * xs[axis + 1] + t.at,
          axis == 0 ? t.weight : weight * t.weight);
  };
  add(0, {}, {});
  Shape shape(gs.span().first(gs.rank() - 1));
  shape.push_back(c);
  return reshape(y, shape, where);
}

}  // namespace glia
