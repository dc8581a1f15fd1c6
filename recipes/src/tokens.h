// Texts as numbers for language models, how well one predicts them, and what it writes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "glia/recipes/recipe.h"
#include "glia/text/language_model.h"

namespace glia::recipes {

// The characters of a text, or all bytes.
class Tokens {
 public:
  // Throws IoError for none, or one that comes twice: names come from files. Bytes are written as
  // "0" to "255", and known by being 256.
  explicit Tokens(std::vector<std::string> names);
  static Tokens of(const std::string& text, bool bytes);

  int64_t size() const { return static_cast<int64_t>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  // Throws ValueError for a character that is none of them.
  std::vector<int64_t> encode(const std::string& text) const;
  std::string decode(const std::vector<int64_t>& tokens) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, int64_t> numbers_;
  bool bytes_ = false;
};

// The first nine tenths, and the rest: (K) i64 each. Throws IoError where one is not longer than a
// block.
struct SplitTokens {
  Tensor train, test;
};
SplitTokens split_tokens(const std::vector<int64_t>& tokens, int64_t block,
                         const std::string& name);
// The mean cross-entropy of the next token over all whole blocks, so many at once, without
// gradients.
double loss_of(const text::LanguageModel& model, const Tensor& tokens, int64_t block,
               int64_t at_once = 64);
text::SamplingOptions sampling_of(const Generation& how);
// What follows on the prompt; on none what follows on a line break, or on the first token.
std::string written(const text::LanguageModel& model, const Tokens& tokens,
                    const std::string& prompt, const Generation& how);

}  // namespace glia::recipes
