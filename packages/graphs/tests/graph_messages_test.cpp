// Graphs, message passing, and its derivatives.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/graphs/generators.h"
#include "glia/graphs/message.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "kernels.h"
#include "tests/support/instructions.h"
#include "tests/support/values.h"

namespace glia::graphs {
namespace {

using test::expect_same;
using test::expect_values;
using test::message_of;
using test::numbers;

Tensor edges(const std::vector<int64_t>& sources, const std::vector<int64_t>& targets) {
  std::vector<int64_t> all = sources;
  all.insert(all.end(), targets.begin(), targets.end());
  return from_vector(all, {2, static_cast<int64_t>(sources.size())});
}
// 0 -> 1, 2 -> 1, 1 -> 0, 1 -> 1, 2 -> 1 again; 3 is alone.
Graph small() { return Graph(edges({0, 2, 1, 1, 2}, {1, 1, 0, 1, 1}), 4); }

TEST(Graph, IsSortedBothWays) {
  const Graph g = small();
  EXPECT_EQ(g.num_nodes(), 4);
  EXPECT_EQ(g.num_edges(), 5);
  const auto in = g.adjacency(Side::kTarget), out = g.adjacency(Side::kSource);
  EXPECT_TRUE(std::ranges::equal(in.ptr, std::vector{0, 1, 5, 5, 5}));
  EXPECT_TRUE(std::ranges::equal(in.node, std::vector{1, 0, 2, 1, 2}));
  EXPECT_TRUE(std::ranges::equal(in.edge, std::vector{2, 0, 1, 3, 4}));
  EXPECT_TRUE(std::ranges::equal(out.ptr, std::vector{0, 1, 3, 5, 5}));
  EXPECT_TRUE(std::ranges::equal(out.node, std::vector{1, 0, 1, 1, 1}));
  expect_values(g.edge_index(), {2, 5}, {0, 2, 1, 1, 2, 1, 1, 0, 1, 1});
  expect_values(g.degree(), {4}, {1, 4, 0, 0});
  expect_values(g.degree(Side::kSource), {4}, {1, 2, 2, 0});
  EXPECT_TRUE(g.has_self_loops());
  EXPECT_FALSE(g.is_undirected());
  EXPECT_EQ(Graph().num_nodes(), 0);
  EXPECT_EQ(Graph(edges({0, 7}, {7, 0})).num_nodes(), 8);
}

TEST(Graph, SaysWhatIsWrong) {
  EXPECT_EQ(message_of([] {
              Graph(edges({0, 1}, {1, 3}), 3);
            }),
            "Graph: edge 1 has the target 3, but there are 3 nodes");
  EXPECT_NE(message_of([] {
              Graph(edges({0, -1}, {1, 2}));
            }).find("edge 1 has a node -1"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([] {
              Graph(zeros({3, 2}, kI64));
            }).find("(2, E)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([] { Graph(zeros({2, 2})); }).find("f32"), std::string::npos);
  EXPECT_NE(message_of([] { Graph(edges({}, {}), -1); }), "");
  EXPECT_NE(message_of([] { Graph(edges({int64_t{1} << 40}, {0})); }), "");
  EXPECT_NE(message_of([] { Graph::bipartite(edges({0}, {5}), 3, 5); }).find("target 5"),
            std::string::npos);
  EXPECT_NE(message_of([] { Graph::bipartite(edges({0}, {4}), 3, 5).num_nodes(); }), "");
  EXPECT_NE(message_of<ShapeError>([] {
              at_sources(small(), ones({3, 2}));
            }).find("(4, ...)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([] { aggregate(small(), ones({5, 2}, kI32)); }), "");
  EXPECT_NE(message_of<ShapeError>([] {
              propagate(small(), ones({4, 3}), Aggregation::kSum, ones({5, 2}));
            }),
            "");
  EXPECT_NE(message_of<ShapeError>([] { small().with_edge_mask(ones({4})); }), "");
  EXPECT_NE(message_of([] { aggregation_named("median"); }).find("median"), std::string::npos);
}

TEST(Graph, MakesOthers) {
  const Graph g = small();
  const auto none = remove_self_loops(g);
  expect_values(none.graph.edge_index(), {2, 4}, {0, 2, 1, 2, 1, 1, 0, 1});
  expect_values(none.kept, {4}, {0, 1, 2, 4});
  const auto looped = replace_self_loops(g);
  expect_values(looped.graph.edge_index(), {2, 8},
                {0, 2, 1, 2, 0, 1, 2, 3, 1, 1, 0, 1, 0, 1, 2, 3});
  expect_values(looped.loops, {4}, {-1, 3, -1, -1});
  EXPECT_EQ(add_self_loops(g).num_edges(), 9);
  expect_values(coalesce(g).edge_index(), {2, 4}, {0, 1, 1, 2, 1, 0, 1, 1});
  const Graph both = to_undirected(g);
  expect_values(both.edge_index(), {2, 5}, {0, 1, 1, 1, 2, 1, 0, 1, 2, 1});
  EXPECT_TRUE(both.is_undirected());
  const std::vector<int64_t> nodes{2, 1};
  const auto part = subgraph(g, nodes);
  expect_values(part.graph.edge_index(), {2, 3}, {0, 1, 0, 1, 1, 1});
  expect_values(part.kept, {3}, {1, 3, 4});
  EXPECT_EQ(k_hop_nodes(g, std::vector<int64_t>{0}, 1), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(k_hop_nodes(g, std::vector<int64_t>{0}, 2), (std::vector<int64_t>{0, 1, 2}));
  const Graph more = add_virtual_node(g);
  EXPECT_EQ(more.num_nodes(), 5);
  EXPECT_EQ(more.num_edges(), 13);
  expect_values(more.degree(), {5}, {2, 5, 1, 1, 4});
  for (const auto& wrong : {std::vector<int64_t>{4}, {0, 0}, {-1}})
    EXPECT_NE(message_of([&] { subgraph(g, wrong); }), "");
  // A mask stays with the edges.
  const Graph masked = g.with_edge_mask(tensor({1.f, 2.f, 3.f, 4.f, 5.f}));
  expect_values(remove_self_loops(masked).graph.edge_mask(), {4}, {1, 2, 3, 5});
  expect_values(replace_self_loops(masked).graph.edge_mask(), {8}, {1, 2, 3, 5, 1, 1, 1, 1});
  EXPECT_FALSE(replace_self_loops(g).graph.edge_mask().defined());
}

TEST(Messages, ByHand) {
  const Graph g = small();
  const Tensor x = tensor({{1.0, 2.0}, {3.0, -4.0}, {5.0, 6.0}, {7.0, 8.0}});
  expect_values(at_sources(g, x), {5, 2}, {1, 2, 5, 6, 3, -4, 3, -4, 5, 6});
  expect_values(at_targets(g, x), {5, 2}, {3, -4, 3, -4, 1, 2, 3, -4, 3, -4});
  const auto arrived = [&](Aggregation how) { return propagate(g, x, how); };
  expect_values(arrived(Aggregation::kSum), {4, 2}, {3, -4, 14, 10, 0, 0, 0, 0});
  expect_values(arrived(Aggregation::kMean), {4, 2}, {3, -4, 3.5, 2.5, 0, 0, 0, 0});
  expect_values(arrived(Aggregation::kMax), {4, 2}, {3, -4, 5, 6, 0, 0, 0, 0});
  expect_values(arrived(Aggregation::kMin), {4, 2}, {3, -4, 1, -4, 0, 0, 0, 0});
  expect_values(arrived(Aggregation::kVar), {4, 2}, {0, 0, 2.75, 16.75, 0, 0, 0, 0}, 1e-12);
  const Tensor w = tensor({1.0, 2.0, 3.0, 4.0, 5.0});
  expect_values(propagate(g, x, Aggregation::kSum, w), {4, 2}, {9, -12, 48, 28, 0, 0, 0, 0});
  expect_values(propagate(g.with_edge_mask(w), x), {4, 2}, {9, -12, 48, 28, 0, 0, 0, 0});
  expect_values(propagate(g.with_edge_mask(w), x, Aggregation::kMax), {4, 2},
                {9, -12, 25, 30, 0, 0, 0, 0});
  expect_values(aggregate(g, at_sources(g, x), Aggregation::kSum, Side::kSource), {4, 2},
                {1, 2, 6, -8, 10, 12, 0, 0});
  expect_values(edge_dot(g, x, x), {5, 1}, {-5, -9, -5, 25, -9});
  expect_values(edge_softmax(g, log(w)), {5}, {1. / 12, 2. / 12, 1, 4. / 12, 5. / 12}, 1e-12);
  // Values that are no rows, of 16 bits, NaN, and nothing at all.
  expect_values(propagate(g, tensor({1.0, 2.0, 3.0, 4.0})), {4}, {2, 9, 0, 0});
  EXPECT_EQ(propagate(g, ones({4, 2, 3}, kBF16)).dtype(), kBF16);
  EXPECT_EQ(propagate(g, ones({4, 2, 3})).shape(), (Shape{4, 2, 3}));
  EXPECT_TRUE(std::isnan(propagate(g, tensor({0.0, 0.0, std::nan(""), 0.0}), Aggregation::kMax)
                             .to_vector<double>()[1]));
  expect_values(propagate(Graph(edges({}, {}), 2), ones({2, 3})), {2, 3}, {0, 0, 0, 0, 0, 0});
  EXPECT_EQ(propagate(Graph(), ones({0, 3}), Aggregation::kMax).shape(), (Shape{0, 3}));
  EXPECT_EQ(propagate(g, ones({4, 0})).shape(), (Shape{4, 0}));
}

// All widths, with and without heads, against products with dense matrices.
TEST(Messages, AreProductsOfMatrices) {
  data::Random random(3);
  std::vector<int64_t> from, to;
  for (int e = 0; e < 300; ++e) {
    from.push_back(random.below(40));
    to.push_back(random.below(30));
  }
  const Graph g = Graph::bipartite(edges(from, to), 40, 30);
  for (const DType dtype : {kF32, kF64}) {
    for (const int64_t width : {1, 2, 3, 4, 7, 8, 15, 16, 31, 64, 100, 200}) {
      const int64_t heads = width % 4 == 0 ? 4 : 1;
      const Tensor x = cast(numbers({40, width}), dtype), w = cast(numbers({300, heads}, 1), dtype);
      std::vector<Tensor> parts;
      for (int64_t h = 0; h < heads; ++h) {
        const Tensor cells = from_vector(to, {300}) * 40 + from_vector(from, {300});
        const Tensor dense =
            reshape(index_add(zeros({1200}, dtype), cells, index(w, {Slice{}, h})), {30, 40});
        parts.push_back(matmul(dense, slice(x, 1, {h * width / heads, (h + 1) * width / heads})));
      }
      const double close = dtype == kF64 ? 1e-12 : 1e-4;
      expect_same(propagate(g, x, Aggregation::kSum, w), concat(parts, 1), close);
      expect_same(propagate(g, x), aggregate(g, at_sources(g, x)), close);
      const Tensor y = cast(numbers({30, width}, 2), dtype);
      expect_same(
          edge_dot(g, y, x, heads),
          sum(reshape(at_targets(g, y) * at_sources(g, x), {300, heads, width / heads}), {2}),
          close);
    }
  }
}

TEST(Messages, HaveDerivativesOfAnyOrder) {
  const Graph g = small();
  const Tensor x = numbers({4, 6}), w = numbers({5, 2}, 1), y = numbers({4, 6}, 2);
  const auto check = [&](const char* what, const TensorFunction& f, const std::vector<Tensor>& in) {
    EXPECT_EQ(gradcheck(f, in), "") << what;
    EXPECT_EQ(gradgradcheck(f, in), "") << what;
  };
  check("propagate",
        [&](const auto& in) { return sin(propagate(g, in[0], Aggregation::kSum, in[1])); }, {x, w});
  check("ends", [&](const auto& in) { return sin(at_sources(g, in[0]) * at_targets(g, in[0])); },
        {x});
  check("dot", [&](const auto& in) { return sin(edge_dot(g, in[0], in[1], 3)); }, {x, y});
  check("softmax", [&](const auto& in) { return square(edge_softmax(g, in[0])); }, {w});
  for (const Aggregation how :
       {Aggregation::kMean, Aggregation::kMax, Aggregation::kMin, Aggregation::kVar})
    EXPECT_EQ(gradcheck([&](const auto& in) { return sin(aggregate(g, in[0], how)); }, {w}), "");
  check("mask",
        [&](const auto& in) {
          return sin(propagate(g.with_edge_mask(in[1]), in[0], Aggregation::kMean));
        },
        {x, numbers({5})});
  // Equal extremes share; a deviation of 0 has none.
  const Tensor ties = trainable(tensor({1.0, 2.0, 0.0, 2.0, 2.0}));
  expect_values(gradients(sum(aggregate(g, ties, Aggregation::kMax)), {ties})[0], {5},
                {0, 1. / 3, 1, 1. / 3, 1. / 3}, 1e-12);
  const Tensor same = trainable(ones({5}, kF64));
  expect_values(gradients(sum(aggregate(g, same, Aggregation::kStd)), {same})[0], {5},
                {0, 0, 0, 0, 0});
}

TEST(Messages, AreTheSameInPlansEagerAndOnAnyThreads) {
  const Graph g = erdos_renyi_graph(3000, 0.01, 1);
  EXPECT_NEAR(static_cast<double>(g.num_edges()), 90000, 3000);
  const Tensor x = cast(numbers({3000, 24}), kF32), w = cast(numbers({g.num_edges(), 3}), kF32);
  const auto value = [&] {
    const Tensor in = trainable(x), alpha = edge_softmax(g, w);
    const Tensor out =
        propagate(g, in * 2, Aggregation::kSum, alpha) + propagate(g, in, Aggregation::kMax);
    return gradients(sum(square(out)), {in})[0].to_vector<float>();
  };
  const int threads = num_threads();
  set_num_threads(1);
  const auto alone = value();
  set_num_threads(4);
  EXPECT_EQ(value(), alone);
  set_num_threads(threads);
  set_eager(true);
  const auto eager = value();
  set_eager(false);
  for (size_t i = 0; i < eager.size(); i += 97) EXPECT_NEAR(eager[i], alone[i], 1e-3) << i;
  // A graph is part of what is computed, not of the plan.
  const Graph other = to_undirected(Graph(edges({0, 1, 1}, {1, 2, 3}), 4));
  const Graph turned = to_undirected(Graph(edges({2, 3, 3}, {1, 0, 2}), 4));
  const Tensor one = tensor({1.0, 2.0, 4.0, 8.0});
  expect_values(propagate(other, one), {4}, {2, 13, 2, 2});
  const int64_t plans = graph_stats().plans_built;
  expect_values(propagate(turned, one), {4}, {8, 4, 10, 5});
  EXPECT_EQ(graph_stats().plans_built, plans);
}

// Two rows, of three entries and of none; 61 columns are pieces of every size.
template <class T>
void check_loops() {
  constexpr int64_t kWidth = 61;
  std::vector<T> from(4 * kWidth), sums(2 * kWidth), most(2 * kWidth), copies(3 * kWidth), dots(3);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(std::sin(0.1 * (i * i % 101)));
  const int32_t ptr[] = {0, 3, 3}, index[] = {3, 0, 2}, edge[] = {1, 2, 0};
  const T weight[] = {T(0.5), 2, -1};
  kernels::sum_rows({ptr, index, edge, from.data(), weight, sums.data(), kWidth, 1}, 0, 2);
  kernels::max_rows({ptr, index, edge, from.data(), nullptr, most.data(), kWidth, 1}, 0, 2);
  kernels::dot_rows({index, edge, from.data(), from.data(), dots.data(), kWidth, 1}, 0, 3);
  kernels::copy_rows({index, from.data(), copies.data(), kWidth}, 0, 3);
  double products[3] = {};
  for (int64_t c = 0; c < kWidth; ++c) {
    const auto at = [&](int64_t row) { return double{from[row * kWidth + c]}; };
    EXPECT_NEAR(sums[c], 2 * at(3) - at(0) + 0.5 * at(2), 1e-6);
    EXPECT_EQ(most[c], std::max({at(3), at(0), at(2)}));
    EXPECT_EQ(sums[kWidth + c], 0);
    EXPECT_EQ(most[kWidth + c], 0);
    for (int e = 0; e < 3; ++e) {
      EXPECT_EQ(copies[e * kWidth + c], at(index[e]));
      products[e] += at(index[e]) * at(edge[e]);
    }
  }
  for (int e = 0; e < 3; ++e) EXPECT_NEAR(dots[e], products[e], 1e-5);
}
TEST(VectorLoopsDeathTest, AreThoseOfTheLevelInUse) {
  const int32_t ptr[] = {0, 1}, index[] = {0};
  float x[20] = {}, y[20];
  const auto check = [] {
    check_loops<float>();
    check_loops<double>();
  };
  test::expect_each_level("libglia_graphs", check, [&] {
    kernels::sum_rows({ptr, index, index, x, nullptr, y, 20, 1}, 0, 1);
    kernels::max_rows({ptr, index, index, x, nullptr, y, 20, 1}, 0, 1);
    kernels::dot_rows({index, index, x, x, y, 20, 1}, 0, 1);
    kernels::copy_rows({index, x, y, 20}, 0, 1);
  });
}

}  // namespace
}  // namespace glia::graphs
