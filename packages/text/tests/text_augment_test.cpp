// Changes of words by chance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "glia/error.h"
#include "glia/text/augment.h"

namespace glia::text {
namespace {

using data::Random;
using Words = std::vector<std::string>;

const Words kWords = words_of("the quick  brown fox\tjumps over\nthe lazy dog ");
const Synonyms kSynonyms = {{"quick", {"fast", "rapid"}}, {"lazy", {"idle"}}, {"dog", {}}};

TEST(Words, AreCutAtWhiteSpace) {
  EXPECT_EQ(kWords.size(), 9u);
  EXPECT_EQ(joined(kWords), "the quick brown fox jumps over the lazy dog");
  EXPECT_TRUE(words_of(" \n").empty());
  EXPECT_EQ(joined({}), "");
}

TEST(RandomDeletion, LeavesOutThatPart) {
  double kept = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    Random random(0, 0, i), again(0, 0, i);
    const Words out = random_deletion(random, kWords, 0.3);
    EXPECT_EQ(out, random_deletion(again, kWords, 0.3));
    kept += static_cast<double>(out.size()) / 2000;
    // In order.
    auto at = kWords.begin();
    for (const std::string& word : out) {
      at = std::find(at, kWords.end(), word);
      ASSERT_NE(at, kWords.end());
      ++at;
    }
  }
  EXPECT_NEAR(kept, 6.3, 0.1);
  Random random(0);
  EXPECT_EQ(random_deletion(random, kWords, 0), kWords);
  EXPECT_EQ(random_deletion(random, kWords, 1).size(), 1u);
  EXPECT_TRUE(random_deletion(random, {}, 1).empty());
}

TEST(RandomSwap, ChangesPlacesOnly) {
  Words sorted = kWords;
  std::ranges::sort(sorted);
  for (uint64_t i = 0; i < 200; ++i) {
    Random random(0, 0, i);
    Words out = random_swap(random, kWords, 1);
    int moved = 0;
    for (size_t k = 0; k < out.size(); ++k) moved += out[k] != kWords[k];
    EXPECT_TRUE(moved == 2 || moved == 0) << "two of \"the\" change nothing";
    std::ranges::sort(out);
    EXPECT_EQ(out, sorted);
  }
  Random random(0);
  EXPECT_EQ(random_swap(random, {"a"}, 5), Words{"a"});
  EXPECT_EQ(random_swap(random, kWords, 0), kWords);
}

TEST(Synonyms, ReplaceAndComeIn) {
  Random random(0);
  const Words replaced = synonym_replacement(random, kWords, kSynonyms, 9);
  EXPECT_TRUE(replaced[1] == "fast" || replaced[1] == "rapid");
  EXPECT_EQ(replaced[7], "idle");
  EXPECT_EQ(replaced[8], "dog");
  std::set<std::string> seen;
  for (uint64_t i = 0; i < 50; ++i) {
    Random own(0, 0, i);
    const Words out = random_insertion(own, kWords, kSynonyms, 2);
    EXPECT_EQ(out.size(), 11u);
    seen.insert(out.begin(), out.end());
  }
  EXPECT_EQ(seen.size(), 8u + 3u);
  EXPECT_EQ(random_insertion(random, kWords, {}, 2), kWords);
  EXPECT_EQ(synonym_replacement(random, {}, kSynonyms, 2), Words{});
}

TEST(WordDropout, MakesTokensUnknown) {
  const std::vector<int64_t> tokens(10000, 7);
  Random random(0);
  const auto out = word_dropout(random, tokens, 0.2, 3);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(out, 3)), 2000, 150);
  EXPECT_EQ(std::ranges::count(out, 3) + std::ranges::count(out, 7), 10000);
}

TEST(Eda, DrawsOneOfItsChanges) {
  std::set<std::string> seen;
  const std::string text = joined(kWords);
  for (uint64_t i = 0; i < 200; ++i) {
    Random random(0, 0, i), again(0, 0, i);
    seen.insert(eda(random, text, {.synonyms = kSynonyms}));
    EXPECT_TRUE(seen.count(eda(again, text, {.synonyms = kSynonyms})));
  }
  EXPECT_GT(seen.size(), 60u);
  Random random(0);
  EXPECT_EQ(eda(random, "one"), "one");
  EXPECT_EQ(eda(random, ""), "");
  EXPECT_GE(words_of(eda(random, "b a")).size(), 1u);
}

TEST(TextAugment, BadArgumentsAreNamed) {
  Random random(0);
  for (const double p : {-0.1, 1.1, std::nan("")}) {
    EXPECT_THROW(random_deletion(random, kWords, p), ValueError);
    EXPECT_THROW(word_dropout(random, {}, p, 3), ValueError);
    EXPECT_THROW(eda(random, "a b", {.alpha = p}), ValueError);
  }
  EXPECT_THROW(random_swap(random, kWords, -1), ValueError);
  EXPECT_THROW(synonym_replacement(random, kWords, kSynonyms, -1), ValueError);
  EXPECT_THROW(random_insertion(random, kWords, kSynonyms, -1), ValueError);
}

}  // namespace
}  // namespace glia::text
