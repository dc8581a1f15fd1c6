#include "glia/graphs/generators.h"

#include <cmath>
#include <numeric>
#include <set>

#include "glia/data.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::graphs {
namespace {

// Undirected edges, each noted once.
struct Pairs {
  std::vector<int32_t> from, to;
  void add(int64_t a, int64_t b) {
    from.push_back(static_cast<int32_t>(a));
    to.push_back(static_cast<int32_t>(b));
  }
  Graph graph(int64_t nodes) const { return to_undirected(Graph::from_edges(from, to, nodes)); }
};

void require(const char* name, int64_t nodes, bool good) {
  if (nodes < 0 || nodes > INT32_MAX / 8 || !good)
    throw ValueError(std::string(name) + ": numbers out of range, for " + std::to_string(nodes) +
                     " nodes");
}

// Calls f(i) for each i < count that is drawn with probability p, by the lengths of the gaps.
template <class F>
void drawn(double p, int64_t count, data::Random* random, F f) {
  if (p <= 0) return;
  const double scale = p < 1 ? 1 / std::log1p(-p) : 0;
  for (double at = -1;;) {
    at += 1 + (p < 1 ? std::floor(std::log1p(-random->uniform()) * scale) : 0);
    if (at >= static_cast<double>(count)) return;
    f(static_cast<int64_t>(at));
  }
}

}  // namespace

Graph erdos_renyi_graph(int64_t num_nodes, double p, uint64_t seed) {
  require("erdos_renyi_graph", num_nodes, p >= 0 && p <= 1);
  return stochastic_blockmodel_graph({num_nodes}, {{p}}, seed).graph;
}

Data stochastic_blockmodel_graph(const std::vector<int64_t>& block_sizes,
                                 const std::vector<std::vector<double>>& edge_probs,
                                 uint64_t seed) {
  const size_t blocks = block_sizes.size();
  bool good = edge_probs.size() == blocks;
  std::vector<int64_t> first{0};
  for (size_t i = 0; i < blocks; ++i) {
    good = good && block_sizes[i] >= 0 && block_sizes[i] < INT32_MAX / 8;
    good = good && edge_probs[i].size() == blocks;
    for (size_t j = 0; good && j < blocks; ++j)
      good = edge_probs[i][j] >= 0 && edge_probs[i][j] <= 1 && edge_probs[i][j] == edge_probs[j][i];
    first.push_back(first.back() + (good ? block_sizes[i] : 0));
  }
  require("stochastic_blockmodel_graph", first.back(), good);
  data::Random random(seed);
  Pairs pairs;
  for (size_t i = 0; i < blocks; ++i)
    for (size_t j = i; j < blocks; ++j) {
      const int64_t n = block_sizes[i], m = block_sizes[j];
      if (i != j) {
        drawn(edge_probs[i][j], n * m, &random,
              [&](int64_t at) { pairs.add(first[i] + at / m, first[j] + at % m); });
        continue;
      }
      int64_t row = 1, begin = 0;  // pairs (row, column < row), row after row
      drawn(edge_probs[i][i], n * (n - 1) / 2, &random, [&](int64_t at) {
        while (at >= begin + row) begin += row++;
        pairs.add(first[i] + row, first[i] + at - begin);
      });
    }
  Data out;
  out.graph = pairs.graph(first.back());
  std::vector<int64_t> y;
  for (size_t i = 0; i < blocks; ++i)
    y.insert(y.end(), static_cast<size_t>(block_sizes[i]), static_cast<int64_t>(i));
  out.y = from_vector(y, {first.back()});
  return out;
}

namespace {

void attach(int64_t nodes, int64_t edges, data::Random* random, Pairs* pairs) {
  // A node stands here as often as it has edges.
  std::vector<int64_t> ends;
  for (int64_t node = edges; node < nodes; ++node) {
    std::set<int64_t> chosen;
    while (static_cast<int64_t>(chosen.size()) < edges)
      chosen.insert(
          ends.empty()
              ? static_cast<int64_t>(chosen.size())
              : ends[static_cast<size_t>(random->below(static_cast<int64_t>(ends.size())))]);
    for (const int64_t other : chosen) {
      pairs->add(node, other);
      ends.push_back(node);
      ends.push_back(other);
    }
  }
}

}  // namespace

Graph barabasi_albert_graph(int64_t num_nodes, int64_t num_edges, uint64_t seed) {
  require("barabasi_albert_graph", num_nodes, num_edges >= 1 && num_edges < num_nodes);
  data::Random random(seed);
  Pairs pairs;
  attach(num_nodes, num_edges, &random, &pairs);
  return pairs.graph(num_nodes);
}

Graph grid_graph(int64_t height, int64_t width) {
  require("grid_graph", multiply_sizes(std::max<int64_t>(height, 0), std::max<int64_t>(width, 0)),
          height >= 0 && width >= 0);
  Pairs pairs;
  for (int64_t r = 0; r < height; ++r)
    for (int64_t c = 0; c < width; ++c) {
      if (c + 1 < width) pairs.add(r * width + c, r * width + c + 1);
      if (r + 1 < height) pairs.add(r * width + c, (r + 1) * width + c);
    }
  return pairs.graph(height * width);
}

Graph cycle_graph(int64_t num_nodes) {
  require("cycle_graph", num_nodes, true);
  Pairs pairs;
  for (int64_t i = 0; i < num_nodes; ++i) pairs.add(i, (i + 1) % num_nodes);
  return pairs.graph(num_nodes);
}

Data karate_club() {
  // Of each member the friends with a smaller number.
  const std::vector<std::vector<int64_t>> friends = {
      {},
      {0},
      {0, 1},
      {0, 1, 2},
      {0},
      {0},
      {0, 4, 5},
      {0, 1, 2, 3},
      {0, 2},
      {2},
      {0, 4, 5},
      {0},
      {0, 3},
      {0, 1, 2, 3},
      {},
      {},
      {5, 6},
      {0, 1},
      {},
      {0, 1},
      {},
      {0, 1},
      {},
      {},
      {},
      {23, 24},
      {},
      {2, 23, 24},
      {2},
      {23, 26},
      {1, 8},
      {0, 24, 25, 28},
      {2, 8, 14, 15, 18, 20, 22, 23, 29, 30, 31},
      {8, 9, 13, 14, 15, 18, 19, 20, 22, 23, 26, 27, 28, 29, 30, 31, 32}};
  Pairs pairs;
  for (size_t i = 0; i < friends.size(); ++i)
    for (const int64_t other : friends[i]) pairs.add(static_cast<int64_t>(i), other);
  Data out;
  out.graph = pairs.graph(34);
  out.x = eye(34);
  const std::vector<int64_t> y = {1, 1, 1, 1, 3, 3, 3, 1, 0, 1, 3, 1, 1, 1, 0, 0, 3,
                                  1, 0, 1, 0, 1, 0, 0, 2, 2, 0, 0, 2, 0, 0, 2, 0, 0};
  out.y = from_vector(y, {34});
  std::vector<bool> train(34);
  for (const size_t i : {0, 4, 8, 24}) train[i] = true;
  out.train_mask = from_vector(train, {34});
  return out;
}

BAShapes ba_shapes(int64_t nodes, int64_t houses, uint64_t seed) {
  require("ba_shapes", nodes, nodes > 5 && houses >= 0 && houses <= nodes);
  data::Random random(seed);
  Pairs pairs;
  attach(nodes, 5, &random, &pairs);
  std::vector<int64_t> y(static_cast<size_t>(nodes), 0);
  for (int64_t h = 0; h < houses; ++h) {
    const int64_t a = nodes + 5 * h;  // middle, middle, ground, ground, top
    for (const auto& [from, to] : {std::pair{0, 1}, {1, 2}, {2, 3}, {3, 0}, {0, 4}, {1, 4}})
      pairs.add(a + from, a + to);
    pairs.add(a, random.below(nodes));
    y.insert(y.end(), {1, 1, 2, 2, 3});
  }
  BAShapes out;
  const int64_t count = nodes + 5 * houses;
  out.data.graph = pairs.graph(count);
  out.data.x = ones({count, 1});
  out.data.y = from_vector(y, {count});
  std::vector<bool> within;
  const auto from = out.data.graph.sources(), to = out.data.graph.targets();
  for (size_t e = 0; e < from.size(); ++e) within.push_back(from[e] >= nodes && to[e] >= nodes);
  out.edge_mask = from_vector(within, {static_cast<int64_t>(within.size())});
  return out;
}

}  // namespace glia::graphs
