// Attention: scores of queries and keys, layers of them, many heads, and a cache for decoding.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"
#include "glia/nn/positions.h"
#include "glia/ops.h"

namespace glia::nn {

// ---- Scores -------------------------------------------------------------------------------------
// Of queries (..., T, Q) and keys (..., S, K) -> (..., T, S).

Tensor dot_scores(const Tensor& query, const Tensor& key, Where where = Where::current());
// Divided by the root of the features' number (Vaswani et al. 2017).
Tensor scaled_dot_scores(const Tensor& query, const Tensor& key, Where where = Where::current());
// q W k with W (Q, K) (Luong et al. 2015).
Tensor general_scores(const Tensor& query, const Tensor& key, const Tensor& weight,
                      Where where = Where::current());
// v tanh(q + k) of queries and keys that are projected to the size of v (A) (Bahdanau et al. 2015).
Tensor additive_scores(const Tensor& query, const Tensor& key, const Tensor& v,
                       Where where = Where::current());

struct AttentionResult {
  Tensor out;      // (..., T, V)
  Tensor weights;  // (..., T, S), or undefined where nobody wanted them
};
// softmax(scores) value: scores (..., T, S), value (..., S, V). The mask broadcasts to the scores:
// bool, true where a query sees a key, or floats that are added. A query that sees no key gives 0.
AttentionResult attend(const Tensor& scores, const Tensor& value, const Tensor& mask = {},
                       Where where = Where::current());

enum class Score { kDot, kScaledDot, kGeneral, kConcat, kAdditive };
struct ScoreAttentionOptions {
  Score score = Score::kScaledDot;
  int64_t hidden = 0;  // of concat and additive scores; 0: the queries' size
};
// Attention with one of the scores above. General scores have `weight` (Q, K); concat and additive
// ones v tanh(W_q q + W_k k), which is Luong's v tanh(W [q; k]) with W = [W_q W_k].
struct ScoreAttention : Module {
  ScoreAttention(int64_t query_size, int64_t key_size, const ScoreAttentionOptions& options = {});
  AttentionResult operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                             const Tensor& mask = {}, Where where = Where::current()) const;

  ScoreAttentionOptions options;
  Parameter weight;                 // (Q, K), or undefined
  Parameter weight_q, weight_k, v;  // (A, Q), (A, K), (A), or undefined
  GLIA_FIELDS(weight, weight_q, weight_k, v)
};

// ---- Many heads ---------------------------------------------------------------------------------

// Keys and values of tokens that were seen, for decoding token by token. Room is doubled as it
// fills, and what is appended is written in place.
struct KVCache {
  Tensor keys, values;  // (N, heads, room, D), of which `length` are filled; undefined at first
  int64_t length = 0;
  // keys and values (N, heads, T, D) behind those that are there.
  void append(const Tensor& k, const Tensor& v, Where where = Where::current());
};

struct MultiheadAttentionOptions {
  double dropout = 0;  // on the weights, in training mode
  bool bias = true;
  bool add_bias_kv = false;    // one more key and value, which are learned
  bool add_zero_attn = false;  // one more key and value, which are zeros
  int64_t kdim = 0, vdim = 0;  // features of keys and values; 0: embed_dim
  bool batch_first = true;     // (N, T, C), else (T, N, C)
  // Heads of keys and values, each shared by as many queries' heads (Ainslie et al. 2023); 1: all
  // share one (Shazeer 2019); 0: num_heads.
  int64_t num_kv_heads = 0;
  std::optional<RotaryOptions> rotary = {};  // turns queries and keys
};
struct MultiheadAttentionInputs {
  Tensor key_padding_mask = {};  // (N, S) or (S): true, or minus infinity, at keys to leave out
  bool need_weights = true;      // else `weights` is undefined
  Tensor attn_mask = {};         // (T, S) or (N heads, T, S): true at what is left out, or added
  bool average_attn_weights = true;  // weights (N, T, S) over all heads, else (N, heads, T, S)
  bool is_causal = false;  // a query sees the keys up to itself; no mask is needed for that
  // Keys and values come behind those of the cache, which keeps them; queries stand where the new
  // keys do. Not with bias_kv or zero_attn.
  KVCache* cache = nullptr;
};
// Attention by several heads (Vaswani et al. 2017), with PyTorch's weights: query (N, T, C), key
// (N, S, kdim) and value (N, S, vdim), or all without N -> (N, T, C). In masks of bools true leaves
// a key out, which is PyTorch's way here and the opposite of scaled_dot_product_attention's; a
// query that sees no key gives the output's bias, where PyTorch gives NaN. Weights cost nothing
// unless they are read or there is dropout.
struct MultiheadAttention : Module {
  MultiheadAttention(int64_t embed_dim, int64_t num_heads,
                     const MultiheadAttentionOptions& options = {});
  AttentionResult operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                             const MultiheadAttentionInputs& inputs = {},
                             Where where = Where::current()) const;

  int64_t embed_dim, num_heads;
  MultiheadAttentionOptions options;
  Parameter in_proj_weight;  // (C + 2 heads of keys D, C); or, if kdim or vdim differ,
  Parameter q_proj_weight, k_proj_weight, v_proj_weight;  // (C, C), (.., kdim), (.., vdim)
  Parameter in_proj_bias;                                 // or undefined
  Parameter bias_k, bias_v;                               // (1, 1, C), or undefined
  Linear out_proj;
  GLIA_FIELDS(in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k,
              bias_v, out_proj)
};

}  // namespace glia::nn
