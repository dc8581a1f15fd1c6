// Matrix products and attention.
#include <cmath>
#include <optional>

#include "call.h"
#include "glia/linalg.h"
#include "glia/ops/arrange.h"
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
  const Tensor y = round(sums * (rows(1) * rows(4) / rows(6))) + reshape(cast(c.tensor(7), kF64), {});
  const ElementType type = c.type(7);
  const bool is_signed = type == ElementType::kInt8;
  c.set(0, converted(clamp(y, is_signed ? -128 : 0, is_signed ? 127 : 255), ElementType::kFloat64, type), type);
}

// ---- Attention (opset 23) ----

// (B, T, heads * D) -> (B, heads, T, D).
Tensor in_heads(Call& c, const Tensor& x, const char* heads) {
  if (x.rank() == 4) return x;
  const int64_t h = c.integer_of(heads, 0);
  if (x.rank() != 3 || h < 1 || x.size(2) % h != 0) c.fail(std::string("attribute ") + heads + " is " + std::to_string(h));
  return permute(reshape(x, {x.size(0), x.size(1), h, x.size(2) / h}), {0, 2, 1, 3});
}

void attention(Call& c) {
  const bool flat = c.tensor(0).rank() == 3;
  const Tensor q = in_heads(c, c.tensor(0), "q_num_heads");
  Tensor k = in_heads(c, c.tensor(1), "kv_num_heads"), v = in_heads(c, c.tensor(2), "kv_num_heads");
  const int64_t past = c.has(4) ? c.tensor(4).size(2) : 0;
  if (c.has(4)) k = concat({c.tensor(4), k}, 2);
  if (c.has(5)) v = concat({c.tensor(5), v}, 2);
  c.set(1, k);
  c.set(2, v);
  const int64_t heads = q.size(1), groups = heads / std::max<int64_t>(k.size(1), 1), t = q.size(2), s = k.size(2);
  if (k.size(1) < 1 || heads % k.size(1) != 0) c.fail(std::to_string(heads) + " heads of queries for " + std::to_string(k.size(1)));
  if (groups > 1) {
    k = repeat_interleave(k, groups, 1);
    v = repeat_interleave(v, groups, 1);
  }
  // As the standard has it: both are scaled by the root, and sums may be of another precision.
  const double scale = c.real_of("scale", 1 / std::sqrt(static_cast<double>(q.size(3))));
  const DType dtype = q.dtype();
  const auto precise = static_cast<ElementType>(c.integer_of("softmax_precision", static_cast<int>(element_type(dtype))));
  const double root = std::sqrt(scale);
  Tensor scores = matmul(q * root, transpose(k * root));
  const int mode = static_cast<int>(c.integer_of("qk_matmul_output_mode", 0));
  const double cap = c.real_of("softcap", 0);
  if (mode == 0) c.set(3, scores);
  Tensor bias;
  if (c.has(3)) {
    Tensor mask = c.tensor(3);
    if (mask.size(-1) < s) {
      std::vector<std::pair<int64_t, int64_t>> more(mask.rank(), {0, 0});
      more.back().second = s - mask.size(-1);
      mask = mask.dtype() == kBool ? cast(pad(cast(mask, kU8), more), kBool) : pad(mask, more, -INFINITY);
    }
    bias = mask.dtype() == kBool ? where(mask, 0, full({}, -INFINITY, dtype)) : cast(mask, dtype);
  }
  const auto add_bias = [&](const Tensor& m) { bias = bias.defined() ? bias + m : m; };
  const auto hidden = [&](const Tensor& seen) { return where(seen, 0, full({}, -INFINITY, dtype)); };
  Tensor key = unsqueeze(arange(s), 0);
  if (c.has(6)) {  // keys behind each example's length count for nothing
    const Tensor length = reshape(cast(c.tensor(6), kI64), {-1, 1, 1, 1});
    add_bias(hidden(reshape(arange(s), {1, 1, 1, s}) < length));
    if (c.integer_of("is_causal", 0) != 0)
      add_bias(hidden(reshape(arange(s), {1, 1, 1, s}) <= reshape(arange(t), {1, 1, t, 1}) + (length - t)));
  } else if (c.integer_of("is_causal", 0) != 0) {
    add_bias(hidden(key <= unsqueeze(arange(t), 1) + past));
  }
  const auto capped = [&] {
    if (cap > 0) scores = tanh(scores / cap) * cap;
  };
  const auto biased = [&] {
    if (bias.defined()) scores = scores + bias;
  };
  if (c.opset() >= 24) {
    capped();
    if (mode == 1) c.set(3, scores);
    biased();
    if (mode == 2) c.set(3, scores);
  } else {
    biased();
    if (mode == 1) c.set(3, scores);
    capped();
    if (mode == 2) c.set(3, scores);
  }
  const Tensor largest = max(scores, {-1}, true);
  const Tensor nothing = largest == -INFINITY;
  Tensor weights = softmax(cast(where(nothing, 0, scores), stored_as(precise)), -1);
  weights = cast(where(nothing, 0, weights), dtype);
  if (mode == 3) c.set(3, weights);
  const Tensor y = matmul(weights, v);
  c.set(0, flat ? reshape(permute(y, {0, 2, 1, 3}), {y.size(0), t, heads * y.size(3)}) : y);
}

void rotary_embedding(Call& c) {  // Su et al. 2021
  const bool flat = c.tensor(0).rank() == 3;
  Tensor x = in_heads(c, c.tensor(0), "num_heads");  // (B, heads, T, D)
  const int64_t size = x.size(3), all = c.integer_of("rotary_embedding_dim", 0), d = all > 0 ? all : size;
  Tensor cosine = c.tensor(1), sine = c.tensor(2);
  if (c.has(3)) {
    cosine = take(cosine, c.tensor(3));
    sine = take(sine, c.tensor(3));
  }
  cosine = unsqueeze(narrow(cosine, -1, 0, d / 2), 1);
  sine = unsqueeze(narrow(sine, -1, 0, d / 2), 1);
  const Tensor turned = narrow(x, 3, 0, d);
  Tensor y;
  if (c.integer_of("interleaved", 0) != 0) {
    const Tensor pairs = reshape(turned, {x.size(0), x.size(1), x.size(2), d / 2, 2});
    const Tensor a = squeeze(narrow(pairs, 4, 0, 1), 4), b = squeeze(narrow(pairs, 4, 1, 1), 4);
    y = reshape(stack({a * cosine - b * sine, b * cosine + a * sine}, 4), turned.shape());
  } else {
    const Tensor a = narrow(turned, 3, 0, d / 2), b = narrow(turned, 3, d / 2, d / 2);
    y = concat({a * cosine - b * sine, b * cosine + a * sine}, 3);
  }
  if (d < size) y = concat({y, narrow(x, 3, d, size - d)}, 3);
  c.set(0, flat ? reshape(permute(y, {0, 2, 1, 3}), c.tensor(0).shape()) : y);
}

const Operators list{
    {"MatMul", [](Call& c) { c.set(0, product(c.tensor(0), c.tensor(1))); }},
    {"Gemm", gemm},
    {"Einsum", einsum_op},
    {"Det", [](Call& c) { c.set(0, linalg::det(c.tensor(0))); }},
    {"MatMulInteger", matmul_integer},
    {"QLinearMatMul", qlinear_matmul},
    {"Attention", attention},
    {"RotaryEmbedding", rotary_embedding},
};

}  // namespace
}  // namespace glia::onnx
