#include "recipes/src/graph_predictor.h"

#include <algorithm>

#include "glia/glia.h"
#include "glia/graphs/datasets.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

class GraphPredictor : public Predictor {
 public:
  GraphPredictor(const Saved& saved, const GraphSettings& s)
      : settings_(s), model_(size_of(saved, 0), size_of(saved, 1), s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

 protected:
  // A graph of the data by its number, from 0, or the only one of a file.
  Results answer(const Input& input) const override {
    const std::string& text = text_of(input, "there is no graph");
    const bool number = !text.empty() &&
                        std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
                        text.size() < 10;
    const auto all = read(number ? settings_.data : text);
    const int64_t at = number ? std::stol(text) : 0;
    if (at >= static_cast<int64_t>(all.size()))
      throw ValueError(settings_.data + ": there is no graph " + text + " among " +
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
    const auto folds = graphs::stratified_folds(labels, GraphSettings::kFolds,
                                                static_cast<uint64_t>(settings_.seed));
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

}  // namespace

void GraphSettings::declare(Fields& f) {
  Choices sets{.names = graphs::tu_names(), .other = "FOLDER"};
  f(data, "data", "mutag", "A data set, or a folder or tar file in TU Dortmund's form.", sets);
  f(model, "model", "gin", "What nodes take of their neighbours: sums, or means or largest values.",
    {{"gin", "mean", "max"}});
  f(readout, "readout", data == "mutag" || data == "proteins" || data == "nci109" ? "sum" : "mean",
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

std::vector<graphs::Data> GraphSettings::read(const std::string& from) const {
  const auto names = graphs::tu_names();
  auto all = std::ranges::find(names, from) != names.end() ? graphs::tu_dataset(from)
                                                           : graphs::read_tu(from);
  if (std::ranges::any_of(all, [](const graphs::Data& g) { return !g.x.defined(); }))
    all = graphs::one_hot_degrees(std::move(all));
  return all;
}

std::vector<int64_t> labels_of(const std::vector<graphs::Data>& all) {
  std::vector<int64_t> out;
  for (const graphs::Data& g : all) out.push_back(g.y.item<int64_t>());
  return out;
}

std::unique_ptr<Predictor> graph_predictor(const Saved& saved, const GraphSettings& s) {
  return std::make_unique<GraphPredictor>(saved, s);
}

}  // namespace glia::recipes
