// A circuit as the kernels take it: a list of instructions on wires, which travels as an array of
// i64 so that it is data and no part of a plan's key.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "forms.h"

namespace glia::quantum {

struct Instruction {
  Form form = Form::kX;
  bool inverse = false, conjugate = false;
  int64_t angle = -1;        // which of the angles; -1: it has none
  std::vector<int> targets;  // wires; the first is the most significant of the matrix
  std::vector<int> controls;
  uint64_t values = 0;  // bit i: what controls[i] must be
  Matrix matrix;        // of kMatrix and kChannelMatrix

  bool is_diagonal() const;
  // At that angle, and its derivative.
  Matrix value(double t) const;
  Matrix derivative(double t) const;
};

struct Program {
  int wires = 0;
  std::vector<Instruction> instructions;
};
std::vector<int64_t> encode(const Program& program);
Program decode(std::span<const int64_t> words);

// One or several instructions that became one matrix. Bit positions count from the least
// significant one, which is that of the last wire.
struct Step {
  std::vector<int> bits;  // of the targets, the most significant of the matrix first
  uint64_t controls = 0, values = 0;
  struct Part {
    int instruction = 0;
    int target = -1;  // it works on this one of the two targets; -1: on all of them
  };
  std::vector<Part> parts;
  bool unitary = true;
  bool has_angles = false;
  bool diagonal = false;  // for all angles
};
std::vector<Step> fused(const Program& program);

// Steps that are done together on blocks: 2^k amplitudes whose positions differ in `bits`. Targets
// are among these, but controls and targets of what is diagonal need not be.
struct Pass {
  std::vector<int> bits;  // k of them, ascending
  std::vector<int> steps;
};
std::vector<Pass> schedule(const std::vector<Step>& steps, int wires, int block_bits, int low_bits);

// The matrix of a step at some angles, and its derivative by each of them.
struct Bound {
  Matrix matrix;
  std::vector<std::pair<int64_t, Matrix>> derivatives;
};
Bound bind(const Program& program, const Step& step, std::span<const double> angles,
           bool derivatives);

}  // namespace glia::quantum
