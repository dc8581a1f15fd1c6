// Language models of n-grams with back-off: ARPA files, and their estimate by Kneser and Ney.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace glia::audio {

struct KneserNeyOptions {
  int64_t order = 3;
  // Taken from each count, for n-grams seen once, twice, and three times or more. Empty: estimated
  // for each order from the counts of counts, as Chen & Goodman 1999 do (modified Kneser-Ney);
  // where these are too few, 0.75.
  std::vector<double> discounts = {};
};

// The probability of a word behind those before it. <s> begins each sentence, </s> ends it, and
// <unk> stands for any word that the model does not know.
class NgramModel {
 public:
  static constexpr const char* kStart = "<s>";
  static constexpr const char* kEnd = "</s>";
  static constexpr const char* kUnknown = "<unk>";

  NgramModel() = default;
  // Of sentences of words: interpolated Kneser-Ney (Kneser & Ney 1995; Chen & Goodman 1999). Every
  // order is interpolated with the one below, the lowest with all words and <unk> evenly. Throws
  // ValueError for an order that is not from 1 to 10, discounts out of range, and no sentences.
  static NgramModel estimate(const std::vector<std::vector<std::string>>& sentences,
                             const KneserNeyOptions& options = {});
  // Throws IoError, "FILE: line N: fault".
  static NgramModel read_arpa(const std::string& path);
  void write_arpa(const std::string& path) const;
  // The same of a file's text; `name` is what errors call it.
  static NgramModel from_arpa(const std::string& text, const std::string& name = "ARPA");
  std::string to_arpa() const;

  int64_t order() const { return static_cast<int64_t>(grams_.size()); }
  // How many n-grams of that many words it holds.
  int64_t count(int64_t n) const;
  bool knows(const std::string& word) const { return words_.contains(word); }
  std::vector<std::string> vocabulary() const;

  // Base-10 logarithms, as in ARPA files. Of a context only the last words count.
  double score(const std::vector<std::string>& context, const std::string& word) const;
  // Of a sentence with its end, and, if asked, its beginning.
  double score_sentence(const std::vector<std::string>& words, bool begins = true,
                        bool ends = true) const;
  // 10^(-score / how many words and ends there are), over all sentences.
  double perplexity(const std::vector<std::vector<std::string>>& sentences) const;

 private:
  struct Gram {
    double score = 0, back_off = 0;
  };
  using Key = std::vector<int32_t>;
  int32_t number_of(const std::string& word) const;
  double score_of(const Key& context, int32_t word) const;

  std::map<std::string, int32_t> words_;
  std::vector<std::string> names_;          // by number
  std::vector<std::map<Key, Gram>> grams_;  // by length less 1
};

}  // namespace glia::audio
