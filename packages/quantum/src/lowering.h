// From operations to what the kernels take.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "glia/quantum/operation.h"
#include "program.h"

namespace glia::quantum {

// A gate that is one instruction.
struct GateFacts {
  std::string_view name;
  int controls = 0, wires = 1, angles = 0;  // the first `controls` of the wires are controls
  Form form = Form::kX;
};
const GateFacts* find_gate(std::string_view name);
std::span<const GateFacts> all_gates();

// How many of an operation's own wires are controls, behind those of ctrl().
int own_controls(const Operation& operation);
bool is_channel(const Operation& operation);

// Appends what an operation does; angles are numbered in the order in which they are met. Those
// that are numbers become part of the matrix unless they are kept. Throws ValueError for a gate
// that there is not.
enum class Numbers { kFold, kKeep };
void lower(const Operation& operation, bool mixed, Program& program, std::vector<Angle>& angles,
           Numbers numbers = Numbers::kFold);

// (1 or B, count) of f32 or f64: tensors side by side. At least one column.
Tensor assembled(const std::vector<Angle>& angles, int64_t batch, DType dtype);

// Values of matrices, in f64.
Matrix matrix_of(const Complex& m);

}  // namespace glia::quantum
