// Normalisation layers, and weights that are made of others.
#include "glia/nn/normalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/variable.h"
#include "glia/random.h"

namespace glia::nn {
namespace {

void require(bool holds, const char* layer, const std::string& what) {
  if (!holds) throw ShapeError(std::string(layer) + ": " + what);
}

void require_channels(const char* layer, const Tensor& x, int64_t channels, int least_rank,
                      const Where& where) {
  if (x.rank() < least_rank || x.size(-1) != channels)
    throw ShapeError(
        fmt::format("{}: needs (N, ..., {}), got {}", layer, channels, x.shape().str()), where);
}

}  // namespace

std::vector<Tensor> SyncBatchNorm::operator()(const std::vector<Tensor>& parts, Where where) const {
  if (parts.empty()) throw ShapeError("SyncBatchNorm: there are no parts", where);
  std::vector<Tensor> rows, outs;
  for (const Tensor& part : parts) {
    const int64_t channels = part.rank() < 2 ? 0 : part.size(-1);
    if (channels == 0)
      throw ShapeError("SyncBatchNorm: needs (..., C), got " + part.shape().str(), where);
    rows.push_back(reshape(part, {part.numel() / channels, channels}, where));
  }
  const Tensor whole = (*this)(concat(rows, 0, where), where);
  int64_t start = 0;
  for (size_t i = 0; i < parts.size(); start += rows[i++].size(0))
    outs.push_back(
        reshape(slice(whole, 0, {start, start + rows[i].size(0)}, where), parts[i].shape(), where));
  return outs;
}

GroupNorm::GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options)
    : num_groups(num_groups), num_channels(num_channels), eps(options.eps) {
  require(num_groups > 0 && num_channels > 0 && num_channels % num_groups == 0, "GroupNorm",
          fmt::format("{} channels have no {} equal groups", num_channels, num_groups));
  if (!options.affine) return;
  weight = ones({num_channels});
  bias = zeros({num_channels});
}

Tensor GroupNorm::operator()(const Tensor& x, Where where) const {
  require_channels("GroupNorm", x, num_channels, 2, where);
  return group_norm(x, num_groups, weight, bias, eps, where);
}

InstanceNorm2d::InstanceNorm2d(int64_t features, const InstanceNormOptions& options)
    : options(options), features_(features) {
  require(features > 0, "InstanceNorm2d", fmt::format("features is {}, not positive", features));
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

Tensor InstanceNorm2d::operator()(const Tensor& x, Where where) const {
  require_channels("InstanceNorm2d", x, features_, 3, where);
  if (!is_training() && running_mean.defined()) {
    Tensor scale = rsqrt(Operand(running_var, where) + options.eps);
    if (weight.defined()) scale = scale * weight;
    Tensor shift = -running_mean * scale;
    if (bias.defined()) shift = shift + bias;
    return cast(Operand(x, where) * scale + shift, x.dtype());
  }
  const int64_t positions = x.numel() / std::max<int64_t>(x.size(0) * features_, 1);
  if (positions == 1 && is_training())
    throw ShapeError(
        "InstanceNorm2d: training needs more than one position, got " + x.shape().str(), where);
  if (is_training() && running_mean.defined() && x.numel() > 0) {
    const NoGrad off;
    const Tensor rows = cast(reshape(x, {x.size(0), positions, features_}), running_mean.dtype());
    const double m = options.momentum;
    running_mean.set(running_mean * (1 - m) + mean(rows, {0, 1}) * m);
    running_var.set(running_var * (1 - m) + mean(var(rows, {1}), {0}) * m);
  }
  return instance_norm(x, weight, bias, options.eps, where);
}

RMSNorm::RMSNorm(const Shape& normalized_shape, const RMSNormOptions& options)
    : normalized_shape(normalized_shape), eps(options.eps) {
  require(normalized_shape.rank() > 0, "RMSNorm", "no axes to normalize over");
  for (int64_t size : normalized_shape)
    require(size > 0, "RMSNorm", fmt::format("a size is {}, not positive", size));
  if (options.elementwise_affine) weight = ones(normalized_shape);
}

Tensor RMSNorm::operator()(const Tensor& x, Where where) const {
  const int axes = normalized_shape.rank();
  if (x.rank() < axes || Shape(x.shape().span().last(axes)) != normalized_shape)
    throw ShapeError(
        fmt::format("RMSNorm: {} does not end in {}", x.shape().str(), normalized_shape.str()),
        where);
  return rms_norm(x, weight, axes, eps, where);
}

LocalResponseNorm::LocalResponseNorm(int64_t size, const LocalResponseNormOptions& options)
    : size(size), options(options) {
  require(size > 0, "LocalResponseNorm", fmt::format("the window is {}, not positive", size));
}

Tensor LocalResponseNorm::operator()(const Tensor& x, Where where) const {
  return local_response_norm(x, size, options, where);
}

// ---- Weights that are made of others ----

namespace detail {
namespace {

class AllButWeight final : public FieldVisitor {
 public:
  explicit AllButWeight(FieldVisitor& to) : to_(to) {}
  void parameter(std::string_view name, const Parameter& field) override {
    if (depth_ > 0 || name != "weight") to_.parameter(name, field);
  }
  void buffer(std::string_view name, const Buffer& field) override { to_.buffer(name, field); }
  void module(std::string_view name, const Module& field) override { to_.module(name, field); }
  void enter(std::string_view name) override {
    ++depth_;
    to_.enter(name);
  }
  void leave() override {
    --depth_;
    to_.leave();
  }

 private:
  FieldVisitor& to_;
  int depth_ = 0;
};

// The axis in front, all others behind it as one.
Tensor as_matrix(const Tensor& weight, int dim) {
  Axes order{dim};
  for (int i = 0; i < weight.rank(); ++i)
    if (i != dim) order.push_back(i);
  return reshape(permute(weight, order), {weight.size(dim), -1});
}

int checked_dim(const char* layer, int dim, const Tensor& weight) {
  const int rank = weight.rank();
  require(dim >= -rank && dim < rank, layer,
          fmt::format("a weight {} has no axis {}", weight.shape().str(), dim));
  return dim < 0 ? dim + rank : dim;
}

void iterate(const Tensor& matrix, Tensor* u, Tensor* v, int64_t times, double eps) {
  for (int64_t i = 0; i < times; ++i) {
    *u = normalize(matmul(matrix, *v), 2, 0, eps);
    *v = normalize(matmul(transpose(matrix), *u), 2, 0, eps);
  }
}

}  // namespace

Tensor with_value(const Variable& place, const Tensor& value, const std::function<Tensor()>& f) {
  const Substitution read(place, value);
  return f();
}

void visit_all_but_weight(FieldVisitor& visitor, const Module& layer) {
  AllButWeight rest(visitor);
  layer.visit_fields(rest);
}

Tensor length_but_along(const Tensor& weight, std::optional<int> dim) {
  if (!dim) return sqrt(sum(square(weight)));
  const int kept = checked_dim("WeightNorm", *dim, weight);
  Axes axes;
  for (int i = 0; i < weight.rank(); ++i)
    if (i != kept) axes.push_back(i);
  if (axes.empty()) return abs(weight);  // all other axes of a vector: none
  return sqrt(sum(square(weight), axes, true));
}

Tensor weight_of_length(const Tensor& direction, const Tensor& length, std::optional<int> dim) {
  return direction * (length / length_but_along(direction, dim));
}

void check_spectral(int64_t iterations, double eps) {
  require(iterations > 0, "SpectralNorm",
          fmt::format("n_power_iterations is {}, not positive", iterations));
  require(eps > 0, "SpectralNorm", fmt::format("eps {} is not above 0", eps));
}

void begin_spectral(const Tensor& original, Buffer* u, Buffer* v, int dim, double eps) {
  const int at = checked_dim("SpectralNorm", dim, original);
  if (original.rank() < 2) return;
  const Tensor matrix = stop_gradient(as_matrix(original, at));
  Tensor left = normalize(randn({matrix.size(0)}, matrix.dtype()), 2, 0, eps),
         right = normalize(randn({matrix.size(1)}, matrix.dtype()), 2, 0, eps);
  constexpr int64_t kFirst = 15;  // before the first step
  iterate(matrix, &left, &right, kFirst, eps);
  *u = left;
  *v = right;
}

Tensor spectral_weight(const Tensor& original, const Buffer& u, const Buffer& v, int64_t iterations,
                       int dim, double eps) {
  if (!u.defined()) return normalize(original, 2, 0, eps);
  const Tensor matrix = as_matrix(original, checked_dim("SpectralNorm", dim, original));
  Tensor left = u, right = v;
  if (iterations > 0) {
    const NoGrad off;
    iterate(stop_gradient(matrix), &left, &right, iterations, eps);
    u.set(left);
    v.set(right);
  }
  return original / sum(left * matmul(matrix, right));
}

}  // namespace detail
}  // namespace glia::nn
