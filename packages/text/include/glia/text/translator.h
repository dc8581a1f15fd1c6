// Texts into texts, character by character: a Seq2Seq with the vocabularies of both sides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/text/pairs.h"
#include "glia/text/seq2seq.h"
#include "glia/text/vocabulary.h"
#include "glia/train.h"

namespace glia::text {

class Translator {
 public:
  // Writes at most `longest` tokens, the end among them.
  Translator(Vocabulary source, Vocabulary target, int64_t longest,
             const Seq2SeqOptions& options = {});
  // For the characters of these pairs, and targets as long as theirs.
  Translator(const Pairs& pairs, const Seq2SeqOptions& options = {});

  // Batches of pairs of about the same length, each filled up: "text" and "want" as they are,
  // "source" (N, L) with "lengths" (N), and of the target "before" and "after" (N, T): what is
  // known when each token is to be said, and the token.
  data::Samples batches(const Pairs& pairs, int64_t size, uint64_t seed = 0) const;
  // The mean cross-entropy of the next token, and of how many tokens it is right ("characters").
  training::Outcome outcome(const data::Sample& batch) const;

  // The likeliest translations of a text, best first: see beam().
  std::vector<Translation> translate(const std::string& text, int64_t width) const;

  const Vocabulary source, target;
  const int64_t longest;
  Seq2Seq model;
};

// A translation by greedy(), beside what is wanted.
struct Judged {
  std::string source, translation, wanted;
  double log_probability = 0;
};
// In an order of their lengths. The model should be in evaluation mode.
std::vector<Judged> judge(const Translator& translator, const Pairs& pairs);
// The share of those that are exactly what is wanted.
double exact(const std::vector<Judged>& all);

}  // namespace glia::text
