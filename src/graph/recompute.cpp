// What is computed twice rather than written and read back: in training, most of what the backward
// pass wants of the forward one.
#include <algorithm>
#include <unordered_set>

#include "graph/draft.h"

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
  explicit Recomputer(Draft* draft)
      : d_(*draft),
        groups_(d_.groups),
        repeated_in_(d_.repeated_in),
        reads_(d_.groups.size(), &d_.pool) {
    for (size_t k = 0; k < groups_.size(); ++k) {
      for (int i : groups_[k].members) read_outside(i, static_cast<int>(k));
    }
  }

  void run() {
    for (int i : d_.order) {
      if (is_candidate(i)) consider(i);
    }
  }

 private:
  // What a group must compute, and read besides, to have a value.
  struct Tree {
    int group = -1;
    std::vector<int> nodes, operands;
  };

  bool is_elementwise(int i) const {
    return d_.group_of[i] >= 0 && d_.node(i).op->kind == Kind::kElementwise;
  }
  void read_outside(int i, int group) {
    for (int in : d_.inputs[i]) {
      if (!d_.computed_in(in, group)) reads_[group].insert(in);
    }
  }

  // Groups that read a value from memory; -1 stands for what is in no group.
  std::vector<int> readers(int i) const {
    std::vector<int> out;
    const auto add = [&](int group) {
      if ((group < 0 || !d_.computed_in(i, group)) && std::ranges::count(out, group) == 0)
        out.push_back(group);
    };
    for (int user : d_.users[i]) {
      add(d_.group_of[user]);
      for (int group : repeated_in_[user]) add(group);
    }
    return out;
  }
  bool is_stored(int i) const { return d_.group_of[i] < 0 || d_.needed[i] || !readers(i).empty(); }

  bool is_candidate(int i) const {
    return is_elementwise(i) && !d_.needed[i] && d_.node(i).shape.numel() >= kFewestElements;
  }

  void consider(int i) {
    const std::vector<int> groups = readers(i);
    if (groups.empty()) return;
    const auto elements = static_cast<double>(d_.node(i).shape.numel());
    const auto bytes = static_cast<double>(d_.node(i).bytes());
    double cost = 0;
    std::vector<Tree> trees;
    std::unordered_set<int> longer;  // operands that must stay in memory for longer
    for (int group : groups) {
      if (group < 0 || groups_[group].members.size() >= kLargestGroup) return;
      Tree& tree = trees.emplace_back(Tree{.group = group});
      if (!grow(i, &tree)) return;
      for (int x : tree.nodes) cost += elements * d_.node(x).op->cost / kInstructionsPerByte;
      for (int x : tree.operands) {
        cost += static_cast<double>(d_.node(x).bytes()) * (is_stored(x) ? 1 : 2);
        if (!is_small(x, i) && last_use(x) < d_.position[groups_[group].root]) longer.insert(x);
      }
    }
    double lasting = 0;
    for (int x : longer) lasting += static_cast<double>(d_.node(x).bytes());
    if (cost >= bytes * static_cast<double>(1 + groups.size()) || lasting > bytes) return;
    for (const Tree& tree : trees) repeat(tree);
    std::vector<int> nodes = trees[0].nodes;
    std::ranges::sort(nodes, std::ranges::greater(), [&](int x) { return d_.position[x]; });
    for (int x : nodes) leave_home(x);
  }

  // Whether the group can have the value; what that takes goes into the tree.
  bool grow(int i, Tree* tree) const {
    if (d_.node(i).shape != groups_[tree->group].space || tree->nodes.size() >= kLargestTree)
      return false;
    tree->nodes.push_back(i);
    for (int in : d_.inputs[i]) {
      if (d_.computed_in(in, tree->group) || reads_[tree->group].contains(in) ||
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
    return d_.node(in).shape.numel() <= d_.node(i).shape.numel() / kSmallPart;
  }
  bool runs_before(int i, int group) const {
    return d_.position[groups_[d_.group_of[i]].root] < d_.position[groups_[group].root];
  }

  void repeat(const Tree& tree) {
    for (int i : tree.nodes) {
      repeated_in_[i].push_back(tree.group);
      std::vector<int>& members = groups_[tree.group].members;
      members.insert(std::ranges::lower_bound(members, d_.position[i], std::ranges::greater(),
                                              [&](int x) { return d_.position[x]; }),
                     i);
      reads_[tree.group].erase(i);
    }
    reads_[tree.group].insert(tree.operands.begin(), tree.operands.end());
  }

  // A value that its own group has no more use for belongs to one that computes it again.
  void leave_home(int i) {
    Group& home = groups_[d_.group_of[i]];
    const bool used = std::ranges::any_of(
        d_.users[i], [&](int user) { return d_.computed_in(user, d_.group_of[i]); });
    if (used || is_stored(i)) return;
    std::erase(home.members, i);
    if (home.root == i) home.root = home.members.empty() ? -1 : home.members.front();
    d_.group_of[i] = repeated_in_[i].back();
    repeated_in_[i].pop_back();
  }

  // Position of the last step that reads a value, if it is one of the plan's own.
  int last_use(int i) const {
    if (d_.node(i).is_computed()) return static_cast<int>(d_.order.size());
    int last = -1;
    for (int user : d_.users[i]) {
      const int group = d_.group_of[user];
      last = std::max(last, d_.position[group < 0 ? user : groups_[group].root]);
      for (int other : repeated_in_[user]) last = std::max(last, d_.position[groups_[other].root]);
    }
    return last;
  }

  Draft& d_;
  std::vector<Group>& groups_;
  Lists& repeated_in_;
  std::pmr::vector<std::pmr::unordered_set<int>> reads_;  // of each group
};

}  // namespace

void recompute(Draft* draft) { Recomputer(draft).run(); }

}  // namespace glia
