// LSTM, GRU and RNN.
#include <algorithm>
#include <functional>
#include <optional>

#include "call.h"
#include "glia/ops/activation.h"
#include "glia/ops/arrange.h"
#include "glia/ops/select.h"

namespace glia::onnx {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

// The n-th activation, or its default.
Function activation(Call& c, const std::string& name, double alpha, double beta, bool has_alpha) {
  if (name == "Sigmoid") return [](const Tensor& x) { return sigmoid(x); };
  if (name == "Tanh") return [](const Tensor& x) { return tanh(x); };
  if (name == "Relu") return [](const Tensor& x) { return relu(x); };
  if (name == "Affine") return [=](const Tensor& x) { return x * alpha + beta; };
  if (name == "LeakyRelu")
    return [=](const Tensor& x) { return leaky_relu(x, has_alpha ? alpha : 0.01); };
  if (name == "ThresholdedRelu")
    return [=](const Tensor& x) { return where(x > (has_alpha ? alpha : 1), x, 0); };
  if (name == "HardSigmoid")
    return [=](const Tensor& x) {
      return clamp(x * (has_alpha ? alpha : 0.2) + (has_alpha ? beta : 0.5), 0, 1);
    };
  if (name == "Elu") return [=](const Tensor& x) { return elu(x, has_alpha ? alpha : 1); };
  if (name == "Softsign") return [](const Tensor& x) { return softsign(x); };
  if (name == "Softplus") return [](const Tensor& x) { return softplus(x); };
  if (name == "ScaledTanh") return [=](const Tensor& x) { return tanh(x * beta) * alpha; };
  c.fail("the activation " + name + " is not known");
}

// What one direction gives.
struct Direction {
  Tensor out, h, c;  // (T, N, H), (N, H)
};

// Gates of `order` from those of ONNX: rows of weights in blocks of H.
Tensor reordered(const Tensor& w, int64_t hidden, const std::vector<int>& order) {
  std::vector<Tensor> parts;
  for (int g : order) parts.push_back(narrow(w, 0, g * hidden, hidden));
  return concat(parts, 0);
}

class Recurrent {
 public:
  Recurrent(Call& c, char kind) : c_(c), kind_(kind) {
    gates_ = kind == 'l' ? 4 : kind == 'g' ? 3 : 1;
    functions_ = kind == 'l' ? 3 : kind == 'g' ? 2 : 1;
  }

  void run() {
    const bool batch_first = c_.integer_of("layout", 0) != 0;
    Tensor x = c_.tensor(0);
    if (x.rank() != 3 || c_.tensor(1).rank() != 3 || c_.tensor(2).rank() != 3)
      c_.fail("x, W and R need three axes");
    if (batch_first) x = transpose(x, 0, 1);
    const Tensor r = c_.tensor(2);
    hidden_ = r.size(2);
    const std::string direction = c_.text_of("direction", "forward");
    const bool both = direction == "bidirectional";
    const int count = both ? 2 : 1;
    if (r.size(0) != count || c_.tensor(1).size(0) != count || r.size(1) != gates_ * hidden_ ||
        c_.integer_of("hidden_size", hidden_) != hidden_)
      c_.fail("weights of shape " + r.shape().str() + " for " + std::to_string(gates_) + " gates");
    std::optional<std::vector<int64_t>> lengths;
    if (c_.has(4)) {
      lengths = c_.integers(4);
      if (static_cast<int64_t>(lengths->size()) != x.size(1))
        c_.fail("as many lengths as sequences are needed");
      if (std::ranges::all_of(*lengths, [&](int64_t n) { return n == x.size(0); })) lengths.reset();
    }
    std::vector<Tensor> out, h, cell;
    for (int d = 0; d < count; ++d) {
      const bool backwards = d == 1 || direction == "reverse";
      Tensor in = x;
      if (backwards) in = reversed(in, lengths);
      Direction result = one(in, d, batch_first, lengths);
      if (backwards) result.out = reversed(result.out, lengths);
      out.push_back(result.out);
      h.push_back(result.h);
      cell.push_back(result.c);
    }
    // (T, directions, N, H), or (N, T, directions, H).
    Tensor y = stack(out, 1);
    Tensor y_h = stack(h, 0);
    if (batch_first) {
      y = permute(y, {2, 0, 1, 3});
      y_h = transpose(y_h, 0, 1);
    }
    c_.set(0, y);
    c_.set(1, y_h);
    if (kind_ == 'l') c_.set(2, batch_first ? transpose(stack(cell, 0), 0, 1) : stack(cell, 0));
  }

 private:
  // Each sequence from its own end.
  Tensor reversed(const Tensor& x, const std::optional<std::vector<int64_t>>& lengths) const {
    if (!lengths) return flip(x, {0});
    const Tensor step = unsqueeze(arange(x.size(0)), 1);
    const Tensor length = unsqueeze(from_vector(*lengths, {x.size(1)}), 0);
    const Tensor from = where(step < length, length - 1 - step, step);
    return take_along_axis(x, unsqueeze(from, 2), 0);
  }

  Tensor of_direction(int input, int d, bool batch_first = false) const {
    if (!c_.has(input)) return {};
    const int axis = batch_first ? 1 : 0;
    return squeeze(narrow(c_.tensor(input), axis, d, 1), axis);
  }

  Direction one(const Tensor& x, int d, bool batch_first,
                const std::optional<std::vector<int64_t>>& lengths) {
    const Tensor w = of_direction(1, d), r = of_direction(2, d), b = of_direction(3, d);
    const Tensor h0 = of_direction(5, d, batch_first);
    const Tensor c0 = kind_ == 'l' ? of_direction(6, d, batch_first) : Tensor();
    const Tensor peepholes = kind_ == 'l' ? of_direction(7, d) : Tensor();
    const int64_t rows = gates_ * hidden_;
    const Tensor wb = b.defined() ? narrow(b, 0, 0, rows) : Tensor();
    const Tensor rb = b.defined() ? narrow(b, 0, rows, rows) : Tensor();
    std::vector<std::string> names = c_.texts_of("activations");
    const bool linear_before_reset = c_.integer_of("linear_before_reset", 0) != 0;
    const double clip = c_.real_of("clip", 0);
    const bool coupled = c_.integer_of("input_forget", 0) != 0;
    const std::vector<std::string> usual =
        kind_ == 'l'   ? std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"}
        : kind_ == 'g' ? std::vector<std::string>{"Sigmoid", "Tanh"}
                       : std::vector<std::string>{"Tanh"};
    const size_t first = static_cast<size_t>(d) * functions_;
    if (!names.empty() && names.size() < first + functions_) c_.fail("too few activations");
    std::vector<std::string> own =
        names.empty()
            ? usual
            : std::vector<std::string>(names.begin() + first, names.begin() + first + functions_);
    const bool plain = own == usual && clip == 0 && !coupled && !peepholes.defined() && !lengths;
    const bool rnn_relu = kind_ == 'r' && own[0] == "Relu" && clip == 0 && !lengths;
    if (kind_ == 'l' && plain) {
      const std::vector<int> order{0, 2, 3, 1};  // i, o, f, g -> i, f, g, o
      const auto fix = [&](const Tensor& t) {
        return t.defined() ? reordered(t, hidden_, order) : t;
      };
      const LSTMResult y = lstm(x, fix(w), fix(r), fix(wb), fix(rb), h0, c0);
      return {y.out, y.h, y.c};
    }
    if (kind_ == 'g' && plain && linear_before_reset) {
      // ONNX's z weighs the old state, as PyTorch's does: z, r, h -> r, z, n.
      const std::vector<int> order{1, 0, 2};
      const auto fix = [&](const Tensor& t) {
        return t.defined() ? reordered(t, hidden_, order) : t;
      };
      const RNNResult y = gru(x, fix(w), fix(r), fix(wb), fix(rb), h0);
      return {y.out, y.h, {}};
    }
    if (kind_ == 'r' && (plain || rnn_relu)) {
      const RNNResult y =
          rnn(x, w, r, wb, rb, h0, rnn_relu ? RNNNonlinearity::kReLU : RNNNonlinearity::kTanh);
      return {y.out, y.h, {}};
    }
    return step_by_step(x, w, r, wb, rb, h0, c0, peepholes, own, first, linear_before_reset, clip,
                        coupled, lengths);
  }

  Direction step_by_step(const Tensor& x, const Tensor& w, const Tensor& r, const Tensor& wb,
                         const Tensor& rb, const Tensor& h0, const Tensor& c0,
                         const Tensor& peepholes, const std::vector<std::string>& own, size_t first,
                         bool linear_before_reset, double clip, bool coupled,
                         const std::optional<std::vector<int64_t>>& lengths) {
    std::vector<Function> f;
    const std::vector<double> alphas = c_.reals_of("activation_alpha"),
                              betas = c_.reals_of("activation_beta");
    for (size_t i = 0; i < own.size(); ++i) {
      const size_t at = first + i;
      f.push_back(activation(c_, own[i], at < alphas.size() ? alphas[at] : 0,
                             at < betas.size() ? betas[at] : 0, at < alphas.size()));
    }
    const auto cut = [&](const Tensor& t) { return clip > 0 ? clamp(t, -clip, clip) : t; };
    const int64_t steps = x.size(0), n = x.size(1);
    Tensor h = h0.defined() ? h0 : zeros({n, hidden_}, x.dtype());
    Tensor cell = c0.defined() ? c0 : zeros({n, hidden_}, x.dtype());
    const auto gate = [&](const Tensor& all, int g) {
      return narrow(all, 1, g * hidden_, hidden_);
    };
    const auto peep = [&](const Tensor& gates, int p, const Tensor& state) {
      return peepholes.defined() ? gates + narrow(peepholes, 0, p * hidden_, hidden_) * state
                                 : gates;
    };
    std::vector<Tensor> out;
    for (int64_t t = 0; t < steps; ++t) {
      const Tensor xt = squeeze(narrow(x, 0, t, 1), 0);
      const Tensor from_x = linear(xt, w, wb);
      Tensor h_new, c_new = cell;
      if (kind_ == 'l') {
        const Tensor all = from_x + linear(h, r, rb);
        const Tensor i = f[0](cut(peep(gate(all, 0), 0, cell)));
        const Tensor forget = coupled ? 1 - i : f[0](cut(peep(gate(all, 2), 2, cell)));
        c_new = forget * cell + i * f[1](cut(gate(all, 3)));
        const Tensor o = f[0](cut(peep(gate(all, 1), 1, c_new)));
        h_new = o * f[2](c_new);
      } else if (kind_ == 'g') {
        const auto part = [&](const Tensor& bias, int g) {
          return bias.defined() ? narrow(bias, 0, g * hidden_, hidden_) : Tensor();
        };
        const Tensor rz = linear(h, narrow(r, 0, 0, 2 * hidden_),
                                 rb.defined() ? narrow(rb, 0, 0, 2 * hidden_) : Tensor());
        const Tensor z = f[0](cut(gate(from_x, 0) + narrow(rz, 1, 0, hidden_)));
        const Tensor reset = f[0](cut(gate(from_x, 1) + narrow(rz, 1, hidden_, hidden_)));
        const Tensor rn = narrow(r, 0, 2 * hidden_, hidden_);
        const Tensor candidate = linear_before_reset
                                     ? gate(from_x, 2) + reset * linear(h, rn, part(rb, 2))
                                     : gate(from_x, 2) + linear(reset * h, rn, part(rb, 2));
        h_new = (1 - z) * f[1](cut(candidate)) + z * h;
      } else {
        h_new = f[0](cut(from_x + linear(h, r, rb)));
      }
      if (lengths) {  // what is over keeps its state and gives 0
        std::vector<uint8_t> alive;
        for (int64_t length : *lengths) alive.push_back(t < length);
        const Tensor live = reshape(from_vector(alive, {n}) != 0, {n, 1});
        h = where(live, h_new, h);
        cell = where(live, c_new, cell);
        out.push_back(where(live, h_new, 0));
      } else {
        h = h_new;
        cell = c_new;
        out.push_back(h_new);
      }
    }
    return {out.empty() ? zeros({0, n, hidden_}, x.dtype()) : stack(out, 0), h, cell};
  }

  Call& c_;
  const char kind_;
  int gates_ = 0, functions_ = 0;
  int64_t hidden_ = 0;
};

const Operators list{
    {"LSTM", [](Call& c) { Recurrent(c, 'l').run(); }, {.read = 16}},
    {"GRU", [](Call& c) { Recurrent(c, 'g').run(); }, {.read = 16}},
    {"RNN", [](Call& c) { Recurrent(c, 'r').run(); }, {.read = 16}},
};

}  // namespace
}  // namespace glia::onnx
