#include "glia/audio/errors.h"

#include <algorithm>
#include <cstring>

#include "glia/error.h"

namespace glia::audio {
namespace {

// The best way to each prefix of the hypothesis, row by row over the reference.
template <class T>
EditCounts counted(const std::vector<T>& reference, const std::vector<T>& hypothesis) {
  struct Way {
    int64_t cost = 0;
    EditCounts counts = {};
    bool operator<(const Way& o) const {
      return cost != o.cost ? cost < o.cost : counts.hits > o.counts.hits;
    }
  };
  std::vector<Way> row(hypothesis.size() + 1);
  for (size_t j = 1; j < row.size(); ++j) {
    row[j] = row[j - 1];
    ++row[j].cost, ++row[j].counts.insertions;
  }
  for (const T& word : reference) {
    Way diagonal = row[0];
    ++row[0].cost, ++row[0].counts.deletions;
    for (size_t j = 1; j < row.size(); ++j) {
      Way best = diagonal;
      if (word == hypothesis[j - 1])
        ++best.counts.hits;
      else
        ++best.cost, ++best.counts.substitutions;
      Way out = row[j];
      ++out.cost, ++out.counts.deletions;
      Way in = row[j - 1];
      ++in.cost, ++in.counts.insertions;
      if (out < best) best = out;
      if (in < best) best = in;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row.back().counts;
}

bool is_space(char c) { return c != 0 && std::strchr(" \t\n\r\v\f", c) != nullptr; }

template <class Split>
EditCounts over_all(const std::vector<std::string>& references,
                    const std::vector<std::string>& hypotheses, Split&& split) {
  if (references.size() != hypotheses.size())
    throw ValueError("word_errors: " + std::to_string(references.size()) + " references for " +
                     std::to_string(hypotheses.size()) + " hypotheses");
  EditCounts all;
  for (size_t i = 0; i < references.size(); ++i)
    all.add(edit_counts(split(references[i]), split(hypotheses[i])));
  return all;
}

}  // namespace

double EditCounts::rate() const {
  if (length() == 0) return errors() > 0 ? 1 : 0;
  return static_cast<double>(errors()) / static_cast<double>(length());
}

void EditCounts::add(const EditCounts& other) {
  hits += other.hits;
  substitutions += other.substitutions;
  deletions += other.deletions;
  insertions += other.insertions;
}

EditCounts edit_counts(const std::vector<std::string>& reference,
                       const std::vector<std::string>& hypothesis) {
  return counted(reference, hypothesis);
}
EditCounts edit_counts(const std::vector<int64_t>& reference,
                       const std::vector<int64_t>& hypothesis) {
  return counted(reference, hypothesis);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<std::string> characters_of(const std::string& text) {
  size_t first = 0, end = text.size();
  while (first < end && is_space(text[first])) ++first;
  while (end > first && is_space(text[end - 1])) --end;
  std::vector<std::string> out;
  for (size_t at = first; at < end; ++at) {
    const bool continues = (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
    if (continues && !out.empty() && out.back().size() < 4)
      out.back() += text[at];
    else
      out.emplace_back(1, text[at]);
  }
  return out;
}

EditCounts word_errors(const std::vector<std::string>& references,
                       const std::vector<std::string>& hypotheses) {
  return over_all(references, hypotheses, words_of);
}
EditCounts character_errors(const std::vector<std::string>& references,
                            const std::vector<std::string>& hypotheses) {
  return over_all(references, hypotheses, characters_of);
}
double wer(const std::vector<std::string>& references, const std::vector<std::string>& hypotheses) {
  return word_errors(references, hypotheses).rate();
}
double cer(const std::vector<std::string>& references, const std::vector<std::string>& hypotheses) {
  return character_errors(references, hypotheses).rate();
}

}  // namespace glia::audio
