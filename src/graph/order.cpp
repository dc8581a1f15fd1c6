// In which order a plan computes: as the graph was walked, but for what is better earlier or last.
#include <utility>

#include "graph/group.h"

namespace glia {
namespace {

constexpr int kDeepest = 32;

// - A reduction follows its operand, so that both can share a pass.
// - What is smaller than what it is made of comes before the next kernel once it can: the gradient
//   of a weight before that of the layer's input, so that what both need can go.
// - Updates come last: where nothing can fail any more, they may be in place.
// - Effects stay in the order of the graph.
class Arranger {
 public:
  explicit Arranger(const SimpleGraph& g)
      : g_(g),
        is_late_(g.graph.nodes.size()),
        is_placed_(is_late_),
        missing_(is_late_.size()),
        readers_(is_late_.size()),
        effect_before_(is_late_.size(), -1) {
    int effect = -1;
    for (int i = 0; i < static_cast<int>(is_late_.size()); ++i) {
      if (!is_step(i)) continue;
      is_late_[i] = node(i).op->last;
      for (int in : g.inputs[i]) is_late_[i] |= is_late_[in];
      if (node(i).op->effect) {
        effect_before_[i] = std::exchange(effect, i);
        if (effect_before_[i] >= 0) is_late_[i] |= is_late_[effect_before_[i]];
      }
      if (!is_late_[i] && shrinks(i)) wait_for_inputs(i, i);
    }
  }

  std::vector<int> run() {
    for (const bool late : {false, true}) {
      for (int i = 0; i < static_cast<int>(is_late_.size()); ++i) {
        if (!is_step(i) || is_placed_[i] || is_late_[i] != late) continue;
        if (kind(i) == Kind::kKernel) place_ready();
        place(i);
        for (int user : g_.users[i]) {
          if (kind(user) == Kind::kReduce) place(user);
        }
      }
    }
    return std::move(order_);
  }

 private:
  const Node& node(int i) const { return *g_.graph.nodes[i]; }
  Kind kind(int i) const { return kind_of(node(i)); }
  bool is_step(int i) const {
    return kind(i) != Kind::kLeaf && (g_.needed[i] || !g_.users[i].empty());
  }
  bool is_free(int i) const { return kind(i) == Kind::kView || kind(i) == Kind::kOutput; }
  int source_of(int i) const { return is_free(i) ? source_of(g_.inputs[i][0]) : i; }

  bool shrinks(int i) const {
    if (kind(i) == Kind::kReduce) return true;
    if (kind(i) != Kind::kKernel || node(i).op->outputs != 1) return false;
    int64_t most = 0;
    for (int in : g_.inputs[i]) most = std::max<int64_t>(most, node(in).bytes());
    return node(i).bytes() < most;
  }

  // What is elementwise and nobody else needs is computed with it.
  void wait_for_inputs(int i, int reader, int depth = 0) {
    for (int in : g_.inputs[i]) {
      const int source = source_of(in);
      if (kind(source) == Kind::kLeaf) continue;
      if (kind(source) == Kind::kElementwise && g_.users[source].size() == 1 &&
          !g_.needed[source] && depth < kDeepest) {
        wait_for_inputs(source, reader, depth + 1);
      } else {
        readers_[source].push_back(reader);
        ++missing_[reader];
      }
    }
  }

  void place(int i) {
    if (is_placed_[i] || kind(i) == Kind::kLeaf) return;
    is_placed_[i] = 1;
    if (effect_before_[i] >= 0) place(effect_before_[i]);
    for (int in : g_.inputs[i]) place(in);
    order_.push_back(i);
    for (int reader : readers_[i]) {
      if (--missing_[reader] == 0) ready_.push_back(reader);
    }
  }

  void place_ready() {
    for (size_t k = 0; k < ready_.size(); ++k) place(ready_[k]);
    ready_.clear();
  }

  const SimpleGraph& g_;
  std::vector<uint8_t> is_late_, is_placed_;
  // Of what shrinks: how many of their inputs are missing, who they are, who could run.
  std::vector<int> missing_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> ready_;
  std::vector<int> effect_before_;  // of each effect; -1: none
  std::vector<int> order_;
};

}  // namespace

std::vector<int> order_of_steps(const SimpleGraph& graph) { return Arranger(graph).run(); }

}  // namespace glia
