// Linear and convolutional layers, norms, dropout, embeddings, pooling. Constructors throw
// ShapeError for arguments out of range, calls for inputs that do not fit.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "glia/nn/module.h"
#include "glia/ops.h"
#include "glia/ops/conv.h"
#include "glia/sparse.h"

namespace glia::nn {

// A height and a width; one number stands for both.
struct Size2d : std::pair<int64_t, int64_t> {
  Size2d(std::integral auto both) : pair(both, both) {}
  Size2d(int64_t height, int64_t width) : pair(height, width) {}
  Size2d(const std::pair<int64_t, int64_t>& size) : pair(size) {}
};

struct LinearOptions {
  bool bias = true;
};
// x W^T + b: (..., in) -> (..., out).
struct Linear : Module {
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Parameter weight, bias;  // (out, in); (out) or undefined
  GLIA_FIELDS(weight, bias)
};

// What convolutional layers have in common. In state dicts the last axis of the weight is the
// second, as it is in PyTorch.
struct Convolution : Module {
  Parameter weight, bias;  // see the layer; (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  // The weight is (out, kernel..., in / groups), or (in, kernel..., out / groups) if transposed.
  Convolution(const char* layer, int64_t in_channels, int64_t out_channels,
              const std::vector<int64_t>& kernel, int64_t groups, bool with_bias, bool transposed);
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct ConvOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  bool same = false;  // PyTorch's padding="same": the output has the input's size (stride 1)
  PadMode padding_mode = PadMode::kConstant;
};
// Cross-correlation: (N, H, W, in) -> (N, H', W', out), weight (out, kH, kW, in / groups).
struct Conv2d : Convolution {
  Conv2d(int64_t in_channels, int64_t out_channels, const ConvOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  ConvOptions options;
};

struct BatchNormOptions {
  double eps = 1e-5;
  // Weight of the newest batch in the running statistics; unset: all batches count the same.
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
};
// Normalises each channel of (..., C) over all other axes: by the batch's statistics in training
// mode, by the running ones in evaluation mode (Ioffe & Szegedy 2015).
struct BatchNorm2d : Module {
  explicit BatchNorm2d(int64_t features, const BatchNormOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  BatchNormOptions options;
  Parameter weight, bias;            // (C), or undefined if not affine
  Buffer running_mean, running_var;  // (C); the variance is the unbiased one
  Buffer num_batches_tracked;        // i64 ()
  GLIA_FIELDS(weight, bias, running_mean, running_var, num_batches_tracked)

 private:
  void track(const BatchNormResult& batch, int64_t count) const;
  int64_t features_;
};
using BatchNorm1d = BatchNorm2d;  // (N, C) or (N, L, C)

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true, bias = true;
};
// Normalises over the last axes, which have this shape (Ba et al. 2016).
struct LayerNorm : Module {
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(int64_t features, const LayerNormOptions& options = {})
      : LayerNorm(Shape{features}, options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Shape normalized_shape;
  double eps;
  Parameter weight, bias;  // of that shape, or undefined
  GLIA_FIELDS(weight, bias)
};

// In training mode zeroes each value with probability p and scales the rest by 1 / (1 - p).
struct Dropout : Module {
  explicit Dropout(double p = 0.5);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  double p;
};

// padding_idx: its row starts as zeros and gets no gradient. sparse: see glia/sparse.h.
using EmbeddingOptions = LookupOptions;
// Rows of the weight: indices (...), i32 or i64 -> (..., features).
struct Embedding : Module {
  Embedding(int64_t count, int64_t features, const EmbeddingOptions& options = {});
  Tensor operator()(const Tensor& indices, Where where = Where::current()) const {
    return embedding(indices, weight, options, where);
  }

  EmbeddingOptions options;
  Parameter weight;  // (count, features)
  GLIA_FIELDS(weight)
};

using EmbeddingBagOptions = BagOptions;
// The mean, sum or largest value of the rows of each bag: see embedding_bag.
struct EmbeddingBag : Module {
  EmbeddingBag(int64_t count, int64_t features, const EmbeddingBagOptions& options = {});
  Tensor operator()(const Tensor& indices, Where where = Where::current()) const {
    return embedding_bag(indices, weight, {}, {}, options, where);
  }
  Tensor operator()(const Tensor& indices, const Tensor& offsets,
                    const Tensor& per_sample_weights = {}, Where where = Where::current()) const {
    return embedding_bag(indices, weight, offsets, per_sample_weights, options, where);
  }

  EmbeddingBagOptions options;
  Parameter weight;  // (count, features)
  GLIA_FIELDS(weight)
};

struct Pool2dOptions {
  Size2d stride = 0;  // 0: the window
  Size2d padding = 0;
};
// The largest value of each window: (N, H, W, C) -> (N, H', W', C).
struct MaxPool2d : Module {
  explicit MaxPool2d(Size2d window, const Pool2dOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d window;
  PoolOptions options;
};
// The mean of each window, padding counted as zeros.
struct AvgPool2d : Module {
  explicit AvgPool2d(Size2d window, const Pool2dOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d window;
  PoolOptions options;
};
// Means over as many windows as the output has: (N, H, W, C) -> (N, *size, C). Row i averages input
// rows floor(i H / h) to ceil((i + 1) H / h); AdaptiveAvgPool2d(1) is global pooling.
struct AdaptiveAvgPool2d : Module {
  explicit AdaptiveAvgPool2d(Size2d output_size);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d output_size;
};

// (N, ...) -> (N, rest). Images flatten in the order (h, w, c), PyTorch's in (c, h, w).
struct Flatten : Module {
  explicit Flatten(int start_dim = 1, int end_dim = -1) : start_dim(start_dim), end_dim(end_dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return flatten(x, start_dim, end_dim, where);
  }
  int start_dim, end_dim;
};
struct Identity : Module {
  Tensor operator()(const Tensor& x) const { return x; }
};

}  // namespace glia::nn
