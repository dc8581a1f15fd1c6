// Pooling.
#include <algorithm>
#include <cmath>
#include <limits>

#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/pool.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "windows.h"

namespace glia::onnx {
namespace {

// Pads so that the last window, which ceil_mode lets pass the end, is whole. Gives how many windows
// each axis has.
std::vector<int64_t> complete_windows(Call& c, const std::vector<int64_t>& sizes, Windows* w) {
  const bool ceil = c.integer_of("ceil_mode", 0) != 0;
  std::vector<int64_t> counts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto& [before, after] = w->pads[i];
    const int64_t reach = w->dilation[i] * (w->kernel[i] - 1) + 1;
    const int64_t room = sizes[i] + before + after - reach;
    if (room < 0) c.fail("windows larger than the input");
    int64_t count = room / w->stride[i] + 1;
    if (ceil && room % w->stride[i] != 0 && count * w->stride[i] < sizes[i] + before) ++count;
    counts.push_back(count);
    after = std::max(after, (count - 1) * w->stride[i] + reach - sizes[i] - before);
  }
  return counts;
}

void max_pool_op(Call& c) {
  Tensor x = c.spatial(0);
  const std::vector<int64_t> sizes = inner_sizes(x);
  Windows w = windows_of(c, sizes, c.integers_of("kernel_shape"));
  const ElementType type = c.type(0);
  const bool real = is_float(x.dtype());
  complete_windows(c, sizes, &w);
  const bool small = [&] {
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (w.pads[i].first * 2 > w.kernel[i] || w.pads[i].first != w.pads[i].second) return false;
    }
    return true;
  }();
  MaxPoolOptions options{.stride = w.stride, .padding = w.before(), .dilation = w.dilation};
  if (!small || !real) {
    const double least = x.dtype() == kU8 ? 0 : x.dtype() == kI8 ? -128 : -INFINITY;
    x = cast(pad(cast(x, kF32), w.of_all_axes(), least), kF32);
    options.padding = std::vector<int64_t>(sizes.size(), 0);
  }
  const auto typed = [&](const Tensor& y) { return cast(y, stored_as(type)); };
  if (!c.wants(1)) return c.set_spatial(0, typed(max_pool(x, w.kernel, options)));
  const MaxPoolResult found = max_pool_with_indices(x, w.kernel, options);
  c.set_spatial(0, typed(found.out));
  // From places in the (padded) picture to places in the whole input.
  const bool padded = !small || !real;
  Tensor rest = found.indices, flat;
  std::vector<Tensor> at(sizes.size());
  for (size_t i = sizes.size(); i-- > 0;) {
    const int64_t size = padded ? sizes[i] + w.pads[i].first + w.pads[i].second : sizes[i];
    at[i] = remainder(rest, size) - (padded ? w.pads[i].first : 0);
    rest = floor_divide(rest, size);
  }
  const bool column_major = c.integer_of("storage_order", 0) != 0;
  int64_t stride = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t axis = column_major ? i : sizes.size() - 1 - i;
    flat = flat.defined() ? flat + at[axis] * stride : at[axis] * stride;
    stride *= sizes[axis];
  }
  const int64_t channels = x.size(-1);
  Shape batch = Shape::filled(x.rank(), 1);
  batch[0] = x.size(0);
  flat = flat + arange(channels) * stride + reshape(arange(x.size(0)), batch) * (channels * stride);
  c.set(1, to_channels_first(flat), ElementType::kInt64);
}

// Sums over windows, which may be dilated.
Tensor window_sums(const Tensor& x, const Windows& w) {
  const bool dilated = std::ranges::any_of(w.dilation, [](int64_t d) { return d != 1; });
  const Tensor padded = pad(x, w.of_all_axes());
  if (!dilated) return avg_pool(padded, w.kernel, {.stride = w.stride, .divisor_override = 1});
  Tensor y = padded;  // one axis after the other
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const int axis = static_cast<int>(i) + 1;
    const int64_t count = (y.size(axis) - w.dilation[i] * (w.kernel[i] - 1) - 1) / w.stride[i] + 1;
    Tensor sums;
    for (int64_t k = 0; k < w.kernel[i]; ++k) {
      const int64_t from = k * w.dilation[i];
      const Tensor part = slice(y, axis, {from, from + (count - 1) * w.stride[i] + 1, w.stride[i]});
      sums = sums.defined() ? sums + part : part;
    }
    y = sums;
  }
  return y;
}

void average_pool(Call& c) {
  const Tensor x = c.spatial(0);
  const std::vector<int64_t> sizes = inner_sizes(x);
  Windows w = windows_of(c, sizes, c.integers_of("kernel_shape"));
  const bool include = c.integer_of("count_include_pad", 0) != 0;
  const Windows stated = w;
  complete_windows(c, sizes, &w);
  const bool plain =
      w.symmetric() && std::ranges::all_of(w.dilation, [](int64_t d) { return d == 1; });
  const bool as_stated = w.pads == stated.pads;
  bool small = plain && as_stated;
  for (size_t i = 0; i < sizes.size(); ++i) small &= 2 * w.pads[i].first <= w.kernel[i];
  if (small)
    return c.set_spatial(
        0, avg_pool(x, w.kernel,
                    {.stride = w.stride, .padding = w.before(), .count_include_pad = include}));
  // How many numbers each window has: of ones, padded by ones if those count, within what is
  // stated.
  Shape shape = Shape::filled(x.rank(), 1);
  for (size_t i = 0; i < sizes.size(); ++i) shape[static_cast<int>(i) + 1] = sizes[i];
  Tensor ones_there = ones(shape, x.dtype());
  Windows counting = w;
  if (include) {
    ones_there = pad(ones_there, stated.of_all_axes(), 1);
    for (size_t i = 0; i < sizes.size(); ++i)
      counting.pads[i] = {0, w.pads[i].second - stated.pads[i].second};
  }
  c.set_spatial(0, window_sums(x, w) / window_sums(ones_there, counting));
}

void lp_pool_op(Call& c) {
  const Tensor x = c.spatial(0);
  const std::vector<int64_t> sizes = inner_sizes(x);
  Windows w = windows_of(c, sizes, c.integers_of("kernel_shape"));
  complete_windows(c, sizes, &w);
  const double p = c.opset() < 2 ? c.real_of("p", 2) : static_cast<double>(c.integer_of("p", 2));
  c.set_spatial(0, pow(window_sums(pow(abs(x), p), w), 1 / p));
}

template <class F>
void over_all(Call& c, F&& f) {
  const Tensor x = c.spatial(0);
  Axes axes;
  for (int i = 1; i + 1 < x.rank(); ++i) axes.push_back(i);
  c.set_spatial(0, f(x, axes));
}

void max_unpool_op(Call& c) {
  const Tensor x = c.tensor(0), at = c.tensor(1);
  Shape shape = x.shape();
  if (c.has(2)) {
    shape = Shape(c.integers(2));
  } else {
    const std::vector<int64_t> kernel = c.integers_of("kernel_shape"), ones(kernel.size(), 1);
    const auto strides = c.integers_of("strides", ones);
    const auto pads = c.integers_of("pads", std::vector<int64_t>(2 * kernel.size(), 0));
    if (static_cast<int>(kernel.size()) + 2 != x.rank() || strides.size() != kernel.size() ||
        pads.size() != 2 * kernel.size())
      c.fail("windows of another rank than the input's");
    for (size_t i = 0; i < kernel.size(); ++i)
      shape[static_cast<int>(i) + 2] = (x.size(static_cast<int>(i) + 2) - 1) * strides[i] +
                                       kernel[i] - pads[i] - pads[i + kernel.size()];
  }
  // Indices are places in the whole result without an output_shape, and in that of the shape there.
  Shape inferred = x.shape();
  if (c.has(2)) {
    const std::vector<int64_t> kernel = c.integers_of("kernel_shape"), ones(kernel.size(), 1);
    const auto strides = c.integers_of("strides", ones);
    for (size_t i = 0; i < kernel.size() && i < strides.size(); ++i)
      inferred[static_cast<int>(i) + 2] =
          (x.size(static_cast<int>(i) + 2) - 1) * strides[i] + kernel[i];
  } else {
    inferred = shape;
  }
  Tensor y = scatter(zeros({inferred.numel()}, x.dtype()), reshape(at, {-1}), reshape(x, {-1}), 0);
  y = reshape(y, inferred);
  std::vector<std::pair<int64_t, int64_t>> more;
  for (int i = 0; i < x.rank(); ++i) more.emplace_back(0, shape[i] - inferred[i]);
  c.set(0, pad(y, more));
}

const Operators list{
    {"MaxPool", max_pool_op},
    {"AveragePool", average_pool},
    {"LpPool", lp_pool_op},
    {"GlobalAveragePool",
     [](Call& c) { over_all(c, [](auto& x, auto& a) { return mean(x, a, true); }); }},
    {"GlobalMaxPool",
     [](Call& c) { over_all(c, [](auto& x, auto& a) { return max(x, a, true); }); }},
    {"GlobalLpPool",
     [](Call& c) {
       const double p = static_cast<double>(c.integer_of("p", 2));
       over_all(c, [p](auto& x, auto& a) { return vector_norm(x, p, a, true); });
     }},
    {"MaxUnpool", max_unpool_op, {.read = 4}},
};

}  // namespace
}  // namespace glia::onnx
