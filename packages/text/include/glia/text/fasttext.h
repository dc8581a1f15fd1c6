// Files of fastText (Bojanowski et al. 2017; Joulin et al. 2017): vectors of words and of their
// parts, and classifiers of texts, also quantised ones (.ftz), such as lid.176.ftz, which tells 176
// languages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "glia/text/word_vectors.h"

namespace glia::text {

struct Labelled {
  std::string label;       // without "__label__"
  double probability = 0;  // of hierarchical softmax: the product of its branches
};

class FastText {
 public:
  FastText() = default;
  // A model of version 11 or 12, plain or gzipped. Throws IoError.
  static FastText load(const std::string& path);

  bool is_classifier() const;
  int64_t dimension() const;
  const std::vector<std::string>& words() const;
  const std::vector<std::string>& labels() const;
  // Of any word, by its parts if it is not known (D).
  Tensor vector(const std::string& word) const;
  // The likeliest labels of a text, of which line breaks are blanks. Throws Error if the model is
  // no classifier.
  std::vector<Labelled> predict(const std::string& text, int64_t count = 1) const;
  // Of the words that the model knows.
  WordVectors word_vectors() const;

 private:
  struct Model;  // private: packages/text/src/fasttext.cpp
  const Model& model() const;
  std::shared_ptr<const Model> model_;
};

}  // namespace glia::text
