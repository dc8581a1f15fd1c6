#include "recipes/src/sentences.h"

#include <algorithm>

#include "glia/text/augment.h"
#include "glia/text/vocabulary.h"
#include "recipes/src/shuffled.h"

namespace glia::recipes {

std::vector<std::string> words_and_marks(const std::string& sentence) {
  static const std::string marks = ".,;:!?\"()[]{}";
  std::vector<std::string> out;
  for (const std::string& word : text::words_of(sentence)) {
    size_t begin = 0, end = word.size();
    while (begin < end && marks.find(word[begin]) != std::string::npos)
      out.push_back(word.substr(begin++, 1));
    size_t last = end;
    while (last > begin && marks.find(word[last - 1]) != std::string::npos) --last;
    if (last > begin) out.push_back(word.substr(begin, last - begin));
    for (; last < end; ++last) out.push_back(word.substr(last, 1));
  }
  return out;
}

std::vector<bool> drawn_for_test(int64_t count, double share, uint64_t seed,
                                 const std::string& file) {
  if (count < 2) throw IoError(file + ": holds one sample, where training and test need one each");
  const std::vector<int64_t> order = shuffled(count, seed);
  const int64_t test =
      std::clamp<int64_t>(static_cast<int64_t>(share * static_cast<double>(count)), 1, count - 1);
  std::vector<bool> out(static_cast<size_t>(count));
  for (int64_t i = 0; i < test; ++i) out[static_cast<size_t>(order[i])] = true;
  return out;
}

text::TaggedSentences part_of(const text::TaggedSentences& all, data::Split split, double share,
                              uint64_t seed, const std::string& file) {
  const std::vector<bool> test = drawn_for_test(all.size(), share, seed, file);
  text::TaggedSentences out;
  for (size_t i = 0; i < test.size(); ++i) {
    if (test[i] != (split == data::Test)) continue;
    out.words.push_back(all.words[i]);
    out.tags.push_back(all.tags[i]);
  }
  return out;
}

}  // namespace glia::recipes
