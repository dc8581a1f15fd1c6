#include "recipes/src/node_predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "glia/glia.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

using graphs::NodeGraph;

constexpr size_t kReasons = 10, kTried = 200;  // edges

class NodePredictor : public Predictor {
 public:
  NodePredictor(const Saved& saved, const NodeSettings& s)
      : settings_(s),
        classes_(saved.texts("classes")),
        channels_(saved.whole("channels", 1, 1 << 30)),
        model_(s.model, channels_, static_cast<int64_t>(classes_.size()), s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& id = text_of(input, "there is no node");
    const NodeGraph g = read(settings_.data);
    const auto at = std::ranges::find(g.ids, id);
    if (at == g.ids.end()) throw ValueError(settings_.data + ": there is no node '" + id + "'");
    const int64_t node = at - g.ids.begin();
    const Tensor p = index(softmax(model_(g.x, g.graph, g.edge_weight)), {node});
    const auto values = p.to_vector<double>();
    const int64_t best = std::ranges::max_element(values) - values.begin();
    return {{"class", classes_[static_cast<size_t>(best)]},
            {"classes", probability_table(classes_, values)},
            {"edges", reasons(g, node, best, values[static_cast<size_t>(best)])}};
  }
  Results score(const Evaluation& what) const override {
    const std::string from = what.data.empty() ? settings_.data : what.data;
    const NodeGraph g = read(from);
    const NodeScore score =
        judge(model_, g, nodes_of(g, what.split == "train" ? g.train_mask : g.test_mask));
    return {
        {"accuracy", score.accuracy, true}, {"loss", score.loss}, {"nodes", score.guesses.numel()}};
  }

 private:
  NodeGraph read(const std::string& from) const {
    NodeGraph g = settings_.read(from);
    if (g.x.channels() != channels_ || g.classes != classes_)
      throw IoError(from + ": its features or classes are not those of the model");
    return g;
  }
  // The edges without whose messages the class is least probable: of those that arrive at the node,
  // and at its neighbours.
  report::Table reasons(const NodeGraph& g, int64_t node, int64_t target, double with) const {
    const auto incoming = g.graph.adjacency(graphs::Side::kTarget);
    std::vector<int32_t> edges;
    const auto arriving = [&](int64_t at) {
      const auto i = static_cast<size_t>(at);
      for (int32_t k = incoming.ptr[i]; k < incoming.ptr[i + 1] && edges.size() < kTried; ++k)
        edges.push_back(incoming.edge[static_cast<size_t>(k)]);
    };
    arriving(node);
    for (size_t k = 0, own = edges.size(); k < own; ++k)
      arriving(g.graph.sources()[static_cast<size_t>(edges[k])]);
    std::vector<std::pair<double, size_t>> found;
    std::vector<float> mask(static_cast<size_t>(g.graph.num_edges()), 1);
    for (const int32_t edge : edges) {
      const auto e = static_cast<size_t>(edge);
      mask[e] = 0;
      const Tensor without = from_vector(mask, {g.graph.num_edges()});
      mask[e] = 1;
      const Tensor p = softmax(model_(g.x, g.graph.with_edge_mask(without), g.edge_weight));
      found.emplace_back(with - index(p, {node, target}).item(), e);
    }
    std::ranges::sort(found, std::greater());
    report::Table table{{{"from"}, {"to"}, {"weight"}}, {}};
    for (size_t k = 0; k < std::min(kReasons, found.size()); ++k) {
      const auto [weight, e] = found[k];
      table.rows.push_back({g.ids[static_cast<size_t>(g.graph.sources()[e])],
                            g.ids[static_cast<size_t>(g.graph.targets()[e])], weight});
    }
    return table;
  }

  const NodeSettings settings_;
  const std::vector<std::string> classes_;
  const int64_t channels_;
  graphs::GNN model_;
};

}  // namespace

void NodeSettings::declare(Fields& f) {
  f(data, "data", "cora",
    "A data set, or nodes.csv (id, label, split, features) and edges.csv (source, target).",
    data_sets("node-classification", "FOLDER"));
  f(model, "model", "gcn", "The kind of layers.", {graphs::gnn_names()});
  auto& o = options;
  const bool wide = model == "sage" || model == "gin" || model == "appnp";
  f(o.hidden_channels, "hidden",
    attends() ? 8
    : wide    ? 64
              : 16,
    "Features behind each layer, of attention those of each head.", {1, 65536});
  f(o.num_layers, "layers", 2, "Layers.", {1, 100});
  f(o.dropout, "dropout", attends() ? 0.6 : 0.5, "Share of features that a step leaves out.",
    {0, 0.95});
  f(o.heads, "heads", 8, "Heads of attention.", {1, 1024});
  f(o.attention_dropout, "attention-dropout", 0.6, "Share of neighbours that a step leaves out.",
    {0, 0.95});
  f(o.alpha, "alpha", 0.1, "The share that each step of appnp begins anew.", {0, 1});
  f(o.K, "K", model == "appnp" ? 10 : 3, "Steps of appnp, polynomials of cheb.", {1, 1000});
  f(epochs, "epochs", attends() ? 1000 : 200, "Passes over the graph, at most.", {1, 1e6});
  f(patience, "patience", 100, "Epochs without a better loss of the validation nodes.", {1, 1e6});
  f(lr, "lr", attends() ? 0.005 : 0.01, "Learning rate (Adam).", {0, 100});
  f(weight_decay, "weight-decay", model == "appnp" ? 5e-3 : 5e-4,
    "Of all weights for attention, else of the first layer's.", {0, 100});
  TrainingSettings::declare(f);
}

graphs::NodeGraph NodeSettings::read(const std::string& from) const {
  NodeGraph g = graphs::read_nodes(from);
  const int64_t nodes = g.graph.num_nodes();
  if (!g.y.defined() || g.classes.size() < 2)
    throw IoError(from + ": its nodes have no labels of two classes or more");
  const bool by_degrees = model == "gcn" || model == "cheb" || model == "appnp";
  if (by_degrees && g.edge_weight.defined() && any(g.edge_weight < 0).item<bool>())
    throw IoError(from + ": an edge's weight is below 0, which " + model + " cannot scale by");
  if (!g.x.defined()) {
    if (nodes > 20000)
      throw IoError(from +
                    ": its nodes have no features, and are too many to be told apart by number");
    g.x = eye(nodes);
  }
  if (!g.train_mask.defined()) {
    const auto known = sum(cast(g.y >= 0, kI64)).item<int64_t>();
    random_node_split(&g, {.per_class = 0,
                           .num_val = known / 5,
                           .num_test = known / 5,
                           .seed = static_cast<uint64_t>(seed)});
  }
  for (const Tensor* mask : {&g.train_mask, &g.val_mask, &g.test_mask})
    if (!any(*mask & (g.y >= 0)).item<bool>())
      throw IoError(from + ": there are no labelled nodes for training, validation or the test");
  return g;
}

Tensor nodes_of(const NodeGraph& g, const Tensor& mask) {
  return reshape(nonzero(mask & (g.y >= 0)), {-1});
}

NodeScore judge(const graphs::GNN& model, const NodeGraph& g, const Tensor& nodes) {
  const NoGrad no_grad;
  const Tensor logits = take(model(g.x, g.graph, g.edge_weight), nodes), y = take(g.y, nodes);
  const Tensor guesses = argmax(logits), loss = cross_entropy(logits, y),
               right = mean(cast(guesses == y, kF32));
  eval({guesses, loss, right});
  return {loss.item(), right.item(), guesses};
}

std::unique_ptr<Predictor> node_predictor(const Saved& saved, const NodeSettings& s) {
  return std::make_unique<NodePredictor>(saved, s);
}

}  // namespace glia::recipes
