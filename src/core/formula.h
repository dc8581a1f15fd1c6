// Elementwise rules that some kernels apply, and what a backend makes of one.
#pragma once

#include <span>
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

// Implemented by src/graph: what applies a formula at once and in place to computed values; null if
// nothing can. Takes graph_lock().
struct InPlace;
const InPlace* in_place(const Formula& formula);
// Nodes are the operands of each problem in turn: result 0 takes the place of operand 0, result k
// that of operand k + 1, and operand 1 is only read. False, with nothing done, where a value is not
// computed yet or somebody else can see it. In a Flight, with the places of the values locked.
bool apply(const InPlace& in_place, std::span<Node* const> nodes,
           const std::vector<double>& scalars);

}  // namespace glia
