#include "ops/foreach.h"

#include <deque>
#include <mutex>

namespace glia {
namespace {

// Placeholders have a shape that nothing else in a rule has.
const Shape kPlaceholder{7};

std::deque<Formula>& formulas() {
  static auto* all = new std::deque<Formula>;
  return *all;
}

struct ForeachAttributes {
  int64_t formula = 0, problems = 0;
  GLIA_ATTRIBUTES(formula, problems)
};
const Formula& formula_of(const Recorded& node) {
  return foreach_formula(node.attributes<ForeachAttributes>().formula);
}

const RegisterOp registered(kForeachOp);

}  // namespace

const Op kForeachOp{.name = "foreach",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<ForeachAttributes>,
                    .outputs = 2,
                    .formula = formula_of,
                    .last = true};

const Formula& foreach_formula(int64_t index) {
  std::lock_guard hold(graph_lock());
  return formulas()[index];
}

int64_t foreach_formula_index(const char* name, ForeachRule rule, DType dtype, size_t operands,
                              size_t scalars, const std::source_location& where) {
  std::lock_guard hold(graph_lock());
  auto& all = formulas();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].rule == rule && all[i].dtype == dtype) return static_cast<int64_t>(i);
  }
  NoGrad off;
  Formula f{.rule = rule, .dtype = dtype};
  const auto placeholder = [&](const Shape& shape) {
    return leaf(MemoryRef(allocate_memory(shape.numel() * size_of(dtype))), 0, shape, dtype);
  };
  for (size_t k = 0; k < operands; ++k) f.operands.push_back(placeholder(kPlaceholder));
  for (size_t k = 0; k < scalars; ++k) f.scalars.push_back(placeholder({}));
  {
    const Symbolic recording;
    f.results = rule(f.operands, f.scalars);
  }
  for (const Tensor& r : f.results) {
    if (r.shape() != kPlaceholder || r.dtype() != dtype)
      fail(name, "a result does not have the operands' shape and dtype", where);
  }
  all.push_back(std::move(f));
  return static_cast<int64_t>(all.size()) - 1;
}

std::vector<Tensor> foreach (const char* name, ForeachRule rule, size_t operands,
                             std::span<Node* const> nodes, const std::vector<double>& scalars,
                             std::source_location where) {
  NoGrad off;
  if (operands == 0) fail(name, "no operands", where);
  std::vector<Tensor> out;
  if (nodes.empty()) return out;
  const DType dtype = nodes[0]->dtype;
  if (dtype != kF32 && dtype != kF64) fail(name, "parameters must be f32 or f64", where);
  std::vector<Tensor> numbers;
  std::vector<Node*> inputs;
  numbers.reserve(scalars.size());
  inputs.reserve(scalars.size() + nodes.size());
  for (double s : scalars) {
    numbers.push_back(host_scalar(s, dtype));
    inputs.push_back(numbers.back().node());
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Shape& first = nodes[i - i % operands]->shape;
    if (nodes[i]->shape != first || nodes[i]->dtype != dtype)
      fail(name,
           "operands " + nodes[i]->shape.str() + " and " + first.str() + " of one problem differ",
           where);
    inputs.push_back(nodes[i]);
  }
  const int64_t formula = foreach_formula_index(name, rule, dtype, operands, scalars.size(), where);
  const size_t results = foreach_formula(formula).results.size();
  const size_t problems = nodes.size() / operands;
  const ForeachAttributes attributes{formula, static_cast<int64_t>(problems)};
  const Tensor tuple = record(kForeachOp, inputs, {}, dtype, attributes, where);
  out.reserve(problems * results);
  for (size_t i = 0; i < problems * results; ++i)
    out.push_back(output(tuple, static_cast<int>(i), nodes[i / results * operands]->shape, dtype));
  return out;
}

const InPlace* foreach_in_place(const char* name, ForeachRule rule, DType dtype, size_t operands,
                                size_t scalars, std::source_location where) {
  if (dtype != kF32 && dtype != kF64) return nullptr;
  return in_place(
      foreach_formula(foreach_formula_index(name, rule, dtype, operands, scalars, where)));
}

}  // namespace glia
