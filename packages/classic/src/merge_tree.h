// Sets that become one, and the tree of that: what clusterings by nearest samples share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace glia::classic {

// Disjoint sets of 0 to count - 1, each by one of its members (Tarjan 1975).
class DisjointSets {
 public:
  explicit DisjointSets(int64_t count) : parent_(static_cast<size_t>(count)) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int64_t find(int64_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // The set that `of` stands for goes into that of `into`.
  void join(int64_t of, int64_t into) { parent_[of] = into; }

 private:
  std::vector<int64_t> parent_;
};

struct Edge {
  int64_t a, b;
  double distance;
};
// Two clusters that become one. Samples are 0 to n - 1, merge i makes cluster n + i.
struct Merge {
  int64_t left, right;  // left < right
  double distance;
  int64_t size;  // of both, in samples
};

// The least spanning tree of n samples by Prim's algorithm, in the order in which it is found.
template <class F>
std::vector<Edge> spanning_tree(int64_t n, const F& distance) {
  std::vector<double> least(static_cast<size_t>(n), std::numeric_limits<double>::infinity());
  std::vector<int64_t> from(static_cast<size_t>(n)), left(static_cast<size_t>(n - 1));
  std::iota(left.begin(), left.end(), 1);
  std::vector<Edge> tree;
  int64_t at = 0;
  while (!left.empty()) {
    size_t next = 0;
    for (size_t k = 0; k < left.size(); ++k) {
      const int64_t j = left[k];
      if (const double d = distance(at, j); d < least[j]) least[j] = d, from[j] = at;
      if (least[j] < least[left[next]]) next = k;
    }
    at = left[next];
    tree.push_back({from[at], at, least[at]});
    left.erase(left.begin() + static_cast<int64_t>(next));
  }
  return tree;
}

// Edges between samples as merges of clusters, the nearest first.
inline std::vector<Merge> merge_tree(std::vector<Edge> edges) {
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.distance < b.distance; });
  const auto n = static_cast<int64_t>(edges.size()) + 1;
  DisjointSets sets(2 * n - 1);
  std::vector<int64_t> size(static_cast<size_t>(2 * n - 1), 1);
  std::vector<Merge> merges;
  for (const Edge& e : edges) {
    const int64_t node = n + static_cast<int64_t>(merges.size());
    const auto [left, right] = std::minmax({sets.find(e.a), sets.find(e.b)});
    size[node] = size[left] + size[right];
    sets.join(left, node);
    sets.join(right, node);
    merges.push_back({left, right, e.distance, size[node]});
  }
  return merges;
}

}  // namespace glia::classic
