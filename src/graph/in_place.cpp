// Optimizer steps on values that are all there: one kernel over their memory, without a graph.
#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "glia/runtime.h"
#include "graph/plan.h"
#include "runtime/threads.h"

namespace glia {
struct InPlace {
  size_t operands = 0;
  CompiledFormula formula;
  std::unique_ptr<FusedKernel> kernel;  // null: results share an output
};

namespace {

bool is_ours_alone(const Node& node) {
  return node.references() == 1 && node.offset == 0 && !node.memory->owner &&
         node.memory->references.load() == 1;
}

std::unique_ptr<InPlace> make(const Formula& formula) {
  auto made = std::make_unique<InPlace>();
  made->operands = formula.operands.size();
  std::unique_ptr<Program> program = plan_formula(formula, &made->formula);
  const auto& inputs = made->formula.inputs;
  const auto& results = made->formula.results;
  for (size_t r = 0; r < results.size(); ++r) {
    const int operand = r == 0 ? 0 : static_cast<int>(r) + 1;
    const auto slot = std::ranges::find(inputs, operand, &CompiledFormula::Slot::operand);
    int& overwrites = program->outputs[results[r]].overwrites;
    if (slot == inputs.end() || overwrites >= 0) return made;
    overwrites = static_cast<int>(slot - inputs.begin());
  }
  made->kernel = compile(*program);
  return made;
}

}  // namespace

const InPlace* in_place(const Formula& formula) {
  std::lock_guard hold(graph_lock());
  static auto* known = new std::unordered_map<const Formula*, std::unique_ptr<const InPlace>>;
  auto& found = (*known)[&formula];
  if (!found) found = make(formula);
  return found->kernel ? found.get() : nullptr;
}

bool apply(const InPlace& made, std::span<Node* const> nodes, const std::vector<double>& scalars) {
  if (profiling()) return false;  // a plan's steps are what a profile shows
  const size_t operands = made.operands;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i]->is_computed() || (i % operands != 1 && !is_ours_alone(*nodes[i]))) return false;
  }
  const DType dtype = nodes[0]->dtype;
  const Core core;

  std::vector<double> wide(scalars);
  std::vector<float> narrow(scalars.begin(), scalars.end());
  const auto scalar = [&](int i) -> void* {
    return dtype == kF64 ? static_cast<void*>(&wide[i]) : static_cast<void*>(&narrow[i]);
  };
  const size_t problems = nodes.size() / operands, ins = made.formula.inputs.size();
  const auto outs = static_cast<size_t>(made.formula.outputs);
  std::vector<void*> addresses(problems * (ins + outs));
  std::vector<void*const*> inputs(problems), outputs(problems);
  std::vector<int64_t> counts(problems);
  for (size_t j = 0; j < problems; ++j) {
    Node* const* const mine = &nodes[j * operands];
    void** const in = &addresses[j * (ins + outs)];
    for (size_t i = 0; i < ins; ++i) {
      const CompiledFormula::Slot& slot = made.formula.inputs[i];
      in[i] = slot.constant       ? const_cast<void*>(slot.constant)
              : slot.operand >= 0 ? mine[slot.operand]->data()
                                  : scalar(slot.scalar);
    }
    for (size_t r = 0; r < made.formula.results.size(); ++r)
      in[ins + made.formula.results[r]] = mine[r == 0 ? 0 : r + 1]->data();
    inputs[j] = in;
    outputs[j] = in + ins;
    counts[j] = mine[0]->shape.numel();
  }
  made.kernel->run_many(static_cast<int64_t>(problems), counts.data(), inputs.data(),
                        outputs.data());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i % operands != 1) renew(nodes[i]);
  }
  return true;
}

}  // namespace glia
