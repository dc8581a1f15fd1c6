// The class of a whole graph, such as of a molecule, by a graph isomorphism network.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/graphs/datasets.h"
#include "glia/optim.h"
#include "glia/optim/lr_schedules.h"
#include "glia/runtime.h"
#include "recipes/src/graph_predictor.h"

namespace glia::recipes {
namespace {

constexpr int64_t kTestBatch = 256;

data::Samples numbers(const std::vector<int64_t>& which) {
  return data::Samples(
      data::in_memory(data::Sample{from_vector(which, {static_cast<int64_t>(which.size())})}));
}

// A model, what trains it, and its graphs, of which that tenth is for the test.
struct Training {
  const std::vector<graphs::Data>& all;
  graphs::GINClassifier model;
  optim::Adam optimizer;
  std::vector<int64_t> seen, unseen;
  data::Samples training, test;
  training::Trainer trainer;

  Training(const std::vector<graphs::Data>& all, const std::vector<std::vector<int64_t>>& folds,
           size_t fold, int64_t classes, const GraphSettings& s, const std::string& note)
      : all(all),
        model(all[0].x.channels(), classes, s.options),
        optimizer(model.parameters(), {.lr = s.lr}),
        seen(rest(folds, fold)),
        unseen(folds[fold]),
        training(numbers(seen).shuffle(static_cast<uint64_t>(s.seed)).batch(s.batch, true)),
        test(numbers(unseen).batch(kTestBatch)),
        trainer(training::supervised(model, optimizer,
                                     [this](const data::Sample& b) { return outcome(b[0]); }),
                {.steps = s.epochs * s.steps, .interval = s.steps, .note = note}) {
    optimizer.set_schedule(optim::step_lr(s.lr, 50 * s.steps, 0.5));
  }
  training::Outcome outcome(const Tensor& which) const {
    const graphs::Batch b = graphs::collate(all, which.data<int64_t>(), {.pad = true});
    const Tensor logits = model(b.x.sources(), b.graph, b.membership, b.node_mask);
    return {cross_entropy(logits, b.y), {{"accuracy", sum(cast(argmax(logits) == b.y, kF32))}}};
  }
  std::vector<double> accuracies() const { return over_epochs(trainer, "test_accuracy"); }

 private:
  static std::vector<int64_t> rest(const std::vector<std::vector<int64_t>>& folds, size_t fold) {
    std::vector<int64_t> out;
    for (size_t i = 0; i < folds.size(); ++i)
      if (i != fold) out.insert(out.end(), folds[i].begin(), folds[i].end());
    return out;
  }
};

// By Xu et al. 2019: the epoch whose mean over the folds is greatest.
struct Chosen {
  std::vector<double> means, deviations;
  size_t epoch = 0;
};
Chosen chosen(const std::vector<std::vector<double>>& folds) {
  Chosen out;
  const auto count = static_cast<double>(folds.size());
  for (size_t e = 0; e < folds[0].size(); ++e) {
    double mean = 0, square = 0;
    for (const auto& fold : folds) mean += fold[e] / count;
    for (const auto& fold : folds) square += (fold[e] - mean) * (fold[e] - mean) / count;
    out.means.push_back(mean);
    out.deviations.push_back(std::sqrt(square));
  }
  out.epoch = static_cast<size_t>(std::ranges::max_element(out.means) - out.means.begin());
  return out;
}

void train(Run& run, const GraphSettings& s) {
  const auto all = s.read(s.data);
  const auto labels = labels_of(all);
  const int64_t classes = std::ranges::max(labels) + 1;
  const auto folds =
      graphs::stratified_folds(labels, GraphSettings::kFolds, static_cast<uint64_t>(s.seed));
  Training first(all, folds, 0, classes, s, run.note());
  if (first.training.size() < 1)
    throw Error(s.data + ": a step has more graphs than there are to train on: --batch");
  run.say(fmt::format("{}: {} graphs of {} classes, {} features, {} parameters, results in {}",
                      s.data, all.size(), classes, all[0].x.channels(),
                      report::shown(first.model.parameter_count()), run.folder()));
  run.fit(first.trainer, first.training, &first.test, "graphs");
  run.save(first.model.state_dict(),
           {{"sizes",
             std::vector{static_cast<double>(all[0].x.channels()), static_cast<double>(classes)}}});
  std::vector<std::vector<double>> accuracies{first.accuracies()};
  for (int64_t fold = 1; fold < s.folds && !run.interrupted(); ++fold) {
    Training other(all, folds, static_cast<size_t>(fold), classes, s, "");
    other.trainer.fit(other.training, &other.test);
    accuracies.push_back(other.accuracies());
    run.say(fmt::format("fold {}: accuracy {:.2f} % in the last epoch", fold + 1,
                        100 * accuracies.back().back()));
  }
  const Chosen best = chosen(accuracies);
  double last = 0;
  for (const auto& fold : accuracies) last += fold.back() / static_cast<double>(accuracies.size());
  run.finish(
      {.title = "Graph classification: " + s.data,
       .subtitle = fmt::format("{}, trained by {} on {} graphs, {} of ten folds", s.model,
                               version(), first.seen.size(), accuracies.size()),
       .sections =
           {curves(first.trainer, "Loss of the first fold", "loss"),
            {"Graphs with the right class",
             report::Curves{.series = {{.name = "mean of the folds",
                                        .y = best.means,
                                        .deviation = best.deviations}},
                            .x = {"epoch"},
                            .y = {.name = "accuracy", .percent = true}},
             "The epoch is chosen by this mean, as Xu et al. do: on the graphs of the test."}}},
      {{"accuracy", best.means[best.epoch], true},
       {"deviation", best.deviations[best.epoch], true},
       {"best_epoch", static_cast<int64_t>(best.epoch) + 1},
       {"last_accuracy", last, true},
       {"folds", static_cast<int64_t>(accuracies.size())},
       {"parameters", first.model.parameter_count()}});
}

const Register<GraphSettings> graph_classification({
    .name = "graph-classification",
    .task = "graph-classification",
    .description = "The class of a whole graph: molecules, proteins, networks of people.",
    .run_name =
        [](const GraphSettings& s) {
          return fmt::format("graph-classification-{}-{}",
                             std::filesystem::path(s.data).stem().string(), s.model);
        },
    .references = [](const GraphSettings& s) -> std::vector<Reference> {
      if (s.model != "gin" || s.folds != GraphSettings::kFolds) return {};
      if (s.data == "mutag")
        return {{"accuracy", 0.894, "GIN-0, ten folds, deviation 5.6 % (Xu et al. 2019)"}};
      if (s.data == "proteins")
        return {{"accuracy", 0.762, "GIN-0, ten folds, deviation 2.8 % (Xu et al. 2019)"}};
      return {};
    },
    .train = train,
    .load = graph_predictor,
    .input = "GRAPH",
    .input_help = "The number of a graph of the data, or a folder with one in TU Dortmund's form.",
    .predict_help = "Prints the class, and the probability of each.",
    .evaluate_help = "Prints the accuracy on the first fold, on the others, or on other data.",
});

}  // namespace
}  // namespace glia::recipes
