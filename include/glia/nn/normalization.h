// Normalisation layers besides those of glia/nn/layers.h, and layers whose weight is made of
// others. Channels are the last axis. Constructors throw ShapeError for arguments out of range,
// calls for inputs that do not fit.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/ops/normalize.h"

namespace glia::nn {

using BatchNorm3d = BatchNorm2d;  // (N, D, H, W, C)

// Batch normalisation of a batch that comes in parts, such as the micro-batches of an accumulated
// gradient. No part can be normalised before the statistics of all are known, so a model is applied
// to all parts one layer after the other, and each normalisation takes them together. Outputs,
// gradients and running statistics are those of the whole batch. One tensor is a batch of one part.
struct SyncBatchNorm : BatchNorm2d {
  explicit SyncBatchNorm(int64_t features, const BatchNormOptions& options = {})
      : BatchNorm2d(features, options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return BatchNorm2d::operator()(x, where);
  }
  std::vector<Tensor> operator()(const std::vector<Tensor>& parts,
                                 Where where = Where::current()) const;
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
};
// Of (N, ..., C), each of num_groups equal parts of an example's channels (Wu & He 2018).
struct GroupNorm : Module {
  GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  int64_t num_groups, num_channels;
  double eps;
  Parameter weight, bias;  // (C), or undefined if not affine
  GLIA_FIELDS(weight, bias)
};

struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // weight of the newest batch in the running statistics
  bool affine = false;
  bool track_running_stats = false;
};
// Each channel of each example of (N, ..., C) apart, by its own statistics (Ulyanov et al. 2016);
// in evaluation mode by the running ones, if these are tracked.
struct InstanceNorm2d : Module {
  explicit InstanceNorm2d(int64_t features, const InstanceNormOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  InstanceNormOptions options;
  Parameter weight, bias;            // (C), or undefined if not affine
  Buffer running_mean, running_var;  // (C), means over examples; undefined if not tracked
  Buffer num_batches_tracked;        // i64 (): 0, as in PyTorch, which does not count either
  GLIA_FIELDS(weight, bias, running_mean, running_var, num_batches_tracked)

 private:
  int64_t features_;
};
using InstanceNorm1d = InstanceNorm2d;  // (N, positions, C)
using InstanceNorm3d = InstanceNorm2d;  // (N, D, H, W, C)

struct RMSNormOptions {
  std::optional<double> eps = {};  // unset: as of rms_norm()
  bool elementwise_affine = true;
};
// By the root of the mean square over the last axes, which have this shape (Zhang & Sennrich 2019).
struct RMSNorm : Module {
  explicit RMSNorm(const Shape& normalized_shape, const RMSNormOptions& options = {});
  explicit RMSNorm(int64_t features, const RMSNormOptions& options = {})
      : RMSNorm(Shape{features}, options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Shape normalized_shape;
  std::optional<double> eps;
  Parameter weight;  // of that shape, or undefined
  GLIA_FIELDS(weight)
};

// By the squares of neighbouring channels (Krizhevsky et al. 2012).
struct LocalResponseNorm : Module {
  explicit LocalResponseNorm(int64_t size, const LocalResponseNormOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  int64_t size;
  LocalResponseNormOptions options;
};

// ---- Weights that are made of others ----------------------------------------------------------

namespace detail {

// f(), in which this thread reads `value` of the variable.
Tensor with_value(const Variable& place, const Tensor& value, const std::function<Tensor()>& f);
// Shows all fields of a layer but its weight.
void visit_all_but_weight(FieldVisitor& visitor, const Module& layer);

// A layer's own layouts in state dicts.
template <class Layer>
struct LayoutsOf : Layer {
  static Tensor to(const Layer& layer, std::string_view name, const Tensor& value) {
    return (layer.*&LayoutsOf::to_state)(name, value);
  }
  static Tensor from(const Layer& layer, std::string_view name, const Tensor& value) {
    return (layer.*&LayoutsOf::from_state)(name, value);
  }
};

// Everything is in the layout of state dicts.
Tensor length_but_along(const Tensor& weight, std::optional<int> dim);
Tensor weight_of_length(const Tensor& direction, const Tensor& length, std::optional<int> dim);
// Iterates u and v, and divides by the singular value that they lead to.
Tensor spectral_weight(const Tensor& original, const Buffer& u, const Buffer& v, int64_t iterations,
                       int dim, double eps);
void begin_spectral(const Tensor& original, Buffer* u, Buffer* v, int dim, double eps);
void check_spectral(int64_t iterations, double eps);

}  // namespace detail

// A layer whose member `weight` is computed for each call: what WeightNorm and SpectralNorm share.
// State dicts have the names of PyTorch's torch.nn.utils.parametrizations.
template <std::derived_from<Module> Layer>
struct Parametrized : Module {
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return detail::with_value(layer.weight, weight(), [&] { return layer(x, where); });
  }
  // The weight that the next call uses, in the layer's own layout.
  Tensor weight() const {
    return detail::LayoutsOf<Layer>::from(layer, "weight", weight_in_state_layout());
  }
  // The layer with that weight as its own.
  Layer removed() const {
    Layer plain = layer;
    plain.weight = weight();
    return plain;
  }

  Layer layer;

 protected:
  explicit Parametrized(Layer its_layer) : layer(std::move(its_layer)) {}
  virtual Tensor weight_in_state_layout() const = 0;
  Tensor start() const {
    return stop_gradient(detail::LayoutsOf<Layer>::to(layer, "weight", layer.weight));
  }
  static bool is_original(std::string_view name) {
    return name.starts_with("original") || name.starts_with("_");
  }
  Tensor to_state(std::string_view name, const Tensor& value) const override {
    return is_original(name) ? value : detail::LayoutsOf<Layer>::to(layer, name, value);
  }
  Tensor from_state(std::string_view name, const Tensor& value) const override {
    return is_original(name) ? value : detail::LayoutsOf<Layer>::from(layer, name, value);
  }
};

struct WeightNormOptions {
  // The axis of PyTorch's weight whose entries have a length each; unset: one length for all.
  std::optional<int> dim = 0;
};
// A layer whose weight is a direction and a length (Salimans & Kingma 2016), which start as those
// of the weight it has: nn::WeightNorm layer(nn::Linear(3, 4)).
template <std::derived_from<Module> Layer>
struct WeightNorm : Parametrized<Layer> {
  explicit WeightNorm(Layer layer, const WeightNormOptions& options = {})
      : Parametrized<Layer>(std::move(layer)),
        options(options),
        original0(detail::length_but_along(this->start(), options.dim)),
        original1(this->start()) {}
  void visit_fields(FieldVisitor& visitor) const override {
    detail::visit_all_but_weight(visitor, this->layer);
    visitor.enter("parametrizations");
    visitor.enter("weight");
    visitor.parameter("original0", original0);
    visitor.parameter("original1", original1);
    visitor.leave();
    visitor.leave();
  }

  WeightNormOptions options;
  Parameter original0, original1;  // length and direction, as PyTorch lays out the weight

 protected:
  Tensor weight_in_state_layout() const override {
    return detail::weight_of_length(original1, original0, options.dim);
  }
};

struct SpectralNormOptions {
  int64_t n_power_iterations = 1;  // in each call in training mode
  double eps = 1e-12;              // least length of the vectors
  int dim = 0;                     // the axis of PyTorch's weight that has the outputs
};
// A layer whose weight is divided by its largest singular value as a matrix of its outputs by the
// rest (Miyato et al. 2018), found by power iteration.
template <std::derived_from<Module> Layer>
struct SpectralNorm : Parametrized<Layer> {
  explicit SpectralNorm(Layer layer, const SpectralNormOptions& options = {})
      : Parametrized<Layer>(std::move(layer)), options(options), original(this->start()) {
    detail::check_spectral(options.n_power_iterations, options.eps);
    detail::begin_spectral(original, &u, &v, options.dim, options.eps);
  }
  void visit_fields(FieldVisitor& visitor) const override {
    detail::visit_all_but_weight(visitor, this->layer);
    visitor.enter("parametrizations");
    visitor.enter("weight");
    visitor.parameter("original", original);
    visitor.enter("0");
    visitor.buffer("_u", u);
    visitor.buffer("_v", v);
    for (int i = 0; i < 3; ++i) visitor.leave();
  }

  SpectralNormOptions options;
  Parameter original;  // as PyTorch lays out the weight
  Buffer u, v;         // undefined for a weight of rank 1, which is divided by its length

 protected:
  Tensor weight_in_state_layout() const override {
    return detail::spectral_weight(original, u, v,
                                   this->is_training() ? options.n_power_iterations : 0,
                                   options.dim, options.eps);
  }
};

}  // namespace glia::nn
