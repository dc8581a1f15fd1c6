// Layers and models: what they can tell apart, what they learn, and what explains it.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/graphs/explain.h"
#include "glia/graphs/generators.h"
#include "glia/graphs/hetero.h"
#include "glia/graphs/models.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::graphs {
namespace {

using test::expect_same;
using test::expect_values;
using test::message_of;
using test::numbers;

Graph undirected(const std::vector<std::pair<int32_t, int32_t>>& edges, int64_t nodes) {
  std::vector<int32_t> from, to;
  for (const auto& [a, b] : edges) {
    from.push_back(a);
    to.push_back(b);
  }
  return to_undirected(Graph::from_edges(from, to, nodes));
}
nn::Sequential mlp(int64_t in, int64_t out) {
  return nn::Sequential(nn::Linear(in, 8), relu, nn::Linear(8, out));
}

std::vector<std::pair<std::string, AnyConv>> all_layers() {
  const Tensor degrees = tensor<int64_t>({1, 2, 3});
  return {{"GCN", GCNConv(5, 4)},
          {"Cheb", ChebConv(5, 4, 3)},
          {"APPNP", APPNP(3, 0.1)},
          {"SAGE", SAGEConv(5, 4)},
          {"SAGE max", SAGEConv(5, 4, {.aggr = Aggregation::kMax, .project = true})},
          {"GIN", GINConv(mlp(5, 4))},
          {"GGNN", GatedGraphConv(6, 2)},
          {"PNA", PNAConv(5, 4, {.deg = degrees, .towers = 2})},
          {"GAT", GATConv(5, 4, {.heads = 2})},
          {"GATv2", GATv2Conv(5, 4, {.heads = 2, .concat = false})}};
}

TEST(Layers, DoNotKnowTheOrderOfNodesAndEdges) {
  manual_seed(0);
  const Data karate = karate_club();
  const Tensor x = cast(numbers({34, 5}), kF32);
  std::vector<int64_t> place(34);
  for (int64_t i = 0; i < 34; ++i) place[static_cast<size_t>(i)] = (i * 7 + 3) % 34;
  const Tensor order = from_vector(place, {34});
  const Tensor moved = flip(take(order, karate.graph.edge_index()), {1});
  const Graph other(moved, 34);
  for (auto& [name, conv] : all_layers()) {
    SCOPED_TRACE(name);
    const Tensor y = (*conv)(x, karate.graph);
    const Tensor z = (*conv)(index_add(zeros({34, 5}), order, x), other);
    expect_same(take(z, order), y, 2e-5);
    // Copies are independent.
    const AnyConv copy = conv;
    for (const auto& p : copy->named_parameters()) p.variable.set(p.variable.tensor() * 0);
    expect_same((*conv)(x, karate.graph), y);
    // Nodes without any edges, and no nodes.
    for (const double v : (*conv)(x, Graph(zeros({2, 0}, kI64), 34)).to_vector<double>())
      EXPECT_TRUE(std::isfinite(v));
    EXPECT_EQ((*conv)(zeros({0, 5}), Graph()).size(0), 0);
  }
}

TEST(Layers, TakeSparseFeatures) {
  manual_seed(0);
  const Tensor x = where(numbers({34, 5}) > 0.3, cast(numbers({34, 5}), kF32), 0);
  const Csr sparse = Csr::from_dense(x);
  const Graph g = karate_club().graph;
  for (auto& [name, conv] : all_layers()) {
    SCOPED_TRACE(name);
    expect_same((*conv)(sparse, g), (*conv)(x, g), 2e-5);
  }
}

TEST(Layers, SayWhatIsWrong) {
  const Graph g = karate_club().graph;
  for (auto& [name, conv] : all_layers()) {
    if (name == "APPNP") continue;
    EXPECT_NE(message_of([&] { (*conv)(ones({34, 9}), g); }), "") << name;
    EXPECT_NE(message_of([&] { (*conv)(ones({33, 5}), g); }), "") << name;
  }
  EXPECT_NE(message_of([&] {
              GCNConv(5, 4)(ones({34, 5}), g, ones({7}));
            }).find("156 edges"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              GINEConv(mlp(5, 4))(ones({34, 5}), g);
            }).find("nothing"),
            std::string::npos);
  EXPECT_NE(message_of([] { GATConv(5, 4, {.heads = 0}); }), "");
  EXPECT_NE(message_of([] { PNAConv(5, 4, {}); }).find("histogram"), std::string::npos);
  EXPECT_NE(message_of([] { ChebConv(5, 4, 0); }), "");
  EXPECT_NE(message_of([] { GNN("cnn", 5, 4); }).find("cnn"), std::string::npos);
  EXPECT_NE(message_of([&] { (*AnyConv(GCNConv(5, 4)))(ones({34}), g); }), "");
}

// (Xu et al. 2019, figure 3.) Nodes with equal features around them in other numbers: sums tell
// what means do not, and what largest values do not.
TEST(Layers, SumsTellMultisetsApart) {
  manual_seed(1);
  // Middles with neighbours {a}, {a, a}, {a, b}, {a, a, b, b} and {a, a, b}.
  const Tensor a = tensor({{1.f, 0.f}}), b = tensor({{0.f, 1.f}});
  const auto middle = [&](const std::vector<Tensor>& around, Aggregation how) {
    const auto n = static_cast<int32_t>(around.size());
    std::vector<int32_t> from, to(around.size(), n);
    for (int32_t i = 0; i < n; ++i) from.push_back(i);
    std::vector<Tensor> rows = around;
    rows.push_back(zeros({1, 2}));
    const Graph g = Graph::from_edges(from, to, n + 1);
    GINConv conv(nn::Sequential(nn::Linear(2, 4)), {.aggr = how});
    for (const auto& p : conv.named_parameters())
      p.variable.set(cast(numbers(p.variable.shape()), kF32));
    return index(conv(concat(rows), g), {n});
  };
  const auto apart = [&](const std::vector<Tensor>& one, const std::vector<Tensor>& other,
                         Aggregation how) {
    return max(abs(middle(one, how) - middle(other, how))).item() > 1e-6;
  };
  using enum Aggregation;
  EXPECT_TRUE(apart({a}, {a, a}, kSum));
  EXPECT_FALSE(apart({a}, {a, a}, kMean));
  EXPECT_FALSE(apart({a}, {a, a}, kMax));
  EXPECT_TRUE(apart({a, b}, {a, a, b, b}, kSum));
  EXPECT_FALSE(apart({a, b}, {a, a, b, b}, kMean));
  EXPECT_FALSE(apart({a, b}, {a, a, b, b}, kMax));
  EXPECT_TRUE(apart({a, b}, {a, a, b}, kSum));
  EXPECT_TRUE(apart({a, b}, {a, a, b}, kMean));
  EXPECT_FALSE(apart({a, b}, {a, a, b}, kMax));
}

// Two triangles and a ring of six are the same to the test of Weisfeiler and Leman, so to any
// layer.
TEST(Models, DoNotTellApartWhatWeisfeilerAndLemanDoNot) {
  manual_seed(2);
  const Graph triangles = undirected({{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}, {5, 3}}, 6);
  const Graph ring = cycle_graph(6), path = undirected({{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}, 6);
  GINClassifier model(1, 3);
  model.eval();
  const Graph all = single_membership(6);
  const auto scores = [&](const Graph& g) { return model(ones({6, 1}), g, all); };
  expect_same(scores(triangles), scores(ring), 1e-5);
  EXPECT_GT(max(abs(scores(path) - scores(ring))).item(), 1e-3);
}

// A batch that is filled up gives the same scores, gradients and statistics, and makes no new plan.
TEST(Models, FillingIsNotSeen) {
  std::vector<Data> all;
  for (int64_t n = 4; n < 20; ++n) {
    Data one;
    one.graph = n % 2 ? cycle_graph(n) : barabasi_albert_graph(n, 2, static_cast<uint64_t>(n));
    one.x = cast(numbers({n, 3}, static_cast<double>(n)), kF32);
    one.y = tensor({n % 2});
    eval(one.x.sources());
    all.push_back(one);
  }
  manual_seed(7);
  GINClassifier model(3, 2, {.hidden_channels = 8, .num_layers = 3, .dropout = 0});
  GINClassifier other = model;
  const std::vector<int64_t> which{3, 1, 9, 12};
  const Batch plain = collate(all, which), filled = collate(all, which, {.pad = true});
  EXPECT_EQ(filled.num_graphs(), 5);
  EXPECT_EQ(filled.graph.num_nodes() % 16, 0);
  EXPECT_EQ(sum(cast(filled.node_mask, kI64)).item<int64_t>(), plain.graph.num_nodes());
  const auto run = [](GINClassifier& m, const Batch& b) {
    const Tensor loss = cross_entropy(m(b.x.sources(), b.graph, b.membership, b.node_mask), b.y);
    return gradients(loss, m.parameters());
  };
  const auto g = run(model, plain), h = run(other, filled);
  for (size_t i = 0; i < g.size(); ++i) expect_same(h[i], g[i], 2e-5);
  for (size_t i = 0; i < model.named_buffers().size(); ++i)
    expect_same(other.named_buffers()[i].variable.tensor(),
                model.named_buffers()[i].variable.tensor(), 2e-5);
  // Other graphs, of 41 nodes and 106 edges too.
  const std::vector<int64_t> like{5, 1, 7, 12};
  const auto step = [&](const Batch& b) {
    eval(run(other, b));
    eval_variables();
  };
  step(filled);
  step(filled);
  const int64_t plans = graph_stats().plans_built;
  step(collate(all, like, {.pad = true}));
  EXPECT_EQ(graph_stats().plans_built, plans);
}

TEST(Models, LearnTheKarateClub) {
  const Data karate = karate_club();
  for (const std::string& name : gnn_names()) {
    SCOPED_TRACE(name);
    manual_seed(3);
    GNN model(name, 34, 4, {.dropout = 0, .attention_dropout = 0});
    optim::Adam optimizer(model.parameters(), {.lr = 0.02});
    const Tensor train = reshape(nonzero(karate.train_mask), {4}), y = take(karate.y, train);
    for (int step = 0; step < 60; ++step)
      optimizer.step(gradients(cross_entropy(take(model(karate.x, karate.graph), train), y),
                               model.parameters()));
    model.eval();
    const Tensor guesses = argmax(model(karate.x, karate.graph));
    expect_same(take(guesses, train), y);
    // Features are the members' numbers: of the others only what neighbours share tells anything,
    // which layers with weights of their own for the node itself need not use.
    const bool shares = name == "gcn" || name == "gat" || name == "gatv2" || name == "appnp";
    EXPECT_GE(mean(cast(guesses == karate.y, kF32)).item(), shares ? 0.7 : 0);
  }
}

TEST(Models, AutoencoderFindsEdges) {
  manual_seed(4);
  const Data blocks = stochastic_blockmodel_graph({40, 40}, {{0.3, 0.01}, {0.01, 0.3}}, 5);
  const LinkSplit split = random_link_split(blocks.graph, {.val = 0.1, .test = 0.2, .seed = 1});
  EXPECT_EQ(split.graph.num_edges() + 2 * (split.val_edges.size(1) + split.test_edges.size(1)),
            blocks.graph.num_edges());
  EXPECT_EQ(split.test_edges.size(1), split.test_negatives.size(1));
  VariationalGCNEncoder encoder(80, 16, 8);
  optim::Adam optimizer(encoder.parameters(), {.lr = 0.01});
  const Tensor x = eye(80);
  for (uint64_t step = 0; step < 100; ++step) {
    const auto z = encoder(x, split.graph);
    const Tensor none = negative_sampling(split.graph, split.train_edges.size(1), step);
    optimizer.step(
        gradients(recon_loss(z.z, split.train_edges, none) + kl_loss(z.mu, z.logstd) / 80,
                  encoder.parameters()));
  }
  encoder.eval();
  const auto scores =
      link_scores(encoder(x, split.graph).z, split.test_edges, split.test_negatives);
  // Two of five pairs that are no edges lie within a block, where nothing tells them from edges:
  // even who knows the blocks reaches 0.79 and 0.71.
  EXPECT_GT(scores.auc, 0.74);
  EXPECT_GT(scores.average_precision, 0.66);
  // Ties count half.
  const auto tied = link_scores(zeros({4, 2}), tensor<int64_t>({{0, 1}, {1, 2}}),
                                tensor<int64_t>({{0, 3}, {2, 3}}));
  EXPECT_EQ(tied.auc, 0.5);
  EXPECT_EQ(tied.average_precision, 0.5);
}

TEST(Models, WalksBringNeighboursTogether) {
  manual_seed(5);
  const Data blocks = stochastic_blockmodel_graph({30, 30}, {{0.4, 0.01}, {0.01, 0.4}}, 6);
  Node2Vec model(blocks.graph, {.embedding_dim = 16, .walk_length = 10, .context_size = 5});
  optim::Adam optimizer(model.parameters(), {.lr = 0.05});
  std::vector<int64_t> nodes(60);
  for (size_t i = 0; i < nodes.size(); ++i) nodes[i] = static_cast<int64_t>(i);
  for (uint64_t step = 0; step < 40; ++step)
    optimizer.step(gradients(model.loss(nodes, step), model.parameters()));
  const Tensor z = model.embeddings(), s = matmul(z, transpose(z));
  const Tensor same = cast(unsqueeze(blocks.y, 1) == unsqueeze(blocks.y, 0), kF32) - eye(60);
  const double within = (sum(s * same) / sum(same)).item();
  const double between = (sum(s * (1 - same - eye(60))) / sum(1 - same - eye(60))).item();
  EXPECT_GT(within, between + 0.5);
  // p small: the way back is likely; q small: away.
  const Graph path = undirected({{0, 1}, {1, 2}, {2, 3}}, 4);
  const std::vector<int64_t> starts(200, 0);
  const auto back = random_walks(path, starts, {.length = 2, .p = 1e-6}).to_vector<int64_t>();
  const auto away = random_walks(path, starts, {.length = 2, .p = 1e6}).to_vector<int64_t>();
  for (size_t w = 0; w < 200; ++w) {
    EXPECT_EQ(back[3 * w + 2], 0);
    EXPECT_EQ(away[3 * w + 2], 2);
  }
}

TEST(Explanations, NameTheEdgesThatMatter) {
  // The logit of node 0 depends on the edge 1 -> 0 alone, and there on the first feature.
  const Graph g =
      Graph::from_edges(std::vector<int32_t>{1, 2, 3, 0}, std::vector<int32_t>{0, 1, 1, 2}, 4);
  const Tensor x = tensor({{1.f, 1.f}, {2.f, 1.f}, {1.f, 3.f}, {1.f, 1.f}});
  const GraphFunction model = [](const Tensor& h, const Graph& on) {
    const Tensor arrived = slice(propagate(on, h), 1, {0, 1});
    return concat({arrived, -arrived}, 1);
  };
  const Explanation found = gnn_explainer(model, x, g, 0, 0, {.epochs = 200, .lr = 0.05});
  const auto e = found.edge_mask.to_vector<double>();
  EXPECT_GT(e[0], 0.6);
  for (size_t i = 1; i < 4; ++i) EXPECT_EQ(e[i], 0);
  const auto n = found.node_mask.to_vector<double>();
  EXPECT_GT(n[2], 0.15);
  EXPECT_EQ(n[3], 0);
  const Explanation slope = saliency(model, x, g, 0, 0);
  expect_values(slope.edge_mask, {4}, {2, 0, 0, 0});
  expect_values(slope.node_mask, {4, 2}, {0, 0, 1, 0, 0, 0, 0, 0});
  EXPECT_NE(message_of([&] { gnn_explainer(model, x, g, 5, 0); }), "");
  EXPECT_NE(message_of([&] { saliency(model, x, g, 0); }), "");
  // Layers obey a mask: without the edges of a node only it counts.
  const Data karate = karate_club();
  const Tensor none = zeros({karate.graph.num_edges()});
  SAGEConv conv(34, 3, {.bias = false});
  expect_same(conv(karate.x, karate.graph.with_edge_mask(none)),
              matmul(karate.x.sources(), transpose(conv.lin_r->weight)), 1e-6);
}

TEST(Hetero, PutsTypesTogether) {
  manual_seed(6);
  const EdgeType writes{"author", "writes", "paper"}, cites{"paper", "cites", "paper"};
  HeteroData data;
  data.x = {{"author", cast(numbers({3, 4}), kF32)}, {"paper", cast(numbers({5, 2}), kF32)}};
  data.graphs[writes] = Graph::bipartite(tensor<int64_t>({{0, 1, 2}, {0, 0, 4}}), 3, 5);
  data.graphs[cites] = Graph(tensor<int64_t>({{0, 1}, {1, 2}}), 5);
  data.check();
  const HeteroConv conv(
      {{writes, SAGEConv(4, 6, {.in_channels_target = 2})}, {cites, GCNConv(2, 6)}});
  const auto out = conv(data.x, data.graphs);
  ASSERT_EQ(out.size(), 1u);
  const Tensor alone = (*conv.convs.at(writes.name()))(Features(data.x["author"], data.x["paper"]),
                                                       data.graphs[writes]);
  expect_same(out.at("paper"),
              alone + (*conv.convs.at(cites.name()))(data.x["paper"], data.graphs[cites]), 1e-6);
  EXPECT_EQ(conv.named_parameters()[0].name.substr(0, 6), "convs.");
  data.x["paper"] = ones({4, 2});
  EXPECT_NE(message_of([&] { data.check(); }).find("4 nodes \"paper\""), std::string::npos);
}

}  // namespace
}  // namespace glia::graphs
