// Recurrent layers: the composition that defines each, and for f32 one kernel that runs all steps.
#include "ops/recurrent.h"

#include "ops/private.h"
#include "runtime/backend.h"

namespace glia {
namespace {

// One product for each step, of a batch's states (or their gradients) with all gates' weights.
Work work_of_steps(const KernelCall& call) {
  Work work = traffic(call);
  const Shape &steps = call.in[0].layout.shape, &w = call.in[1].layout.shape;
  work.flops = 2.0 * static_cast<double>(steps[0] * steps[1] * w.numel());
  return work;
}
const Op kRecurrent{.name = "recurrent",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<Recurrence>,
                    .overwrites = first_over_first,
                    .outputs = 3,
                    .work = work_of_steps};
const Op kRecurrentBackward{.name = "recurrent_backward",
                            .kind = Kind::kKernel,
                            .attributes = kAttributeFields<Recurrence>,
                            .overwrites = first_over_first,
                            .outputs = 3,
                            .work = work_of_steps};
const RegisterOp registered[] = {RegisterOp(kRecurrent), RegisterOp(kRecurrentBackward)};

// ---- What a recurrence takes ----

// The inputs of the op, as in recurrent.h.
struct Inputs {
  Tensor x, w, bias_ih, bias_hh, h0, c0;

  Inputs(const Recurrence& kind, const std::vector<Tensor>& list) : x(list[0]), w(list[1]) {
    if (kind.has_bias) bias_ih = list[2], bias_hh = list[3];
    if (!kind.has_state) return;
    h0 = list[kind.has_bias ? 4 : 2];
    if (kind.cell == Recurrence::kLSTM) c0 = list[kind.has_bias ? 5 : 3];
  }
};

// ---- The definition ----

// {every state (T, N, H), the last cell of an LSTM (N, H)}.
std::vector<Tensor> compose(const Recurrence& kind, const std::vector<Tensor>& list) {
  const Inputs in(kind, list);
  const int64_t steps = in.x.size(0), batch = in.x.size(1), hidden = in.w.size(1);
  const bool gru = kind.cell == Recurrence::kGRU;
  Tensor x = in.x;
  if (kind.has_bias) x = gru ? x + in.bias_ih : x + (in.bias_ih + in.bias_hh);
  Tensor h = kind.has_state ? in.h0 : zeros({batch, hidden}, x.dtype()), c = h;
  if (kind.cell == Recurrence::kLSTM && kind.has_state) c = in.c0;
  std::vector<Tensor> states;
  for (int64_t t = 0; t < steps; ++t) {
    const Tensor own = index(x, {t}), product = linear(h, in.w, gru ? in.bias_hh : Tensor());
    const auto part = [&](const Tensor& of, int64_t gate) {
      return slice(of, 1, {gate * hidden, (gate + 1) * hidden});
    };
    switch (kind.cell) {
      case Recurrence::kLSTM: {
        const Tensor z = own + product;
        c = sigmoid(part(z, 1)) * c + sigmoid(part(z, 0)) * tanh(part(z, 2));
        h = sigmoid(part(z, 3)) * tanh(c);
        break;
      }
      case Recurrence::kGRU: {
        const Tensor r = sigmoid(part(own, 0) + part(product, 0));
        const Tensor z = sigmoid(part(own, 1) + part(product, 1));
        const Tensor n = tanh(part(own, 2) + r * part(product, 2));
        h = n + z * (h - n);
        break;
      }
      case Recurrence::kTanh:
        h = tanh(own + product);
        break;
      case Recurrence::kReLU:
        h = relu(own + product);
        break;
    }
    states.push_back(h);
  }
  return {stack(states), c};
}

// ---- The kernels ----

std::vector<Node*> nodes_of(const std::vector<Tensor>& tensors) {
  std::vector<Node*> nodes;
  for (const Tensor& t : tensors) nodes.push_back(t.node());
  return nodes;
}

Tensor record_tuple(const Op& op, const Recurrence& kind, const std::vector<Tensor>& inputs,
                    const Where& where) {
  return record(op, nodes_of(inputs), {}, kF32, kind, where);
}
Tensor output(const Tensor& tuple, int which, const Shape& shape) {
  return output(tuple, which, shape, kF32);
}

// What the forward kernel keeps for the backward one.
struct Saved {
  Tensor y, gates, inner;
};

// The gradients by each input, from those of the states or of the last cell.
std::vector<Tensor> backward(Recurrence kind, const std::vector<Tensor>& list, const Saved& saved,
                             const Tensor& gy, const Tensor& gc, const Where& where) {
  const NoGrad off;
  const Inputs in(kind, list);
  const int64_t steps = saved.y.size(0), batch = saved.y.size(1), hidden = saved.y.size(2);
  const bool gru = kind.cell == Recurrence::kGRU, lstm = kind.cell == Recurrence::kLSTM;
  kind.has_inner_gradient = gc.defined();
  std::vector<Tensor> inputs{lstm || gru ? saved.gates : saved.y, in.w,
                             gy.defined() ? gy : zeros(saved.y.shape())};
  if (lstm || gru) inputs.push_back(saved.inner);
  if (gc.defined()) inputs.push_back(gc);
  if (gru) inputs.push_back(saved.y);
  if (kind.has_state && lstm) inputs.push_back(in.c0);
  if (kind.has_state && gru) inputs.push_back(in.h0);
  const Tensor tuple = record_tuple(kRecurrentBackward, kind, inputs, where);

  const Shape state{batch, hidden};
  const int64_t width = kind.gates() * hidden;
  const Tensor dx = output(tuple, 0, in.x.shape());
  const Tensor products = gru ? output(tuple, 2, in.x.shape()) : dx;
  std::vector<Tensor> grads(list.size());
  const auto needs = [&](size_t i) { return list[i].requires_grad(); };
  if (needs(0)) grads[0] = dx;
  if (needs(1)) {
    Tensor dw;
    const auto add = [&](const Tensor& g, const Tensor& h) {
      const Tensor part = matmul(transpose(reshape(g, {-1, width})), reshape(h, {-1, hidden}));
      dw = dw.defined() ? dw + part : part;
    };
    if (steps > 1) add(slice(products, 0, {1, steps}), slice(saved.y, 0, {0, steps - 1}));
    if (kind.has_state) add(index(products, {0}), in.h0);
    grads[1] = dw.defined() ? dw : zeros_like(in.w);
  }
  size_t next = 2;
  if (kind.has_bias) {
    if (needs(next)) grads[next] = sum(dx, {0, 1});
    if (needs(next + 1)) grads[next + 1] = sum(products, {0, 1});
    next += 2;
  }
  if (kind.has_state) {
    if (needs(next)) grads[next] = output(tuple, 1, state);
    if (lstm && needs(next + 1)) grads[next + 1] = output(tuple, 2, state);
  }
  return grads;
}

// The derivative of result `which`; its own derivative is that of the composition.
CustomRule rule_of(const Recurrence& kind, size_t inputs, int which, const Where& where) {
  return [=](const std::vector<Tensor>& arguments, const Tensor&, const Tensor& g) {
    const auto end = arguments.begin() + static_cast<std::ptrdiff_t>(inputs);
    const std::vector<Tensor> list(arguments.begin(), end);
    const Saved saved{end[0], end[1], end[2]};
    std::vector<Tensor> seeds(2);
    seeds[which] = g;
    const Composition f = [kind](const std::vector<Tensor>& x) { return compose(kind, x); };
    std::vector<Tensor> grads = as_gradients_of(
        f, list, seeds, backward(kind, list, saved, seeds[0], seeds[1], where), where);
    grads.resize(arguments.size());
    return grads;
  };
}

// {every state, the last cell of an LSTM}.
std::vector<Tensor> recur(const Recurrence& kind, const std::vector<Tensor>& inputs,
                          const Where& where) {
  // What is recorded for vmap must be of operations that have a batch rule.
  if (inputs[0].dtype() != kF32 || symbolic() || !find_kernel(kRecurrent, kF32))
    return compose(kind, inputs);
  const Shape& x = inputs[0].shape();
  const bool gated = kind.gates() > 1;
  std::vector<Tensor> arguments = inputs;
  Tensor y, c;
  {
    const NoGrad off;
    const Tensor tuple = record_tuple(kRecurrent, kind, inputs, where);
    const Shape states{x[0], x[1], inputs[1].size(1)};
    y = output(tuple, Recurrence::kY, states);
    arguments.push_back(y);
    arguments.push_back(gated ? output(tuple, Recurrence::kGates, x) : y);
    arguments.push_back(gated ? output(tuple, Recurrence::kInner, states) : y);
    if (kind.cell == Recurrence::kLSTM) c = index(arguments.back(), {-1});
  }
  y = with_rule(y, arguments, rule_of(kind, inputs.size(), 0, where), where);
  if (c.defined()) c = with_rule(c, arguments, rule_of(kind, inputs.size(), 1, where), where);
  return {y, c};
}

// ---- What users call ----

struct Operands {
  const Tensor &x, &weight_ih, &weight_hh, &bias_ih, &bias_hh, &h0, &c0;
};

LSTMResult layer(const char* op, Recurrence::Cell cell, const Operands& in, const Where& where) {
  const Recurrence kind{cell, in.bias_ih.defined(), in.h0.defined()};
  for (const Tensor* t : {&in.x, &in.weight_ih, &in.weight_hh}) {
    if (!t->defined()) fail(op, "an operand is not defined", where);
  }
  if (in.bias_hh.defined() != kind.has_bias) fail(op, "only one of the biases is defined", where);
  if (cell == Recurrence::kLSTM && in.c0.defined() != kind.has_state)
    fail(op, "only one of the initial states h0 and c0 is defined", where);
  if (in.x.rank() != 3) fail(op, "needs x (T, N, in), got " + in.x.shape().str(), where);
  if (in.weight_hh.rank() != 2)
    fail(op, "weight_hh " + in.weight_hh.shape().str() + " is not 2-d", where);
  const int64_t steps = in.x.size(0), batch = in.x.size(1), hidden = in.weight_hh.size(1);
  const int64_t width = kind.gates() * hidden;
  DType dtype = in.x.dtype();
  const auto expect = [&](const Tensor& t, const char* what, const Shape& shape) {
    if (!t.defined()) return;
    if (t.shape() != shape)
      fail(op, std::string(what) + " has shape " + t.shape().str() + ", not " + shape.str(), where);
    dtype = promote(dtype, t.dtype());
  };
  expect(in.weight_ih, "weight_ih", {width, in.x.size(2)});
  expect(in.weight_hh, "weight_hh", {width, hidden});
  expect(in.bias_ih, "bias_ih", {width});
  expect(in.bias_hh, "bias_hh", {width});
  expect(in.h0, "h0", {batch, hidden});
  expect(in.c0, "c0", {batch, hidden});
  if (!is_float(dtype)) fail(op, std::string("needs floats, got ") + name(dtype), where);

  const DType computed = sum_dtype(dtype);
  const auto given = [&](const Tensor& t) { return cast(Operand(t, where), computed); };
  const auto result = [&](const Tensor& t) { return cast(Operand(t, where), dtype); };
  if (steps == 0) {
    const auto state = [&](const Tensor& t) {
      return t.defined() ? result(t) : zeros({batch, hidden}, dtype);
    };
    return {zeros({0, batch, hidden}, dtype), state(in.h0), state(in.c0)};
  }
  // Inside an Autocast this product is in bf16; states are never rounded.
  std::vector<Tensor> inputs{given(linear(given(in.x), given(in.weight_ih), {}, where)),
                             given(in.weight_hh)};
  for (const Tensor* t : {&in.bias_ih, &in.bias_hh, &in.h0, &in.c0}) {
    if (t->defined()) inputs.push_back(given(*t));
  }
  const std::vector<Tensor> states = recur(kind, inputs, where);
  LSTMResult r{result(states[0]), result(index(states[0], {-1}, where)), {}};
  if (cell == Recurrence::kLSTM) r.c = result(states[1]);
  return r;
}

}  // namespace

LSTMResult lstm(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
                const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0, const Tensor& c0,
                Where where) {
  return layer("lstm", Recurrence::kLSTM, {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0},
               where);
}

RNNResult gru(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0, Where where) {
  const LSTMResult r =
      layer("gru", Recurrence::kGRU, {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, {}}, where);
  return {r.out, r.h};
}

RNNResult rnn(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0,
              RNNNonlinearity nonlinearity, Where where) {
  const LSTMResult r =
      layer("rnn", nonlinearity == RNNNonlinearity::kTanh ? Recurrence::kTanh : Recurrence::kReLU,
            {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, {}}, where);
  return {r.out, r.h};
}

}  // namespace glia
