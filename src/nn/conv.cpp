// Convolutional layers: what they all share is done on lists of sizes, one for each axis.
#include "glia/nn/conv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/nn/pool.h"
#include "nn/private.h"

namespace glia::nn {
namespace {

using List = std::vector<int64_t>;

List list(int64_t one) { return {one}; }
List list(const Size2d& two) { return {two.first, two.second}; }
List list(const Size3d& three) { return {three.begin(), three.end()}; }

// A weight (first, kernel..., last) and its bias, initialised as PyTorch does.
void make_weights(const char* layer, int64_t first, const List& kernel, int64_t last,
                  int64_t outputs, int64_t fan_channels, bool with_bias, Parameter* weight,
                  Parameter* bias) {
  Shape shape{first};
  int64_t fan_in = fan_channels;
  for (int64_t k : kernel) {
    require_positive(layer, "kernel", k);
    shape.push_back(k);
    fan_in = multiply_sizes(fan_in, k);
  }
  shape.push_back(last);
  *weight = uniform_of_fan_in(shape, fan_in);
  if (with_bias) *bias = uniform_of_fan_in({outputs}, fan_in);
}
void check_channels(const char* layer, int64_t in, int64_t out, int64_t groups) {
  require_positive(layer, "in_channels", in);
  require_positive(layer, "out_channels", out);
  require_positive(layer, "groups", groups);
  require(
      in % groups == 0 && out % groups == 0, layer,
      fmt::format("{} input and {} output channels do not divide into {} groups", in, out, groups));
}

// The last axis of a weight comes second in PyTorch.
Tensor channels_second(const Tensor& value) {
  Axes axes{0, value.rank() - 1};
  for (int i = 1; i + 1 < value.rank(); ++i) axes.push_back(i);
  return permute(value, axes);
}
Tensor channels_last(const Tensor& value) {
  Axes axes{0};
  for (int i = 2; i < value.rank(); ++i) axes.push_back(i);
  axes.push_back(1);
  return permute(value, axes);
}

}  // namespace

PaddedInput padded_input(const char* layer, const Tensor& x, const std::vector<int64_t>& kernel,
                         const std::vector<int64_t>& stride, const std::vector<int64_t>& padding,
                         const std::vector<int64_t>& dilation, bool same, PadMode mode,
                         Where where) {
  PaddedInput out{x, padding};
  if (!same && mode == PadMode::kConstant) return out;
  if (x.rank() != static_cast<int>(kernel.size()) + 2)
    throw ShapeError(
        fmt::format("{}: needs rank {}, got {}", layer, kernel.size() + 2, x.shape().str()), where);
  std::vector<std::pair<int64_t, int64_t>> pads(x.rank());
  bool uneven = false;
  for (size_t i = 0; i < kernel.size(); ++i) {
    if (!same) {
      pads[i + 1] = {padding[i], padding[i]};
      continue;
    }
    if (stride[i] != 1)
      throw ShapeError(fmt::format("{}: an output of the input's size needs stride 1", layer),
                       where);
    const int64_t all = multiply_sizes(dilation[i], kernel[i] - 1);
    pads[i + 1] = {all / 2, all - all / 2};
    out.padding[i] = all / 2;
    uneven |= all % 2 != 0;
  }
  if (mode == PadMode::kConstant && !uneven) return out;
  std::ranges::fill(out.padding, 0);
  out.x = pad(x, pads, mode, 0, where);
  return out;
}

Conv1d::Conv1d(int64_t in_channels, int64_t out_channels, const Conv1dOptions& options)
    : options(options) {
  check_channels("Conv1d", in_channels, out_channels, options.groups);
  const int64_t depth = in_channels / options.groups;
  make_weights("Conv1d", out_channels, list(options.kernel), depth, out_channels, depth,
               options.bias, &weight, &bias);
}
Tensor Conv1d::operator()(const Tensor& x, Where where) const {
  const PaddedInput in =
      padded_input("Conv1d", x, list(options.kernel), list(options.stride), list(options.padding),
                   list(options.dilation), options.same, options.padding_mode, where);
  return conv1d(in.x, weight, bias,
                {.stride = options.stride,
                 .padding = in.padding[0],
                 .dilation = options.dilation,
                 .groups = options.groups},
                where);
}
Tensor Conv1d::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor Conv1d::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

Conv3d::Conv3d(int64_t in_channels, int64_t out_channels, const Conv3dOptions& options)
    : options(options) {
  check_channels("Conv3d", in_channels, out_channels, options.groups);
  const int64_t depth = in_channels / options.groups;
  make_weights("Conv3d", out_channels, list(options.kernel), depth, out_channels, depth,
               options.bias, &weight, &bias);
}
Tensor Conv3d::operator()(const Tensor& x, Where where) const {
  const PaddedInput in =
      padded_input("Conv3d", x, list(options.kernel), list(options.stride), list(options.padding),
                   list(options.dilation), options.same, options.padding_mode, where);
  return conv3d(in.x, weight, bias,
                {.stride = options.stride,
                 .padding = Size3d(in.padding[0], in.padding[1], in.padding[2]),
                 .dilation = options.dilation,
                 .groups = options.groups},
                where);
}
Tensor Conv3d::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor Conv3d::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

// PyTorch counts a transposed weight's second axis, the outputs of a group, as what comes in.
ConvTranspose1d::ConvTranspose1d(int64_t in_channels, int64_t out_channels,
                                 const ConvTranspose1dOptions& options)
    : options(options) {
  check_channels("ConvTranspose1d", in_channels, out_channels, options.groups);
  const int64_t depth = out_channels / options.groups;
  make_weights("ConvTranspose1d", in_channels, list(options.kernel), depth, out_channels, depth,
               options.bias, &weight, &bias);
}
Tensor ConvTranspose1d::operator()(const Tensor& x, Where where) const {
  return conv_transpose1d(x, weight, bias,
                          {.stride = options.stride,
                           .padding = options.padding,
                           .output_padding = options.output_padding,
                           .dilation = options.dilation,
                           .groups = options.groups},
                          where);
}
Tensor ConvTranspose1d::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor ConvTranspose1d::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

ConvTranspose2d::ConvTranspose2d(int64_t in_channels, int64_t out_channels,
                                 const ConvTransposeOptions& options)
    : options(options) {
  check_channels("ConvTranspose2d", in_channels, out_channels, options.groups);
  const int64_t depth = out_channels / options.groups;
  make_weights("ConvTranspose2d", in_channels, list(options.kernel), depth, out_channels, depth,
               options.bias, &weight, &bias);
}
Tensor ConvTranspose2d::operator()(const Tensor& x, Where where) const {
  return conv_transpose2d(x, weight, bias,
                          {.stride = options.stride,
                           .padding = options.padding,
                           .output_padding = options.output_padding,
                           .dilation = options.dilation,
                           .groups = options.groups},
                          where);
}
Tensor ConvTranspose2d::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor ConvTranspose2d::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

ConvTranspose3d::ConvTranspose3d(int64_t in_channels, int64_t out_channels,
                                 const ConvTranspose3dOptions& options)
    : options(options) {
  check_channels("ConvTranspose3d", in_channels, out_channels, options.groups);
  const int64_t depth = out_channels / options.groups;
  make_weights("ConvTranspose3d", in_channels, list(options.kernel), depth, out_channels, depth,
               options.bias, &weight, &bias);
}
Tensor ConvTranspose3d::operator()(const Tensor& x, Where where) const {
  return conv_transpose3d(x, weight, bias,
                          {.stride = options.stride,
                           .padding = options.padding,
                           .output_padding = options.output_padding,
                           .dilation = options.dilation,
                           .groups = options.groups},
                          where);
}
Tensor ConvTranspose3d::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor ConvTranspose3d::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

LocallyConnected2d::LocallyConnected2d(int64_t in_channels, int64_t out_channels, Size2d size,
                                       const LocallyConnectedOptions& options)
    : options(options) {
  constexpr const char* kName = "LocallyConnected2d";
  check_channels(kName, in_channels, out_channels, 1);
  const auto positions = [&](int64_t length, int64_t k, int64_t s, int64_t p, int64_t d) {
    require_positive(kName, "kernel", k);
    require_positive(kName, "stride", s);
    require_positive(kName, "dilation", d);
    require(p >= 0 && length > 0, kName, "a size or the padding is out of range");
    const int64_t room = add_sizes(length, multiply_sizes(2, p)) - multiply_sizes(d, k - 1) - 1;
    require(room >= 0, kName, "the kernel does not fit into the padded picture");
    return room / s + 1;
  };
  const int64_t h = positions(size.first, options.kernel.first, options.stride.first,
                              options.padding.first, options.dilation.first),
                w = positions(size.second, options.kernel.second, options.stride.second,
                              options.padding.second, options.dilation.second);
  const int64_t fan_in =
      multiply_sizes(in_channels, multiply_sizes(options.kernel.first, options.kernel.second));
  weight = uniform_of_fan_in({h, w, fan_in, out_channels}, fan_in);
  if (options.bias) bias = uniform_of_fan_in({h, w, out_channels}, fan_in);
}
Tensor LocallyConnected2d::operator()(const Tensor& x, Where where) const {
  return locally_connected2d(
      x, weight, bias, options.kernel,
      {.stride = options.stride, .padding = options.padding, .dilation = options.dilation}, where);
}

Bilinear::Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features,
                   const LinearOptions& options) {
  require_positive("Bilinear", "in1_features", in1_features);
  require_positive("Bilinear", "in2_features", in2_features);
  require_positive("Bilinear", "out_features", out_features);
  weight = uniform_of_fan_in({out_features, in1_features, in2_features}, in1_features);
  if (options.bias) bias = uniform_of_fan_in({out_features}, in1_features);
}

Tensor Padding::operator()(const Tensor& x, Where where) const {
  std::vector<std::pair<int64_t, int64_t>> all(std::max(x.rank(), 2));
  for (int axis = 1; axis + 1 < x.rank(); ++axis) {
    if (pads.size() != 1 && static_cast<int>(pads.size()) != x.rank() - 2)
      throw ShapeError(fmt::format("Padding: {} pairs for {}", pads.size(), x.shape().str()),
                       where);
    all[axis] = pads[pads.size() == 1 ? 0 : axis - 1];
  }
  return pad(x, all, mode, value, where);
}

Upsample::Upsample(const UpsampleOptions& options) : options(options) {
  require(options.size.empty() != options.scale_factor.empty(), "Upsample",
          "needs either a size or scale factors");
}
Tensor Upsample::operator()(const Tensor& x, Where where) const {
  InterpolateOptions how{.mode = options.mode, .align_corners = options.align_corners};
  if (!options.size.empty()) return interpolate(x, options.size, how, where);
  Sizes size;
  const int axes = std::max(x.rank() - 2, 0);
  for (int i = 0; i < axes; ++i) {
    const double factor = options.scale_factor[options.scale_factor.size() == 1 ? 0 : i];
    require(
        options.scale_factor.size() == 1 || static_cast<int>(options.scale_factor.size()) == axes,
        "Upsample", fmt::format("{} factors for {}", options.scale_factor.size(), x.shape().str()));
    require(factor > 0 && factor < 1e6, "Upsample", fmt::format("a factor of {}", factor));
    size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(x.size(i + 1)) * factor)));
    how.scale.push_back(factor);
  }
  return interpolate(x, size, how, where);
}

}  // namespace glia::nn
