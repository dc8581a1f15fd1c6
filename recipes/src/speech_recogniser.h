// The settings of the recipe of speech, and what a trained model of it does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/recipes/run.h"
#include "recipes/src/speech_models.h"

namespace glia::recipes {

struct SpeechSettings : TrainingSettings {
  SpeechSource source;
  SpeechModelOptions model;
  SpeechDecoding decoding;
  std::string tokens, lm;
  bool strings = false;
  int64_t epochs = 0, batch = 0, count = 0, test_count = 0, lm_order = 0;
  double lr = 0, window = 0, speed = 0;

  void declare(Fields& f) override;
  SpeechForm form(int64_t rate) const;
  // In their order, without changes; strings are the same ones each time.
  data::Samples test(const std::vector<audio::Utterance>& all, const SpeechForm& form,
                     const SpeechTokens& known) const;
};

// What was said and heard, the worst first.
report::Table table_of(const SpeechVerdict& v);
// Errors by words and characters, and the share without any, which comes first for `words`.
Results results_of(const SpeechVerdict& v, bool words);

// Predicts the text of a sound file, scores errors, and listens (glia/recipes/listen.h).
std::unique_ptr<Predictor> make_speech_predictor(const Saved& saved, const SpeechSettings& s);

}  // namespace glia::recipes
