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

// The sizes as the functions' options have them.
void set(int64_t* one, const List& sizes) { *one = sizes[0]; }
void set(std::pair<int64_t, int64_t>* two, const List& sizes) { *two = {sizes[0], sizes[1]}; }
void set(Size3d* three, const List& sizes) { *three = Size3d(sizes[0], sizes[1], sizes[2]); }

// A layer's options as those of the function that it calls.
template <class To, class From>
To function_options(const From& from) {
  To to{.stride = from.stride, .padding = from.padding};
  to.dilation = from.dilation;
  to.groups = from.groups;
  if constexpr (requires { to.output_padding; }) to.output_padding = from.output_padding;
  return to;
}

// The same for a convolution's input, around which its layer may put more than zeros.
template <class To>
struct Prepared {
  Tensor x;
  To options;

  template <class From>
  Prepared(const char* layer, const Tensor& given, const From& from, const Where& where)
      : options(function_options<To>(from)) {
    const PaddedInput in =
        padded_input(layer, given, list(from.kernel), list(from.stride), list(from.padding),
                     list(from.dilation), from.same, from.padding_mode, where);
    x = in.x;
    set(&options.padding, in.padding);
  }
};

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

// PyTorch counts a transposed weight's second axis, the outputs of a group, as what comes in.
Convolution::Convolution(const char* layer, int64_t in_channels, int64_t out_channels,
                         const std::vector<int64_t>& kernel, int64_t groups, bool with_bias,
                         bool transposed) {
  check_channels(layer, in_channels, out_channels, groups);
  const int64_t depth = (transposed ? out_channels : in_channels) / groups;
  Shape shape{transposed ? in_channels : out_channels};
  int64_t fan_in = depth;
  for (int64_t k : kernel) {
    require_positive(layer, "kernel", k);
    shape.push_back(k);
    fan_in = multiply_sizes(fan_in, k);
  }
  shape.push_back(depth);
  weight = uniform_of_fan_in(shape, fan_in);
  if (with_bias) bias = uniform_of_fan_in({out_channels}, fan_in);
}
Tensor Convolution::to_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_second(value) : value;
}
Tensor Convolution::from_state(std::string_view name, const Tensor& value) const {
  return name == "weight" ? channels_last(value) : value;
}

Conv1d::Conv1d(int64_t in_channels, int64_t out_channels, const Conv1dOptions& options)
    : Convolution("Conv1d", in_channels, out_channels, list(options.kernel), options.groups,
                  options.bias, false),
      options(options) {}
Tensor Conv1d::operator()(const Tensor& x, Where where) const {
  const Prepared<glia::Conv1dOptions> in("Conv1d", x, options, where);
  return conv1d(in.x, weight, bias, in.options, where);
}

Conv2d::Conv2d(int64_t in_channels, int64_t out_channels, const ConvOptions& options)
    : Convolution("Conv2d", in_channels, out_channels, list(options.kernel), options.groups,
                  options.bias, false),
      options(options) {}
Tensor Conv2d::operator()(const Tensor& x, Where where) const {
  const Prepared<glia::Conv2dOptions> in("Conv2d", x, options, where);
  return conv2d(in.x, weight, bias, in.options, where);
}

Conv3d::Conv3d(int64_t in_channels, int64_t out_channels, const Conv3dOptions& options)
    : Convolution("Conv3d", in_channels, out_channels, list(options.kernel), options.groups,
                  options.bias, false),
      options(options) {}
Tensor Conv3d::operator()(const Tensor& x, Where where) const {
  const Prepared<glia::Conv3dOptions> in("Conv3d", x, options, where);
  return conv3d(in.x, weight, bias, in.options, where);
}

ConvTranspose1d::ConvTranspose1d(int64_t in_channels, int64_t out_channels,
                                 const ConvTranspose1dOptions& options)
    : Convolution("ConvTranspose1d", in_channels, out_channels, list(options.kernel),
                  options.groups, options.bias, true),
      options(options) {}
Tensor ConvTranspose1d::operator()(const Tensor& x, Where where) const {
  return conv_transpose1d(x, weight, bias, function_options<glia::ConvTranspose1dOptions>(options),
                          where);
}

ConvTranspose2d::ConvTranspose2d(int64_t in_channels, int64_t out_channels,
                                 const ConvTransposeOptions& options)
    : Convolution("ConvTranspose2d", in_channels, out_channels, list(options.kernel),
                  options.groups, options.bias, true),
      options(options) {}
Tensor ConvTranspose2d::operator()(const Tensor& x, Where where) const {
  return conv_transpose2d(x, weight, bias, function_options<glia::ConvTranspose2dOptions>(options),
                          where);
}

ConvTranspose3d::ConvTranspose3d(int64_t in_channels, int64_t out_channels,
                                 const ConvTranspose3dOptions& options)
    : Convolution("ConvTranspose3d", in_channels, out_channels, list(options.kernel),
                  options.groups, options.bias, true),
      options(options) {}
Tensor ConvTranspose3d::operator()(const Tensor& x, Where where) const {
  return conv_transpose3d(x, weight, bias, function_options<glia::ConvTranspose3dOptions>(options),
                          where);
}

namespace {

// How often a kernel fits into a padded axis.
int64_t positions(const char* layer, int64_t length, int64_t k, int64_t s, int64_t p, int64_t d) {
  require_positive(layer, "kernel", k);
  require_positive(layer, "stride", s);
  require_positive(layer, "dilation", d);
  require(p >= 0 && length > 0, layer, "a size or the padding is out of range");
  const int64_t room = add_sizes(length, multiply_sizes(2, p)) - multiply_sizes(d, k - 1) - 1;
  require(room >= 0, layer, "the kernel does not fit into the padded picture");
  return room / s + 1;
}

}  // namespace

LocallyConnected1d::LocallyConnected1d(int64_t in_channels, int64_t out_channels, int64_t length,
                                       const LocallyConnected1dOptions& options)
    : options(options) {
  constexpr const char* kName = "LocallyConnected1d";
  check_channels(kName, in_channels, out_channels, 1);
  const int64_t places =
      positions(kName, length, options.kernel, options.stride, options.padding, options.dilation);
  const int64_t fan_in = multiply_sizes(in_channels, options.kernel);
  weight = uniform_of_fan_in({places, fan_in, out_channels}, fan_in);
  if (options.bias) bias = uniform_of_fan_in({places, out_channels}, fan_in);
}
// As pictures one pixel high.
Tensor LocallyConnected1d::operator()(const Tensor& x, Where where) const {
  if (!x.defined() || x.rank() != 3)
    throw ShapeError("LocallyConnected1d: needs (N, L, C)" +
                         (x.defined() ? ", got " + x.shape().str() : std::string()),
                     where);
  const Tensor more = bias.defined() ? unsqueeze(bias, 0, where) : Tensor();
  const Tensor y = locally_connected2d(unsqueeze(x, 1, where), unsqueeze(weight, 0, where), more,
                                       {1, options.kernel},
                                       {.stride = {1, options.stride},
                                        .padding = {0, options.padding},
                                        .dilation = {1, options.dilation}},
                                       where);
  return squeeze(y, 1, where);
}

LocallyConnected2d::LocallyConnected2d(int64_t in_channels, int64_t out_channels, Size2d size,
                                       const LocallyConnectedOptions& options)
    : options(options) {
  constexpr const char* kName = "LocallyConnected2d";
  check_channels(kName, in_channels, out_channels, 1);
  const auto [kernel, stride, padding, dilation, with_bias] = options;
  const int64_t h = positions(kName, size.first, kernel.first, stride.first, padding.first,
                              dilation.first),
                w = positions(kName, size.second, kernel.second, stride.second, padding.second,
                              dilation.second);
  const int64_t fan_in = multiply_sizes(in_channels, multiply_sizes(kernel.first, kernel.second));
  weight = uniform_of_fan_in({h, w, fan_in, out_channels}, fan_in);
  if (with_bias) bias = uniform_of_fan_in({h, w, out_channels}, fan_in);
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

namespace {
UnfoldOptions unfold_options(const char* layer, const Size2d& kernel, const WindowOptions& o) {
  for (const Size2d& size : {kernel, o.stride, o.dilation}) {
    require_positive(layer, "a kernel, stride or dilation", std::min(size.first, size.second));
  }
  require(std::min(o.padding.first, o.padding.second) >= 0, layer, "the padding is negative");
  return {.stride = o.stride, .padding = o.padding, .dilation = o.dilation};
}
}  // namespace

Unfold::Unfold(Size2d kernel, const WindowOptions& options) : kernel(kernel), options(options) {
  unfold_options("Unfold", kernel, options);
}
Tensor Unfold::operator()(const Tensor& x, Where where) const {
  return unfold(x, kernel, unfold_options("Unfold", kernel, options), where);
}
Fold::Fold(Size2d output_size, Size2d kernel, const WindowOptions& options)
    : output_size(output_size), kernel(kernel), options(options) {
  unfold_options("Fold", kernel, options);
}
Tensor Fold::operator()(const Tensor& rows, Where where) const {
  return fold(rows, output_size, kernel, unfold_options("Fold", kernel, options), where);
}

MaxUnpool::MaxUnpool(const Sizes& window, const Sizes& stride, const Sizes& padding)
    : window(window), stride(stride.empty() ? window : stride), padding(padding) {
  require(!window.empty() && window.size() <= 3, "MaxUnpool", "needs 1 to 3 sizes of a window");
  for (const Sizes* sizes : {&this->stride, &this->padding})
    require(sizes->size() == 1 || window.size() == 1 || sizes->size() == window.size(), "MaxUnpool",
            fmt::format("{} sizes for a window of {}", sizes->size(), window.size()));
}
Tensor MaxUnpool::operator()(const Tensor& x, const Tensor& indices, const Sizes& output_size,
                             Where where) const {
  if (!output_size.empty()) return max_unpool(x, indices, output_size, where);
  if (!x.defined()) throw ShapeError("MaxUnpool: the operand is not defined", where);
  Sizes size;
  for (int i = 0; i + 2 < x.rank(); ++i) {
    const auto of = [&](const Sizes& sizes) {
      if (sizes.size() > 1 && i >= static_cast<int>(sizes.size()))
        throw ShapeError("MaxUnpool: a window of fewer axes than " + x.shape().str(), where);
      return sizes[sizes.size() == 1 ? 0 : i];
    };
    const int64_t whole = add_sizes(multiply_sizes(x.size(i + 1) - 1, of(stride)), of(window));
    if (of(padding) < 0)
      throw ShapeError("MaxUnpool: a padding of " + std::to_string(of(padding)), where);
    size.push_back(whole - multiply_sizes(2, of(padding)));
  }
  return max_unpool(x, indices, size, where);
}

namespace {

using Pads = std::vector<std::pair<int64_t, int64_t>>;

// PyTorch's numbers, which begin with the last axis, by axes.
Pads sides(const char* layer, const Sizes& padding) {
  if (padding.size() == 1) return {{padding[0], padding[0]}};
  require(padding.size() % 2 == 0 && padding.size() >= 2 && padding.size() <= 6, layer,
          fmt::format("{} numbers, not 1, 2, 4 or 6", padding.size()));
  Pads pads;
  for (size_t i = padding.size(); i > 0; i -= 2) pads.emplace_back(padding[i - 2], padding[i - 1]);
  return pads;
}

}  // namespace

ConstantPad::ConstantPad(const Sizes& padding, double value)
    : Padding(sides("ConstantPad", padding), PadMode::kConstant, value) {}
ZeroPad::ZeroPad(const Sizes& padding) : Padding(sides("ZeroPad", padding)) {}
ReflectionPad::ReflectionPad(const Sizes& padding)
    : Padding(sides("ReflectionPad", padding), PadMode::kReflect) {}
ReplicationPad::ReplicationPad(const Sizes& padding)
    : Padding(sides("ReplicationPad", padding), PadMode::kReplicate) {}
CircularPad::CircularPad(const Sizes& padding)
    : Padding(sides("CircularPad", padding), PadMode::kCircular) {}

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
