// Classes of texts by their words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/nn.h"
#include "glia/text/labelled.h"
#include "glia/text/tokenizer.h"
#include "glia/text/word_vectors.h"
#include "glia/train.h"

namespace glia::text {

struct ClassifierOptions {
  // "bag": the mean of weights of words; "fasttext": of vectors of words and pairs of them (Joulin
  // et al. 2017); "cnn": the largest of filters over windows of words (Kim 2014); "lstm": in both
  // directions, with attention (Yang et al. 2016); "transformer": an encoder (Vaswani et al. 2017).
  std::string model = "cnn";
  int64_t features = 300;  // of each word
  std::vector<int64_t> windows = {3, 4, 5};
  int64_t filters = 100;          // of each window
  int64_t hidden = 128;           // of the LSTM in each direction
  int64_t layers = 2, heads = 4;  // of the Transformer
  double dropout = 0.5;
  int64_t buckets = 1 << 17;  // rows for pairs of words, which share them by hash ("fasttext")
  int64_t longest = 512;      // words of a text that are looked at
};

class TextClassifier : public nn::Module {
 public:
  // The tokeniser's first two tokens are what is unknown and what fills up, as words_for() makes
  // it.
  TextClassifier(const Tokenizer& tokenizer, std::vector<std::string> classes,
                 const ClassifierOptions& options = {});
  // Words in lower case that come at least so often, and marks.
  static Tokenizer words_for(const std::vector<std::string>& texts, int64_t min_frequency = 1);

  // Batches of texts of about the same length: "tokens" (N, L), "lengths" (N) and "labels" (N),
  // i64, of "fasttext" also "pairs" (N, L). In another order each epoch by the seed, or as they
  // come.
  data::Samples batches(const LabelledTexts& texts, int64_t size,
                        std::optional<uint64_t> seed = {}) const;
  // Logits (N, C).
  Tensor operator()(const data::Sample& batch) const;
  training::Outcome outcome(const data::Sample& batch) const;
  // Takes vectors of known words; says of how many.
  int64_t set_vectors(const WordVectors& vectors);
  // Probabilities f32 (N, C), in the texts' order.
  Tensor probabilities(const std::vector<std::string>& texts) const;
  // Of each part of a text, how much less probable the class is without it; parts joined are the
  // text.
  struct Part {
    std::string text;
    double weight = 0;
  };
  std::vector<Part> explained(const std::string& text, int64_t label) const;

  const Tokenizer tokenizer;
  const std::vector<std::string> classes;
  const ClassifierOptions options;
  nn::Embedding embedding;
  std::optional<nn::Embedding> pairs;
  std::vector<nn::Conv1d> convolutions;
  std::optional<nn::LSTM> lstm;
  std::optional<nn::Linear> attention, score;
  std::optional<nn::LearnedPositions> positions;
  std::optional<nn::TransformerEncoder> encoder;
  std::optional<nn::Linear> out;
  GLIA_FIELDS(embedding, pairs, convolutions, lstm, attention, score, positions, encoder, out)

 private:
  data::Sample sample(const std::vector<int64_t>& ids) const;
  Tensor pooled(const data::Sample& batch) const;
};

// Accuracy, and F1: of two classes that of the rarer one, of more their mean.
struct ClassScore {
  double accuracy = 0, f1 = 0;
  int64_t count = 0;
  std::vector<int64_t> guesses;
};
ClassScore judge(const TextClassifier& model, const LabelledTexts& texts);

}  // namespace glia::text
