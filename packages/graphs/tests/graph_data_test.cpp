// Batches, splits, samples, generators, and what files may hold.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "glia/catalogue.h"
#include "glia/graphs/datasets.h"
#include "glia/graphs/generators.h"
#include "glia/graphs/pool.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::graphs {
namespace {

using test::expect_same;
using test::expect_values;
using test::message_of;
using test::numbers;

Data ring(int64_t nodes, int64_t label) {
  Data out;
  out.graph = cycle_graph(nodes);
  out.x = cast(numbers({nodes, 3}), kF32);
  out.y = tensor({label});
  return out;
}

TEST(Batch, IsGraphsBesideEachOther) {
  const std::vector<Data> all{ring(3, 0), ring(5, 1), ring(4, 1)};
  const std::vector<int64_t> which{2, 0};
  const Batch batch = collate(all, which);
  EXPECT_EQ(batch.num_graphs(), 2);
  EXPECT_EQ(batch.graph.num_nodes(), 7);
  EXPECT_EQ(batch.graph.num_edges(), 14);
  expect_values(batch.batch(), {7}, {0, 0, 0, 0, 1, 1, 1});
  expect_values(batch.ptr(), {3}, {0, 4, 7});
  expect_values(batch.y, {2}, {1, 0});
  expect_same(slice(batch.x.sources(), 0, {4, 7}), all[0].x.sources());
  EXPECT_TRUE(batch.graph.is_undirected());
  for (const int32_t target : batch.graph.targets().subspan(8)) EXPECT_GE(target, 4);
  expect_same(index(global_add_pool(batch.x.sources(), batch.membership), {1}),
              sum(all[0].x.sources(), {0}), 1e-6);
  EXPECT_EQ(collate({}).num_graphs(), 0);
  const std::vector<int64_t> wrong{3};
  EXPECT_NE(message_of([&] { collate(all, wrong); }).find("graph 3 among 3"), std::string::npos);
  std::vector<Data> mixed = all;
  mixed[1].y = {};
  EXPECT_NE(message_of([&] { collate(mixed); }).find("2 of 3 graphs have y"), std::string::npos);
}

TEST(Pool, KeepsTheBest) {
  TopKPooling pool(1, {.ratio = 0.5});
  pool.select.weight = tensor({{2.f}});
  const std::vector<Data> all{ring(4, 0), ring(3, 0)};
  const Batch batch = collate(all);
  const Tensor x = reshape(tensor({1.f, 4.f, 3.f, 2.f, 0.f, 5.f, 6.f}), {7, 1});
  const Pooled out = pool(x, batch.graph, batch.membership);
  expect_values(out.perm, {4}, {1, 2, 6, 5});
  expect_same(out.score, tanh(tensor({4.f, 3.f, 6.f, 5.f})), 1e-6);
  EXPECT_EQ(out.graph.num_edges(), 4);
  EXPECT_EQ(out.membership.num_targets(), 2);
  TopKPooling least(1, {.min_score = 0.9});
  least.select.weight = tensor({{1.f}});
  EXPECT_EQ(least(x, batch.graph, batch.membership).perm.numel(), 2) << "the best of each stays";
  EXPECT_NE(message_of([&] { pool(ones({6, 1}), batch.graph, batch.membership); }), "");
}

TEST(Splits, TakeEachOnce) {
  Data data = stochastic_blockmodel_graph({30, 30}, {{0.2, 0}, {0, 0.2}}, 1);
  random_node_split(&data, {.per_class = 5, .num_val = 10, .num_test = 20, .seed = 3});
  const auto count = [](const Tensor& mask) { return sum(cast(mask, kI64)).item<int64_t>(); };
  EXPECT_EQ(count(data.train_mask), 10);
  EXPECT_EQ(count(data.val_mask), 10);
  EXPECT_EQ(count(data.test_mask), 20);
  EXPECT_EQ(count(data.train_mask & data.val_mask) + count(data.val_mask & data.test_mask), 0);
  EXPECT_EQ(sum(cast(data.train_mask, kI64) * data.y).item<int64_t>(), 5);
  EXPECT_NE(message_of([&] { random_node_split(&data, {.num_val = 50, .num_test = 50}); }), "");
  const std::vector<int64_t> labels{0, 0, 0, 0, 0, 0, 1, 1, 1};
  const auto folds = stratified_folds(labels, 3, 1);
  std::set<int64_t> seen;
  for (const auto& fold : folds) {
    EXPECT_EQ(fold.size(), 3u);
    EXPECT_EQ(
        std::ranges::count_if(fold, [&](int64_t i) { return labels[static_cast<size_t>(i)] == 1; }),
        1);
    seen.insert(fold.begin(), fold.end());
  }
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_NE(folds, stratified_folds(labels, 3, 2));
  EXPECT_NE(message_of([&] { stratified_folds(labels, 10, 1); }), "");
  EXPECT_NE(message_of([] {
              random_link_split(Graph(tensor<int64_t>({{0}, {1}})));
            }).find("directed"),
            std::string::npos);
  // Of a graph with all edges but one.
  const Graph full = erdos_renyi_graph(12, 1);
  EXPECT_EQ(full.num_edges(), 132);
  EXPECT_EQ(negative_sampling(full, 5, 1).size(1), 0);
}

TEST(Sampling, FollowsEdges) {
  const Graph g = barabasi_albert_graph(500, 4, 2);
  const std::vector<int64_t> seeds{400, 3, 77};
  const NeighborOptions options{.num_neighbors = {5, 3}, .seed = 9};
  const Neighborhood part = sample_neighbors(g, seeds, options);
  const auto nodes = part.n_id.to_vector<int64_t>(), edges = part.e_id.to_vector<int64_t>();
  EXPECT_EQ((std::vector<int64_t>(nodes.begin(), nodes.begin() + 3)), seeds);
  EXPECT_EQ(std::set(nodes.begin(), nodes.end()).size(), nodes.size());
  const auto from = part.graph.sources(), to = part.graph.targets();
  for (size_t e = 0; e < edges.size(); ++e) {
    EXPECT_EQ(nodes[static_cast<size_t>(from[e])], g.sources()[static_cast<size_t>(edges[e])]);
    EXPECT_EQ(nodes[static_cast<size_t>(to[e])], g.targets()[static_cast<size_t>(edges[e])]);
  }
  EXPECT_EQ(std::set(edges.begin(), edges.end()).size(), edges.size()) << "without replacement";
  const auto degree = part.graph.degree().to_vector<int64_t>();
  const auto all = g.degree().to_vector<int64_t>();
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(degree[i], std::min<int64_t>(5, all[static_cast<size_t>(seeds[i])]));
  expect_same(sample_neighbors(g, seeds, options).n_id, part.n_id);
  const auto everything = sample_neighbors(g, seeds, {.num_neighbors = {-1}});
  EXPECT_EQ(everything.graph.degree().to_vector<int64_t>()[1], all[3]);
  EXPECT_EQ(sample_neighbors(g, seeds, {.num_neighbors = {7}, .replace = true}).graph.num_edges(),
            21);
  for (const auto& wrong : {std::vector<int64_t>{500}, {1, 1}})
    EXPECT_NE(message_of([&] { sample_neighbors(g, wrong); }), "");
  for (const int64_t end : random_walks(g, seeds, {.length = 5}).to_vector<int64_t>())
    EXPECT_LT(end, 500);
  EXPECT_NE(message_of([&] { random_walks(g, seeds, {.p = 0}); }), "");
}

TEST(Generators, MakeWhatTheySay) {
  EXPECT_EQ(grid_graph(3, 4).num_edges(), 2 * (3 * 3 + 2 * 4));
  EXPECT_EQ(cycle_graph(5).num_edges(), 10);
  const Graph ba = barabasi_albert_graph(200, 3, 1);
  EXPECT_EQ(ba.num_edges(), 2 * 3 * 197);
  EXPECT_GT(max(ba.degree()).item(), 20);
  EXPECT_TRUE(ba.is_undirected());
  const Data karate = karate_club();
  EXPECT_EQ(karate.graph.num_edges(), 156);
  const BAShapes shapes = ba_shapes(50, 10, 1);
  EXPECT_EQ(shapes.data.graph.num_nodes(), 100);
  EXPECT_EQ(sum(cast(shapes.edge_mask, kI64)).item<int64_t>(), 120);
  const Data blocks = stochastic_blockmodel_graph({100, 50}, {{0.5, 0}, {0, 0.2}}, 7);
  for (size_t e = 0; e < blocks.graph.sources().size(); ++e)
    EXPECT_EQ(blocks.graph.sources()[e] < 100, blocks.graph.targets()[e] < 100);
  EXPECT_FALSE(blocks.graph.has_self_loops());
  EXPECT_NEAR(static_cast<double>(blocks.graph.num_edges()), 0.5 * 9900 + 0.2 * 2450, 250);
  EXPECT_NE(message_of([] { erdos_renyi_graph(5, 1.5); }), "");
  EXPECT_NE(message_of([] { stochastic_blockmodel_graph({3}, {}); }), "");
  EXPECT_NE(message_of([] { barabasi_albert_graph(3, 3); }), "");
}

// ---- Files --------------------------------------------------------------------------------------

class Files : public test::ScratchWorkingFolder {
 protected:
  static void write(const std::string& name, const std::string& text) {
    if (const auto folder = std::filesystem::path(name).parent_path(); !folder.empty())
      std::filesystem::create_directories(folder);
    std::ofstream(name) << text;
  }
  template <class F>
  static void expect_fault(F&& f, const std::string& part) {
    const std::string message = message_of<IoError>(f);
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
};

TEST_F(Files, ListsOfEdges) {
  write("edges.txt", "# friends\nann bob 2\nbob\tcarl, 0.5\n\nann ann 1\n");
  const NodeGraph all = read_edge_list("edges.txt");
  EXPECT_EQ(all.ids, (std::vector<std::string>{"ann", "bob", "carl"}));
  expect_values(all.graph.edge_index(), {2, 5}, {0, 0, 1, 1, 2, 0, 1, 0, 2, 1});
  expect_values(all.edge_weight, {5}, {1, 2, 2, 0.5, 0.5});
  EXPECT_EQ(read_edge_list("edges.txt", {.undirected = false}).graph.num_edges(), 3);
  for (const auto& [text, fault] : {std::pair{"a b\nc\n", "line 2: is no two nodes"},
                                    {"a b x\n", "'x' is no weight"},
                                    {"a b 1\nb c\n", "line 2: has no weight"},
                                    {"a b\nb c 1\n", "line 2: has a weight"},
                                    {"# nothing\n", "holds no edges"}}) {
    write("bad.txt", text);
    expect_fault([] { read_edge_list("bad.txt"); }, fault);
  }
  expect_fault([] { read_edge_list("missing.txt"); }, "missing.txt");
}

TEST_F(Files, Tables) {
  write("f/nodes.csv", "id,label,split,age,kind\n7,x,train,1,b\n3,y,val,2.5,a\n9,,test,0,b\n");
  write("f/edges.csv", "source,target,weight,since\n7,3,0.5,1990\n3,9,2,2000\n");
  const NodeGraph all = read_nodes("f");
  EXPECT_EQ(all.classes, (std::vector<std::string>{"x", "y"}));
  expect_values(all.y, {3}, {0, 1, -1});
  expect_values(all.x.sources(), {3, 3}, {1, 1, 0, 2.5, 0, 1, 0, 1, 0});
  expect_values(all.graph.edge_index(), {2, 4}, {0, 1, 1, 2, 1, 0, 2, 1});
  expect_values(all.edge_weight, {4}, {0.5, 0.5, 2, 2});
  expect_values(all.edge_attr, {4, 1}, {1990, 1990, 2000, 2000});
  expect_values(all.val_mask, {3}, {0, 1, 0});
  const std::string nodes = "id,label\na,x\nb,y\n", edges = "source,target\na,b\n";
  const auto read = [] { read_nodes("g"); };
  for (const auto& [n, e, fault] :
       {std::tuple{nodes, std::string("source,target\na,c\n"), "row 1: there is no node 'c'"},
        {nodes, std::string("from,to\na,b\n"), "has no column \"source\""},
        {std::string("name\na\n"), edges, "has no column \"id\""},
        {std::string("id\na\na\n"), edges, "the id 'a' comes twice"},
        {std::string("id,age\na,1\nb,\n"), edges, "column \"age\" has missing values"},
        {std::string("id,age\na,1\nb,1e300\n"), edges,
         "column \"age\" has a number that is too large"},
        {std::string("id,split\na,train\nb,exam\n"), edges, "the split 'exam'"},
        {nodes, std::string("source,target,weight\na,b,much\n"), "\"weight\""}}) {
    write("g/nodes.csv", n);
    write("g/edges.csv", e);
    expect_fault(read, fault);
  }
  expect_fault([] { read_nodes("nowhere"); }, "no such folder");
  std::filesystem::create_directory("empty");
  expect_fault([] { read_nodes("empty"); }, "holds neither");
}

TEST_F(Files, Planetoid) {
  const std::string nodes = "# id\n0\t1\ttrain\t0 2\n1\t0\tval\t1\n2\t-1\tnone\t\n3\t1\ttest\n",
                    edges = "# both\n0\t1\n2\t1\n";
  write("p/nodes.tsv", nodes);
  write("p/edges.tsv", edges);
  const NodeGraph all = read_nodes("p");
  expect_values(all.x.sources(), {4, 3}, {0.5, 0, 0.5, 0, 1, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(all.graph.num_edges(), 4);
  expect_values(all.y, {4}, {1, 0, -1, 1});
  EXPECT_EQ(all.classes.size(), 2u);
  for (const auto& [n, e, fault] :
       {std::tuple{nodes + "9\t0\tval\t1\n", edges, "line 6: is node '9', not 4"},
        {nodes, edges + "0\t4\n", "line 4: '4' is no whole number from 0 to 3"},
        {nodes, edges + "0\n", "line 4: has no two nodes"},
        {nodes + "4\t0\texam\t1\n", edges, "'exam' is no split"},
        {nodes + "4\tzero\ttest\n", edges, "'zero'"},
        {nodes + "4\n", edges, "has no number, class"},
        {std::string("# none\n"), edges, "holds no nodes"}}) {
    write("p/nodes.tsv", n);
    write("p/edges.tsv", e);
    expect_fault([] { read_nodes("p"); }, fault);
  }
}

TEST_F(Files, GraphsOfDortmund) {
  const auto files = [](const std::string& a, const std::string& owner, const std::string& labels,
                        const std::string& kinds) {
    write("T/T_A.txt", a);
    write("T/T_graph_indicator.txt", owner);
    write("T/T_graph_labels.txt", labels);
    write("T/T_node_labels.txt", kinds);
    write("T/README.txt", "not a part");
  };
  const std::string a = "1, 2\n2, 1\n4, 5\n5, 4\n3, 1\n", owner = "1\n1\n1\n2\n2\n",
                    labels = "1\n-1\n", kinds = "3\n5\n3\n4\n5\n";
  files(a, owner, labels, kinds);
  const auto all = read_tu("T");
  ASSERT_EQ(all.size(), 2u);
  expect_values(all[0].graph.edge_index(), {2, 3}, {0, 1, 2, 1, 0, 0});
  expect_values(all[0].x.sources(), {3, 3}, {1, 0, 0, 0, 0, 1, 1, 0, 0});
  expect_values(all[0].y, {1}, {1});
  expect_values(all[1].y, {1}, {0});
  EXPECT_EQ(all[1].graph.num_nodes(), 2);
  const std::vector<Data> degrees = one_hot_degrees(all);
  expect_values(degrees[0].x.sources(), {3, 3}, {0, 0, 1, 0, 1, 0, 1, 0, 0});
  for (const auto& [x, o, l, k, fault] :
       {std::tuple{a + "1, 4\n", owner, labels, kinds, "edge 6 from 1 to 4 joins no two nodes"},
        {a + "1, 9\n", owner, labels, kinds, "edge 6"},
        {a + "1\n", owner, labels, kinds, "line 6 has 1 numbers, not 2"},
        {a, std::string("1\n2\n1\n2\n2\n"), labels, kinds, "out of order"},
        {a, std::string("1\n1\n1\n2\n3\n"), labels, kinds, "graph 3"},
        {a, owner, std::string("yes\nno\n"), kinds, "'yes' is no number"},
        {a, owner, labels, std::string("1\n2\n"), "node_labels.txt has 2 labels for 5"},
        {a, std::string(), labels, kinds, "not of the form"}}) {
    files(x, o, l, k);
    expect_fault([] { read_tu("T"); }, fault);
  }
  std::filesystem::remove("T/T_graph_labels.txt");
  expect_fault([] { read_tu("T"); }, "has no NAME_graph_labels.txt");
  expect_fault([] { read_tu("missing.tar.gz"); }, "missing.tar.gz");
}

TEST(Catalogue, HoldsTheCitations) {
  for (const auto& [name, nodes, edges, words, classes] :
       {std::tuple{"cora", 2708, 10556, 1433, 7}, {"citeseer", 3327, 9104, 3703, 6}}) {
    if (!data::available(data::entry(name))) GTEST_SKIP() << name << " is not there";
    const NodeGraph all = planetoid(name);
    EXPECT_EQ(all.graph.num_nodes(), nodes);
    EXPECT_EQ(all.graph.num_edges(), edges);
    EXPECT_EQ(all.x.channels(), words);
    EXPECT_EQ(all.classes.size(), static_cast<size_t>(classes));
    EXPECT_EQ(sum(cast(all.train_mask, kI64)).item<int64_t>(), 20 * classes);
    EXPECT_EQ(sum(cast(all.val_mask, kI64)).item<int64_t>(), 500);
    EXPECT_EQ(sum(cast(all.test_mask, kI64)).item<int64_t>(), 1000);
  }
}

}  // namespace
}  // namespace glia::graphs
