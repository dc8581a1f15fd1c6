// Recurrent layers, stacked and in both directions.
#include <fmt/format.h>

#include <cmath>

#include "glia/nn.h"
#include "glia/random.h"

namespace glia::nn {

Recurrent::Recurrent(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
                     const RecurrentOptions& options)
    : input_size(input_size), hidden_size(hidden_size), options(options), name_(name) {
  const auto require_positive = [name](const char* what, int64_t value) {
    if (value < 1) throw ShapeError(fmt::format("{}: {} is {}, not positive", name, what, value));
  };
  require_positive("input_size", input_size);
  require_positive("hidden_size", hidden_size);
  require_positive("num_layers", options.num_layers);
  constexpr int64_t kMostLayers = 1 << 12;
  if (options.num_layers > kMostLayers)
    throw ShapeError(
        fmt::format("{}: {} layers are above {}", name, options.num_layers, kMostLayers));
  if (!(options.dropout >= 0 && options.dropout <= 1))
    throw ShapeError(fmt::format("{}: dropout {} is not in [0, 1]", name, options.dropout));
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  const auto make = [bound](const Shape& shape) { return uniform(shape, -bound, bound); };
  const int64_t directions = options.bidirectional ? 2 : 1,
                width = multiply_sizes(gates, hidden_size);
  for (int64_t i = 0; i < options.num_layers * directions; ++i) {
    const int64_t in = i < directions ? input_size : multiply_sizes(directions, hidden_size);
    Weights& w = weights.emplace_back();
    w.weight_ih = make({width, in});
    w.weight_hh = make({width, hidden_size});
    if (!options.bias) continue;
    w.bias_ih = make({width});
    w.bias_hh = make({width});
  }
}

void Recurrent::visit_fields(FieldVisitor& visitor) const {
  const size_t directions = options.bidirectional ? 2 : 1;
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string suffix =
        fmt::format("_l{}{}", i / directions, i % directions ? "_reverse" : "");
    visitor.parameter("weight_ih" + suffix, weights[i].weight_ih);
    visitor.parameter("weight_hh" + suffix, weights[i].weight_hh);
    visitor.parameter("bias_ih" + suffix, weights[i].bias_ih);
    visitor.parameter("bias_hh" + suffix, weights[i].bias_hh);
  }
}

LSTMResult Recurrent::run(const Tensor& x, const Tensor& h0, const Tensor& c0, const Where& where,
                          const Step& step) const {
  if (!x.defined()) throw ShapeError(fmt::format("{}: x is not defined", name_), where);
  const bool batched = x.rank() == 3;
  if ((!batched && x.rank() != 2) || x.size(-1) != input_size)
    throw ShapeError(
        fmt::format("{}: needs ({}, {}) or (T, {}), got {}", name_,
                    options.batch_first ? "N, T" : "T, N", input_size, input_size, x.shape().str()),
        where);
  Tensor h = batched ? x : unsqueeze(x, 1, where);
  if (batched && options.batch_first) h = transpose(h, 0, 1, where);
  const int64_t count = static_cast<int64_t>(weights.size()), batch = h.size(1);
  const auto initial = [&](const Tensor& state, const char* what) {
    if (!state.defined()) return state;
    const Shape expected = batched ? Shape{count, batch, hidden_size} : Shape{count, hidden_size};
    if (state.shape() != expected)
      throw ShapeError(fmt::format("{}: {} has shape {}, not {}", name_, what, state.shape().str(),
                                   expected.str()),
                       where);
    return batched ? state : unsqueeze(state, 1, where);
  };
  const Tensor h_first = initial(h0, "h0"), c_first = initial(c0, "c0");
  const auto of = [&](const Tensor& states, int64_t i) {
    return states.defined() ? index(states, {i}, where) : Tensor();
  };
  const int64_t directions = options.bidirectional ? 2 : 1;
  std::vector<Tensor> h_last, c_last;
  for (int64_t i = 0; i < count; i += directions) {
    std::vector<Tensor> outs;
    for (int64_t d = 0; d < directions; ++d) {
      const Tensor in = d ? flip(h, {0}, where) : h;
      const LSTMResult r = step(in, weights[i + d], of(h_first, i + d), of(c_first, i + d));
      outs.push_back(d ? flip(r.out, {0}, where) : r.out);
      h_last.push_back(r.h);
      if (r.c.defined()) c_last.push_back(r.c);
    }
    h = concat(outs, 2, where);
    if (is_training() && i + directions < count) h = dropout(h, options.dropout, where);
  }
  if (batched && options.batch_first) h = transpose(h, 0, 1, where);
  const auto last = [&](const std::vector<Tensor>& states) {
    if (states.empty()) return Tensor();
    const Tensor all =
        states.size() == 1 ? unsqueeze(states[0], 0, where) : stack(states, 0, where);
    return batched ? all : squeeze(all, 1, where);
  };
  return {batched ? h : squeeze(h, 1, where), last(h_last), last(c_last)};
}

LSTMResult LSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0,
                            Where where) const {
  return run(x, h0, c0, where,
             [&](const Tensor& in, const Weights& w, const Tensor& h, const Tensor& c) {
               return lstm(in, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, h, c, where);
             });
}

RNNResult GRU::operator()(const Tensor& x, const Tensor& h0, Where where) const {
  const LSTMResult all =
      run(x, h0, {}, where,
          [&](const Tensor& in, const Weights& w, const Tensor& h, const Tensor&) -> LSTMResult {
            const RNNResult r = gru(in, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, h, where);
            return {r.out, r.h, {}};
          });
  return {all.out, all.h};
}

RNNResult RNN::operator()(const Tensor& x, const Tensor& h0, Where where) const {
  const LSTMResult all =
      run(x, h0, {}, where,
          [&](const Tensor& in, const Weights& w, const Tensor& h, const Tensor&) -> LSTMResult {
            const RNNResult r =
                rnn(in, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, h, nonlinearity, where);
            return {r.out, r.h, {}};
          });
  return {all.out, all.h};
}

}  // namespace glia::nn
