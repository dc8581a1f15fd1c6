// Activations composed of the elementwise operations, in forms that neither overflow nor cancel.
#include "glia/ops.h"
#include "ops/private.h"

namespace glia {

Tensor leaky_relu(const Operand& x, double negative_slope) {
  const Tensor t = as_float("leaky_relu", x);
  return where(t > 0, t, t * negative_slope);
}

Tensor elu(const Operand& x, double alpha) {
  const Tensor t = as_float("elu", x);
  const Tensor bent = t <= 0;
  return where(bent, alpha * expm1(where(bent, t, 0)), t);
}

Tensor softplus(const Operand& x) {
  const Tensor t = as_float("softplus", x);
  const auto value = [&] {
    const NoGrad off;
    return relu(t) + log1p(exp(-abs(t)));
  }();
  return with_rule(
      value, {t},
      [](const std::vector<Tensor>& in, const Tensor&, const Tensor& g) {
        return std::vector<Tensor>{g * sigmoid(in[0])};
      },
      x.where());
}

Tensor log_sigmoid(const Operand& x) { return -softplus(-as_float("log_sigmoid", x)); }

Tensor silu(const Operand& x) {
  const Tensor t = as_float("silu", x);
  return t * sigmoid(t);
}

namespace {
const Op kGelu{.name = "gelu",
               .kind = Kind::kMacro,
               .compose = [](std::span<const Tensor> in, AttributeWords, const Where&) {
                 return gelu(in[0]);
               }};
const RegisterOp registered(kGelu);
}  // namespace

Tensor gelu(const Operand& x) {
  const Tensor t = as_float("gelu", x);
  if (Tensor one = as_one_node(kGelu, {&t}, t.shape(), t.dtype(), {}, x.where()); one.defined())
    return one;
  const auto number = [&](double value) { return shared_scalar(value, t.dtype()); };
  return t * (number(0.5) * (number(1) + erf(t * number(0.7071067811865476))));
}

}  // namespace glia
