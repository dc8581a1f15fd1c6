// Macro ops: where no kernel fits one, a plan is made for the operations that it stands for.
#include <algorithm>

#include "graph/plan.h"

namespace glia {
namespace {

bool compositions_forced = false;

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

// Copies what compositions are in the place of an input of, inputs first; all else stays what it
// is. Nodes that are settled have a mark, and their places among `settled_` as index: nothing walks
// a graph meanwhile, since compositions only record.
class ComposedGraph::Copier {
 public:
  Copier() : mark_(next_mark()) {}
  void reserve(size_t nodes) { settled_.reserve(4 * nodes); }

  // What stands for a node of the original. Of a composed op with several results: nothing.
  Tensor copy(Node* node, int position) {
    position_ = position;
    made_ = -1;
    const Tensor made = is_leaf(*node) ? handle(node) : again(*node);
    settle(node, made);
    return made;
  }
  Node* copy_of(const Node* original) const { return place_of(original).other.node(); }

  // Of each node of a graph of copies that was walked: where in the original it comes from.
  std::vector<int> origins_in(const PendingGraph& graph) const {
    std::vector<int> origins(graph.nodes.size());
    for (const Settled& s : settled_) {
      if (s.node->index < graph.nodes.size() && graph.nodes[s.node->index] == s.node)
        origins[s.node->index] = s.origin;
    }
    return origins;
  }

  // A recorded composition, of whose parts some are macro ops in turn.
  Tensor settled(const Tensor& root) {
    const size_t bottom = stack_.size();
    stack_.emplace_back(root.node(), 0);
    while (stack_.size() > bottom) {
      auto& [node, next] = stack_.back();
      if (node->mark == mark_) {
        stack_.pop_back();
      } else if (!is_leaf(*node) && next < node->input_count) {
        Node* const in = node->inputs[next++];
        if (in->mark != mark_) stack_.emplace_back(in, 0);
      } else {
        Node* const done = node;
        stack_.pop_back();
        parts_.push_back(handle(done));
        made_ = -1;
        settle(done, is_leaf(*done) ? parts_.back() : again(*done));
      }
    }
    return place_of(root.node()).other;
  }

 private:
  struct Settled {
    const Node* node;
    Tensor other;  // what stands for it
    int origin;
    int results;  // of a composed op with several: among `results_`
  };

  // What stands for a node stands for itself, too.
  void settle(Node* node, const Tensor& other) {
    list(node, other, made_);
    if (other.defined() && other.node()->mark != mark_) list(other.node(), other, -1);
  }
  void list(Node* node, const Tensor& other, int results) {
    node->mark = mark_;
    node->index = static_cast<uint32_t>(settled_.size());
    settled_.push_back({node, other, position_, results});
  }
  const Settled& place_of(const Node* node) const {
    if (node->mark != mark_) throw Error("a composition evaluates what it records", node->where);
    return settled_[node->index];
  }

  // A copy, or the node itself if its inputs stay as they are. Effects are copied, all in their
  // order.
  Tensor again(Node& node) {
    // Of a result only the kernel counts, not what is kept with it.
    const bool is_result = node.op->kind == Kind::kOutput;
    const auto given = is_result ? node.input_span().first(1) : node.input_span();
    if (is_result) {
      const int results = place_of(given[0]).results;
      if (results >= 0) return results_[results][node.attributes<OutputAttributes>().which];
    }
    if (is_composed(node)) {
      std::vector<Tensor> inputs;
      inputs.reserve(given.size());
      for (const Node* in : given) inputs.push_back(place_of(in).other);
      return composed(node, inputs);
    }
    const int slots = is_result || node.absent == 0 ? static_cast<int>(given.size()) : node.slots();
    Node* few[Node::kInline];
    std::vector<Node*> many(slots > Node::kInline ? slots : 0);
    Node** const nodes = many.empty() ? few : many.data();
    bool same = !node.op->effect;
    for (int slot = 0; slot < slots; ++slot) {
      const int at = node.place_of(slot);
      nodes[slot] = at < 0 ? nullptr : place_of(given[at]).other.node();
      same &= at < 0 || nodes[slot] == given[at];
    }
    if (same) return handle(&node);
    return record(*node.op, std::span<Node* const>(nodes, slots), node.shape, node.dtype,
                  node.words(), node.where);
  }

  Tensor composed(const Node& node, std::span<const Tensor> inputs) {
    std::vector<Tensor> results = compose(node, by_slot(node, inputs));
    for (Tensor& r : results) {
      if (r.defined()) r = settled(r);
    }
    made_ = -1;
    const Tensor first = results[0];
    if (node.op->outputs == 1) {
      if (first.shape() != node.shape || first.dtype() != node.dtype)
        throw Error(std::string(node.op->name) + ": composed as " + name(first.dtype()) + " " +
                        first.shape().str() + ", not " + name(node.dtype) + " " + node.shape.str(),
                    node.where);
      return first;
    }
    made_ = static_cast<int>(results_.size());
    results_.push_back(std::move(results));
    return {};
  }

  const uint64_t mark_;
  int position_ = 0;
  int made_ = -1;  // the results of the op that was composed last, if it has several
  std::vector<Settled> settled_;
  std::vector<std::vector<Tensor>> results_;  // of composed ops with several
  std::vector<Tensor> parts_;  // of compositions: what others have taken the place of is gone else
  std::vector<std::pair<Node*, int32_t>> stack_;
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
  copier.reserve(original.nodes.size());
  for (size_t i = 0; i < original.nodes.size(); ++i)
    copies.push_back(copier.copy(original.nodes[i], static_cast<int>(i)));
  for (const Node* root : original.roots) graph.roots.push_back(copier.copy_of(root));
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    if (original.wanted[i]) graph.roots.push_back(copies[i].node());
  }
  walk(&graph);
  graph.history_lives = original.history_lives;
  graph.wanted.assign(graph.nodes.size(), 0);
  for (size_t i = 0; i < original.nodes.size(); ++i) {
    if (original.wanted[i]) graph.wanted[copies[i].node()->index] = 1;
  }
  origin = copier.origins_in(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const int at = origin[i];
    graph.donatable.push_back(copies[at].node() == graph.nodes[i] && original.donatable[at]);
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
  // What has a position as an argument is no part of a composition.
  for (PlanMove& move : std::span(plan->moves).subspan(1)) move.node = composed.origin[move.node];
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
    if (step.positioned >= 0) step.positioned = composed.origin[step.positioned];
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
