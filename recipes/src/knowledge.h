// What the recipe "knowledge-graph" keeps of its graph, and how it is asked.
#pragma once

#include "glia/knowledge/training.h"
#include "glia/recipes/run.h"

namespace glia::recipes {

struct KnowledgeSettings : Settings {
  std::string data, model, training, loss, optimizer;
  knowledge::ModelOptions options;
  knowledge::TrainingOptions how;
  int64_t top = 10;

  void declare(Fields& f) override;
  knowledge::KnowledgeGraph read(const std::string& from) const;
};

Results judged(const knowledge::Model& model, const knowledge::KnowledgeGraph& graph,
               const std::vector<knowledge::Triple>& triples);
// The first triples of the test with the model's answers.
report::Section answers_section(const knowledge::Model& model,
                                const knowledge::KnowledgeGraph& graph);

// A graph's triples as tensors of a model's file; its names are facts. Reading throws IoError for
// numbers that are none, and gives the triples of valid and test as those of test.
void append(StateDict& weights, const knowledge::KnowledgeGraph& graph);
knowledge::KnowledgeGraph graph_of(const Saved& saved);

// Of "(a, b, c)", whose brackets may be missing, the three; of a text with tabs what is between
// them, so that names may hold commas. Throws ValueError unless a or c alone is "?".
std::vector<std::string> question_of(std::string text);

}  // namespace glia::recipes
