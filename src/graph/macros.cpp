// Macro ops: a plan is made for the operations that they stand for.
#include <algorithm>
#include <unordered_map>

#include "graph/plan.h"

namespace glia {
namespace {

// A leaf without its value: a plan must not keep that.
Tensor copy_of_leaf(const Node& node) {
  if (node.is_computed()) return leaf({}, 0, node.shape, node.dtype);
  return host_scalar(0, node.dtype);
}

}  // namespace

ComposedGraph::ComposedGraph(const PendingGraph& original) {
  const Symbolic recording;
  const NoGrad no_gradients;
  std::unordered_map<const Node*, int> position, origins;
  std::vector<const Node*> stack;
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    const Node& node = *original.nodes[i];
    position.emplace(&node, i);
    if (is_leaf(node)) {
      copies.push_back(copy_of_leaf(node));
    } else {
      std::vector<Tensor> inputs;
      std::vector<Node*> nodes;
      for (const Node* in : node.input_span()) {
        inputs.push_back(copies[position.at(in)]);
        nodes.push_back(inputs.back().node());
      }
      copies.push_back(
          node.op->kind == Kind::kMacro
              ? compose(node, inputs)
              : record(*node.op, nodes, node.shape, node.dtype, node.words(), node.where));
    }
    stack.push_back(copies.back().node());
    while (!stack.empty()) {
      const Node* part = stack.back();
      stack.pop_back();
      if (origins.emplace(part, i).second && !is_leaf(*part))
        stack.insert(stack.end(), part->inputs, part->inputs + part->input_count);
    }
  }
  for (const Node* root : original.roots) graph.roots.push_back(copies[position.at(root)].node());
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    if (original.wanted[i]) graph.roots.push_back(copies[i].node());
  }
  walk(&graph);
  graph.history_lives = original.history_lives;
  graph.wanted.assign(graph.nodes.size(), 0);
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    if (original.wanted[i]) graph.wanted[copies[i].node()->index] = 1;
  }
  for (const Node* node : graph.nodes) {
    const int at = origins.at(node);
    origin.push_back(at);
    graph.donatable.push_back(copies[at].node() == node && original.donatable[at]);
  }
}

std::unique_ptr<Plan> make_plan(const PendingGraph& graph) {
  const auto is_macro = [](const Node* n) { return !is_leaf(*n) && n->op->kind == Kind::kMacro; };
  if (std::ranges::none_of(graph.nodes, is_macro)) return make_plain_plan(graph);
  auto composed = std::make_unique<const ComposedGraph>(graph);
  std::unique_ptr<Plan> plan = make_plain_plan(composed->graph);
  // The position in the graph of a leaf of the other, or -1: it belongs to a macro op.
  const auto given = [&](int leaf) {
    const int at = composed->origin[leaf];
    const bool same = composed->copies[at].node() == composed->graph.nodes[leaf];
    return same && is_leaf(*graph.nodes[at]) ? at : -1;
  };
  for (PlanValue& value : plan->values) {
    if (value.place != PlanValue::Place::kLeaf && value.place != PlanValue::Place::kScalar)
      continue;
    const Node& leaf = *composed->graph.nodes[value.source];
    value.source = given(value.source);
    if (value.source >= 0) continue;
    value.place = PlanValue::Place::kConstant;
    value.constant = leaf.is_computed() ? leaf.data() : leaf.first_word;
  }
  for (PlanStep& step : plan->steps) {
    if (step.kept && (step.kept->leaf = given(step.kept->leaf)) < 0) step.kept.reset();
  }
  for (int& source : plan->steady.sources) source = given(source);
  std::erase(plan->steady.sources, -1);
  std::vector<PlanResult> results;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!graph.wanted[i]) continue;
    const auto at = static_cast<int>(composed->copies[i].node()->index);
    PlanResult result = *std::ranges::find(plan->results, at, &PlanResult::node);
    result.node = static_cast<int>(i);
    results.push_back(result);
  }
  plan->results = std::move(results);
  plan->composed = std::move(composed);
  return plan;
}

}  // namespace glia
