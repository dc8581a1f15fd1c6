// What recipes on sentences share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/text/tagged.h"

namespace glia::recipes {

// The words and punctuation marks of a sentence, each apart.
std::vector<std::string> words_and_marks(const std::string& sentence);
// Which of so many samples a draw by the seed leaves for the test: that share, at least one, and
// not all. Throws IoError, which names the file, if there are fewer than two.
std::vector<bool> drawn_for_test(int64_t count, double share, uint64_t seed,
                                 const std::string& file);
// The sentences of a file that are left for that part.
text::TaggedSentences part_of(const text::TaggedSentences& all, data::Split split, double share,
                              uint64_t seed, const std::string& file);

}  // namespace glia::recipes
