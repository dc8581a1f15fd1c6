#include "glia/text/word_vectors.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/text/fasttext.h"
#include "tests/support/instructions.h"
#include "tests/support/scratch.h"
#include "vector_loops.h"

namespace glia::text {
namespace {

WordVectors small() {
  return WordVectors(
      {"king", "queen", "man", "woman", "apple"},
      from_vector(std::vector<float>{1, 1, 0, 1, -1, 0, .9f, 1, .1f, .9f, -1, .1f, 0, 0, 1},
                  {5, 3}));
}

// Two topics whose words come together and never with those of the other.
Sentences topics() {
  Sentences out;
  uint32_t state = 1;
  const std::vector<std::vector<std::string>> words = {{"cat", "dog", "cow", "pig"},
                                                       {"red", "blue", "green", "black"}};
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::string> sentence;
    for (int k = 0; k < 8; ++k) {
      state = state * 1103515245 + 12345;
      sentence.push_back(words[i % 2][state >> 16 & 3]);
    }
    out.push_back(sentence);
  }
  return out;
}

class Words : public test::Scratch {};

TEST_F(Words, AreCompared) {
  const WordVectors v = small();
  EXPECT_NEAR(v.similarity("king", "queen"), 0, 1e-6);
  EXPECT_EQ(v.most_similar({"king", "woman"}, {"man"}, 1)[0].word, "queen");
  EXPECT_EQ(v.most_similar({"king"})[0].word, "man");
  EXPECT_EQ(v.most_similar({"king"}).size(), 4u);
  EXPECT_EQ(v.doesnt_match({"king", "man", "apple"}), "apple");
  EXPECT_EQ(v.nearest(v.vector("apple"), 1)[0].word, "apple");
  EXPECT_THROW(v.similarity("king", "nobody"), ValueError);
  EXPECT_THROW(v.most_similar({}), ValueError);
  EXPECT_THROW(v.nearest(zeros({2})), ShapeError);
  EXPECT_THROW(WordVectors({"a"}, zeros({2, 3})), ShapeError);
}

TEST_F(Words, AreWrittenAndRead) {
  const WordVectors v = small();
  for (const bool binary : {false, true}) {
    v.save(file("vectors"), binary);
    const WordVectors again = WordVectors::load(file("vectors"));
    EXPECT_EQ(again.words(), v.words());
    EXPECT_EQ(again.vectors().to_vector<float>(), v.vectors().to_vector<float>());
    EXPECT_EQ(WordVectors::load(file("vectors"), 2).size(), 2);
  }
  EXPECT_EQ(
      WordVectors::load(file("glove", "a 1 2\nb c -3 4e-1\n")).vector("b c").to_vector<float>(),
      (std::vector<float>{-3, .4f}));
  const std::string cut = file("cut", "3 2\na 1 2\n");
  EXPECT_EQ(test::fault(cut, [&] { WordVectors::load(cut); }),
            ": is cut short: it has 1 of 3 words");
  const std::string bad = file("bad", "a 1 2\nb 1 x\n");
  EXPECT_EQ(test::fault(bad, [&] { WordVectors::load(bad); }),
            ": line 2: is no word and 2 numbers");
  const std::string huge = file("huge", "9999999999 99999999\na");
  EXPECT_THROW(WordVectors::load(huge), IoError);
  EXPECT_THROW(FastText::load(bad), IoError);
}

TEST_F(Words, AnswerQuestions) {
  const auto scores = analogies(
      small(),
      file("questions", ": sex\nman king woman queen\nKING man QUEEN woman\n: x\na b c d\n"));
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_EQ(scores[0].asked, 2);
  EXPECT_EQ(scores[0].right, 2);
  EXPECT_EQ(scores[1].unknown, 1);
  EXPECT_EQ(scores[2].section, "total");
  EXPECT_EQ(scores[2].accuracy(), 1);
  const auto pairs = word_pairs(
      small(), file("pairs", "# x\nking\tman\t9\nking\tqueen\t5\nking\tapple\t6\nno\tone\t1\n"));
  EXPECT_EQ(pairs.pairs, 3);
  EXPECT_EQ(pairs.unknown, 1);
  // Ranks 3, 1, 2 of people; the cosines .99, 0, 0 have the ranks 3, 1.5, 1.5.
  EXPECT_NEAR(pairs.spearman, std::sqrt(3.0) / 2, 1e-6);
}

TEST_F(Words, OfATopicComeTogether) {
  for (const auto& [name, options] : std::vector<std::pair<const char*, Word2VecOptions>>{
           {"cbow", {}},
           {"skip-gram", {.sg = true}},
           {"cbow hs", {.hs = true, .negative = 0}},
           {"skip-gram hs", {.sg = true, .hs = true, .negative = 0}},
           {"fasttext", {.sg = true, .bucket = 1000}},
           {"fasttext cbow", {.bucket = 1000}}}) {
    Word2VecOptions o = options;
    o.vector_size = 20;
    o.sample = 0;
    o.epochs = 5;
    o.alpha = 0.05;  // few words
    double loss = 0;
    const WordVectors v =
        train_word2vec(topics(), o, [&](const VectorProgress& p) { loss = p.loss; });
    // Of what is not known each prediction costs ln 2: of five drawn words and the right one, and
    // of the three branches to one of eight.
    EXPECT_LT(loss, 0.8 * std::log(2) *
                        (static_cast<double>(o.negative > 0 ? o.negative + 1 : 0) + (o.hs ? 3 : 0)))
        << name;
    EXPECT_GT(v.similarity("cat", "dog"), v.similarity("cat", "red") + 0.3) << name;
    // The same numbers again.
    EXPECT_EQ(train_word2vec(topics(), o).vectors().to_vector<float>(),
              v.vectors().to_vector<float>())
        << name;
  }
  const WordVectors glove = train_glove(topics(), {.vector_size = 10, .epochs = 15});
  EXPECT_GT(glove.similarity("cat", "dog"), glove.similarity("cat", "red"));
  EXPECT_THROW(train_word2vec({}), ValueError);
  EXPECT_THROW(train_word2vec(topics(), {.negative = 0}), ValueError);
  EXPECT_THROW(train_word2vec(topics(), {.min_count = 1 << 30}), ValueError);
}

TEST_F(Words, BecomePhrases) {
  Sentences all(100, {"in", "new", "york", "today"});
  for (int i = 0; i < 300; ++i) all.push_back({"in", "the", "city", std::to_string(i)});
  // new york: (100 - 5) / 100 / 100 x 310 or so words and pairs.
  const Sentences joined = joined_phrases(all, {.threshold = 5});
  EXPECT_EQ(joined[0], (std::vector<std::string>{"in", "new_york", "today"}));
  EXPECT_EQ(joined[100][0], "in");
}

// Rows of numbers around `place`, no two alike.
void fill(Rows& rows, int place) {
  for (int64_t r = 0; r < rows.count(); ++r)
    for (int64_t i = 0; i < rows.width(); ++i)
      rows[r][i] = 0.3f * static_cast<float>(std::sin(place + 3 * r + 0.7 * i));
}
double product(const float* a, const float* b, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}
void check_vector_loops() {
  for (const int64_t width : {1, 16, 37}) {
    Rows in(2, width), out(3, width), change(2, width), before(3, width);
    fill(in, 0);
    fill(out, 1);
    fill(before, 1);
    EXPECT_NEAR(dot_of(in[0], in[1], in.stride()), product(in[0], in[1], width), 1e-6);
    const float *ins[] = {in[0], in[1]}, *some[] = {before[0], before[1], before[2]};
    float *outs[] = {out[0], out[1], out[2]}, *changes[] = {change[0], change[1]};
    // One input against an output of label 1 and two of label 0.
    const double loss = regress({ins, 1, outs, 3, 1, 0.5f, changes, in.stride()});
    double expected = 0;
    for (int o = 0; o < 3; ++o) {
      const double x = product(in[0], before[o], width), y = 1 / (1 + std::exp(-x));
      expected -= std::log(o == 0 ? y : 1 - y);
      const double slope = 0.5 * ((o == 0 ? 1 : 0) - y);
      for (int64_t i = 0; i < width; ++i)
        EXPECT_NEAR(out[o][i], before[o][i] + slope * static_cast<double>(in[0][i]), 1e-3);
    }
    EXPECT_NEAR(loss, expected, 1e-2);
    add_scaled(change[1], in[1], -2, in.stride());
    sum_of(some, 3, 0.5f, in[0], in.stride());
    float* both[] = {in[1], in[1]};
    add_to_all(both, 2, change[1], 0.25f, in.stride());
    for (int64_t i = 0; i < width; ++i) {
      EXPECT_NEAR(in[0][i], 0.5f * (before[0][i] + before[1][i] + before[2][i]), 1e-6);
      EXPECT_NEAR(in[1][i], 0, 1e-6);  // x - 2 * 0.25 * 2 x
    }
  }
}
TEST(VectorLoopsDeathTest, AreThoseOfTheLevelInUse) {
  Rows rows(4, 20);
  float *outs[] = {rows[0], rows[1]}, *changes[] = {rows[2]};
  const float* ins[] = {rows[3]};
  test::expect_each_level("libglia_text", check_vector_loops, [&] {
    regress({ins, 1, outs, 2, 1, 0.5f, changes, rows.stride()});
    add_scaled(outs[0], ins[0], dot_of(ins[0], outs[1], rows.stride()), rows.stride());
    sum_of(ins, 1, 0.5f, outs[1], rows.stride());
    add_to_all(outs, 2, ins[0], 2, rows.stride());
  });
}

}  // namespace
}  // namespace glia::text
