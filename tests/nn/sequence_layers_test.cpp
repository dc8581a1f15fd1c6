// Sequences of different lengths, variants of the LSTM and cells, against plain loops.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/nn/recurrent.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using nn::RecurrentOptions;

const std::vector<int64_t> kLengths{3, 6, 1, 4};
Tensor lengths() { return tensor({int64_t{3}, int64_t{6}, int64_t{1}, int64_t{4}}); }

struct Outputs {
  Tensor out, h, c;
};
Outputs call(const nn::LSTM& l, const Tensor& x, const Tensor& h, const Tensor& c,
             const Tensor& n = {}) {
  const LSTMResult r = l(x, h, c, n);
  return {r.out, r.h, r.c};
}
Outputs call(const nn::PeepholeLSTM& l, const Tensor& x, const Tensor& h, const Tensor& c,
             const Tensor& n = {}) {
  const LSTMResult r = l(x, h, c, n);
  return {r.out, r.h, r.c};
}
Outputs call(const nn::LayerNormLSTM& l, const Tensor& x, const Tensor& h, const Tensor& c,
             const Tensor& n = {}) {
  const LSTMResult r = l(x, h, c, n);
  return {r.out, r.h, r.c};
}
Outputs call(const nn::GRU& l, const Tensor& x, const Tensor& h, const Tensor&,
             const Tensor& n = {}) {
  const RNNResult r = l(x, h, n);
  return {r.out, r.h, {}};
}
Outputs call(const nn::RNN& l, const Tensor& x, const Tensor& h, const Tensor&,
             const Tensor& n = {}) {
  const RNNResult r = l(x, h, n);
  return {r.out, r.h, {}};
}

// All sequences at once with lengths, and each by itself, with gradients of everything.
template <class Layer>
void expect_as_each_alone(Layer layer, DType dtype, double tolerance) {
  layer.to(dtype);
  const int64_t n = 4, states = static_cast<int64_t>(layer.weights.size());
  const Tensor x = cast(numbers({6, n, 3}, 1), dtype);
  const Tensor h0 = cast(numbers({states, n, layer.state_size()}, 2), dtype),
               c0 = cast(numbers({states, n, layer.hidden_size}, 3), dtype);
  // What stands behind the ends has no influence, not even if it is no number.
  const Tensor there = unsqueeze(unsqueeze(arange(6), 1) < lengths(), -1);
  const Outputs all = call(layer, where(there, x, NAN), h0, c0, lengths());
  std::vector<Tensor> out, h, c;
  for (int64_t i = 0; i < n; ++i) {
    const Slice own{i, i + 1};
    const Outputs one =
        call(layer, index(x, {Slice{0, kLengths[i]}, own}), slice(h0, 1, own), slice(c0, 1, own));
    out.push_back(pad(one.out, {{0, 6 - kLengths[i]}, {0, 0}, {0, 0}}));
    h.push_back(one.h);
    if (one.c.defined()) c.push_back(one.c);
  }
  const Outputs want{concat(out, 1), concat(h, 1), c.empty() ? Tensor() : concat(c, 1)};
  const auto loss = [](const Outputs& o) {
    Tensor sum_all = sum(o.out * cast(numbers(o.out.shape(), 4), o.out.dtype())) +
                     sum(o.h * cast(numbers(o.h.shape(), 5), o.h.dtype()));
    return o.c.defined() ? sum_all + sum(square(o.c)) : sum_all;
  };
  const auto got_g = gradients(loss(all), layer.parameters()),
             want_g = gradients(loss(want), layer.parameters());
  expect_same(cast(all.out, kF64), cast(want.out, kF64), tolerance);
  expect_same(cast(all.h, kF64), cast(want.h, kF64), tolerance);
  if (all.c.defined()) expect_same(cast(all.c, kF64), cast(want.c, kF64), tolerance);
  for (size_t i = 0; i < got_g.size(); ++i)
    expect_same(cast(got_g[i], kF64), cast(want_g[i], kF64),
                tolerance * std::max(1.0, max(abs(want_g[i])).item()));
}

TEST(SequenceLengths, AreAsEachSequenceAlone) {
  for (const DType dtype : {kF32, kF64}) {
    const double tolerance = dtype == kF32 ? 1e-5 : 1e-12;
    const RecurrentOptions o{.num_layers = 2, .bidirectional = true};
    expect_as_each_alone(nn::LSTM(3, 5, o), dtype, tolerance);
    expect_as_each_alone(nn::GRU(3, 5, o), dtype, tolerance);
    expect_as_each_alone(nn::RNN(3, 5, o), dtype, tolerance);
    expect_as_each_alone(nn::RNN(3, 5, o, RNNNonlinearity::kReLU), dtype, tolerance);
    expect_as_each_alone(nn::LSTM(3, 5, {.num_layers = 2, .bidirectional = true, .proj_size = 2}),
                         dtype, tolerance);
    expect_as_each_alone(nn::PeepholeLSTM(3, 5, o), dtype, tolerance);
    expect_as_each_alone(nn::PeepholeLSTM(3, 5, {}, nn::PeepholeForm::kArticle), dtype, tolerance);
    expect_as_each_alone(nn::LayerNormLSTM(3, 5, o), dtype, tolerance);
  }
}

TEST(SequenceLengths, OfZeroLeaveTheState) {
  const nn::LSTM layer(3, 5);
  const Tensor x = cast(numbers({4, 2, 3}), kF32), h = cast(numbers({1, 2, 5}, 1), kF32);
  const LSTMResult r = layer(x, h, h * 2, tensor({int64_t{0}, int64_t{4}}));
  expect_same(slice(r.h, 1, {0, 1}), slice(h, 1, {0, 1}));
  expect_same(slice(r.c, 1, {0, 1}), slice(h, 1, {0, 1}) * 2);
  expect_values(max(abs(index(r.out, {Slice{}, 0}))), {}, {0});
  const nn::GRU gru(3, 5);
  expect_same(slice(gru(x, h, tensor({int64_t{0}, int64_t{4}})).h, 1, {0, 1}), slice(h, 1, {0, 1}));
}

TEST(SequenceLengths, OutOfRangeAreRefused) {
  const nn::GRU layer(3, 5);
  const Tensor x = zeros({4, 2, 3});
  for (const auto& bad : {tensor({int64_t{-1}, int64_t{4}}), tensor({int64_t{2}, int64_t{5}})})
    EXPECT_NE(message_of<ShapeError>([&] { layer(x, {}, bad); }).find("is not from 0 to 4"),
              std::string::npos);
  EXPECT_THROW(layer(x, {}, tensor({int64_t{2}})), ShapeError);
  EXPECT_THROW(layer(x, {}, tensor({1.0, 2.0})), ShapeError);
  EXPECT_THROW(layer(zeros({4, 3}), {}, tensor({int64_t{2}})), ShapeError);
}

TEST(PackedSequence, PacksPadsAndRunsAsLengths) {
  const Tensor x = cast(numbers({6, 4, 3}), kF32);
  EXPECT_NE(message_of<ShapeError>([&] {
              nn::pack_padded_sequence(x, lengths());
            }).find("enforce_sorted"),
            std::string::npos);
  const nn::PackedSequence p = nn::pack_padded_sequence(x, lengths(), false, false);
  EXPECT_EQ(p.data.shape().str(), "(14, 3)");
  expect_values(p.batch_sizes, {6}, {4, 3, 3, 2, 1, 1});
  expect_values(p.sorted_indices, {4}, {1, 3, 0, 2});
  expect_values(p.unsorted_indices, {4}, {2, 0, 3, 1});
  expect_values(p.lengths(), {4}, {3, 6, 1, 4});
  const nn::PaddedSequence back = nn::pad_packed_sequence(p, true, -1, 7);
  EXPECT_EQ(back.out.shape().str(), "(4, 7, 3)");
  const Tensor there = unsqueeze(arange(7) < unsqueeze(lengths(), 1), -1);
  expect_same(back.out, where(there, pad(transpose(x, 0, 1), {{0, 0}, {0, 1}, {0, 0}}), -1));
  const nn::LSTM layer(3, 5, {.num_layers = 2, .bidirectional = true});
  const nn::PackedResult got = layer(p);
  const LSTMResult want = layer(x, {}, {}, lengths());
  expect_same(nn::pad_packed_sequence(got.out).out, want.out);
  expect_same(got.h, want.h);
  expect_same(got.c, want.c);
}

TEST(PackedSequence, OfAListAndBack) {
  const std::vector<Tensor> list{cast(numbers({2, 3}), kF32), cast(numbers({4, 3}, 1), kF32)};
  const Tensor padded = nn::pad_sequence(list, true, 7);
  EXPECT_EQ(padded.shape().str(), "(2, 4, 3)");
  EXPECT_EQ(index(padded, {0, 3, 1}).item(), 7);
  const Tensor left = nn::pad_sequence(list, false, 0, nn::PaddingSide::kLeft);
  expect_same(index(left, {Slice{2}, 0}), list[0]);
  const auto again = nn::unpad_sequence(padded, tensor({int64_t{2}, int64_t{4}}), true);
  for (size_t i = 0; i < 2; ++i) expect_same(again[i], list[i]);
  EXPECT_EQ(nn::pack_sequence(list, false).data.shape().str(), "(6, 3)");
  EXPECT_THROW(nn::pack_sequence({}), ShapeError);
  EXPECT_THROW(nn::PackedSequence{}.lengths(), ShapeError);
  const nn::PackedSequence odd{zeros({3, 2}), tensor({int64_t{1}, int64_t{2}})};
  EXPECT_THROW(nn::pad_packed_sequence(odd), ShapeError);
  const nn::PackedSequence huge{zeros({3, 2}), tensor({INT64_MAX, INT64_MAX})};
  EXPECT_THROW(nn::pad_packed_sequence(huge), ShapeError);
}

// The formulas, step by step.
TEST(RecurrentVariants, AreTheirFormulas) {
  const Tensor x = numbers({3, 2, 4}), h0 = numbers({1, 2, 5}, 1), c0 = numbers({1, 2, 5}, 2);
  for (const auto form : {nn::PeepholeForm::kGraves, nn::PeepholeForm::kArticle}) {
    nn::PeepholeLSTM layer(4, 5, {}, form);
    layer.to(kF64);
    const auto& w = layer.weights[0];
    const auto& p = layer.peepholes[0];
    Tensor h = index(h0, {0}), c = index(c0, {0});
    const bool article = form == nn::PeepholeForm::kArticle;
    const auto peep = [&](const Tensor& cell, const Parameter& weight) {
      return article ? matmul(cell, transpose(weight)) : cell * weight;
    };
    for (int64_t t = 0; t < 3; ++t) {
      const Tensor z = matmul(index(x, {t}), transpose(w.weight_ih)) + w.bias_ih +
                       matmul(h, transpose(w.weight_hh)) + w.bias_hh;
      const auto parts = split(z, 5, 1);
      const Tensor next = sigmoid(parts[1] + peep(c, p.weight_cf)) * c +
                          sigmoid(parts[0] + peep(c, p.weight_ci)) * tanh(parts[2]);
      h = sigmoid(parts[3] + peep(article ? c : next, p.weight_co)) * tanh(next);
      c = next;
    }
    const LSTMResult r = layer(x, h0, c0);
    expect_same(index(r.h, {0}), h, 1e-13);
    expect_same(index(r.c, {0}), c, 1e-13);
  }
}

TEST(RecurrentVariants, PeepholesOfZeroAndNoProjectionAreTheLstm) {
  nn::PeepholeLSTM peeping(3, 4, {.num_layers = 2});
  for (auto& p : peeping.peepholes)
    for (Parameter* w : {&p.weight_ci, &p.weight_cf, &p.weight_co}) *w = zeros({4});
  nn::LSTM plain(3, 4, {.num_layers = 2});
  StateDict values;
  for (const auto& [name, value] : peeping.state_dict())
    if (name.find("weight_c") == name.npos) values.emplace_back(name, value);
  plain.load_state_dict(values);
  const Tensor x = cast(numbers({5, 2, 3}), kF32);
  expect_same(peeping(x).out, plain(x).out, 1e-6);
  EXPECT_EQ(peeping.state_dict().size(), values.size() + 6);
}

TEST(RecurrentVariants, OptionsAreChecked) {
  EXPECT_THROW(nn::GRU(3, 4, {.proj_size = 2}), ShapeError);
  EXPECT_THROW(nn::LSTM(3, 4, {.proj_size = 4}), ShapeError);
  EXPECT_THROW(nn::LSTM(3, 4, {.proj_size = -1}), ShapeError);
  EXPECT_THROW(nn::RNN(3, 4, {.forget_bias = 1}), ShapeError);
  const nn::LSTM layer(3, 2, {.forget_bias = 1});
  expect_values(slice(layer.weights[0].bias_ih + layer.weights[0].bias_hh, 0, {2, 4}), {2}, {1, 1});
}

TEST(RecurrentCells, AreLayersOfOneStep) {
  const Tensor x = cast(numbers({2, 3}), kF32), h = cast(numbers({2, 4}, 1), kF32);
  nn::LSTMCell cell(3, 4);
  nn::LSTM layer(3, 4);
  StateDict values;
  for (const auto& [name, value] : cell.state_dict()) values.emplace_back(name + "_l0", value);
  layer.load_state_dict(values);
  const nn::LSTMState s = cell(x, {h, h * 2});
  const LSTMResult r = layer(unsqueeze(x, 0), unsqueeze(h, 0), unsqueeze(h * 2, 0));
  expect_same(s.h, index(r.h, {0}));
  expect_same(s.c, index(r.c, {0}));
  expect_same(cell(index(x, {0}), {index(h, {0}), index(h, {0}) * 2}).h, index(s.h, {0}), 1e-6);
  EXPECT_EQ(nn::GRUCell(3, 4)(x).shape().str(), "(2, 4)");
  EXPECT_EQ(nn::RNNCell(3, 4, {.bias = false}, RNNNonlinearity::kReLU)(x, h).shape().str(),
            "(2, 4)");
  EXPECT_THROW(cell(zeros({2, 5})), ShapeError);
  EXPECT_THROW(cell(Tensor()), ShapeError);
}

TEST(RecurrentState, DetachedEndsTheGradient) {
  const nn::LSTM layer(3, 4);
  const Tensor x = cast(numbers({6, 2, 3}), kF32);
  const LSTMResult first = layer(slice(x, 0, {0, 3}));
  const nn::LSTMState kept = nn::detach(first);
  EXPECT_FALSE(kept.h.requires_grad());
  const LSTMResult rest = layer(slice(x, 0, {3, 6}), kept.h, kept.c);
  expect_same(rest.out, slice(layer(x).out, 0, {3, 6}), 1e-6);
}

TEST(RecurrentVariants, Derivatives) {
  nn::LayerNormLSTM normed(2, 3);
  nn::LSTM projected(2, 3, {.proj_size = 2});
  normed.to(kF64), projected.to(kF64);
  const Tensor n = tensor({int64_t{2}, int64_t{3}});
  const auto of = [&](const auto& layer) {
    return [&](const std::vector<Tensor>& t) { return layer(t[0], {}, {}, n).out; };
  };
  EXPECT_EQ(gradcheck(of(normed), {numbers({3, 2, 2})}), "");
  EXPECT_EQ(gradcheck(of(projected), {numbers({3, 2, 2})}), "");
  EXPECT_EQ(gradgradcheck(of(projected), {numbers({3, 2, 2})}), "");
}

}  // namespace
}  // namespace glia::test
