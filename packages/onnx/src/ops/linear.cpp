// Matrix products.
#include "call.h"
#include "glia/linalg.h"
#include "glia/ops/contract.h"

namespace glia::onnx {
namespace {

Tensor product(const Tensor& a, const Tensor& b) {
  if (is_float(a.dtype())) return matmul(a, b);
  return cast(round(matmul(cast(a, kF64), cast(b, kF64))), a.dtype());
}

void gemm(Call& c) {
  Tensor a = c.tensor(0), b = c.tensor(1);
  if (c.integer_of("transA", 0) != 0) a = transpose(a);
  if (c.integer_of("transB", 0) != 0) b = transpose(b);
  const double alpha = c.real_of("alpha", 1), beta = c.real_of("beta", 1);
  Tensor y = product(a, b);
  const auto times = [&](const Tensor& x, double factor) {
    if (factor == 1) return x;
    return is_float(x.dtype()) ? x * factor : cast(cast(x, kF64) * factor, x.dtype());
  };
  y = times(y, alpha);
  if (c.has(2) && beta != 0) y = y + times(c.tensor(2), beta);
  c.set(0, y);
}

void einsum_op(Call& c) {
  std::vector<Tensor> operands;
  for (int i = 0; i < c.inputs(); ++i) operands.push_back(c.tensor(i));
  c.set(0, einsum(c.text_of("equation"), operands));
}

// Rows of A or columns of B have a zero of their own, or all have one.
Tensor centred(Call& c, int input, int zero, bool rows) {
  const Tensor x = cast(c.tensor(input), kF64);
  if (!c.has(zero)) return x;
  Tensor z = cast(c.tensor(zero), kF64);
  if (z.rank() == 1 && z.numel() > 1 && rows) z = unsqueeze(z, 1);
  return x - (z.numel() == 1 ? reshape(z, {}) : z);
}
void matmul_integer(Call& c) {
  const Tensor sums = matmul(centred(c, 0, 2, true), centred(c, 1, 3, false));
  c.set(0, cast(sums, kI32), ElementType::kInt32);
}
void qlinear_matmul(Call& c) {
  const auto rows = [&](int i) {
    const Tensor s = cast(c.tensor(i), kF64);
    return s.numel() == 1 ? reshape(s, {}) : s.rank() == 1 && i == 1 ? unsqueeze(s, 1) : s;
  };
  const Tensor sums = matmul(centred(c, 0, 2, true), centred(c, 3, 5, false));
  const Tensor y =
      round(sums * (rows(1) * rows(4) / rows(6))) + reshape(cast(c.tensor(7), kF64), {});
  const ElementType type = c.type(7);
  const bool is_signed = type == ElementType::kInt8;
  c.set(
      0,
      converted(clamp(y, is_signed ? -128 : 0, is_signed ? 127 : 255), ElementType::kFloat64, type),
      type);
}

const Operators list{
    {"MatMul", [](Call& c) { c.set(0, product(c.tensor(0), c.tensor(1))); }},
    {"Gemm", gemm},
    {"Einsum", einsum_op},
    {"Det", [](Call& c) { c.set(0, linalg::det(c.tensor(0))); }},
    {"MatMulInteger", matmul_integer},
    {"QLinearMatMul", qlinear_matmul},
};

}  // namespace
}  // namespace glia::onnx
