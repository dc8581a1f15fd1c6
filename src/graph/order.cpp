// In which order a plan computes: as the graph was walked, but for what is better earlier or last.
#include <algorithm>
#include <utility>

#include "graph/draft.h"

namespace glia {
namespace {

constexpr int kDeepest = 32;

// - A reduction follows its operand, or what that is made of, so that they can share a pass.
// - What is smaller than what it is made of comes before the next kernel once it can: the gradient
//   of a weight before that of the layer's input, so that what both need can go.
// - Updates come last: where nothing can fail any more, they may be in place.
// - Effects stay in the order of the graph.
class Arranger {
 public:
  explicit Arranger(const Draft& draft)
      : d_(draft),
        is_late_(d_.graph.nodes.size()),
        is_placed_(is_late_),
        missing_(is_late_.size()),
        readers_(is_late_.size(), &pool_),
        effect_before_(is_late_.size(), -1) {
    int effect = -1;
    for (int i = 0; i < static_cast<int>(is_late_.size()); ++i) {
      if (!is_step(i)) continue;
      is_late_[i] = d_.node(i).op->last;
      for (int in : d_.inputs[i]) is_late_[i] |= is_late_[in];
      if (d_.node(i).op->effect) {
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
        if (d_.kind(i) == Kind::kKernel) place_ready();
        place(i);
        for (int user : d_.users[i]) {
          if (d_.kind(user) == Kind::kReduce) place(user);
        }
        for (int user : d_.users[i]) {
          if (is_only_reduced(user)) place(d_.users[user][0]);
        }
      }
    }
    return std::move(order_);
  }

 private:
  bool is_step(int i) const {
    return d_.kind(i) != Kind::kLeaf && (d_.needed[i] || !d_.users[i].empty());
  }
  bool is_free(int i) const { return d_.kind(i) == Kind::kView || d_.kind(i) == Kind::kOutput; }
  int source_of(int i) const { return is_free(i) ? source_of(d_.inputs[i][0]) : i; }

  // Whether a node can be computed, and nobody wants it but a reduction.
  bool is_only_reduced(int i) const {
    const auto is_there = [&](int in) { return d_.kind(in) == Kind::kLeaf || is_placed_[in]; };
    return d_.kind(i) == Kind::kElementwise && !d_.needed[i] && d_.users[i].size() == 1 &&
           d_.kind(d_.users[i][0]) == Kind::kReduce && std::ranges::all_of(d_.inputs[i], is_there);
  }

  bool shrinks(int i) const {
    if (d_.kind(i) == Kind::kReduce) return true;
    if (d_.kind(i) != Kind::kKernel || d_.node(i).op->outputs != 1) return false;
    int64_t most = 0;
    for (int in : d_.inputs[i]) most = std::max<int64_t>(most, d_.node(in).bytes());
    return d_.node(i).bytes() < most;
  }

  // What is elementwise and nobody else needs is computed with it.
  void wait_for_inputs(int i, int reader, int depth = 0) {
    for (int in : d_.inputs[i]) {
      const int source = source_of(in);
      if (d_.kind(source) == Kind::kLeaf) continue;
      if (d_.kind(source) == Kind::kElementwise && d_.users[source].size() == 1 &&
          !d_.needed[source] && depth < kDeepest) {
        wait_for_inputs(source, reader, depth + 1);
      } else {
        readers_[source].push_back(reader);
        ++missing_[reader];
      }
    }
  }

  void place(int i) {
    if (is_placed_[i] || d_.kind(i) == Kind::kLeaf) return;
    is_placed_[i] = 1;
    if (effect_before_[i] >= 0) place(effect_before_[i]);
    for (int in : d_.inputs[i]) place(in);
    order_.push_back(i);
    for (int reader : readers_[i]) {
      if (--missing_[reader] == 0) ready_.push_back(reader);
    }
  }

  void place_ready() {
    for (size_t k = 0; k < ready_.size(); ++k) place(ready_[k]);
    ready_.clear();
  }

  const Draft& d_;
  std::pmr::monotonic_buffer_resource pool_;
  std::vector<uint8_t> is_late_, is_placed_;
  // Of what shrinks: how many of their inputs are missing, who they are, who could run.
  std::vector<int> missing_;
  Lists readers_;
  std::vector<int> ready_;
  std::vector<int> effect_before_;  // of each effect; -1: none
  std::vector<int> order_;
};

}  // namespace

void arrange(Draft* draft) {
  draft->order = Arranger(*draft).run();
  draft->position.assign(draft->graph.nodes.size(), -1);
  for (size_t at = 0; at < draft->order.size(); ++at)
    draft->position[draft->order[at]] = static_cast<int>(at);
}

}  // namespace glia
