// Elementwise rules that some kernels apply, and what a backend makes of one.
#pragma once

#include <vector>

#include "glia/tensor.h"

namespace glia {

class FusedKernel;

// rule(operands, scalars) -> results: elementwise operations on tensors of one shape and on
// rank-0 scalars. Recorded once, on placeholders, for each dtype.
using FormulaRule = std::vector<Tensor> (*)(const std::vector<Tensor>& operands,
                                            const std::vector<Tensor>& scalars);
struct Formula {
  FormulaRule rule = nullptr;
  DType dtype = kF32;
  std::vector<Tensor> operands, scalars, results;  // the recorded placeholders
};

// A formula as the backend compiled it, for a kernel whose first inputs are the scalars.
struct CompiledFormula {
  struct Slot {  // what the kernel reads there: one of these
    int operand = -1, scalar = -1;
    const void* constant = nullptr;
  };
  const FusedKernel* kernel = nullptr;
  std::vector<Slot> inputs;
  int outputs = 0;
  std::vector<int> results;      // which output is result r
  std::vector<Tensor> recorded;  // keeps the constants
};

// Implemented by src/graph: applies a formula at once and in place to computed values. Nodes are
// the operands of each problem in turn: result 0 takes the place of operand 0, result k that of
// operand k + 1, and operand 1 is only read. False, with nothing done, where somebody else can see
// a value.
bool apply_in_place(const Formula& formula, std::span<Node* const> nodes,
                    const std::vector<double>& scalars);

}  // namespace glia
