// Neighbours and walks, drawn by node so that threads do not matter.
#include <algorithm>
#include <cmath>

#include "glia/data.h"
#include "glia/error.h"
#include "glia/graphs/data.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::graphs {
namespace {

// A fast generator for one node: splitmix64 (Steele et al. 2014).
class Draws {
 public:
  Draws(uint64_t seed, uint64_t stream, uint64_t position)
      : state_(seed * 0x9e3779b97f4a7c15u + stream * 0xd1b54a32d192ed03u +
               position * 0x8cb92ba72f3d8dd7u) {
    bits();
  }
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, n), n below 2^31: the bias is below n / 2^32.
  int32_t below(int32_t n) {
    return static_cast<int32_t>(((bits() >> 32) * static_cast<uint64_t>(n)) >> 32);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

constexpr int64_t kPiece = 256;  // nodes at a time

}  // namespace

Neighborhood sample_neighbors(const Graph& graph, std::span<const int64_t> seeds,
                              const NeighborOptions& options) {
  const Graph::Adjacency incoming = graph.adjacency(Side::kTarget);
  std::vector<int32_t> place(static_cast<size_t>(graph.num_nodes()), -1), nodes;
  for (const int64_t s : seeds) {
    if (s < 0 || s >= graph.num_nodes() || place[static_cast<size_t>(s)] >= 0)
      throw ValueError("sample_neighbors: node " + std::to_string(s) +
                       (s < 0 || s >= graph.num_nodes() ? " does not exist" : " comes twice"));
    place[static_cast<size_t>(s)] = static_cast<int32_t>(nodes.size());
    nodes.push_back(static_cast<int32_t>(s));
  }
  std::vector<int32_t> sources, targets;
  std::vector<int64_t> edges;
  size_t first = 0;
  for (size_t hop = 0; hop < options.num_neighbors.size(); ++hop) {
    const int64_t most = options.num_neighbors[hop];
    const size_t last = nodes.size();
    const auto count = static_cast<int64_t>(last - first);
    // Of each node the entries that were drawn, in a place of its own.
    std::vector<std::vector<int32_t>> drawn(static_cast<size_t>((count + kPiece - 1) / kPiece)),
        sizes(drawn.size());
    parallel_for(static_cast<int64_t>(drawn.size()), [&](int64_t piece) {
      std::vector<int32_t>& out = drawn[static_cast<size_t>(piece)];
      for (int64_t i = piece * kPiece; i < std::min(count, (piece + 1) * kPiece); ++i) {
        const int32_t node = nodes[first + static_cast<size_t>(i)];
        const int32_t begin = incoming.ptr[static_cast<size_t>(node)];
        const int32_t degree = incoming.ptr[static_cast<size_t>(node) + 1] - begin;
        const size_t before = out.size();
        if (most < 0 || (!options.replace && degree <= most)) {
          for (int32_t k = 0; k < degree; ++k) out.push_back(begin + k);
        } else if (degree > 0) {
          Draws random(options.seed, static_cast<uint64_t>(node), hop);
          const auto wanted = static_cast<int32_t>(most);
          if (options.replace) {
            for (int32_t k = 0; k < wanted; ++k) out.push_back(begin + random.below(degree));
          } else {
            // Floyd's sampling without replacement.
            for (int32_t k = degree - wanted; k < degree; ++k) {
              const int32_t entry = begin + random.below(k + 1);
              const auto own = out.begin() + static_cast<int64_t>(before);
              out.push_back(std::find(own, out.end(), entry) == out.end() ? entry : begin + k);
            }
          }
        }
        sizes[static_cast<size_t>(piece)].push_back(static_cast<int32_t>(out.size() - before));
      }
    });
    size_t target = first;
    for (size_t piece = 0; piece < drawn.size(); ++piece) {
      size_t at = 0;
      for (const int32_t size : sizes[piece]) {
        for (int32_t k = 0; k < size; ++k) {
          const auto entry = static_cast<size_t>(drawn[piece][at++]);
          const auto node = static_cast<size_t>(incoming.node[entry]);
          if (place[node] < 0) {
            place[node] = static_cast<int32_t>(nodes.size());
            nodes.push_back(incoming.node[entry]);
          }
          sources.push_back(place[node]);
          targets.push_back(static_cast<int32_t>(target));
          edges.push_back(incoming.edge[entry]);
        }
        ++target;
      }
    }
    first = last;
  }
  const auto count = static_cast<int64_t>(nodes.size());
  return {Graph::from_edges(sources, targets, count),
          from_vector(std::vector<int64_t>(nodes.begin(), nodes.end()), {count}),
          from_vector(edges, {static_cast<int64_t>(edges.size())})};
}

Tensor random_walks(const Graph& graph, std::span<const int64_t> starts,
                    const WalkOptions& options) {
  if (options.length < 0 || !(options.p > 0) || !(options.q > 0))
    throw ValueError("random_walks: length " + std::to_string(options.length) + ", p " +
                     std::to_string(options.p) + ", q " + std::to_string(options.q));
  for (const int64_t s : starts)
    if (s < 0 || s >= graph.num_nodes())
      throw ValueError("random_walks: node " + std::to_string(s) + " does not exist");
  const Graph::Adjacency outgoing = graph.adjacency(Side::kSource);
  const auto next_of = [&](int64_t node) {
    const auto i = static_cast<size_t>(node);
    return outgoing.node.subspan(static_cast<size_t>(outgoing.ptr[i]),
                                 static_cast<size_t>(outgoing.ptr[i + 1] - outgoing.ptr[i]));
  };
  // Sorted neighbours, to find whether a step would lead away.
  const bool plain = options.p == 1 && options.q == 1;
  std::vector<int32_t> sorted;
  if (!plain) {
    sorted.assign(outgoing.node.begin(), outgoing.node.end());
    for (size_t i = 0; i + 1 < outgoing.ptr.size(); ++i)
      std::sort(sorted.begin() + outgoing.ptr[i], sorted.begin() + outgoing.ptr[i + 1]);
  }
  const auto joined = [&](int64_t a, int32_t b) {
    const auto i = static_cast<size_t>(a);
    return std::binary_search(sorted.begin() + outgoing.ptr[i],
                              sorted.begin() + outgoing.ptr[i + 1], b);
  };
  const double back = 1 / options.p, away = 1 / options.q, most = std::max({back, 1.0, away});
  const auto count = static_cast<int64_t>(starts.size()), width = options.length + 1;
  std::vector<int64_t> out(static_cast<size_t>(count * width));
  parallel_for((count + kPiece - 1) / kPiece, [&](int64_t piece) {
    for (int64_t w = piece * kPiece; w < std::min(count, (piece + 1) * kPiece); ++w) {
      Draws random(options.seed, static_cast<uint64_t>(w), 1u << 20);
      int64_t* const walk = out.data() + w * width;
      walk[0] = starts[static_cast<size_t>(w)];
      for (int64_t step = 0; step < options.length; ++step) {
        const auto next = next_of(walk[step]);
        if (next.empty()) {
          walk[step + 1] = walk[step];
          continue;
        }
        while (true) {  // by rejection
          const int32_t node =
              next[static_cast<size_t>(random.below(static_cast<int32_t>(next.size())))];
          walk[step + 1] = node;
          if (plain || step == 0) break;
          const double weight = node == walk[step - 1]         ? back
                                : joined(walk[step - 1], node) ? 1
                                                               : away;
          if (random.uniform() * most < weight) break;
        }
      }
    }
  });
  return from_vector(out, {count, width});
}

}  // namespace glia::graphs
