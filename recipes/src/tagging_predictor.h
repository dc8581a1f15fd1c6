// What is chosen of words with tags, how good a tagger is, and one in use.
#pragma once

#include <memory>
#include <string>

#include "glia/recipes/run.h"
#include "glia/text/tagger.h"

namespace glia::recipes {

struct TaggingSettings : TrainingSettings {
  std::string data;
  text::TaggerOptions options;
  int64_t epochs = 0, batch = 0;
  double lr = 0, test_share = 0;

  void declare(Fields& f) override;
  text::TaggedSentences read(data::Split split) const;
};

// Scores of each tag, and of all.
report::Table table_of(const text::TagScore& score);
Results results_of(const text::TagScore& score);

std::unique_ptr<Predictor> tagging_predictor(const Saved& saved, const TaggingSettings& s);

}  // namespace glia::recipes
