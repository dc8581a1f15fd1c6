// Attention layers, positions, the cache and transformers, against plain formulas.
#include <gtest/gtest.h>

#include <algorithm>

#include "glia/autodiff.h"
#include "glia/nn/transformer.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using namespace nn;

Tensor f32(const Shape& shape, double phase = 0) { return cast(numbers(shape, phase), kF32); }
double apart(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape().str(), b.shape().str());
  return max(abs(cast(a, kF64) - cast(b, kF64))).item();
}

TEST(Scores, AreTheirFormulas) {
  const Tensor q = numbers({2, 3, 4}, 1), k = numbers({2, 5, 4}, 2), v = numbers({2, 5, 6}, 3);
  for (const Score score :
       {Score::kDot, Score::kScaledDot, Score::kGeneral, Score::kConcat, Score::kAdditive}) {
    ScoreAttention layer(4, 4, {.score = score, .hidden = 7});
    layer.to(kF64);
    const AttentionResult got = layer(q, k, v);
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 3; ++i) {
        const Tensor qi = index(q, {n, i});
        std::vector<Tensor> scores;
        for (int64_t j = 0; j < 5; ++j) {
          const Tensor kj = index(k, {n, j});
          switch (score) {
            case Score::kDot:
              scores.push_back(sum(qi * kj));
              break;
            case Score::kScaledDot:
              scores.push_back(sum(qi * kj) / 2);
              break;
            case Score::kGeneral:
              scores.push_back(sum(matmul(qi, layer.weight) * kj));
              break;
            default:
              scores.push_back(
                  sum(layer.v * tanh(matmul(layer.weight_q, qi) + matmul(layer.weight_k, kj))));
          }
        }
        const Tensor e = exp(stack(scores)), weights = e / sum(e);
        expect_same(index(got.weights, {n, i}), weights, 1e-13);
        expect_same(index(got.out, {n, i}), matmul(weights, index(v, {n})), 1e-13);
      }
  }
  EXPECT_THROW(ScoreAttention(3, 4), ShapeError);
  EXPECT_THROW(additive_scores(q, k, zeros({3})), ShapeError);
  EXPECT_THROW(attend(zeros({2, 3}), Tensor()), ShapeError);
}

TEST(Scores, MasksLeaveOut) {
  const Tensor s = numbers({3, 5}), v = numbers({5, 2}, 1);
  const Tensor mask = sliding_window(3, 5, 1);
  const AttentionResult got = attend(s, v, mask);
  for (int64_t i = 0; i < 3; ++i) {
    const Slice own{i + 1, i + 3};
    expect_same(index(got.out, {i}), matmul(softmax(index(s, {i, own})), slice(v, 0, own)), 1e-13);
  }
  expect_same(attend(s, v, where(mask, 0.0, -INFINITY)).out, got.out, 1e-13);
  const AttentionResult blind = attend(s, v, unsqueeze(arange(3) > 0, 1));
  expect_values(index(blind.out, {0}), {2}, {0, 0});
  EXPECT_THROW(attend(s, v, zeros({4, 5})), ShapeError);
  EXPECT_THROW(attend(s, v, zeros({3, 5}, kI64)), ShapeError);
  const auto f = [&](const std::vector<Tensor>& t) { return attend(t[0], t[1], mask).out; };
  EXPECT_EQ(gradcheck(f, {s, v}), "");
  EXPECT_EQ(gradgradcheck(f, {s, v}), "");
}

TEST(Masks, AreAligned) {
  expect_values(causal_upper_left(2, 3), {2, 3}, {1, 0, 0, 1, 1, 0});
  expect_values(causal_lower_right(2, 3), {2, 3}, {1, 1, 0, 1, 1, 1});
  expect_values(sliding_window(2, 4, 1), {2, 4}, {0, 1, 1, 0, 0, 0, 1, 1});
  expect_values(sliding_window(2, 2, 0, 1), {2, 2}, {1, 1, 0, 1});
  expect_values(generate_square_subsequent_mask(2), {2, 2}, {0, -INFINITY, 0, 0});
  EXPECT_THROW(causal_upper_left(-1, 2), ShapeError);
  EXPECT_THROW(sliding_window(2, 2, -1), ShapeError);
  EXPECT_THROW(causal_lower_right(INT64_MAX, INT64_MAX), ShapeError);
}

TEST(Positions, SinusoidsAndTables) {
  const Tensor p = sinusoidal_positions(7, 6);
  for (int64_t t = 0; t < 7; ++t)
    for (int64_t i = 0; i < 3; ++i) {
      const double angle = static_cast<double>(t) / std::pow(10000, 2.0 * double(i) / 6);
      EXPECT_NEAR(index(p, {t, 2 * i}).item(), std::sin(angle), 1e-6);
      EXPECT_NEAR(index(p, {t, 2 * i + 1}).item(), std::cos(angle), 1e-6);
    }
  expect_same(sinusoidal_positions(3, 6, 10000, 4), slice(p, 0, {4, 7}), 1e-6);
  EXPECT_EQ(sinusoidal_positions(3, 5).shape().str(), "(3, 5)");
  const LearnedPositions table(8, 4);
  const Tensor x = f32({2, 3, 4});
  expect_same(table(x, 5), x + slice(table.weight, 0, {5, 8}));
  EXPECT_THROW(table(x, 6), ShapeError);
  EXPECT_THROW(table(x, -1), ShapeError);
  EXPECT_THROW(table(x, INT64_MAX), ShapeError);
  expect_same(SinusoidalPositions()(x), x + sinusoidal_positions(3, 4));
}

TEST(Rotary, TurnsPairsAndDependsOnDistances) {
  const Tensor x = numbers({2, 5, 6});
  for (const bool interleaved : {true, false}) {
    const Tensor y = rotary(x, {.interleaved = interleaved, .first = 3});
    for (int64_t t = 0; t < 5; ++t)
      for (int64_t i = 0; i < 3; ++i) {
        const double angle = static_cast<double>(t + 3) * std::pow(10000, -2.0 * double(i) / 6);
        const int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + 3;
        const double u = index(x, {1, t, a}).item(), v = index(x, {1, t, b}).item();
        EXPECT_NEAR(index(y, {1, t, a}).item(), u * std::cos(angle) - v * std::sin(angle), 1e-12);
        EXPECT_NEAR(index(y, {1, t, b}).item(), u * std::sin(angle) + v * std::cos(angle), 1e-12);
      }
    const auto scores = [&](int64_t first) {
      const Tensor z = rotary(x, {.interleaved = interleaved, .first = first});
      return matmul(z, transpose(z));
    };
    expect_same(scores(0), scores(1000), 1e-10);
  }
  const Tensor part = rotary(x, {.size = 4});
  expect_same(slice(part, -1, {4, 6}), slice(x, -1, {4, 6}));
  expect_same(slice(part, -1, {0, 4}), rotary(slice(x, -1, {0, 4})));
  EXPECT_THROW(rotary(zeros({2, 3})), ShapeError);
  EXPECT_THROW(rotary(x, {.size = 8}), ShapeError);
  EXPECT_THROW(rotary(x, {.size = -2}), ShapeError);
  EXPECT_THROW(rotary(zeros({2, 4}, kI64)), ShapeError);
  EXPECT_EQ(rotary(cast(x, kBF16)).dtype(), kBF16);
}

TEST(Biases, OfAlibiAndBuckets) {
  expect_values(alibi_slopes(4), {4}, {0.25, 0.0625, 0.015625, 0.00390625});
  expect_values(alibi_slopes(3), {3}, {0.0625, 0.00390625, 0.25});
  expect_values(index(alibi(4, 2, 3), {0}), {2, 3}, {-0.25, 0, -0.25, -0.5, -0.25, 0});
  EXPECT_THROW(alibi_slopes(0), ShapeError);
  EXPECT_THROW(alibi(INT64_MAX, 2, 2), ShapeError);
  // T5's own table: small distances have a bucket each, far ones share.
  const Tensor d = tensor({int64_t{0}, int64_t{-1}, int64_t{-7}, int64_t{-8}, int64_t{-20},
                           int64_t{-127}, int64_t{-9999}, int64_t{1}, int64_t{8}, int64_t{500}});
  expect_values(relative_position_bucket(d), {10}, {0, 1, 7, 8, 10, 15, 15, 17, 24, 31});
  expect_values(relative_position_bucket(d, {.bidirectional = false}), {10},
                {0, 1, 7, 8, 17, 31, 31, 0, 0, 0});
  EXPECT_THROW(relative_position_bucket(d, {.num_buckets = 2}), ShapeError);
  EXPECT_THROW(relative_position_bucket(zeros({3})), ShapeError);
  const RelativePositionBias bias(3);
  const Tensor b = bias(2, 4);
  EXPECT_EQ(b.shape().str(), "(3, 2, 4)");
  expect_same(index(b, {Slice{}, 0, 1}), index(b, {Slice{}, 1, 2}));
}

TEST(Biases, OfShawAreTheFormula) {
  RelativeAttention layer(4, 2);
  layer.to(kF64);
  const Tensor q = numbers({2, 5, 4}), k = numbers({2, 5, 4}, 1), v = numbers({2, 5, 4}, 2);
  const Tensor got = layer(q, k, v, causal_upper_left(5, 5));
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t i = 0; i < 5; ++i) {
      std::vector<Tensor> scores, values;
      for (int64_t j = 0; j <= i; ++j) {
        const int64_t at = std::max<int64_t>(j - i, -2) + 2;
        scores.push_back(sum(index(q, {h, i}) * (index(k, {h, j}) + index(layer.key_table, {at}))) /
                         2);
        values.push_back(index(v, {h, j}) + index(layer.value_table, {at}));
      }
      expect_same(index(got, {h, i}), matmul(softmax(stack(scores)), stack(values)), 1e-12);
    }
}

// Heads one by one.
TEST(MultiheadAttention, IsItsFormula) {
  for (const int64_t kv_heads : {4, 2, 1}) {
    MultiheadAttention layer(8, 4, {.num_kv_heads = kv_heads});
    layer.to(kF64);
    layer.in_proj_bias = numbers(layer.in_proj_bias.shape(), 5);
    const Tensor x = numbers({2, 3, 8});
    const AttentionResult got = layer(x, x, x, {.average_attn_weights = false, .is_causal = true});
    const Tensor all = linear(x, layer.in_proj_weight, layer.in_proj_bias);
    std::vector<Tensor> heads;
    for (int64_t h = 0; h < 4; ++h) {
      const int64_t g = h / (4 / kv_heads);
      const auto cut = [&](int64_t at) { return slice(all, 2, {at, at + 2}); };
      const Tensor q = cut(2 * h), k = cut(8 + 2 * g), v = cut(8 + 2 * kv_heads + 2 * g);
      const AttentionResult one =
          attend(matmul(q, transpose(k)) / std::sqrt(2.0), v, causal_upper_left(3, 3));
      heads.push_back(one.out);
      expect_same(index(got.weights, {Slice{}, h}), one.weights, 1e-13);
    }
    expect_same(got.out, layer.out_proj(concat(heads, 2)), 1e-13);
  }
}

TEST(MultiheadAttention, WeightsAndDropoutTakeTheOtherWayToTheSame) {
  MultiheadAttention layer(8, 2,
                           {.add_bias_kv = true, .add_zero_attn = true, .kdim = 3, .vdim = 5});
  const Tensor q = f32({2, 4, 8}), k = f32({2, 6, 3}, 1), v = f32({2, 6, 5}, 2);
  const Tensor padding = arange(6) >= unsqueeze(tensor({int64_t{4}, int64_t{6}}), 1);
  const auto r = layer(q, k, v, {.key_padding_mask = padding});
  EXPECT_EQ(r.weights.shape().str(), "(2, 4, 8)");
  expect_same(sum(r.weights, {-1}), ones({2, 4}), 1e-6);
  expect_values(max(index(r.weights, {0, Slice{}, Slice{4, 6}})), {}, {0});
  EXPECT_GT(min(index(r.weights, {0, Slice{}, Slice{6}})).item(), 0);
  layer.options.dropout = 1e-12;
  EXPECT_LE(apart(layer(q, k, v, {.key_padding_mask = padding}).out, r.out), 1e-6);
  layer.options.dropout = 0.5;
  EXPECT_GT(apart(layer(q, k, v, {.need_weights = false}).out, r.out), 1e-3);
  layer.eval();
  EXPECT_LE(apart(layer(q, k, v, {.key_padding_mask = padding, .need_weights = false}).out, r.out),
            1e-6);
  EXPECT_FALSE(layer(q, k, v, {.need_weights = false}).weights.defined());
}

TEST(MultiheadAttention, TheCacheGivesWhatTheWholeSequenceGives) {
  for (const int64_t kv_heads : {4, 1}) {
    const MultiheadAttention layer(16, 4, {.num_kv_heads = kv_heads, .rotary = RotaryOptions{}});
    const Tensor x = f32({2, 70, 16});
    const Tensor want = layer(x, x, x, {.need_weights = false, .is_causal = true}).out;
    const NoGrad off;
    KVCache cache;
    std::vector<Tensor> out;
    for (int64_t t = 0; t < 70;) {
      const int64_t n = t == 0 ? 5 : t == 40 ? 3 : 1;
      const Tensor now = slice(x, 1, {t, t + n});
      const auto r = layer(now, now, now, {.is_causal = true, .cache = &cache});
      EXPECT_EQ(r.weights.shape().str(), Shape({2, n, t + n}).str());
      out.push_back(r.out);
      eval(r.out);
      t += n;
    }
    EXPECT_EQ(cache.length, 70);
    EXPECT_LE(apart(concat(out, 1), want), 1e-5);
  }
}

TEST(MultiheadAttention, RefusesWhatDoesNotFit) {
  const MultiheadAttention layer(8, 2);
  const Tensor x = zeros({2, 3, 8});
  EXPECT_THROW(MultiheadAttention(8, 3), ShapeError);
  EXPECT_THROW(MultiheadAttention(8, 4, {.num_kv_heads = 3}), ShapeError);
  EXPECT_THROW(MultiheadAttention(8, 2, {.dropout = 2}), ShapeError);
  EXPECT_THROW(MultiheadAttention(-8, 2), ShapeError);
  EXPECT_THROW(layer(x, x, zeros({2, 4, 8})), ShapeError);
  EXPECT_THROW(layer(zeros({8}), x, x), ShapeError);
  EXPECT_THROW(layer(x, x, x, {.key_padding_mask = zeros({2, 4}, kBool)}), ShapeError);
  EXPECT_NE(message_of<ShapeError>([&] {
              layer(x, x, x, {.attn_mask = zeros({2, 3})});
            }).find("attn_mask (2, 3) is neither (3, 3) nor (4, 3, 3)"),
            std::string::npos);
  EXPECT_THROW(layer(x, x, x, {.attn_mask = zeros({3, 3}, kI64)}), ShapeError);
  KVCache cache;
  EXPECT_THROW(MultiheadAttention(8, 2, {.add_zero_attn = true})(x, x, x, {.cache = &cache}),
               ShapeError);
  layer(x, x, x, {.cache = &cache});
  const Tensor other = zeros({3, 1, 8});
  EXPECT_THROW(layer(other, other, other, {.cache = &cache}), ShapeError);
  EXPECT_EQ(cache.length, 3);
}

TEST(MultiheadAttention, IsTheSameInEveryMode) {
  const MultiheadAttention layer(8, 4, {.num_kv_heads = 2, .rotary = RotaryOptions{}});
  const Tensor x = f32({3, 2, 5, 8});
  const auto f = [&](const std::vector<Tensor>& t) {
    return layer(t[0], t[0], t[0], {.need_weights = false, .is_causal = true}).out;
  };
  const auto gradient = [&] {
    const Tensor in = trainable(index(x, {0}));
    const auto g = gradients(sum(square(f({in}))), {in, layer.in_proj_weight.tensor()});
    eval(g);
    return g;
  };
  const int before = num_threads();
  set_num_threads(1);
  const auto want = gradient();
  set_num_threads(3);
  const auto got = gradient();
  set_num_threads(before);
  set_eager(true);
  const auto eager = gradient();
  set_eager(false);
  for (size_t i = 0; i < want.size(); ++i) {
    expect_same(got[i], want[i]);
    EXPECT_LE(apart(eager[i], want[i]), 1e-4);
  }
  const Tensor mapped = vmap(f)({x});
  for (int64_t i = 0; i < 3; ++i) EXPECT_LE(apart(index(mapped, {i}), f({index(x, {i})})), 1e-5);
  MultiheadAttention half = layer;
  half.to(kBF16);
  const Tensor y = cast(index(x, {0}), kBF16);
  const auto r = half(y, y, y, {.is_causal = true});
  EXPECT_EQ(r.out.dtype(), kBF16);
  EXPECT_LE(apart(r.out, f({index(x, {0})})), 0.03);
}

TEST(Transformer, HasPyTorchsNames) {
  const Transformer net({.d_model = 8,
                         .nhead = 2,
                         .num_encoder_layers = 1,
                         .num_decoder_layers = 2,
                         .dim_feedforward = 16});
  std::vector<std::string> names;
  for (const auto& [name, value] : net.state_dict()) names.push_back(name);
  EXPECT_EQ(names.size(), 12u + 2 + 2 * 18 + 2);
  for (const char* name : {"encoder.layers.0.self_attn.in_proj_weight", "encoder.norm.weight",
                           "decoder.layers.1.multihead_attn.out_proj.bias", "decoder.norm.bias",
                           "decoder.layers.0.norm3.weight"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  EXPECT_GT(net.encoder.layers[0].linear1.weight.shape()[0], 0);
}

TEST(Transformer, CausalIsTheMask) {
  Transformer net({.d_model = 8,
                   .nhead = 2,
                   .num_encoder_layers = 2,
                   .num_decoder_layers = 2,
                   .dim_feedforward = 16,
                   .dropout = 0,
                   .norm_first = true});
  const Tensor src = f32({2, 5, 8}), tgt = f32({2, 4, 8}, 1);
  const Tensor mask = generate_square_subsequent_mask(4);
  EXPECT_LE(apart(net(src, tgt, {.tgt_mask = mask}), net(src, tgt, {.tgt_is_causal = true})), 1e-6);
  // A later token changes nothing before it.
  const Tensor other = index_update(tgt, {Slice{}, Slice{3, 4}}, zeros({1}));
  const auto seen = [&](const Tensor& t) {
    return slice(net(src, t, {.tgt_is_causal = true}), 1, {0, 3});
  };
  expect_same(seen(tgt), seen(other), 1e-6);
  const Tensor alone = net(index(src, {0}), index(tgt, {0}), {.tgt_mask = mask});
  expect_same(alone, index(net(src, tgt, {.tgt_mask = mask}), {0}), 1e-5);
}

TEST(Transformer, Derivatives) {
  for (const bool first : {false, true}) {
    TransformerDecoderLayer layer(
        4, 2, {.dim_feedforward = 5, .dropout = 0, .activation = gelu, .norm_first = first});
    layer.to(kF64);
    const auto f = [&](const std::vector<Tensor>& t) {
      return layer(t[0], t[1], {.tgt_is_causal = true});
    };
    const std::vector<Tensor> in{numbers({2, 3, 4}), numbers({2, 4, 4}, 1)};
    EXPECT_EQ(gradcheck(f, in), "");
    EXPECT_EQ(gradgradcheck(f, in), "");
  }
  EXPECT_THROW(TransformerEncoder(TransformerEncoderLayer(4, 2), 0), ShapeError);
  EXPECT_THROW(TransformerEncoderLayer(4, 2)(Tensor()), ShapeError);
}

}  // namespace
}  // namespace glia::test
