// Models that write what they hear: of one word, and of strings of words by CTC, as transducers and
// as hidden Markov models.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/audio/errors.h"
#include "glia/audio/hmm.h"
#include "glia/audio/models.h"
#include "glia/audio/ngram.h"
#include "glia/train.h"
#include "recipes/src/speech_data.h"

namespace glia::recipes {

// How the likeliest text is looked for.
struct SpeechDecoding {
  int64_t beam = 1;  // of CTC; 1: the likeliest class of each frame
  std::optional<audio::NgramModel> language = {};
  double alpha = 0.5, beta = 1;
};

class SpeechModel {
 public:
  virtual ~SpeechModel() = default;
  virtual nn::Module& module() = 0;
  // The loss of a batch of speech_batches().
  virtual training::Outcome outcome(const data::Sample& batch) = 0;
  // The text of each example: features (N, T, F), frames (N).
  virtual std::vector<std::string> texts(const Tensor& features, const Tensor& frames,
                                         const SpeechDecoding& how) const = 0;
  // Of models of single words: the network, whose classes are those of the tokens but the blank.
  virtual const audio::WordNet* word_net() const { return nullptr; }
};

struct SpeechModelOptions {
  std::string kind;  // "cnn", "transducer", "hybrid", or a SpeechEncoder's kind, with CTC
  int64_t features = 40, width = 0, layers = 0, stride = 4;
  double dropout = 0.1;
  int64_t flat_steps = 100;  // of a hybrid: how long its states have equal parts of an utterance
};
std::unique_ptr<SpeechModel> make_speech_model(const SpeechModelOptions& options,
                                               const SpeechTokens& tokens);

struct SpeechVerdict {
  audio::EditCounts words, characters;
  int64_t exact = 0;  // utterances without any error
  std::vector<std::string> references, hypotheses;
};
// Over one pass of a copy of the samples.
SpeechVerdict judge(const SpeechModel& model, data::Samples samples, const SpeechTokens& tokens,
                    const SpeechDecoding& how);

}  // namespace glia::recipes
