// Sentences whose words have tags.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/data.h"

namespace glia::text {

struct TaggedSentences {
  std::vector<std::vector<std::string>> words, tags;  // as many of each
  int64_t size() const { return static_cast<int64_t>(words.size()); }
  int64_t word_count() const;
};
// CoNLL-U, of which words and universal tags are taken (columns 2 and 4; ranges of words and empty
// nodes are passed over), or lines WORD TAB TAG with further columns, or WORD ... TAG with blanks
// between; a blank line ends a sentence, "#" and a blank begin a comment. Plain or gzipped. Throws
// IoError, "FILE: line 7: fault".
TaggedSentences read_tagged(const std::string& path);

// The English Web Treebank of Universal Dependencies with universal tags: 12,544 sentences for
// training, 2,077 for the test; and 2,001 to choose by.
TaggedSentences ud_ewt(data::Split split, const std::string& folder = "");
TaggedSentences ud_ewt_dev(const std::string& folder = "");

}  // namespace glia::text
