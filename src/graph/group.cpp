// Grouping: elementwise operations and reductions that one pass over a space computes.
#include <algorithm>

#include "graph/draft.h"

namespace glia {
namespace {

// A row that is reduced and used again stays in the cache up to this length.
constexpr int64_t kMaxResidentColumns = 8192;
constexpr int kMaxGroupNodes = 1024;

// Where rows end and columns begin if `row` holds one value for each row of `shape`, else -1.
int row_split(const Shape& row, const Shape& shape) {
  if (row.rank() != shape.rank()) return -1;
  int k = 0;
  while (k < shape.rank() && row[k] == shape[k]) ++k;
  for (int i = k; i < shape.rank(); ++i) {
    if (row[i] != 1) return -1;
  }
  return k == 0 ? -1 : stripped(shape, k);
}

class Grouper {
 public:
  explicit Grouper(Draft* draft) : d_(*draft) {}

  // From the last node to the first, each joins the group of those that use it if it can. All
  // edges that leave a group lead to positions behind its root, so groups can run in the order
  // of their roots.
  void run() {
    d_.group_of.assign(d_.graph.nodes.size(), -1);
    for (int at = static_cast<int>(d_.order.size()) - 1; at >= 0; --at) {
      const int i = d_.order[at];
      const Kind k = d_.kind(i);
      if (k != Kind::kElementwise && k != Kind::kReduce) continue;
      int g = group_of_users(i);
      if (g < 0 || !accepts(&d_.groups[g], i)) g = k == Kind::kReduce ? sibling(i) : -1;
      if (g < 0) g = new_group(i);
      d_.group_of[i] = g;
      d_.groups[g].members.push_back(i);
    }
  }

 private:
  bool may_join(const Group& g, int g_index, int i) const {
    for (int user : d_.users[i]) {
      if (d_.group_of[user] != g_index && d_.position[user] < d_.position[g.root]) return false;
    }
    return true;
  }

  int group_of_users(int i) const {
    int best = -1;
    for (int user : d_.users[i]) {
      const int g = d_.group_of[user];
      if (g >= 0 &&
          (best < 0 || d_.position[d_.groups[g].root] < d_.position[d_.groups[best].root]))
        best = g;
    }
    return best >= 0 && may_join(d_.groups[best], best, i) ? best : -1;
  }

  // A group that reduces the same space in the same way and reads the same operand, but not what
  // this reduction gives.
  int sibling(int i) {
    for (int g = static_cast<int>(d_.groups.size()) - 1; g >= 0 && g + 4 >= (int)d_.groups.size();
         --g) {
      Group& other = d_.groups[g];
      if (d_.kind(other.root) != Kind::kReduce || other.resident ||
          d_.axes_of(other.root) != d_.axes_of(i) || d_.node(d_.inputs[i][0]).shape != other.space)
        continue;
      const auto reads = [&](int member) {
        return std::ranges::count(d_.inputs[member], d_.inputs[i][0]) > 0;
      };
      const auto is_mine = [&](int user) { return d_.group_of[user] == g; };
      if (std::ranges::none_of(other.members, reads) || std::ranges::any_of(d_.users[i], is_mine))
        continue;
      if (may_join(other, g, i)) return g;
    }
    return -1;
  }

  struct Reduced {
    int64_t outer, reduced, inner;
    int first, last;  // reduced axes [first, last)
  };
  Reduced reduced_axes(int i) const {
    const Shape& in = d_.node(d_.inputs[i][0]).shape;
    const int64_t mask = d_.axes_of(i);
    int first = 0, last = in.rank();
    while (first < last && !(mask >> first & 1)) ++first;
    while (last > first && !(mask >> (last - 1) & 1)) --last;
    while (last < in.rank() && in[last] == 1) ++last;
    return {product(in, 0, first), product(in, first, last), product(in, last, in.rank()), first,
            last};
  }

  int new_group(int i) {
    Group g;
    g.root = i;
    if (d_.kind(i) == Kind::kElementwise) {
      g.space = d_.node(i).shape;
    } else {
      g.space = d_.node(d_.inputs[i][0]).shape;
      const Reduced r = reduced_axes(i);
      if (r.inner == 1 && r.outer == 1) {
        g.sink = Program::Sink::kReduceAll;
      } else if (r.inner == 1 && r.reduced <= kMaxResidentColumns) {
        g.split = stripped(g.space, r.first);
        g.resident = true;
      } else if (r.inner == 1) {
        g.split = stripped(g.space, r.first);
        g.sink = Program::Sink::kReduceRows;
      } else {
        g.split = stripped(g.space, r.last);
        g.sink = Program::Sink::kReduceColumns;
        g.segments = r.outer;
      }
    }
    d_.groups.push_back(std::move(g));
    return static_cast<int>(d_.groups.size()) - 1;
  }

  // Whether a node whose users allow it fits the group's space; fixes what that decides.
  bool accepts(Group* g, int i) const {
    if (g->members.size() >= kMaxGroupNodes) return false;
    const Node& me = d_.node(i);
    int split;
    if (d_.kind(i) == Kind::kElementwise) {
      if (me.shape == g->space) return true;
      if (me.op->draws) return false;  // random numbers belong to positions of their own shape
      split = row_split(me.shape, g->space);
    } else {
      const Reduced r = reduced_axes(i);
      const Shape& in = d_.node(d_.inputs[i][0]).shape;
      if (r.inner != 1 || r.reduced > kMaxResidentColumns) return false;
      if (in != g->space && !becomes_rows(*g, me.shape, in)) return false;
      g->space = in;
      split = stripped(in, r.first);
    }
    if (split < 0 || (g->split >= 0 && g->split != split)) return false;
    if (g->space.numel() == 0 || split == g->space.rank()) return false;
    g->split = split;
    if (d_.kind(i) == Kind::kReduce) g->resident = true;
    return true;
  }

  // Whether a group over the results of a row reduction can become one over the rows themselves.
  bool becomes_rows(const Group& g, const Shape& result, const Shape& in) const {
    const auto draws = [&](int i) { return d_.node(i).op->draws; };
    return g.space == result && g.split < 0 && g.sink == Program::Sink::kStore && in.numel() != 0 &&
           row_split(result, in) >= 0 && std::ranges::none_of(g.members, draws);
  }

  Draft& d_;
};

}  // namespace

void group(Draft* draft) { Grouper(draft).run(); }

}  // namespace glia
