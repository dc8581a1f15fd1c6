#include "glia/quantum/circuit.h"

#include <algorithm>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "lowering.h"
#include "ops.h"
#include "products.h"

namespace glia::quantum {
namespace {

constexpr int64_t kMostWires = 28, kMostMixed = 13;

Tensor as_constant(const std::vector<int64_t>& words) {
  return from_vector(words, {static_cast<int64_t>(words.size())});
}

// Masks of the terms over 2^bits positions of which wire 0 is the highest bit.
struct Masks {
  Tensor masks, factors;
};
Masks masks_of(const Observable& observable, int64_t bits) {
  std::vector<int64_t> masks;
  std::vector<double> factors;
  for (const PauliTerm& t : observable.terms()) {
    int64_t x = 0, z = 0;
    for (const auto& [wire, letter] : t.word) {
      const int64_t bit = int64_t{1} << (bits - 1 - wire);
      if (letter != 'Z') x |= bit;
      if (letter != 'X') z |= bit;
    }
    masks.insert(masks.end(), {x, z});
    factors.push_back(t.factor);
  }
  const auto count = static_cast<int64_t>(factors.size());
  return {from_vector(masks, {count, 2}), from_vector(factors, {count})};
}

struct Lowered {
  Program program;
  std::vector<Angle> angles;
};
Lowered lowered(const std::vector<Operation>& operations, int64_t wires, bool mixed) {
  Lowered out;
  out.program.wires = static_cast<int>(mixed ? 2 * wires : wires);
  for (const Operation& o : operations) lower(o, mixed, out.program, out.angles);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, int64_t>> Samples::counts() const {
  const int64_t shots = bits.size(0), wires = bits.size(1);
  const auto all = bits.data<int64_t>();
  std::vector<std::string> words(static_cast<size_t>(shots),
                                 std::string(static_cast<size_t>(wires), '0'));
  for (int64_t s = 0; s < shots; ++s)
    for (int64_t w = 0; w < wires; ++w)
      if (all[static_cast<size_t>(s * wires + w)])
        words[static_cast<size_t>(s)][static_cast<size_t>(w)] = '1';
  std::ranges::sort(words);
  std::vector<std::pair<std::string, int64_t>> out;
  for (std::string& word : words)
    if (out.empty() || out.back().first != word)
      out.emplace_back(std::move(word), 1);
    else
      ++out.back().second;
  return out;
}

Circuit::Circuit(int64_t wires, const CircuitOptions& options, Where where)
    : wires_(wires), options_(options) {
  const int64_t most = options.mixed ? kMostMixed : kMostWires;
  if (wires < 1 || wires > most)
    throw ValueError("Circuit: " + std::to_string(wires) + " wires; there may be 1 to " +
                         std::to_string(most) + (options.mixed ? " of a mixed state" : ""),
                     where);
  if (options.dtype != kF32 && options.dtype != kF64)
    throw ValueError(std::string("Circuit: numbers are f32 or f64, not ") + name(options.dtype),
                     where);
}

void Circuit::join_batch(int64_t size, const std::string& of, Where where) {
  if (batch_ != 0 && batch_ != size)
    throw ShapeError(of + ": a batch of " + std::to_string(size) + " in a circuit with one of " +
                         std::to_string(batch_),
                     where);
  batch_ = size;
}

void Circuit::check_wires(const std::string& of, const Wires& wires, Where where) const {
  for (size_t i = 0; i < wires.size(); ++i) {
    if (wires[i] < 0 || wires[i] >= wires_)
      throw ValueError(of + ": there is no wire " + std::to_string(wires[i]) + " among " +
                           std::to_string(wires_),
                       where);
    for (size_t j = 0; j < i; ++j)
      if (wires[i] == wires[j])
        throw ValueError(of + " names wire " + std::to_string(wires[i]) + " twice", where);
  }
}

void Circuit::check(const Operation& operation, Where where) {
  Wires all = operation.controls;
  all.insert(all.end(), operation.wires.begin(), operation.wires.end());
  check_wires(operation.name, all, where);
  if (!operation.control_values.empty() &&
      operation.control_values.size() != operation.controls.size())
    throw ValueError(operation.name + ": values of controls that are not as many", where);
  for (const Angle& angle : operation.angles) {
    if (angle.is_number()) continue;
    const Tensor& t = angle.tensor();
    if (!is_float(t.dtype()))
      throw ValueError(operation.name + ": an angle is " + glia::name(t.dtype()), where);
    const bool many = angle.at() >= 0;
    if (t.rank() > 1 + many || t.rank() < many || (many && angle.at() >= t.size(-1)))
      throw ShapeError(operation.name + ": an angle is a number or (B), not " + t.shape().str(),
                       where);
    if (t.rank() == 1 + many) {
      if (t.size(0) == 0) throw ShapeError(operation.name + ": a batch of none", where);
      join_batch(t.size(0), operation.name, where);
    }
  }
  for (const Operation& part : operation.parts) check(part, where);
}

Circuit& Circuit::add(const Operation& operation, Where where) {
  if (!options_.mixed && is_channel(operation))
    throw ValueError(operation.name + ": a channel needs a circuit with {.mixed = true}", where);
  Program trial;
  trial.wires = static_cast<int>(options_.mixed ? 2 * wires_ : wires_);
  std::vector<Angle> angles;
  check(operation, where);
  lower(operation, options_.mixed, trial, angles);  // says what is wrong with it
  operations_.push_back(operation);
  vector_ = {};
  return *this;
}
Circuit& Circuit::add(const std::vector<Operation>& operations, Where where) {
  for (const Operation& o : operations) add(o, where);
  return *this;
}

Circuit& Circuit::set_state(const Complex& amplitudes, Where where) {
  const int64_t size = int64_t{1} << wires_;
  const auto fits = [&](const Tensor& t) {
    return t.defined() && is_float(t.dtype()) && (t.rank() == 1 || t.rank() == 2) &&
           t.size(-1) == size && t.numel() > 0;
  };
  if (!fits(amplitudes.re) || !fits(amplitudes.im) ||
      amplitudes.re.shape() != amplitudes.im.shape())
    throw ShapeError("set_state: the amplitudes of " + std::to_string(wires_) + " wires are (" +
                         std::to_string(size) + ") or (B, " + std::to_string(size) + ")" +
                         (amplitudes.re.defined() ? ", not " + amplitudes.re.shape().str() : ""),
                     where);
  if (amplitudes.re.rank() == 2) join_batch(amplitudes.re.size(0), "set_state", where);
  initial_ = amplitudes;
  vector_ = {};
  return *this;
}

Tensor Circuit::vector(Where where) const {
  Lowered l = lowered(operations_, wires_, options_.mixed);
  const Tensor angles = assembled(l.angles, batch_, options_.dtype);
  Tensor initial;
  if (initial_.re.defined()) {
    const int64_t size = int64_t{1} << wires_;
    Complex s{reshape(cast(initial_.re, options_.dtype), {-1, size}),
              reshape(cast(initial_.im, options_.dtype), {-1, size})};
    if (options_.mixed) {  // |s><s|
      const Complex row{unsqueeze(s.re, 2), unsqueeze(s.im, 2)},
          column{unsqueeze(s.re, 1), -unsqueeze(s.im, 1)};
      const Complex rho = row * column;
      s = {reshape(rho.re, {-1, size * size}), reshape(rho.im, {-1, size * size})};
    }
    initial = stack({s.re, s.im}, 1);
  }
  const bool wanted = angles.requires_grad() || (initial.defined() && initial.requires_grad());
  if (vector_.defined() && vector_.requires_grad() == wanted) return vector_;
  vector_ = options_.diff_method == DiffMethod::kBackprop
                ? state_by_products(l.program, angles, initial)
                : state_of(as_constant(encode(l.program)), angles, initial, l.program.wires, where);
  return vector_;
}

Tensor Circuit::without_batch(const Tensor& x) const {
  if (batch_ != 0) return x;
  Shape shape = x.shape();
  shape.erase(0);
  return reshape(x, shape);
}

Complex Circuit::state(Where where) const {
  if (options_.mixed) throw ValueError("state: a mixed circuit has a density_matrix()", where);
  const Complex v = parts_of(vector(where));
  return {without_batch(v.re), without_batch(v.im)};
}

Tensor Circuit::marginal(const Tensor& p, const Wires& wires) const {
  if (wires.empty()) return p;
  const Tensor by_place = take(p, reshape(places_of(wires, wires_), {-1}), 1);
  return sum(reshape(by_place, {p.size(0), int64_t{1} << wires.size(), -1}), {2});
}

Tensor Circuit::probs(const Wires& wires, Where where) const {
  check_wires("probs", wires, where);
  const Complex v = parts_of(vector(where));
  const int64_t size = int64_t{1} << wires_;
  const Tensor p = options_.mixed ? diagonal(reshape(v.re, {v.re.size(0), size, size}), 0, 1, 2)
                                  : square(v.re) + square(v.im);
  return without_batch(marginal(p, wires));
}

Complex Circuit::density_matrix(const Wires& wires, Where where) const {
  check_wires("density_matrix", wires, where);
  const Complex v = parts_of(vector(where));
  const int64_t size = int64_t{1} << wires_, count = v.re.size(0);
  Wires kept = wires;
  if (kept.empty())
    for (int64_t w = 0; w < wires_; ++w) kept.push_back(w);
  const int64_t k = int64_t{1} << kept.size();
  if (kept.size() > 13) throw ValueError("density_matrix: of more than 13 wires", where);
  const Tensor places = places_of(kept, wires_);  // (k, rest)
  Complex rho;
  if (options_.mixed) {
    const Tensor at = reshape(unsqueeze(places, 1) * size + unsqueeze(places, 0), {-1});
    const auto part = [&](const Tensor& x) {
      return sum(reshape(take(x, at, 1), {count, k, k, size / k}), {3});
    };
    rho = {part(v.re), part(v.im)};
  } else {
    const auto part = [&](const Tensor& x) {
      return reshape(take(x, reshape(places, {-1}), 1), {count, k, size / k});
    };
    const Complex m{part(v.re), part(v.im)};
    rho = matmul(m, Complex{transpose(m.re), -transpose(m.im)});
  }
  return {without_batch(rho.re), without_batch(rho.im)};
}

Tensor Circuit::recorded_expval(const std::vector<Observable>& observables, Where where) const {
  const auto measured = [wires = wires_, mixed = options_.mixed, observables,
                         where](const Tensor& v) {
    std::vector<Tensor> values;
    const int64_t bits = mixed ? 2 * wires : wires, size = int64_t{1} << wires;
    for (const Observable& o : observables) {
      const Masks m = masks_of(o, bits);
      if (m.factors.numel() == 0) {
        values.push_back(zeros({v.size(0)}, v.dtype()));
        continue;
      }
      const Tensor applied = pauli_sum(v, m.masks, m.factors, where);
      values.push_back(
          mixed
              ? sum(diagonal(reshape(parts_of(applied).re, {v.size(0), size, size}), 0, 1, 2), {1})
              : sum(v * applied, {1, 2}));
    }
    return stack(values, 1);  // (B, observables)
  };
  if (options_.diff_method != DiffMethod::kParameterShift) return measured(vector(where));

  const Lowered l = lowered(operations_, wires_, options_.mixed);
  if (initial_.re.defined() && (initial_.re.requires_grad() || initial_.im.requires_grad()))
    throw ValueError("expval: kParameterShift has no gradient of the state of set_state()", where);
  const Tensor words = as_constant(encode(l.program));
  Circuit from(wires_, options_, where);
  if (initial_.re.defined()) from.set_state(initial_, where);
  from.options_.diff_method = DiffMethod::kAdjoint;
  const Tensor start = initial_.re.defined() ? from.vector(where) : Tensor();
  const Tensor angles = assembled(l.angles, batch_, options_.dtype);
  if (!angles.requires_grad())
    return measured(state_of(words, angles, start, l.program.wires, where));
  std::vector<bool> wanted;
  for (const Angle& a : l.angles) wanted.push_back(a.tensor().requires_grad());
  return shifted_value(
      [=, program_wires = static_cast<int64_t>(l.program.wires)](const Tensor& at) {
        const int64_t count = at.size(0);
        const Tensor begin =
            start.defined() && start.size(0) != 1 && start.size(0) != count
                ? reshape(expand(unsqueeze(start, 1),
                                 {start.size(0), count / start.size(0), 2, start.size(2)}),
                          {count, 2, start.size(2)})
                : start;
        return measured(state_of(words, at, begin, program_wires, where));
      },
      l.program, wanted, angles, where);
}

Tensor Circuit::expval(const std::vector<Observable>& observables, Where where) const {
  if (observables.empty()) throw ValueError("expval: no observables", where);
  for (const Observable& o : observables)
    if (o.wires() > wires_)
      throw ValueError("expval: there is no wire " + std::to_string(o.wires() - 1) + " among " +
                           std::to_string(wires_),
                       where);
  return without_batch(recorded_expval(observables, where));
}
Tensor Circuit::expval(const Observable& observable, Where where) const {
  return squeeze(expval(std::vector<Observable>{observable}, where), -1);
}

Tensor Circuit::var(const Observable& observable, Where where) const {
  return expval(observable * observable, where) - square(expval(observable, where));
}

Tensor Circuit::purity(const Wires& wires, Where where) const {
  const Complex rho = density_matrix(wires, where);
  return sum(square(rho.re) + square(rho.im), {-2, -1});
}

Tensor Circuit::fidelity(const Circuit& a, const Circuit& b, Where where) {
  if (a.wires_ != b.wires_)
    throw ValueError("fidelity: circuits of " + std::to_string(a.wires_) + " and " +
                         std::to_string(b.wires_) + " wires",
                     where);
  const Complex s = a.state(where), t = b.state(where);
  return square(sum(s.re * t.re + s.im * t.im, {-1})) +
         square(sum(s.re * t.im - s.im * t.re, {-1}));
}

Tensor kernel_matrix(const Complex& a, const Complex& b, Where where) {
  if (!a.re.defined() || !b.re.defined() || a.re.rank() != 2 || b.re.rank() != 2 ||
      a.re.size(1) != b.re.size(1))
    throw ShapeError("kernel_matrix: states are (N, 2^n) and (M, 2^n)", where);
  const Complex overlap = matmul(a, Complex{transpose(b.re), -transpose(b.im)}, where);
  return square(overlap.re) + square(overlap.im);
}

int64_t Circuit::depth() const {
  std::vector<int64_t> at(static_cast<size_t>(wires_), 0);
  int64_t most = 0;
  for (const Operation& o : operations_) {
    Wires all = o.controls;
    all.insert(all.end(), o.wires.begin(), o.wires.end());
    int64_t level = 0;
    for (int64_t w : all) level = std::max(level, at[static_cast<size_t>(w)] + 1);
    for (int64_t w : all) at[static_cast<size_t>(w)] = level;
    most = std::max(most, level);
  }
  return most;
}

}  // namespace glia::quantum
