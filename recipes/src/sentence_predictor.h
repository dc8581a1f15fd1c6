// Sentences by a few numbers each: what is chosen, how they are told apart, and a model in use.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/generative/sequence_vae.h"
#include "glia/recipes/run.h"
#include "glia/text/vocabulary.h"

namespace glia::recipes {

using Sentences = std::vector<std::vector<std::string>>;  // their words

struct SentenceSettings : TrainingSettings {
  std::string data;
  int64_t most_words = 0, longest = 0, steps = 0, batch = 0, anneal = 0;
  double lr = 0, test_share = 0;
  generative::SentenceVaeOptions options;

  void declare(Fields& f) override;
  Sentences read() const;
};

// Words by number, with padding up to the longest.
struct SentenceNumbers {
  Tensor words, lengths;  // i64 (N, T), (N)
};
SentenceNumbers padded(const Sentences& sentences, const text::Vocabulary& known, int64_t longest);
// Sentences that z (N, latent) stand for, a line each.
std::string lines_of(const generative::SentenceVae& net, const Tensor& z,
                     const text::Vocabulary& known, int64_t longest);
// The bound, by all sentences.
training::Values measured(const generative::SentenceVae& net, const SentenceNumbers& all);

// Says a sentence again by its numbers, and writes others.
std::unique_ptr<Predictor> sentence_predictor(const Saved& saved, const SentenceSettings& s);

}  // namespace glia::recipes
