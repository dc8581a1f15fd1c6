// Activations with thresholds, gates and random slopes: compositions of elementwise operations.
#include "glia/ops/activation.h"

#include <cmath>
#include <string>

#include "glia/random.h"
#include "ops/private.h"

namespace glia {
namespace {

// f of the operand, 16-bit floats in f32 and rounded once.
template <class F>
Tensor in_full(const char* op, const Operand& x, F&& f) {
  const Tensor t = as_float(op, x);
  return cast(f(cast(t, sum_dtype(t.dtype()))), t.dtype());
}

// Ends have slope 0, which those of clamp() have not.
Tensor between(const Tensor& t, double low, double high) {
  return where(t <= low, low, where(t >= high, high, t));
}

std::pair<Tensor, Tensor> halves(const char* op, const Tensor& x, int axis, const Where& where) {
  const Tensor t = as_float(op, x, where);
  const int at = checked_axis(op, axis, t.rank(), where);
  const int64_t size = t.shape()[at];
  if (size % 2 != 0)
    fail(op, "axis " + std::to_string(at) + " of " + t.shape().str() + " has no halves", where);
  const Tensor wide = cast(t, sum_dtype(t.dtype()));
  return {slice(wide, at, {0, size / 2}, where), slice(wide, at, {size / 2, size}, where)};
}

}  // namespace

Tensor threshold(const Operand& x, double threshold, double value) {
  const Tensor t = as_float("threshold", x);
  return where(t <= threshold, value, t);  // NaN stays
}

Tensor hardtanh(const Operand& x, double min_val, double max_val) {
  if (!(min_val <= max_val))
    fail("hardtanh",
         "min_val " + std::to_string(min_val) + " is above max_val " + std::to_string(max_val),
         x.where());
  return between(as_float("hardtanh", x), min_val, max_val);
}

Tensor relu6(const Operand& x) { return between(as_float("relu6", x), 0, 6); }

Tensor hardsigmoid(const Operand& x) {
  return in_full("hardsigmoid", x, [](const Tensor& t) {
    return where(t <= -3, 0, where(t >= 3, 1, t * (1.0 / 6) + 0.5));
  });
}

// The parabola sees no numbers beyond its ends, whose squares might overflow.
Tensor hardswish(const Operand& x) {
  return in_full("hardswish", x, [](const Tensor& t) {
    const Tensor inner = where((t > -3) & (t < 3), t, 0);
    return where(t <= -3, 0, where(t >= 3, t, where(isnan(t), t, inner * (inner + 3) * (1.0 / 6))));
  });
}

Tensor hardshrink(const Operand& x, double lambd) {
  const Tensor t = as_float("hardshrink", x);
  return where((t >= -lambd) & (t <= lambd), 0, t);
}

Tensor softshrink(const Operand& x, double lambd) {
  if (!(lambd >= 0))
    fail("softshrink", "lambd " + std::to_string(lambd) + " is negative", x.where());
  return in_full("softshrink", x, [&](const Tensor& t) {
    return where(t > lambd, t - lambd, where(t < -lambd, t + lambd, where(isnan(t), t, 0)));
  });
}

Tensor tanhshrink(const Operand& x) {
  return in_full("tanhshrink", x, [](const Tensor& t) { return t - tanh(t); });
}

Tensor softsign(const Operand& x) {
  return in_full("softsign", x, [](const Tensor& t) { return t / (1 + abs(t)); });
}

Tensor mish(const Operand& x) {
  return in_full("mish", x, [](const Tensor& t) { return t * tanh(softplus(t)); });
}

Tensor selu(const Operand& x) {
  constexpr double kAlpha = 1.6732632423543772848170429916717,
                   kScale = 1.0507009873554804934193349852946;
  return in_full("selu", x, [](const Tensor& t) { return kScale * elu(t, kAlpha); });
}

Tensor celu(const Operand& x, double alpha) {
  if (alpha == 0 || std::isnan(alpha)) fail("celu", "alpha is " + std::to_string(alpha), x.where());
  return in_full("celu", x, [&](const Tensor& t) {
    const Tensor bent = t <= 0;
    return where(bent, alpha * expm1(where(bent, t, 0) * (1 / alpha)), t);
  });
}

Tensor softplus(const Operand& x, double beta, double threshold) {
  if (beta == 0 || std::isnan(beta)) fail("softplus", "beta is " + std::to_string(beta), x.where());
  return in_full("softplus", x, [&](const Tensor& t) {
    const Tensor scaled = beta == 1 ? t : t * beta, soft = softplus(scaled);
    return where(scaled > threshold, t, beta == 1 ? soft : soft * (1 / beta));
  });
}

Tensor gelu(const Operand& x, GELUApproximate approximate) {
  if (approximate == GELUApproximate::kNone) return gelu(x);
  constexpr double kRoot = 0.79788456080286535588;  // of 2 / pi
  return in_full("gelu", x, [](const Tensor& t) {
    return 0.5 * t * (1 + tanh(kRoot * (t + 0.044715 * t * t * t)));
  });
}

Tensor prelu(const Tensor& x, const Tensor& weight, Where where) {
  const Tensor t = as_float("prelu", x, where);
  require_defined("prelu", weight, where);
  const Shape& slopes = weight.shape();
  if (weight.numel() != 1 && (t.rank() == 0 || slopes != Shape{t.size(-1)}))
    fail("prelu",
         "the weight " + slopes.str() + " is neither one number nor one for each channel of " +
             t.shape().str(),
         where);
  const DType dtype = promote(t.dtype(), weight.dtype());
  const Tensor wide = cast(t, sum_dtype(dtype)), kept = wide > 0;
  const Tensor slope = cast(weight.numel() == 1 ? reshape(weight, {}) : weight, wide.dtype());
  return cast(glia::where(kept, wide, glia::where(kept, 0, wide) * slope), dtype);
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Where where) {
  if (!(lower <= upper) || !std::isfinite(upper - lower))
    fail("rrelu",
         "there are no slopes from " + std::to_string(lower) + " to " + std::to_string(upper),
         where);
  return in_full("rrelu", {x, where}, [&](const Tensor& t) {
    if (!training) return leaky_relu(t, (lower + upper) / 2);
    return glia::where(t > 0, t, t * uniform(t.shape(), lower, upper, t.dtype()));
  });
}

Tensor glu(const Tensor& x, int axis, Where where) {
  const auto [a, b] = halves("glu", x, axis, where);
  return cast(a * sigmoid(b), as_float("glu", x, where).dtype());
}
Tensor swiglu(const Tensor& x, int axis, Where where) {
  const auto [a, b] = halves("swiglu", x, axis, where);
  return cast(a * silu(b), as_float("swiglu", x, where).dtype());
}
Tensor geglu(const Tensor& x, int axis, Where where) {
  const auto [a, b] = halves("geglu", x, axis, where);
  return cast(a * gelu(b), as_float("geglu", x, where).dtype());
}

Tensor softmin(const Tensor& x, int axis, Where where) {
  return softmax(-as_full_float("softmin", x, where), axis, where);
}

// -log(-log(u)) has the distribution of the largest of many; u is never 0 or 1.
Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxOptions& options, Where where) {
  const char* op = "gumbel_softmax";
  if (!(options.tau > 0))
    fail(op, "the temperature " + std::to_string(options.tau) + " is not above 0", where);
  const Tensor given = as_full_float(op, logits, where), t = cast(given, sum_dtype(given.dtype()));
  const int axis = checked_axis(op, options.axis, t.rank(), where);
  const double least = t.dtype() == kF64 ? 1e-300 : 1e-37;
  const Tensor exponential = -log1p(-rand(t.shape(), t.dtype()));
  const Tensor noise = -log(maximum(exponential, least));
  const Tensor soft = softmax((t + noise) * (1 / options.tau), axis, where);
  if (!options.hard || t.numel() == 0) return cast(soft, given.dtype());
  const Tensor best = unsqueeze(argmax(soft, axis, false, where), axis);
  Shape along = Shape::filled(t.rank(), 1);
  along[axis] = t.shape()[axis];
  const Tensor hit = best == reshape(arange(along[axis]), along);
  const Tensor none = soft - stop_gradient(soft);  // 0, with the gradient of what is soft
  return cast(glia::where(hit, 1 + none, none), given.dtype());
}

}  // namespace glia
