// Groups: the nodes that one pass computes, after grouping and before steps are made of them.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/plan.h"

namespace glia {

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

// A graph in groups. Nodes are their positions in `graph`; a group, its place in `groups`.
struct GroupedGraph {
  const PendingGraph& graph;
  const std::vector<std::vector<int>>&inputs, &users;  // after simplifying
  const std::vector<uint8_t>& needed;                  // the value outlives the plan
  const std::vector<int>& order;                       // of computation
  const std::vector<int>& position;                    // in `order`
  std::vector<Group>& groups;
  std::vector<int>& group_of;  // -1: in none
};

// Lets groups compute cheap values again that an earlier group has computed, where all of those
// that read a value do and fewer bytes are moved: it is then never written. Members of groups
// change; returned is for each node in which groups it is computed besides its own.
std::vector<std::vector<int>> recompute(const GroupedGraph& grouped);

}  // namespace glia
