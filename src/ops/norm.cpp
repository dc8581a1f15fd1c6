// Normalisation over rows and over batches.
#include <algorithm>

#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- standardize(x, eps) -> out, mean, var, inverse ----
// (x - mean) / sqrt(var + eps) over the axes of a ReduceAttributes, with the gradient in three
// terms, and the reciprocal deviation. All but `out` keep the axes with size 1.

class Standardized {
 public:
  enum { kOut, kMean, kVar, kInverse };
  Standardized(const Tensor& x, const Tensor& eps, int64_t axes, const Where& where);
  Tensor out() const { return output(tuple_, kOut, shape_, tuple_.dtype()); }
  Tensor statistic(int which) const { return output(tuple_, which, kept_, tuple_.dtype()); }

 private:
  Tensor tuple_;
  Shape shape_, kept_;
};

std::vector<Tensor> compose_standardize(const Recorded& one, std::span<const Tensor> in) {
  const Moments m = moments(in[0], axes_in(one.attributes<ReduceAttributes>().axes), one.where());
  const Tensor inverse = rsqrt(m.var + in[1]);
  return {(in[0] - m.mean) * inverse, m.mean, m.var, inverse};
}
void vjp_standardize(Vjp& v) {
  const Tensor x = v.in(0);
  const int64_t mask = v.attributes<ReduceAttributes>().axes;
  const Axes axes = axes_in(mask);
  const Standardized n(x, v.in(1), mask, v.where());
  const double count =
      static_cast<double>(x.numel()) /
      std::max(1.0, static_cast<double>(reduced_shape(x.shape(), axes, true).numel()));
  Tensor sum_of_all;
  const auto add = [&](const Tensor& part) {
    sum_of_all = sum_of_all.defined() ? sum_of_all + part : part;
  };
  if (const Tensor& g = v.g(Standardized::kOut); g.defined()) {
    const Tensor y = n.out();
    add(n.statistic(Standardized::kInverse) *
        (g - mean(g, axes, true) - y * mean(g * y, axes, true)));
  }
  if (const Tensor& g = v.g(Standardized::kMean); g.defined()) add(expand(g / count, x.shape()));
  if (const Tensor& g = v.g(Standardized::kVar); g.defined())
    add((x - mean(x, axes, true)) * (g * (2 / count)));
  if (const Tensor& g = v.g(Standardized::kInverse); g.defined()) {
    const Tensor r = n.statistic(Standardized::kInverse);
    add((x - mean(x, axes, true)) * (g * r * r * r * (-1 / count)));
  }
  v.set(0, sum_of_all);
}
const Op kStandardize{.name = "standardize",
                      .kind = Kind::kMacro,
                      .attributes = kAttributeFields<ReduceAttributes>,
                      .vjp = vjp_standardize,
                      .outputs = 4,
                      .compose = compose_standardize};

Standardized::Standardized(const Tensor& x, const Tensor& eps, int64_t axes, const Where& where)
    : tuple_(record(kStandardize, {x.node(), eps.node()}, {}, x.dtype(), ReduceAttributes{axes},
                    where)),
      shape_(x.shape()),
      kept_(reduced_shape(x.shape(), axes_in(axes), true)) {}

Tensor scaled(Tensor x, const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) x = x * weight;
  return bias.defined() ? x + bias : x;
}

// ---- layer_norm(x, weight, bias, eps), over the last axes ----

struct LayerNormAttributes {
  int axes = 1;
  GLIA_ATTRIBUTES(axes)
};

std::vector<Tensor> compose_layer_norm(const Recorded& one, std::span<const Tensor> in) {
  const int count = one.attributes<LayerNormAttributes>().axes;
  const int64_t mask = ((int64_t{1} << count) - 1) << (in[0].rank() - count);
  const Standardized n(in[0], in[3], mask, one.where());
  return {scaled(n.out(), in[1], in[2])};
}
Tensor batch_layer_norm(const Recorded& one, std::span<const Tensor> in,
                        std::span<const bool> batched, int64_t size) {
  if (batched[1] || batched[2] || batched[3]) return {};
  return record(one.op(), {in[0].node(), in[1].node(), in[2].node(), in[3].node()},
                batched_shape(one, size), one.dtype(), one.words(), one.where());
}
const Op kLayerNorm{.name = "layer_norm",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<LayerNormAttributes>,
                    .batch = batch_layer_norm,
                    .compose = compose_layer_norm};

// ---- batch_norm(x, weight, bias, eps) -> out, mean, var ----

std::vector<Tensor> compose_batch_norm(const Recorded& one, std::span<const Tensor> in) {
  const Standardized n(in[0], in[3], one.attributes<ReduceAttributes>().axes, one.where());
  const Shape channels{in[0].size(-1)};
  return {scaled(n.out(), in[1], in[2]), reshape(n.statistic(Standardized::kMean), channels),
          reshape(n.statistic(Standardized::kVar), channels)};
}
// Statistics and weight have one value for each channel: the sums of the gradients of weight and
// bias are then those that the gradient of x needs.
void vjp_batch_norm(Vjp& v) {
  const Tensor x = v.in(0), w = v.in(1), &g = v.g(0);
  if (!w.defined() || !g.defined() || v.g(1).defined() || v.g(2).defined()) return v.set_composed();
  const int64_t mask = v.attributes<ReduceAttributes>().axes;
  const Standardized n(x, v.in(3), mask, v.where());
  const Axes axes = axes_in(mask);
  const double count = static_cast<double>(x.numel()) / static_cast<double>(w.numel());
  const Tensor y = n.out(), centre = sum(g, axes, true), along = sum(g * y, axes, true);
  if (v.needs(0))
    v.set(0, n.statistic(Standardized::kInverse) * w * (g - y * (along / count) - centre / count));
  v.set(1, reshape(along, w.shape()));
  v.set(2, reshape(centre, w.shape()));
}
const Op kBatchNorm{.name = "batch_norm",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<ReduceAttributes>,
                    .vjp = vjp_batch_norm,
                    .outputs = 3,
                    .compose = compose_batch_norm};

const RegisterOp registered[] = {RegisterOp(kStandardize), RegisterOp(kLayerNorm),
                                 RegisterOp(kBatchNorm)};

void check_affine(const char* op, const Tensor& t, const char* what, const Shape& expected,
                  const Where& where) {
  if (t.defined() && t.shape() != expected)
    fail(op, std::string(what) + " has shape " + t.shape().str() + ", not " + expected.str(),
         where);
}

// Of what is scaled and shifted.
DType promoted(DType dtype, const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) dtype = promote(dtype, weight.dtype());
  return bias.defined() ? promote(dtype, bias.dtype()) : dtype;
}

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
  const Tensor least = host_scalar(eps, t.dtype());
  return cast(record(kLayerNorm, {t.node(), weight.node(), bias.node(), least.node()}, t.shape(),
                     promoted(t.dtype(), weight, bias), LayerNormAttributes{count}, where),
              given.dtype());
}

BatchNormResult batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                           Where where) {
  const Tensor given = as_full_float("batch_norm", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  if (t.rank() < 2) fail("batch_norm", "needs (..., C), not " + t.shape().str(), where);
  const Shape channels{t.size(-1)};
  check_affine("batch_norm", weight, "weight", channels, where);
  check_affine("batch_norm", bias, "bias", channels, where);
  const DType dtype = promoted(t.dtype(), weight, bias);
  const Tensor least = host_scalar(eps, t.dtype());
  const Tensor tuple = record(kBatchNorm, {t.node(), weight.node(), bias.node(), least.node()}, {},
                              dtype, ReduceAttributes{(int64_t{1} << (t.rank() - 1)) - 1}, where);
  const Tensor mean = output(tuple, 1, channels, t.dtype()),
               var = output(tuple, 2, channels, t.dtype());
  return {cast(output(tuple, 0, t.shape(), dtype, {mean, var}), given.dtype()), mean, var};
}

}  // namespace glia
