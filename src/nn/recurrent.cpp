// Recurrent layers, stacked and in both directions.
#include "ops/recurrent.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/nn.h"
#include "glia/random.h"

namespace glia::nn {
namespace {

void require_positive(const char* name, const char* what, int64_t value) {
  if (value < 1) throw ShapeError(fmt::format("{}: {} is {}, not positive", name, what, value));
}

// PyTorch's distribution of all weights of a recurrent layer.
Tensor drawn(const Shape& shape, int64_t hidden_size) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  return uniform(shape, -bound, bound);
}

// The second of four gates.
Tensor with_forget_gate(const Tensor& bias, double value) {
  const int64_t hidden = bias.size(0) / 4;
  return index_update(bias, {Slice{hidden, 2 * hidden}}, full({1}, value));
}

}  // namespace

Recurrent::Recurrent(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
                     const RecurrentOptions& options)
    : input_size(input_size), hidden_size(hidden_size), options(options), name_(name) {
  require_positive(name, "input_size", input_size);
  require_positive(name, "hidden_size", hidden_size);
  require_positive(name, "num_layers", options.num_layers);
  constexpr int64_t kMostLayers = 1 << 12;
  if (options.num_layers > kMostLayers)
    throw ShapeError(
        fmt::format("{}: {} layers are above {}", name, options.num_layers, kMostLayers));
  if (!(options.dropout >= 0 && options.dropout <= 1))
    throw ShapeError(fmt::format("{}: dropout {} is not in [0, 1]", name, options.dropout));
  const int64_t projected = options.proj_size;
  if (gates != 4 && (projected || options.forget_bias))
    throw ShapeError(fmt::format("{}: only an LSTM has a proj_size and a forget_bias", name));
  if (projected < 0 || projected >= hidden_size)
    if (projected != 0)
      throw ShapeError(fmt::format("{}: proj_size {} is not from 1 to hidden_size {} less one",
                                   name, projected, hidden_size));
  const auto make = [&](const Shape& shape) { return drawn(shape, hidden_size); };
  const int64_t directions = options.bidirectional ? 2 : 1,
                width = multiply_sizes(gates, hidden_size);
  for (int64_t i = 0; i < options.num_layers * directions; ++i) {
    const int64_t in = i < directions ? input_size : multiply_sizes(directions, state_size());
    Weights& w = weights.emplace_back();
    w.weight_ih = make({width, in});
    w.weight_hh = make({width, state_size()});
    if (options.bias) {
      w.bias_ih = make({width});
      w.bias_hh = make({width});
    }
    if (projected) w.weight_hr = make({projected, hidden_size});
    if (options.bias && options.forget_bias) {
      w.bias_ih = with_forget_gate(w.bias_ih, *options.forget_bias);
      w.bias_hh = with_forget_gate(w.bias_hh, 0);
    }
  }
}

std::string Recurrent::suffix(size_t i) const {
  const size_t directions = options.bidirectional ? 2 : 1;
  return fmt::format("_l{}{}", i / directions, i % directions ? "_reverse" : "");
}

void Recurrent::visit_fields(FieldVisitor& visitor) const {
  for (size_t i = 0; i < weights.size(); ++i) {
    visitor.parameter("weight_ih" + suffix(i), weights[i].weight_ih);
    visitor.parameter("weight_hh" + suffix(i), weights[i].weight_hh);
    visitor.parameter("bias_ih" + suffix(i), weights[i].bias_ih);
    visitor.parameter("bias_hh" + suffix(i), weights[i].bias_hh);
    visitor.parameter("weight_hr" + suffix(i), weights[i].weight_hr);
  }
}

LSTMResult Recurrent::run(const Input& in, const Where& where, const Step& step) const {
  return run(in, options.batch_first, where, step);
}

PackedResult Recurrent::run(const PackedSequence& x, const Tensor& h0, const Tensor& c0,
                            const Where& where, const Step& step) const {
  const PaddedSequence padded = pad_packed_sequence(x, false, 0, {}, where);
  const LSTMResult r = run({padded.out, h0, c0, padded.lengths}, false, where, step);
  PackedSequence out = pack_padded_sequence(r.out, padded.lengths, false, false, where);
  out.batch_sizes = x.batch_sizes;
  out.sorted_indices = x.sorted_indices;
  out.unsorted_indices = x.unsorted_indices;
  return {out, r.h, r.c};
}

LSTMResult Recurrent::run(const Input& given, bool batch_first, const Where& where,
                          const Step& step) const {
  const Tensor& x = given.x;
  if (!x.defined()) throw ShapeError(fmt::format("{}: x is not defined", name_), where);
  const bool batched = x.rank() == 3;
  if ((!batched && x.rank() != 2) || x.size(-1) != input_size)
    throw ShapeError(
        fmt::format("{}: needs ({}, {}) or (T, {}), got {}", name_, batch_first ? "N, T" : "T, N",
                    input_size, input_size, x.shape().str()),
        where);
  Tensor h = batched ? x : unsqueeze(x, 1, where);
  if (batched && batch_first) h = transpose(h, 0, 1, where);
  const int64_t count = static_cast<int64_t>(weights.size()), batch = h.size(1);
  const auto initial = [&](const Tensor& state, const char* what, int64_t size) {
    if (!state.defined()) return state;
    const Shape expected = batched ? Shape{count, batch, size} : Shape{count, size};
    if (state.shape() != expected)
      throw ShapeError(fmt::format("{}: {} has shape {}, not {}", name_, what, state.shape().str(),
                                   expected.str()),
                       where);
    return batched ? state : unsqueeze(state, 1, where);
  };
  const Tensor h_first = initial(given.h0, "h0", state_size()),
               c_first = initial(given.c0, "c0", hidden_size);
  if (given.lengths.defined()) {
    const Tensor& lengths = given.lengths;
    if (!batched || lengths.shape() != Shape{batch} || !is_integer(lengths.dtype()))
      throw ShapeError(fmt::format("{}: lengths {} are no integers ({},), one for each sequence",
                                   name_, lengths.shape().str(), batch),
                       where);
    for (const int64_t length : lengths.to_vector<int64_t>(where))
      if (length < 0 || length > h.size(0))
        throw ShapeError(
            fmt::format("{}: a length of {} is not from 0 to {}", name_, length, h.size(0)), where);
    // What fills up may be anything.
    const Tensor there = unsqueeze(unsqueeze(arange(h.size(0)), 1) < cast(lengths, kI64), -1);
    h = glia::where(there, h, 0);
  }
  const auto turned = [&](const Tensor& t) {
    return given.lengths.defined() ? reverse_sequences(t, given.lengths, where)
                                   : flip(t, {0}, where);
  };
  const auto of = [&](const Tensor& states, int64_t i) {
    return states.defined() ? index(states, {i}, where) : Tensor();
  };
  const int64_t directions = options.bidirectional ? 2 : 1;
  std::vector<Tensor> h_last, c_last;
  for (int64_t i = 0; i < count; i += directions) {
    std::vector<Tensor> outs;
    for (int64_t d = 0; d < directions; ++d) {
      const LSTMResult r = step(static_cast<size_t>(i + d), {d ? turned(h) : h, of(h_first, i + d),
                                                             of(c_first, i + d), given.lengths});
      outs.push_back(d ? turned(r.out) : r.out);
      h_last.push_back(r.h);
      if (r.c.defined()) c_last.push_back(r.c);
    }
    h = concat(outs, 2, where);
    if (is_training() && i + directions < count) h = dropout(h, options.dropout, where);
  }
  if (batched && batch_first) h = transpose(h, 0, 1, where);
  const auto last = [&](const std::vector<Tensor>& states) {
    if (states.empty()) return Tensor();
    const Tensor all =
        states.size() == 1 ? unsqueeze(states[0], 0, where) : stack(states, 0, where);
    return batched ? all : squeeze(all, 1, where);
  };
  return {batched ? h : squeeze(h, 1, where), last(h_last), last(c_last)};
}

// ---- Steps that are composed ----------------------------------------------------------------

namespace {

// A step from the input's part of the gates (N, 4 H) and the state.
using CellFunction = std::function<LSTMState(const Tensor& x, const LSTMState& state)>;

LSTMResult unroll(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& lengths,
                  const Shape& h_shape, const Shape& c_shape, const CellFunction& cell,
                  const Where& where) {
  if (h0.defined() != c0.defined())
    throw ShapeError("LSTM: only one of the initial states h0 and c0 is defined", where);
  const int64_t steps = x.size(0);
  LSTMState state{h0.defined() ? h0 : zeros(h_shape, x.dtype()),
                  c0.defined() ? c0 : zeros(c_shape, x.dtype())};
  Tensor there;  // (T, N, 1)
  if (lengths.defined()) there = unsqueeze(unsqueeze(arange(steps), 1) < cast(lengths, kI64), -1);
  std::vector<Tensor> out;
  for (int64_t t = 0; t < steps; ++t) {
    LSTMState next = cell(index(x, {t}, where), state);
    if (there.defined()) {
      const Tensor now = index(there, {t}, where);
      next = {glia::where(now, next.h, state.h), glia::where(now, next.c, state.c)};
      out.push_back(glia::where(now, next.h, 0));
    } else {
      out.push_back(next.h);
    }
    state = next;
  }
  Shape none = h_shape;
  none.insert(0, 0);
  return {steps ? stack(out, 0, where) : zeros(none, x.dtype()), state.h, state.c};
}

struct Gates {
  Tensor i, f, g, o;
};
Gates gates_of(const Tensor& z) {
  const int64_t hidden = z.size(1) / 4;
  const auto part = [&](int64_t k) { return slice(z, 1, {k * hidden, (k + 1) * hidden}); };
  return {part(0), part(1), part(2), part(3)};
}
Tensor sum_of(const Parameter& a, const Parameter& b) { return a.defined() ? a + b : Tensor(); }
Tensor projected(const Tensor& h, const Recurrent::Weights& w, const Where& where) {
  return w.weight_hr.defined() ? linear(h, w.weight_hr, {}, where) : h;
}

LSTMResult unroll_lstm(const Recurrent& layer, size_t i, const Tensor& x, const Tensor& h0,
                       const Tensor& c0, const Tensor& lengths, const CellFunction& cell,
                       const Where& where) {
  return unroll(x, h0, c0, lengths, {x.size(1), layer.state_size()},
                {x.size(1), layer.weights[i].weight_hh.shape()[0] / 4}, cell, where);
}

}  // namespace

Recurrent::Step LSTM::step(const Where& where) const {
  return [this, where](size_t i, const Input& in) -> LSTMResult {
    const Weights& w = weights[i];
    const Tensor w_ih = w.weight_ih, w_hh = w.weight_hh, b_ih = w.bias_ih, b_hh = w.bias_hh;
    if (!options.proj_size)
      return recurrent_layer("lstm", Recurrence::kLSTM,
                             {in.x, w_ih, w_hh, b_ih, b_hh, in.h0, in.c0, in.lengths}, where);
    const Tensor x = linear(in.x, w_ih, sum_of(w.bias_ih, w.bias_hh), where);
    const auto cell = [&](const Tensor& z, const LSTMState& s) -> LSTMState {
      const Gates k = gates_of(z + linear(s.h, w_hh, {}, where));
      const Tensor c = sigmoid(k.f) * s.c + sigmoid(k.i) * tanh(k.g);
      return {projected(sigmoid(k.o) * tanh(c), w, where), c};
    };
    return unroll_lstm(*this, i, x, in.h0, in.c0, in.lengths, cell, where);
  };
}

LSTMResult LSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0,
                            const Tensor& lengths, Where where) const {
  return run({x, h0, c0, lengths}, where, step(where));
}
PackedResult LSTM::operator()(const PackedSequence& x, const Tensor& h0, const Tensor& c0,
                              Where where) const {
  return run(x, h0, c0, where, step(where));
}

Recurrent::Step GRU::step(const Where& where) const {
  return [this, where](size_t i, const Input& in) {
    const Weights& w = weights[i];
    const Tensor w_ih = w.weight_ih, w_hh = w.weight_hh, b_ih = w.bias_ih, b_hh = w.bias_hh;
    return recurrent_layer("gru", Recurrence::kGRU,
                           {in.x, w_ih, w_hh, b_ih, b_hh, in.h0, in.c0, in.lengths}, where);
  };
}
RNNResult GRU::operator()(const Tensor& x, const Tensor& h0, const Tensor& lengths,
                          Where where) const {
  const LSTMResult all = run({x, h0, {}, lengths}, where, step(where));
  return {all.out, all.h};
}
PackedResult GRU::operator()(const PackedSequence& x, const Tensor& h0, Where where) const {
  return run(x, h0, {}, where, step(where));
}

Recurrent::Step RNN::step(const Where& where) const {
  return [this, where](size_t i, const Input& in) {
    const Weights& w = weights[i];
    const Tensor w_ih = w.weight_ih, w_hh = w.weight_hh, b_ih = w.bias_ih, b_hh = w.bias_hh;
    return recurrent_layer(
        "rnn", nonlinearity == RNNNonlinearity::kTanh ? Recurrence::kTanh : Recurrence::kReLU,
        {in.x, w_ih, w_hh, b_ih, b_hh, in.h0, in.c0, in.lengths}, where);
  };
}
RNNResult RNN::operator()(const Tensor& x, const Tensor& h0, const Tensor& lengths,
                          Where where) const {
  const LSTMResult all = run({x, h0, {}, lengths}, where, step(where));
  return {all.out, all.h};
}
PackedResult RNN::operator()(const PackedSequence& x, const Tensor& h0, Where where) const {
  return run(x, h0, {}, where, step(where));
}

// ---- Variants -------------------------------------------------------------------------------

PeepholeLSTM::PeepholeLSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options,
                           PeepholeForm form)
    : Recurrent("PeepholeLSTM", 4, input_size, hidden_size, options), form(form) {
  const Shape shape =
      form == PeepholeForm::kGraves ? Shape{hidden_size} : Shape{hidden_size, hidden_size};
  const auto make = [&] { return drawn(shape, hidden_size); };
  for (size_t i = 0; i < weights.size(); ++i)
    peepholes.push_back({Parameter(make()), Parameter(make()), Parameter(make())});
}

void PeepholeLSTM::visit_fields(FieldVisitor& visitor) const {
  Recurrent::visit_fields(visitor);
  for (size_t i = 0; i < peepholes.size(); ++i) {
    visitor.parameter("weight_ci" + suffix(i), peepholes[i].weight_ci);
    visitor.parameter("weight_cf" + suffix(i), peepholes[i].weight_cf);
    visitor.parameter("weight_co" + suffix(i), peepholes[i].weight_co);
  }
}

LSTMResult PeepholeLSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0,
                                    const Tensor& lengths, Where where) const {
  const bool article = form == PeepholeForm::kArticle;
  return run({x, h0, c0, lengths}, where, [&](size_t i, const Input& in) {
    const Weights& w = weights[i];
    const Peepholes& p = peepholes[i];
    const auto peep = [&](const Tensor& c, const Tensor& weight) {
      return article ? linear(c, weight, {}, where) : c * weight;
    };
    const auto cell = [&](const Tensor& z, const LSTMState& s) -> LSTMState {
      const Gates k = gates_of(z + linear(s.h, w.weight_hh, {}, where));
      const Tensor c = sigmoid(k.f + peep(s.c, p.weight_cf)) * s.c +
                       sigmoid(k.i + peep(s.c, p.weight_ci)) * tanh(k.g);
      const Tensor o = sigmoid(k.o + peep(article ? s.c : c, p.weight_co));
      return {projected(o * tanh(c), w, where), c};
    };
    const Tensor z = linear(in.x, w.weight_ih, sum_of(w.bias_ih, w.bias_hh), where);
    return unroll_lstm(*this, i, z, in.h0, in.c0, in.lengths, cell, where);
  });
}

LayerNormLSTM::LayerNormLSTM(int64_t input_size, int64_t hidden_size,
                             const RecurrentOptions& options, double eps)
    : Recurrent("LayerNormLSTM", 4, input_size, hidden_size, options), eps(eps) {
  const Shape gates{4 * hidden_size}, cells{hidden_size};
  for (size_t i = 0; i < weights.size(); ++i)
    norms.push_back({Parameter(ones(gates)), Parameter(ones(gates)), Parameter(ones(cells)),
                     Parameter(zeros(cells))});
}

void LayerNormLSTM::visit_fields(FieldVisitor& visitor) const {
  Recurrent::visit_fields(visitor);
  for (size_t i = 0; i < norms.size(); ++i) {
    visitor.parameter("norm_ih_weight" + suffix(i), norms[i].norm_ih_weight);
    visitor.parameter("norm_hh_weight" + suffix(i), norms[i].norm_hh_weight);
    visitor.parameter("norm_c_weight" + suffix(i), norms[i].norm_c_weight);
    visitor.parameter("norm_c_bias" + suffix(i), norms[i].norm_c_bias);
  }
}

LSTMResult LayerNormLSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0,
                                     const Tensor& lengths, Where where) const {
  return run({x, h0, c0, lengths}, where, [&](size_t i, const Input& in) {
    const Weights& w = weights[i];
    const Norms& n = norms[i];
    const auto cell = [&](const Tensor& z, const LSTMState& s) -> LSTMState {
      const Tensor product = linear(s.h, w.weight_hh, {}, where);
      const Gates k = gates_of(z + layer_norm(product, n.norm_hh_weight, w.bias_hh, 1, eps, where));
      const Tensor c = sigmoid(k.f) * s.c + sigmoid(k.i) * tanh(k.g);
      const Tensor seen = layer_norm(c, n.norm_c_weight, n.norm_c_bias, 1, eps, where);
      return {projected(sigmoid(k.o) * tanh(seen), w, where), c};
    };
    const Tensor product = linear(in.x, w.weight_ih, {}, where);
    const Tensor z = layer_norm(product, n.norm_ih_weight, w.bias_ih, 1, eps, where);
    return unroll_lstm(*this, i, z, in.h0, in.c0, in.lengths, cell, where);
  });
}

// ---- Cells ------------------------------------------------------------------------------------

RecurrentCell::RecurrentCell(const char* name, int64_t gates, int64_t input_size,
                             int64_t hidden_size, const CellOptions& options) {
  require_positive(name, "input_size", input_size);
  require_positive(name, "hidden_size", hidden_size);
  const int64_t width = multiply_sizes(gates, hidden_size);
  weight_ih = drawn({width, input_size}, hidden_size);
  weight_hh = drawn({width, hidden_size}, hidden_size);
  if (!options.bias) return;
  bias_ih = drawn({width}, hidden_size);
  bias_hh = drawn({width}, hidden_size);
}

namespace {

LSTMState one_step(const char* name, Recurrence::Cell kind, const RecurrentCell& cell,
                   const Tensor& x, const LSTMState& state, const Where& where) {
  if (!x.defined() || x.rank() < 1 || x.rank() > 2)
    throw ShapeError(fmt::format("{}: needs x (N, in) or (in), got {}", name,
                                 x.defined() ? x.shape().str() : "nothing"),
                     where);
  const bool batched = x.rank() == 2;
  const auto row = [&](const Tensor& t) {
    return batched || !t.defined() ? t : unsqueeze(t, 0, where);
  };
  const Tensor h = row(state.h), c = row(state.c), w_ih = cell.weight_ih, w_hh = cell.weight_hh,
               b_ih = cell.bias_ih, b_hh = cell.bias_hh;
  const Tensor steps = unsqueeze(row(x), 0, where);
  const LSTMResult r = recurrent_layer(name, kind, {steps, w_ih, w_hh, b_ih, b_hh, h, c}, where);
  if (batched) return {r.h, r.c};
  return {squeeze(r.h, 0, where), r.c.defined() ? squeeze(r.c, 0, where) : Tensor()};
}

}  // namespace

LSTMState LSTMCell::operator()(const Tensor& x, const LSTMState& state, Where where) const {
  return one_step("LSTMCell", Recurrence::kLSTM, *this, x, state, where);
}
Tensor GRUCell::operator()(const Tensor& x, const Tensor& h, Where where) const {
  return one_step("GRUCell", Recurrence::kGRU, *this, x, {h, {}}, where).h;
}
Tensor RNNCell::operator()(const Tensor& x, const Tensor& h, Where where) const {
  const bool smooth = nonlinearity == RNNNonlinearity::kTanh;
  return one_step("RNNCell", smooth ? Recurrence::kTanh : Recurrence::kReLU, *this, x, {h, {}},
                  where)
      .h;
}

LSTMState detach(const LSTMResult& result, Where where) {
  return {stop_gradient(result.h, where),
          result.c.defined() ? stop_gradient(result.c, where) : Tensor()};
}
Tensor detach(const RNNResult& result, Where where) { return stop_gradient(result.h, where); }

}  // namespace glia::nn
