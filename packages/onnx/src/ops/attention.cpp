// Attention and what belongs to it.
#include <cmath>

#include "call.h"
#include "glia/ops/arrange.h"

namespace glia::onnx {
namespace {

// (B, T, heads * D) -> (B, heads, T, D).
Tensor in_heads(Call& c, const Tensor& x, const char* heads) {
  if (x.rank() == 4) return x;
  const int64_t h = c.integer_of(heads, 0);
  if (x.rank() != 3 || h < 1 || x.size(2) % h != 0)
    c.fail(std::string("attribute ") + heads + " is " + std::to_string(h));
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
  const int64_t heads = q.size(1), groups = heads / std::max<int64_t>(k.size(1), 1), t = q.size(2),
                s = k.size(2);
  if (k.size(1) < 1 || heads % k.size(1) != 0)
    c.fail(std::to_string(heads) + " heads of queries for " + std::to_string(k.size(1)));
  if (groups > 1) {
    k = repeat_interleave(k, groups, 1);
    v = repeat_interleave(v, groups, 1);
  }
  // As the standard has it: both are scaled by the root, and sums may be of another precision.
  const double scale = c.real_of("scale", 1 / std::sqrt(static_cast<double>(q.size(3))));
  const DType dtype = q.dtype();
  const auto precise = static_cast<ElementType>(
      c.integer_of("softmax_precision", static_cast<int>(element_type(dtype))));
  const double root = std::sqrt(scale);
  Tensor scores = matmul(q * root, transpose(k * root));
  Tensor bias;
  if (c.has(3)) {
    Tensor mask = c.tensor(3);
    if (mask.size(-1) < s) {
      std::vector<std::pair<int64_t, int64_t>> more(mask.rank(), {0, 0});
      more.back().second = s - mask.size(-1);
      mask = mask.dtype() == kBool ? cast(pad(cast(mask, kU8), more), kBool)
                                   : pad(mask, more, -INFINITY);
    }
    bias = mask.dtype() == kBool ? where(mask, 0, full({}, -INFINITY, dtype)) : cast(mask, dtype);
  }
  // How far each key (S) is behind each query (T, 1); with lengths each example has its own place.
  Tensor behind = unsqueeze(arange(t), 1) + past - arange(s);
  const auto hide_unless = [&](const Tensor& seen) {
    const Tensor more = where(seen, 0, full({}, -INFINITY, dtype));
    bias = bias.defined() ? bias + more : more;
  };
  if (c.has(6)) {
    const Tensor length = reshape(cast(c.tensor(6), kI64), {-1, 1, 1, 1});
    hide_unless(arange(s) < length);
    if (!c.has(4)) behind = unsqueeze(arange(t), 1) + (length - t) - arange(s);
  }
  if (c.integer_of("is_causal", 0) != 0) hide_unless(behind >= 0);
  if (const int64_t left = c.integer_of("left_window_size", -1); left >= 0)
    hide_unless(behind <= left);
  if (const int64_t right = c.integer_of("right_window_size", -1); right >= 0)
    hide_unless(-behind <= right);
  const double cap = c.real_of("softcap", 0);
  const int64_t mode = c.integer_of("qk_matmul_output_mode", 0);
  if (cap > 0) scores = tanh(scores / cap) * cap;
  if (mode == 0 || mode == 1) c.set(3, scores);
  if (bias.defined()) scores = scores + bias;
  if (mode == 2) c.set(3, scores);
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
  const int64_t size = x.size(3), all = c.integer_of("rotary_embedding_dim", 0),
                d = all > 0 ? all : size;
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

// States of keys and values that are written step by step (Katharopoulos et al. 2020; Yang et al.
// 2024): S is decayed, corrected and added to, and read by the query.
void linear_attention(Call& c) {
  const std::string rule = c.text_of("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta";
  const bool corrected = rule == "delta" || rule == "gated_delta";
  if (!gated && !corrected && rule != "linear") c.fail("the rule \"" + rule + "\" is not known");
  const DType dtype = c.tensor(0).dtype();
  const auto heads = [&](int i, const char* name) {
    return cast(in_heads(c, c.tensor(i), name), kF32);
  };
  const Tensor q = heads(0, "q_num_heads"), k = heads(1, "kv_num_heads"),
               v = heads(2, "kv_num_heads");
  const int64_t b = q.size(0), hq = q.size(1), t = q.size(2), d = q.size(3), h = k.size(1);
  if (hq % h != 0) c.fail(std::to_string(hq) + " heads of queries for " + std::to_string(h));
  const double given = c.real_of("scale", 0);
  const double scale = given == 0 ? 1 / std::sqrt(static_cast<double>(d)) : given;
  Tensor state = c.has(3) ? cast(c.tensor(3), kF32) : zeros({b, h, d, v.size(3)});
  // (B, T, H or H D) -> (B, H, T, 1 or D).
  const auto of_steps = [&](int i) {
    const Tensor x = cast(c.tensor(i), kF32);
    const int64_t count = x.size(2) % h == 0 ? h : 1;
    return permute(reshape(x, {b, t, count, x.size(2) / count}), {0, 2, 1, 3});
  };
  const Tensor decay = gated ? exp(of_steps(4)) : Tensor(),
               beta = corrected ? of_steps(5) : Tensor();
  std::vector<Tensor> out;
  for (int64_t i = 0; i < t; ++i) {
    const auto at = [&](const Tensor& x) { return narrow(x, 2, i, 1); };  // (B, H, 1, D)
    const Tensor key = transpose(at(k));                                  // (B, H, D, 1)
    if (gated) state = state * transpose(at(decay));
    Tensor value = at(v);
    if (corrected) value = at(beta) * (value - matmul(at(k), state));
    state = state + key * value;
    const Tensor read = hq == h ? state : repeat_interleave(state, hq / h, 1);
    out.push_back(matmul(at(q), read) * scale);
  }
  const Tensor y = concat(out, 2);
  c.set(0, cast(reshape(permute(y, {0, 2, 1, 3}), {b, t, hq * v.size(3)}), dtype));
  c.set(1, cast(state, c.has(3) ? c.tensor(3).dtype() : dtype));
}

// Attention whose scores and weights are changed by graphs (Dong et al. 2024).
void flex_attention(Call& c) {
  const Tensor q = c.tensor(0);
  Tensor k = c.tensor(1), v = c.tensor(2);
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || k.size(1) < 1 ||
      q.size(1) % k.size(1) != 0)
    c.fail("queries " + q.shape().str() + " with keys " + k.shape().str());
  if (const int64_t groups = q.size(1) / k.size(1); groups > 1) {
    k = repeat_interleave(k, groups, 1);
    v = repeat_interleave(v, groups, 1);
  }
  const double scale = c.real_of("scale", 1 / std::sqrt(static_cast<double>(q.size(3))));
  const DType dtype = q.dtype(), usual = dtype == kF64 ? kF64 : kF32;
  const auto precise = stored_as(static_cast<ElementType>(
      c.integer_of("softmax_precision", static_cast<int>(element_type(usual)))));
  const auto changed = [&](const char* by, const Tensor& x) {
    for (const auto& [name, graph] : c.node().graphs) {
      if (name != by) continue;
      Held in(x);
      in.fixed = false;
      return cast(c.run(by, {in}).at(0).logical(), precise);
    }
    return x;
  };
  const Tensor scores =
      cast(matmul(q * std::sqrt(scale), transpose(k * std::sqrt(scale))), precise);
  const Tensor weights = changed("prob_mod", softmax(changed("score_mod", scores), -1));
  Held out(cast(matmul(weights, cast(v, precise)), dtype));
  c.set(0, std::move(out));
}

const Operators list{
    {"Attention", attention},
    {"RotaryEmbedding", rotary_embedding},
    {"LinearAttention", linear_attention},
    {"ai.onnx.preview.FlexAttention", flex_attention},
};

}  // namespace
}  // namespace glia::onnx
