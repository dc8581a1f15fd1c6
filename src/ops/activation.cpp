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

namespace {

std::vector<Tensor> compose_softplus(const Recorded&, std::span<const Tensor> in) {
  return {relu(in[0]) + log1p(exp(-abs(in[0])))};
}
// Smooth where the composition has a corner.
void vjp_softplus(Vjp& v) { v.set(0, v.g() * sigmoid(v.in(0))); }
const Op kSoftplus{.name = "softplus",
                   .kind = Kind::kMacro,
                   .vjp = vjp_softplus,
                   .batch = batch_elementwise,
                   .compose = compose_softplus};

// 16-bit floats are computed in f32 and rounded once.
std::vector<Tensor> compose_gelu(const Recorded&, std::span<const Tensor> in) {
  const DType dtype = in[0].dtype();
  const Tensor t = cast(in[0], dtype == kF64 ? kF64 : kF32);
  return {cast(t * (0.5 * (1 + erf(t * 0.7071067811865476))), dtype)};
}
const Op kGelu{
    .name = "gelu", .kind = Kind::kMacro, .batch = batch_elementwise, .compose = compose_gelu};

const RegisterOp registered[] = {RegisterOp(kSoftplus), RegisterOp(kGelu)};

Tensor of_one(const Op& op, const Operand& x) {
  const Tensor t = as_float(op.name, x);
  return record(op, {t.node()}, t.shape(), t.dtype(), {}, x.where());
}

}  // namespace

Tensor softplus(const Operand& x) { return of_one(kSoftplus, x); }

Tensor log_sigmoid(const Operand& x) { return -softplus(-as_float("log_sigmoid", x)); }

Tensor silu(const Operand& x) {
  const Tensor t = as_float("silu", x);
  return t * sigmoid(t);
}

Tensor gelu(const Operand& x) { return of_one(kGelu, x); }

}  // namespace glia
