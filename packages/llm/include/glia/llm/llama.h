// Language models of the Llama family (Touvron et al., "LLaMA", 2023): a decoder with RMS norms,
// rotary positions, keys and values shared by heads, and gated feed-forward layers. SmolLM2 is one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/llm/gguf.h"
#include "glia/llm/lora.h"
#include "glia/nn/layers.h"
#include "glia/nn/normalization.h"
#include "glia/text/language_model.h"

namespace glia::llm {

// Names and defaults as Transformers has them; the defaults are those of SmolLM2-135M.
struct LlamaConfig {
  int64_t vocab_size = 49152, hidden_size = 576, intermediate_size = 1536;
  int64_t num_hidden_layers = 30, num_attention_heads = 9, num_key_value_heads = 3;
  int64_t max_position_embeddings = 8192;
  double rms_norm_eps = 1e-5, rope_theta = 100000;
  bool tie_word_embeddings = true;  // the table of tokens is the output's weight too
};
// Of a GGUF file of architecture "llama". Throws Error naming what is missing, of another size, or
// not known here, such as another architecture.
LlamaConfig llama_config(const Gguf& file);

// A model to train, with the weights of Transformers' LlamaForCausalLM under their names.
class Llama : public text::LanguageModel {
 public:
  struct Attention : nn::Module {
    explicit Attention(const LlamaConfig& config);
    Tensor operator()(const Tensor& x) const;  // (N, T, C) -> (N, T, C)
    LlamaConfig config;
    LoraLinear q_proj, k_proj, v_proj, o_proj;
    GLIA_FIELDS(q_proj, k_proj, v_proj, o_proj)
  };
  struct Mlp : nn::Module {
    explicit Mlp(const LlamaConfig& config);
    Tensor operator()(const Tensor& x) const;
    LoraLinear gate_proj, up_proj, down_proj;
    GLIA_FIELDS(gate_proj, up_proj, down_proj)
  };
  struct Layer : nn::Module {
    explicit Layer(const LlamaConfig& config);
    Tensor operator()(const Tensor& x) const;
    Attention self_attn;
    Mlp mlp;
    nn::RMSNorm input_layernorm, post_attention_layernorm;
    GLIA_FIELDS(self_attn, mlp, input_layernorm, post_attention_layernorm)
  };
  struct Body : nn::Module {
    explicit Body(const LlamaConfig& config);
    nn::Embedding embed_tokens;
    std::vector<Layer> layers;
    nn::RMSNorm norm;
    GLIA_FIELDS(embed_tokens, layers, norm)
  };

  explicit Llama(const LlamaConfig& config = {});
  // With the weights of a file, as f32.
  explicit Llama(const Gguf& file);

  // Logits (N, T, V) of the tokens (N, T).
  Tensor operator()(const Tensor& tokens) const override;
  // The hidden states (N, T, C) behind the last norm.
  Tensor hidden(const Tensor& tokens) const;
  // A LlamaDecoder of the weights as they are now.
  std::unique_ptr<Reader> reader() const override;

  LlamaConfig config;
  // In training mode each layer is computed again in the backward pass instead of being kept.
  bool gradient_checkpointing = false;
  Body model;
  std::optional<nn::Linear> lm_head;  // unless it is tied
  GLIA_FIELDS(model, lm_head)
};

// A file of the model's weights, with what LoRA has added to them: matrices of that kind (rows that
// no block fits, and the norms, as F32), behind the settings of `like`, such as its tokens; without
// it, those of the architecture.
Gguf to_gguf(const Llama& model, Quant type = Quant::kF32, const Gguf& like = {});

// What reads and writes fast: weights stay in their blocks and are multiplied as they are, by
// vectors rounded to 8 bits; keys and values are kept as f16.
class LlamaDecoder : public text::LanguageModel {
 public:
  // Packs the weights anew: as much memory again as the matrices of the file.
  explicit LlamaDecoder(const Gguf& file);
  // Logits (N, T, V) f32, without gradients.
  Tensor operator()(const Tensor& tokens) const override;
  std::unique_ptr<Reader> reader() const override;
  const LlamaConfig& config() const;

  struct Weights;  // private: src/llama_decoder.h
 private:
  std::shared_ptr<const Weights> weights_;
};

}  // namespace glia::llm
