// One elementwise rule over many tensors at once: a whole optimizer step as a single node.
#pragma once

#include <vector>

#include "core/formula.h"
#include "core/op.h"
#include "glia/tensor.h"

namespace glia {

using ForeachRule = FormulaRule;

// The rule's results for each problem in turn, from the operands of each problem in turn. Those of
// one problem have one shape, and all have one dtype, f32 or f64. The scalars are arguments of the
// plan. There is no gradient.
std::vector<Tensor> foreach (const char* name, ForeachRule rule, size_t operands,
                             std::span<Node* const> nodes, const std::vector<double>& scalars,
                             std::source_location where = std::source_location::current());

// What does the same at once and in place, for an optimizer's step on gradients that are there; see
// core/formula.h.
const InPlace* foreach_in_place(const char* name, ForeachRule rule, DType dtype, size_t operands,
                                size_t scalars,
                                std::source_location where = std::source_location::current());

// A node of this op has the inputs: scalars, then the operands of each problem in turn. Output r of
// problem j is number j * results + r.
extern const Op kForeachOp;

const Formula& foreach_formula(int64_t index);
// The number of the rule's formula, which is recorded if it is new.
int64_t foreach_formula_index(const char* name, ForeachRule rule, DType dtype, size_t operands,
                              size_t scalars, const std::source_location& where);

// Applies a formula to some rows of its operands (ops/rows.h).
extern const Op kForeachRowsOp;

}  // namespace glia
