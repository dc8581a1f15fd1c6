#include "program.h"

#include <algorithm>
#include <bit>

namespace glia::quantum {
namespace {

Matrix combined(const Matrix& a, double u, const Matrix& b, double v, const Matrix& c) {
  Matrix out(b.size());
  for (int i = 0; i < b.size() * b.size(); ++i)
    out.data()[i] = a.data()[i] + u * b.data()[i] + v * c.data()[i];
  return out;
}

Matrix turned(Matrix m, bool inverse, bool conjugated) {
  if (inverse) m = dagger(m);
  return conjugated ? conjugate(std::move(m)) : m;
}

// A matrix of one wire on one of two.
Matrix placed(const Matrix& m, int target, int size) {
  if (target < 0 || m.size() == size) return m;
  return target == 0 ? kron(m, Matrix::identity(2)) : kron(Matrix::identity(2), m);
}

}  // namespace

bool Instruction::is_diagonal() const {
  const auto only_diagonal = [](const Matrix& m) {
    for (int i = 0; i < m.size(); ++i)
      for (int j = 0; j < m.size(); ++j)
        if (i != j && !(m(i, j) == Cx{})) return false;
    return true;
  };
  if (form >= Form::kMatrix) return only_diagonal(matrix);
  const FormFacts& f = facts_of(form);
  return only_diagonal(f.a) && only_diagonal(f.b) && only_diagonal(f.c);
}
Matrix Instruction::value(double t) const {
  if (form >= Form::kMatrix) return turned(matrix, inverse, conjugate);
  const FormFacts& f = facts_of(form);
  if (f.basis == Basis::kConstant) return turned(f.a, inverse, conjugate);
  const BasisValues x = basis_values(f.basis, t);
  return turned(combined(f.a, x.u, f.b, x.v, f.c), inverse, conjugate);
}
Matrix Instruction::derivative(double t) const {
  const FormFacts& f = facts_of(form);
  const BasisValues x = basis_values(f.basis, t);
  return turned(combined(Matrix(f.b.size()), x.du, f.b, x.dv, f.c), inverse, conjugate);
}

std::vector<int64_t> encode(const Program& program) {
  std::vector<int64_t> words{program.wires, static_cast<int64_t>(program.instructions.size())};
  for (const Instruction& i : program.instructions) {
    words.insert(words.end(),
                 {static_cast<int64_t>(i.form), i.inverse + 2 * i.conjugate, i.angle,
                  static_cast<int64_t>(i.targets.size()), static_cast<int64_t>(i.controls.size()),
                  static_cast<int64_t>(i.values), i.matrix.size()});
    words.insert(words.end(), i.targets.begin(), i.targets.end());
    words.insert(words.end(), i.controls.begin(), i.controls.end());
    for (int k = 0; k < i.matrix.size() * i.matrix.size(); ++k) {
      words.push_back(std::bit_cast<int64_t>(i.matrix.data()[k].re));
      words.push_back(std::bit_cast<int64_t>(i.matrix.data()[k].im));
    }
  }
  return words;
}

Program decode(std::span<const int64_t> words) {
  const int64_t* at = words.data();
  Program out;
  out.wires = static_cast<int>(*at++);
  out.instructions.resize(static_cast<size_t>(*at++));
  for (Instruction& i : out.instructions) {
    i.form = static_cast<Form>(*at++);
    i.inverse = *at & 1;
    i.conjugate = *at++ & 2;
    i.angle = *at++;
    i.targets.resize(static_cast<size_t>(*at++));
    i.controls.resize(static_cast<size_t>(*at++));
    i.values = static_cast<uint64_t>(*at++);
    i.matrix = Matrix(static_cast<int>(*at++));
    for (int& wire : i.targets) wire = static_cast<int>(*at++);
    for (int& wire : i.controls) wire = static_cast<int>(*at++);
    for (int k = 0; k < i.matrix.size() * i.matrix.size(); ++k) {
      i.matrix.data()[k].re = std::bit_cast<double>(*at++);
      i.matrix.data()[k].im = std::bit_cast<double>(*at++);
    }
  }
  return out;
}

std::vector<Step> fused(const Program& program) {
  std::vector<Step> steps;
  // The last step that has to do with a bit, and whether it is its only bit or one of two.
  std::vector<int> last(static_cast<size_t>(program.wires), -1);
  for (size_t n = 0; n < program.instructions.size(); ++n) {
    const Instruction& instruction = program.instructions[n];
    const auto bit_of = [&](int wire) { return program.wires - 1 - wire; };
    const int number = static_cast<int>(n);
    const bool angled = instruction.angle >= 0;
    if (instruction.targets.size() == 1 && instruction.controls.empty()) {
      const int bit = bit_of(instruction.targets[0]), before = last[static_cast<size_t>(bit)];
      if (before >= 0) {
        Step& step = steps[static_cast<size_t>(before)];
        // What is diagonal on two wires is cheaper than the matrix that it would become.
        if (step.controls == 0 && step.unitary &&
            (step.bits.size() == 1 || (step.bits.size() == 2 && !step.diagonal))) {
          const auto target = std::ranges::find(step.bits, bit) - step.bits.begin();
          step.parts.push_back({number, step.bits.size() == 1 ? -1 : static_cast<int>(target)});
          step.has_angles |= angled;
          step.diagonal = step.diagonal && instruction.is_diagonal();
          continue;
        }
      }
    }
    Step step;
    for (int wire : instruction.targets) step.bits.push_back(bit_of(wire));
    for (size_t c = 0; c < instruction.controls.size(); ++c) {
      const uint64_t bit = uint64_t{1} << bit_of(instruction.controls[c]);
      step.controls |= bit;
      if (instruction.values >> c & 1) step.values |= bit;
    }
    step.parts.push_back({number, -1});
    step.unitary = !is_channel(instruction.form);
    step.has_angles = angled;
    step.diagonal = instruction.is_diagonal();
    for (int bit : step.bits) last[static_cast<size_t>(bit)] = static_cast<int>(steps.size());
    for (int bit = 0; bit < program.wires; ++bit)
      if (step.controls >> bit & 1) last[static_cast<size_t>(bit)] = static_cast<int>(steps.size());
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<Pass> schedule(const std::vector<Step>& steps, int wires, int block_bits,
                           int low_bits) {
  std::vector<Pass> passes;
  std::vector<int> left(steps.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<int>(i);
  const uint64_t low = (uint64_t{1} << low_bits) - 1;
  while (!left.empty()) {
    uint64_t in = low, waiting = 0,
             turned = 0;  // bits of steps that wait, and those that they turn
    Pass pass;
    std::vector<int> rest;
    for (int number : left) {
      const Step& step = steps[static_cast<size_t>(number)];
      uint64_t targets = 0;
      for (int bit : step.bits) targets |= uint64_t{1} << bit;
      const uint64_t all = targets | step.controls;
      if (step.diagonal) targets = 0;
      // Where both are diagonal or controlled, steps may change places.
      const bool free = (targets & waiting) == 0 && (all & turned) == 0;
      if (free && std::popcount(in | targets) <= std::max(block_bits, low_bits)) {
        in |= targets;
        pass.steps.push_back(number);
      } else {
        waiting |= all;
        turned |= targets;
        rest.push_back(number);
      }
    }
    if (pass.steps.empty()) {  // one with more targets than fit beside the low bits
      const int number = rest.front();
      rest.erase(rest.begin());
      pass.steps.push_back(number);
      for (int bit : steps[static_cast<size_t>(number)].bits) in |= uint64_t{1} << bit;
    }
    for (int bit = 0; bit < wires && std::popcount(in) < block_bits; ++bit)
      in |= uint64_t{1} << bit;
    for (int bit = 0; bit < wires; ++bit)
      if (in >> bit & 1) pass.bits.push_back(bit);
    passes.push_back(std::move(pass));
    left = std::move(rest);
  }
  return passes;
}

Bound bind(const Program& program, const Step& step, std::span<const double> angles,
           bool derivatives) {
  const int size = 1 << step.bits.size();
  const auto instruction = [&](const Step::Part& part) -> const Instruction& {
    return program.instructions[static_cast<size_t>(part.instruction)];
  };
  const auto angle = [&](const Instruction& i) {
    return i.angle < 0 ? 0.0 : angles[static_cast<size_t>(i.angle)];
  };
  const auto value = [&](const Step::Part& part) {
    const Instruction& i = instruction(part);
    return placed(i.value(angle(i)), part.target, size);
  };
  Bound out;
  out.matrix = value(step.parts[0]);
  for (size_t k = 1; k < step.parts.size(); ++k)
    out.matrix = product(value(step.parts[k]), out.matrix);
  if (!derivatives || !step.has_angles) return out;
  for (size_t k = 0; k < step.parts.size(); ++k) {
    const Instruction& turning = instruction(step.parts[k]);
    if (turning.angle < 0) continue;
    Matrix d = placed(turning.derivative(angle(turning)), step.parts[k].target, size);
    for (size_t j = k; j-- > 0;) d = product(d, value(step.parts[j]));
    for (size_t j = k + 1; j < step.parts.size(); ++j) d = product(value(step.parts[j]), d);
    out.derivatives.emplace_back(turning.angle, std::move(d));
  }
  return out;
}

}  // namespace glia::quantum
