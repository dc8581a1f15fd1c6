#include "glia/llm/llama.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/nn/init.h"
#include "glia/ops/activation.h"

namespace glia::llm {
namespace {

constexpr double kInitial = 0.02;  // deviation of weights at the start
constexpr int64_t kMostLayers = 1 << 12, kMostSize = 1 << 24;

int64_t head_size(const LlamaConfig& c) { return c.hidden_size / c.num_attention_heads; }

void check(const LlamaConfig& c) {
  const auto within = [](const char* name, int64_t value, int64_t most) {
    if (value < 1 || value > most)
      throw ValueError(fmt::format("Llama: {} is {}, not from 1 to {}", name, value, most));
  };
  within("vocab_size", c.vocab_size, kMostSize);
  within("hidden_size", c.hidden_size, kMostSize);
  within("intermediate_size", c.intermediate_size, kMostSize);
  within("num_hidden_layers", c.num_hidden_layers, kMostLayers);
  within("num_attention_heads", c.num_attention_heads, c.hidden_size);
  within("num_key_value_heads", c.num_key_value_heads, c.num_attention_heads);
  within("max_position_embeddings", c.max_position_embeddings, int64_t{1} << 31);
  if (c.hidden_size % (2 * c.num_attention_heads) != 0 ||
      c.num_attention_heads % c.num_key_value_heads != 0)
    throw ValueError(fmt::format(
        "Llama: {} features do not become {} heads of an even size that share keys of {}",
        c.hidden_size, c.num_attention_heads, c.num_key_value_heads));
  if (!(c.rms_norm_eps >= 0 && c.rms_norm_eps < 1) || !(c.rope_theta > 0 && c.rope_theta < 1e12))
    throw ValueError("Llama: rms_norm_eps or rope_theta is out of range");
}
const LlamaConfig& checked(const LlamaConfig& c) {
  check(c);
  return c;
}

nn::RMSNorm norm_of(const LlamaConfig& c) {
  return nn::RMSNorm(c.hidden_size, {.eps = c.rms_norm_eps});
}

// Rows of queries and keys: a GGUF file has the features that are turned together side by side,
// Transformers half a head apart.
Tensor as_halves(const Tensor& w, int64_t heads) {
  const Tensor pairs = reshape(w, {heads, -1, 2, w.size(1)});
  return reshape(permute(pairs, {0, 2, 1, 3}), w.shape());
}
Tensor as_pairs(const Tensor& w, int64_t heads) {
  const Tensor halves = reshape(w, {heads, 2, -1, w.size(1)});
  return reshape(permute(halves, {0, 2, 1, 3}), w.shape());
}

// Each weight's name in a model and in a file, and how many heads its rows are for, if turned.
using OnName =
    std::function<void(const std::string& ours, const std::string& theirs, int64_t heads)>;
void for_names(const LlamaConfig& c, const OnName& f) {
  f("model.embed_tokens.weight", "token_embd.weight", 0);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string ours = fmt::format("model.layers.{}.", i), theirs = fmt::format("blk.{}.", i);
    const auto layer = [&](const char* a, const char* b, int64_t heads = 0) {
      f(ours + a + ".weight", theirs + b + ".weight", heads);
    };
    layer("self_attn.q_proj", "attn_q", c.num_attention_heads);
    layer("self_attn.k_proj", "attn_k", c.num_key_value_heads);
    layer("self_attn.v_proj", "attn_v");
    layer("self_attn.o_proj", "attn_output");
    layer("mlp.gate_proj", "ffn_gate");
    layer("mlp.up_proj", "ffn_up");
    layer("mlp.down_proj", "ffn_down");
    layer("input_layernorm", "attn_norm");
    layer("post_attention_layernorm", "ffn_norm");
  }
  f("model.norm.weight", "output_norm.weight", 0);
  if (!c.tie_word_embeddings) f("lm_head.weight", "output.weight", 0);
}

}  // namespace

LlamaConfig llama_config(const Gguf& file) {
  const std::string architecture = file.text("general.architecture");
  if (architecture != "llama")
    throw Error("the GGUF file is of architecture '" + architecture + "'; llama is known here");
  const auto key = [](const char* name) { return std::string("llama.") + name; };
  for (const char* name : {"rope.scaling.type", "expert_count"})
    if (file.has(key(name)) &&
        !(std::string(name) == "rope.scaling.type" && file.text(key(name)) == "none"))
      throw Error("the GGUF file has '" + key(name) + "', which is not known here");
  if (file.has_tensor("rope_freqs.weight"))
    throw Error("the GGUF file has the tensor 'rope_freqs.weight', which is not known here");
  LlamaConfig c;
  c.num_hidden_layers = file.integer(key("block_count"));
  c.hidden_size = file.integer(key("embedding_length"));
  c.intermediate_size = file.integer(key("feed_forward_length"));
  c.num_attention_heads = file.integer(key("attention.head_count"));
  c.num_key_value_heads = file.integer(key("attention.head_count_kv"), c.num_attention_heads);
  c.max_position_embeddings = file.integer(key("context_length"));
  c.rms_norm_eps = file.number(key("attention.layer_norm_rms_epsilon"));
  c.rope_theta = file.number(key("rope.freq_base"), 10000.0);
  c.tie_word_embeddings = !file.has_tensor("output.weight");
  const Shape& table = file.tensor("token_embd.weight").shape;
  c.vocab_size = table.rank() == 2 ? table[0] : 0;
  check(c);
  const int64_t turned = file.integer(key("rope.dimension_count"), head_size(c));
  const int64_t length = file.integer(key("attention.key_length"), head_size(c));
  if (turned != head_size(c) || length != head_size(c))
    throw Error(
        fmt::format("the GGUF file turns {} features of heads of {}, where {} are known here",
                    turned, length, head_size(c)));
  const int64_t keys = c.num_key_value_heads * head_size(c), width = c.hidden_size;
  for_names(c, [&](const std::string&, const std::string& name, int64_t) {
    const Shape& shape = file.tensor(name).shape;
    const auto is = [&](const char* part) { return name.ends_with(std::string(part) + ".weight"); };
    Shape want{width, width};
    if (is("norm")) want = {width};
    if (is("attn_k") || is("attn_v")) want = {keys, width};
    if (is("ffn_gate") || is("ffn_up")) want = {c.intermediate_size, width};
    if (is("ffn_down")) want = {width, c.intermediate_size};
    if (name == "token_embd.weight" || name == "output.weight") want = {c.vocab_size, width};
    if (shape != want)
      throw Error(
          fmt::format("the GGUF file's tensor '{}' is {}, not {}", name, shape.str(), want.str()));
  });
  return c;
}

// ---- Layers -----------------------------------------------------------------------------------

Llama::Attention::Attention(const LlamaConfig& c)
    : config(c),
      q_proj(c.hidden_size, c.hidden_size),
      k_proj(c.hidden_size, c.num_key_value_heads * head_size(c)),
      v_proj(c.hidden_size, c.num_key_value_heads * head_size(c)),
      o_proj(c.hidden_size, c.hidden_size) {}

Tensor Llama::Attention::operator()(const Tensor& x) const {
  const int64_t n = x.size(0), t = x.size(1), size = head_size(config);
  const auto heads = [&](const Tensor& y) {
    return permute(reshape(y, {n, t, -1, size}), {0, 2, 1, 3});
  };
  const nn::RotaryOptions turn{.base = config.rope_theta, .interleaved = false};
  const Tensor q = nn::rotary(heads(q_proj(x)), turn), k = nn::rotary(heads(k_proj(x)), turn);
  const Tensor seen = scaled_dot_product_attention(
      q, k, heads(v_proj(x)),
      {.is_causal = true, .enable_gqa = config.num_key_value_heads != config.num_attention_heads});
  return o_proj(reshape(permute(seen, {0, 2, 1, 3}), {n, t, config.hidden_size}));
}

Llama::Mlp::Mlp(const LlamaConfig& c)
    : gate_proj(c.hidden_size, c.intermediate_size),
      up_proj(c.hidden_size, c.intermediate_size),
      down_proj(c.intermediate_size, c.hidden_size) {}

Tensor Llama::Mlp::operator()(const Tensor& x) const {
  return down_proj(silu(gate_proj(x)) * up_proj(x));
}

Llama::Layer::Layer(const LlamaConfig& c)
    : self_attn(c), mlp(c), input_layernorm(norm_of(c)), post_attention_layernorm(norm_of(c)) {}

Tensor Llama::Layer::operator()(const Tensor& x) const {
  const Tensor y = x + self_attn(input_layernorm(x));
  return y + mlp(post_attention_layernorm(y));
}

Llama::Body::Body(const LlamaConfig& c)
    : embed_tokens(c.vocab_size, c.hidden_size), norm(norm_of(c)) {
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) layers.emplace_back(c);
}

Llama::Llama(const LlamaConfig& c) : config(checked(c)), model(c) {
  if (!c.tie_word_embeddings)
    lm_head.emplace(c.hidden_size, c.vocab_size, nn::LinearOptions{.bias = false});
  for (const auto& [name, value] : named_parameters())
    if (value.shape().rank() == 2) nn::init::normal_(value, 0, kInitial);
}

Llama::Llama(const Gguf& file) : Llama(llama_config(file)) {
  StateDict values;
  for_names(config, [&](const std::string& ours, const std::string& theirs, int64_t heads) {
    const Tensor w = dequantize(file.tensor(theirs));
    values.emplace_back(ours, heads > 0 ? as_halves(w, heads) : w);
  });
  load_state_dict(values);
}

Tensor Llama::hidden(const Tensor& tokens) const {
  if (!tokens.defined() || tokens.rank() != 2)
    throw ShapeError("Llama: needs tokens (N, T), got " +
                     (tokens.defined() ? tokens.shape().str() : "nothing"));
  if (tokens.size(1) > config.max_position_embeddings)
    throw ShapeError(fmt::format("Llama: {} tokens are more than its {} positions", tokens.size(1),
                                 config.max_position_embeddings));
  Tensor x = model.embed_tokens(tokens);
  const bool again = gradient_checkpointing && is_training();
  for (const Layer& layer : model.layers)
    x = again ? checkpoint([&](const std::vector<Tensor>& in) { return layer(in[0]); }, {x})
              : layer(x);
  return model.norm(x);
}

Tensor Llama::operator()(const Tensor& tokens) const {
  const Tensor x = hidden(tokens);
  return lm_head ? (*lm_head)(x) : linear(x, model.embed_tokens.weight);
}

std::unique_ptr<Llama::Reader> Llama::reader() const {
  return LlamaDecoder(to_gguf(*this)).reader();
}

Gguf to_gguf(const Llama& model, Quant type, const Gguf& like) {
  const LlamaConfig& c = model.config;
  Gguf out{.metadata = like.metadata};
  const auto key = [](const char* name) { return std::string("llama.") + name; };
  out.set_text("general.architecture", "llama");
  out.set_integer(key("block_count"), c.num_hidden_layers);
  out.set_integer(key("embedding_length"), c.hidden_size);
  out.set_integer(key("feed_forward_length"), c.intermediate_size);
  out.set_integer(key("attention.head_count"), c.num_attention_heads);
  out.set_integer(key("attention.head_count_kv"), c.num_key_value_heads);
  out.set_integer(key("context_length"), c.max_position_embeddings);
  out.set_integer(key("rope.dimension_count"), head_size(c));
  out.set_integer(key("vocab_size"), c.vocab_size);
  out.set_number(key("attention.layer_norm_rms_epsilon"), c.rms_norm_eps);
  out.set_number(key("rope.freq_base"), c.rope_theta);
  // llama.cpp's number of the kind of most weights.
  constexpr std::pair<Quant, int64_t> kFileTypes[] = {
      {Quant::kF32, 0},  {Quant::kF16, 1},  {Quant::kQ4_0, 2}, {Quant::kQ4_1, 3},
      {Quant::kQ8_0, 7}, {Quant::kQ5_0, 8}, {Quant::kQ5_1, 9}, {Quant::kBF16, 32}};
  for (const auto& [kind, number] : kFileTypes)
    if (kind == type) out.set_integer("general.file_type", number);
  Llama whole = model;
  merge_lora(whole);
  const StateDict values = whole.state_dict();
  for_names(c, [&](const std::string& ours, const std::string& theirs, int64_t heads) {
    const auto found = std::ranges::find(values, ours, &StateDict::value_type::first);
    const Tensor w = heads > 0 ? as_pairs(found->second, heads) : found->second;
    const bool fits = w.rank() == 2 && w.size(1) % block_of(type).first == 0;
    out.tensors.emplace_back(theirs, quantize(w, fits ? type : Quant::kF32));
  });
  return out;
}

}  // namespace glia::llm
