// Planning: the passes that make a plan of a graph.
#include "graph/plan.h"

#include <algorithm>
#include <unordered_map>

#include "graph/draft.h"
#include "runtime/profiler.h"
#include "runtime/settings.h"

namespace glia {
namespace {

void compile_program(PlanStep* step) {
  if (!step->program) return;
  step->work =
      profiler::work_of(*step->program, step->many ? step->many->counts : std::vector<int64_t>());
  step->fused = compile(*step->program);
  step->program.reset();
  if (step->formula) step->formula->kernel = step->fused.get();
}

// What no memory holds is an error before kernels are made for it.
void check_room(const Plan& plan, const PendingGraph& graph) {
  const auto check = [&](int64_t bytes, int node) {
    if (bytes > memory_limit()) allocate_for(node < 0 ? nullptr : graph.nodes[node], bytes);
  };
  for (const PlanResult& r : plan.results) {
    const PlanValue& v = plan.values[r.value];
    if (v.place == PlanValue::Place::kHeld) check(v.bytes, r.node);
  }
  for (const PlanValue& v : plan.values) {
    if (v.place == PlanValue::Place::kArena && v.first_step >= 0) check(v.bytes, v.node);
  }
}

}  // namespace

std::unique_ptr<Plan> make_plain_plan(const PendingGraph& graph) {
  Draft draft(graph);
  auto plan = std::make_unique<Plan>();
  std::vector<uint8_t> held;
  simplify(&draft);
  arrange(&draft);
  group(&draft);
  recompute(&draft);
  choose_epilogues(&draft);
  lower(draft, plan.get(), &held);
  find_steady(plan.get(), held);
  plan_memory(plan.get(), held, graph);
  check_room(*plan, graph);
  for (PlanStep& step : plan->steps) {
    compile_program(&step);
    if (step.epilogue) compile_program(step.epilogue.get());
  }
  return plan;
}

std::unique_ptr<Program> plan_formula(const Formula& f, CompiledFormula* out) {
  PendingGraph graph;
  std::unordered_map<const Node*, int> known;
  std::vector<std::pair<Node*, int>> stack;
  const std::vector<Tensor> recorded = without_compositions(f.results);
  for (const Tensor& r : recorded) {
    stack.emplace_back(r.node(), 0);
    while (!stack.empty()) {
      auto& [n, next] = stack.back();
      if (!is_leaf(*n) && next < n->input_count) {
        Node* in = n->inputs[next++];
        if (!known.contains(in)) stack.emplace_back(in, 0);
      } else {
        if (known.emplace(n, graph.nodes.size()).second) {
          n->index = static_cast<uint32_t>(graph.nodes.size());
          graph.nodes.push_back(n);
        }
        stack.pop_back();
      }
    }
  }
  graph.wanted.assign(graph.nodes.size(), 0);
  graph.donatable.assign(graph.nodes.size(), 0);
  for (const Tensor& r : recorded) graph.wanted[r.node()->index] = 1;
  Draft draft(graph);
  Plan inner;
  std::vector<uint8_t> held;
  simplify(&draft);
  arrange(&draft);
  group(&draft);
  lower(draft, &inner, &held);
  if (inner.steps.size() != 1 || !inner.steps[0].program || inner.moves.size() > 1)
    throw Error("foreach: the rule is not a single elementwise pass");
  PlanStep& model = inner.steps[0];
  const auto find = [](const std::vector<Tensor>& list, const Node* n) {
    const auto at = std::ranges::find(list, n, &Tensor::node);
    return at == list.end() ? -1 : static_cast<int>(at - list.begin());
  };
  for (const PlanArray& a : model.inputs) {
    const Node* source = graph.nodes[inner.values[a.value].source];
    CompiledFormula::Slot slot{.operand = find(f.operands, source),
                               .scalar = find(f.scalars, source)};
    // A number written in the rule.
    if (slot.operand < 0 && slot.scalar < 0) slot.constant = source->first_word;
    out->inputs.push_back(slot);
  }
  out->outputs = static_cast<int>(model.outputs.size());
  for (const Tensor& r : recorded) {
    const PlanResult& result = *std::ranges::find_if(
        inner.results, [&](const PlanResult& x) { return graph.nodes[x.node] == r.node(); });
    const auto at = std::ranges::find(model.outputs, result.value, &PlanArray::value);
    out->results.push_back(static_cast<int>(at - model.outputs.begin()));
  }
  out->recorded = recorded;
  model.program->many = true;
  return std::move(model.program);
}

}  // namespace glia
