// Pooling layers with every option, for one to three axes between the first and the last:
// MaxPool1d, MaxPool2d and MaxPool3d of PyTorch are one layer here. See glia/ops/pool.h for the
// numbers.
#pragma once

#include "glia/nn/layers.h"
#include "glia/ops/image.h"
#include "glia/ops/pool.h"

namespace glia::nn {

struct MaxPool : Module {
  explicit MaxPool(const Sizes& window, const MaxPoolOptions& options = {})
      : window(window), options(options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return max_pool(x, window, options, where);
  }
  Sizes window;
  MaxPoolOptions options;
};
struct AvgPool : Module {
  explicit AvgPool(const Sizes& window, const AvgPoolOptions& options = {})
      : window(window), options(options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return avg_pool(x, window, options, where);
  }
  Sizes window;
  AvgPoolOptions options;
};
struct LPPool : Module {
  LPPool(double p, const Sizes& window, const Sizes& stride = {}, bool ceil_mode = false)
      : p(p), window(window), stride(stride), ceil_mode(ceil_mode) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return lp_pool(x, p, window, stride, ceil_mode, where);
  }
  double p;
  Sizes window, stride;
  bool ceil_mode;
};
struct AdaptiveAvgPool : Module {
  explicit AdaptiveAvgPool(const Sizes& output_size) : output_size(output_size) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return adaptive_avg_pool(x, output_size, where);
  }
  Sizes output_size;
};
struct AdaptiveMaxPool : Module {
  explicit AdaptiveMaxPool(const Sizes& output_size) : output_size(output_size) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return adaptive_max_pool(x, output_size, where);
  }
  Sizes output_size;
};
struct FractionalMaxPool : Module {
  FractionalMaxPool(const Sizes& window, const Sizes& output_size)
      : window(window), output_size(output_size) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return fractional_max_pool(x, window, output_size, {}, where).out;
  }
  Sizes window, output_size;
};

// Values back at the places that a MaxPool of these options took them from: `indices` are those of
// max_pool_with_indices().
struct MaxUnpool : Module {
  explicit MaxUnpool(const Sizes& window, const Sizes& stride = {}, const Sizes& padding = {0});
  // (N, ..., C) -> (N, *output_size, C); empty: the smallest that the pool gives x of.
  Tensor operator()(const Tensor& x, const Tensor& indices, const Sizes& output_size = {},
                    Where where = Where::current()) const;
  Sizes window, stride, padding;
};

using MaxUnpool1d = MaxUnpool;
using MaxUnpool2d = MaxUnpool;
using MaxUnpool3d = MaxUnpool;
using MaxPool1d = MaxPool;
using MaxPool3d = MaxPool;
using AvgPool1d = AvgPool;
using AvgPool3d = AvgPool;
using AdaptiveAvgPool1d = AdaptiveAvgPool;
using AdaptiveAvgPool3d = AdaptiveAvgPool;
using AdaptiveMaxPool1d = AdaptiveMaxPool;
using AdaptiveMaxPool2d = AdaptiveMaxPool;
using AdaptiveMaxPool3d = AdaptiveMaxPool;

// Puts `pads` (one pair for each axis between the first and the last, or one for all) around x.
struct Padding : Module {
  explicit Padding(const std::vector<std::pair<int64_t, int64_t>>& pads,
                   PadMode mode = PadMode::kConstant, double value = 0)
      : pads(pads), mode(mode), value(value) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  std::vector<std::pair<int64_t, int64_t>> pads;
  PadMode mode;
  double value;
};

// Padding under PyTorch's names: one number for all sides, or {left, right}, then {top, bottom},
// then {front, back}. A negative one cuts off.
struct ConstantPad : Padding {
  ConstantPad(int64_t padding, double value) : ConstantPad(Sizes{padding}, value) {}
  ConstantPad(const Sizes& padding, double value);
};
struct ZeroPad : Padding {
  explicit ZeroPad(int64_t padding) : ZeroPad(Sizes{padding}) {}
  explicit ZeroPad(const Sizes& padding);
};
struct ReflectionPad : Padding {
  explicit ReflectionPad(int64_t padding) : ReflectionPad(Sizes{padding}) {}
  explicit ReflectionPad(const Sizes& padding);
};
struct ReplicationPad : Padding {
  explicit ReplicationPad(int64_t padding) : ReplicationPad(Sizes{padding}) {}
  explicit ReplicationPad(const Sizes& padding);
};
struct CircularPad : Padding {
  explicit CircularPad(int64_t padding) : CircularPad(Sizes{padding}) {}
  explicit CircularPad(const Sizes& padding);
};
using ConstantPad1d = ConstantPad;
using ConstantPad2d = ConstantPad;
using ConstantPad3d = ConstantPad;
using ZeroPad1d = ZeroPad;
using ZeroPad2d = ZeroPad;
using ZeroPad3d = ZeroPad;
using ReflectionPad1d = ReflectionPad;
using ReflectionPad2d = ReflectionPad;
using ReflectionPad3d = ReflectionPad;
using ReplicationPad1d = ReplicationPad;
using ReplicationPad2d = ReplicationPad;
using ReplicationPad3d = ReplicationPad;
using CircularPad1d = CircularPad;
using CircularPad2d = CircularPad;
using CircularPad3d = CircularPad;

// (N, ..., C) made larger: to a size, or by a factor for each axis (or one for all).
struct UpsampleOptions {
  Sizes size = {};
  std::vector<double> scale_factor = {};
  InterpolationMode mode = InterpolationMode::kNearest;
  bool align_corners = false;
};
struct Upsample : Module {
  explicit Upsample(const UpsampleOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  UpsampleOptions options;
};

struct PixelShuffle : Module {
  explicit PixelShuffle(int64_t upscale_factor) : upscale_factor(upscale_factor) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return pixel_shuffle(x, upscale_factor, where);
  }
  int64_t upscale_factor;
};
struct PixelUnshuffle : Module {
  explicit PixelUnshuffle(int64_t downscale_factor) : downscale_factor(downscale_factor) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return pixel_unshuffle(x, downscale_factor, where);
  }
  int64_t downscale_factor;
};
struct ChannelShuffle : Module {
  explicit ChannelShuffle(int64_t groups) : groups(groups) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return channel_shuffle(x, groups, where);
  }
  int64_t groups;
};

}  // namespace glia::nn
