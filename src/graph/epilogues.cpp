// Epilogues: groups that run on each part of a kernel's output while it is in cache.
#include <algorithm>

#include "graph/draft.h"

namespace glia {
namespace {

// Of an epilogue's parts: with fewer columns they are no faster than a pass of its own. Where it
// needs whole rows, a product cannot be cut along them.
constexpr int64_t kFewestPartColumns = 8, kMostWholeColumns = 512, kFewestWholeRows = 64;

class Chooser {
 public:
  explicit Chooser(Draft* draft) : d_(*draft) {}

  // A group that goes over what a kernel makes, and needs nothing that comes later, does so part by
  // part while that is in cache.
  void run() {
    for (int i : d_.order) {
      if (d_.kind(i) != Kind::kKernel || d_.node(i).op->outputs != 1 ||
          d_.node(i).shape.rank() == 0 || !runs_epilogue(d_.node(i)))
        continue;
      int best = -1;
      for (int g : groups_reading(i)) {
        if ((best < 0 || start_of(g) < start_of(best)) && can_follow(g, i)) best = g;
      }
      if (best < 0) continue;
      Group& g = d_.groups[best];
      g.follows = i;
      g.split = split_for(g.space, d_.node(i).shape[d_.node(i).shape.rank() - 1]);
      d_.epilogue_of[i] = best;
    }
  }

 private:
  static bool runs_epilogue(const Node& node) {
    const Kernel* const kernel = find_kernel(node);
    return kernel && kernel->runs_epilogue;
  }

  // Positions at which a group runs and a node is computed.
  int start_of(int g) const {
    return d_.position[d_.groups[g].follows >= 0 ? d_.groups[g].follows : d_.groups[g].root];
  }
  int ready_at(int i) const {
    if (d_.is_leaf(i)) return -1;
    if (d_.kind(i) == Kind::kView || d_.kind(i) == Kind::kOutput) return ready_at(d_.inputs[i][0]);
    return d_.group_of[i] >= 0 ? start_of(d_.group_of[i]) : d_.position[i];
  }

  std::vector<int> groups_reading(int i) const {
    std::vector<int> found;
    for (int user : d_.users[i]) {
      if (d_.group_of[user] >= 0) found.push_back(d_.group_of[user]);
      std::ranges::copy(d_.repeated_in[user], std::back_inserter(found));
      if (d_.kind(user) == Kind::kView)
        std::ranges::copy(groups_reading(user), std::back_inserter(found));
    }
    return found;
  }

  static int split_for(const Shape& space, int64_t columns) {
    for (int k = space.rank(); k >= 0; --k) {
      if (product(space, k, space.rank()) == columns) return stripped(space, k);
    }
    return -1;
  }

  bool can_follow(int group, int i) const {
    const Group& g = d_.groups[group];
    const Shape& out = d_.node(i).shape;
    const int64_t columns = out[out.rank() - 1];
    if (g.follows >= 0 || d_.position[g.root] < d_.position[i] || columns < kFewestPartColumns ||
        out.numel() == 0 || g.space.numel() != out.numel())
      return false;
    const int split = split_for(g.space, columns);
    if (split < 0 || (g.split >= 0 && g.split != split)) return false;
    if (g.sink != Program::Sink::kStore &&
        (g.sink != Program::Sink::kReduceColumns || g.segments != 1))
      return false;
    if (g.resident && (columns > kMostWholeColumns || out.numel() / columns < kFewestWholeRows))
      return false;
    bool reads_all = false;
    for (int member : g.members) {
      for (int in : d_.inputs[member]) {
        if (d_.computed_in(in, group)) continue;
        if (ready_at(in) > d_.position[i]) return false;
        if (ready_at(in) < d_.position[i]) continue;
        if (!is_whole(in, i)) return false;
        reads_all |= d_.node(in).shape.numel() == g.space.numel();
      }
    }
    return reads_all;
  }

  // Whether a node is all elements of kernel i in their order.
  bool is_whole(int in, int i) const {
    Layout at;
    return layout_over(in, i, &at) && at.is_contiguous() && at.offset == 0 &&
           at.shape.numel() == d_.node(i).shape.numel();
  }
  bool layout_over(int in, int i, Layout* at) const {
    if (in == i) {
      *at = Layout::contiguous(d_.node(i).shape);
      return true;
    }
    Layout from;
    return d_.kind(in) == Kind::kView && layout_over(d_.inputs[in][0], i, &from) &&
           d_.node(in).op->view(d_.node(in), from, at);
  }

  Draft& d_;
};

}  // namespace

void choose_epilogues(Draft* draft) { Chooser(draft).run(); }

}  // namespace glia
