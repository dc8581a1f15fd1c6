// Reverse mode: one walk from the loss back, recording each op's own gradient rule.
#include <algorithm>
#include <unordered_map>

#include "autodiff/trace.h"
#include "core/node.h"
#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/gradient_rule.h"
#include "glia/ops.h"
#include "ops/rows.h"

namespace glia {
namespace {

// While one lives, records learn which values a plan should have kept; see note_wanted.
class RecordingGradients {
 public:
  RecordingGradients() : previous_(std::exchange(recording_gradients(), true)) {}
  ~RecordingGradients() { recording_gradients() = previous_; }

 private:
  bool previous_;
};

// What OtherRules have put in the place of the operations' own rules on this thread, or null.
const GradientRule*& other_rule() {
  thread_local const GradientRule* rule = nullptr;
  return rule;
}

// The sum of a gradient over the axes along which its input was broadcast.
Tensor unbroadcast(const Tensor& grad, const Shape& shape) {
  if (grad.shape() == shape) return grad;
  Axes axes;
  const int shift = grad.rank() - shape.rank();
  for (int i = 0; i < grad.rank(); ++i) {
    if (i < shift || (shape[i - shift] == 1 && grad.shape()[i] != 1)) axes.push_back(i);
  }
  if (axes.empty()) return expand(grad, shape);  // a rule may give a smaller, broadcastable shape
  Tensor g = sum(grad, axes, true);
  Shape squeezed = g.shape();
  for (int i = 0; i < shift; ++i) squeezed.erase(0);
  g = reshape(g, squeezed);
  return g.shape() == shape ? g : expand(g, shape);
}

// The part of the graph that needs gradients, inputs first. Marks and indices of nodes are scratch
// that any evaluation may overwrite, so what the walk needs of them is copied at the start.
class Walk {
 public:
  Walk(std::span<Node* const> roots, const std::vector<Tensor>& targets) {
    std::lock_guard hold(graph_lock());
    uint64_t mark = visit(roots, oldest(targets));
    // Where no target is reached, how far the history goes is asked: see history_ended().
    if (std::ranges::none_of(targets, [&](const Tensor& t) { return t.node()->mark == mark; }))
      mark = visit(roots, 0);
    for (const Node* root : roots) roots_.push_back(static_cast<int>(root->index));
    relevant_.resize(nodes_.size());
    is_target_.resize(nodes_.size());
    for (const Tensor& t : targets) {
      const bool reached = t.node()->mark == mark;
      targets_.push_back(reached ? static_cast<int>(t.node()->index) : -1);
      if (reached) relevant_[t.node()->index] = is_target_[t.node()->index] = 1;
    }
    held_.reserve(nodes_.size());
    first_input_.reserve(nodes_.size() + 1);
    for (Node* node : nodes_) {
      held_.push_back(handle(node));
      first_input_.push_back(inputs_.size());
      if (node->trainable) continue;
      for (Node* in : node->input_span()) {
        const bool leads = in->needs_grad && in->mark == mark && relevant_[in->index];
        inputs_.push_back(leads ? static_cast<int>(in->index) : -1);
        if (leads) relevant_[node->index] = 1;
      }
    }
    first_input_.push_back(inputs_.size());
    grads_.resize(nodes_.size());
  }

  // A seed for each root.
  std::vector<Tensor> run(std::span<const Tensor> seeds) {
    for (size_t k = 0; k < roots_.size(); ++k) add(roots_[k], seeds[k]);
    for (int i = static_cast<int>(nodes_.size()) - 1; i >= 0; --i) {
      if (relevant_[i] && !inputs(i).empty() && (grads_[i].defined() || tuples_.contains(i)))
        step(i);
    }
    std::vector<Tensor> out;
    for (int t : targets_) out.push_back(t < 0 ? Tensor() : grads_[t]);
    return out;
  }

  // The loss was made from tensors that an optimizer step has replaced, and only from them.
  bool history_ended() const {
    return std::ranges::all_of(targets_, [](int t) { return t < 0; }) &&
           std::ranges::any_of(nodes_, [](Node* n) { return n->history_ended; });
  }

  // The first target that is a variable's value although the loss was made from another value of
  // that variable, or null.
  const Tensor* replaced(const std::vector<Tensor>& targets) const {
    std::vector<uint64_t> others;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i]->trainable && !is_target_[i]) others.push_back(nodes_[i]->place);
    }
    for (const Tensor& t : targets) {
      const Node& node = *t.node();
      if (node.trainable && node.place && std::ranges::count(others, node.place)) return &t;
    }
    return nullptr;
  }

 private:
  // Which thread recorded a node: see Node::sequence.
  static uint64_t thread_of(uint64_t sequence) { return sequence >> 40; }

  // The sequence of the first target that was recorded, 0 if that was not by one thread. What the
  // thread has recorded before cannot depend on a target; but on another value of its variable it
  // may, which replaced() must see.
  static uint64_t oldest(const std::vector<Tensor>& targets) {
    uint64_t first = targets.empty() ? 0 : targets[0].node()->sequence;
    for (const Tensor& t : targets) {
      const Node& node = *t.node();
      const uint64_t sequence = node.sequence;
      if (thread_of(sequence) != thread_of(first) || (node.trainable && node.place)) return 0;
      first = std::min(first, sequence);
    }
    return first;
  }

  // Lists the nodes below the root that may depend on one of sequence `oldest` or later, all if
  // that is 0, and gives the mark that they have then.
  uint64_t visit(std::span<Node* const> roots, uint64_t oldest) {
    for (;;) {
      const uint64_t mark = next_mark();
      Node* const flying = list(roots, oldest, mark);
      if (!flying) return mark;
      wait_for(flying);
    }
  }
  // Null, or a node that is in flight: then the list is not complete.
  Node* list(std::span<Node* const> roots, uint64_t oldest, uint64_t mark) {
    nodes_.clear();
    const auto too_old = [oldest](const Node* node) {
      return node->sequence < oldest && thread_of(node->sequence) == thread_of(oldest);
    };
    std::vector<std::pair<Node*, int32_t>> stack;
    const auto enter = [&](Node* node) {
      node->mark = mark;
      stack.emplace_back(node, node->trainable ? node->input_count : 0);
    };
    for (Node* root : roots) {
      if (root->mark != mark) enter(root);
      while (!stack.empty()) {
        auto& [node, next] = stack.back();
        if (next < node->input_count) {
          Node* in = node->inputs[next++];
          if (in->needs_grad && in->mark != mark && !too_old(in)) enter(in);
          continue;
        }
        if (node->in_flight()) return node;
        node->index = static_cast<uint32_t>(nodes_.size());
        nodes_.push_back(node);
        stack.pop_back();
      }
    }
    return nullptr;
  }

  std::span<const int> inputs(int i) const {
    return std::span(inputs_).subspan(first_input_[i], first_input_[i + 1] - first_input_[i]);
  }

  void step(int i) {
    Node& node = *nodes_[i];
    const std::span<const int> inputs = this->inputs(i);
    if (node.op->kind == Kind::kOutput) {  // gather what is known of all results at the kernel
      Tuple& all = tuples_[inputs[0]];
      const int outputs = nodes_[inputs[0]]->op->outputs;
      all.grads.resize(outputs);
      all.outs.resize(outputs);
      const auto which = [](const Node& n) { return n.attributes<OutputAttributes>().which; };
      Tensor& total = all.grads[which(node)];  // of nodes for one result there may be several
      total = total.defined() ? add_gradients(total, grads_[i]) : grads_[i];
      all.outs[which(node)] = handle(&node);
      for (Node* kept : node.input_span().subspan(1)) all.outs[which(*kept)] = handle(kept);
      return finish(i);
    }
    results_.resize(inputs.size());
    if (node.custom) {
      custom(node, grads_[i]);
    } else {
      bool needs[Node::kInline];
      std::vector<uint8_t> many(inputs.size() > Node::kInline ? inputs.size() : 0);
      bool* const flags = many.empty() ? needs : reinterpret_cast<bool*>(many.data());
      for (size_t k = 0; k < inputs.size(); ++k) flags[k] = inputs[k] >= 0;
      const bool several = node.op->outputs > 1;
      const std::span<const Tensor> grads =
          several ? std::span<const Tensor>(tuples_.at(i).grads) : std::span(&grads_[i], 1);
      Vjp vjp(node, grads, {flags, inputs.size()}, results_,
              several ? std::span<const Tensor>(tuples_.at(i).outs) : std::span<const Tensor>());
      const GradientRule* const other = other_rule();
      if (!other || !(*other)(vjp)) {
        if (!node.op->vjp && !node.op->compose)
          throw Error(std::string("gradients: ") + node.op->name + " has no gradient", node.where);
        node.op->vjp ? node.op->vjp(vjp) : vjp.set_composed();
      }
    }
    for (size_t k = 0; k < inputs.size(); ++k) {
      Tensor g = std::exchange(results_[k], {});
      if (inputs[k] < 0 || !g.defined()) continue;
      const Node& in = *nodes_[inputs[k]];
      if (g.dtype() != in.dtype || g.shape() != in.shape)
        g = cast(unbroadcast(cast(g, in.dtype), in.shape), in.dtype);
      add(inputs[k], std::move(g));
    }
    finish(i);
  }

  void add(int i, Tensor g) {
    Tensor& total = grads_[i];
    total = total.defined() ? add_gradients(total, g) : std::move(g);
  }

  void finish(int i) {
    if (!is_target_[i]) grads_[i] = Tensor();
    tuples_.erase(i);
  }

  void custom(Node& node, const Tensor& g) {
    std::vector<Tensor> arguments;
    for (Node* in : node.input_span().subspan(1)) arguments.push_back(handle(in));
    std::vector<Tensor> grads = (*node.custom)(arguments, handle(&node), g);
    if (grads.size() != arguments.size())
      throw Error("custom_function: " + std::to_string(grads.size()) + " gradients for " +
                      std::to_string(arguments.size()) + " inputs",
                  node.where);
    std::move(grads.begin(), grads.end(), results_.begin() + 1);
  }

  std::vector<Node*> nodes_;
  std::vector<Tensor> held_;         // nodes must outlive what rules set off
  std::vector<int> inputs_;          // of all nodes: where, or -1 if no gradient goes there
  std::vector<size_t> first_input_;  // of each node, in inputs_
  std::vector<uint8_t> relevant_, is_target_;
  std::vector<int> targets_;
  std::vector<int> roots_;
  std::vector<Tensor> grads_;
  struct Tuple {
    std::vector<Tensor> grads, outs;
  };
  std::unordered_map<int, Tuple> tuples_;  // of ops with several results
  std::vector<Tensor> results_;            // of one rule
};

// The gradient of the loss by itself. It names the loss as an input, so that a plan of gradients
// computes a loss that is held in the same pass.
Tensor start(const Tensor& loss, const Tensor& seed, const std::source_location& where) {
  const Tensor g = seed.defined() ? cast(seed, loss.dtype()) : ones_like(loss);
  const Grad as_seed(grad_enabled() && g.requires_grad());
  return record(kAliasOp, {g.node(), loss.node()}, g.shape(), g.dtype(), {}, where);
}

// Undefined where the loss does not depend on one.
std::vector<Tensor> find(const Tensor& loss, const std::vector<Tensor>& with_respect_to,
                         const Tensor& seed, const Where& where) {
  if (!loss.defined()) fail("gradients", "the loss is not defined", where);
  for (const Tensor& t : with_respect_to) {
    if (!t.defined()) fail("gradients", "a tensor to differentiate by is not defined", where);
    if (!t.requires_grad())
      throw Error("gradients: a tensor " + t.shape().str() +
                      " requires no gradient: mark it with trainable() before it is used",
                  where);
  }
  if (!seed.defined() && loss.numel() != 1)
    fail("gradients", "the loss has shape " + loss.shape().str() + " and no seed is given", where);
  if (seed.defined() && seed.shape() != loss.shape())
    fail("gradients",
         "the seed has shape " + seed.shape().str() + ", the loss " + loss.shape().str(), where);

  std::vector<Tensor> grads(with_respect_to.size());
  if (loss.requires_grad()) {
    Node* const root = loss.node();
    Walk walk({&root, 1}, with_respect_to);
    if (walk.history_ended())
      throw Error(
          "gradients: the loss was computed before an optimizer step or from tensors that are gone"
          ", and its history has ended",
          where);
    if (const Tensor* t = walk.replaced(with_respect_to))
      throw Error("gradients: a variable " + t->shape().str() +
                      " has another value than when the loss was made from it: ask for gradients "
                      "before it is set",
                  where);
    const RecordingGradients recording;
    const Tensor first = start(loss, seed, where);
    grads = walk.run({&first, 1});
  }
  return grads;
}

void fill_with_zeros(std::vector<Tensor>* grads, const std::vector<Tensor>& with_respect_to) {
  for (size_t i = 0; i < grads->size(); ++i) {
    if (!(*grads)[i].defined()) (*grads)[i] = zeros_like(with_respect_to[i]);
  }
}

// Whether it was made from something that requires a gradient, rather than marked as trainable.
bool is_intermediate(const Node& node) {
  return !node.trainable && (node.input_count > 0 || node.history_ended);
}

}  // namespace

OtherRules::OtherRules(GradientRule rule)
    : rule_(std::move(rule)), previous_(std::exchange(other_rule(), rule_ ? &rule_ : nullptr)) {}
OtherRules::~OtherRules() { other_rule() = previous_; }

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& with_respect_to,
                              const Tensor& seed, std::source_location where) {
  std::vector<Tensor> grads = find(loss, with_respect_to, seed, where);
  for (size_t i = 0; i < grads.size(); ++i) {
    const Node& node = *with_respect_to[i].node();
    if (!grads[i].defined() && is_intermediate(node))
      throw Error("gradients: the loss was not made from tensor " + std::to_string(i) + " " +
                      node.shape.str() + " (" + node.op->name +
                      "): ask by what that was made from, or use it",
                  where);
  }
  fill_with_zeros(&grads, with_respect_to);
  return grads;
}

std::vector<Tensor> pulled_back(std::span<const Tensor> results, std::span<const Tensor> seeds,
                                const std::vector<Tensor>& by) {
  std::vector<Node*> roots;
  std::vector<Tensor> given;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!seeds[i].defined() || !results[i].defined() || !results[i].requires_grad()) continue;
    roots.push_back(results[i].node());
    given.push_back(seeds[i]);
  }
  return roots.empty() ? std::vector<Tensor>(by.size()) : Walk(roots, by).run(given);
}

std::vector<Tensor> gradients_or_zeros(const Tensor& loss,
                                       const std::vector<Tensor>& with_respect_to,
                                       const Tensor& seed, const Where& where) {
  std::vector<Tensor> grads = find(loss, with_respect_to, seed, where);
  fill_with_zeros(&grads, with_respect_to);
  return grads;
}

}  // namespace glia
