// A graph on the way to a plan: simplified, ordered, grouped.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/plan.h"

namespace glia {

// What is there before the plan runs, numbers included, counts as a leaf.
inline Kind kind_of(const Node& node) { return is_leaf(node) ? Kind::kLeaf : node.op->kind; }

// Nodes are their positions in `graph`.
struct SimpleGraph {
  const PendingGraph& graph;
  const std::vector<std::vector<int>>&inputs, &users;  // of what is needed
  const std::vector<uint8_t>& needed;                  // the value outlives the plan
};

// All that is needed and no leaf, in the order in which it is computed.
std::vector<int> order_of_steps(const SimpleGraph& graph);

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

// A graph in groups. A group is its place in `groups`.
struct GroupedGraph : SimpleGraph {
  const std::vector<int>& order;     // of computation
  const std::vector<int>& position;  // in `order`
  std::vector<Group>& groups;
  std::vector<int>& group_of;  // -1: in none
};

// Lets groups compute cheap values again that an earlier group has computed, where all of those
// that read a value do and fewer bytes are moved: it is then never written. Members of groups
// change; returned is for each node in which groups it is computed besides its own.
std::vector<std::vector<int>> recompute(const GroupedGraph& grouped);

}  // namespace glia
