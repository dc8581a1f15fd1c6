// The classes of a graph's nodes, of which a few are known: citations, friends, the user's own.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "glia/graphs/datasets.h"
#include "glia/graphs/models.h"
#include "glia/ops/select.h"
#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"

namespace glia::recipes {
namespace {

using graphs::NodeGraph;

constexpr int64_t kInterval = 10;              // epochs between looks at the validation nodes
constexpr size_t kReasons = 10, kTried = 200;  // edges

struct NodeSettings : TrainingSettings {
  std::string data, model;
  graphs::GNNOptions options;
  int64_t epochs = 0, patience = 0;
  double lr = 0, weight_decay = 0;

  bool attends() const { return model == "gat" || model == "gatv2"; }
  void declare(Fields& f) override {
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
  // With masks, and features if it has none: then each node has its own.
  NodeGraph read(const std::string& from) const {
    NodeGraph g = graphs::read_nodes(from);
    const int64_t nodes = g.graph.num_nodes();
    if (!g.y.defined() || g.classes.size() < 2)
      throw IoError(from + ": its nodes have no labels of two classes or more");
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
};

// The labelled nodes of a mask, and what a model says of them.
Tensor nodes_of(const NodeGraph& g, const Tensor& mask) {
  return reshape(nonzero(mask & (g.y >= 0)), {-1});
}
struct Score {
  double loss = 0, accuracy = 0;
  Tensor guesses;
};
Score judge(const graphs::GNN& model, const NodeGraph& g, const Tensor& nodes) {
  const NoGrad no_grad;
  const Tensor logits = take(model(g.x, g.graph, g.edge_weight), nodes), y = take(g.y, nodes);
  const Tensor guesses = argmax(logits), loss = cross_entropy(logits, y),
               right = mean(cast(guesses == y, kF32));
  eval({guesses, loss, right});
  return {loss.item(), right.item(), guesses};
}

report::Section confusion(const NodeGraph& g, const Tensor& nodes, const Tensor& guesses) {
  const auto classes = static_cast<int64_t>(g.classes.size());
  const Tensor cells = take(g.y, nodes) * classes + guesses;
  return {"Test nodes", report::Matrix{.rows = g.classes,
                                       .columns = g.classes,
                                       .values = reshape(bincount(cells, {}, classes * classes),
                                                         {classes, classes}),
                                       .confusion = true,
                                       .row_name = "truth",
                                       .column_name = "guess"}};
}

report::Section curves_of(const training::Trainer& trainer, const std::string& title,
                          const std::string& name, bool percent) {
  report::Curves curves{.x = {"look"}, .y = {.name = name, .percent = percent}};
  for (const char* part : {"train", "val"})
    curves.series.push_back({part, over_epochs(trainer, std::string(part) + "_" + name)});
  return {title, curves, fmt::format("A look every {} epochs.", kInterval)};
}

void train(Run& run, const NodeSettings& s) {
  const NodeGraph g = s.read(s.data);
  const auto classes = static_cast<int64_t>(g.classes.size());
  graphs::GNN model(s.model, g.x.channels(), classes, s.options);
  // The first layer's weights alone, as Kipf and Welling have it; of attention all.
  ParameterList first, others;
  for (const auto& p : model.named_parameters())
    (s.attends() || p.name.find("s.0.") != std::string::npos ? first : others)
        .push_back(p.variable);
  optim::Adam optimizer(first, {.lr = s.lr, .weight_decay = s.weight_decay});
  if (!others.empty()) optimizer.add_param_group(others, {.lr = s.lr});
  const Tensor known = nodes_of(g, g.train_mask), val = nodes_of(g, g.val_mask),
               test = nodes_of(g, g.test_mask), y = take(g.y, known);
  training::Task task =
      training::supervised(model, optimizer, [&](const data::Sample&) -> training::Outcome {
        const Tensor logits = take(model(g.x, g.graph, g.edge_weight), known);
        return {cross_entropy(logits, y),
                {{"accuracy", sum(cast(argmax(logits) == y, kF32))}},
                known.numel()};
      });
  task.evaluate = [&]() -> training::Values {
    model.eval();
    const Score score = judge(model, g, val);
    model.train();
    return {{"val_loss", score.loss}, {"val_accuracy", score.accuracy}};
  };
  training::Trainer trainer(
      task, {.steps = s.epochs, .interval = std::min(kInterval, s.epochs), .note = run.note()});
  trainer.add(training::early_stopping(
      "val_loss", static_cast<int>(std::max<int64_t>(1, s.patience / kInterval)),
      training::Better::kLower, {.restore_best = true}));
  run.say(
      fmt::format("{}: {} nodes, {} edges, {} features, {} classes, {} nodes to train on, {} "
                  "parameters, results in {}",
                  s.data, report::shown(g.graph.num_nodes()), report::shown(g.graph.num_edges()),
                  report::shown(g.x.channels()), classes, known.numel(),
                  report::shown(model.parameter_count()), run.folder()));
  run.fit(trainer, "nodes");
  run.save(model.state_dict(), {{"classes", g.classes},
                                {"channels", std::vector{static_cast<double>(g.x.channels())}}});
  model.eval();
  const Score score = judge(model, g, test);
  run.finish({.title = "Node classification: " + s.data,
              .subtitle = fmt::format("{}, trained by {} on {} of {} nodes", s.model, version(),
                                      known.numel(), report::shown(g.graph.num_nodes())),
              .sections = {curves_of(trainer, "Loss", "loss", false),
                           curves_of(trainer, "Nodes with the right class", "accuracy", true),
                           confusion(g, test, score.guesses)}},
             {{"accuracy", score.accuracy, true},
              {"val_accuracy", judge(model, g, val).accuracy, true},
              {"loss", score.loss},
              {"parameters", model.parameter_count()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const NodeSettings& s)
      : settings_(s),
        classes_(saved.texts("classes")),
        channels_(saved.whole("channels", 1, 1 << 30)),
        model_(s.model, channels_, static_cast<int64_t>(classes_.size()), s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* id = std::get_if<std::string>(&input);
    if (!id) throw ValueError("there is no node");
    const NodeGraph g = read(settings_.data);
    const auto at = std::ranges::find(g.ids, *id);
    if (at == g.ids.end()) throw ValueError(settings_.data + ": there is no node '" + *id + "'");
    const int64_t node = at - g.ids.begin();
    const Tensor p = index(softmax(model_(g.x, g.graph, g.edge_weight)), {node});
    const auto values = p.to_vector<double>();
    const int64_t best = std::ranges::max_element(values) - values.begin();
    report::Table table{{{"class"}, {"probability", true}}, {}};
    for (size_t c = 0; c < values.size(); ++c) table.rows.push_back({classes_[c], values[c]});
    return {{"class", classes_[static_cast<size_t>(best)]},
            {"classes", table},
            {"edges", reasons(g, node, best, values[static_cast<size_t>(best)])}};
  }
  Results score(const Evaluation& what) const override {
    const std::string from = what.data.empty() ? settings_.data : what.data;
    const NodeGraph g = read(from);
    const Score score =
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

const Register<NodeSettings> node_classification({
    .name = "node-classification",
    .task = "node-classification",
    .description = "The classes of a graph's nodes, of which a few are known.",
    .run_name =
        [](const NodeSettings& s) {
          return fmt::format("node-classification-{}-{}",
                             std::filesystem::path(s.data).filename().string(), s.model);
        },
    .references = [](const NodeSettings& s) -> std::vector<Reference> {
      const bool cora = s.data == "cora", known = cora || s.data == "citeseer";
      if (known && s.model == "gcn")
        return {{"accuracy", cora ? 0.815 : 0.703, "Kipf & Welling 2017, 100 runs"}};
      if (known && s.model == "gat")
        return {{"accuracy", cora ? 0.830 : 0.725, "Velickovic et al. 2018, 100 runs"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Use, NodeSettings>,
    .input = "NODE",
    .input_help = "A node's id.",
    .predict_help =
        "Prints the class, the probability of each, and the edges that decided: by how much less\n"
        "probable the class is without each.",
    .evaluate_help = "Prints accuracy and loss of the test nodes, or of those for training.",
});

}  // namespace
}  // namespace glia::recipes
