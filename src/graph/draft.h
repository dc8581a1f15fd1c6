// A graph on the way to a plan: what each pass adds to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "graph/plan.h"

namespace glia {

// What is there before the plan runs, numbers included, counts as a leaf.
// A macro op that is not replaced by others is its kernel.
inline Kind kind_of(const Node& node) {
  if (is_leaf(node)) return Kind::kLeaf;
  return node.op->kind == Kind::kMacro ? Kind::kKernel : node.op->kind;
}

// Nodes computed in one pass over a space of rows x columns.
struct Group {
  int root = -1;             // the last member: where the group runs
  std::vector<int> members;  // in reverse order
  Shape space;
  int split = -1;         // rows are the axes before; -1: not decided
  bool resident = false;  // reduces whole rows and goes on with the result
  // Of the root, when it is a reduction that leaves the group.
  Program::Sink sink = Program::Sink::kStore;
  int64_t segments = 1;
  int follows = -1;  // the kernel whose epilogue it is
};

// Many short lists, which are freed together.
using Lists = std::pmr::vector<std::pmr::vector<int>>;

// Nodes are their positions in `graph`, groups their places in `groups`.
struct Draft {
  const PendingGraph& graph;
  std::pmr::monotonic_buffer_resource pool;
  // Of simplify().
  std::vector<int> same;        // the node that stands for this one
  Lists inputs, users;          // of what is needed
  std::vector<uint8_t> needed;  // its value outlives the plan
  // Of arrange(): all that is needed and no leaf, as it is computed, and the place of each there.
  std::vector<int> order, position;
  // Of group().
  std::vector<Group> groups;
  std::vector<int> group_of;  // -1: in none
  // Of recompute(): groups that compute a node again, besides its own.
  Lists repeated_in;
  // Of choose_epilogues(), of each kernel: a group, or -1.
  std::vector<int> epilogue_of;

  explicit Draft(const PendingGraph& pending)
      : graph(pending),
        pool(kBytesOfNode * pending.nodes.size() + kBytesOfNode),
        inputs(&pool),
        users(&pool),
        repeated_in(pending.nodes.size(), &pool),
        epilogue_of(pending.nodes.size(), -1) {}

  const Node& node(int i) const { return *graph.nodes[i]; }
  Kind kind(int i) const { return kind_of(node(i)); }
  bool is_leaf(int i) const { return kind(i) == Kind::kLeaf; }
  bool computed_in(int i, int group) const {
    return group_of[i] == group || std::ranges::count(repeated_in[i], group) > 0;
  }
  // Of a kReduce: the mask of its axes.
  int64_t axes_of(int i) const { return node(i).attributes<ReduceAttributes>().axes; }

  static constexpr size_t kBytesOfNode = 256;  // of the pool, to begin with
};

// ---- Passes, in their order ----

// Sees through aliases, lets elementwise operations broadcast instead of expanding, merges equal
// operations, and finds who uses what of all that is needed.
void simplify(Draft* draft);
// In which order it is computed.
void arrange(Draft* draft);
// Groups what one pass can compute.
void group(Draft* draft);
// Lets groups compute cheap values again that an earlier group has computed, where all of those
// that read a value do and fewer bytes are moved: it is then never written.
void recompute(Draft* draft);
// Chooses the groups that run as a kernel's epilogue.
void choose_epilogues(Draft* draft);
// Steps for everything; `held` is for each of the plan's values whether a result names it.
void lower(const Draft& draft, Plan* plan, std::vector<uint8_t>* held);

// ---- Spaces ----

// The same number of rows with as few axes before as possible.
inline int stripped(const Shape& shape, int split) {
  while (split > 0 && shape[split - 1] == 1) --split;
  return split;
}
// Of the sizes of axes [from, to).
inline int64_t product(const Shape& s, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n *= s[i];
  return n;
}

}  // namespace glia
