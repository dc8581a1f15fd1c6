// One elementwise rule over many tensors at once: a whole optimizer step as a single node.
#pragma once

#include <vector>

#include "core/op.h"
#include "glia/tensor.h"

namespace glia {

class FusedKernel;

// rule(operands, scalars) -> results: elementwise operations on tensors of one shape and on
// rank-0 scalars. Recorded once, on placeholders, for each dtype.
using ForeachRule = std::vector<Tensor> (*)(const std::vector<Tensor>& operands,
                                            const std::vector<Tensor>& scalars);

// The rule's results for each problem in turn, from the operands of each problem in turn. Those of
// one problem have one shape, and all have one dtype, f32 or f64. The scalars are arguments of the
// plan. There is no gradient.
std::vector<Tensor> foreach (const char* name, ForeachRule rule, size_t operands,
                             std::span<Node* const> nodes, const std::vector<double>& scalars,
                             std::source_location where = std::source_location::current());

// The same at once and in place, for an optimizer's step on gradients that are there: result 0 of a
// problem takes the place of its operand 0, result k that of operand k + 1, and operand 1 is only
// read. False, with nothing done, where a value is not computed yet or somebody else can see it.
bool foreach_in_place(const char* name, ForeachRule rule, size_t operands,
                      std::span<Node* const> nodes, const std::vector<double>& scalars,
                      std::source_location where = std::source_location::current());

// A node of this op has the inputs: scalars, then the operands of each problem in turn; and the
// attributes: formula, problems. Output r of problem j is number j * results + r.
extern const Op kForeachOp;

struct ForeachFormula {
  ForeachRule rule = nullptr;
  DType dtype = kF32;
  std::vector<Tensor> operands, scalars, results;  // the recorded placeholders
};
const ForeachFormula& foreach_formula(int64_t index);
// The number of the rule's formula, which is recorded if it is new.
int64_t foreach_formula_index(const char* name, ForeachRule rule, DType dtype, size_t operands,
                              size_t scalars, const std::source_location& where);

// A formula as the backend compiled it, for the kernel of a node that carries one: its attribute
// 0 is the formula, its first inputs are the scalars.
struct CompiledFormula {
  struct Slot {  // what the kernel reads there: one of these
    int operand = -1, scalar = -1;
    const void* constant = nullptr;
  };
  const FusedKernel* kernel = nullptr;
  std::vector<Slot> inputs;
  int outputs = 0;
  std::vector<int> results;  // which output is result r
};
// Applies a formula to some rows of its operands (ops/rows.h).
extern const Op kForeachRowsOp;

}  // namespace glia
