// What is chosen of graphs with classes, and a trained classifier of them that is used.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/graphs/models.h"
#include "glia/recipes/run.h"

namespace glia::recipes {

struct GraphSettings : TrainingSettings {
  static constexpr int64_t kFolds = 10;

  std::string data, model, readout;
  graphs::GINClassifierOptions options;
  int64_t epochs = 0, steps = 0, batch = 0, folds = 0;
  double lr = 0;

  void declare(Fields& f) override;
  std::vector<graphs::Data> read(const std::string& from) const;
};

// The class of each graph.
std::vector<int64_t> labels_of(const std::vector<graphs::Data>& all);

// Predicts the class of a graph: one of the data by its number, from 0, or the only one of a file.
std::unique_ptr<Predictor> graph_predictor(const Saved& saved, const GraphSettings& s);

}  // namespace glia::recipes
