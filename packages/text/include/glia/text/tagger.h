// Tags of words: a BiLSTM over words and their characters, and a CRF over the tags (Huang, Xu, Yu
// 2015; characters by convolution as Ma, Hovy 2016).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/nn.h"
#include "glia/text/crf.h"
#include "glia/text/tagged.h"
#include "glia/text/vocabulary.h"
#include "glia/train.h"

namespace glia::text {

struct TaggerOptions {
  int64_t word_features = 100, character_features = 30;
  int64_t filters = 50, kernel = 3;  // of the convolution over characters
  int64_t hidden = 128;              // of the BiLSTM, in each direction
  double dropout = 0.5;
  double word_dropout = 0.05;  // the share of words that a step does not know
  int64_t min_frequency = 2;   // of words that are known by themselves, in lower case
  bool crf = true;             // else each tag for itself
};

class Tagger : public nn::Module {
 public:
  // For known words in lower case, characters and tags.
  Tagger(Vocabulary words, Vocabulary characters, std::vector<std::string> tags,
         const TaggerOptions& options = {});
  // For those of these sentences.
  Tagger(const TaggedSentences& sentences, const TaggerOptions& options = {});

  // Batches of sentences of about the same length: "words" and "tags" (N, T), "spellings" (N, T, C)
  // and "lengths" (N), i64; without tags, where there are none, and a tag that is not known is -1.
  // With a seed in another order each epoch, else as they come.
  data::Samples batches(const TaggedSentences& sentences, int64_t size,
                        std::optional<uint64_t> seed = {}) const;
  // Scores (N, T, K) of each tag.
  Tensor operator()(const data::Sample& batch) const;
  // The mean of -log p(tags) for each word, and how many of the words' tags are right.
  training::Outcome outcome(const data::Sample& batch) const;
  // The likeliest tags of each sentence.
  std::vector<std::vector<std::string>> tag(
      const std::vector<std::vector<std::string>>& sentences) const;

  const Vocabulary words, characters;
  const std::vector<std::string> tags;
  const TaggerOptions options;
  nn::Embedding word_embedding, character_embedding;
  nn::Conv1d convolution;
  nn::LSTM lstm;
  nn::Linear out;
  Crf crf;
  GLIA_FIELDS(word_embedding, character_embedding, convolution, lstm, out, crf)

 private:
  std::vector<std::vector<int64_t>> decoded(const Tensor& scores, const Tensor& lengths) const;
};

// The share of words whose tag is right, and of each tag what is found of it and how much of what
// is found is it.
struct TagScore {
  double accuracy = 0;
  int64_t words = 0;
  double unknown_accuracy = 0;  // of words that training did not have
  int64_t unknown = 0;
  struct One {
    std::string tag;
    double precision = 0, recall = 0, f1 = 0;
    int64_t count = 0;
  };
  std::vector<One> tags;  // by name
};
TagScore judge(const Tagger& tagger, const TaggedSentences& sentences);

}  // namespace glia::text
