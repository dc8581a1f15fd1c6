// The layers of glia/nn.h that are more than one call.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/nn.h"
#include "glia/ops/pool.h"
#include "glia/random.h"
#include "nn/private.h"

namespace glia::nn {
namespace {

PoolOptions pool_options(const char* layer, const Size2d& window, const Pool2dOptions& options) {
  require_positive(layer, "the window", std::min(window.first, window.second));
  return {.stride = options.stride, .padding = options.padding};
}

// A standard normal table whose padding row is zeros; the row is then counted from the front.
Tensor table(const char* layer, int64_t count, int64_t features, LookupOptions* options) {
  require_positive(layer, "count", count);
  require_positive(layer, "features", features);
  const Tensor rows = randn({count, features});
  if (!options->padding_idx) return rows;
  int64_t& i = *options->padding_idx;
  require(i >= -count && i < count, layer,
          fmt::format("padding_idx {} is no index among {}", i, count));
  if (i < 0) i += count;
  return where(unsqueeze(arange(count), 1) == i, 0, rows);
}

}  // namespace

Tensor uniform_of_fan_in(const Shape& shape, int64_t fan_in) {
  const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
  return uniform(shape, -bound, bound);
}
void require(bool holds, const char* layer, const std::string& what) {
  if (!holds) throw ShapeError(std::string(layer) + ": " + what);
}
void require_positive(const char* layer, const char* what, int64_t value) {
  require(value > 0, layer, fmt::format("{} is {}, not positive", what, value));
}

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options) {
  require_positive("Linear", "in_features", in_features);
  require_positive("Linear", "out_features", out_features);
  weight = uniform_of_fan_in({out_features, in_features}, in_features);
  if (options.bias) bias = uniform_of_fan_in({out_features}, in_features);
}

Tensor Linear::operator()(const Tensor& x, Where where) const {
  return linear(x, weight, bias, where);
}

BatchNorm2d::BatchNorm2d(int64_t features, const BatchNormOptions& options)
    : options(options), features_(features) {
  require_positive("BatchNorm2d", "features", features);
  if (options.affine) {
    weight = ones({features});
    bias = zeros({features});
  }
  if (options.track_running_stats) {
    running_mean = zeros({features});
    running_var = ones({features});
    num_batches_tracked = zeros({}, kI64);
  }
}

Tensor BatchNorm2d::operator()(const Tensor& x, Where where) const {
  if (x.rank() < 2 || x.size(-1) != features_)
    throw ShapeError(
        fmt::format("BatchNorm2d: needs (..., {}), got {}", features_, x.shape().str()), where);
  if (!is_training() && running_mean.defined()) {
    Tensor scale = rsqrt(Operand(running_var, where) + options.eps);
    if (weight.defined()) scale = scale * weight;
    Tensor shift = -running_mean * scale;
    if (bias.defined()) shift = shift + bias;
    return Operand(x, where) * scale + shift;
  }
  const int64_t count = x.numel() / features_;
  if (is_training() && count < 2)
    throw ShapeError(fmt::format("BatchNorm2d: training needs more than one value per channel, "
                                 "got {}",
                                 x.shape().str()),
                     where);
  const BatchNormResult batch = batch_norm(x, weight, bias, options.eps, where);
  if (is_training() && running_mean.defined()) track(batch, count);
  return batch.out;
}

void BatchNorm2d::track(const BatchNormResult& batch, int64_t count) const {
  const NoGrad off;
  const Tensor batches = num_batches_tracked + 1;
  const auto move = [&](const Buffer& running, const Tensor& value) {
    const Tensor newest = cast(value, running.dtype());
    running.set(options.momentum ? running * (1 - *options.momentum) + newest * *options.momentum
                                 : running + (newest - running) / cast(batches, running.dtype()));
  };
  const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
  move(running_mean, batch.mean);
  move(running_var, batch.var * unbiased);
  num_batches_tracked.set(batches);
}

LayerNorm::LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options)
    : normalized_shape(normalized_shape), eps(options.eps) {
  require(normalized_shape.rank() > 0, "LayerNorm", "no axes to normalize over");
  for (int64_t size : normalized_shape) require_positive("LayerNorm", "a size", size);
  if (options.elementwise_affine) weight = ones(normalized_shape);
  if (options.elementwise_affine && options.bias) bias = zeros(normalized_shape);
}

Tensor LayerNorm::operator()(const Tensor& x, Where where) const {
  const int axes = normalized_shape.rank();
  if (x.rank() < axes || Shape(x.shape().span().last(axes)) != normalized_shape)
    throw ShapeError(
        fmt::format("LayerNorm: {} does not end in {}", x.shape().str(), normalized_shape.str()),
        where);
  return layer_norm(x, weight, bias, axes, eps, where);
}

Dropout::Dropout(double p) : p(p) {
  require(p >= 0 && p <= 1, "Dropout", fmt::format("the probability {} is not in [0, 1]", p));
}

Tensor Dropout::operator()(const Tensor& x, Where where) const {
  return is_training() ? dropout(x, p, where) : x;
}

Embedding::Embedding(int64_t count, int64_t features, const EmbeddingOptions& options)
    : options(options), weight(table("Embedding", count, features, &this->options)) {}

EmbeddingBag::EmbeddingBag(int64_t count, int64_t features, const EmbeddingBagOptions& options)
    : options(options), weight(table("EmbeddingBag", count, features, &this->options)) {}

MaxPool2d::MaxPool2d(Size2d window, const Pool2dOptions& options)
    : window(window), options(pool_options("MaxPool2d", window, options)) {}
Tensor MaxPool2d::operator()(const Tensor& x, Where where) const {
  return max_pool2d(x, window, options, where);
}

AvgPool2d::AvgPool2d(Size2d window, const Pool2dOptions& options)
    : window(window), options(pool_options("AvgPool2d", window, options)) {}
Tensor AvgPool2d::operator()(const Tensor& x, Where where) const {
  return avg_pool2d(x, window, options, where);
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Size2d output_size) : output_size(output_size) {
  require_positive("AdaptiveAvgPool2d", "the output size",
                   std::min(output_size.first, output_size.second));
  constexpr int64_t kMost = 1 << 16;  // each row and column is an operation
  require(std::max(output_size.first, output_size.second) <= kMost, "AdaptiveAvgPool2d",
          fmt::format("the output size is above {}", kMost));
}
Tensor AdaptiveAvgPool2d::operator()(const Tensor& x, Where where) const {
  if (x.rank() != 4)
    throw ShapeError("AdaptiveAvgPool2d: needs (N, H, W, C), got " + x.shape().str(), where);
  return adaptive_avg_pool(x, {output_size.first, output_size.second}, where);
}

}  // namespace glia::nn
