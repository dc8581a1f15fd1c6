// Pooling over one to three axes, with every option: by the pooling of pictures where that can do
// it, else by the position of each window's largest value.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/ops/pool.h"
#include "glia/ops/select.h"
#include "glia/random.h"
#include "ops/pool.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- window_argmax(x, d, h, w): where each window has its largest value ----
// x (N, D, H, W, C); of each axis the table (windows, 2) has the first position and how many follow
// it, `dilation` apart. The result is flat in D H W. A NaN is above all others; the first of equals
// is taken.

struct WindowAttributes {
  int64_t dilation_d = 1, dilation_h = 1, dilation_w = 1;
  GLIA_ATTRIBUTES(dilation_d, dilation_h, dilation_w)
};

template <class T>
void argmax_row(const KernelCall& call, int64_t row, const T* x, int64_t* to) {
  const auto [dd, dh, dw] = call.attributes<WindowAttributes>();
  const Shape &xs = call.in[0].layout.shape, &ys = call.out[0].layout.shape;
  const int64_t channels = xs[4], i = row / ys[2] % ys[1], j = row % ys[2];
  const T* volume = x + row / (ys[1] * ys[2]) * xs[1] * xs[2] * xs[3] * channels;
  const auto window = [&](int axis, int64_t at) { return call.in[axis].as<int64_t>() + 2 * at; };
  const int64_t *d = window(1, i), *h = window(2, j);
  std::vector<T> best(channels);
  for (int64_t k = 0; k < ys[3]; ++k, to += channels) {
    const int64_t* w = window(3, k);
    bool first = true;
    for (int64_t p = 0; p < d[1]; ++p)
      for (int64_t q = 0; q < h[1]; ++q)
        for (int64_t r = 0; r < w[1]; ++r) {
          const int64_t at = ((d[0] + p * dd) * xs[2] + h[0] + q * dh) * xs[3] + w[0] + r * dw;
          const T* from = volume + at * channels;
          for (int64_t c = 0; c < channels; ++c) {
            const T v = from[c];
            if (first || v > best[c] || (v != v && best[c] == best[c])) {
              best[c] = v;
              to[c] = at;
            }
          }
          first = false;
        }
  }
}
void run_window_argmax(const KernelCall& call) {
  const Shape& ys = call.out[0].layout.shape;
  const auto all = [&]<class T>(T) {
    const T* x = call.in[0].as<T>();
    auto* const y = call.out[0].as<int64_t>();
    parallel_for(ys[0] * ys[1] * ys[2],
                 [&](int64_t row) { argmax_row<T>(call, row, x, y + row * ys[3] * ys[4]); });
  };
  call.in[0].dtype == kF64 ? all(double{}) : all(float{});
}
const Op kWindowArgmax{.name = "window_argmax",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<WindowAttributes>,
                       .run = run_window_argmax};
const RegisterOp registered(kWindowArgmax);

// ---- Sizes ----

// One number for each axis between the first and the last.
Sizes for_axes(const char* op, const char* what, const Sizes& given, int axes, const Where& where) {
  if (given.size() == 1) return Sizes(axes, given[0]);
  if (static_cast<int>(given.size()) != axes)
    fail(op,
         std::to_string(given.size()) + " numbers as " + what + " for " + std::to_string(axes) +
             " axes",
         where);
  return given;
}
int spatial_axes(const char* op, const Tensor& x, const Where& where) {
  if (!x.defined()) fail(op, "the operand is not defined", where);
  if (x.rank() < 3 || x.rank() > 5)
    fail(op, "needs (N, ..., C) with one to three axes between, got " + x.shape().str(), where);
  return x.rank() - 2;
}

struct Axis {
  int64_t size, window, stride, padding, dilation, count;
};
std::vector<Axis> axes_of(const char* op, const Tensor& x, const Sizes& window,
                          const MaxPoolOptions& o, const Where& where) {
  const int n = spatial_axes(op, x, where);
  const Sizes w = for_axes(op, "window", window, n, where),
              s = for_axes(op, "stride", o.stride.empty() ? window : o.stride, n, where),
              p = for_axes(op, "padding", o.padding, n, where),
              d = for_axes(op, "dilation", o.dilation, n, where);
  std::vector<Axis> out;
  for (int i = 0; i < n; ++i) {
    Axis a{x.size(i + 1), w[i], s[i], p[i], d[i], 0};
    const auto reject = [&](const std::string& why) {
      fail(op,
           why + ": " + x.shape().str() + ", window " + std::to_string(a.window) + ", stride " +
               std::to_string(a.stride) + ", padding " + std::to_string(a.padding) + ", dilation " +
               std::to_string(a.dilation),
           where);
    };
    if (std::min({a.window, a.stride, a.dilation}) < 1 || a.padding < 0 ||
        a.padding > a.window / 2 || a.window > INT32_MAX || a.size > INT32_MAX)
      reject("sizes must be positive and padding at most half the window");
    const int64_t room =
        a.size + 2 * a.padding - add_sizes(multiply_sizes(a.dilation, a.window - 1), 1);
    if (room < 0 || a.size == 0) reject("the window does not fit");
    a.stride = std::min(a.stride, room + a.window + 1);
    a.count = (room + (o.ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
    if (o.ceil_mode && (a.count - 1) * a.stride >= a.size + a.padding) --a.count;
    // A window that begins in the padding may step over a short axis.
    for (int64_t i = 0; i < a.count && i * a.stride < a.padding; ++i) {
      const int64_t before = a.padding - i * a.stride;
      if ((a.dilation - before % a.dilation) % a.dilation >= a.size)
        reject("a window lies in the padding alone");
    }
    out.push_back(a);
  }
  return out;
}

// ---- By pooling pictures ----

using Record = Tensor (*)(const Tensor&, const PoolAttributes&, int64_t, int64_t, const Where&);

// A line is a picture of one row; a volume is pooled picture by picture, then along its depth.
Tensor by_pictures(const Tensor& x, std::span<const Axis> axes, Record record, const Where& where) {
  const int64_t n = x.size(0), c = x.size(-1);
  const Axis one{1, 1, 1, 0, 1, 1};
  if (axes.size() == 3) {
    const Tensor flat = by_pictures(reshape(x, {n * x.size(1), x.size(2), x.size(3), c}, where),
                                    axes.subspan(1), record, where);
    const int64_t area = axes[1].count * axes[2].count;
    const Axis deep[] = {axes[0], {area, 1, 1, 0, 1, area}};
    return reshape(by_pictures(reshape(flat, {n, x.size(1), area, c}, where), deep, record, where),
                   {n, axes[0].count, axes[1].count, axes[2].count, c}, where);
  }
  if (axes.size() == 1) {
    const Axis line[] = {one, axes[0]};
    return squeeze(by_pictures(unsqueeze(x, 1, where), line, record, where), 1, where);
  }
  const Axis &h = axes[0], &w = axes[1];
  return record(x, {h.window, w.window, h.stride, w.stride, h.padding, w.padding}, h.count, w.count,
                where);
}

// ---- By positions ----

using Table = std::vector<int64_t>;  // of an axis: first position and count of each window

Table table_of(const Axis& a) {
  Table out;
  for (int64_t i = 0; i < a.count; ++i) {
    int64_t start = i * a.stride - a.padding, count = a.window;
    const int64_t missing = start < 0 ? (-start + a.dilation - 1) / a.dilation : 0;
    start += missing * a.dilation;
    count = std::min(count - missing, (a.size - 1 - start) / a.dilation + 1);
    out.insert(out.end(), {start, count});
  }
  return out;
}

MaxPoolResult by_tables(const Tensor& x, std::vector<Table> tables, Sizes dilations,
                        const Where& where) {
  const int64_t n = x.size(0), c = x.size(-1);
  Shape volume{n}, pooled{n}, shape{n};
  for (int pad = 5 - x.rank(); pad > 0; --pad) {
    volume.push_back(1);
    pooled.push_back(1);
    tables.insert(tables.begin(), {0, 1});
    dilations.insert(dilations.begin(), 1);
  }
  for (int i = 1; i + 1 < x.rank(); ++i) volume.push_back(x.size(i));
  for (size_t i = volume.rank() - (x.rank() - 2) - 1; i < 3; ++i) {
    const auto count = static_cast<int64_t>(tables[i].size() / 2);
    pooled.push_back(count);
    shape.push_back(count);
  }
  for (Shape* s : {&volume, &pooled, &shape}) s->push_back(c);
  const Tensor wide = x.dtype() == kF64 ? x : cast(Operand(x, where), kF32);
  const Tensor values = reshape(stop_gradient(wide), volume, where);
  std::vector<Node*> inputs{values.node()};
  std::vector<Tensor> held;
  for (const Table& t : tables)
    inputs.push_back(
        held.emplace_back(from_vector(t, {static_cast<int64_t>(t.size() / 2), 2})).node());
  const Tensor at = record(kWindowArgmax, inputs, pooled, kI64,
                           WindowAttributes{dilations[0], dilations[1], dilations[2]}, where);
  const int64_t size = volume[1] * volume[2] * volume[3];
  const Tensor flat = reshape(at, {n, pooled[1] * pooled[2] * pooled[3], c}, where);
  const Tensor out = gather(reshape(x, {n, size, c}, where), flat, 1, where);
  return {reshape(out, shape, where), reshape(at, shape, where)};
}

void require_floats(const char* op, const Tensor& x, const Where& where) {
  if (!is_float(x.dtype())) fail(op, std::string("needs floats, got ") + name(x.dtype()), where);
}

// What a sum over a window is divided by, for each window of an axis.
Tensor counts_of(const Axis& a, bool padding_counts, DType dtype) {
  std::vector<double> out;
  for (int64_t i = 0; i < a.count; ++i) {
    const int64_t start = i * a.stride - a.padding,
                  end = std::min(start + a.window, a.size + a.padding);
    out.push_back(static_cast<double>(
        padding_counts ? end - start : std::min(end, a.size) - std::max<int64_t>(start, 0)));
  }
  return cast(from_vector(out, {a.count}), dtype);
}

Table adaptive_table(int64_t size, int64_t count) {
  Table out;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = i * size / count, end = ((i + 1) * size + count - 1) / count;
    out.insert(out.end(), {start, end - start});
  }
  return out;
}
Sizes adaptive_sizes(const char* op, const Tensor& x, const Sizes& size, const Where& where) {
  constexpr int64_t kMost = 1 << 16;  // each window is an operation
  const Sizes out = for_axes(op, "size", size, spatial_axes(op, x, where), where);
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] < 1 || out[i] > kMost || x.size(static_cast<int>(i) + 1) < 1)
      fail(op, "cannot make " + std::to_string(out[i]) + " windows of " + x.shape().str(), where);
  }
  return out;
}

// Means of `count` windows along one axis.
Tensor adaptive_mean(const Tensor& x, int axis, int64_t count, const Where& where) {
  const int64_t size = x.size(axis);
  if (size % count == 0) {
    Shape split = x.shape();
    split[axis] = count;
    split.insert(axis + 1, size / count);
    return mean(reshape(x, split, where), {axis + 1}, false, where);
  }
  const Table windows = adaptive_table(size, count);
  std::vector<Tensor> means;
  for (size_t i = 0; i < windows.size(); i += 2) {
    const Slice window{windows[i], windows[i] + windows[i + 1]};
    means.push_back(mean(slice(x, axis, window, where), {axis}, true, where));
  }
  return concat(means, axis, where);
}

}  // namespace

MaxPoolResult max_pool_with_indices(const Tensor& x, const Sizes& window,
                                    const MaxPoolOptions& options, Where where) {
  const std::vector<Axis> axes = axes_of("max_pool", x, window, options, where);
  require_floats("max_pool", x, where);
  std::vector<Table> tables;
  Sizes dilations;
  for (const Axis& a : axes) {
    tables.push_back(table_of(a));
    dilations.push_back(a.dilation);
  }
  return by_tables(x, std::move(tables), std::move(dilations), where);
}

Tensor max_pool(const Tensor& x, const Sizes& window, const MaxPoolOptions& options, Where where) {
  const std::vector<Axis> axes = axes_of("max_pool", x, window, options, where);
  require_floats("max_pool", x, where);
  if (std::ranges::any_of(axes, [](const Axis& a) { return a.dilation > 1 && a.window > 1; }))
    return max_pool_with_indices(x, window, options, where).out;
  return by_pictures(x, axes, record_max_pool2d, where);
}

Tensor max_unpool(const Tensor& x, const Tensor& indices, const Sizes& size, Where where) {
  const int axes = spatial_axes("max_unpool", x, where);
  if (!indices.defined() || indices.shape() != x.shape())
    fail("max_unpool", "indices have another shape than x " + x.shape().str(), where);
  const Sizes to = for_axes("max_unpool", "size", size, axes, where);
  Shape shape{x.size(0)};
  int64_t positions = 1, pooled = 1;
  for (int i = 0; i < axes; ++i) {
    if (to[i] < 0) fail("max_unpool", "a size is negative", where);
    shape.push_back(to[i]);
    positions = multiply_sizes(positions, to[i]);
    pooled *= x.size(i + 1);
  }
  shape.push_back(x.size(-1));
  const Shape flat{x.size(0), pooled, x.size(-1)};
  // Windows that overlap may have one largest value, which is there once.
  const Tensor y = scatter(zeros({x.size(0), positions, x.size(-1)}, x.dtype()),
                           reshape(indices, flat, where), reshape(x, flat, where), 1, where);
  return reshape(y, shape, where);
}

Tensor avg_pool(const Tensor& x, const Sizes& window, const AvgPoolOptions& o, Where where) {
  const std::vector<Axis> axes =
      axes_of("avg_pool", x, window,
              {.stride = o.stride, .padding = o.padding, .ceil_mode = o.ceil_mode}, where);
  require_floats("avg_pool", x, where);
  if (o.divisor_override && *o.divisor_override == 0) fail("avg_pool", "the divisor is 0", where);
  const Tensor y = by_pictures(x, axes, record_avg_pool2d, where);
  double full = 1;
  for (const Axis& a : axes) full *= static_cast<double>(a.window);
  if (o.divisor_override) return y * (full / static_cast<double>(*o.divisor_override));
  // The recorded mean divides by the whole window.
  const bool whole = std::ranges::all_of(axes, [&](const Axis& a) {
    const int64_t end = (a.count - 1) * a.stride - a.padding + a.window;
    return (o.count_include_pad || a.padding == 0) &&
           end <= a.size + (o.count_include_pad ? a.padding : 0);
  });
  if (whole) return y;
  Tensor factor;
  for (size_t i = 0; i < axes.size(); ++i) {
    Shape shape(std::vector<int64_t>(axes.size() + 1, 1));
    shape[static_cast<int>(i)] = axes[i].count;
    const DType dtype = x.dtype() == kF64 ? kF64 : kF32;
    const Tensor part = static_cast<double>(axes[i].window) /
                        reshape(counts_of(axes[i], o.count_include_pad, dtype), shape, where);
    factor = factor.defined() ? factor * part : part;
  }
  return cast(y * factor, x.dtype());
}

Tensor lp_pool(const Tensor& x, double p, const Sizes& window, const Sizes& stride, bool ceil_mode,
               Where where) {
  const int axes = spatial_axes("lp_pool", x, where);
  if (!(p > 0)) fail("lp_pool", "the exponent " + std::to_string(p) + " is not positive", where);
  double count = 1;
  for (int64_t w : for_axes("lp_pool", "window", window, axes, where))
    count *= static_cast<double>(w);
  const Tensor mean_of_powers =
      avg_pool(pow(x, p), window, {.stride = stride, .ceil_mode = ceil_mode}, where);
  // A root has no derivative at 0, where this one's is 0.
  const Tensor total = mean_of_powers * count, some = total != 0;
  return glia::where(some, pow(glia::where(some, total, 1), 1 / p), 0);
}

Tensor adaptive_avg_pool(const Tensor& x, const Sizes& size, Where where) {
  const Sizes to = adaptive_sizes("adaptive_avg_pool", x, size, where);
  require_floats("adaptive_avg_pool", x, where);
  Tensor y = x;
  if (std::ranges::count(to, 1) == static_cast<int64_t>(to.size())) {
    Axes axes;
    for (size_t i = 0; i < to.size(); ++i) axes.push_back(static_cast<int64_t>(i) + 1);
    return mean(x, axes, true, where);
  }
  for (size_t i = 0; i < to.size(); ++i)
    y = adaptive_mean(y, static_cast<int>(i) + 1, to[i], where);
  return y;
}

MaxPoolResult adaptive_max_pool_with_indices(const Tensor& x, const Sizes& size, Where where) {
  const Sizes to = adaptive_sizes("adaptive_max_pool", x, size, where);
  require_floats("adaptive_max_pool", x, where);
  std::vector<Table> tables;
  for (size_t i = 0; i < to.size(); ++i)
    tables.push_back(adaptive_table(x.size(static_cast<int>(i) + 1), to[i]));
  return by_tables(x, std::move(tables), Sizes(to.size(), 1), where);
}
Tensor adaptive_max_pool(const Tensor& x, const Sizes& size, Where where) {
  return adaptive_max_pool_with_indices(x, size, where).out;
}

// The windows' positions differ by picture and channel: one axis after the other, each window's
// elements are gathered side by side.
MaxPoolResult fractional_max_pool(const Tensor& x, const Sizes& window, const Sizes& size,
                                  const Tensor& samples, Where where) {
  constexpr const char* kName = "fractional_max_pool";
  const int axes = spatial_axes(kName, x, where);
  require_floats(kName, x, where);
  const Sizes w = for_axes(kName, "window", window, axes, where),
              to = for_axes(kName, "size", size, axes, where);
  const int64_t n = x.size(0), c = x.size(-1);
  const Tensor u = samples.defined() ? samples : rand({n, axes, c});
  if (u.shape() != Shape{n, axes, c})
    fail(kName, "samples " + u.shape().str() + " are not " + Shape{n, axes, c}.str(), where);
  Tensor y = x, positions;  // (N, o1 k1, ..., C), and where each element is in x
  for (int i = 0; i < axes; ++i) {
    const int64_t from = x.size(i + 1);
    if (w[i] < 1 || to[i] < 1 || w[i] > from || to[i] > from - w[i] + 1)
      fail(kName,
           "cannot make " + std::to_string(to[i]) + " windows of " + std::to_string(w[i]) + " in " +
               x.shape().str(),
           where);
    // start_k = floor((k + u) a) - floor(u a) with a = (L - window) / (count - 1); the last at the
    // end
    const double apart = to[i] > 1 ? static_cast<double>(from - w[i]) / (to[i] - 1) : 0;
    const Tensor own = cast(select_position(u, 1, i, where), kF64);  // (N, C)
    const Tensor k = reshape(arange(to[i], kF64), {1, to[i], 1});
    const Tensor shifted =
        floor((k + unsqueeze(own, 1)) * apart) - floor(unsqueeze(own, 1) * apart);
    const Tensor starts = cast(
        glia::where(k == static_cast<double>(to[i] - 1), static_cast<double>(from - w[i]), shifted),
        kI64);  // (N, o, C)
    const Tensor steps = reshape(arange(w[i]), {1, 1, w[i], 1});
    Tensor at = reshape(unsqueeze(starts, 2) + steps, {n, to[i] * w[i], c}, where);
    for (int axis = 1; axis <= axes; ++axis) {
      if (axis != i + 1) at = unsqueeze(at, axis, where);
    }
    Shape wanted = y.shape();
    wanted[i + 1] = to[i] * w[i];
    at = expand(at, wanted, where);
    y = gather(y, at, i + 1, where);
    positions = positions.defined() ? gather(positions, at, i + 1, where) * from + at : at;
  }
  Shape split{n};
  for (int i = 0; i < axes; ++i) {
    split.push_back(to[i]);
    split.push_back(w[i]);
  }
  split.push_back(c);
  // (N, o1, ..., C, k1 k2 ...)
  Axes order{0};
  Shape shape{n};
  for (int i = 0; i < axes; ++i) order.push_back(2 * i + 1);
  for (int i = 0; i < axes; ++i) shape.push_back(to[i]);
  order.push_back(2 * axes + 1);
  shape.push_back(c);
  for (int i = 0; i < axes; ++i) order.push_back(2 * i + 2);
  Shape flat = shape;
  flat.push_back(std::accumulate(w.begin(), w.end(), int64_t{1}, multiply_sizes));
  const auto in_windows = [&](const Tensor& t) {
    return reshape(permute(reshape(t, split, where), order, where), flat, where);
  };
  const Tensor values = in_windows(y);
  const Tensor best = argmax(values, -1, true);
  const auto taken = [&](const Tensor& t) {
    return squeeze(gather(t, best, -1, where), -1, where);
  };
  return {taken(values), taken(in_windows(positions))};
}

Tensor maxmin_pool(const Tensor& x, Where where) {
  if (!x.defined() || x.rank() != 4)
    fail("maxmin_pool", "needs (N, H, W, C)" + (x.defined() ? ", got " + x.shape().str() : ""),
         where);
  return max(min(x, {2}, false, where), {1}, false, where);
}

}  // namespace glia
