#include "lowering.h"

#include <algorithm>

#include "glia/error.h"
#include "glia/ops.h"
#include "simulate.h"

namespace glia::quantum {
namespace {

constexpr GateFacts kGates[] = {
    {"PauliX", 0, 1, 0, Form::kX},
    {"PauliY", 0, 1, 0, Form::kY},
    {"PauliZ", 0, 1, 0, Form::kZ},
    {"Hadamard", 0, 1, 0, Form::kH},
    {"S", 0, 1, 0, Form::kS},
    {"T", 0, 1, 0, Form::kT},
    {"SX", 0, 1, 0, Form::kSX},
    {"RX", 0, 1, 1, Form::kRX},
    {"RY", 0, 1, 1, Form::kRY},
    {"RZ", 0, 1, 1, Form::kRZ},
    {"PhaseShift", 0, 1, 1, Form::kPhase},
    {"GlobalPhase", 0, 0, 1, Form::kGlobalPhase},
    {"CNOT", 1, 2, 0, Form::kX},
    {"CY", 1, 2, 0, Form::kY},
    {"CZ", 1, 2, 0, Form::kZ},
    {"CH", 1, 2, 0, Form::kH},
    {"SWAP", 0, 2, 0, Form::kSwap},
    {"ISWAP", 0, 2, 0, Form::kISwap},
    {"SISWAP", 0, 2, 0, Form::kSISwap},
    {"ECR", 0, 2, 0, Form::kECR},
    {"Toffoli", 2, 3, 0, Form::kX},
    {"CCZ", 2, 3, 0, Form::kZ},
    {"CSWAP", 1, 3, 0, Form::kSwap},
    {"CRX", 1, 2, 1, Form::kRX},
    {"CRY", 1, 2, 1, Form::kRY},
    {"CRZ", 1, 2, 1, Form::kRZ},
    {"ControlledPhaseShift", 1, 2, 1, Form::kPhase},
    {"IsingXX", 0, 2, 1, Form::kIsingXX},
    {"IsingYY", 0, 2, 1, Form::kIsingYY},
    {"IsingZZ", 0, 2, 1, Form::kIsingZZ},
    {"IsingXY", 0, 2, 1, Form::kIsingXY},
    {"PSWAP", 0, 2, 1, Form::kPSwap},
    {"SingleExcitation", 0, 2, 1, Form::kSingleExcitation},
    {"SingleExcitationMinus", 0, 2, 1, Form::kSingleExcitationMinus},
    {"SingleExcitationPlus", 0, 2, 1, Form::kSingleExcitationPlus},
    {"DoubleExcitation", 0, 4, 1, Form::kDoubleExcitation},
    {"BitFlip", 0, 1, 1, Form::kBitFlip},
    {"PhaseFlip", 0, 1, 1, Form::kPhaseFlip},
    {"DepolarizingChannel", 0, 1, 1, Form::kDepolarizing},
    {"AmplitudeDamping", 0, 1, 1, Form::kAmplitudeDamping},
    {"PhaseDamping", 0, 1, 1, Form::kPhaseDamping},
};

// A matrix of numbers on wires, or a channel of such.
std::optional<Form> form_of_numbers(const std::string& name) {
  if (name == "QubitUnitary") return Form::kMatrix;
  if (name == "QubitChannel" || name == "GeneralizedAmplitudeDamping" || name == "ResetError")
    return Form::kChannelMatrix;
  return {};
}

Matrix matrix_of_numbers(const std::vector<double>& numbers) {
  int size = 1;
  while (static_cast<size_t>(2 * size * size) < numbers.size()) size *= 2;
  Matrix m(size);
  for (size_t i = 0; i < numbers.size() / 2; ++i)
    m.data()[i] = {numbers[2 * i], numbers[2 * i + 1]};
  return m;
}

struct Controls {
  std::vector<int> wires;
  uint64_t values = 0;
};

class Lowering {
 public:
  Lowering(bool mixed, int wires, Program& program, std::vector<Angle>& angles, Numbers numbers)
      : mixed_(mixed), wires_(wires), program_(program), angles_(angles), numbers_(numbers) {}

  void operator()(const Operation& o, Controls controls, bool inverse) {
    inverse ^= o.inverse;
    for (size_t i = 0; i < o.controls.size(); ++i) {
      if (o.control_values.empty() || o.control_values[i])
        controls.values |= uint64_t{1} << controls.wires.size();
      controls.wires.push_back(static_cast<int>(o.controls[i]));
    }
    if (!o.parts.empty()) {
      for (size_t i = 0; i < o.parts.size(); ++i)
        (*this)(inverse ? o.parts[o.parts.size() - 1 - i] : o.parts[i], controls, inverse);
      return;
    }
    if (o.name == "Identity" || o.name == "QFT") return;
    Instruction instruction;
    instruction.inverse = inverse;
    const GateFacts* gate = find_gate(o.name);
    const auto by_numbers = form_of_numbers(o.name);
    if (gate) {
      if (static_cast<int>(o.wires.size()) != gate->wires ||
          static_cast<int>(o.angles.size()) != gate->angles)
        throw ValueError(o.name + " is a gate on " + std::to_string(gate->wires) + " wires with " +
                         std::to_string(gate->angles) + " angles");
      instruction.form = gate->form;
    } else if (by_numbers) {
      instruction.form = *by_numbers;
      instruction.matrix = matrix_of_numbers(o.numbers);
    } else {
      throw ValueError("there is no gate " + o.name);
    }
    const int own = own_controls(o);
    for (int i = 0; i < own; ++i) {
      controls.values |= uint64_t{1} << controls.wires.size();
      controls.wires.push_back(static_cast<int>(o.wires[static_cast<size_t>(i)]));
    }
    for (size_t i = static_cast<size_t>(own); i < o.wires.size(); ++i)
      instruction.targets.push_back(static_cast<int>(o.wires[i]));
    const Angle* angle = o.angles.empty() ? nullptr : &o.angles[0];
    if (instruction.form == Form::kGlobalPhase && !controls.wires.empty())
      return phase_of_controls(std::move(instruction), controls, angle);
    if (instruction.form == Form::kGlobalPhase) instruction.targets = {0};  // any will do
    instruction.controls = controls.wires;
    instruction.values = controls.values;
    put(std::move(instruction), angle);
  }

 private:
  // e^(-i phi) where all controls are as they should is a phase of one of them.
  void phase_of_controls(Instruction phase, Controls controls, const Angle* angle) {
    const int wire = controls.wires.back();
    const size_t others = controls.wires.size() - 1;
    const bool one = controls.values >> others & 1;
    controls.wires.pop_back();
    phase.form = Form::kPhase;
    phase.inverse = !phase.inverse;
    phase.targets = {wire};
    phase.controls = controls.wires;
    phase.values = controls.values & ((uint64_t{1} << others) - 1);
    Instruction flip;
    flip.form = Form::kX;
    flip.targets = {wire};
    if (!one) put(flip);
    put(std::move(phase), angle);
    if (!one) put(flip);
  }
  // Of a mixed state rows have the wires, columns as many behind.
  void put(Instruction i, const Angle* angle = nullptr) {
    if (angle && angle->is_number() && numbers_ == Numbers::kFold) {
      Instruction plain;
      plain.form = i.form;
      i.matrix = plain.value(angle->number());
      i.form = quantum::is_channel(i.form) ? Form::kChannelMatrix : Form::kMatrix;
    } else if (angle) {
      i.angle = static_cast<int64_t>(angles_.size());
      angles_.push_back(*angle);
    }
    const auto moved = [&](std::vector<int> wires) {
      for (int& wire : wires) wire += wires_;
      return wires;
    };
    if (!mixed_) {
      program_.instructions.push_back(std::move(i));
    } else if (quantum::is_channel(i.form)) {
      const std::vector<int> columns = moved(i.targets);
      i.targets.insert(i.targets.end(), columns.begin(), columns.end());
      program_.instructions.push_back(std::move(i));
    } else {
      program_.instructions.push_back(i);
      i.conjugate = true;
      i.targets = moved(i.targets);
      i.controls = moved(i.controls);
      program_.instructions.push_back(std::move(i));
    }
  }
  const bool mixed_;
  const int wires_;
  Program& program_;
  std::vector<Angle>& angles_;
  const Numbers numbers_;
};

}  // namespace

const GateFacts* find_gate(std::string_view name) {
  const auto at = std::ranges::find(kGates, name, &GateFacts::name);
  return at == std::end(kGates) ? nullptr : at;
}
std::span<const GateFacts> all_gates() { return kGates; }

int own_controls(const Operation& operation) {
  const GateFacts* gate = find_gate(operation.name);
  if (gate) return gate->controls;
  if (operation.name == "MultiControlledX") return static_cast<int>(operation.wires.size()) - 1;
  return operation.name == "CRot" ? 1 : 0;
}

bool is_channel(const Operation& operation) {
  if (const auto form = form_of_numbers(operation.name)) return is_channel(*form);
  if (const GateFacts* gate = find_gate(operation.name)) return is_channel(gate->form);
  return std::ranges::any_of(operation.parts, [](const Operation& o) { return is_channel(o); });
}

void lower(const Operation& operation, bool mixed, Program& program, std::vector<Angle>& angles,
           Numbers numbers) {
  Lowering(mixed, mixed ? program.wires / 2 : program.wires, program, angles, numbers)(operation,
                                                                                       {}, false);
}

Tensor assembled(const std::vector<Angle>& angles, int64_t batch, DType dtype) {
  const int64_t rows = std::max<int64_t>(batch, 1);
  std::vector<Tensor> parts;
  const auto put = [&](const Tensor& part) {
    parts.push_back(part.size(0) == rows ? part : expand(part, {rows, part.size(1)}));
  };
  for (size_t i = 0; i < angles.size();) {
    const Angle& a = angles[i];
    size_t end = i + 1;
    if (a.at() < 0) {
      put(cast(reshape(a.tensor(), {a.tensor().numel(), 1}), dtype));
    } else {
      while (end < angles.size() && angles[end].tensor().node() == a.tensor().node() &&
             angles[end].at() == a.at() + static_cast<int64_t>(end - i))
        ++end;
      const int64_t stop = a.at() + static_cast<int64_t>(end - i);
      const Tensor& t = a.tensor();
      const Tensor rows_of = t.rank() == 1 ? unsqueeze(t, 0) : t;
      put(cast(a.at() == 0 && stop == t.size(-1) ? rows_of : slice(rows_of, 1, Slice{a.at(), stop}),
               dtype));
    }
    i = end;
  }
  if (parts.empty()) return zeros({rows, 1}, dtype);
  return parts.size() == 1 ? parts[0] : concat(parts, 1);
}

Matrix matrix_of(const Complex& m) {
  const Tensor re = cast(stop_gradient(m.re), kF64), im = cast(stop_gradient(m.im), kF64);
  Matrix out(static_cast<int>(re.size(0)));
  const auto r = re.data<double>(), i = im.data<double>();
  for (size_t n = 0; n < r.size(); ++n) out.data()[n] = {r[n], i[n]};
  return out;
}

Complex Operation::matrix(Where where) const {
  if (is_channel(*this)) throw ValueError(name + ": a channel has no matrix of its own", where);
  Wires used = controls;
  used.insert(used.end(), wires.begin(), wires.end());
  const auto place = [&](int64_t wire) { return std::ranges::find(used, wire) - used.begin(); };
  const auto moved = [&](const auto& self, Operation o) -> Operation {
    for (int64_t& wire : o.wires) wire = place(wire);
    for (int64_t& wire : o.controls) wire = place(wire);
    for (Operation& part : o.parts) part = self(self, part);
    return o;
  };
  Program program;
  program.wires = static_cast<int>(used.size());
  std::vector<Angle> angles;
  lower(moved(moved, *this), false, program, angles);
  const int64_t size = int64_t{1} << program.wires;
  std::vector<double> numbers, start(static_cast<size_t>(2 * size * size), 0.0);
  for (int64_t i = 0; i < size; ++i) start[static_cast<size_t>(2 * size * i + i)] = 1;
  const std::vector<double> one = [&] {
    const Tensor t = assembled(angles, 0, kF64);
    return std::vector<double>(t.data<double>().begin(), t.data<double>().end());
  }();
  for (int64_t i = 0; i < size; ++i) numbers.insert(numbers.end(), one.begin(), one.end());
  std::vector<double> columns(start.size());
  const std::vector<int64_t> words = encode(program);
  run_forward(Simulation<double>{.program = words,
                                 .angles = numbers.data(),
                                 .count = size,
                                 .angle_count = static_cast<int64_t>(one.size()),
                                 .initial = start.data(),
                                 .initials = size},
              columns.data());
  const Tensor all = from_vector(columns, {size, 2, size});
  const auto part = [&](int64_t which) {
    return transpose(reshape(slice(all, 1, Slice{which, which + 1}), {size, size}));
  };
  return {part(0), part(1)};
}

}  // namespace glia::quantum
