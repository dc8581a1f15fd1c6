// What is chosen of texts with classes, and a trained classifier of them that is used.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "glia/recipes/run.h"
#include "glia/text/classifier.h"

namespace glia::recipes {

struct TextSettings : TrainingSettings {
  std::string data, text_column, label_column, vectors;
  text::ClassifierOptions options;
  int64_t epochs = 0, batch = 0, folds = 0, min_frequency = 0;
  double lr = 0;

  void declare(Fields& f) override;
  // Training and test, where that tenth is for the test.
  std::pair<text::LabelledTexts, text::LabelledTexts> split(const text::LabelledTexts& all,
                                                            int64_t fold) const;
};

// Predicts the class of a text, and says which words decided; scores accuracy and F1.
std::unique_ptr<Predictor> text_predictor(const Saved& saved, const TextSettings& s);

}  // namespace glia::recipes
