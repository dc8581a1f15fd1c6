// What is chosen of nodes with classes, how good a model of them is, and one that is used.
#pragma once

#include <memory>
#include <string>

#include "glia/graphs/datasets.h"
#include "glia/graphs/models.h"
#include "glia/recipes/run.h"

namespace glia::recipes {

struct NodeSettings : TrainingSettings {
  std::string data, model;
  graphs::GNNOptions options;
  int64_t epochs = 0, patience = 0;
  double lr = 0, weight_decay = 0;

  bool attends() const { return model == "gat" || model == "gatv2"; }
  void declare(Fields& f) override;
  // With masks, and features if it has none: then each node has its own.
  graphs::NodeGraph read(const std::string& from) const;
};

// The labelled nodes of a mask, and what a model says of them.
Tensor nodes_of(const graphs::NodeGraph& g, const Tensor& mask);
struct NodeScore {
  double loss = 0, accuracy = 0;
  Tensor guesses;
};
NodeScore judge(const graphs::GNN& model, const graphs::NodeGraph& g, const Tensor& nodes);

// Predicts the class of a node by its id, and says which edges decided.
std::unique_ptr<Predictor> node_predictor(const Saved& saved, const NodeSettings& s);

}  // namespace glia::recipes
