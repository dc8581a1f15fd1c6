// Macro ops: where no kernel fits one, a plan is made for the operations that it stands for.
#include <algorithm>
#include <memory_resource>
#include <unordered_map>

#include "graph/plan.h"

namespace glia {
namespace {

bool compositions_forced = false;

// A leaf without its value: a plan must not keep that.
Tensor copy_of_leaf(const Node& node) {
  if (node.is_computed()) return leaf({}, 0, node.shape, node.dtype);
  return copy_of_scalar(node);
}

}  // namespace

bool is_composed(const Node& node) {
  return !is_leaf(node) && node.op->kind == Kind::kMacro &&
         (compositions_forced || !find_kernel(node));
}

void force_compositions(bool on) {
  std::lock_guard hold(graph_lock());
  forget_plans();
  compositions_forced = on;
}

// Copies nodes, inputs first, putting compositions in their places.
class ComposedGraph::Copier {
 public:
  // What stands for this node of the original. Of a composed op with several results: nothing.
  Tensor copy(Node* node, int position) {
    position_ = position;
    return become(node, is_leaf(*node) ? copy_of_leaf(*node) : again(*node, true));
  }
  int origin(const Node* node) const { return origins_.at(node); }

  // A recorded composition, of whose parts some are macro ops in turn.
  Tensor settled(const Tensor& root) {
    std::vector<std::pair<Node*, int32_t>> stack{{root.node(), 0}};
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (became_.contains(node)) {
        stack.pop_back();
      } else if (!is_leaf(*node) && next < node->input_count) {
        Node* const in = node->inputs[next++];
        if (!became_.contains(in)) stack.emplace_back(in, 0);
      } else {
        Node* const done = node;
        stack.pop_back();
        parts_.push_back(handle(done));
        become(done, is_leaf(*done) ? parts_.back() : again(*done, false));
      }
    }
    return became_.at(root.node());
  }

 private:
  // Copies, or keeps a part of a composition whose inputs stay as they are.
  Tensor again(Node& node, bool copies) {
    if (node.op->kind == Kind::kOutput) {
      const auto found = results_.find(node.inputs[0]);
      if (found != results_.end()) return found->second[node.attributes<OutputAttributes>().which];
    }
    std::vector<Tensor> inputs;
    // Of a result only the kernel counts, not what is kept with it.
    const auto given = node.input_span();
    for (Node* in : node.op->kind == Kind::kOutput ? given.first(1) : given) {
      inputs.push_back(became_.at(in));
      copies |= inputs.back().node() != in;
    }
    if (is_composed(node)) return composed(node, inputs);
    if (!copies) return handle(&node);
    const std::vector<Node*> nodes = node.op->kind == Kind::kOutput
                                         ? std::vector<Node*>{inputs[0].node()}
                                         : nodes_by_slot(node, inputs);
    return record(*node.op, nodes, node.shape, node.dtype, node.words(), node.where);
  }

  Tensor composed(const Node& node, std::span<const Tensor> inputs) {
    std::vector<Tensor> results = compose(node, by_slot(node, inputs));
    for (Tensor& r : results) {
      if (r.defined()) r = settled(r);
    }
    const Tensor first = results[0];
    if (node.op->outputs == 1) {
      if (first.shape() != node.shape || first.dtype() != node.dtype)
        throw Error(std::string(node.op->name) + ": composed as " + name(first.dtype()) + " " +
                        first.shape().str() + ", not " + name(node.dtype) + " " + node.shape.str(),
                    node.where);
      return first;
    }
    results_.emplace(&node, std::move(results));
    return {};
  }

  Tensor become(const Node* node, const Tensor& other) {
    became_.emplace(node, other);
    if (other.defined()) {
      became_.emplace(other.node(), other);
      origins_.emplace(other.node(), position_);
    }
    return other;
  }

  int position_ = 0;
  std::pmr::monotonic_buffer_resource pool_;
  std::pmr::unordered_map<const Node*, Tensor> became_{&pool_};
  std::unordered_map<const Node*, std::vector<Tensor>> results_;  // of composed ops with several
  std::pmr::unordered_map<const Node*, int> origins_{&pool_};
  std::vector<Tensor> parts_;  // of compositions: what others have taken the place of is gone else
};

std::vector<Tensor> without_compositions(const std::vector<Tensor>& recorded) {
  const Symbolic recording;
  const NoGrad no_gradients;
  ComposedGraph::Copier copier;
  std::vector<Tensor> out;
  for (const Tensor& t : recorded) out.push_back(copier.settled(t));
  return out;
}

ComposedGraph::ComposedGraph(const PendingGraph& original) {
  const Symbolic recording;
  const NoGrad no_gradients;
  Copier copier;
  copies.reserve(original.nodes.size());
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    copies.push_back(copier.copy(original.nodes[i], static_cast<int>(i)));
  }
  for (const Node* root : original.roots) graph.roots.push_back(copies[root->index].node());
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
    const int at = copier.origin(node);
    origin.push_back(at);
    graph.donatable.push_back(copies[at].node() == node && original.donatable[at]);
  }
}

std::unique_ptr<Plan> make_plan(const PendingGraph& graph) {
  if (std::ranges::none_of(graph.nodes, [](const Node* n) { return is_composed(*n); }))
    return make_plain_plan(graph);
  const ComposedGraph composed(graph);
  std::unique_ptr<Plan> plan = make_plain_plan(composed.graph);
  // The position in the graph of a leaf of the other, or -1: it belongs to a macro op.
  const auto given = [&](int leaf) {
    const int at = composed.origin[leaf];
    const bool same = composed.copies[at].node() == composed.graph.nodes[leaf];
    return same && is_leaf(*graph.nodes[at]) ? at : -1;
  };
  for (PlanValue& value : plan->values) {
    if (value.place != PlanValue::Place::kLeaf && value.place != PlanValue::Place::kScalar)
      continue;
    Node& leaf = *composed.graph.nodes[value.source];
    value.source = given(value.source);
    if (value.source >= 0) continue;
    value.place = PlanValue::Place::kConstant;
    value.constant = leaf.is_computed() ? leaf.data() : leaf.first_word;
    plan->constants.push_back(handle(&leaf));
  }
  for (PlanStep& step : plan->steps) {
    if (step.kept && (step.kept->leaf = given(step.kept->leaf)) < 0) step.kept.reset();
  }
  for (int& source : plan->steady.sources) source = given(source);
  std::erase(plan->steady.sources, -1);
  std::vector<PlanResult> results;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!graph.wanted[i]) continue;
    const auto at = static_cast<int>(composed.copies[i].node()->index);
    PlanResult result = *std::ranges::find(plan->results, at, &PlanResult::node);
    result.node = static_cast<int>(i);
    results.push_back(result);
  }
  plan->results = std::move(results);
  plan->origin = composed.origin;
  return plan;
}

}  // namespace glia
  // What has a position as an argument is no part of a composition.
  for (PlanMove& move : std::span(plan->moves).subspan(1)) move.node = composed.origin[move.node];
    if (step.positioned >= 0) step.positioned = composed.origin[step.positioned];
