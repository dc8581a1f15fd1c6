// How good recommendations are.
#pragma once

#include <cstdint>

#include "glia/recommend/model.h"

namespace glia::recommend {

// Of what is foretold of the rows: root of the mean square, mean absolute error. Throw ValueError
// without rows.
double rmse(const RatingModel& model, const Interactions& test);
double mae(const RatingModel& model, const Interactions& test);
// Of pairs of a user's rows whose ratings differ, the share in the right order (Koren & Sill 2013).
double fcp(const RatingModel& model, const Interactions& test);

struct RankingOptions {
  int64_t k = 10;
  // Each row is ranked among so many items that are drawn (without what the user has), as He et
  // al. 2017 do: higher numbers, which say little (Krichene & Rendle 2020). 0: among all.
  int64_t sampled_negatives = 0;
  uint64_t random_state = 0;
};
// Means over users that have rows in the test, of the k best items that they did not have in the
// training data. Items of equal score count as RecBole's would in the least lucky order: those of
// the test come last.
struct Ranking {
  double hit = 0, recall = 0, precision = 0, ndcg = 0, map = 0, mrr = 0;
  double coverage = 0;  // the share of all items that anybody is recommended
  double novelty = 0;   // mean of -log2 of the share of users that have the item (Zhou et al. 2010)
  double popularity = 0;  // mean of how many users have it
  int64_t users = 0;
  bool is_sampled = false;
};
// Throws ValueError for options out of range and a test without rows.
Ranking rank(const Recommender& model, const Interactions& test,
             const RankingOptions& options = {});

}  // namespace glia::recommend
