// The words of a corpus by how often they come, and what training makes of that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/text/word_vectors.h"

namespace glia::text {

struct WordCounts {
  std::vector<std::string> words;  // the most frequent first, of equals as in the corpus
  std::vector<int64_t> counts;
  int64_t total = 0;
  std::vector<std::vector<int32_t>> sentences;  // numbers; words that are rarer are left out

  // Throws ValueError, "NAME: ...", if no word comes so often.
  WordCounts(const char* name, const Sentences& sentences, int64_t min_count, int64_t most);
};

// The branches to each word in Huffman's tree of their counts: inner nodes from the root, and
// whether it goes on to the second child.
struct HuffmanCode {
  std::vector<int32_t> points;
  std::vector<bool> bits;
};
std::vector<HuffmanCode> huffman_codes(const std::vector<int64_t>& counts);

// fastText's parts of a word "<word>": hashes of its runs of min_n to max_n characters.
std::vector<uint32_t> subword_hashes(const std::string& word, int64_t min_n, int64_t max_n);
uint32_t fnv_hash(std::string_view text);

}  // namespace glia::text
