#include "glia/text/language_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/text/trees.h"

namespace glia::text {
namespace {

double apart(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

TEST(LanguageModel, ReadersGiveWhatTheWholeTextGives) {
  for (const char* kind : {"gpt", "rnn", "lstm", "gru", "peephole-lstm", "layer-norm-lstm"}) {
    const auto model = make_language_model(
        kind, 7, {.layers = 2, .heads = 2, .width = 8, .block = 6, .bias = true});
    const std::vector<int64_t> tokens{3, 1, 4, 1, 5, 2, 6, 5, 3};
    const bool windows = std::string(kind) == "gpt";
    const auto reader = model->reader();
    for (int64_t t = 0; t < 9; ++t) {
      const Tensor got = reader->next(tokens[t]);
      const int64_t first = windows ? std::max<int64_t>(0, t - 5) : 0;
      const std::vector<int64_t> seen(tokens.begin() + first, tokens.begin() + t + 1);
      const Tensor all = (*model)(from_vector(seen, {1, t + 1 - first}));
      EXPECT_LE(apart(got, index(all, {0, -1})), 1e-5) << kind << t;
    }
  }
  EXPECT_THROW(make_language_model("mamba", 7), ValueError);
  EXPECT_THROW(Gpt(7, {.layers = -1}), ShapeError);
  EXPECT_THROW(Gpt(7, {.width = 8, .block = 4})(zeros({1, 5}, kI64)), ShapeError);
}

TEST(LanguageModel, DrawsWhatOptionsSay) {
  const std::vector<double> logits{std::log(0.1), std::log(0.5), std::log(0.15), std::log(0.25)};
  const auto counts = [&](const SamplingOptions& options) {
    data::Random random(1, 0);
    std::vector<int> n(4);
    for (int i = 0; i < 4000; ++i) ++n[sample(logits, options, random)];
    return n;
  };
  const auto all = counts({});
  EXPECT_NEAR(all[0], 400, 100);
  EXPECT_NEAR(all[1], 2000, 150);
  EXPECT_EQ(counts({.temperature = 0})[1], 4000);
  EXPECT_EQ(counts({.temperature = 1e-9})[1], 4000);
  const auto two = counts({.top_k = 2});
  EXPECT_EQ(two[1] + two[3], 4000);
  EXPECT_NEAR(two[1], 2667, 150);
  const auto most = counts({.top_p = 0.7});
  EXPECT_EQ(most[0] + most[2], 0);
  EXPECT_EQ(counts({.top_p = 1e-9})[1], 4000);
  const auto near = counts({.min_p = 0.4});  // of 0.5: 0.2 and more
  EXPECT_EQ(near[0] + near[2], 0);
  EXPECT_NEAR(near[3], 1333, 120);
  EXPECT_EQ(counts({.min_p = 1})[1], 4000);
  data::Random random(1, 0);
  EXPECT_THROW(sample(logits, {.temperature = -1}, random), ValueError);
  EXPECT_THROW(sample(logits, {.top_k = -1}, random), ValueError);
  EXPECT_THROW(sample(logits, {.top_p = 0}, random), ValueError);
  EXPECT_THROW(sample(logits, {.min_p = 1.5}, random), ValueError);
  EXPECT_THROW(sample(logits, {.repetition_penalty = 0}, random), ValueError);
  EXPECT_THROW(sample(logits, {.repetition_penalty = 2}, random, {4}), ValueError);
  EXPECT_THROW(sample({NAN}, {}, random), ValueError);
  EXPECT_THROW(sample({}, {}, random), ValueError);
}

TEST(LanguageModel, WhatWasThereIsLessLikely) {
  data::Random random(1, 0);
  // 3 becomes 1.5, and -1, seen twice, -2 and no less.
  const std::vector<double> logits{3, 2, -1, -1.5};
  const SamplingOptions greedy{.temperature = 0, .repetition_penalty = 2};
  EXPECT_EQ(sample(logits, greedy, random), 0);
  EXPECT_EQ(sample(logits, greedy, random, {0, 0}), 1);
  EXPECT_EQ(sample({-1, -1.5}, greedy, random, {0, 0}), 1);
  EXPECT_EQ(sample({-1, -2.5}, greedy, random, {0, 0}), 0);
}

TEST(LanguageModel, DrawsAmongManyAsAmongFew) {
  // More than are sorted at once, alike but for ten: the share of these.
  std::vector<double> logits(5000);
  for (int i = 0; i < 10; ++i) logits[497 * i] = std::log(100.0);
  data::Random random(2, 0);
  const auto share = [&](const SamplingOptions& options) {
    int hits = 0;
    for (int i = 0; i < 3000; ++i) hits += sample(logits, options, random) % 497 == 0;
    return hits / 3000.0;
  };
  EXPECT_NEAR(share({}), 1001.0 / 5990, 0.025);
  EXPECT_NEAR(share({.top_k = 1000}), 1000.0 / 1990, 0.03);
  EXPECT_NEAR(share({.top_p = 0.5}), 1000.0 / 2995, 0.03);
  EXPECT_EQ(share({.top_k = 10}), 1);
  EXPECT_EQ(share({.min_p = 0.02}), 1);
}

TEST(LanguageModel, ReadersGenerateBehindWhatTheyHaveRead) {
  Gpt model(7, {.layers = 1, .heads = 2, .width = 8, .block = 16});
  model.eval();
  const SamplingOptions greedy{.temperature = 0};
  const std::vector<int64_t> all = generate(model, {1, 2, 3}, 8, greedy);
  const auto reader = model.reader();
  reader->next(1);
  data::Random random(1, 0);
  std::vector<int64_t> shown;
  const auto out = generate(*reader, {2, 3}, 8, greedy, random,
                            [&](int64_t token) {
                              shown.push_back(token);
                              return shown.size() < 5;
                            },
                            {1});
  EXPECT_EQ(out, std::vector<int64_t>(all.begin(), all.begin() + 4));
  EXPECT_EQ(shown, std::vector<int64_t>(all.begin(), all.begin() + 5));
  EXPECT_THROW(reader->rewind(0), Error);
  EXPECT_THROW(reader->read({}), ValueError);
}

TEST(LanguageModel, TheSameSeedWritesTheSame) {
  Gpt model(7, {.layers = 1, .heads = 2, .width = 8, .block = 6});
  model.eval();
  EXPECT_EQ(generate(model, {1}, 20, {}, 5), generate(model, {1}, 20, {}, 5));
  EXPECT_NE(generate(model, {1}, 20, {}, 5), generate(model, {1}, 20, {}, 6));
  EXPECT_EQ(generate(model, {1}, 0).size(), 0u);
  EXPECT_THROW(generate(model, {}, 3), ValueError);
}

TEST(Trees, AreReadFromBrackets) {
  const auto all = read_trees("(3 (2 It) (4 (2 works) (3 well)))\n( (NP the (NN cat)) ) (X)");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].parents, (std::vector<int64_t>{-1, 0, 0, 2, 2}));
  EXPECT_EQ(all[0].labels, (std::vector<std::string>{"3", "2", "4", "2", "3"}));
  EXPECT_EQ(all[0].words, (std::vector<std::string>{"", "It", "", "works", "well"}));
  EXPECT_EQ(all[1].parents, (std::vector<int64_t>{-1, 0, 1, 1}));
  EXPECT_EQ(all[1].words, (std::vector<std::string>{"", "", "the", "cat"}));
  EXPECT_EQ(read_trees("(S a b)")[0].words, (std::vector<std::string>{"", "a", "b"}));
  EXPECT_EQ(read_trees("").size(), 0u);
  EXPECT_THROW(read_trees("(a (b)"), ValueError);
  EXPECT_THROW(read_trees("(a))"), ValueError);
  EXPECT_THROW(read_trees("a"), ValueError);
  const std::string deep(200000, '(');
  EXPECT_THROW(read_trees(deep), ValueError);
  EXPECT_EQ(read_trees(deep + std::string(200000, ')'))[0].parents.size(), 200000u);
  EXPECT_EQ(nn::Forest({all[0], all[1]}).levels().size(), 3u);
}

}  // namespace
}  // namespace glia::text
