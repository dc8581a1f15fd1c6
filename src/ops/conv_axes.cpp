// Convolutions of lines and volumes, and transposed ones, by those of pictures.
#include <algorithm>

#include "glia/ops/conv.h"
#include "ops/autocast.h"
#include "ops/conv.h"
#include "ops/private.h"

namespace glia {
namespace {

void check_ranks(const char* op, const Tensor& x, const Tensor& weight, int rank,
                 const Where& where) {
  if (!x.defined() || !weight.defined()) fail(op, "an operand is not defined", where);
  if (x.rank() != rank || weight.rank() != rank)
    fail(op,
         "needs x and weight of rank " + std::to_string(rank) + ", got x " + x.shape().str() +
             ", weight " + weight.shape().str(),
         where);
}

// What one axis of a transposed convolution comes to.
struct TransposedAxis {
  int64_t size, stride, padding;  // as recorded; the stride is so small that positions fit
  // What is wanted of that: all, or, where the output padding is no less than the stride, `count`
  // from `start` on, with zeros behind the end.
  int64_t start, count;
};

TransposedAxis transposed_axis(const char* op, int64_t size, int64_t kernel, int64_t stride,
                               int64_t padding, int64_t more, int64_t dilation,
                               const Where& where) {
  const auto reject = [&](const std::string& why) {
    fail(op,
         why + ": size " + std::to_string(size) + ", kernel " + std::to_string(kernel) +
             ", stride " + std::to_string(stride) + ", padding " + std::to_string(padding) +
             ", output_padding " + std::to_string(more) + ", dilation " + std::to_string(dilation),
         where);
  };
  if (stride < 1 || dilation < 1 || padding < 0 || more < 0 || kernel < 1 || size < 1)
    reject("sizes are out of range");
  if (more >= std::max(stride, dilation))
    reject("output_padding is not below the stride or the dilation");
  const int64_t full = add_sizes(
      add_sizes(multiply_sizes(size - 1, stride), multiply_sizes(dilation, kernel - 1)), 1);
  if (add_sizes(full, more) > INT32_MAX) reject("the result is too large");
  const int64_t count = padding > full ? 0 : full + more - 2 * padding;
  if (count < 1) reject("the result would be empty");
  if (more < stride) return {count, std::min(stride, full), padding, 0, count};
  return {full, std::min(stride, full), 0, padding, count};
}

// Checks channels; returns those of the result.
int64_t transposed_channels(const char* op, const Tensor& x, const Tensor& weight,
                            const Tensor& bias, int64_t groups, const Where& where) {
  const int64_t out = multiply_sizes(weight.size(-1), std::max<int64_t>(groups, 1));
  if (groups < 1 || x.size(-1) != weight.size(0) || x.size(-1) % groups != 0)
    fail(op,
         "channels do not fit with groups " + std::to_string(groups) + ": x " + x.shape().str() +
             ", weight " + weight.shape().str(),
         where);
  if (bias.defined() && bias.shape() != Shape{out})
    fail(op, "bias " + bias.shape().str() + " does not fit weight " + weight.shape().str(), where);
  return out;
}

Tensor transposed2d(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const ConvTranspose2dOptions& o, const Where& where) {
  const int64_t channels = transposed_channels(op, x, weight, bias, o.groups, where);
  const TransposedAxis h = transposed_axis(op, x.size(1), weight.size(1), o.stride.first,
                                           o.padding.first, o.output_padding.first,
                                           o.dilation.first, where),
                       w = transposed_axis(op, x.size(2), weight.size(2), o.stride.second,
                                           o.padding.second, o.output_padding.second,
                                           o.dilation.second, where);
  Tensor y = record_conv2d_transposed(
      op, x, weight, {x.size(0), h.size, w.size, channels},
      ConvAttributes{h.stride, w.stride, h.padding, w.padding,
                     weight.size(1) == 1 ? 1 : o.dilation.first,
                     weight.size(2) == 1 ? 1 : o.dilation.second, o.groups},
      where);
  for (const auto& [axis, a] : {std::pair{1, h}, std::pair{2, w}}) {
    if (a.count == a.size) continue;
    std::vector<std::pair<int64_t, int64_t>> behind(4);
    behind[axis].second = std::max<int64_t>(0, a.start + a.count - a.size);
    y = slice(pad(y, behind, 0, where), axis, {a.start, a.start + a.count}, where);
  }
  return bias.defined() ? with_bias(y, bias, where) : y;
}

// (N, D, ...) or (O, D, ...) as pictures: axis `at` of size 1 put in or taken out.
Tensor as_pictures(const Tensor& line, const Where& where) { return unsqueeze(line, 1, where); }

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv1dOptions& options, Where where) {
  check_ranks("conv1d", x, weight, 3, where);
  const Tensor y = conv2d(as_pictures(x, where), as_pictures(weight, where), bias,
                          {.stride = {1, options.stride},
                           .padding = {0, options.padding},
                           .dilation = {1, options.dilation},
                           .groups = options.groups},
                          where);
  return squeeze(y, 1, where);
}

// The kernel's depth becomes part of the channels: each picture of the result is convolved once,
// with the pictures that it is made of side by side.
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv3dOptions& options, Where where) {
  check_ranks("conv3d", x, weight, 5, where);
  const auto [stride, padding, dilation, groups] = options;
  const Shape &xs = x.shape(), &ws = weight.shape();
  if (stride[0] < 1 || dilation[0] < 1 || padding[0] < 0 || groups < 1)
    fail("conv3d", "a stride, padding, dilation or groups is out of range", where);
  if (xs[4] != multiply_sizes(ws[4], groups) || ws[0] % groups != 0)
    fail("conv3d",
         "channels do not fit with groups " + std::to_string(groups) + ": x " + xs.str() +
             ", weight " + ws.str(),
         where);
  const int64_t padded = add_sizes(xs[1], multiply_sizes(2, padding[0])),
                reach = multiply_sizes(dilation[0], ws[1] - 1);
  if (ws[1] < 1 || padded > INT32_MAX || reach >= padded)
    fail("conv3d",
         "the kernel does not fit into the padded volume: x " + xs.str() + ", weight " + ws.str(),
         where);
  const int64_t depth = (padded - reach - 1) / stride[0] + 1, inner = xs[4] / groups;
  const Tensor deep =
      padding[0] == 0
          ? x
          : pad(x, {{0, 0}, {padding[0], padding[0]}, {0, 0}, {0, 0}, {0, 0}}, 0, where);
  const int64_t step = std::min(stride[0], padded);
  std::vector<Tensor> layers;
  for (int64_t k = 0; k < ws[1]; ++k) {
    const int64_t start = k * dilation[0];
    const Tensor layer = slice(deep, 1, {start, start + (depth - 1) * step + 1, step}, where);
    layers.push_back(reshape(layer, {xs[0] * depth, xs[2], xs[3], groups, 1, inner}, where));
  }
  const Tensor pictures = reshape(concat(layers, 4, where),
                                  {xs[0] * depth, xs[2], xs[3], groups * ws[1] * inner}, where);
  const Tensor flat =
      reshape(permute(weight, {0, 2, 3, 1, 4}, where), {ws[0], ws[2], ws[3], ws[1] * ws[4]}, where);
  const Tensor y = conv2d(pictures, flat, bias,
                          {.stride = {stride[1], stride[2]},
                           .padding = {padding[1], padding[2]},
                           .dilation = {dilation[1], dilation[2]},
                           .groups = groups},
                          where);
  return reshape(y, {xs[0], depth, y.size(1), y.size(2), ws[0]}, where);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose1dOptions& o, Where where) {
  check_ranks("conv_transpose1d", x, weight, 3, where);
  const Tensor y =
      transposed2d("conv_transpose1d", as_pictures(x, where), as_pictures(weight, where), bias,
                   {.stride = {1, o.stride},
                    .padding = {0, o.padding},
                    .output_padding = {0, o.output_padding},
                    .dilation = {1, o.dilation},
                    .groups = o.groups},
                   where);
  return squeeze(y, 1, where);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options, Where where) {
  check_ranks("conv_transpose2d", x, weight, 4, where);
  return transposed2d("conv_transpose2d", x, weight, bias, options, where);
}

// Each picture gives one for each layer of the kernel; these are added where they belong.
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose3dOptions& o, Where where) {
  constexpr const char* kName = "conv_transpose3d";
  check_ranks(kName, x, weight, 5, where);
  const int64_t channels = transposed_channels(kName, x, weight, bias, o.groups, where);
  const Shape &xs = x.shape(), &ws = weight.shape();
  const TransposedAxis d = transposed_axis(kName, xs[1], ws[1], o.stride[0], o.padding[0],
                                           o.output_padding[0], o.dilation[0], where);
  const Tensor flat =
      reshape(permute(weight, {0, 2, 3, 1, 4}, where), {ws[0], ws[2], ws[3], ws[1] * ws[4]}, where);
  const Tensor pictures =
      transposed2d(kName, reshape(x, {xs[0] * xs[1], xs[2], xs[3], xs[4]}, where), flat, {},
                   {.stride = {o.stride[1], o.stride[2]},
                    .padding = {o.padding[1], o.padding[2]},
                    .output_padding = {o.output_padding[1], o.output_padding[2]},
                    .dilation = {o.dilation[1], o.dilation[2]},
                    .groups = o.groups},
                   where);
  const int64_t h = pictures.size(1), w = pictures.size(2);
  const Tensor layers = reshape(pictures, {xs[0], xs[1], h, w, o.groups, ws[1], ws[4]}, where);
  const int64_t full = d.count + 2 * o.padding[0];
  Tensor y;
  for (int64_t k = 0; k < ws[1]; ++k) {
    const Tensor layer =
        reshape(select_position(layers, 5, k, where), {xs[0], xs[1], h, w, channels}, where);
    const Tensor placed = embed(layer, {xs[0], full, h, w, channels},
                                {0, k * o.dilation[0], 0, 0, 0}, {1, d.stride, 1, 1, 1}, 0, where);
    y = y.defined() ? y + placed : placed;
  }
  y = slice(y, 1, {o.padding[0], o.padding[0] + d.count}, where);
  return bias.defined() ? with_bias(y, bias, where) : y;
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias,
                Where where) {
  if (!x1.defined() || !x2.defined() || !weight.defined())
    fail("bilinear", "an operand is not defined", where);
  const Shape &a = x1.shape(), &b = x2.shape(), &w = weight.shape();
  if (w.rank() != 3 || a.rank() < 1 || a.rank() != b.rank() || a[a.rank() - 1] != w[1] ||
      b[b.rank() - 1] != w[2] || !std::equal(a.begin(), a.end() - 1, b.begin()) ||
      (bias.defined() && bias.shape() != Shape{w[0]}))
    fail("bilinear", "x1 " + a.str() + " and x2 " + b.str() + " do not fit weight " + w.str(),
         where);
  const Tensor left = reshape(permute(weight, {1, 0, 2}, where), {w[1], w[0] * w[2]}, where);
  Shape split(a.span().first(a.rank() - 1));
  split.push_back(w[0]);
  split.push_back(w[2]);
  const Tensor y = sum(reshape(matmul(x1, left, where), split, where) * unsqueeze(x2, -2, where),
                       {-1}, false, where);
  return bias.defined() ? y + bias : y;
}

}  // namespace glia
