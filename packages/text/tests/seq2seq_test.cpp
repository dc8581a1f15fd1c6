// The model of translation: padding, searches, gradients; and texts as numbers.
#include "glia/text/seq2seq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/text/vocabulary.h"

namespace glia::text {
namespace {

using Numbers = std::vector<int64_t>;

TEST(Vocabulary, NumbersCharacters) {
  EXPECT_EQ(characters("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8D"),
            (std::vector<std::string>{"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8D"}));
  for (const std::string bad :
       {"\x80", "\xFF", "\xC3", "\xE2\x82", "\xF8\x80\x80\x80\x80", "\xC3z"}) {
    std::string joined;
    for (const std::string& c : characters(bad)) joined += c;
    EXPECT_EQ(joined, bad) << "nothing is lost";
  }
  const Vocabulary v = Vocabulary::of_characters({"bca", "ab\xC3\xA9"});
  EXPECT_EQ(v.size(), 8);
  EXPECT_EQ(v.encode("ab?\xC3\xA9"), (Numbers{4, 5, Vocabulary::kUnknown, 7}));
  EXPECT_EQ(v.decode(v.encode("ab?\xC3\xA9")), "ab\xC3\xA9");
  EXPECT_EQ(v.decode(Numbers{4, 0, -9, 99, 5, Vocabulary::kEnd, 6}), "ab");
  EXPECT_EQ(v.shown(Vocabulary::kUnknown) + v.shown(Vocabulary::kPad) + v.shown(4), "?a");
  EXPECT_THROW(Vocabulary({"a", "a"}), Error);
  EXPECT_THROW(Vocabulary({""}), Error);
}

Seq2Seq small() {
  manual_seed(1);
  return Seq2Seq(9, 8, {.embedding = 5, .hidden = 6});
}

TEST(Seq2Seq, PaddingChangesNothing) {
  const Seq2Seq model = small();
  const Tensor target = tensor<int64_t>({{1, 4, 5}, {1, 6, 4}});
  const Tensor both =
      model(tensor<int64_t>({{4, 5, 6, 0, 0}, {7, 8, 4, 5, 6}}), tensor<int64_t>({3, 5}), target);
  EXPECT_EQ(both.shape(), Shape({2, 3, 8}));
  const Tensor alone =
      model(tensor<int64_t>({{4, 5, 6}}), tensor<int64_t>({3}), index(target, {Slice{0, 1}}));
  EXPECT_LT(max(abs(index(both, {Slice{0, 1}}) - alone)).item(), 1e-6);
  const Tensor filled =
      model(tensor<int64_t>({{4, 5, 6, 8, 7}, {7, 8, 4, 5, 6}}), tensor<int64_t>({3, 5}), target);
  EXPECT_LT(max(abs(both - filled)).item(), 1e-6) << "whatever stands there";
  const auto memory = model.encode(tensor<int64_t>({{4, 5, 6, 0, 0}}), tensor<int64_t>({3}));
  const auto step = model.step(memory, tensor<int64_t>({1}), memory.start);
  EXPECT_EQ(sum(index(step.attention, {0, Slice{3}})).item(), 0);
  EXPECT_NEAR(sum(step.attention).item(), 1, 1e-6);
  EXPECT_THROW(model.encode(zeros({2}, kI64), zeros({2}, kI64)), ShapeError);
  EXPECT_THROW(model.encode(zeros({2, 0}, kI64), zeros({2}, kI64)), ShapeError);
  EXPECT_THROW(model.encode(zeros({2, 3}, kI64), zeros({3}, kI64)), ShapeError);
}

TEST(Seq2Seq, WhatIsForcedIsWhatStepsGive) {
  const Seq2Seq model = small();
  const Tensor source = tensor<int64_t>({{4, 5, 6, 7}}), lengths = tensor<int64_t>({4});
  const Translation best = greedy(model, source, lengths, 6)[0];
  ASSERT_FALSE(best.tokens.empty());
  Numbers forced{Vocabulary::kStart};
  forced.insert(forced.end(), best.tokens.begin(), best.tokens.end());
  const Tensor logs = log_softmax(
      model(source, lengths, from_vector(forced, {1, static_cast<int64_t>(forced.size())})));
  double sum = 0;
  for (int64_t t = 0; t < best.attention.size(0); ++t) {
    const bool end = t == static_cast<int64_t>(best.tokens.size());
    sum += index(logs, {0, t, end ? Vocabulary::kEnd : best.tokens[t]}).item();
  }
  EXPECT_NEAR(best.log_probability, sum, 1e-5);
  EXPECT_EQ(best.attention.size(1), 4);
  EXPECT_TRUE(greedy(model, source, lengths, 0)[0].tokens.empty());
}

// Every translation of up to `most` tokens, by its probability.
void enumerate(const Seq2Seq& model, const Seq2Seq::Memory& memory, const Tensor& state,
               int64_t token, double before, Numbers* so_far, int64_t most,
               std::map<Numbers, double>* all) {
  const auto next = model.step(memory, tensor<int64_t>({token}), state);
  const auto p = log_softmax(next.logits).to_vector<double>();
  for (int64_t k = 0; k < static_cast<int64_t>(p.size()); ++k) {
    if (k == Vocabulary::kEnd) {
      (*all)[*so_far] = before + p[k];
      continue;
    }
    so_far->push_back(k);
    if (static_cast<int64_t>(so_far->size()) == most)
      (*all)[*so_far] = before + p[k];
    else
      enumerate(model, memory, next.state, k, before + p[k], so_far, most, all);
    so_far->pop_back();
  }
}

TEST(Seq2Seq, AWideBeamFindsTheBest) {
  const Seq2Seq model = small();
  const Tensor source = tensor<int64_t>({4, 5, 6, 7});
  std::map<Numbers, double> all;
  Numbers none;
  {
    const NoGrad off;
    const auto memory = model.encode(unsqueeze(source, 0), tensor<int64_t>({4}));
    enumerate(model, memory, memory.start, Vocabulary::kStart, 0, &none, 3, &all);
  }
  std::vector<double> best;
  for (const auto& [tokens, p] : all) best.push_back(p);
  std::ranges::sort(best, std::greater());
  const auto found = beam(model, source, 80, 3);
  ASSERT_EQ(found.size(), 80u);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i].log_probability, best[i], 1e-5) << i;
    EXPECT_NEAR(found[i].log_probability, all.at(found[i].tokens), 1e-5) << i;
    EXPECT_EQ(found[i].attention.size(1), 4);
  }
  // A beam of one is greedy.
  const Translation g = greedy(model, unsqueeze(source, 0), tensor<int64_t>({4}), 5)[0];
  const auto narrow = beam(model, source, 1, 5);
  ASSERT_EQ(narrow.size(), 1u);
  EXPECT_GE(narrow[0].log_probability, g.log_probability - 1e-6) << "greedy, or better";
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, INT64_MAX})
    EXPECT_THROW(beam(model, source, bad, 3), ValueError);
  EXPECT_THROW(beam(model, zeros({0}, kI64), 2, 3), ShapeError);
  EXPECT_THROW(beam(model, zeros({1, 3}, kI64), 2, 3), ShapeError);
  EXPECT_EQ(beam(model, source, 3, 0).size(), 1u) << "nothing was written";
}

TEST(Seq2Seq, LearnsToReverse) {
  manual_seed(0);
  Seq2Seq model(Vocabulary::kSpecial + 5, Vocabulary::kSpecial + 5,
                {.embedding = 12, .hidden = 24});
  optim::Adam optimizer(model.parameters(), {.lr = 1e-2});
  constexpr int64_t kLength = 5;
  const auto batch = [](int64_t n) {
    return randint(Vocabulary::kSpecial, Vocabulary::kSpecial + 5, {n, kLength});
  };
  const auto backwards = [](const Tensor& x) { return index(x, {Slice{}, Slice{.step = -1}}); };
  for (int step = 0; step < 250; ++step) {
    const Tensor source = batch(32), target = backwards(source);
    const Tensor start = full({32, 1}, Vocabulary::kStart, kI64);
    const Tensor end = full({32, 1}, Vocabulary::kEnd, kI64);
    const Tensor logits = model(source, full({32}, kLength, kI64), concat({start, target}, 1));
    const Tensor loss = cross_entropy(logits, concat({target, end}, 1));
    optimizer.step(gradients(loss, model.parameters()));
  }
  const Tensor test = batch(100);
  const auto out = greedy(model, test, full({100}, kLength, kI64), 8);
  const Tensor want = backwards(test);
  int right = 0;
  for (int64_t i = 0; i < 100; ++i) right += out[i].tokens == index(want, {i}).to_vector<int64_t>();
  EXPECT_GE(right, 90);
}

}  // namespace
}  // namespace glia::text
