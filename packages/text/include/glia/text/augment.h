// Augmentation of texts: changes of words by chance ("EDA", Wei & Zou 2019). All randomness is the
// data::Random that is given; see data::augment(). Probabilities that are none throw ValueError.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "glia/data.h"

namespace glia::text {

// What stands between white space.
std::vector<std::string> words_of(const std::string& text);
std::string joined(const std::vector<std::string>& words);  // by blanks

// Each word is left out with probability p; one that is drawn stays where all would go.
std::vector<std::string> random_deletion(data::Random& random,
                                         const std::vector<std::string>& words, double p = 0.1);
// Two words that are drawn change places, n times.
std::vector<std::string> random_swap(data::Random& random, const std::vector<std::string>& words,
                                     int64_t n = 1);
// What else a word may be called.
using Synonyms = std::map<std::string, std::vector<std::string>>;
// One of the synonyms in place of n different words that have any, wherever they occur; and n
// synonyms of words at places that are drawn.
std::vector<std::string> synonym_replacement(data::Random& random,
                                             const std::vector<std::string>& words,
                                             const Synonyms& synonyms, int64_t n = 1);
std::vector<std::string> random_insertion(data::Random& random,
                                          const std::vector<std::string>& words,
                                          const Synonyms& synonyms, int64_t n = 1);
// Each number of a token becomes `unknown` with probability p (Bowman et al. 2016).
std::vector<int64_t> word_dropout(data::Random& random, std::span<const int64_t> tokens, double p,
                                  int64_t unknown);

struct EdaOptions {
  double alpha = 0.1;      // the part of the words that each change takes, at least one word
  Synonyms synonyms = {};  // without any there are swaps and deletions only
};
// One of the four changes, which is drawn. A text of fewer than two words stays.
std::string eda(data::Random& random, const std::string& text, const EdaOptions& options = {});

}  // namespace glia::text
