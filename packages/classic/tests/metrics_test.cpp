// Scores of clusterings, beside values of scikit-learn 1.9.1.
#include "glia/classic/metrics.h"

#include <gtest/gtest.h>

#include "glia/error.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

using Labels = std::vector<int64_t>;

ClusteringScores scores(const Labels& a, const Labels& b) {
  return clustering_scores(from_vector(a, {static_cast<int64_t>(a.size())}),
                           from_vector(b, {static_cast<int64_t>(b.size())}));
}

void expect(const ClusteringScores& s, const std::vector<double>& values) {
  EXPECT_NEAR(s.homogeneity, values[0], 1e-12);
  EXPECT_NEAR(s.completeness, values[1], 1e-12);
  EXPECT_NEAR(s.v_measure, values[2], 1e-12);
  EXPECT_NEAR(s.adjusted_rand, values[3], 1e-12);
  EXPECT_NEAR(s.adjusted_mutual_info, values[4], 1e-9);
}

TEST(Metrics, AreScikitLearns) {
  expect(scores({0, 0, 1, 1, 2, 2, 2, 0}, {0, 0, 1, 2, 2, 2, 1, 0}),
         {0.6193113011326309, 0.6193113011326309, 0.6193113011326309, 0.42857142857142855,
          0.41288346463404263});
  expect(scores({0, 0, 0, 0}, {0, 1, 2, 3}), {1, 0, 0, 0, 0});
  expect(scores({0, 1, 2, 3}, {0, 0, 0, 0}), {0, 1, 0, 0, 0});
}

TEST(Metrics, NamesOfClustersDoNotCount) {
  expect(scores({0, 0, 1, 1, 2}, {7, 7, -3, -3, 1000}), {1, 1, 1, 1, 1});
  expect(scores({0, 0, 0}, {5, 5, 5}), {1, 1, 1, 1, 1});
  expect(scores({0}, {3}), {1, 1, 1, 1, 1});
  expect(scores({0, 1, 2}, {2, 1, 0}), {1, 1, 1, 1, 1});
}

TEST(Metrics, WhatFitsNotIsRefused) {
  EXPECT_THROW(scores({}, {}), ShapeError);
  EXPECT_THROW(scores({0, 1}, {0}), ShapeError);
  EXPECT_THROW(clustering_scores(zeros({3}), zeros({3}, kI64)), ShapeError);
  EXPECT_THROW(clustering_scores(zeros({3, 1}, kI64), zeros({3, 1}, kI64)), ShapeError);
}

}  // namespace
}  // namespace glia::classic
