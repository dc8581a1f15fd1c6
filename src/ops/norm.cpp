// Normalisation and dropout.
#include <algorithm>

#include "glia/ops.h"
#include "glia/random.h"
#include "ops/private.h"

namespace glia {
namespace {

struct Normalized {
  Tensor out, mean, var, inverse;  // all but `out` keep the reduced axes with size 1
};

// (x - mean) / sqrt(var + eps) over `axes`, with the gradient in three terms: of the forward pass
// it needs out and the reciprocal deviation.
Normalized normalize(const Tensor& x, const Axes& axes, double eps, const Where& where) {
  Normalized n;
  {
    const NoGrad off;
    const Moments m = moments(x, axes, where);
    n.mean = m.mean;
    n.var = m.var;
    const Tensor centred = Operand(x, where) - n.mean;
    n.inverse = rsqrt({Operand(n.var, where) + shared_scalar(eps, n.var.dtype()), where});
    n.out = Operand(centred, where) * n.inverse;
  }
  if (!grad_enabled() || !x.requires_grad()) return n;
  const double count =
      static_cast<double>(x.numel()) / std::max(1.0, static_cast<double>(n.mean.numel()));
  const auto inverse_rule = [axes, count](const std::vector<Tensor>& in, const Tensor& r,
                                          const Tensor& g) {
    return std::vector<Tensor>{(in[0] - mean(in[0], axes, true)) * (g * r * r * r * (-1 / count))};
  };
  const auto rule = [axes, where](const std::vector<Tensor>& in, const Tensor& y, const Tensor& g) {
    const Tensor centre = mean(g, axes, true, where);
    const Tensor along = mean(Operand(g, where) * y, axes, true, where);
    return std::vector<Tensor>{Operand(in[1], where) * (Operand(g, where) - centre - y * along),
                               Tensor()};
  };
  n.inverse = with_rule(n.inverse, {x}, inverse_rule, where);
  n.out = with_rule(n.out, {x, n.inverse}, rule, where);
  return n;
}

Tensor scaled(Tensor x, const Tensor& weight, const Tensor& bias, const Where& where) {
  if (weight.defined()) x = Operand(x, where) * weight;
  return bias.defined() ? Operand(x, where) + bias : x;
}

// weight * n.out + bias, where statistics and weight have one value for each channel: the sums of
// the gradients of weight and bias are then those that the gradient of x needs.
Tensor scaled_by_channel(const Normalized& n, const Tensor& x, const Tensor& weight,
                         const Tensor& bias, const Axes& axes, const Where& where) {
  const double count = static_cast<double>(x.numel()) / static_cast<double>(weight.numel());
  const auto rule = [=](const std::vector<Tensor>& in, const Tensor&, const Tensor& g) {
    const Tensor &w = in[1], &inverse = in[2], &y = in[3];
    const Tensor centre = sum(g, axes, true, where);
    const Tensor along = sum(Operand(g, where) * y, axes, true, where);
    const Tensor scale = Operand(inverse, where) * w;
    const Tensor inner = Operand(g, where) - y * (along / count) - centre / count;
    std::vector<Tensor> grads{Operand(scale, where) * inner, reshape(along, w.shape(), where),
                              Tensor(), Tensor()};
    if (in.size() > 4) grads.push_back(reshape(centre, w.shape(), where));
    return grads;
  };
  std::vector<Tensor> arguments{x, weight, n.inverse, n.out};
  if (bias.defined()) arguments.push_back(bias);
  Tensor out;
  {
    const NoGrad off;
    out = scaled(n.out, weight, bias, where);
  }
  return with_rule(out, arguments, rule, where);
}

void check_affine(const char* op, const Tensor& t, const char* what, const Shape& expected,
                  const Where& where) {
  if (t.defined() && t.shape() != expected)
    fail(op, std::string(what) + " has shape " + t.shape().str() + ", not " + expected.str(),
         where);
}

}  // namespace

namespace {
struct LayerNormAttributes {
  int axes = 1;
  double eps = 1e-5;
  GLIA_ATTRIBUTES(axes, eps)
};
const Op kLayerNorm{
    .name = "layer_norm",
    .kind = Kind::kMacro,
    .attributes = kAttributeFields<LayerNormAttributes>,
    .compose = [](std::span<const Tensor> in, AttributeWords words, const Where& where) {
      const Autocast off(kF32);
      const auto [axes, eps] = words.as<LayerNormAttributes>();
      return layer_norm(in[0], in[1], in[2], axes, eps, where);
    }};
const RegisterOp registered(kLayerNorm);
}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, int axes, double eps,
                  Where where) {
  const Tensor given = as_full_float("layer_norm", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  const int count = weight.defined() ? weight.rank() : axes;
  if (count < 1 || count > t.rank())
    fail("layer_norm", std::to_string(count) + " axes of " + t.shape().str(), where);
  const Shape last(t.shape().span().last(count));
  check_affine("layer_norm", weight, "weight", last, where);
  check_affine("layer_norm", bias, "bias", last, where);
  if (Tensor one = as_one_node(kLayerNorm, {&t, &weight, &bias}, t.shape(), given.dtype(),
                               LayerNormAttributes{count, eps}, where);
      one.defined())
    return one;
  Axes over;
  for (int i = 0; i < count; ++i) over.push_back(t.rank() - count + i);
  return cast(scaled(normalize(t, over, eps, where).out, weight, bias, where), given.dtype());
}

BatchNormResult batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                           Where where) {
  const Tensor given = as_full_float("batch_norm", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  if (t.rank() < 2) fail("batch_norm", "needs (..., C), not " + t.shape().str(), where);
  const Shape channels{t.size(-1)};
  check_affine("batch_norm", weight, "weight", channels, where);
  check_affine("batch_norm", bias, "bias", channels, where);
  Axes over;
  for (int i = 0; i + 1 < t.rank(); ++i) over.push_back(i);
  const Normalized n = normalize(t, over, eps, where);
  const auto statistic = [&](const Tensor& value, const CustomRule& rule) {
    return reshape(with_rule(value, {t}, rule, where), channels, where);
  };
  const double count = static_cast<double>(t.numel()) / static_cast<double>(channels[0]);
  const Tensor out = weight.defined() ? scaled_by_channel(n, t, weight, bias, over, where)
                                      : scaled(n.out, weight, bias, where);
  return {cast(out, given.dtype()),
          statistic(n.mean,
                    [count](const std::vector<Tensor>& in, const Tensor&, const Tensor& g) {
                      return std::vector<Tensor>{expand(g / count, in[0].shape())};
                    }),
          statistic(
              n.var, [count, over](const std::vector<Tensor>& in, const Tensor&, const Tensor& g) {
                return std::vector<Tensor>{(in[0] - mean(in[0], over, true)) * (g * (2 / count))};
              })};
}

Tensor dropout(const Tensor& x, double p, Where where) {
  if (!(p >= 0 && p <= 1))
    fail("dropout", "the probability " + std::to_string(p) + " is not in [0, 1]", where);
  const Tensor t = as_float("dropout", x, where);
  if (p == 0) return t;
  if (p == 1) return glia::where(full({}, 0, kBool), t, 0);
  return glia::where(rand(t.shape(), t.dtype() == kF64 ? kF64 : kF32) >= p, t * (1 / (1 - p)), 0);
}

}  // namespace glia
