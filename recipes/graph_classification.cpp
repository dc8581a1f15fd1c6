// The class of a whole graph, such as of a molecule, by a graph isomorphism network.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/graphs/datasets.h"
#include "glia/graphs/models.h"
#include "glia/optim.h"
#include "glia/optim/lr_schedules.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"

namespace glia::recipes {
namespace {

constexpr int64_t kFolds = 10, kTestBatch = 256;

struct GraphSettings : TrainingSettings {
  std::string data, model, readout;
  graphs::GINClassifierOptions options;
  int64_t epochs = 0, steps = 0, batch = 0, folds = 0;
  double lr = 0;

  void declare(Fields& f) override {
    Choices sets{.names = graphs::tu_names(), .other = "FOLDER"};
    f(data, "data", "mutag", "A data set, or a folder or tar file in TU Dortmund's form.", sets);
    f(model, "model", "gin",
      "What nodes take of their neighbours: sums, or means or largest values.",
      {{"gin", "mean", "max"}});
    f(readout, "readout",
      data == "mutag" || data == "proteins" || data == "nci109" ? "sum" : "mean",
      "What graphs take of their nodes.", {{"sum", "mean"}});
    auto& o = options;
    f(o.hidden_channels, "hidden", 32, "Features behind each layer.", {1, 65536});
    f(o.num_layers, "layers", 5, "Layers, the input counted.", {1, 100});
    f(o.dropout, "dropout", 0.5, "Share of the scores that a step leaves out.", {0, 0.95});
    f(epochs, "epochs", 350, "Of so many steps each.", {1, 1e6});
    f(steps, "steps", 50, "Steps in an epoch.", {1, 1e6});
    f(batch, "batch", 32, "Graphs in each step.", {1, 100000});
    f(folds, "folds", kFolds,
      "Tenths of the graphs that are tested on, each by a training of its own.", {1, kFolds});
    f(lr, "lr", 0.01, "Learning rate (Adam), halved every 50 epochs.", {0, 100});
    TrainingSettings::declare(f);
    o.neighbors = model == "mean"  ? graphs::Aggregation::kMean
                  : model == "max" ? graphs::Aggregation::kMax
                                   : graphs::Aggregation::kSum;
    o.readout = graphs::aggregation_named(readout.empty() ? "sum" : readout);
  }
  std::vector<graphs::Data> read(const std::string& from) const {
    const auto names = graphs::tu_names();
    auto all = std::ranges::find(names, from) != names.end() ? graphs::tu_dataset(from)
                                                             : graphs::read_tu(from);
    if (std::ranges::any_of(all, [](const graphs::Data& g) { return !g.x.defined(); }))
      all = graphs::one_hot_degrees(std::move(all));
    return all;
  }
};

std::vector<int64_t> labels_of(const std::vector<graphs::Data>& all) {
  std::vector<int64_t> out;
  for (const graphs::Data& g : all) out.push_back(g.y.item<int64_t>());
  return out;
}

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
  const auto folds = graphs::stratified_folds(labels, kFolds, static_cast<uint64_t>(s.seed));
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

class Use : public Predictor {
 public:
  Use(const Saved& saved, const GraphSettings& s)
      : settings_(s), model_(size_of(saved, 0), size_of(saved, 1), s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

 protected:
  // A graph of the data by its number, from 0, or the only one of a file.
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    if (!text) throw ValueError("there is no graph");
    const bool number = !text->empty() &&
                        std::ranges::all_of(*text, [](char c) { return c >= '0' && c <= '9'; }) &&
                        text->size() < 10;
    const auto all = read(number ? settings_.data : *text);
    const int64_t at = number ? std::stol(*text) : 0;
    if (at >= static_cast<int64_t>(all.size()))
      throw ValueError(settings_.data + ": there is no graph " + *text + " among " +
                       std::to_string(all.size()));
    const Tensor p = index(softmax(logits(all, {at})), {0});
    const auto values = p.to_vector<double>();
    report::Table table{{{"class"}, {"probability", true}}, {}};
    for (size_t c = 0; c < values.size(); ++c)
      table.rows.push_back({static_cast<int64_t>(c), values[c]});
    return {{"class", argmax(p).item<int64_t>()}, {"classes", table}};
  }
  Results score(const Evaluation& what) const override {
    const bool other = !what.data.empty() && what.data != settings_.data;
    const auto all = read(other ? what.data : settings_.data);
    const auto labels = labels_of(all);
    std::vector<int64_t> which;
    const auto folds =
        graphs::stratified_folds(labels, kFolds, static_cast<uint64_t>(settings_.seed));
    for (size_t i = 0; i < folds.size(); ++i)
      if (other || (i == 0) == (what.split != "train"))
        which.insert(which.end(), folds[i].begin(), folds[i].end());
    if (what.count > 0 && what.count < static_cast<int64_t>(which.size()))
      which.resize(static_cast<size_t>(what.count));
    const auto guesses = argmax(logits(all, which)).to_vector<int64_t>();
    double right = 0;
    for (size_t i = 0; i < which.size(); ++i)
      right += guesses[i] == labels[static_cast<size_t>(which[i])];
    return {{"accuracy", right / static_cast<double>(which.size()), true},
            {"graphs", static_cast<int64_t>(which.size())}};
  }

 private:
  static int64_t size_of(const Saved& saved, size_t i) {
    const auto& sizes = saved.numbers("sizes");
    if (sizes.size() != 2 || !(sizes[i] >= 1 && sizes[i] <= 1 << 20))
      throw IoError(saved.path + ": has no sizes of its model");
    return static_cast<int64_t>(sizes[i]);
  }
  std::vector<graphs::Data> read(const std::string& from) const {
    auto all = settings_.read(from);
    const int64_t wanted = model_.linears_prediction[0].weight.shape()[1];
    if (all.empty() || all[0].x.channels() != wanted)
      throw IoError(from + ": its nodes have not the " + std::to_string(wanted) +
                    " features of the model");
    return all;
  }
  Tensor logits(const std::vector<graphs::Data>& all, const std::vector<int64_t>& which) const {
    const graphs::Batch b = graphs::collate(all, which);
    return model_(b.x.sources(), b.graph, b.membership);
  }

  const GraphSettings settings_;
  graphs::GINClassifier model_;
};

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
      if (s.model != "gin" || s.folds != kFolds) return {};
      if (s.data == "mutag")
        return {{"accuracy", 0.894, "GIN-0, ten folds, deviation 5.6 % (Xu et al. 2019)"}};
      if (s.data == "proteins")
        return {{"accuracy", 0.762, "GIN-0, ten folds, deviation 2.8 % (Xu et al. 2019)"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Use, GraphSettings>,
    .input = "GRAPH",
    .input_help = "The number of a graph of the data, or a folder with one in TU Dortmund's form.",
    .predict_help = "Prints the class, and the probability of each.",
    .evaluate_help = "Prints the accuracy on the first fold, on the others, or on other data.",
});

}  // namespace
}  // namespace glia::recipes
