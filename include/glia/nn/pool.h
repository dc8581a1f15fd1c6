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
