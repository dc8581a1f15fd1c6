// Scaled dot-product attention of (batch, heads, steps, features).
#include "ops.h"

namespace glia::bench {
namespace {

struct Sizes {
  int64_t batch, heads, queries, keys, features;
  DType dtype = kF32;
};

std::vector<Input> qkv(const Sizes& s) {
  const Input key = numbers({s.batch, s.heads, s.keys, s.features}, s.dtype);
  return {numbers({s.batch, s.heads, s.queries, s.features}, s.dtype), key, key};
}

std::vector<Input> qkv_and(const Sizes& s, const Input& mask) {
  std::vector<Input> all = qkv(s);
  all.push_back(mask);
  return all;
}

Tensor plain(In x) { return scaled_dot_product_attention(x[0], x[1], x[2]); }
Tensor causal(In x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.is_causal = true}); }
Tensor masked(In x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = x[3]}); }

}  // namespace

void attention(Table& t) {
  const Sizes usual{4, 8, 512, 512, 64}, shorter{4, 8, 256, 256, 64};
  t.value("attention (4,8,512,64)", qkv(usual), plain);
  t.value("attention causal", qkv(usual), causal);
  t.value("attention f64 (2,8,256,64)", qkv({2, 8, 256, 256, 64, kF64}), plain);
  t.value("attention bf16", qkv({4, 8, 512, 512, 64, kBF16}), plain);
  t.value("attention head 16 (16,8,128,16)", qkv({16, 8, 128, 128, 16}), plain);
  t.value("attention T 2048 d 64", qkv({1, 8, 2048, 2048, 64}), plain);
  t.value("attention d 128", qkv({2, 8, 512, 512, 128}), plain);
  t.value("attention d 80", qkv({2, 8, 512, 512, 80}), plain);
  t.value("attention decode 1x1024", qkv({8, 16, 1, 1024, 64}), plain);
  t.value("attention float mask", qkv_and(usual, numbers({512, 512})), masked);
  t.value("attention bool mask", qkv_and(usual, numbers({4, 1, 512, 512}, kBool)), masked);
  t.value("attention key padding", qkv_and(usual, above(-1, {4, 1, 1, 512})), masked);

  t.grad("attention causal fwd+bwd", qkv(usual), causal);
  t.grad("attention dropout fwd+bwd", qkv(shorter),
         [](In x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.dropout_p = 0.1}); });
  t.grad("attention fwd+bwd mask", qkv_and(shorter, causal_mask(256)), masked);
  t.grad("attention fwd+bwd bf16", qkv({4, 8, 256, 256, 64, kBF16}), plain);
  t.grad("attention fwd+bwd f64", qkv({2, 4, 128, 128, 32, kF64}), plain);
}

}  // namespace glia::bench
