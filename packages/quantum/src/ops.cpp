#include "ops.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "glia/op.h"
#include "glia/ops.h"
#include "kernels.h"
#include "simulate.h"

namespace glia::quantum {
namespace {

struct StateAttributes {
  int64_t wires = 0;
  GLIA_ATTRIBUTES(wires)
};

// ---- The state, and back ----
// Inputs of both: program, angles, (of the way back: final state, gradient,) initial, if it is
// given.

// Of angles (..., P): (..., 2, 2^wires).
Shape vector_shape(const Shape& angles, int64_t wires) {
  Shape shape = angles;
  shape[shape.rank() - 1] = 2;
  shape.push_back(int64_t{1} << wires);
  return shape;
}

template <class T>
Simulation<T> simulation_of(const KernelCall& call, size_t initial_at) {
  const Shape& angles = call.in[1].layout.shape;
  const int64_t angle_count = angles.size(-1), wires = call.attributes<StateAttributes>().wires;
  Simulation<T> s{
      .program = {call.in[0].as<const int64_t>(), static_cast<size_t>(call.in[0].numel())},
      .angles = call.in[1].as<const T>(),
      .count = angles.numel() / angle_count,
      .angle_count = angle_count};
  if (call.in.size() > initial_at) {
    s.initial = call.in[initial_at].as<const T>();
    s.initials = call.in[initial_at].numel() >> (wires + 1);
  }
  return s;
}
void run_state(const KernelCall& call) {
  if (call.out[0].dtype == kF64)
    run_forward(simulation_of<double>(call, 2), call.out[0].as<double>());
  else
    run_forward(simulation_of<float>(call, 2), call.out[0].as<float>());
}
// A result that nobody asked for has no array, but is on the way.
template <class T>
void back(const KernelCall& call) {
  std::unique_ptr<T[]> spare[2];
  const auto result = [&](size_t i, const Array& like) {
    if (call.out[i].data) return call.out[i].as<T>();
    spare[i].reset(new T[static_cast<size_t>(like.numel())]);
    return spare[i].get();
  };
  T* const angles = result(0, call.in[1]);
  T* const initial = result(1, call.in[3]);
  run_backward(simulation_of<T>(call, 4), call.in[2].as<const T>(), call.in[3].as<const T>(),
               angles, initial);
}
void run_back(const KernelCall& call) {
  call.in[2].dtype == kF64 ? back<double>(call) : back<float>(call);
}

struct Both {
  Tensor angles, initial;
};
Both back_of(const Tensor& program, const Tensor& angles, const Tensor& final, const Tensor& grad,
             const Tensor& initial, int64_t wires, Where where);

Tensor optional_input(const Recorded& r, int at) { return r.inputs() > at ? r.in(at) : Tensor(); }
// The gradient of an initial vector, which may be one for all.
Tensor as_initial(const Tensor& grad, const Tensor& initial) {
  return initial.shape() == grad.shape() ? grad : sum(grad, {0}, true);
}

void vjp_state(Vjp& v) {
  const Tensor initial = optional_input(v, 2);
  const int64_t wires = v.attributes<StateAttributes>().wires;
  const Both g = back_of(v.in(0), v.in(1), v.out(), v.g(), initial, wires, v.where());
  if (v.needs(1)) v.set(1, g.angles);
  if (initial.defined() && v.needs(2)) v.set(2, as_initial(g.initial, initial));
}

// Of h0 . d<g, U s>/dt + <h1, U' g>, with U of the angles t and s the initial vector. The first is
// a sum over shifted angles.
void vjp_back(Vjp& v) {
  const int64_t wires = v.attributes<StateAttributes>().wires, size = int64_t{1} << wires;
  // Of more axes in front, as inside vmap, one.
  const auto flat = [&](const Tensor& x) {
    return x.defined() ? reshape(x, {-1, 2, size}) : Tensor();
  };
  const Tensor program = v.in(0), angles = reshape(v.in(1), {-1, v.in(1).size(-1)});
  const Tensor grad = flat(v.in(3)), initial = flat(optional_input(v, 4));
  const Tensor g_initial = flat(v.g(1));
  const int64_t count = angles.size(0);
  Tensor to_angles, to_grad, to_initial;
  const auto add = [](Tensor& to, const Tensor& t) { to = to.defined() ? to + t : t; };
  if (v.g(0).defined()) {
    const Program p = decode(program.data<int64_t>());
    const auto shifts = all_shifts(p, 1);
    const auto many = static_cast<int64_t>(shifts.size());
    if (many > 0) {
      std::vector<int64_t> which;
      for (const auto& [angle, shift] : shifts) which.push_back(angle);
      const Tensor weight = take(reshape(v.g(0), angles.shape()), from_vector(which, {many}), 1) *
                            factors_of(shifts, angles.dtype());  // (B, shifts)
      const Tensor at = reshape(shifted(angles, shifts), {count * many, angles.size(1)});
      const auto repeated = [&](const Tensor& x) {
        return reshape(expand(unsqueeze(x, 1), {count, many, 2, size}), {count * many, 2, size});
      };
      const Tensor from =
          initial.defined() && initial.size(0) == count && count > 1 ? repeated(initial) : initial;
      const Tensor states = state_of(program, at, from, wires, v.where());
      const Tensor w = reshape(weight, {count, many, 1, 1});
      add(to_grad, sum(reshape(states, {count, many, 2, size}) * w, {1}));
      const Tensor seeds = repeated(grad) * reshape(weight, {count * many, 1, 1});
      const Both more = back_of(program, at, states, seeds, from, wires, v.where());
      add(to_angles, sum(reshape(more.angles, {count, many, angles.size(1)}), {1}));
      add(to_initial, sum(reshape(more.initial, {count, many, 2, size}), {1}));
    }
  }
  if (g_initial.defined()) {
    const Tensor states = state_of(program, angles, g_initial, wires, v.where());
    add(to_grad, states);
    add(to_angles, back_of(program, angles, states, grad, g_initial, wires, v.where()).angles);
  }
  if (v.needs(1) && to_angles.defined()) v.set(1, reshape(to_angles, v.in_shape(1)));
  if (v.needs(3) && to_grad.defined()) v.set(3, reshape(to_grad, v.in_shape(3)));
  if (initial.defined() && v.needs(4) && to_initial.defined())
    v.set(4, reshape(as_initial(to_initial, initial), v.in_shape(4)));
}

// Examples are more vectors of the same program.
Tensor batch_rule(const Recorded& one, std::span<const Tensor> inputs,
                  std::span<const bool> batched, int64_t size) {
  if (batched[0]) return {};
  std::vector<Tensor> all{inputs[0]};
  for (size_t i = 1; i < inputs.size(); ++i)
    all.push_back(with_batch_axis(inputs[i], batched[i], size));
  const bool forward = one.op().outputs == 1;
  if (inputs.size() > (forward ? 2 : 4)) {  // an initial vector that may be one for all
    Shape shape = all.back().shape();
    for (int i = 0; i + 2 < shape.rank(); ++i) shape[i] = all[1].shape()[i];
    all.back() = expand(all.back(), shape);
  }
  std::vector<Node*> nodes;
  for (const Tensor& t : all) nodes.push_back(t.node());
  const StateAttributes attributes = one.attributes<StateAttributes>();
  return record(one.op(), std::span<Node* const>(nodes),
                forward ? vector_shape(all[1].shape(), attributes.wires) : all[1].shape(),
                one.dtype(), attributes, one.where());
}

const Op kState{.name = "quantum_state",
                .kind = Kind::kKernel,
                .attributes = kAttributeFields<StateAttributes>,
                .vjp = vjp_state,
                .run = run_state,
                .batch = batch_rule};
const Op kBack{.name = "quantum_state_backward",
               .kind = Kind::kKernel,
               .attributes = kAttributeFields<StateAttributes>,
               .vjp = vjp_back,
               .run = run_back,
               .batch = batch_rule,
               .outputs = 2};

Both back_of(const Tensor& program, const Tensor& angles, const Tensor& final, const Tensor& grad,
             const Tensor& initial, int64_t wires, Where where) {
  const Shape shape = vector_shape(angles.shape(), wires);
  std::vector<Node*> in{program.node(), angles.node(), final.node(), grad.node()};
  if (initial.defined()) in.push_back(initial.node());
  const Tensor both = record(kBack, std::span<Node* const>(in), angles.shape(), angles.dtype(),
                             StateAttributes{wires}, where);
  return {output(both, 0, angles.shape(), angles.dtype()), output(both, 1, shape, angles.dtype())};
}

// ---- Sums of products of Pauli matrices ----

// out[a] = the sum over terms of f i^(number of Y) (-1)^(bits of (a ^ x) & z) in[a ^ x].
template <class T>
void run_pauli(const KernelCall& call) {
  const Shape& shape = call.out[0].layout.shape;
  const int64_t count = shape[0], size = shape[2];
  const int64_t* const masks = call.in[1].as<const int64_t>();
  const double* const factors = call.in[2].as<const double>();
  const int64_t terms = call.in[2].numel();
  const int64_t part = std::min<int64_t>(size, 4096), parts = size / part;
  parallel_for(count * parts, [&](int64_t job) {
    const int64_t vector = job / parts, begin = job % parts * part;
    const T* const re = call.in[0].as<const T>() + vector * 2 * size;
    const T* const im = re + size;
    T* const to_re = call.out[0].as<T>() + vector * 2 * size;
    T* const to_im = to_re + size;
    std::fill_n(to_re + begin, part, T{0});
    std::fill_n(to_im + begin, part, T{0});
    for (int64_t t = 0; t < terms; ++t)
      add_pauli<T>({masks[2 * t], masks[2 * t + 1], factors[t]}, re, im, to_re, to_im, begin,
                   begin + part);
  });
}
void run_pauli_sum(const KernelCall& call) {
  call.out[0].dtype == kF64 ? run_pauli<double>(call) : run_pauli<float>(call);
}
// Such a sum is its own adjoint.
void vjp_pauli(Vjp& v) {
  if (v.needs(0)) v.set(0, pauli_sum(v.g(), v.in(1), v.in(2), v.where()));
}
const Op kPauliSum{
    .name = "quantum_pauli_sum", .kind = Kind::kKernel, .vjp = vjp_pauli, .run = run_pauli_sum};

const RegisterOp registered_state(kState), registered_back(kBack), registered_pauli(kPauliSum);

}  // namespace

Tensor state_of(const Tensor& program, const Tensor& angles, const Tensor& initial, int64_t wires,
                Where where) {
  const Shape shape = vector_shape(angles.shape(), wires);
  std::vector<Node*> in{program.node(), angles.node()};
  if (initial.defined()) in.push_back(initial.node());
  return record(kState, std::span<Node* const>(in), shape, angles.dtype(), StateAttributes{wires},
                where);
}

Tensor pauli_sum(const Tensor& state, const Tensor& masks, const Tensor& factors, Where where) {
  return record(kPauliSum, {state.node(), masks.node(), factors.node()}, state.shape(),
                state.dtype(), AttributeWords(), where);
}

std::vector<Shift> shifts_of(const Instruction& instruction, int order) {
  constexpr double kPi = std::numbers::pi;
  const FormFacts& f = facts_of(instruction.form);
  if (f.basis == Basis::kDamping || f.basis == Basis::kConstant) return {};
  if (f.basis == Basis::kWhole) return {{kPi / 2, 0.5}, {-kPi / 2, -0.5}};
  if (order == 1) return {{kPi, 0.25}, {-kPi, -0.25}};
  // Where some amplitudes do not turn, expectation values have the frequency 1/2 besides 1.
  bool still = !instruction.controls.empty();
  for (int i = 0; i < f.a.size() * f.a.size(); ++i) still |= !(f.a.data()[i] == Cx{});
  if (!still) return {{kPi / 2, 0.5}, {-kPi / 2, -0.5}};
  const double root = std::numbers::sqrt2, a = (root + 1) / (4 * root), b = (root - 1) / (4 * root);
  return {{kPi / 2, a}, {-kPi / 2, -a}, {3 * kPi / 2, -b}, {-3 * kPi / 2, b}};
}

std::vector<std::pair<int64_t, Shift>> all_shifts(const Program& program, int order,
                                                  const std::vector<bool>& wanted) {
  // Of a mixed state the same angle turns rows and, conjugated, columns.
  const bool mixed = std::ranges::any_of(program.instructions, &Instruction::conjugate);
  std::vector<std::pair<int64_t, Shift>> out;
  for (const Instruction& i : program.instructions) {
    if (i.angle < 0 || i.conjugate) continue;
    if (!wanted.empty() && !wanted[static_cast<size_t>(i.angle)]) continue;
    const auto shifts = shifts_of(i, mixed ? 2 : order);
    if (shifts.empty())
      throw Error(
          "quantum: the probability of a channel has no rule of shifts, which second "
          "derivatives and kParameterShift need");
    for (const Shift& s : shifts) out.emplace_back(i.angle, s);
  }
  return out;
}

Tensor shifted(const Tensor& angles, const std::vector<std::pair<int64_t, Shift>>& shifts) {
  const int64_t count = angles.size(1), many = static_cast<int64_t>(shifts.size());
  std::vector<double> by(static_cast<size_t>(count * many), 0.0);
  for (int64_t s = 0; s < many; ++s)
    by[static_cast<size_t>(s * count + shifts[static_cast<size_t>(s)].first)] =
        shifts[static_cast<size_t>(s)].second.shift;
  return unsqueeze(angles, 1) + cast(from_vector(by, {many, count}), angles.dtype());
}
Tensor factors_of(const std::vector<std::pair<int64_t, Shift>>& shifts, DType dtype) {
  std::vector<double> factors;
  for (const auto& [angle, shift] : shifts) factors.push_back(shift.factor);
  return cast(from_vector(factors, {static_cast<int64_t>(factors.size())}), dtype);
}

}  // namespace glia::quantum
