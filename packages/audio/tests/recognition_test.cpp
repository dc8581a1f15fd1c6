// What is written is compared, decoded and aligned: known counts, brute force, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "glia/audio/ctc.h"
#include "glia/audio/errors.h"
#include "glia/audio/hmm.h"
#include "glia/audio/transducer.h"
#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using test::expect_same;
using test::expect_values;
using Labels = std::vector<int64_t>;

Tensor log_probs(int64_t frames, int64_t classes, double phase = 0) {
  return log_softmax(3 * test::numbers({frames, classes}, phase));
}

TEST(ErrorRates, KnownCounts) {
  const EditCounts kitten = edit_counts(characters_of("kitten"), characters_of("sitting"));
  EXPECT_EQ(kitten.substitutions, 2);
  EXPECT_EQ(kitten.insertions, 1);
  EXPECT_EQ(kitten.deletions, 0);
  EXPECT_EQ(kitten.hits, 4);
  EXPECT_DOUBLE_EQ(kitten.rate(), 0.5);
  EXPECT_DOUBLE_EQ(wer({"the cat sat"}, {"the  cat\tsat\n"}), 0);
  EXPECT_DOUBLE_EQ(wer({"a b c", "d"}, {"a c", "d e"}), 0.5);
  EXPECT_DOUBLE_EQ(wer({"a"}, {"b c d"}), 3);
  EXPECT_DOUBLE_EQ(wer({""}, {""}), 0);
  EXPECT_DOUBLE_EQ(wer({""}, {"a"}), 1);
  EXPECT_DOUBLE_EQ(wer({"a b"}, {""}), 1);
  EXPECT_DOUBLE_EQ(cer({" h\xc3\xa9llo "}, {"hallo"}), 0.2) << "a character of two bytes";
  EXPECT_EQ(characters_of("\xff\x80\x80\x80\x80\x80").size(), 2u) << "bytes that are no UTF-8";
  EXPECT_THROW(wer({"a"}, {}), ValueError);
}

TEST(Ctc, GreedyLeavesOutBlanksAndRepeats) {
  const Labels frames{0, 1, 1, 0, 1, 2, 2, 0};
  const Tensor p = log_softmax(5 * one_hot(from_vector(frames, {8}), 3));
  EXPECT_EQ(ctc_greedy(p), (Labels{1, 1, 2}));
  EXPECT_EQ(ctc_greedy(p, 2), (Labels{0, 1, 0, 1, 0}));
  EXPECT_EQ(ctc_greedy(zeros({0, 3})), Labels{});
}

// Of each label sequence the probability of all its paths, and the best path.
struct Paths {
  std::map<Labels, double> sums, best;
  Paths(const Tensor& p, int64_t blank) {
    const int64_t frames = p.size(0), classes = p.size(1);
    const auto v = p.to_vector<double>();
    const auto count = static_cast<int64_t>(std::pow(classes, frames));
    for (int64_t code = 0; code < count; ++code) {
      Labels labels;
      double score = 0;
      int64_t before = blank;
      for (int64_t t = 0, rest = code; t < frames; ++t, rest /= classes) {
        const int64_t c = rest % classes;
        score += v[t * classes + c];
        if (c != blank && c != before) labels.push_back(c);
        before = c;
      }
      sums[labels] += std::exp(score);
      auto [at, added] = best.try_emplace(labels, score);
      at->second = std::max(at->second, score);
    }
  }
};

TEST(Ctc, SearchAndAlignmentAreThoseOfAllPaths) {
  for (const int64_t blank : {0, 2}) {
    const Tensor p = log_probs(6, 3, static_cast<double>(blank));
    const Paths paths(p, blank);
    const auto found = ctc_beam_search(p, {.beam_width = 10000, .nbest = 10000, .blank = blank});
    ASSERT_EQ(found.size(), paths.sums.size());
    for (const Hypothesis& h : found) EXPECT_NEAR(h.score, std::log(paths.sums.at(h.tokens)), 1e-9);
    EXPECT_TRUE(std::ranges::is_sorted(found, std::greater(), &Hypothesis::score));
    // The narrow beam finds the best one here, and its loss is that of ctc_loss().
    const auto narrow = ctc_beam_search(p, {.beam_width = 8, .blank = blank});
    ASSERT_EQ(narrow.size(), 1u);
    EXPECT_EQ(narrow[0].tokens, found[0].tokens);
    const Labels& best = found[0].tokens;
    const auto length = static_cast<int64_t>(best.size());
    EXPECT_NEAR(-found[0].score,
                ctc_loss(p, from_vector(best, {length}), tensor<int64_t>(6), tensor(length),
                         {.blank = blank, .reduction = Reduction::kSum})
                    .item(),
                1e-9);
    for (const auto& [labels, score] : paths.best) {
      const CtcAlignment a = ctc_forced_align(p, labels, blank);
      EXPECT_NEAR(a.score, score, 1e-9);
      ASSERT_EQ(a.tokens.size(), labels.size());
      for (size_t i = 0; i < labels.size(); ++i) {
        EXPECT_EQ(a.tokens[i].token, labels[i]);
        EXPECT_LT(a.tokens[i].start, a.tokens[i].end);
        EXPECT_GE(a.tokens[i].start, i == 0 ? 0 : a.tokens[i - 1].end);
        EXPECT_EQ(a.path[static_cast<size_t>(a.tokens[i].start)], labels[i]);
      }
    }
  }
}

TEST(Ctc, ALanguageModelDecides) {
  // Frames that say "a" or "b" evenly behind "x"; the model knows "x b".
  const NgramModel model =
      NgramModel::estimate({{"x", "b"}, {"x", "b"}, {"a", "x", "b"}, {"b", "x"}}, {.order = 2});
  const FusionOptions words{.tokens = {"", "a", "b", "x"}, .alpha = 1, .beta = 0};
  const double even = std::log(0.45);
  const Tensor p = tensor<double>({{-9, -9, -9, -0.001}, {-3, even + 0.01, even, -9}});
  EXPECT_EQ(ctc_beam_search(p)[0].tokens, (Labels{3, 1}));
  const auto best = ctc_beam_search(p, model, words)[0];
  EXPECT_EQ(best.tokens, (Labels{3, 2}));
  // The score is that of its paths and that of the model, its end among it.
  const double paths = ctc_beam_search(p, {.beam_width = 1000, .nbest = 1000})[1].score;
  EXPECT_NEAR(best.score, paths + std::log(10) * model.score_sentence({"x", "b"}), 1e-9);
  // A word bonus adds itself for each word; candidates leave the rest out.
  FusionOptions bonus = words;
  bonus.beta = 2;
  EXPECT_NEAR(ctc_beam_search(p, model, bonus)[0].score, best.score + 4, 1e-9);
  EXPECT_EQ(ctc_beam_search(p, {.candidates = 1})[0].tokens, (Labels{3, 1}));
  // Written in characters, words end at the separator.
  const FusionOptions letters{.tokens = {"", "a", "b", "x", " "}, .separator = " ", .alpha = 1};
  const Tensor q = tensor<double>(
      {{-9, -9, -9, -0.001, -9}, {-9, -9, -9, -9, -0.001}, {-3, even + 0.01, even, -9, -9}});
  const auto spelt = ctc_beam_search(q, model, letters)[0];
  EXPECT_EQ(spelt.tokens, (Labels{3, 4, 2}));
  EXPECT_NEAR(spelt.score,
              ctc_beam_search(q, {.beam_width = 1000, .nbest = 1000})[1].score +
                  std::log(10) * model.score_sentence({"x", "b"}),
              1e-9);
}

TEST(Ctc, BadArgumentsAreNamed) {
  const Tensor p = log_probs(3, 4);
  EXPECT_THROW(ctc_greedy(p, 4), ValueError);
  EXPECT_THROW(ctc_greedy(p, -1), ValueError);
  EXPECT_THROW(ctc_greedy(zeros({3})), ShapeError);
  EXPECT_THROW(ctc_greedy(full({2, 2}, std::nan(""))), ValueError);
  EXPECT_THROW(ctc_beam_search(p, {.beam_width = 0}), ValueError);
  EXPECT_THROW(ctc_beam_search(p, {.candidates = -1}), ValueError);
  EXPECT_THROW(ctc_beam_search(p, NgramModel(), {.tokens = {"", "a", "b", "c"}}), ValueError);
  EXPECT_THROW(ctc_beam_search(p, NgramModel::estimate({{"a"}}), {.tokens = {"", "a"}}),
               ValueError);
  EXPECT_THROW(ctc_forced_align(p, {1, 1, 1}), ValueError) << "blanks between need more frames";
  EXPECT_THROW(ctc_forced_align(p, {0}), ValueError);
  EXPECT_THROW(ctc_forced_align(p, {4}), ValueError);
  EXPECT_EQ(ctc_forced_align(zeros({0, 2}), {}).score, 0);
}

// ---- Transducers ------------------------------------------------------------------------------

// Over all ways of mixing the blanks of each frame with the labels.
double probability_of(const std::vector<double>& p, int64_t frames, int64_t width, int64_t classes,
                      const Labels& labels, int64_t blank, int64_t t = 0, int64_t u = 0) {
  const auto at = [&](int64_t c) {
    return std::exp(p[static_cast<size_t>((t * width + u) * classes + c)]);
  };
  if (t == frames) return u == static_cast<int64_t>(labels.size()) ? 1 : 0;
  double sum = at(blank) * probability_of(p, frames, width, classes, labels, blank, t + 1, u);
  if (u < static_cast<int64_t>(labels.size()))
    sum += at(labels[static_cast<size_t>(u)]) *
           probability_of(p, frames, width, classes, labels, blank, t, u + 1);
  return sum;
}

TEST(Transducer, LossIsThatOfAllWays) {
  const int64_t frames = 4, labels = 3, classes = 5;
  const Tensor logits = 2 * test::numbers({3, frames, labels + 1, classes});
  const Tensor targets = from_vector(Labels{1, 2, 1, 3, 3, 0, 0, 0, 0}, {3, labels});
  const Tensor frame_counts = tensor<int64_t>({4, 3, 2}), label_counts = tensor<int64_t>({3, 2, 0});
  const Tensor losses =
      rnnt_loss(logits, targets, frame_counts, label_counts, {.reduction = Reduction::kNone});
  const std::vector<Labels> said{{1, 2, 1}, {3, 3}, {}};
  std::vector<double> want;
  for (int64_t n = 0; n < 3; ++n)
    want.push_back(-std::log(probability_of(log_softmax(index(logits, {n})).to_vector<double>(),
                                            frame_counts.data<int64_t>()[n], labels + 1, classes,
                                            said[static_cast<size_t>(n)], classes - 1)));
  expect_values(losses, {3}, want, 1e-10);
  EXPECT_NEAR(rnnt_loss(logits, targets, frame_counts, label_counts).item(),
              std::accumulate(want.begin(), want.end(), 0.0) / 3, 1e-10);

  // The gradient by differences, in every number; nothing beyond the lengths.
  const Tensor x = trainable(logits);
  const Tensor g = gradients(
      rnnt_loss(x, targets, frame_counts, label_counts, {.reduction = Reduction::kSum}), {x})[0];
  const auto values = logits.to_vector<double>(), slopes = g.to_vector<double>();
  for (size_t i = 0; i < values.size(); i += 7) {
    const auto moved = [&](double by) {
      std::vector<double> other = values;
      other[i] += by;
      return rnnt_loss(from_vector(other, logits.shape()), targets, frame_counts, label_counts,
                       {.reduction = Reduction::kSum})
          .item();
    };
    EXPECT_NEAR(slopes[i], (moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-8) << i;
  }
  expect_same(sum(abs(index(g, {2, Slice{2}}))), zeros({}, kF64));
  // Clamped, in f32, and with another blank.
  const Tensor c = gradients(rnnt_loss(x, targets, frame_counts, label_counts,
                                       {.clamp = 0.1, .reduction = Reduction::kSum}),
                             {x})[0];
  expect_same(c, clamp(g, -0.1, 0.1), 1e-12);
  expect_same(rnnt_loss(cast(logits, kF32), targets, frame_counts, label_counts,
                        {.reduction = Reduction::kNone}),
              losses, 1e-5);
  const Tensor rolled = concat({slice(logits, -1, {4, 5}), slice(logits, -1, {0, 4})}, -1);
  expect_same(rnnt_loss(rolled, targets + 1, frame_counts, label_counts,
                        {.blank = 0, .reduction = Reduction::kNone}),
              losses, 1e-12);
}

TEST(Transducer, BadArgumentsAreNamed) {
  const Tensor x = zeros({1, 2, 3, 4}), labels = zeros({1, 2}, kI64);
  const auto loss = [&](const Tensor& logits, const Tensor& targets, int64_t frames, int64_t count,
                        int64_t blank = -1) {
    return rnnt_loss(logits, targets, from_vector(Labels{frames}, {1}),
                     from_vector(Labels{count}, {1}), {.blank = blank})
        .item();
  };
  EXPECT_NEAR(loss(x, labels, 2, 2), -std::log(3 * std::pow(0.25, 4)), 1e-5);
  EXPECT_THROW(loss(x, labels, 3, 2), ValueError);
  EXPECT_THROW(loss(x, labels, 0, 2), ValueError);
  EXPECT_THROW(loss(x, labels, 2, 3), ValueError);
  EXPECT_THROW(loss(x, labels, 2, -1), ValueError);
  EXPECT_THROW(loss(x, labels, INT64_MAX, INT64_MIN), ValueError);
  EXPECT_THROW(loss(x, labels, 2, 2, 0), ValueError) << "the label is the blank";
  EXPECT_THROW(loss(x, labels + 4, 2, 2), ValueError);
  EXPECT_THROW(loss(x, labels, 2, 2, 4), ShapeError);
  EXPECT_THROW(loss(x, zeros({1, 3}, kI64), 2, 2), ShapeError);
  EXPECT_THROW(loss(x, zeros({1, 2}), 2, 2), ShapeError);
  EXPECT_THROW(loss(zeros({2, 3, 4}), labels, 2, 2), ShapeError);
  EXPECT_THROW(loss(Tensor(), labels, 2, 2), ShapeError);
}

// ---- Hidden Markov models -----------------------------------------------------------------------

TEST(Hmm, FindsTheWordsThatWereSaid) {
  const WordHmm hmm(3, {.states_per_word = 2, .silence_states = 1});
  EXPECT_EQ(hmm.states(), 7);
  // Silence, word 1, word 1 again, word 0, silence: states 6, 2, 3, 2, 3, 0, 1, 6.
  const Labels said{6, 6, 2, 2, 3, 3, 2, 3, 0, 0, 0, 1, 6};
  const auto frames = static_cast<int64_t>(said.size());
  const Tensor p = log_softmax(6 * one_hot(from_vector(said, {frames}), 7, kF64));
  const auto found = hmm.decode(p);
  EXPECT_EQ(found.words, (Labels{1, 1, 0}));
  EXPECT_EQ(found.states, said);
  const auto aligned = hmm.align(p, {1, 1, 0});
  EXPECT_EQ(aligned.states, said);
  EXPECT_NEAR(aligned.score, found.score, 1e-9);
  EXPECT_NEAR(hmm.decode(p, -2).score, found.score - 6, 1e-9);
  EXPECT_LT(hmm.align(p, {2, 1, 0}).score, aligned.score);
  EXPECT_EQ(hmm.align(p, {}).states, Labels(said.size(), 6)) << "nothing but silence";
  EXPECT_EQ(hmm.flat_start(8, {2, 0}), (Labels{4, 4, 5, 5, 0, 0, 1, 1}));
  expect_values(scaled_likelihoods(tensor<double>({{-1, -2}}), tensor<double>({1, 0})), {1, 2},
                {-1, -2 + std::log(1e8)}, 1e-9);
}

TEST(Hmm, TheBestWayIsThatOfAll) {
  // All ways through one word of three states, which take as many frames each.
  const WordHmm hmm(1, {.states_per_word = 3, .silence_states = 0, .stay = 0.6});
  const Tensor p = log_probs(6, 3);
  const auto v = p.to_vector<double>();
  double best = -HUGE_VAL;
  for (int64_t a = 1; a < 5; ++a)
    for (int64_t b = a + 1; b < 6; ++b) {
      double score = 3 * std::log(0.6) + 2 * std::log(0.4);
      for (int64_t t = 0; t < 6; ++t) score += v[t * 3 + (t < a ? 0 : t < b ? 1 : 2)];
      best = std::max(best, score);
    }
  EXPECT_NEAR(hmm.align(p, {0}).score, best, 1e-12);
  EXPECT_THROW(hmm.align(slice(p, 0, {0, 2}), {0}), ValueError);
  EXPECT_THROW(hmm.align(p, {1}), ValueError);
  EXPECT_THROW(hmm.align(p, {}), ValueError);
  EXPECT_THROW(hmm.align(zeros({6, 4}), {0}), ShapeError);
  EXPECT_THROW(hmm.flat_start(2, {0}), ValueError);
  EXPECT_THROW(hmm.decode(full({2, 3}, std::nan(""))), ValueError);
  EXPECT_TRUE(hmm.decode(slice(p, 0, {0, 2})).words.empty()) << "too short for any word";
  EXPECT_THROW(WordHmm(0), ValueError);
  EXPECT_THROW(WordHmm(1, {.states_per_word = 0}), ValueError);
  EXPECT_THROW(WordHmm(1, {.stay = 1}), ValueError);
}

}  // namespace
}  // namespace glia::audio
