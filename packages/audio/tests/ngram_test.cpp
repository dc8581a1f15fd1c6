// N-gram models: Kneser and Ney's numbers by hand, sums, files, and files that are none.
#include "glia/audio/ngram.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/audio/errors.h"
#include "glia/error.h"
#include "tests/support/scratch.h"

namespace glia::audio {
namespace {

using test::fault;
using Sentences = std::vector<std::vector<std::string>>;
class Ngram : public test::Scratch {};

const Sentences kSome = {{"a", "b", "a"}, {"a", "b"}, {"b", "c", "a"}, {"c"}};

double p(const NgramModel& m, const std::vector<std::string>& context, const std::string& word) {
  return std::pow(10, m.score(context, word));
}

TEST_F(Ngram, BigramsByHand) {
  // Discount 0.5 throughout. Bigrams: <s>a 2, <s>b 1, <s>c 1, ab 2, ba 1, bc 1, ca 1, a</s> 2,
  // b</s> 1, c</s> 1: ten kinds.
  const NgramModel m = NgramModel::estimate(kSome, {.order = 2, .discounts = {0.5, 0.5, 0.5}});
  // Words before each: a {<s>, b, c}, b {<s>, a}, c {<s>, b}, </s> {a, b, c}; five words that can
  // be predicted, <unk> among them.
  const double left = 4 * 0.5 / 10, even = 1.0 / 5;
  const double a = 2.5 / 10 + left * even, b = 1.5 / 10 + left * even, end = a;
  EXPECT_NEAR(p(m, {}, "a"), a, 1e-12);
  EXPECT_NEAR(p(m, {}, "c"), b, 1e-12);
  EXPECT_NEAR(p(m, {}, "never"), left * even, 1e-12);
  // Behind a: ab 2, a</s> 2; half of each kind is taken.
  EXPECT_NEAR(p(m, {"a"}, "b"), 1.5 / 4 + 1.0 / 4 * b, 1e-12);
  EXPECT_NEAR(p(m, {"a"}, "a"), 1.0 / 4 * a, 1e-12);
  EXPECT_NEAR(p(m, {"c"}, "</s>"), 0.5 / 2 + 1.0 / 2 * end, 1e-12);
  EXPECT_NEAR(p(m, {"<s>"}, "a"), 1.5 / 4 + 1.5 / 4 * a, 1e-12);
  EXPECT_NEAR(p(m, {"never"}, "a"), a, 1e-12) << "an unknown context says nothing";
  EXPECT_NEAR(m.score_sentence({"c"}),
              std::log10(p(m, {"<s>"}, "c")) + std::log10(p(m, {"c"}, "</s>")), 1e-12);
  EXPECT_NEAR(m.perplexity({{"c"}}), std::pow(10, -m.score_sentence({"c"}) / 2), 1e-9);
}

TEST_F(Ngram, DiscountsFromCountsOfCounts) {
  // Chen & Goodman: Y = n1 / (n1 + 2 n2), D(c) = c - (c + 1) Y n(c + 1) / n(c). Of one order: words
  // counted once to four times: 4, 2, 2 (the end among them) and 1.
  const NgramModel m = NgramModel::estimate(
      {{"a", "b", "c", "d", "e", "e", "f", "f", "g"}, {"g", "g", "h", "h", "h", "h"}, {}},
      {.order = 1});
  const double y = 4.0 / (4 + 2 * 2), d1 = 1 - 2 * y * 2 / 4, d2 = 2 - 3 * y * 2 / 2,
               d3 = 3 - 4 * y * 1 / 2;
  const double total = 18, words = 10;  // a to h, the end, <unk>
  const double left = (4 * d1 + 2 * d2 + 3 * d3) / total;
  EXPECT_NEAR(p(m, {}, "a"), (1 - d1) / total + left / words, 1e-12);
  EXPECT_NEAR(p(m, {}, "e"), (2 - d2) / total + left / words, 1e-12);
  EXPECT_NEAR(p(m, {}, "g"), (3 - d3) / total + left / words, 1e-12);
  EXPECT_NEAR(p(m, {}, "h"), (4 - d3) / total + left / words, 1e-12);
}

TEST_F(Ngram, ProbabilitiesSumToOne) {
  for (int64_t order = 1; order <= 4; ++order) {
    const NgramModel m = NgramModel::estimate(kSome, {.order = order});
    EXPECT_EQ(m.order(), order);
    for (const auto& context : Sentences{{},
                                         {"a"},
                                         {"<s>"},
                                         {"<s>", "a"},
                                         {"a", "b"},
                                         {"b", "b"},
                                         {"<s>", "a", "b"},
                                         {"x", "c"}}) {
      double sum = 0;
      for (const std::string& word : m.vocabulary())
        if (word != "<s>") sum += p(m, context, word);
      EXPECT_NEAR(sum, 1, 1e-9) << order;
    }
  }
}

TEST_F(Ngram, FilesKeepEveryNumber) {
  const NgramModel m = NgramModel::estimate(kSome, {.order = 3});
  m.write_arpa(file("m.arpa"));
  const NgramModel again = NgramModel::read_arpa(file("m.arpa"));
  EXPECT_EQ(again.order(), 3);
  for (int64_t n = 1; n <= 3; ++n) EXPECT_EQ(again.count(n), m.count(n));
  for (const auto& s : Sentences{{"a", "b"}, {"c", "c", "x"}, {}, {"b", "c", "a"}})
    EXPECT_NEAR(again.score_sentence(s), m.score_sentence(s), 1e-7);
  EXPECT_EQ(again.to_arpa(), NgramModel::from_arpa(again.to_arpa()).to_arpa());
  // As others write them: a comment first, spaces, no back-off, no <unk>.
  const NgramModel other = NgramModel::from_arpa(
      "made by hand\n\n\\data\\\nngram 1= 3\r\nngram 2 =1\n\n\\1-grams:\n-1 <s> -0.5\n-0.3\tyes\n"
      "-0.7 </s>\n\n\\2-grams:\n-0.1 <s> yes\n\n\\end\\\nwhat follows is not read");
  EXPECT_NEAR(other.score({"<s>"}, "yes"), -0.1, 1e-12);
  EXPECT_NEAR(other.score({"<s>"}, "</s>"), -0.5 - 0.7, 1e-12);
  EXPECT_NEAR(other.score({"yes"}, "yes"), -0.3, 1e-12);
  EXPECT_EQ(other.score({}, "no"), -99) << "unknown, and there is no <unk>";
}

TEST_F(Ngram, WhatIsNoFileIsNamed) {
  const auto of = [&](const std::string& text) {
    return fault(file("m", text), [&] { NgramModel::read_arpa(file("m")); });
  };
  const std::string data = "\\data\\\nngram 1=1\n\\1-grams:\n";
  EXPECT_EQ(of(""), ": line 0: there is no \\data\\");
  EXPECT_EQ(of("\\data\\\nngram 1=1\n"), ": line 2: there is no \\end\\");
  EXPECT_EQ(of("\\data\\\n\\end\\\n"), ": line 2: the file ends before its longest n-grams");
  EXPECT_EQ(of(data + "-1 a\n-1 b\n\\end\\\n"), ": line 6: 2 n-grams of length 1, not 1");
  EXPECT_EQ(of(data + "-1 a\n-1 a\n\\end\\\n"), ": line 5: an n-gram comes twice");
  EXPECT_EQ(of(data + "1 a\n\\end\\\n"), ": line 4: a logarithm of 1");
  EXPECT_EQ(of(data + "nan a\n\\end\\\n"), ": line 4: a logarithm of nan");
  EXPECT_EQ(of(data + "x a\n\\end\\\n"), ": line 4: 'x' is no number");
  EXPECT_EQ(of(data + "-1\n\\end\\\n"), ": line 4: 1 fields in an n-gram of length 1");
  EXPECT_EQ(of("\\data\\\nngram 1=99999999999999999999\n"),
            ": line 2: '99999999999999999999' is no number");
  EXPECT_EQ(of("\\data\\\nngram 2=1\n"), ": line 2: an order of 2");
  EXPECT_EQ(of("\\data\\\nngram 1=1\nngram 2=1\n\\1-grams:\n-1 a\n\\2-grams:\n-1 a b\n\\end\\\n"),
            ": line 7: 'b' is no word of the model");
  EXPECT_EQ(of("\\data\\\n\\2-grams:\n"), ": line 2: '\\2-grams:' is not the next section");
  // Cut anywhere.
  const std::string whole = NgramModel::estimate(kSome, {.order = 2}).to_arpa();
  for (size_t i = 0; i + 6 < whole.size(); ++i) EXPECT_NE(of(whole.substr(0, i)), "") << i;
}

TEST_F(Ngram, BadArgumentsAreNamed) {
  EXPECT_THROW(NgramModel::estimate({}), ValueError);
  for (const int64_t order : {int64_t{0}, int64_t{-1}, int64_t{11}, INT64_MAX})
    EXPECT_THROW(NgramModel::estimate(kSome, {.order = order}), ValueError);
  EXPECT_THROW(NgramModel::estimate(kSome, {.discounts = {0.5}}), ValueError);
  EXPECT_THROW(NgramModel::estimate(kSome, {.discounts = {0.5, 2, 0.5}}), ValueError);
  for (const char* word : {"", "<s>", "</s>", "two words"})
    EXPECT_THROW(NgramModel::estimate({{word}}), ValueError) << word;
  EXPECT_THROW(NgramModel().score({}, "a"), ValueError);
  EXPECT_THROW(NgramModel::estimate(kSome).perplexity({}), ValueError);
  // Nothing but ends of sentences.
  EXPECT_NEAR(
      p(NgramModel::estimate({{}}), {"<s>"}, "</s>") + p(NgramModel::estimate({{}}), {"<s>"}, "a"),
      1, 1e-12);
}

}  // namespace
}  // namespace glia::audio
