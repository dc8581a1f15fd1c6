// The classes of a graph's nodes, of which a few are known: citations, friends, the user's own.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/ops/select.h"
#include "glia/optim.h"
#include "glia/runtime.h"
#include "recipes/src/node_predictor.h"

namespace glia::recipes {
namespace {

using graphs::NodeGraph;

constexpr int64_t kInterval = 10;  // epochs between looks at the validation nodes

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
    const NodeScore score = judge(model, g, val);
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
  const NodeScore score = judge(model, g, test);
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
    .load = node_predictor,
    .input = "NODE",
    .input_help = "A node's id.",
    .predict_help =
        "Prints the class, the probability of each, and the edges that decided: by how much less\n"
        "probable the class is without each.",
    .evaluate_help = "Prints accuracy and loss of the test nodes, or of those for training.",
});

}  // namespace
}  // namespace glia::recipes
