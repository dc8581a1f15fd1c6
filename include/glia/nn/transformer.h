// Transformers (Vaswani et al. 2017) with PyTorch's names, options and state dicts. In masks of
// bools true leaves a key out; floats are added to the scores. Sequences are (N, T, C), or (T, N,
// C) if not batch_first, or (T, C).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/nn/activations.h"
#include "glia/nn/attention.h"
#include "glia/nn/layers.h"

namespace glia::nn {

struct TransformerLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  UnaryFunction activation = relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = true;
  bool norm_first = false;  // norms before attention and feed-forward instead of behind the sums
  bool bias = true;
};

// Self-attention and a feed-forward network, each with a norm and a way around it.
struct TransformerEncoderLayer : Module {
  TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                          const TransformerLayerOptions& options = {});
  Tensor operator()(const Tensor& src, const Tensor& src_mask = {},
                    const Tensor& src_key_padding_mask = {}, bool is_causal = false,
                    Where where = Where::current()) const;

  TransformerLayerOptions options;
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
  GLIA_FIELDS(self_attn, linear1, dropout, linear2, norm1, norm2, dropout1, dropout2)
};
// Copies of one layer, one after the other.
struct TransformerEncoder : Module {
  TransformerEncoder(const TransformerEncoderLayer& layer, int64_t num_layers,
                     const std::optional<LayerNorm>& norm = {});
  Tensor operator()(const Tensor& src, const Tensor& mask = {},
                    const Tensor& src_key_padding_mask = {}, bool is_causal = false,
                    Where where = Where::current()) const;

  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;
  GLIA_FIELDS(layers, norm)
};

struct DecoderMasks {
  Tensor tgt_mask = {}, memory_mask = {};
  Tensor tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool tgt_is_causal = false, memory_is_causal = false;
};
// Self-attention, attention to what the encoder made (the memory), and a feed-forward network.
struct TransformerDecoderLayer : Module {
  TransformerDecoderLayer(int64_t d_model, int64_t nhead,
                          const TransformerLayerOptions& options = {});
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks = {},
                    Where where = Where::current()) const;

  TransformerLayerOptions options;
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout1, dropout2, dropout3;
  GLIA_FIELDS(self_attn, multihead_attn, linear1, dropout, linear2, norm1, norm2, norm3, dropout1,
              dropout2, dropout3)
};
struct TransformerDecoder : Module {
  TransformerDecoder(const TransformerDecoderLayer& layer, int64_t num_layers,
                     const std::optional<LayerNorm>& norm = {});
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks = {},
                    Where where = Where::current()) const;

  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;
  GLIA_FIELDS(layers, norm)
};

struct TransformerOptions {
  int64_t d_model = 512, nhead = 8;
  int64_t num_encoder_layers = 6, num_decoder_layers = 6;
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  UnaryFunction activation = relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = true, norm_first = false, bias = true;
};
struct TransformerMasks {
  Tensor src_mask = {}, tgt_mask = {}, memory_mask = {};
  Tensor src_key_padding_mask = {}, tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool src_is_causal = false, tgt_is_causal = false, memory_is_causal = false;
};
// Encoder and decoder, each with a norm at its end; matrices start as xavier_uniform_ makes them.
struct Transformer : Module {
  explicit Transformer(const TransformerOptions& options = {});
  Tensor operator()(const Tensor& src, const Tensor& tgt, const TransformerMasks& masks = {},
                    Where where = Where::current()) const;

  TransformerEncoder encoder;
  TransformerDecoder decoder;
  GLIA_FIELDS(encoder, decoder)
};

}  // namespace glia::nn
