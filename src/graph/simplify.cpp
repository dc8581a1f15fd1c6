// Simplifying: what a graph says twice or in a roundabout way.
#include <algorithm>
#include <bit>

#include "core/positioned.h"
#include "graph/draft.h"

namespace glia {
namespace {

uint64_t mix(uint64_t h, uint64_t w) {
  h = (h ^ w) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

class Simplifier {
 public:
  explicit Simplifier(Draft* draft) : d_(*draft) {}

  void run() {
    const int n = static_cast<int>(d_.graph.nodes.size());
    d_.same.resize(n);
    d_.inputs.resize(n);
    d_.needed.assign(n, 0);
    known_.assign(std::bit_ceil(2 * static_cast<size_t>(n) + 1), -1);
    hashes_.resize(n);
    for (int i = 0; i < n; ++i) {
      d_.same[i] = i;
      if (d_.node(i).op == &kConstantOp && !d_.node(i).is_computed()) {
        d_.same[i] = find_equal(i);
      } else if (!d_.is_leaf(i)) {
        const Node& me = d_.node(i);
        // Of a result only the kernel counts, not what is kept with it.
        const auto in = me.input_span();
        d_.inputs[i].reserve(in.size());
        for (const Node* x : me.op->kind == Kind::kOutput ? in.first(1) : in)
          d_.inputs[i].push_back(d_.same[x->index]);
        if (me.op->identity) {
          d_.same[i] = d_.inputs[i][0];
        } else {
          if (me.op->kind == Kind::kElementwise) {
            for (int& in : d_.inputs[i]) {
              while (!d_.is_leaf(in) && d_.node(in).op->broadcasts) in = d_.inputs[in][0];
            }
          }
          d_.same[i] = find_equal(i);
        }
      }
      if (d_.graph.wanted[i]) d_.needed[d_.same[i]] = 1;
    }
    find_users();
  }

 private:
  int find_equal(int i) {
    const Node& me = d_.node(i);
    if (me.op->effect || find_positioned(me.op)) return i;
    uint64_t h = mix(reinterpret_cast<uintptr_t>(me.op),
                     static_cast<uint64_t>(me.dtype) | uint64_t{me.absent} << 8);
    for (int in : d_.inputs[i]) h = mix(h, in);
    for (int64_t word : me.words().span()) h = mix(h, word);
    const size_t mask = known_.size() - 1;
    size_t at = h >> 32 & mask;
    for (; known_[at] >= 0; at = (at + 1) & mask) {
      const int k = known_[at];
      if (hashes_[k] != h) continue;
      const Node& other = d_.node(k);
      if (other.op == me.op && other.dtype == me.dtype && other.shape == me.shape &&
          other.absent == me.absent && d_.inputs[k] == d_.inputs[i] &&
          std::ranges::equal(other.words().span(), me.words().span()))
        return k;
    }
    known_[at] = i;
    hashes_[i] = h;
    return i;
  }

  // Who uses what, of all that is needed.
  void find_users() {
    const int n = static_cast<int>(d_.graph.nodes.size());
    d_.users.resize(n);
    std::vector<uint8_t> live(n, 0);
    for (int i = n - 1; i >= 0; --i) {
      if (d_.same[i] != i) continue;
      live[i] |= d_.needed[i];
      if (!live[i]) continue;
      for (int in : d_.inputs[i]) live[in] = 1;
    }
    for (int i = 0; i < n; ++i) {
      if (d_.same[i] != i || !live[i]) continue;
      for (int in : d_.inputs[i]) {
        if (d_.users[in].empty() || d_.users[in].back() != i) d_.users[in].push_back(i);
      }
    }
  }

  Draft& d_;
  // A table of nodes that no earlier one equals, by their hashes; -1: a free place.
  std::vector<int> known_;
  std::vector<uint64_t> hashes_;
};

}  // namespace

void simplify(Draft* draft) { Simplifier(draft).run(); }

}  // namespace glia
