// How far what was recognised is from what was said: edit distances (Levenshtein 1966), word, phone
// and character error rates, as jiwer counts them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glia::audio {

struct EditCounts {
  int64_t hits = 0, substitutions = 0, deletions = 0, insertions = 0;

  int64_t errors() const { return substitutions + deletions + insertions; }
  int64_t length() const { return hits + substitutions + deletions; }  // of the reference
  // Errors over the reference's length, which may be above 1; of an empty reference 0, or 1 if
  // there is anything at all.
  double rate() const;
  void add(const EditCounts& other);
};

// The fewest changes that make the reference the hypothesis; of several ways with equally few
// changes one with the most hits.
EditCounts edit_counts(const std::vector<std::string>& reference,
                       const std::vector<std::string>& hypothesis);
EditCounts edit_counts(const std::vector<int64_t>& reference,
                       const std::vector<int64_t>& hypothesis);

// The words between white space, and the characters of UTF-8 between the first and the last that is
// none.
std::vector<std::string> words_of(const std::string& text);
std::vector<std::string> characters_of(const std::string& text);

// Over all pairs together: changes by words (phones, if they are written apart) or characters, over
// how many there are in the references. Throws ValueError where the counts of texts differ.
EditCounts word_errors(const std::vector<std::string>& references,
                       const std::vector<std::string>& hypotheses);
EditCounts character_errors(const std::vector<std::string>& references,
                            const std::vector<std::string>& hypotheses);
double wer(const std::vector<std::string>& references, const std::vector<std::string>& hypotheses);
double cer(const std::vector<std::string>& references, const std::vector<std::string>& hypotheses);

}  // namespace glia::audio
