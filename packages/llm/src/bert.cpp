#include "glia/llm/bert.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/nn/init.h"
#include "glia/ops.h"
#include "glia/ops/normalize.h"

namespace glia::llm {
namespace {

constexpr double kInitial = 0.02;  // deviation of weights at the start
constexpr int64_t kMostLayers = 1 << 12, kMostSize = 1 << 24;
constexpr const char* kPrefix = "bert.";

nn::LayerNorm norm_of(const BertConfig& c) {
  return nn::LayerNorm(c.hidden_size, {.eps = c.layer_norm_eps});
}

void check(const BertConfig& c) {
  const auto within = [](const char* name, int64_t value, int64_t most) {
    if (value < 1 || value > most)
      throw ValueError(fmt::format("Bert: {} is {}, not from 1 to {}", name, value, most));
  };
  within("vocab_size", c.vocab_size, kMostSize);
  within("hidden_size", c.hidden_size, kMostSize);
  within("intermediate_size", c.intermediate_size, kMostSize);
  within("num_hidden_layers", c.num_hidden_layers, kMostLayers);
  within("num_attention_heads", c.num_attention_heads, c.hidden_size);
  within("max_position_embeddings", c.max_position_embeddings, kMostSize);
  within("type_vocab_size", c.type_vocab_size, kMostSize);
  if (c.hidden_size % c.num_attention_heads != 0)
    throw ValueError(fmt::format("Bert: {} features are no multiple of {} heads", c.hidden_size,
                                 c.num_attention_heads));
}
const BertConfig& checked(const BertConfig& c) {
  check(c);
  return c;
}

}  // namespace

BertConfig read_bert_config(const std::string& path) {
  const JsonFile file(path);
  const std::string kind = file.text("model_type", "bert");
  if (kind != "bert") file.fail("is of a model of type '" + kind + "'; bert is known here");
  const std::string act = file.text("hidden_act", "gelu");
  if (act != "gelu") file.fail("has hidden_act '" + act + "'; gelu is known here");
  const std::string positions = file.text("position_embedding_type", "absolute");
  if (positions != "absolute")
    file.fail("has position_embedding_type '" + positions + "'; absolute is known here");
  BertConfig c;
  file.read("vocab_size", c.vocab_size);
  file.read("hidden_size", c.hidden_size);
  file.read("intermediate_size", c.intermediate_size);
  file.read("num_hidden_layers", c.num_hidden_layers);
  file.read("num_attention_heads", c.num_attention_heads);
  file.read("max_position_embeddings", c.max_position_embeddings);
  file.read("type_vocab_size", c.type_vocab_size);
  file.read("pad_token_id", c.pad_token_id);
  file.read("hidden_dropout_prob", c.hidden_dropout_prob);
  file.read("attention_probs_dropout_prob", c.attention_probs_dropout_prob);
  file.read("layer_norm_eps", c.layer_norm_eps);
  try {
    check(c);
  } catch (const ValueError& e) {
    file.fail(e.what());
  }
  return c;
}

Bert::Embeddings::Embeddings(const BertConfig& c)
    : word_embeddings(c.vocab_size, c.hidden_size),
      position_embeddings(c.max_position_embeddings, c.hidden_size),
      token_type_embeddings(c.type_vocab_size, c.hidden_size),
      LayerNorm(norm_of(c)) {}
Bert::Projections::Projections(const BertConfig& c)
    : query(c.hidden_size, c.hidden_size),
      key(c.hidden_size, c.hidden_size),
      value(c.hidden_size, c.hidden_size) {}
Bert::Added::Added(int64_t in, const BertConfig& c)
    : dense(in, c.hidden_size), LayerNorm(norm_of(c)) {}
Bert::Attention::Attention(const BertConfig& c) : self(c), output(c.hidden_size, c) {}
Bert::Intermediate::Intermediate(const BertConfig& c) : dense(c.hidden_size, c.intermediate_size) {}
Bert::Layer::Layer(const BertConfig& c)
    : attention(c), intermediate(c), output(c.intermediate_size, c) {}
Bert::Encoder::Encoder(const BertConfig& c) {
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) layer.emplace_back(c);
}
Bert::Pooler::Pooler(const BertConfig& c) : dense(c.hidden_size, c.hidden_size) {}

Bert::Bert(const BertConfig& c) : config(checked(c)), embeddings(c), encoder(c), pooler(c) {
  for (const auto& [name, value] : named_parameters()) {
    if (value.shape().rank() == 2) nn::init::normal_(value, 0, kInitial);
    if (name.ends_with("bias")) nn::init::zeros_(value);
  }
}

Tensor Bert::attend(const Layer& layer, const Tensor& x, const Tensor& mask) const {
  const int64_t n = x.size(0), t = x.size(1),
                size = config.hidden_size / config.num_attention_heads;
  const auto heads = [&](const Tensor& y) {
    return permute(reshape(y, {n, t, config.num_attention_heads, size}), {0, 2, 1, 3});
  };
  const Projections& p = layer.attention.self;
  const Tensor seen = scaled_dot_product_attention(
      heads(p.query(x)), heads(p.key(x)), heads(p.value(x)),
      {.mask = mask, .dropout_p = is_training() ? config.attention_probs_dropout_prob : 0});
  return reshape(permute(seen, {0, 2, 1, 3}), {n, t, config.hidden_size});
}

Tensor Bert::operator()(const Tensor& tokens, const Tensor& mask, const Tensor& type_ids) const {
  if (!tokens.defined() || tokens.rank() != 2)
    throw ShapeError("Bert: needs tokens (N, T), got " +
                     (tokens.defined() ? tokens.shape().str() : "nothing"));
  for (const Tensor& other : {mask, type_ids})
    if (other.defined() && other.shape() != tokens.shape())
      throw ShapeError("Bert: mask or type_ids " + other.shape().str() + " is not of the tokens' " +
                       tokens.shape().str());
  const int64_t n = tokens.size(0), t = tokens.size(1);
  if (t > config.max_position_embeddings)
    throw ShapeError(fmt::format("Bert: {} tokens are more than its {} positions", t,
                                 config.max_position_embeddings));
  const auto dropped = [&](const Tensor& x) {
    return is_training() ? dropout(x, config.hidden_dropout_prob) : x;
  };
  const Tensor kept = mask.defined() ? reshape(cast(mask, kBool), {n, 1, 1, t}) : Tensor();
  const Tensor places = slice(embeddings.position_embeddings.weight, 0, {0, t});
  const Tensor types = type_ids.defined()
                           ? embeddings.token_type_embeddings(type_ids)
                           : slice(embeddings.token_type_embeddings.weight, 0, {0, 1});
  Tensor x = embeddings.word_embeddings(tokens) + types + places;
  x = dropped(embeddings.LayerNorm(x));
  const auto added = [&](const Added& layer, const Tensor& y, const Tensor& to) {
    return layer.LayerNorm(dropped(layer.dense(y)) + to);
  };
  for (const Layer& layer : encoder.layer) {
    const Tensor y = added(layer.attention.output, attend(layer, x, kept), x);
    x = added(layer.output, gelu(layer.intermediate.dense(y)), y);
  }
  return x;
}

Tensor Bert::pooled(const Tensor& hidden) const {
  return tanh(pooler.dense(index(hidden, {Slice{}, 0})));
}

Bert load_bert(const std::string& folder) {
  const std::string path = folder + "/model.safetensors";
  Bert model(read_bert_config(folder + "/config.json"));
  StateDict values;
  for (const auto& [name, value] : io::read_safetensors(path)) {
    const std::string plain = name.starts_with(kPrefix) ? name.substr(5) : name;
    // Numbers 0, 1, ..., heads of other tasks: not of the encoder.
    const bool ours = plain.starts_with("embeddings.") || plain.starts_with("encoder.") ||
                      plain.starts_with("pooler.");
    if (ours && plain != "embeddings.position_ids") values.emplace_back(plain, value);
  }
  try {
    const auto result = model.load_state_dict(values, false);
    std::vector<std::string> faults = result.unexpected;
    for (const std::string& name : result.missing)
      if (!name.starts_with("pooler.")) faults.push_back(name);
    if (!faults.empty())
      throw Error(fmt::format("weights are missing or not known: {}", fmt::join(faults, ", ")));
  } catch (const IoError&) {
    throw;
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
  return model;
}

BertClassifier::BertClassifier(Bert encoder, int64_t classes)
    : bert(std::move(encoder)), classifier(bert.config.hidden_size, classes) {
  nn::init::normal_(classifier.weight, 0, kInitial);
  nn::init::zeros_(classifier.bias);
}

Tensor BertClassifier::operator()(const Tensor& tokens, const Tensor& mask,
                                  const Tensor& type_ids) const {
  const Tensor x = bert.pooled(bert(tokens, mask, type_ids));
  return classifier(is_training() ? dropout(x, bert.config.hidden_dropout_prob) : x);
}

}  // namespace glia::llm
