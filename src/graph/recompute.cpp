// What is computed twice rather than written and read back: in training, most of what the backward
// pass wants of the forward one.
#include <algorithm>
#include <unordered_set>

#include "graph/group.h"

namespace glia {
namespace {

constexpr size_t kLargestTree = 16;           // operations repeated for one value
constexpr size_t kLargestGroup = 128;         // members of a group that more are added to
constexpr int64_t kSmallPart = 16;            // an operand of so small a part costs no memory
constexpr int64_t kFewestElements = 1 << 12;  // smaller values stay in the cache
// A processor computes so many f32 instructions in the time of a byte from memory.
constexpr double kInstructionsPerByte = 16;

class Recomputer {
 public:
  explicit Recomputer(const GroupedGraph& g)
      : g_(g), groups_(g.groups), repeated_in_(g.group_of.size()), reads_(g.groups.size()) {
    for (size_t k = 0; k < groups_.size(); ++k) {
      for (int i : groups_[k].members) read_outside(i, static_cast<int>(k));
    }
  }

  std::vector<std::vector<int>> run() {
    for (int i : g_.order) {
      if (is_candidate(i)) consider(i);
    }
    return std::move(repeated_in_);
  }

 private:
  // What a group must compute, and read besides, to have a value.
  struct Tree {
    int group = -1;
    std::vector<int> nodes, operands;
  };

  const Node& node(int i) const { return *g_.graph.nodes[i]; }
  bool is_elementwise(int i) const {
    return g_.group_of[i] >= 0 && node(i).op->kind == Kind::kElementwise;
  }
  bool computed_in(int i, int group) const {
    return g_.group_of[i] == group || std::ranges::count(repeated_in_[i], group) > 0;
  }
  void read_outside(int i, int group) {
    for (int in : g_.inputs[i]) {
      if (!computed_in(in, group)) reads_[group].insert(in);
    }
  }

  // Groups that read a value from memory; -1 stands for what is in no group.
  std::vector<int> readers(int i) const {
    std::vector<int> out;
    const auto add = [&](int group) {
      if ((group < 0 || !computed_in(i, group)) && std::ranges::count(out, group) == 0)
        out.push_back(group);
    };
    for (int user : g_.users[i]) {
      add(g_.group_of[user]);
      for (int group : repeated_in_[user]) add(group);
    }
    return out;
  }
  bool is_stored(int i) const { return g_.group_of[i] < 0 || g_.needed[i] || !readers(i).empty(); }

  bool is_candidate(int i) const {
    return is_elementwise(i) && !g_.needed[i] && node(i).shape.numel() >= kFewestElements;
  }

  void consider(int i) {
    const std::vector<int> groups = readers(i);
    if (groups.empty()) return;
    const auto elements = static_cast<double>(node(i).shape.numel());
    const auto bytes = static_cast<double>(node(i).bytes());
    double cost = 0;
    std::vector<Tree> trees;
    std::unordered_set<int> longer;  // operands that must stay in memory for longer
    for (int group : groups) {
      if (group < 0 || groups_[group].members.size() >= kLargestGroup) return;
      Tree& tree = trees.emplace_back(Tree{.group = group});
      if (!grow(i, &tree)) return;
      for (int x : tree.nodes) cost += elements * node(x).op->cost / kInstructionsPerByte;
      for (int x : tree.operands) {
        cost += static_cast<double>(node(x).bytes()) * (is_stored(x) ? 1 : 2);
        if (!is_small(x, i) && last_use(x) < g_.position[groups_[group].root]) longer.insert(x);
      }
    }
    double lasting = 0;
    for (int x : longer) lasting += static_cast<double>(node(x).bytes());
    if (cost >= bytes * static_cast<double>(1 + groups.size()) || lasting > bytes) return;
    for (const Tree& tree : trees) repeat(tree);
    std::vector<int> nodes = trees[0].nodes;
    std::ranges::sort(nodes, std::ranges::greater(), [&](int x) { return g_.position[x]; });
    for (int x : nodes) leave_home(x);
  }

  // Whether the group can have the value; what that takes goes into the tree.
  bool grow(int i, Tree* tree) const {
    if (node(i).shape != groups_[tree->group].space || tree->nodes.size() >= kLargestTree)
      return false;
    tree->nodes.push_back(i);
    for (int in : g_.inputs[i]) {
      if (computed_in(in, tree->group) || reads_[tree->group].contains(in) ||
          std::ranges::count(tree->nodes, in) || std::ranges::count(tree->operands, in))
        continue;
      if (is_stored(in) || (is_small(in, i) && runs_before(in, tree->group)))
        tree->operands.push_back(in);
      else if (!is_elementwise(in) || !grow(in, tree))
        return false;
    }
    return true;
  }

  bool is_small(int in, int i) const {
    return node(in).shape.numel() <= node(i).shape.numel() / kSmallPart;
  }
  bool runs_before(int i, int group) const {
    return g_.position[groups_[g_.group_of[i]].root] < g_.position[groups_[group].root];
  }

  void repeat(const Tree& tree) {
    for (int i : tree.nodes) {
      repeated_in_[i].push_back(tree.group);
      std::vector<int>& members = groups_[tree.group].members;
      members.insert(std::ranges::lower_bound(members, g_.position[i], std::ranges::greater(),
                                              [&](int x) { return g_.position[x]; }),
                     i);
      reads_[tree.group].erase(i);
    }
    reads_[tree.group].insert(tree.operands.begin(), tree.operands.end());
  }

  // A value that its own group has no more use for belongs to one that computes it again.
  void leave_home(int i) {
    Group& home = groups_[g_.group_of[i]];
    const bool used = std::ranges::any_of(
        g_.users[i], [&](int user) { return computed_in(user, g_.group_of[i]); });
    if (used || is_stored(i)) return;
    std::erase(home.members, i);
    if (home.root == i) home.root = home.members.empty() ? -1 : home.members.front();
    g_.group_of[i] = repeated_in_[i].back();
    repeated_in_[i].pop_back();
  }

  // Position of the last step that reads a value, if it is one of the plan's own.
  int last_use(int i) const {
    if (node(i).is_computed()) return static_cast<int>(g_.order.size());
    int last = -1;
    for (int user : g_.users[i]) {
      const int group = g_.group_of[user];
      last = std::max(last, g_.position[group < 0 ? user : groups_[group].root]);
      for (int other : repeated_in_[user]) last = std::max(last, g_.position[groups_[other].root]);
    }
    return last;
  }

  const GroupedGraph& g_;
  std::vector<Group>& groups_;
  std::vector<std::vector<int>> repeated_in_;
  std::vector<std::unordered_set<int>> reads_;  // of each group
};

}  // namespace

std::vector<std::vector<int>> recompute(const GroupedGraph& grouped) {
  return Recomputer(grouped).run();
}

}  // namespace glia
