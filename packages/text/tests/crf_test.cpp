#include "glia/text/crf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::text {
namespace {

constexpr int64_t kTags = 3, kPlaces = 4;

struct Case {
  Tensor emissions = randn({2, kPlaces, kTags}, kF64), lengths = tensor<int64_t>({4, 2});
  CrfWeights weights{randn({kTags, kTags}, kF64), randn({kTags}, kF64), randn({kTags}, kF64)};
};

// All sequences of tags and their scores, one after the other.
struct Paths {
  std::vector<std::vector<int64_t>> tags;
  std::vector<double> scores;
};
Paths all_paths(const Case& c, int64_t n, int64_t length) {
  const auto e = c.emissions.to_vector<double>(), t = c.weights.transitions.to_vector<double>(),
             s = c.weights.start.to_vector<double>(), f = c.weights.end.to_vector<double>();
  Paths out;
  const auto count = static_cast<int64_t>(std::pow(kTags, length));
  for (int64_t code = 0; code < count; ++code) {
    std::vector<int64_t> tags;
    for (int64_t i = 0, rest = code; i < length; ++i, rest /= kTags) tags.push_back(rest % kTags);
    double score = s[tags[0]] + f[tags[length - 1]];
    for (int64_t i = 0; i < length; ++i) {
      score += e[(n * kPlaces + i) * kTags + tags[i]];
      if (i > 0) score += t[tags[i - 1] * kTags + tags[i]];
    }
    out.tags.push_back(tags);
    out.scores.push_back(score);
  }
  return out;
}

TEST(Crf, IsWhatAllSequencesGive) {
  manual_seed(1);
  const Case c;
  const auto log_z = crf_log_partition(c.emissions, c.lengths, c.weights).to_vector<double>();
  const auto best = crf_decode(c.emissions, c.lengths, c.weights);
  const auto marginals = crf_marginals(c.emissions, c.lengths, c.weights).to_vector<double>();
  for (int64_t n = 0; n < 2; ++n) {
    const int64_t length = n == 0 ? 4 : 2;
    const Paths paths = all_paths(c, n, length);
    double z = 0;
    size_t top = 0;
    for (size_t i = 0; i < paths.scores.size(); ++i) {
      z += std::exp(paths.scores[i]);
      if (paths.scores[i] > paths.scores[top]) top = i;
    }
    EXPECT_NEAR(log_z[n], std::log(z), 1e-12);
    EXPECT_EQ(best[n].tags, paths.tags[top]);
    EXPECT_NEAR(best[n].score, paths.scores[top], 1e-12);
    for (int64_t t = 0; t < kPlaces; ++t)
      for (int64_t k = 0; k < kTags; ++k) {
        double share = 0;
        for (size_t i = 0; i < paths.scores.size(); ++i)
          if (t < length && paths.tags[i][t] == k) share += std::exp(paths.scores[i]) / z;
        EXPECT_NEAR(marginals[(n * kPlaces + t) * kTags + k], share, 1e-12);
      }
  }
}

TEST(Crf, ScoresTagsAndLeavesOutWhatIsBehind) {
  manual_seed(2);
  const Case c;
  const Tensor tags = from_vector(std::vector<int64_t>{0, 1, 2, 0, 2, 1, -7, 99}, {2, kPlaces});
  const auto scores = crf_score(c.emissions, tags, c.lengths, c.weights).to_vector<double>();
  EXPECT_NEAR(scores[0], all_paths(c, 0, 4).scores[0 + 1 * 3 + 2 * 9 + 0], 1e-12);
  EXPECT_NEAR(scores[1], all_paths(c, 1, 2).scores[2 + 1 * 3], 1e-12);
}

TEST(Crf, HasTheGradientOfDifferences) {
  manual_seed(3);
  const Case c;
  const Tensor tags = from_vector(std::vector<int64_t>{0, 1, 2, 0, 2, 1, 0, 0}, {2, kPlaces});
  EXPECT_EQ(gradcheck(
                [&](const std::vector<Tensor>& in) {
                  return crf_log_likelihood(in[0], tags, c.lengths, {in[1], in[2], in[3]});
                },
                {c.emissions, c.weights.transitions, c.weights.start, c.weights.end}),
            "");
}

TEST(Crf, KeepsToWhatIsImpossible) {
  Case c;
  c.emissions = zeros({1, 3, 2}, kF64);
  c.lengths = tensor<int64_t>({3});
  // Tag 1 never follows tag 0, by weights far beyond what exp() of them holds.
  c.weights = {from_vector(std::vector<double>{0, -1e4, 0, 0}, {2, 2}), {}, {}};
  // 000, 100, 110 and 111 remain.
  EXPECT_NEAR(crf_log_partition(c.emissions, c.lengths, c.weights).item(), std::log(4.0), 1e-9);
  c.weights.start = from_vector(std::vector<double>{0, -1e6}, {2});
  c.weights.end = from_vector(std::vector<double>{-1e6, 0}, {2});
  // 001 and 011 with one such step, and 111 from a start as bad as 1e6: the first two.
  EXPECT_NEAR(crf_log_partition(c.emissions, c.lengths, c.weights).item(), -1e4 + std::log(2.0),
              1e-9);
}

TEST(Crf, SaysWhatDoesNotFit) {
  const Case c;
  EXPECT_THROW(crf_log_partition(zeros({2, 3}), c.lengths, {}), ShapeError);
  EXPECT_THROW(crf_log_partition(c.emissions, zeros({2}), {}), ShapeError);
  EXPECT_THROW(crf_log_partition(c.emissions, c.lengths, {zeros({2, 2}), {}, {}}), ShapeError);
  EXPECT_THROW(sum(crf_log_partition(c.emissions, tensor<int64_t>({0, 2}), {})).item(), ValueError);
  EXPECT_THROW(crf_decode(c.emissions, tensor<int64_t>({5, 2}), {}), ValueError);
  EXPECT_THROW(Crf(0), ShapeError);
  EXPECT_TRUE(crf_decode(zeros({0, 4, 3}), zeros({0}, kI64), {}).empty());
}

}  // namespace
}  // namespace glia::text
