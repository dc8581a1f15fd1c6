#include "glia/vision/geometry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>

#include "blur.h"
#include "checks.h"
#include "glia/error.h"
#include "glia/vision/image.h"

namespace glia::vision {
namespace {

constexpr int64_t kMost = int64_t{1} << 31;  // of a side, and of where a box begins

struct Point {
  double x = 0, y = 0;
};
using Move = std::function<Point(Point)>;

std::string described(const Tensor& t) { return name(t.dtype()) + (" " + t.shape().str()); }

void check(const char* op, const Annotated& x, Where where) {
  check_image(op, x.image, where);
  const auto fail = [&](const std::string& what, const Tensor& t) {
    throw ShapeError(std::string(op) + ": " + what + ", not " + described(t), where);
  };
  if (x.boxes.defined() && (x.boxes.dtype() != kF32 || x.boxes.rank() != 2 || x.boxes.size(1) != 4))
    fail("boxes are f32 (N, 4)", x.boxes);
  if (x.boxes.defined() &&
      !std::ranges::all_of(x.boxes.data<float>(), [](float v) { return std::isfinite(v); }))
    throw ValueError(std::string(op) + ": a box that is not finite", where);
  if (x.labels.defined() && (!x.boxes.defined() || x.labels.dtype() != kI64 ||
                             x.labels.shape() != Shape{x.boxes.size(0)}))
    fail("labels are i64 (N), one of each box", x.labels);
  if (!x.mask.defined()) return;
  const Tensor& mask = x.mask;
  if (mask.dtype() != kU8 || mask.rank() < 2 || mask.rank() > 3 || mask.numel() == 0 ||
      mask.size(0) != x.image.size(0) || mask.size(1) != x.image.size(1))
    fail("a mask is u8 (" + std::to_string(x.image.size(0)) + ", " +
             std::to_string(x.image.size(1)) + ") or (H, W, M)",
         mask);
}

// A mask as a picture of any number of channels, and back.
Tensor with_channels(const Tensor& mask) {
  return mask.rank() == 3 ? mask : reshape(mask, {mask.size(0), mask.size(1), 1});
}
Tensor like(const Tensor& made, const Tensor& mask) {
  return mask.rank() == 3 ? made : reshape(made, {made.size(0), made.size(1)});
}

// Each box becomes the one around its moved corners, inside of height x width.
Tensor moved(const Tensor& boxes, int64_t height, int64_t width, const Move& move) {
  if (!boxes.defined()) return boxes;
  const auto from = boxes.data<float>();
  std::vector<float> out;
  for (size_t i = 0; i < from.size(); i += 4) {
    const double left = from[i], top = from[i + 1], right = from[i + 2], bottom = from[i + 3];
    const std::array<Point, 4> corners = {move({left, top}), move({right, top}),
                                          move({right, bottom}), move({left, bottom})};
    const auto [x0, x1] = std::ranges::minmax(corners, {}, &Point::x);
    const auto [y0, y1] = std::ranges::minmax(corners, {}, &Point::y);
    for (const auto& [value, most] : {std::pair{x0.x, width}, std::pair{y0.y, height},
                                      std::pair{x1.x, width}, std::pair{y1.y, height}})
      out.push_back(static_cast<float>(std::clamp(value, 0.0, static_cast<double>(most))));
  }
  return from_vector(out, boxes.shape());
}

// Picture and mask made of the same rows and columns, and boxes moved.
Annotated rearranged(const Annotated& x, const std::vector<int64_t>& rows,
                     const std::vector<int64_t>& columns, const std::vector<uint8_t>& fill,
                     const Move& move) {
  Annotated out = x;
  out.image = picked(x.image, rows, columns, fill);
  if (x.mask.defined()) {
    const Tensor mask = with_channels(x.mask);
    const std::vector<uint8_t> nothing(static_cast<size_t>(mask.size(2)));
    out.mask = like(picked(mask, rows, columns, nothing), x.mask);
  }
  out.boxes =
      moved(x.boxes, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()), move);
  return out;
}

std::vector<int64_t> counted(int64_t count, const std::function<int64_t(int64_t)>& f) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(f(i));
  return out;
}

// Where i lies in [0, size), or -1.
int64_t place(int64_t i, int64_t size, Padding mode) {
  switch (mode) {
    case Padding::kConstant:
      return i >= 0 && i < size ? i : -1;
    case Padding::kEdge:
      return std::clamp<int64_t>(i, 0, size - 1);
    case Padding::kReflect:
      return mirrored(i, size);
    case Padding::kSymmetric:
      break;
  }
  const int64_t at = ((i % (2 * size)) + 2 * size) % (2 * size);
  return at < size ? at : 2 * size - 1 - at;
}

void check_box(const char* op, int64_t top, int64_t left, int64_t height, int64_t width,
               Where where) {
  const auto inside = [](int64_t v) { return v > -kMost && v < kMost; };
  if (!inside(top) || !inside(left) || !inside(height) || !inside(width) || height < 1 ||
      width < 1 || height > kMost / width)
    throw ValueError(std::string(op) + ": a box of " + std::to_string(height) + " x " +
                         std::to_string(width) + " at (" + std::to_string(top) + ", " +
                         std::to_string(left) + ")",
                     where);
}

// ---- Warps ------------------------------------------------------------------------------------

void check_finite(const char* op, const char* what, std::initializer_list<double> values,
                  Where where) {
  for (const double v : values)
    if (!(std::abs(v) < static_cast<double>(kMost)))
      throw ValueError(std::string(op) + ": " + what + " " + std::to_string(v), where);
}

// The picture height x width whose pixel (x, y) is what `image` has at source(x, y), both counted
// from the middle of the first pixel.
template <class F>
Tensor sampled(const Tensor& image, int64_t height, int64_t width, bool linear,
               const std::vector<uint8_t>& fill, F&& source) {
  const int64_t rows = image.size(0), columns = image.size(1), channels = image.size(2);
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out(static_cast<size_t>(height * width * channels));
  const auto outside = [&](double x, double y) {
    return !(x > -1 && y > -1 && x < static_cast<double>(columns) && y < static_cast<double>(rows));
  };
  std::vector<double> sum(static_cast<size_t>(channels));
  uint8_t* to = out.data();
  for (int64_t h = 0; h < height; ++h)
    for (int64_t w = 0; w < width; ++w, to += channels) {
      const auto [x, y] = source(static_cast<double>(w), static_cast<double>(h));
      if (outside(x, y)) {
        std::copy_n(fill.begin(), channels, to);
        continue;
      }
      if (!linear) {
        const auto column = static_cast<int64_t>(std::nearbyint(x));
        const auto row = static_cast<int64_t>(std::nearbyint(y));
        const bool inside = column >= 0 && row >= 0 && column < columns && row < rows;
        std::copy_n(inside ? from.data() + (row * columns + column) * channels : fill.data(),
                    channels, to);
        continue;
      }
      const double left = std::floor(x), top = std::floor(y);
      std::fill(sum.begin(), sum.end(), 0.0);
      double total = 0;
      for (int corner = 0; corner < 4; ++corner) {
        const auto column = static_cast<int64_t>(left) + corner % 2;
        const auto row = static_cast<int64_t>(top) + corner / 2;
        if (column < 0 || row < 0 || column >= columns || row >= rows) continue;
        const double weight =
            (corner % 2 ? x - left : 1 - (x - left)) * (corner / 2 ? y - top : 1 - (y - top));
        const uint8_t* pixel = from.data() + (row * columns + column) * channels;
        for (int64_t c = 0; c < channels; ++c) sum[c] += weight * pixel[c];
        total += weight;
      }
      for (int64_t c = 0; c < channels; ++c)
        to[c] = static_cast<uint8_t>(std::nearbyint(sum[c] + (1 - total) * fill[c]));
    }
  return from_vector(out, {height, width, channels});
}

struct Sampling {
  InterpolationMode mode;
  const std::vector<double>& fill;
};

template <class F>
Annotated warped(const char* op, const Annotated& x, int64_t height, int64_t width,
                 const Sampling& how, F&& source, const Move& move, Where where) {
  if (how.mode != InterpolationMode::kNearest && how.mode != InterpolationMode::kLinear)
    throw ValueError(std::string(op) + ": interpolation is neither kNearest nor kLinear", where);
  Annotated out = x;
  out.image = sampled(x.image, height, width, how.mode == InterpolationMode::kLinear,
                      fill_of(op, how.fill, x.image.size(2), where), source);
  if (x.mask.defined()) {
    const Tensor mask = with_channels(x.mask);
    const std::vector<uint8_t> nothing(static_cast<size_t>(mask.size(2)));
    out.mask = like(sampled(mask, height, width, false, nothing, source), x.mask);
  }
  out.boxes = moved(x.boxes, height, width, move);
  return out;
}

// (x, y) -> (a x + b y + tx, c x + d y + ty).
struct Affine {
  double a = 1, b = 0, tx = 0, c = 0, d = 1, ty = 0;
  Point operator()(Point p) const { return {a * p.x + b * p.y + tx, c * p.x + d * p.y + ty}; }
  Affine inverse() const {
    const double det = a * d - b * c;
    const Affine linear{d / det, -b / det, 0, -c / det, a / det, 0};
    const Point shift = linear({tx, ty});
    return {linear.a, linear.b, -shift.x, linear.c, linear.d, -shift.y};
  }
};

double radians(double degrees) { return degrees / 180 * std::numbers::pi; }

// Rotation, scale and shears about the centre, then the shift: with R = rotation, the linear part
// is scale R [1 0; -tan(sy) 1] [1 -tan(sx); 0 1].
Affine affine_map(const AffineOptions& o, Point centre) {
  const double r = radians(o.angle), ty = std::tan(radians(o.shear.second));
  const double tx = std::tan(radians(o.shear.first));
  const double cos = std::cos(r), sin = std::sin(r);
  // The rotation times the shear along y.
  const double a = cos + sin * ty, b = -sin, c = sin - cos * ty, d = cos;
  Affine out{o.scale * a, o.scale * (b - a * tx), 0, o.scale * c, o.scale * (d - c * tx), 0};
  const Point at = out(centre);
  out.tx = centre.x + o.translate.first - at.x;
  out.ty = centre.y + o.translate.second - at.y;
  return out;
}

// What is turned into a larger or equal canvas by `map`: its middle stays the middle.
Annotated affine_of(const char* op, const Annotated& x, const Affine& map, bool expand,
                    const Sampling& how, Where where) {
  const auto height = static_cast<double>(x.image.size(0)),
             width = static_cast<double>(x.image.size(1));
  const Affine back = map.inverse();
  if (!expand)
    return warped(
        op, x, x.image.size(0), x.image.size(1), how,
        [&](double w, double h) {
          const Point p = back({w + 0.5, h + 0.5});
          return Point{p.x - 0.5, p.y - 0.5};
        },
        map, where);
  // The frame around the turned corners in whole pixels; what is less than 1e-4 is rounding.
  const auto coarse = [](double v) { return std::trunc(v * 1e4) * 1e-4; };
  const std::array<Point, 4> corners = {map({0, 0}), map({width, 0}), map({width, height}),
                                        map({0, height})};
  const auto [x0, x1] = std::ranges::minmax(corners, {}, &Point::x);
  const auto [y0, y1] = std::ranges::minmax(corners, {}, &Point::y);
  const auto length = [&](double low, double high) {
    const double exact = std::nearbyint(high - low);  // of quarter turns
    return std::abs(high - low - exact) < 1e-9 ? exact
                                               : std::ceil(coarse(high)) - std::floor(coarse(low));
  };
  const double out_width = length(x0.x, x1.x), out_height = length(y0.y, y1.y);
  const Point middle{(width - out_width) / 2, (height - out_height) / 2};
  return warped(
      op, x, static_cast<int64_t>(out_height), static_cast<int64_t>(out_width), how,
      [&](double w, double h) {
        const Point p = back({w + 0.5 + middle.x, h + 0.5 + middle.y});
        return Point{p.x - 0.5, p.y - 0.5};
      },
      [&, left = x0.x, top = y0.y](Point p) {
        const Point at = map(p);
        return Point{at.x - left, at.y - top};
      },
      where);
}

// The eight coefficients of (x, y) -> ((c0 x + c1 y + c2) / (c6 x + c7 y + 1), (c3 x + c4 y + c5) /
// (...)) that leads from one set of corners to another; empty if none does.
std::vector<double> projection(const Corners& from, const Corners& to) {
  constexpr int kUnknown = 8;
  std::array<std::array<double, kUnknown + 1>, kUnknown> rows{};
  for (size_t i = 0; i < 4; ++i) {
    const auto [x, y] = from[i];
    const auto [u, v] = to[i];
    rows[2 * i] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u};
    rows[2 * i + 1] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};
  }
  double largest = 0;
  for (const auto& row : rows)
    for (const double v : row) largest = std::max(largest, std::abs(v));
  for (int k = 0; k < kUnknown; ++k) {  // Gauss and Jordan, by the largest pivot
    const auto pivot = std::max_element(rows.begin() + k, rows.end(), [&](auto& a, auto& b) {
      return std::abs(a[k]) < std::abs(b[k]);
    });
    if (!(std::abs((*pivot)[k]) > 1e-13 * largest)) return {};
    std::swap(rows[k], *pivot);
    for (int i = 0; i < kUnknown; ++i) {
      if (i == k) continue;
      const double factor = rows[i][k] / rows[k][k];
      for (int j = k; j <= kUnknown; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  std::vector<double> out;
  for (int k = 0; k < kUnknown; ++k) out.push_back(rows[k][kUnknown] / rows[k][k]);
  return out;
}
Point projected(const std::vector<double>& c, Point p) {
  const double depth = c[6] * p.x + c[7] * p.y + 1;
  return {(c[0] * p.x + c[1] * p.y + c[2]) / depth, (c[3] * p.x + c[4] * p.y + c[5]) / depth};
}

}  // namespace

Annotated horizontal_flip(const Annotated& x, Where where) {
  check("horizontal_flip", x, where);
  const int64_t height = x.image.size(0), width = x.image.size(1);
  return rearranged(x, counted(height, [](int64_t i) { return i; }),
                    counted(width, [&](int64_t i) { return width - 1 - i; }), {}, [&](Point p) {
                      return Point{static_cast<double>(width) - p.x, p.y};
                    });
}

Annotated vertical_flip(const Annotated& x, Where where) {
  check("vertical_flip", x, where);
  const int64_t height = x.image.size(0), width = x.image.size(1);
  return rearranged(x, counted(height, [&](int64_t i) { return height - 1 - i; }),
                    counted(width, [](int64_t i) { return i; }), {}, [&](Point p) {
                      return Point{p.x, static_cast<double>(height) - p.y};
                    });
}

Annotated crop(const Annotated& x, int64_t top, int64_t left, int64_t height, int64_t width,
               const CropOptions& options, Where where) {
  check("crop", x, where);
  check_box("crop", top, left, height, width, where);
  const auto along = [&](int64_t start, int64_t length, int64_t size) {
    return counted(length, [&](int64_t i) { return place(start + i, size, options.padding_mode); });
  };
  return rearranged(x, along(top, height, x.image.size(0)), along(left, width, x.image.size(1)),
                    fill_of("crop", options.fill, x.image.size(2), where), [&](Point p) {
                      return Point{p.x - static_cast<double>(left), p.y - static_cast<double>(top)};
                    });
}

Annotated center_crop(const Annotated& x, int64_t height, int64_t width, Where where) {
  check("center_crop", x, where);
  check_box("center_crop", 0, 0, height, width, where);
  // Halves to even, as Python rounds; a picture that is too small gets the smaller half in front.
  const auto start = [](int64_t size, int64_t length) {
    return size < length
               ? -((length - size) / 2)
               : static_cast<int64_t>(std::nearbyint(static_cast<double>(size - length) / 2));
  };
  return crop(x, start(x.image.size(0), height), start(x.image.size(1), width), height, width, {},
              where);
}

Annotated resized_crop(const Annotated& x, int64_t top, int64_t left, int64_t height, int64_t width,
                       int64_t out_height, int64_t out_width, Where where) {
  check("resized_crop", x, where);
  Annotated out = x;
  out.image = resized_crop(x.image, top, left, height, width, out_height, out_width,
                           Filter::kBilinear, where);
  const auto along = [](int64_t start, int64_t length, int64_t count, int64_t size) {
    return counted(count, [=](int64_t i) {
      return place(start + i * length / count, size, Padding::kConstant);
    });
  };
  if (x.mask.defined()) {
    const Tensor mask = with_channels(x.mask);
    const std::vector<uint8_t> nothing(static_cast<size_t>(mask.size(2)));
    out.mask = like(picked(mask, along(top, height, out_height, mask.size(0)),
                           along(left, width, out_width, mask.size(1)), nothing),
                    x.mask);
  }
  // Cut off at the box before it is resized, which is the same as after.
  const double across = static_cast<double>(out_width) / static_cast<double>(width);
  const double down = static_cast<double>(out_height) / static_cast<double>(height);
  out.boxes = moved(x.boxes, out_height, out_width, [&](Point p) {
    return Point{(p.x - static_cast<double>(left)) * across,
                 (p.y - static_cast<double>(top)) * down};
  });
  return out;
}

Annotated sanitize_boxes(const Annotated& x, double min_size, double min_area, Where where) {
  check("sanitize_boxes", x, where);
  if (!x.boxes.defined()) return x;
  const auto from = x.boxes.data<float>();
  const std::vector<int64_t> labels =
      x.labels.defined() ? x.labels.to_vector<int64_t>() : std::vector<int64_t>{};
  std::vector<float> boxes;
  std::vector<int64_t> kept;
  for (size_t i = 0; i < from.size(); i += 4) {
    const double width = from[i + 2] - from[i], height = from[i + 3] - from[i + 1];
    if (!(width >= min_size && height >= min_size && width * height >= min_area)) continue;
    boxes.insert(boxes.end(), &from[i], &from[i] + 4);
    if (!labels.empty()) kept.push_back(labels[i / 4]);
  }
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  Annotated out = x;
  out.boxes = from_vector(boxes, {count, 4});
  if (x.labels.defined()) out.labels = from_vector(kept, {count});
  return out;
}

Annotated affine(const Annotated& x, const AffineOptions& o, Where where) {
  check("affine", x, where);
  check_finite("affine", "an angle or a shift of",
               {o.angle, o.translate.first, o.translate.second, o.shear.first, o.shear.second},
               where);
  if (!(o.scale > 0) || !std::isfinite(o.scale))
    throw ValueError("affine: a scale of " + std::to_string(o.scale) + " is not above 0", where);
  const auto [cx, cy] = o.center.value_or(std::pair{static_cast<double>(x.image.size(1)) / 2,
                                                    static_cast<double>(x.image.size(0)) / 2});
  check_finite("affine", "a centre at", {cx, cy}, where);
  return affine_of("affine", x, affine_map(o, {cx, cy}), false, {o.interpolation, o.fill}, where);
}

Annotated rotate(const Annotated& x, double angle, const RotateOptions& o, Where where) {
  check("rotate", x, where);
  check_finite("rotate", "an angle of", {angle}, where);
  const auto [cx, cy] = o.center.value_or(std::pair{static_cast<double>(x.image.size(1)) / 2,
                                                    static_cast<double>(x.image.size(0)) / 2});
  check_finite("rotate", "a centre at", {cx, cy}, where);
  return affine_of("rotate", x, affine_map({.angle = -angle}, {cx, cy}), o.expand,
                   {o.interpolation, o.fill}, where);
}

Annotated perspective(const Annotated& x, const Corners& startpoints, const Corners& endpoints,
                      const WarpOptions& options, Where where) {
  check("perspective", x, where);
  if (startpoints.size() != 4 || endpoints.size() != 4)
    throw ValueError("perspective: " + std::to_string(startpoints.size()) + " startpoints and " +
                         std::to_string(endpoints.size()) + " endpoints, not four of each",
                     where);
  for (const Corners* corners : {&startpoints, &endpoints})
    for (const auto& [px, py] : *corners)
      check_finite("perspective", "a point at", {px, py}, where);
  const std::vector<double> back = projection(endpoints, startpoints);
  const std::vector<double> forth = projection(startpoints, endpoints);
  if (back.empty() || forth.empty())
    throw ValueError("perspective: three of the points are on one line", where);
  return warped(
      "perspective", x, x.image.size(0), x.image.size(1), {options.interpolation, options.fill},
      [&](double w, double h) {
        const Point p = projected(back, {w + 0.5, h + 0.5});
        return Point{p.x - 0.5, p.y - 0.5};
      },
      [&](Point p) { return projected(forth, p); }, where);
}

Annotated elastic(const Annotated& x, const Tensor& displacement, const WarpOptions& options,
                  Where where) {
  check("elastic", x, where);
  const int64_t height = x.image.size(0), width = x.image.size(1);
  if (!displacement.defined() || displacement.dtype() != kF32 ||
      displacement.shape() != Shape{height, width, 2})
    throw ShapeError("elastic: the displacement of " + x.image.shape().str() + " is f32 (" +
                         std::to_string(height) + ", " + std::to_string(width) + ", 2), not " +
                         (displacement.defined() ? described(displacement) : "nothing"),
                     where);
  const auto shift = displacement.data<float>();
  const auto at = [&](int64_t row, int64_t column) {
    const float* d = shift.data() + 2 * (row * width + column);
    return Point{d[0] * static_cast<double>(width) / 2, d[1] * static_cast<double>(height) / 2};
  };
  return warped(
      "elastic", x, height, width, {options.interpolation, options.fill},
      [&](double w, double h) {
        const Point by = at(static_cast<int64_t>(h), static_cast<int64_t>(w));
        return Point{w + by.x, h + by.y};
      },
      [&](Point p) {
        const auto column =
            static_cast<int64_t>(std::clamp(std::ceil(p.x), 0.0, static_cast<double>(width - 1)));
        const auto row =
            static_cast<int64_t>(std::clamp(std::ceil(p.y), 0.0, static_cast<double>(height - 1)));
        const Point by = at(row, column);
        return Point{static_cast<double>(column) - by.x, static_cast<double>(row) - by.y};
      },
      where);
}

}  // namespace glia::vision
