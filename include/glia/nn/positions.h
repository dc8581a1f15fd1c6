// Where tokens stand: encodings that are added, rotations of queries and keys, biases of scores,
// and masks of which keys a query sees.
#pragma once

#include <cstdint>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"
#include "glia/ops.h"

namespace glia::nn {

// ---- Masks --------------------------------------------------------------------------------------
// Of `queries` x `keys`, bool (T, S), true where a query sees a key: what
// scaled_dot_product_attention takes.

// Query i sees the keys up to i.
Tensor causal_upper_left(int64_t queries, int64_t keys);
// The last query sees all keys: for queries that follow on keys that are already known.
Tensor causal_lower_right(int64_t queries, int64_t keys);
// Query i, counted as in causal_lower_right, sees the `left` keys before it, itself, and the
// `right` ones after it (Beltagy et al. 2020). Throws ShapeError for negative numbers.
Tensor sliding_window(int64_t queries, int64_t keys, int64_t left, int64_t right = 0);
// f32 (size, size): minus infinity above the diagonal, else 0, as PyTorch's Transformer has it.
Tensor generate_square_subsequent_mask(int64_t size);

// ---- Encodings that are added -------------------------------------------------------------------

// (count, width) f32: sin(p / base^(2 i / width)) at 2 i, the cosine at 2 i + 1 (Vaswani et al.
// 2017). `first` is the position of the first row.
Tensor sinusoidal_positions(int64_t count, int64_t width, double base = 10000, int64_t first = 0);
// x + sinusoidal_positions(T, C): (N, T, C) -> (N, T, C).
struct SinusoidalPositions : Module {
  explicit SinusoidalPositions(double base = 10000) : base(base) {}
  Tensor operator()(const Tensor& x, int64_t first = 0, Where where = Where::current()) const;
  double base;
};
// x + weight[first : first + T]: (N, T, C) -> (N, T, C), for at most `count` positions.
struct LearnedPositions : Module {
  LearnedPositions(int64_t count, int64_t width);
  Tensor operator()(const Tensor& x, int64_t first = 0, Where where = Where::current()) const;
  Parameter weight;  // (count, C), normal with deviation 0.02
  GLIA_FIELDS(weight)
};

// ---- Rotations ----------------------------------------------------------------------------------

struct RotaryOptions {
  double base = 10000;
  // Which features are turned together: 2 i and 2 i + 1, as in the paper, or i and i + D / 2.
  bool interleaved = true;
  int64_t size = 0;   // only so many first features are turned; 0: all
  int64_t first = 0;  // the first row's position; changing it makes no new plan
};
// Turns pairs of features of queries or keys x (..., T, D) by the angle p / base^(2 i / D) at
// position p, so that products depend on distances alone (Su et al., "RoFormer", 2021).
Tensor rotary(const Tensor& x, const RotaryOptions& options = {}, Where where = Where::current());

// ---- Biases of scores ---------------------------------------------------------------------------

// The slopes (heads) f32 of ALiBi: 2^(-8 h / heads) for a power of two (Press et al. 2022).
Tensor alibi_slopes(int64_t heads);
// (heads, T, S) f32: minus slope times the distance between query and key, the last query standing
// at the last key. Added to scores, as a mask of floats.
Tensor alibi(int64_t heads, int64_t queries, int64_t keys);

struct RelativeBucketOptions {
  bool bidirectional = true;
  int64_t num_buckets = 32, max_distance = 128;
};
// Buckets i64 of key positions less query positions (...) i64: one for each small distance, beyond
// that in logarithmic steps (Raffel et al., "T5", 2020).
Tensor relative_position_bucket(const Tensor& relative, const RelativeBucketOptions& options = {},
                                Where where = Where::current());
// A learned bias of scores for each bucket and head: (heads, T, S), the last query standing at the
// last key. The weight's name in T5 is relative_attention_bias.
struct RelativePositionBias : Module {
  explicit RelativePositionBias(int64_t heads, const RelativeBucketOptions& options = {});
  Tensor operator()(int64_t queries, int64_t keys, Where where = Where::current()) const;
  RelativeBucketOptions options;
  Embedding relative_attention_bias;  // (buckets, heads)
  GLIA_FIELDS(relative_attention_bias)
};

// Attention whose keys and values have a part for each distance j - i, clipped to `most` either way
// (Shaw et al. 2018): q (..., H, T, D), k and v (..., H, S, D) -> (..., H, T, D). The mask is bool,
// true where a query sees a key, or floats that are added.
struct RelativeAttention : Module {
  RelativeAttention(int64_t size, int64_t most);
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {},
                    Where where = Where::current()) const;
  int64_t most;
  Parameter key_table, value_table;  // (2 most + 1, D)
  GLIA_FIELDS(key_table, value_table)
};

}  // namespace glia::nn
