// Glia's side of layers.py: layers IN.npz OUT.npz. IN has what each case NAME needs under NAME.KEY:
// x (N, F) and edge_index (2, E), maybe edge, deg, xt (features of targets), the layer's state as
// state.*, and seed, by which the output is weighed. OUT has NAME.out and the gradient of
// everything, NAME.grad.KEY.
#include <functional>
#include <iostream>
#include <map>

#include "glia/autodiff.h"
#include "glia/graphs/models.h"
#include "glia/io.h"

using namespace glia;
using namespace glia::graphs;

namespace {

using Inputs = std::map<std::string, Tensor>;

nn::Sequential mlp() { return nn::Sequential(nn::Linear(5, 6), relu, nn::Linear(6, 4)); }

std::map<std::string, std::function<AnyConv(const Inputs&)>> layers() {
  const auto of = [](auto make) { return [make](const Inputs&) -> AnyConv { return make(); }; };
  GINEOptions mapped;
  mapped.edge_dim = 3;
  mapped.in_channels = 5;
  GCNOptions improved, plain;
  improved.improved = true;
  plain.normalize = false;
  plain.bias = false;
  return {
      {"gcn", of([] { return GCNConv(5, 4); })},
      {"gcn_weighted", of([] { return GCNConv(5, 4); })},
      {"gcn_improved", of([=] { return GCNConv(5, 4, improved); })},
      {"gcn_plain", of([=] { return GCNConv(5, 4, plain); })},
      {"cheb", of([] { return ChebConv(5, 4, 3); })},
      {"cheb_weighted", of([] { return ChebConv(5, 4, 3, {.lambda_max = 2.5}); })},
      {"cheb_rw", of([] { return ChebConv(5, 4, 2, {.normalization = Normalization::kRw}); })},
      {"cheb_none", of([] { return ChebConv(5, 4, 3, {.normalization = Normalization::kNone}); })},
      {"sage", of([] { return SAGEConv(5, 4); })},
      {"sage_max", of([] {
         return SAGEConv(5, 4, {.aggr = Aggregation::kMax, .normalize = true, .project = true});
       })},
      {"sage_pair", of([] { return SAGEConv(5, 4, {.in_channels_target = 3}); })},
      {"gat", of([] { return GATConv(5, 4, {.heads = 3}); })},
      {"gat_edge", of([] {
         return GATConv(5, 4, {.heads = 2, .concat = false, .edge_dim = 3, .residual = true});
       })},
      {"gat_pair", of([] {
         return GATConv(5, 4, {.heads = 2, .add_self_loops = false, .in_channels_target = 3});
       })},
      {"gatv2", of([] { return GATv2Conv(5, 4, {.heads = 3}); })},
      {"gatv2_edge",
       of([] { return GATv2Conv(5, 4, {.heads = 2, .concat = false, .edge_dim = 3}); })},
      {"gin", of([] { return GINConv(mlp(), {.eps = 0.3, .train_eps = true}); })},
      {"gin_fixed", of([] { return GINConv(mlp(), {.eps = 0.2}); })},
      {"gine", of([=] { return GINEConv(mlp(), mapped); })},
      {"ggnn", of([] { return GatedGraphConv(7, 3); })},
      {"appnp", of([] { return APPNP(5, 0.2); })},
      {"pna",
       [](const Inputs& in) -> AnyConv {
         return PNAConv(5, 6,
                        {.scalers = {Scaler::kIdentity, Scaler::kAmplification,
                                     Scaler::kAttenuation, Scaler::kLinear, Scaler::kInverseLinear},
                         .deg = in.at("deg"),
                         .towers = 2});
       }},
      {"pna_edge",
       [](const Inputs& in) -> AnyConv {
         return PNAConv(6, 4,
                        {.aggregators = {Aggregation::kSum, Aggregation::kMax, Aggregation::kVar},
                         .deg = in.at("deg"),
                         .edge_dim = 3,
                         .towers = 2,
                         .pre_layers = 2,
                         .post_layers = 2,
                         .divide_input = true});
       }},
  };
}

void run_layer(const std::string& name, AnyConv conv, const Inputs& in, StateDict* out) {
  auto& layer = const_cast<Conv&>(*conv);
  layer.to(kF64);
  StateDict state;
  for (const auto& [key, value] : in)
    if (key.starts_with("state.")) state.emplace_back(key.substr(6), value);
  layer.load_state_dict(state);
  const auto given = [&](const char* key) {
    return in.contains(key) ? trainable(in.at(key)) : Tensor();
  };
  const Tensor x = given("x"), xt = given("xt"), edge = given("edge");
  const Features features = xt.defined() ? Features(x, xt) : Features(x);
  const Graph graph = xt.defined() ? Graph::bipartite(in.at("edge_index"), x.size(0), xt.size(0))
                                   : Graph(in.at("edge_index"), x.size(0));
  const Tensor y = (*conv)(features, graph, edge);
  std::vector<Tensor> wanted{x};
  std::vector<std::string> names{"x"};
  for (const auto& [key, t] : {std::pair{"xt", xt}, {"edge", edge}})
    if (t.defined()) {
      wanted.push_back(t);
      names.emplace_back(key);
    }
  for (const auto& p : layer.named_parameters()) {
    wanted.push_back(p.variable.tensor());
    names.push_back("state." + p.name);
  }
  const auto g = gradients(sum(y * in.at("seed")), wanted);
  out->emplace_back(name + ".out", y);
  for (size_t i = 0; i < g.size(); ++i) out->emplace_back(name + ".grad." + names[i], g[i]);
}

void run_pools(const Inputs& in, StateDict* out) {
  const Tensor x = trainable(in.at("x"));
  const Tensor owner = in.at("batch");
  std::vector<int32_t> node, graph_of = owner.to_vector<int32_t>();
  for (size_t i = 0; i < graph_of.size(); ++i) node.push_back(static_cast<int32_t>(i));
  const Graph graph(in.at("edge_index"), x.size(0));
  const Graph members = Graph::from_edges(node, graph_of, x.size(0), 3);
  const auto add = [&](const std::string& name, const Tensor& y) {
    out->emplace_back("pool." + name, y);
    out->emplace_back("pool.grad." + name, gradients(sum(sin(y)), {x})[0]);
  };
  add("add", global_add_pool(x, members));
  add("mean", global_mean_pool(x, members));
  add("max", global_max_pool(x, members));
  add("softmax", edge_softmax(graph, at_sources(graph, x)));
  add("var", aggregate(graph, at_sources(graph, x), Aggregation::kVar));
  add("min", propagate(graph, x, Aggregation::kMin));
  TopKPooling top(5, {.ratio = 0.6});
  top.to(kF64);
  top.load_state_dict({{"select.weight", in.at("topk")}});
  const Pooled pooled = top(x, graph, members);
  add("topk", pooled.x);
  out->emplace_back("pool.perm", pooled.perm);
  out->emplace_back("pool.pooled_edges", pooled.graph.edge_index());
  const auto [dense, mask] = to_dense_batch(x, members);
  add("dense", dense);
  const Tensor adj = to_dense_adj(graph, members, {}, kF64);
  out->emplace_back("pool.adj", adj);
  const auto diff = dense_diff_pool(dense, adj, index(dense, {Ellipsis, Slice{0, 3}}), mask);
  add("diff_x", diff.x);
  add("diff_adj", diff.adj);
  add("link_loss", diff.link_loss);
  add("ent_loss", diff.ent_loss);
  DenseGCNConv conv(5, 4);
  conv.to(kF64);
  conv.load_state_dict({{"bias", in.at("dense_bias")}, {"lin.weight", in.at("dense_weight")}});
  add("dense_gcn", conv(dense, adj, mask));
}

}  // namespace

int main(int, char** argv) try {
  std::map<std::string, Inputs> cases;
  for (const auto& [name, value] : io::read_npz(argv[1])) {
    const size_t dot = name.find('.');
    cases[name.substr(0, dot)].emplace(name.substr(dot + 1), value);
  }
  StateDict out;
  const auto known = layers();
  for (const auto& [name, in] : cases) {
    if (name == "pool")
      run_pools(in, &out);
    else
      run_layer(name, known.at(name)(in), in, &out);
  }
  io::write_npz(argv[2], out);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
