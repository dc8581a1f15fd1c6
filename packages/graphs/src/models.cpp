#include "glia/graphs/models.h"

#include <algorithm>
#include <numeric>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::graphs {

// ---- GNN ----------------------------------------------------------------------------------------

std::vector<std::string> gnn_names() {
  return {"gcn", "cheb", "sage", "gat", "gatv2", "gin", "appnp"};
}

namespace {

nn::Sequential two_layers(int64_t in, int64_t hidden, int64_t out) {
  return nn::Sequential(nn::Linear(in, hidden), nn::BatchNorm1d(hidden), relu,
                        nn::Linear(hidden, out));
}

AnyConv conv_named(const std::string& name, int64_t in, int64_t out, bool last,
                   const GNNOptions& o) {
  if (name == "gcn") return GCNConv(in, out);
  if (name == "cheb") return ChebConv(in, out, o.K > 0 ? o.K : 2);
  if (name == "sage") return SAGEConv(in, out);
  if (name == "gin") return GINConv(two_layers(in, out, out));
  const GATOptions attention{
      .heads = last ? o.out_heads : o.heads, .concat = !last, .dropout = o.attention_dropout};
  if (name == "gat") return GATConv(in, out, attention);
  return GATv2Conv(in, out, attention);
}

}  // namespace

GNN::GNN(const std::string& name, int64_t in_channels, int64_t out_channels,
         const GNNOptions& options)
    : options(options),
      weighted_(name == "gcn" || name == "cheb" || name == "appnp"),
      elu_(name == "gat" || name == "gatv2") {
  const auto names = gnn_names();
  if (std::ranges::find(names, name) == names.end())
    throw ValueError("GNN: there is no \"" + name + "\"");
  if (in_channels < 1 || out_channels < 1 || options.num_layers < 1 || options.hidden_channels < 1)
    throw ValueError("GNN: " + std::to_string(options.num_layers) + " layers from " +
                     std::to_string(in_channels) + " to " + std::to_string(out_channels));
  int64_t in = in_channels;
  for (int64_t i = 0; i < options.num_layers; ++i) {
    const bool last = i + 1 == options.num_layers;
    const int64_t out = last ? out_channels : options.hidden_channels;
    if (name == "appnp")
      lins.emplace_back(in, out);
    else
      convs.push_back(conv_named(name, in, out, last, options));
    in = elu_ && !last ? out * options.heads : out;
  }
  if (name == "appnp")
    convs.push_back(APPNP(options.K > 0 ? options.K : 10, options.alpha, options.dropout));
}

Tensor GNN::activated(const Tensor& x) const { return elu_ ? elu(x) : relu(x); }

Tensor GNN::operator()(const Features& x, const Graph& graph, const Tensor& edge_weight,
                       Where where) const {
  const Tensor edge = weighted_ ? edge_weight : Tensor();
  Features h = x;
  const auto dropped = [&](const Features& f) {
    return options.dropout > 0 && is_training() ? dropout(f, options.dropout, where) : f;
  };
  for (size_t i = 0; i < lins.size(); ++i) {
    if (i > 0) h = activated(h.sources());
    h = dropped(h).linear(lins[i].weight, lins[i].bias, where);
  }
  if (!lins.empty()) return (*convs[0])(h, graph, edge, where);
  for (size_t i = 0; i < convs.size(); ++i) {
    if (i > 0) h = activated(h.sources());
    h = (*convs[i])(dropped(h), graph, edge, where);
  }
  return h.sources();
}

// ---- GINClassifier ------------------------------------------------------------------------------

GINClassifier::GINClassifier(int64_t in_channels, int64_t classes,
                             const GINClassifierOptions& options)
    : options(options) {
  if (in_channels < 1 || classes < 1 || options.num_layers < 1 || options.hidden_channels < 1)
    throw ValueError("GINClassifier: " + std::to_string(options.num_layers) + " layers from " +
                     std::to_string(in_channels) + " features to " + std::to_string(classes) +
                     " classes");
  const int64_t hidden = options.hidden_channels;
  linears_prediction.emplace_back(in_channels, classes);
  for (int64_t l = 1; l < options.num_layers; ++l) {
    convs.emplace_back(two_layers(l == 1 ? in_channels : hidden, hidden, hidden),
                       GINOptions{.train_eps = options.train_eps, .aggr = options.neighbors});
    batch_norms.emplace_back(hidden);
    linears_prediction.emplace_back(hidden, classes);
  }
}

namespace {

// As bn(x), with the statistics of some rows alone.
Tensor normalized(const nn::BatchNorm1d& bn, const Tensor& x, const Tensor& mask,
                  const Where& where) {
  if (!mask.defined() || !bn.is_training()) return bn(x, where);
  const Tensor on = cast(unsqueeze(mask, 1), x.dtype()), count = sum(on);
  const Tensor mean = sum(x * on, {0}) / count, apart = x - mean;
  const Tensor var = sum(square(apart) * on, {0}) / count;
  const double momentum = *bn.options.momentum;
  const auto track = [&](const Buffer& running, const Tensor& now) {
    running.set(stop_gradient((1 - momentum) * running.tensor() + momentum * now));
  };
  track(bn.running_mean, mean);
  track(bn.running_var, var * (count / maximum(count - 1, 1)));
  bn.num_batches_tracked.set(bn.num_batches_tracked.tensor() + 1);
  return apart * rsqrt(var + bn.options.eps) * bn.weight.tensor() + bn.bias.tensor();
}

}  // namespace

Tensor GINClassifier::operator()(const Tensor& x, const Graph& graph, const Graph& membership,
                                 const Tensor& node_mask, Where where) const {
  Tensor h = x, scores;
  for (size_t l = 0;; ++l) {
    Tensor part = linears_prediction[l](
        aggregate(membership, h, options.readout, Side::kTarget, where), where);
    if (options.dropout > 0 && is_training()) part = dropout(part, options.dropout, where);
    scores = scores.defined() ? scores + part : part;
    if (l == convs.size()) return scores;
    // The layer step by step: its batch norm must know the mask, too.
    const GINConv& conv = convs[l];
    h = conv.combined(h, propagate(graph, h, options.neighbors, {}, where));
    h = dynamic_cast<const nn::Linear&>(conv.mlp[0])(h, where);
    h = relu(normalized(dynamic_cast<const nn::BatchNorm1d&>(conv.mlp[1]), h, node_mask, where));
    h = dynamic_cast<const nn::Linear&>(conv.mlp[3])(h, where);
    h = relu(normalized(batch_norms[l], h, node_mask, where));
  }
}

// ---- Autoencoders -------------------------------------------------------------------------------

namespace {

constexpr double kEps = 1e-15, kMaxLogstd = 10;

}  // namespace

Tensor inner_product_decoder(const Tensor& z, const Tensor& edges, bool sigmoid) {
  if (!edges.defined() || edges.rank() != 2 || edges.size(0) != 2)
    throw ShapeError("inner_product_decoder: edges are (2, K)");
  const Tensor value = sum(take(z, index(edges, {0})) * take(z, index(edges, {1})), {1});
  return sigmoid ? glia::sigmoid(value) : value;
}

Tensor recon_loss(const Tensor& z, const Tensor& edges, const Tensor& negatives) {
  return -mean(log(inner_product_decoder(z, edges) + kEps)) -
         mean(log(1 - inner_product_decoder(z, negatives) + kEps));
}

LinkScores link_scores(const Tensor& z, const Tensor& edges, const Tensor& negatives) {
  std::vector<std::pair<double, bool>> all;
  for (const double p : inner_product_decoder(z, edges).to_vector<double>())
    all.emplace_back(p, true);
  const auto good = static_cast<double>(all.size());
  for (const double p : inner_product_decoder(z, negatives).to_vector<double>())
    all.emplace_back(p, false);
  const double bad = static_cast<double>(all.size()) - good;
  if (good == 0 || bad == 0) throw ValueError("link_scores: there are no edges, or no negatives");
  std::ranges::sort(all, [](const auto& a, const auto& b) { return a.first > b.first; });
  LinkScores out;
  double hits = 0, misses = 0;
  for (size_t i = 0; i < all.size();) {  // ties together
    double new_hits = 0, new_misses = 0;
    const double p = all[i].first;
    for (; i < all.size() && all[i].first == p; ++i) (all[i].second ? new_hits : new_misses) += 1;
    out.auc += new_misses * (hits + new_hits / 2);
    hits += new_hits;
    misses += new_misses;
    out.average_precision += new_hits * hits / (hits + misses);
  }
  out.auc /= good * bad;
  out.average_precision /= good;
  return out;
}

VariationalGCNEncoder::VariationalGCNEncoder(int64_t in_channels, int64_t hidden_channels,
                                             int64_t out_channels)
    : conv1(in_channels, hidden_channels),
      conv_mu(hidden_channels, out_channels),
      conv_logstd(hidden_channels, out_channels) {}

VariationalGCNEncoder::Result VariationalGCNEncoder::operator()(const Features& x,
                                                                const Graph& graph,
                                                                Where where) const {
  const Tensor h = relu(conv1(x, graph, {}, where));
  Result out{
      {}, conv_mu(h, graph, {}, where), minimum(conv_logstd(h, graph, {}, where), kMaxLogstd)};
  out.z = is_training() ? out.mu + randn(out.mu.shape(), out.mu.dtype()) * exp(out.logstd) : out.mu;
  return out;
}

Tensor kl_loss(const Tensor& mu, const Tensor& logstd) {
  return -0.5 * mean(sum(1 + 2 * logstd - square(mu) - exp(2 * logstd), {1}));
}

// ---- Node2Vec -----------------------------------------------------------------------------------

Node2Vec::Node2Vec(const Graph& graph, const Node2VecOptions& options)
    : options(options),
      embedding(graph.num_nodes(), options.embedding_dim, {.sparse = options.sparse}),
      graph_(graph) {
  if (options.context_size < 2 || options.walk_length + 1 < options.context_size ||
      options.walks_per_node < 1 || options.num_negative_samples < 1)
    throw ValueError("Node2Vec: walks of " + std::to_string(options.walk_length) +
                     " steps in windows of " + std::to_string(options.context_size));
}

// (walks, length + 1) -> (walks (length + 2 - context), context).
Tensor Node2Vec::windows(const Tensor& walks) const {
  std::vector<Tensor> parts;
  for (int64_t j = 0; j + options.context_size <= walks.size(1); ++j)
    parts.push_back(slice(walks, 1, {j, j + options.context_size}));
  return concat(parts);
}

Tensor Node2Vec::loss(std::span<const int64_t> nodes, uint64_t seed) const {
  const auto repeated = [&](int64_t times) {
    std::vector<int64_t> out;
    for (int64_t t = 0; t < times; ++t) out.insert(out.end(), nodes.begin(), nodes.end());
    return out;
  };
  const auto starts = repeated(options.walks_per_node);
  const Tensor walks = windows(
      random_walks(graph_, starts,
                   {.length = options.walk_length, .p = options.p, .q = options.q, .seed = seed}));
  const auto from = repeated(options.walks_per_node * options.num_negative_samples);
  const auto count = static_cast<int64_t>(from.size());
  const Tensor random = windows(concat(
      {from_vector(from, {count, 1}), randint(0, graph_.num_nodes(), {count, options.walk_length})},
      1));
  const auto products = [&](const Tensor& window) {
    const Tensor all = embedding(window);  // (windows, context, D)
    return sum(slice(all, 1, {0, 1}) * slice(all, 1, {1, Slice::kNone}), {2});
  };
  // log(sigmoid + eps), as PyTorch Geometric has it, but for eps.
  return -mean(log_sigmoid(products(walks))) - mean(log_sigmoid(-products(random)));
}

}  // namespace glia::graphs
