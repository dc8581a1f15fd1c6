// Normalisation over parts of an example and over rows, besides norm.cpp.
#include "ops/group_norm.h"

#include <algorithm>
#include <limits>

#include "glia/ops/normalize.h"
#include "ops/loss.h"

namespace glia {
namespace {

// ---- group_norm, group_norm_backward: see group_norm.h ----

// The mean over each group of what channels have: (N, 1, C) -> (N, groups).
Tensor over_groups(const Tensor& x, int64_t groups) {
  const int64_t n = x.size(0), c = x.size(2);
  if (groups == c) return reshape(x, {n, c});
  return mean(reshape(x, {n, groups, c / groups}), {2});
}
// And back, for each channel what its group has.
Tensor of_channels(const Tensor& x, int64_t channels) {
  const int64_t n = x.size(0), groups = x.size(1), each = channels / groups;
  return reshape(expand(unsqueeze(x, 2), {n, groups, each}), {n, 1, channels});
}

std::vector<Tensor> compose_group_norm(const Recorded& one, std::span<const Tensor> in) {
  const int64_t groups = one.attributes<GroupNormAttributes>().groups;
  const Tensor& x = in[0];
  const int64_t channels = x.size(2);
  const Tensor rough = over_groups(mean(x, {1}, true), groups);
  const Tensor centred = x - of_channels(rough, channels);
  const Tensor rest = over_groups(mean(centred, {1}, true), groups);  // of the mean's rounding
  const Tensor squares = over_groups(mean(square(centred), {1}, true), groups) - square(rest);
  const Tensor inverse = rsqrt(maximum(squares, shared_scalar(0, x.dtype())) + in[3]);
  Tensor out = (centred - of_channels(rest, channels)) * of_channels(inverse, channels);
  if (in[1].defined()) out = out * in[1];
  if (in[2].defined()) out = out + in[2];
  return {out, rough + rest, inverse};
}

std::vector<Tensor> compose_group_norm_backward(const Recorded& one, std::span<const Tensor> in) {
  const Tensor &x = in[0], &mean_of = in[1], &inverse = in[2], &weight = in[3], &g = in[4];
  const int64_t groups = one.attributes<GroupNormAttributes>().groups, channels = x.size(2);
  const auto positions = static_cast<double>(x.size(1));
  const auto within = [&](const Tensor& t) {
    return of_channels(over_groups(t, groups), channels);
  };
  const Tensor scale = of_channels(inverse, channels);
  const Tensor y = (x - of_channels(mean_of, channels)) * scale;
  const Tensor centre = mean(g, {1}, true), along = mean(g * y, {1}, true);
  const auto weighted = [&](const Tensor& t) { return weight.defined() ? t * weight : t; };
  const Tensor gx = scale * (weighted(g) - within(weighted(centre)) - y * within(weighted(along)));
  return {gx, sum(along, {0, 1}) * positions, sum(centre, {0, 1}) * positions};
}

extern const Op kGroupNormBackward;

void vjp_group_norm(Vjp& v) {
  const Tensor &mean_of = v.out(1), &inverse = v.out(2), &g = v.g(0);
  if (!g.defined() || v.g(1).defined() || v.g(2).defined() || !mean_of.defined() ||
      !inverse.defined())
    return v.set_composed();
  const Tensor x = v.in(0), weight = v.in(1);
  const Tensor tuple = record(kGroupNormBackward,
                              {x.node(), mean_of.node(), inverse.node(), weight.node(), g.node()},
                              {}, x.dtype(), v.words(), v.where());
  const Shape channels{x.size(2)};
  if (v.needs(0)) v.set(0, output(tuple, 0, x.shape(), x.dtype()));
  if (v.needs(1)) v.set(1, output(tuple, 1, channels, x.dtype()));
  if (v.needs(2)) v.set(2, output(tuple, 2, channels, x.dtype()));
}

const Op kGroupNorm{.name = "group_norm",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<GroupNormAttributes>,
                    .vjp = vjp_group_norm,
                    .outputs = 3,
                    .compose = compose_group_norm};
const Op kGroupNormBackward{.name = "group_norm_backward",
                            .kind = Kind::kMacro,
                            .attributes = kAttributeFields<GroupNormAttributes>,
                            .outputs = 3,
                            .compose = compose_group_norm_backward};

// ---- rms_norm(x, weight, eps), over the last axes ----

struct RmsNormAttributes {
  int axes = 1;
  GLIA_ATTRIBUTES(axes)
};

std::vector<Tensor> compose_rms_norm(const Recorded& one, std::span<const Tensor> in) {
  const int count = one.attributes<RmsNormAttributes>().axes;
  const Tensor& x = in[0];
  Axes axes;
  for (int i = x.rank() - count; i < x.rank(); ++i) axes.push_back(i);
  const Tensor inverse = rsqrt(mean(square(x), axes, true, one.where()) + in[2]);
  return {in[1].defined() ? x * inverse * in[1] : x * inverse};
}
Tensor batch_rms_norm(const Recorded& one, std::span<const Tensor> in,
                      std::span<const bool> batched, int64_t size) {
  if (batched[1] || batched[2]) return {};
  return record(one.op(), {in[0].node(), in[1].node(), in[2].node()}, batched_shape(one, size),
                one.dtype(), one.words(), one.where());
}
const Op kRmsNorm{.name = "rms_norm",
                  .kind = Kind::kMacro,
                  .attributes = kAttributeFields<RmsNormAttributes>,
                  .batch = batch_rms_norm,
                  .compose = compose_rms_norm};

const RegisterOp registered[] = {RegisterOp(kGroupNorm), RegisterOp(kGroupNormBackward),
                                 RegisterOp(kRmsNorm)};

void check_channels(const char* op, const char* what, const Tensor& t, int64_t channels,
                    const Where& where) {
  if (t.defined() && t.shape() != Shape{channels})
    fail(op, std::string(what) + " has shape " + t.shape().str() + ", not " + Shape{channels}.str(),
         where);
}

// Of x (N, ..., C).
Tensor by_groups(const char* op, const Tensor& x, int64_t groups, const Tensor& weight,
                 const Tensor& bias, double eps, const Where& where) {
  const Tensor given = as_full_float(op, x, where);
  const Shape& shape = given.shape();
  const int64_t channels = shape.size(-1);
  check_channels(op, "weight", weight, channels, where);
  check_channels(op, "bias", bias, channels, where);
  DType dtype = sum_dtype(given.dtype());
  for (const Tensor& t : {weight, bias})
    if (t.defined()) dtype = sum_dtype(promote(dtype, t.dtype()));
  if (shape.numel() == 0) return given;
  const Tensor t = reshape(cast(given, dtype), {shape[0], -1, channels}, where);
  const Tensor w = factor(weight, t), b = factor(bias, t);
  const Tensor least = host_scalar(eps, dtype);
  const Tensor tuple = record(kGroupNorm, {t.node(), w.node(), b.node(), least.node()}, {}, dtype,
                              GroupNormAttributes{groups}, where);
  const Shape statistics{shape[0], groups};
  const Tensor mean_of = output(tuple, 1, statistics, dtype),
               inverse = output(tuple, 2, statistics, dtype);
  const Tensor y = output(tuple, 0, t.shape(), dtype, {mean_of, inverse});
  return cast(reshape(y, shape, where), given.dtype());
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps, Where where) {
  const char* op = "group_norm";
  require_defined(op, x, where);
  if (x.rank() < 2) fail(op, "needs (N, ..., C), not " + x.shape().str(), where);
  const int64_t channels = x.size(-1);
  if (num_groups < 1 || channels % num_groups != 0)
    fail(op,
         std::to_string(channels) + " channels have no " + std::to_string(num_groups) +
             " equal groups",
         where);
  return by_groups(op, x, num_groups, weight, bias, eps, where);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                     Where where) {
  const char* op = "instance_norm";
  require_defined(op, x, where);
  if (x.rank() < 3) fail(op, "needs (N, ..., C), not " + x.shape().str(), where);
  const int64_t channels = x.size(-1);
  return by_groups(op, x, std::max<int64_t>(channels, 1), weight, bias, eps, where);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, int axes, std::optional<double> eps,
                Where where) {
  const char* op = "rms_norm";
  const Tensor given = as_full_float(op, x, where);
  const int count = weight.defined() ? weight.rank() : axes;
  if (count < 1 || count > given.rank())
    fail(op, std::to_string(count) + " axes of " + given.shape().str(), where);
  const Shape last(given.shape().span().last(count));
  if (weight.defined() && weight.shape() != last)
    fail(op, "weight has shape " + weight.shape().str() + ", not " + last.str(), where);
  DType dtype = sum_dtype(given.dtype());
  if (weight.defined()) dtype = sum_dtype(promote(dtype, weight.dtype()));
  const Tensor t = cast(given, dtype), w = factor(weight, t);
  const Tensor least =
      host_scalar(eps.value_or(given.dtype() == kF64 ? std::numeric_limits<double>::epsilon()
                                                     : std::numeric_limits<float>::epsilon()),
                  dtype);
  return cast(record(kRmsNorm, {t.node(), w.node(), least.node()}, t.shape(), dtype,
                     RmsNormAttributes{count}, where),
              given.dtype());
}

Tensor local_response_norm(const Tensor& x, int64_t size, const LocalResponseNormOptions& options,
                           Where where) {
  const char* op = "local_response_norm";
  const Wide w(op, {x}, where);
  const Tensor& t = w.x[0];
  if (t.rank() < 1) fail(op, "needs (..., C), not a single number", where);
  if (size < 1) fail(op, "a window of " + std::to_string(size) + " channels", where);
  if (t.numel() == 0) return cast(t, w.dtype);
  // Windows end at the ends of the channels; even ones reach further to the front.
  const int64_t channels = t.size(-1), most = channels - 1;
  const int64_t before = std::min(size / 2, most), after = std::min((size - 1) / 2, most);
  std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(t.rank()));
  pads.back() = {before, after};
  const Tensor squares = pad(square(t), pads, 0, where);
  Tensor total;
  for (int64_t i = 0; i <= before + after; ++i) {
    const Tensor part = slice(squares, -1, {i, i + channels}, where);
    total = total.defined() ? total + part : part;
  }
  const Tensor divisor = options.k + total * (options.alpha / static_cast<double>(size));
  return cast(t / pow(divisor, options.beta), w.dtype);
}

}  // namespace glia
