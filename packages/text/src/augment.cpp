#include "glia/text/augment.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "glia/error.h"

namespace glia::text {
namespace {

using Words = std::vector<std::string>;

void check_probability(const char* name, double p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError(std::string(name) + ": a probability of " + std::to_string(p) +
                     " is not between 0 and 1");
}
void check_count(const char* name, int64_t n) {
  if (n < 0) throw ValueError(std::string(name) + ": n is " + std::to_string(n));
}

template <class T>
const T& one_of(data::Random& random, const std::vector<T>& all) {
  return all[random.below(static_cast<int64_t>(all.size()))];
}

// The different words that have synonyms, in order.
Words replaceable(const Words& words, const Synonyms& synonyms) {
  Words out;
  for (const std::string& word : words) {
    const auto found = synonyms.find(word);
    if (found != synonyms.end() && !found->second.empty() && std::ranges::count(out, word) == 0)
      out.push_back(word);
  }
  return out;
}

}  // namespace

Words words_of(const std::string& text) {
  std::istringstream in(text);
  Words out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string joined(const Words& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

Words random_deletion(data::Random& random, const Words& words, double p) {
  check_probability("random_deletion", p);
  Words out;
  for (const std::string& word : words)
    if (!(random.uniform() < p)) out.push_back(word);
  if (out.empty() && !words.empty()) out.push_back(one_of(random, words));
  return out;
}

Words random_swap(data::Random& random, const Words& words, int64_t n) {
  check_count("random_swap", n);
  Words out = words;
  const auto size = static_cast<int64_t>(words.size());
  for (int64_t i = 0; i < n && size > 1; ++i) {
    const int64_t a = random.below(size), b = random.below(size - 1);
    std::swap(out[a], out[b < a ? b : b + 1]);
  }
  return out;
}

Words synonym_replacement(data::Random& random, const Words& words, const Synonyms& synonyms,
                          int64_t n) {
  check_count("synonym_replacement", n);
  Words candidates = replaceable(words, synonyms), out = words;
  for (int64_t i = 0; i < n && !candidates.empty(); ++i) {
    const auto at = candidates.begin() + random.below(static_cast<int64_t>(candidates.size()));
    const std::string word = *at;
    candidates.erase(at);
    const std::string& other = one_of(random, synonyms.at(word));
    for (size_t k = 0; k < words.size(); ++k)
      if (words[k] == word) out[k] = other;
  }
  return out;
}

Words random_insertion(data::Random& random, const Words& words, const Synonyms& synonyms,
                       int64_t n) {
  check_count("random_insertion", n);
  const Words candidates = replaceable(words, synonyms);
  Words out = words;
  for (int64_t i = 0; i < n && !candidates.empty(); ++i) {
    const std::string& word = one_of(random, synonyms.at(one_of(random, candidates)));
    out.insert(out.begin() + random.below(static_cast<int64_t>(out.size()) + 1), word);
  }
  return out;
}

std::vector<int64_t> word_dropout(data::Random& random, std::span<const int64_t> tokens, double p,
                                  int64_t unknown) {
  check_probability("word_dropout", p);
  std::vector<int64_t> out(tokens.begin(), tokens.end());
  for (int64_t& token : out)
    if (random.uniform() < p) token = unknown;
  return out;
}

std::string eda(data::Random& random, const std::string& text, const EdaOptions& options) {
  check_probability("eda", options.alpha);
  const Words words = words_of(text);
  if (words.size() < 2) return text;
  const auto n =
      std::max<int64_t>(1, static_cast<int64_t>(options.alpha * static_cast<double>(words.size())));
  switch (random.below(options.synonyms.empty() ? 2 : 4)) {
    case 0:
      return joined(random_swap(random, words, n));
    case 1:
      return joined(random_deletion(random, words, options.alpha));
    case 2:
      return joined(synonym_replacement(random, words, options.synonyms, n));
    default:
      return joined(random_insertion(random, words, options.synonyms, n));
  }
}

}  // namespace glia::text
