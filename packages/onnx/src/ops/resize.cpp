// Resizing and sampling of pictures.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "axes.h"
#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/image.h"

namespace glia::onnx {
namespace {

struct ResizeMode {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool exclude_outside = false, antialias = false;
  double extrapolation = 0;
};

// Where an axis of the result comes from.
struct ResizeAxis {
  int64_t in = 1, out = 1;
  double scale = 1, start = 0, end = 1;
};

double source_of(const ResizeMode& m, const ResizeAxis& a, double i) {
  const double out = static_cast<double>(a.out), in = static_cast<double>(a.in);
  const std::string& how = m.coordinates;
  if (how == "asymmetric") return i / a.scale;
  if (how == "align_corners") {
    const double length = a.scale * in;  // which need not be whole
    return length == 1 ? 0 : i * (in - 1) / (length - 1);
  }
  if (how == "pytorch_half_pixel") return a.out > 1 ? (i + 0.5) / a.scale - 0.5 : 0;
  if (how == "tf_half_pixel_for_nn") return (i + 0.5) / a.scale;
  if (how == "tf_crop_and_resize")
    return a.out > 1 ? a.start * (in - 1) + i * (a.end - a.start) * (in - 1) / (out - 1)
                     : 0.5 * (a.start + a.end) * (in - 1);
  if (how == "half_pixel_symmetric") {
    const double adjustment = out / (a.scale * in);
    return in / 2 * (1 - adjustment) + (i + 0.5) / a.scale - 0.5;
  }
  if (how == "half_pixel") return (i + 0.5) / a.scale - 0.5;
  throw Error("coordinates \"" + how + "\" are not known");
}

double cubic_at(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// The weight of each number of the axis in each of the result: (out, in).
Tensor weights_of(const ResizeMode& m, const ResizeAxis& a, DType dtype) {
  std::vector<double> w(static_cast<size_t>(a.in * a.out), 0);
  const double wide = m.antialias && a.scale < 1 ? 1 / a.scale : 1;
  const int reach = static_cast<int>(std::ceil((m.mode == "cubic" ? 2 : 1) * wide));
  for (int64_t o = 0; o < a.out; ++o) {
    const double x = source_of(m, a, static_cast<double>(o));
    double* row = w.data() + o * a.in;
    if (m.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(a.in - 1)))
      continue;
    const int64_t base = static_cast<int64_t>(std::floor(x));
    double total = 0;
    for (int64_t i = base - reach + 1 - (wide > 1); i <= base + reach + (wide > 1); ++i) {
      const double distance = (static_cast<double>(i) - x) / wide;
      const double weight =
          m.mode == "cubic" ? cubic_at(distance, m.cubic) : std::max(0.0, 1 - std::abs(distance));
      const bool outside = i < 0 || i >= a.in;
      if (outside && m.exclude_outside) continue;
      total += weight;
      row[std::clamp<int64_t>(i, 0, a.in - 1)] += weight;
    }
    if (total != 0 && (m.exclude_outside || wide > 1)) {
      for (int64_t i = 0; i < a.in; ++i) row[i] /= total;
    }
  }
  return cast(from_vector(w, {a.out, a.in}), dtype);
}

std::vector<int64_t> nearest_of(const ResizeMode& m, const ResizeAxis& a) {
  std::vector<int64_t> at;
  for (int64_t o = 0; o < a.out; ++o) {
    const double x = source_of(m, a, static_cast<double>(o));
    double i = std::floor(x);
    if (m.nearest == "ceil") i = std::ceil(x);
    if (m.nearest == "round_prefer_floor") i = std::ceil(x - 0.5);
    if (m.nearest == "round_prefer_ceil") i = std::floor(x + 0.5);
    at.push_back(std::clamp<int64_t>(static_cast<int64_t>(i), 0, a.in - 1));
  }
  return at;
}

// What is outside of the source, of tf_crop_and_resize.
Tensor inside_of(const ResizeMode& m, const ResizeAxis& a) {
  std::vector<uint8_t> inside;
  for (int64_t o = 0; o < a.out; ++o) {
    const double x = source_of(m, a, static_cast<double>(o));
    inside.push_back(x >= 0 && x <= static_cast<double>(a.in - 1));
  }
  return from_vector(inside, {a.out}) != 0;
}

// By the kernels for pictures, where these do the same: undefined if not.
Tensor by_interpolate(const ResizeMode& m, const std::vector<ResizeAxis>& axes, const Tensor& x,
                      bool channels_last) {
  const int rank = x.rank();
  if (!channels_last || rank < 3 || rank > 5 || m.antialias || !is_float(x.dtype())) return {};
  std::vector<int64_t> sizes;
  bool linear = m.mode == "linear" &&
                (m.coordinates == "half_pixel" || m.coordinates == "pytorch_half_pixel" ||
                 m.coordinates == "align_corners");
  bool nearest = m.mode == "nearest";
  for (int i = 0; i < rank; ++i) {
    const ResizeAxis& a = axes[i];  // in ONNX's order
    if (i < 2) {
      if (a.in != a.out) return {};
      continue;
    }
    sizes.push_back(a.out);
    linear &= a.scale == static_cast<double>(a.out) / static_cast<double>(a.in) &&
              (a.out > 1 || m.coordinates == "half_pixel");
    if (nearest) {
      const std::vector<int64_t> at = nearest_of(m, a);
      for (int64_t o = 0; o < a.out; ++o) nearest &= at[o] == o * a.in / a.out;
    }
  }
  if (linear)
    return interpolate(
        x, sizes,
        {.mode = InterpolationMode::kLinear, .align_corners = m.coordinates == "align_corners"});
  if (nearest) return interpolate(x, sizes, {.mode = InterpolationMode::kNearest});
  return {};
}

void resized(Call& c, const ResizeMode& m, const std::vector<ResizeAxis>& axes) {
  const Held& held = c.in(0);
  Tensor x = held.tensor;
  const int rank = x.rank();
  const bool as_picture = rank >= 3 && rank <= 5;
  const bool last = as_picture;
  if (as_picture) x = c.spatial(0);
  Tensor y = by_interpolate(m, axes, x, last);
  if (!y.defined()) {
    y = x;
    const DType dtype = x.dtype();
    if (m.mode != "nearest" && !is_float(dtype)) y = cast(y, kF32);
    for (int i = 0; i < rank; ++i) {
      const ResizeAxis& a = axes[i];
      if (a.in == a.out && a.scale == 1 && m.coordinates != "tf_crop_and_resize") continue;
      const int place = place_of_axis(i, rank, last);
      if (m.mode == "nearest") {
        y = take(y, from_vector(nearest_of(m, a), {a.out}), place);
      } else {
        const Tensor w = weights_of(m, a, y.dtype());
        y = place == rank - 1
                ? matmul(y, transpose(w))
                : swapaxes(matmul(swapaxes(y, place, rank - 1), transpose(w)), place, rank - 1);
      }
    }
    if (m.coordinates == "tf_crop_and_resize") {
      Tensor inside;
      for (int i = 0; i < rank; ++i) {
        Shape shape = Shape::filled(rank, 1);
        shape[place_of_axis(i, rank, last)] = axes[i].out;
        const Tensor here = reshape(inside_of(m, axes[i]), shape);
        inside = inside.defined() ? inside & here : here;
      }
      y = where(inside, y, full({}, m.extrapolation, y.dtype()));
    }
    if (y.dtype() != dtype)
      y = is_float(dtype) ? cast(y, dtype) : converted(round(y), ElementType::kFloat32, c.type(0));
  }
  last ? c.set_spatial(0, y) : c.set(0, y);
}

void resize_op(Call& c) {
  const Shape shape = c.shape(0);
  const int rank = shape.rank();
  ResizeMode m{
      .mode = c.text_of("mode", "nearest"),
      .coordinates =
          c.text_of("coordinate_transformation_mode", c.opset() < 11 ? "asymmetric" : "half_pixel"),
      .nearest = c.text_of("nearest_mode", c.opset() < 11 ? "floor" : "round_prefer_floor"),
      .cubic = c.real_of("cubic_coeff_a", -0.75),
      .exclude_outside = c.integer_of("exclude_outside", 0) != 0,
      .antialias = c.integer_of("antialias", 0) != 0,
      .extrapolation = c.real_of("extrapolation_value", 0)};
  const int scales_at = c.opset() < 11 ? 1 : 2;
  std::vector<double> scales = c.has(scales_at) ? c.numbers(scales_at) : std::vector<double>{};
  std::vector<int64_t> sizes = c.has(3) ? c.integers(3) : std::vector<int64_t>{};
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  axes = c.axes(c.integers_of("axes", axes), rank);
  if ((scales.empty() ? sizes.size() : scales.size()) != axes.size())
    c.fail("needs a scale or a size for each axis");
  const std::vector<double> roi =
      m.coordinates == "tf_crop_and_resize" && c.has(1) ? c.numbers(1) : std::vector<double>{};
  if (!roi.empty() && roi.size() != 2 * axes.size())
    c.fail("the region has " + std::to_string(roi.size()) + " numbers");
  const std::string policy = c.text_of("keep_aspect_ratio_policy", "stretch");
  double common = 0;
  if (scales.empty() && policy != "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) {
      const double s =
          static_cast<double>(sizes[i]) / static_cast<double>(shape[static_cast<int>(axes[i])]);
      common = i == 0 ? s : policy == "not_larger" ? std::min(common, s) : std::max(common, s);
    }
  }
  std::vector<ResizeAxis> all(rank);
  for (int i = 0; i < rank; ++i) all[i] = {.in = shape[i], .out = shape[i]};
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& a = all[axes[i]];
    const double in = static_cast<double>(a.in);
    if (!scales.empty()) {
      a.scale = scales[i];
      if (!(a.scale > 0) || a.scale * in > 1e12) c.fail("scale " + std::to_string(a.scale));
      const double span = roi.empty() ? 1 : roi[axes.size() + i] - roi[i];
      a.out = static_cast<int64_t>(std::floor(in * span * a.scale + 1e-9));
      if (roi.empty())
        a.out =
            static_cast<int64_t>(std::floor(static_cast<float>(in) * static_cast<float>(a.scale)));
    } else if (common > 0) {
      a.scale = common;
      a.out = static_cast<int64_t>(std::floor(common * in + 0.5));
    } else {
      a.out = sizes[i];
      a.scale = static_cast<double>(a.out) / in;
    }
    if (!roi.empty()) {
      a.start = roi[i];
      a.end = roi[axes.size() + i];
    }
    if (a.in < 1 || a.out < 0) c.fail("of shape " + shape.str());
  }
  resized(c, m, all);
}

void upsample_op(Call& c) {
  const Shape shape = c.shape(0);
  std::vector<double> scales = c.has(1) ? c.numbers(1) : c.reals_of("scales");
  if (scales.empty()) scales = {1, 1, c.real_of("height_scale", 1), c.real_of("width_scale", 1)};
  if (static_cast<int>(scales.size()) != shape.rank()) c.fail("needs a scale for each axis");
  std::vector<ResizeAxis> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!(scales[i] >= 1) || scales[i] > 1e9) c.fail("scale " + std::to_string(scales[i]));
    axes.push_back(
        {.in = shape[i],
         .out = static_cast<int64_t>(std::floor(static_cast<double>(shape[i]) * scales[i])),
         .scale = scales[i]});
  }
  std::string mode = c.text_of("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  resized(c, {.mode = mode, .coordinates = "asymmetric", .nearest = "floor"}, axes);
}

// ---- Sampling at places ----

void grid_sample_op(Call& c) {
  const std::string mode = c.text_of("mode", "linear"),
                    padding = c.text_of("padding_mode", "zeros");
  GridSampleOptions options{.align_corners = c.integer_of("align_corners", 0) != 0};
  if (mode == "nearest") options.mode = InterpolationMode::kNearest;
  if (mode == "bicubic" || mode == "cubic") options.mode = InterpolationMode::kCubic;
  if (padding == "border") options.padding = GridPadding::kBorder;
  if (padding == "reflection") options.padding = GridPadding::kReflection;
  c.set_spatial(0, grid_sample(c.spatial(0), c.tensor(1), options));
}

void affine_grid_op(Call& c) {
  const std::vector<int64_t> size = c.integers(1);
  if (size.size() < 4) c.fail("a size of " + std::to_string(size.size()) + " axes");
  c.set(0, affine_grid(c.tensor(0), {size.begin() + 2, size.end()},
                       c.integer_of("align_corners", 0) != 0));
}

// Regions of pictures at one size, by averages of samples, or the largest number (He et al. 2017).
void roi_align(Call& c) {
  const Tensor x = c.tensor(0), rois = cast(c.tensor(1), kF64);
  const std::vector<int64_t> batch = c.integers(2);
  const int64_t oh = c.integer_of("output_height", 1), ow = c.integer_of("output_width", 1);
  const double scale = c.real_of("spatial_scale", 1);
  const int64_t ratio = c.integer_of("sampling_ratio", 0);
  const bool half =
      c.opset() >= 16 && c.text_of("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const bool average = c.text_of("mode", "avg") == "avg";
  if (x.rank() != 4 || rois.rank() != 2 || rois.size(1) != 4 ||
      static_cast<int64_t>(batch.size()) != rois.size(0) || oh < 1 || ow < 1)
    c.fail("x needs four axes and each region four numbers");
  const std::vector<double> boxes = rois.to_vector<double>();
  c.depends_on_values();
  const int64_t h = x.size(2), w = x.size(3);
  std::vector<Tensor> out;
  // Four neighbours of each sample and their weights along one axis.
  struct Line {
    std::vector<int64_t> low, high;
    std::vector<double> weight;  // of `high`
    std::vector<double> there;   // 0: outside
  };
  const auto line = [&](double from, double length, int64_t bins, int64_t samples, int64_t size) {
    Line l;
    for (int64_t b = 0; b < bins; ++b) {
      for (int64_t s = 0; s < samples; ++s) {
        double at = from + length / static_cast<double>(bins) *
                               (static_cast<double>(b) +
                                (static_cast<double>(s) + 0.5) / static_cast<double>(samples));
        l.there.push_back(at >= -1 && at <= static_cast<double>(size));
        at = std::max(at, 0.0);
        const int64_t low = std::min(static_cast<int64_t>(at), size - 1);
        l.low.push_back(low);
        l.high.push_back(std::min(low + 1, size - 1));
        l.weight.push_back(low == size - 1 ? 0 : at - static_cast<double>(low));
      }
    }
    return l;
  };
  for (size_t r = 0; r < batch.size(); ++r) {
    if (batch[r] < 0 || batch[r] >= x.size(0)) c.fail("picture " + std::to_string(batch[r]));
    const double shift = half ? 0.5 : 0;
    const double x1 = boxes[4 * r] * scale - shift, y1 = boxes[4 * r + 1] * scale - shift;
    double width = boxes[4 * r + 2] * scale - shift - x1,
           height = boxes[4 * r + 3] * scale - shift - y1;
    if (!half) {
      width = std::max(width, 1.0);
      height = std::max(height, 1.0);
    }
    const auto samples = [&](double length, int64_t bins) {
      const double n =
          ratio > 0 ? static_cast<double>(ratio) : std::ceil(length / static_cast<double>(bins));
      if (!(n < 4096)) c.fail("a region of " + std::to_string(length) + " pixels");
      return std::max<int64_t>(static_cast<int64_t>(n), 1);
    };
    const int64_t sy = samples(height, oh), sx = samples(width, ow);
    const Line ly = line(y1, height, oh, sy, h), lx = line(x1, width, ow, sx, w);
    const Tensor picture = squeeze(narrow(x, 0, batch[r], 1), 0);  // (C, H, W)
    const auto rows = [&](const std::vector<int64_t>& at, const Tensor& t, int axis) {
      return take(t, from_vector(at, {static_cast<int64_t>(at.size())}), axis);
    };
    const auto along = [&](const std::vector<double>& v, bool y_axis) {
      const Tensor t = cast(from_vector(v, {static_cast<int64_t>(v.size())}), x.dtype());
      return y_axis ? unsqueeze(t, 1) : t;
    };
    const Tensor top = rows(ly.low, picture, 1), bottom = rows(ly.high, picture, 1);
    const Tensor wy = along(ly.weight, true), wx = along(lx.weight, false);
    const Tensor inside = along(ly.there, true) * along(lx.there, false);
    const Tensor a = rows(lx.low, top, 2) * (1 - wy) * (1 - wx),
                 b = rows(lx.high, top, 2) * (1 - wy) * wx,
                 d = rows(lx.low, bottom, 2) * wy * (1 - wx),
                 e = rows(lx.high, bottom, 2) * wy * wx;
    const Tensor value = (average ? a + b + d + e : maximum(maximum(a, b), maximum(d, e))) * inside;
    const Tensor parts = reshape(value, {x.size(1), oh, sy, ow, sx});
    out.push_back(average ? mean(parts, {2, 4}) : max(parts, {2, 4}));
  }
  c.set(0, out.empty() ? zeros({0, x.size(1), oh, ow}, x.dtype()) : stack(out, 0));
}

void max_roi_pool(Call& c) {  // Girshick 2015
  const Tensor x = c.tensor(0);
  const std::vector<double> rois = c.numbers(1);
  const std::vector<int64_t> size = c.integers_of("pooled_shape");
  const double scale = c.real_of("spatial_scale", 1);
  if (x.rank() != 4 || size.size() != 2 || rois.size() % 5 != 0)
    c.fail("x needs four axes and each region five numbers");
  const int64_t h = x.size(2), w = x.size(3);
  std::vector<Tensor> out;
  for (size_t r = 0; r < rois.size(); r += 5) {
    const auto at = [&](int i) { return static_cast<int64_t>(std::round(rois[r + i] * scale)); };
    const int64_t rw = std::max<int64_t>(at(3) - at(1) + 1, 1),
                  rh = std::max<int64_t>(at(4) - at(2) + 1, 1);
    const auto n = static_cast<int64_t>(rois[r]);
    if (n < 0 || n >= x.size(0)) c.fail("picture " + std::to_string(n));
    std::vector<Tensor> bins;
    for (int64_t i = 0; i < size[0] * size[1]; ++i) {
      const int64_t by = i / size[1], bx = i % size[1];
      const auto bound = [](int64_t bin, int64_t length, int64_t bins, bool end, int64_t from,
                            int64_t most) {
        const double step = static_cast<double>(length) / static_cast<double>(bins);
        const double v = end ? std::ceil(static_cast<double>(bin + 1) * step)
                             : std::floor(static_cast<double>(bin) * step);
        return std::clamp<int64_t>(static_cast<int64_t>(v) + from, 0, most);
      };
      const int64_t y0 = bound(by, rh, size[0], false, at(2), h),
                    y1 = bound(by, rh, size[0], true, at(2), h);
      const int64_t x0 = bound(bx, rw, size[1], false, at(1), w),
                    x1 = bound(bx, rw, size[1], true, at(1), w);
      const Tensor picture = squeeze(narrow(x, 0, n, 1), 0);
      bins.push_back(y1 <= y0 || x1 <= x0
                         ? zeros({x.size(1)}, x.dtype())
                         : max(narrow(narrow(picture, 1, y0, y1 - y0), 2, x0, x1 - x0), {1, 2}));
    }
    out.push_back(reshape(stack(bins, 1), {x.size(1), size[0], size[1]}));
  }
  c.set(0, out.empty() ? zeros({0, x.size(1), size[0], size[1]}, x.dtype()) : stack(out, 0));
}

void non_max_suppression(Call& c) {
  const std::vector<double> boxes = c.numbers(0), scores = c.numbers(1);
  const Shape b = c.shape(0), s = c.shape(1);
  if (b.rank() != 3 || s.rank() != 3 || b[2] != 4 || s[0] != b[0] || s[2] != b[1])
    c.fail("boxes " + b.str() + " with scores " + s.str());
  const int64_t most = c.has(2) ? c.integer(2) : 0;
  const double overlap = c.has(3) ? c.number(3) : 0;
  const double least = c.has(4) ? c.number(4) : -INFINITY;
  const bool centred = c.integer_of("center_point_box", 0) != 0;
  struct Box {
    double y1, x1, y2, x2;
  };
  std::vector<int64_t> out;
  c.depends_on_values();
  for (int64_t n = 0; n < b[0]; ++n) {
    std::vector<Box> all;
    for (int64_t i = 0; i < b[1]; ++i) {
      const double* p = &boxes[(n * b[1] + i) * 4];
      if (centred)
        all.push_back({p[1] - p[3] / 2, p[0] - p[2] / 2, p[1] + p[3] / 2, p[0] + p[2] / 2});
      else
        all.push_back({std::min(p[0], p[2]), std::min(p[1], p[3]), std::max(p[0], p[2]),
                       std::max(p[1], p[3])});
    }
    const auto share = [&](const Box& p, const Box& q) {
      const double both = std::max(0.0, std::min(p.y2, q.y2) - std::max(p.y1, q.y1)) *
                          std::max(0.0, std::min(p.x2, q.x2) - std::max(p.x1, q.x1));
      const double areas = (p.y2 - p.y1) * (p.x2 - p.x1) + (q.y2 - q.y1) * (q.x2 - q.x1);
      return both / (areas - both);
    };
    for (int64_t k = 0; k < s[1]; ++k) {
      const double* score = &scores[(n * s[1] + k) * s[2]];
      std::vector<int64_t> order;
      for (int64_t i = 0; i < b[1]; ++i) {
        if (score[i] > least) order.push_back(i);
      }
      std::ranges::stable_sort(order, [&](int64_t i, int64_t j) { return score[i] > score[j]; });
      std::vector<int64_t> kept;
      for (int64_t i : order) {
        if (static_cast<int64_t>(kept.size()) >= most) break;
        if (std::ranges::any_of(kept, [&](int64_t j) { return share(all[i], all[j]) > overlap; }))
          continue;
        kept.push_back(i);
        out.insert(out.end(), {n, k, i});
      }
    }
  }
  c.set(0, from_vector(out, {static_cast<int64_t>(out.size()) / 3, 3}), ElementType::kInt64);
}

const Operators list{
    {"Resize", resize_op, {.read = 0b1110}},
    {"Upsample", upsample_op, {.read = 2}},
    {"GridSample", grid_sample_op},
    {"AffineGrid", affine_grid_op, {.read = 2}},
    {"RoiAlign", roi_align},
    {"MaxRoiPool", max_roi_pool},
    {"NonMaxSuppression", non_max_suppression},
};

}  // namespace
}  // namespace glia::onnx
