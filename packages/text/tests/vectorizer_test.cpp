// Words as sparse numbers.
#include "glia/text/vectorizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::text {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using Texts = std::vector<std::string>;

const Texts kTexts = {"This is the first document.", "This document is the second document!",
                      "And THIS one; a third one"};

TEST(CountVectorizer, CountsWords) {
  CountVectorizer words;
  const Csr counts = words.fit_transform(kTexts);
  EXPECT_EQ(words.vocabulary(),
            (Texts{"and", "document", "first", "is", "one", "second", "the", "third", "this"}));
  expect_same(counts.to_dense(), tensor<double>({{0, 1, 1, 1, 0, 0, 1, 0, 1},
                                                 {0, 2, 0, 1, 0, 1, 1, 0, 1},
                                                 {1, 0, 0, 0, 2, 0, 0, 1, 1}}));
  // What fit() did not see counts nothing; an empty text is a row of zeros.
  expect_same(
      words.transform({"something new", "", "one"}).to_dense(),
      tensor<double>(
          {{0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 0, 0, 0}}));
  EXPECT_EQ(words.transform({}).shape(), (Shape{0, 9}));
}

TEST(CountVectorizer, Options) {
  const auto vocabulary = [](const CountVectorizerOptions& o) {
    return CountVectorizer(o).fit(kTexts).vocabulary();
  };
  EXPECT_EQ(vocabulary({.min_df = 2}), (Texts{"document", "is", "the", "this"}));
  EXPECT_EQ(vocabulary({.min_df = 0.9}), (Texts{"this"}));
  EXPECT_EQ(vocabulary({.min_df = 2, .max_df = 0.7}), (Texts{"document", "is", "the"}));
  EXPECT_EQ(vocabulary({.max_df = 1, .max_features = 2}), (Texts{"document", "this"}));
  EXPECT_EQ(vocabulary({.stop_words = {"this", "is", "the", "and", "one"}}),
            (Texts{"document", "first", "second", "third"}));
  EXPECT_EQ(vocabulary({.min_n = 3, .max_n = 3, .stop_words = {"this", "is", "the"}}),
            (Texts{"and one third", "document second document", "one third one"}));
  EXPECT_EQ(vocabulary({.lowercase = false, .max_features = 1}), (Texts{"document"}));
  CountVectorizer there({.binary = true});
  EXPECT_EQ(max(there.fit_transform(kTexts).values()).item(), 1);
  // Letters of any script, folded; what is no UTF-8 parts words.
  CountVectorizer umlauts;
  umlauts.fit({"\xC3\x84pfel \xC3\x84RGER x1_ \xD0\x9C\xD0\xB8\xD1\x80\xFFok"});
  EXPECT_EQ(umlauts.vocabulary(),
            (Texts{"ok", "x1_", "\xC3\xA4pfel", "\xC3\xA4rger", "\xD0\xBC\xD0\xB8\xD1\x80"}));
}

TEST(TfidfVectorizer, WeighsByHand) {
  TfidfVectorizer words;
  const Tensor x = words.fit_transform(kTexts).to_dense();
  expect_same(sum(square(x), {1}), ones({3}, kF64), 1e-15);
  ASSERT_EQ(words.idf().size(), 9u);
  EXPECT_DOUBLE_EQ(words.idf()[8], 1);                      // in all
  EXPECT_DOUBLE_EQ(words.idf()[0], std::log(4.0 / 2) + 1);  // in one of three
  const double one = 2 * (std::log(2) + 1), other = std::log(2) + 1;
  const double size = std::sqrt(one * one + 2 * other * other + 1);
  EXPECT_NEAR(index(x, {2, 4}).item(), one / size, 1e-15);
  expect_same(words.transform({kTexts[2]}).to_dense(), slice(x, 0, {2, 3}), 1e-15);
  TfidfVectorizer plain({{}, TextNorm::kNone, false, true, true});
  EXPECT_NEAR(max(plain.fit_transform(kTexts).values()).item(), 1 + std::log(2), 1e-15);
  TfidfVectorizer sums({{}, TextNorm::kL1});
  expect_same(sum(sums.fit_transform(kTexts).to_dense(), {1}), ones({3}, kF64), 1e-15);
}

TEST(Vectorizers, SayWhatIsWrong) {
  const auto says = [](const char* part, const std::string& message) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  says("the texts have no words", message_of<ValueError>([] { CountVectorizer().fit({"a", ""}); }));
  says("the texts have no words", message_of<ValueError>([] { TfidfVectorizer().fit({}); }));
  says("leave no word",
       message_of<ValueError>([] { CountVectorizer({.min_df = 4, .max_df = 9}).fit(kTexts); }));
  says("max_df is less than min_df",
       message_of<ValueError>([] { CountVectorizer({.min_df = 2, .max_df = 0.1}).fit(kTexts); }));
  says("not fitted", message_of<Error>([] { TfidfVectorizer().transform({"a"}); }));
  EXPECT_THROW(CountVectorizer({.min_n = 2, .max_n = 1}), ValueError);
  EXPECT_THROW(CountVectorizer({.min_df = -1}), ValueError);
  EXPECT_THROW(CountVectorizer({.max_df = 1.5}), ValueError);
  EXPECT_THROW(TfidfVectorizer({{.max_features = 0}}), ValueError);
}

}  // namespace
}  // namespace glia::text
