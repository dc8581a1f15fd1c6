// A small transformer: training, and decoding with a cache of keys and values.
#include "bench.h"

namespace glia::bench {
namespace {

constexpr int64_t kWidth = 128, kHeads = 4, kHead = kWidth / kHeads, kLayers = 4, kTokens = 128;
constexpr int64_t kVocabulary = 256, kBatch = 16;

struct Block : nn::Module {
  nn::LayerNorm l1{kWidth}, l2{kWidth};
  nn::Linear qkv{kWidth, 3 * kWidth}, o{kWidth, kWidth}, f{kWidth, 4 * kWidth},
      g{4 * kWidth, kWidth};
  GLIA_FIELDS(l1, l2, qkv, o, f, g)

  // (3, N, H, T, D)
  Tensor heads(const Tensor& h) const {
    return permute(reshape(qkv(l1(h)), {h.size(0), h.size(1), 3, kHeads, kHead}), {2, 0, 3, 1, 4});
  }
  // From what the heads gave (N, H, T, D).
  Tensor rest(const Tensor& h, const Tensor& attended) const {
    const Tensor x = h + o(reshape(transpose(attended, 1, 2), h.shape()));
    return x + g(gelu(f(l2(x))));
  }
  Tensor operator()(const Tensor& h) const {
    const Tensor z = heads(h);
    return rest(h, scaled_dot_product_attention(index(z, {0}), index(z, {1}), index(z, {2}),
                                                {.is_causal = true}));
  }
};

struct Gpt : nn::Module {
  nn::Embedding te{kVocabulary, kWidth}, pe{kTokens, kWidth};
  std::vector<Block> b{kLayers};
  nn::LayerNorm ln{kWidth};
  GLIA_FIELDS(te, pe, b, ln)

  Tensor loss(const Tensor& x, const Tensor& y) const {
    Tensor h = te(x) + pe.weight;
    for (const Block& block : b) h = block(h);
    return cross_entropy(linear(ln(h), te.weight), y);
  }
};

// What one token costs: two operations for each weight.
double weights() { return kLayers * 12.0 * kWidth * kWidth + kVocabulary * kWidth; }

Result training(const Options& options, DType dtype) {
  const Start start(options);
  Gpt model;
  start.load(model);
  // Files hold f32.
  const Tensor ids = start.from_file() ? cast(start("ids", {kBatch, kTokens + 1}), kI64)
                                       : randint(0, kVocabulary, {kBatch, kTokens + 1});
  const Tensor x = slice(ids, 1, {0, kTokens}), y = slice(ids, 1, {1, kTokens + 1});
  eval({x, y});
  const ParameterList parameters = model.parameters();
  optim::AdamW optimizer(
      parameters,
      {.lr = options.lr > 0 ? options.lr : 1e-7, .betas = {0.9, 0.95}, .weight_decay = 0.1});
  Result result = run(options, [&] {
    const Autocast products(dtype);
    const Tensor loss = model.loss(x, y);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
  const double attention = 2.0 * kLayers * kTokens * kWidth;  // of a token, half of it masked
  result.facts = {{"flops", 3.0 * kBatch * kTokens * (2 * weights() + attention)}};
  return result;
}

}  // namespace

Result gpt_train(const Options& options) { return training(options, kF32); }
Result gpt_train_bf16(const Options& options) { return training(options, kBF16); }

Result gpt_decode(const Options& options) {
  const Start start(options);
  const NoGrad off;
  Gpt model;
  if (start.from_file()) {
    start.load(model);
  } else {
    for (const auto& [name, value] : model.named_parameters()) {
      if (name.find(".l") == std::string::npos && !name.starts_with("ln"))
        nn::init::normal_(value, 0, 0.02);
    }
  }
  // All tokens of a sequence, one after the other; gives the logits of the last.
  const auto decode = [&] {
    Tensor token = tensor({int64_t{1}}), logits;
    std::vector<Tensor> keys(kLayers), values(kLayers);
    for (int64_t l = 0; l < kLayers; ++l) {
      keys[l] = zeros({1, kHeads, kTokens, kHead});
      values[l] = zeros({1, kHeads, kTokens, kHead});
    }
    for (int64_t i = 0; i < kTokens; ++i) {
      Tensor h = unsqueeze(model.te(token) + model.pe(tensor({i})), 0);
      for (int64_t l = 0; l < kLayers; ++l) {
        const Tensor z = model.b[l].heads(h);
        keys[l] = slice_scatter(keys[l], index(z, {1}), 2, i);
        values[l] = slice_scatter(values[l], index(z, {2}), 2, i);
        h = model.b[l].rest(h, scaled_dot_product_attention(index(z, {0}), keys[l], values[l],
                                                            {.key_length = i + 1}));
      }
      logits = linear(reshape(model.ln(h), {1, kWidth}), model.te.weight);
      token = argmax(logits);
      if (i + 1 < kTokens) eval(token);
    }
    eval({token, logits});
    return logits;
  };
  Result result = run(options, decode);
  result.ms /= kTokens;
  result.facts = {{"flops", 2 * weights()}};
  return result;
}

}  // namespace glia::bench
