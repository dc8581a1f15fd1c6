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
// ---- The definition ----

using R = Recurrence;

using B = Recurrence::Backward;

std::vector<Tensor> compose_recurrent(const Recorded& one, std::span<const Tensor> in) {
  const Recurrence kind = one.attributes<Recurrence>();
  const Tensor &w = in[R::kW], &bias_ih = in[R::kBiasIH], &bias_hh = in[R::kBiasHH];
  const int64_t steps = in[R::kX].size(0), batch = in[R::kX].size(1), hidden = w.size(1);
  const bool gru = kind.cell == R::kGRU;
  Tensor x = in[R::kX];
  if (bias_ih.defined()) x = gru ? x + bias_ih : x + (bias_ih + bias_hh);
  Tensor h = in[R::kH0].defined() ? in[R::kH0] : zeros({batch, hidden}, x.dtype());
  Tensor c = in[R::kC0].defined() ? in[R::kC0] : zeros({batch, hidden}, x.dtype());
  std::vector<Tensor> y, gates, inner;
  for (int64_t t = 0; t < steps; ++t) {
    const Tensor own = index(x, {t}), product = linear(h, w, gru ? bias_hh : Tensor());
    const auto part = [&](const Tensor& of, int64_t gate) {
      return slice(of, 1, {gate * hidden, (gate + 1) * hidden});
    };
    switch (kind.cell) {
      case R::kLSTM: {
        const Tensor z = own + product;
        const Tensor i = sigmoid(part(z, 0)), f = sigmoid(part(z, 1)), g = tanh(part(z, 2)),
                     o = sigmoid(part(z, 3));
        c = f * c + i * g;
        h = o * tanh(c);
        gates.push_back(concat({i, f, g, o}, 1));
        inner.push_back(c);
        break;
      }
      case R::kGRU: {
        const Tensor r = sigmoid(part(own, 0) + part(product, 0));
        const Tensor z = sigmoid(part(own, 1) + part(product, 1));
        const Tensor n = tanh(part(own, 2) + r * part(product, 2));
        h = n + z * (h - n);
        gates.push_back(concat({r, z, n}, 1));
        inner.push_back(part(product, 2));
        break;
      }
      case R::kTanh:
        h = tanh(own + product);
        break;
      case R::kReLU:
        h = relu(own + product);
        break;
    }
    y.push_back(h);
  }
  if (gates.empty()) return {stack(y), {}, {}, {}};
  return {stack(y), gru ? Tensor() : c, stack(gates), stack(inner)};
}

// From the last step to the first.
std::vector<Tensor> compose_backward(const Recorded& one, std::span<const Tensor> in) {
  const Recurrence kind = one.attributes<Recurrence>();
  const Tensor &w = in[B::kW], &y = in[B::kY];
  const int64_t steps = y.size(0), hidden = w.size(1);
  const bool gru = kind.cell == R::kGRU;
  std::vector<Tensor> dx(steps), dproducts(steps);
  Tensor carry = in[B::kGc];  // of a GRU the part of the state's gradient that needs no product
  Tensor dh;                  // of the state before the step
  for (int64_t t = steps - 1; t >= 0; --t) {
    const Tensor g = index(in[B::kGy], {t});
    dh = dh.defined() ? g + dh : g;
    const auto gate = [&](int64_t i) {
      return slice(index(in[B::kGates], {t}), 1, {i * hidden, (i + 1) * hidden});
    };
    const auto at = [&](int slot) { return index(in[slot], {t}); };
    // What a state was before the step; zeros if nothing says so.
    const auto before = [&](int slot, int initial) {
      if (t > 0) return index(in[slot], {t - 1});
      return in[initial].defined() ? in[initial] : zeros(g.shape(), g.dtype());
    };
    switch (kind.cell) {
      case R::kLSTM: {
        const Tensor i = gate(0), f = gate(1), z = gate(2), o = gate(3);
        const Tensor squashed = tanh(at(B::kInner));
        Tensor dc = dh * o * (1 - squashed * squashed);
        if (carry.defined()) dc = dc + carry;
        dx[t] = concat({dc * z * i * (1 - i), dc * before(B::kInner, B::kC0) * f * (1 - f),
                        dc * i * (1 - z * z), dh * squashed * o * (1 - o)},
                       1);
        carry = dc * f;
        break;
      }
      case R::kGRU: {
        const Tensor r = gate(0), z = gate(1), n = gate(2);
        const Tensor dn = dh * (1 - z) * (1 - n * n), dr = dn * at(B::kInner) * r * (1 - r);
        const Tensor dz = dh * (before(B::kY, B::kH0) - n) * z * (1 - z);
        dx[t] = concat({dr, dz, dn}, 1);
        dproducts[t] = concat({dr, dz, dn * r}, 1);
        carry = dh * z;
        break;
      }
      case R::kTanh:
        dx[t] = dh * (1 - at(B::kGates) * at(B::kGates));
        break;
      case R::kReLU:
        dx[t] = where(at(B::kGates) > 0, dh, 0);
        break;
    }
    dh = matmul(gru ? dproducts[t] : dx[t], w);
    if (gru) dh = dh + carry;
  }
  return {stack(dx), dh, kind.cell == R::kLSTM ? carry : Tensor(),
          gru ? stack(dproducts) : Tensor()};
}

// ---- The gradient ----

int gates_over_x(const Recorded&, int output) { return output == R::kGates ? R::kX : -1; }
int dx_over_gates(const Recorded&, int output) { return output == B::kDx ? B::kGates : -1; }

void vjp_recurrent(Vjp& v);

const Op kRecurrent{.name = "recurrent",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<Recurrence>,
                    .vjp = vjp_recurrent,
                    .overwrites = gates_over_x,
                    .outputs = 4,
                    .compose = compose_recurrent,
                    .work = work_of_steps};
const Op kRecurrentBackward{.name = "recurrent_backward",
                            .kind = Kind::kMacro,
                            .attributes = kAttributeFields<Recurrence>,
                            .overwrites = dx_over_gates,
                            .outputs = 4,
                            .compose = compose_backward,
                            .work = work_of_steps};
const RegisterOp registered[] = {RegisterOp(kRecurrent), RegisterOp(kRecurrentBackward)};

void vjp_recurrent(Vjp& v) {
  if (v.g(R::kGates).defined() || v.g(R::kInner).defined()) return v.set_composed();
  const Recurrence kind = v.attributes<Recurrence>();
  const bool gru = kind.cell == R::kGRU;
  const DType dtype = v.dtype();
  const Tensor w = v.in(R::kW), h0 = v.in(R::kH0), &gy = v.g(R::kY);
  Shape states = v.in_shape(R::kX);
  states[2] = w.size(1);
  const Tensor y = v.out(R::kY).defined() ? v.out(R::kY) : output(v.out(), R::kY, states, dtype);
  const Tensor gates = kind.gates() > 1 ? v.out(R::kGates) : y;
  const Tensor seed = gy.defined() ? gy : zeros_like(y);
  const Tensor tuple = record(kRecurrentBackward,
                              {gates.node(), w.node(), y.node(), v.out(R::kInner).node(), h0.node(),
                               v.in(R::kC0).node(), seed.node(), v.g(R::kC).node()},
                              {}, dtype, kind, v.where());
  const int64_t steps = y.size(0), batch = y.size(1), hidden = y.size(2);
  const int64_t width = kind.gates() * hidden;
  const Tensor dx = output(tuple, B::kDx, {steps, batch, width}, dtype);
  const Tensor products = gru ? output(tuple, B::kDproducts, {steps, batch, width}, dtype) : dx;
  v.set(R::kX, dx);
  if (v.needs(R::kW)) {
    Tensor dw;
    const auto add = [&](const Tensor& g, const Tensor& h) {
      const Tensor part = matmul(transpose(reshape(g, {-1, width})), reshape(h, {-1, hidden}));
      dw = dw.defined() ? dw + part : part;
    };
    if (steps > 1) add(slice(products, 0, {1, steps}), slice(y, 0, {0, steps - 1}));
    if (h0.defined()) add(index(products, {0}), h0);
    v.set(R::kW, dw.defined() ? dw : zeros_like(w));
  }
  if (v.needs(R::kBiasIH)) v.set(R::kBiasIH, sum(dx, {0, 1}));
  if (v.needs(R::kBiasHH)) v.set(R::kBiasHH, sum(products, {0, 1}));
  if (v.needs(R::kH0)) v.set(R::kH0, output(tuple, B::kDh0, {batch, hidden}, dtype));
  if (v.needs(R::kC0)) v.set(R::kC0, output(tuple, B::kDc0, {batch, hidden}, dtype));
}

// {every state, the last cell of an LSTM}.
std::vector<Tensor> recur(const Recurrence& kind, const std::vector<Tensor>& in,
                          const Where& where) {
  const Shape &x = in[R::kX].shape(), states{x[0], x[1], in[R::kW].size(1)};
  const Shape state{x[1], states[2]};
  const DType dtype = in[R::kX].dtype();
  std::vector<Node*> nodes;
  for (const Tensor& t : in) nodes.push_back(t.node());
  const Tensor tuple = record(kRecurrent, nodes, {}, dtype, kind, where);
  const bool lstm = kind.cell == R::kLSTM;
  if (!tuple.requires_grad() || kind.gates() == 1) {
    if (!lstm) return {output(tuple, R::kY, states, dtype), {}};
    const Tensor c = output(tuple, R::kC, state, dtype);
    return {output(tuple, R::kY, states, dtype, {c}), c};
  }
  const Tensor gates = output(tuple, R::kGates, x, dtype),
               inner = output(tuple, R::kInner, states, dtype);
  if (!lstm) return {output(tuple, R::kY, states, dtype, {gates, inner}), {}};
  const Tensor c = output(tuple, R::kC, state, dtype, {gates, inner});
  return {output(tuple, R::kY, states, dtype, {c, gates, inner}), c};
}

// ---- What users call ----

// The input's part of the gates at steps behind a sequence's end. An LSTM's cell stays as it is
// (no input, nothing forgotten); other states are not asked for, but must stay bounded.
Tensor input_behind_end(Recurrence::Cell cell, int64_t hidden, DType dtype) {
  constexpr double kShut = -1e4, kOpen = 1e4;
  if (cell == Recurrence::kLSTM)
    return concat(
        {full({hidden}, kShut, dtype), full({hidden}, kOpen, dtype), zeros({2 * hidden}, dtype)});
  return full({1}, cell == Recurrence::kReLU ? -1e30 : 0, dtype);
}

}  // namespace

LSTMResult recurrent_layer(const char* op, Recurrence::Cell cell, const RecurrentOperands& in,
                           const Where& where) {
  const Recurrence kind{cell};
  const bool has_bias = in.bias_ih.defined(), has_state = in.h0.defined();
  for (const Tensor* t : {&in.x, &in.weight_ih, &in.weight_hh}) {
    if (!t->defined()) fail(op, "an operand is not defined", where);
  }
  if (in.bias_hh.defined() != has_bias) fail(op, "only one of the biases is defined", where);
  if (cell == Recurrence::kLSTM && in.c0.defined() != has_state)
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
  Tensor there, length;  // (T, N, 1) and (N)
  if (in.lengths.defined()) {
    if (in.lengths.shape() != Shape{batch} || !is_integer(in.lengths.dtype()))
      fail(op, "lengths are no integers " + Shape({batch}).str(), where);
    length = cast(in.lengths, kI64);
    there = unsqueeze(unsqueeze(arange(steps), 1) < length, -1);
  }
  // Inside an Autocast this product is in bf16; states are never rounded.
  Tensor product = given(linear(given(in.x), given(in.weight_ih), {}, where));
  if (there.defined())
    product = glia::where(there, product, input_behind_end(cell, hidden, computed));
  std::vector<Tensor> inputs{product, given(in.weight_hh)};
  for (const Tensor* t : {&in.bias_ih, &in.bias_hh, &in.h0, &in.c0})
    inputs.push_back(t->defined() ? given(*t) : Tensor());
  const std::vector<Tensor> states = recur(kind, inputs, where);
  LSTMResult r;
  if (cell == Recurrence::kLSTM) r.c = result(states[1]);
  if (!there.defined()) {
    r.out = result(states[0]);
    r.h = result(index(states[0], {-1}, where));
    return r;
  }
  r.out = result(glia::where(there, states[0], 0));
  const Tensor rows = maximum(length - 1, 0) * batch + arange(batch);
  const Tensor last = take(reshape(states[0], {steps * batch, hidden}), rows, 0, where);
  const Tensor first = has_state ? given(in.h0) : zeros({1}, computed);
  r.h = result(glia::where(unsqueeze(length, 1) > 0, last, first));
  return r;
}

LSTMResult lstm(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
                const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0, const Tensor& c0,
                Where where) {
  return recurrent_layer("lstm", Recurrence::kLSTM,
                         {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0}, where);
}

RNNResult gru(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0, Where where) {
  const LSTMResult r = recurrent_layer("gru", Recurrence::kGRU,
                                       {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, {}}, where);
  return {r.out, r.h};
}

RNNResult rnn(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& h0,
              RNNNonlinearity nonlinearity, Where where) {
  const LSTMResult r = recurrent_layer(
      "rnn", nonlinearity == RNNNonlinearity::kTanh ? Recurrence::kTanh : Recurrence::kReLU,
      {x, weight_ih, weight_hh, bias_ih, bias_hh, h0, {}}, where);
  return {r.out, r.h};
}

}  // namespace glia
