#include "glia/nn/transformer.h"

#include <fmt/format.h>

#include "glia/nn/init.h"

namespace glia::nn {
namespace {

MultiheadAttentionOptions heads_of(const TransformerLayerOptions& o) {
  return {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first};
}
LayerNorm norm_of(int64_t d_model, const TransformerLayerOptions& o) {
  return LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias});
}

// x plus what a part of a layer makes of it; the norm stands before the part or behind the sum.
template <class F>
Tensor around(const Tensor& x, const LayerNorm& norm, bool norm_first, const Where& where, F part) {
  if (norm_first) return x + part(norm(x, where));
  return norm(x + part(x), where);
}

template <class Layer>
std::vector<Layer> copies(const char* name, const Layer& layer, int64_t count) {
  constexpr int64_t kMost = 1 << 12;
  if (count < 1 || count > kMost)
    throw ShapeError(fmt::format("{}: {} layers are not from 1 to {}", name, count, kMost));
  return std::vector<Layer>(static_cast<size_t>(count), layer);
}

void require_defined(const char* name, const Tensor& x, const Where& where) {
  if (!x.defined()) throw ShapeError(fmt::format("{}: an input is not defined", name), where);
}

TransformerLayerOptions layer_options(const TransformerOptions& o) {
  return {.dim_feedforward = o.dim_feedforward,
          .dropout = o.dropout,
          .activation = o.activation,
          .layer_norm_eps = o.layer_norm_eps,
          .batch_first = o.batch_first,
          .norm_first = o.norm_first,
          .bias = o.bias};
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerLayerOptions& o)
    : options(o),
      self_attn(d_model, nhead, heads_of(o)),
      linear1(d_model, o.dim_feedforward, {.bias = o.bias}),
      dropout(o.dropout),
      linear2(o.dim_feedforward, d_model, {.bias = o.bias}),
      norm1(norm_of(d_model, o)),
      norm2(norm_of(d_model, o)),
      dropout1(o.dropout),
      dropout2(o.dropout) {}

Tensor TransformerEncoderLayer::operator()(const Tensor& src, const Tensor& src_mask,
                                           const Tensor& src_key_padding_mask, bool is_causal,
                                           Where where) const {
  require_defined("TransformerEncoderLayer", src, where);
  const Tensor x = around(src, norm1, options.norm_first, where, [&](const Tensor& h) {
    const MultiheadAttentionInputs in{.key_padding_mask = src_key_padding_mask,
                                      .need_weights = false,
                                      .attn_mask = src_mask,
                                      .is_causal = is_causal};
    return dropout1(self_attn(h, h, h, in, where).out, where);
  });
  return around(x, norm2, options.norm_first, where, [&](const Tensor& h) {
    const Tensor inner = dropout(options.activation({linear1(h, where), where}), where);
    return dropout2(linear2(inner, where), where);
  });
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, int64_t num_layers,
                                       const std::optional<LayerNorm>& norm)
    : layers(copies("TransformerEncoder", layer, num_layers)), norm(norm) {}

Tensor TransformerEncoder::operator()(const Tensor& src, const Tensor& mask,
                                      const Tensor& src_key_padding_mask, bool is_causal,
                                      Where where) const {
  Tensor x = src;
  for (const TransformerEncoderLayer& layer : layers)
    x = layer(x, mask, src_key_padding_mask, is_causal, where);
  return norm ? (*norm)(x, where) : x;
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerLayerOptions& o)
    : options(o),
      self_attn(d_model, nhead, heads_of(o)),
      multihead_attn(d_model, nhead, heads_of(o)),
      linear1(d_model, o.dim_feedforward, {.bias = o.bias}),
      dropout(o.dropout),
      linear2(o.dim_feedforward, d_model, {.bias = o.bias}),
      norm1(norm_of(d_model, o)),
      norm2(norm_of(d_model, o)),
      norm3(norm_of(d_model, o)),
      dropout1(o.dropout),
      dropout2(o.dropout),
      dropout3(o.dropout) {}

Tensor TransformerDecoderLayer::operator()(const Tensor& tgt, const Tensor& memory,
                                           const DecoderMasks& masks, Where where) const {
  require_defined("TransformerDecoderLayer", tgt, where);
  require_defined("TransformerDecoderLayer", memory, where);
  const bool first = options.norm_first;
  Tensor x = around(tgt, norm1, first, where, [&](const Tensor& h) {
    const MultiheadAttentionInputs in{.key_padding_mask = masks.tgt_key_padding_mask,
                                      .need_weights = false,
                                      .attn_mask = masks.tgt_mask,
                                      .is_causal = masks.tgt_is_causal};
    return dropout1(self_attn(h, h, h, in, where).out, where);
  });
  x = around(x, norm2, first, where, [&](const Tensor& h) {
    const MultiheadAttentionInputs in{.key_padding_mask = masks.memory_key_padding_mask,
                                      .need_weights = false,
                                      .attn_mask = masks.memory_mask,
                                      .is_causal = masks.memory_is_causal};
    return dropout2(multihead_attn(h, memory, memory, in, where).out, where);
  });
  return around(x, norm3, first, where, [&](const Tensor& h) {
    const Tensor inner = dropout(options.activation({linear1(h, where), where}), where);
    return dropout3(linear2(inner, where), where);
  });
}

TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, int64_t num_layers,
                                       const std::optional<LayerNorm>& norm)
    : layers(copies("TransformerDecoder", layer, num_layers)), norm(norm) {}

Tensor TransformerDecoder::operator()(const Tensor& tgt, const Tensor& memory,
                                      const DecoderMasks& masks, Where where) const {
  Tensor x = tgt;
  for (const TransformerDecoderLayer& layer : layers) x = layer(x, memory, masks, where);
  return norm ? (*norm)(x, where) : x;
}

Transformer::Transformer(const TransformerOptions& o)
    : encoder(TransformerEncoderLayer(o.d_model, o.nhead, layer_options(o)), o.num_encoder_layers,
              norm_of(o.d_model, layer_options(o))),
      decoder(TransformerDecoderLayer(o.d_model, o.nhead, layer_options(o)), o.num_decoder_layers,
              norm_of(o.d_model, layer_options(o))) {
  for (const Variable& p : parameters())
    if (p.shape().rank() > 1) init::xavier_uniform_(p);
}

Tensor Transformer::operator()(const Tensor& src, const Tensor& tgt, const TransformerMasks& m,
                               Where where) const {
  const Tensor memory = encoder(src, m.src_mask, m.src_key_padding_mask, m.src_is_causal, where);
  return decoder(tgt, memory,
                 {.tgt_mask = m.tgt_mask,
                  .memory_mask = m.memory_mask,
                  .tgt_key_padding_mask = m.tgt_key_padding_mask,
                  .memory_key_padding_mask = m.memory_key_padding_mask,
                  .tgt_is_causal = m.tgt_is_causal,
                  .memory_is_causal = m.memory_is_causal},
                 where);
}

}  // namespace glia::nn
