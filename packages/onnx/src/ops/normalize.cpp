// Normalisation and dropout.
#include <numeric>

#include "call.h"
#include "glia/ops/normalize.h"
#include "glia/random.h"

namespace glia::onnx {
namespace {

void batch_normalization(Call& c) {
  // Of two axes channels are the last one anyway.
  const bool flat = c.shape(0).rank() < 3;
  const Tensor x = flat ? c.tensor(0) : c.spatial(0);
  const Tensor scale = c.tensor(1), bias = c.tensor(2), mean_in = c.tensor(3), var_in = c.tensor(4);
  const double eps = c.real_of("epsilon", 1e-5), momentum = c.real_of("momentum", 0.9);
  const auto set = [&](const Tensor& y) { flat ? c.set(0, y) : c.set_spatial(0, y); };
  if (c.integer_of("training_mode", 0) == 0) {
    const Tensor factor = scale * rsqrt(var_in + eps);
    set(cast(x * factor + (bias - mean_in * factor), x.dtype()));
    return;
  }
  const BatchNormResult r = batch_norm(x, scale, bias, eps);
  set(r.out);
  c.set(1, mean_in * momentum + r.mean * (1 - momentum));
  c.set(2, var_in * momentum + r.var * (1 - momentum));
}

void instance_normalization(Call& c) {
  c.set_spatial(0,
                instance_norm(c.spatial(0), c.tensor(1), c.tensor(2), c.real_of("epsilon", 1e-5)));
}

void group_normalization(Call& c) {
  const Tensor x = c.spatial(0);
  const int64_t groups = c.integer_of("num_groups", 0), channels = x.size(-1);
  if (groups < 1 || channels % groups != 0)
    c.fail(std::to_string(groups) + " groups of " + std::to_string(channels) + " channels");
  const auto of_channels = [&](const Tensor& t) {  // before opset 21 there is one for each group
    if (t.numel() == channels) return t;
    return reshape(expand(unsqueeze(t, 1), {groups, channels / groups}), {channels});
  };
  c.set_spatial(0, group_norm(x, groups, of_channels(c.tensor(1)), of_channels(c.tensor(2)),
                              c.real_of("epsilon", 1e-5)));
}

// The axes from `axis` on.
int axes_from(Call& c, const Tensor& x) {
  return x.rank() - c.axis(c.integer_of("axis", -1), x.rank());
}

void layer_normalization(Call& c) {
  const Tensor x = c.tensor(0);
  const double eps = c.real_of("epsilon", 1e-5);
  const int count = axes_from(c, x);
  Axes axes(count);
  std::iota(axes.begin(), axes.end(), x.rank() - count);
  const Shape shape(x.shape().span().last(count));
  const auto fits = [&](int i) { return !c.has(i) || c.tensor(i).shape() == shape; };
  if (fits(1) && fits(2)) {
    c.set(0, layer_norm(x, c.tensor_or(1, {}), c.tensor_or(2, {}), count, eps));
  } else {
    Tensor y = layer_norm(x, {}, {}, count, eps);
    if (c.has(1)) y = y * c.tensor(1);
    if (c.has(2)) y = y + c.tensor(2);
    c.set(0, y);
  }
  if (!c.wants(1) && !c.wants(2)) return;
  const Tensor wide = x.dtype() == kF64 ? x : cast(x, kF32);
  const Tensor mean_out = mean(wide, axes, true);
  c.set(1, mean_out);
  c.set(2, rsqrt(mean(square(wide - mean_out), axes, true) + eps));
}

void rms_normalization(Call& c) {
  const Tensor x = c.tensor(0);
  const int count = axes_from(c, x);
  const Tensor y = rms_norm(x, {}, count, c.real_of("epsilon", 1e-5));
  c.set(0, cast(y * c.tensor(1), x.dtype()));
}

void lrn(Call& c) {
  c.set_spatial(0, local_response_norm(c.spatial(0), c.integer_of("size", 1),
                                       {.alpha = c.real_of("alpha", 1e-4),
                                        .beta = c.real_of("beta", 0.75),
                                        .k = c.real_of("bias", 1)}));
}

void dropout_op(Call& c) {
  const Held& x = c.in(0);
  const double ratio = c.has(1) ? c.number(1) : c.real_of("ratio", 0.5);
  // Before opset 12 a model for training says so nowhere.
  const bool training = c.opset() >= 12 && c.has(2) && c.integer(2) != 0;
  if (!training || ratio == 0) {
    c.set(0, x);
    if (c.wants(1)) c.set(1, ones(x.shape(), kBool), ElementType::kBool);
    return;
  }
  const Tensor kept = bernoulli(x.shape(), 1 - ratio);
  c.set(0, where(kept, x.logical() / (1 - ratio), 0));
  c.set(1, kept, ElementType::kBool);
}

const Operators list{
    {"BatchNormalization", batch_normalization, {.buffers = 0b11000}},
    {"InstanceNormalization", instance_normalization},
    {"GroupNormalization", group_normalization},
    {"LayerNormalization", layer_normalization},
    {"RMSNormalization", rms_normalization},
    {"LRN", lrn},
    {"Dropout", dropout_op, {.read = 6, .draws = true}},
};

}  // namespace
}  // namespace glia::onnx
