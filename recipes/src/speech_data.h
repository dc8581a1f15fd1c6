// Utterances for recipes: where they come from, how they are joined and changed, and batches of
// features.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/audio/models.h"
#include "glia/audio/sets.h"
#include "glia/data.h"

namespace glia::recipes {

struct SpeechSource {
  std::string data;      // a set of the catalogue, or a manifest
  std::string held_out;  // a speaker that is the test alone; empty: the set's own test
  double test_share = 0.1;
};
struct SpeechSets {
  std::vector<audio::Utterance> train, test;
  int64_t sample_rate = 0;
};
// Throws IoError where nothing is left for either.
SpeechSets read_speech(const SpeechSource& source);

// What a model writes: whole texts, words or characters; class 0 is the blank.
struct SpeechTokens {
  std::vector<std::string> names;  // by class
  std::string unit;                // "texts", "words" or "characters"

  // Of all that the texts have.
  static SpeechTokens of(const std::vector<audio::Utterance>& all, const std::string& unit);
  int64_t size() const { return static_cast<int64_t>(names.size()); }
  // Throws ValueError for what is none of them.
  std::vector<int64_t> encode(const std::string& text) const;
  std::string decode(const std::vector<int64_t>& classes) const;
};

struct SpeechForm {
  audio::FrontEnd front_end;
  double window = 0;   // seconds that each utterance is cut or filled up to; 0: as long as it is
  bool joins = false;  // utterances of one speaker into strings
};

struct SpeechBatchOptions {
  int64_t batch = 32, strings = 0;  // of strings: how many are drawn
  bool changes = false;             // speed, place, noise and what is masked, by chance
  double speed = 0.15;              // as much faster or slower at most
  uint64_t seed = 0;
};
// Samples "features" (N, T, F), "frames" (N), "labels" (N, U), "label_counts" (N). In their order,
// or shuffled if they are changed.
data::Samples speech_batches(const std::vector<audio::Utterance>& all, const SpeechForm& form,
                             const SpeechTokens& tokens, const SpeechBatchOptions& options);
// Features (1, T, F) of one waveform, as the batches have them.
Tensor features_of(const Tensor& samples, const SpeechForm& form);

}  // namespace glia::recipes
