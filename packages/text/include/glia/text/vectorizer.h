// Texts as sparse rows of numbers, one for each word: how often it is there, or how much that
// tells. scikit-learn's names, defaults and numbers.
//
//   text::TfidfVectorizer words;
//   classic::LogisticRegression model;
//   model.fit(words.fit_transform(texts), labels);
//   model.predict(words.transform({"a text"}));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "glia/sparse.h"

namespace glia::text {

struct CountVectorizerOptions {
  bool lowercase = true;
  int64_t min_n = 1, max_n = 1;         // words that stand together: ngram_range
  std::vector<std::string> stop_words;  // that are left out first
  // In at least, and at most, how many texts a word is: a count or, of min_df below 1 and of max_df
  // up to 1, a share.
  double min_df = 1, max_df = 1.0;
  std::optional<int64_t> max_features{};  // the most frequent ones of all texts
  bool binary = false;                    // whether it is there, not how often
};

// Counts of words: letters, digits and "_", two or more together, in UTF-8.
class CountVectorizer {
 public:
  // Throws ValueError for options out of range.
  explicit CountVectorizer(const CountVectorizerOptions& options = {},
                           Where where = Where::current());

  // Which words there are. Throws ValueError where none is left.
  CountVectorizer& fit(const std::vector<std::string>& texts, Where where = Where::current());
  // f64 (texts, words); words that fit() did not see count nothing. Throws Error before fit().
  Csr transform(const std::vector<std::string>& texts, Where where = Where::current()) const;
  Csr fit_transform(const std::vector<std::string>& texts, Where where = Where::current());

  const std::vector<std::string>& vocabulary() const { return vocabulary_; }  // sorted
  const CountVectorizerOptions& options() const { return options_; }

 protected:
  std::vector<std::string> vocabulary_;

 private:
  std::vector<std::string> terms(const std::string& text) const;

  CountVectorizerOptions options_;
  std::unordered_map<std::string, int32_t> place_;
};

enum class TextNorm { kNone, kL1, kL2 };
struct TfidfVectorizerOptions : CountVectorizerOptions {
  TextNorm norm = TextNorm::kL2;  // that each row has
  bool use_idf = true;
  bool smooth_idf = true;     // as if one more text had every word
  bool sublinear_tf = false;  // 1 + log(count)
};
// Counts times log(texts / texts that have the word) + 1 (Sparck Jones 1972), rows scaled to 1.
class TfidfVectorizer : public CountVectorizer {
 public:
  explicit TfidfVectorizer(const TfidfVectorizerOptions& options = {},
                           Where where = Where::current());

  TfidfVectorizer& fit(const std::vector<std::string>& texts, Where where = Where::current());
  Csr transform(const std::vector<std::string>& texts, Where where = Where::current()) const;
  Csr fit_transform(const std::vector<std::string>& texts, Where where = Where::current());

  const std::vector<double>& idf() const { return idf_; }  // of each word; empty without use_idf

 private:
  void weigh(const Csr& counts);
  Csr weighed(const Csr& counts) const;

  TfidfVectorizerOptions options_;
  std::vector<double> idf_;
};

}  // namespace glia::text
