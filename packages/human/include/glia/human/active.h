// Active learning: which samples a person should label next (Settles 2009).
//
// Probabilities are (N, classes) of samples without labels; a position is one of the N. Functions
// throw ShapeError for what does not fit and ValueError for numbers out of range.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/tensor.h"

namespace glia::human {

// ---- How much a label would tell, (N) f64: the more the better ----------------------------------

Tensor uncertainty(const Tensor& probabilities);  // 1 - the largest (Lewis & Gale 1994)
Tensor margin(
    const Tensor& probabilities);  // 1 - (the largest - the second) (Scheffer et al. 2001)
Tensor entropy(const Tensor& probabilities);  // in nats (Shannon 1948)
// BALD (Houlsby et al. 2011): what the label and the model say of each other, in nats, by
// probabilities (draws, N, classes) of a model with dropout, or of an ensemble.
Tensor bald(const Tensor& probabilities);
// How far the members of a committee (members, N, classes) are from their mean: the mean
// Kullback-Leibler divergence, which is bald(); and the entropy of their votes.
Tensor vote_entropy(const Tensor& probabilities);

// ---- Which to ask for ---------------------------------------------------------------------------
// Positions (k) i64, all different.

// The largest, the first of equal ones.
Tensor most_informative(const Tensor& scores, int64_t k, Where where = Where::current());
// Core-set (Sener & Savarese 2018): again and again the sample that is farthest from all that have
// labels or were chosen. pool (N, D), labelled (M, D), which may have no rows.
Tensor k_center_greedy(const Tensor& pool, const Tensor& labelled, int64_t k,
                       Where where = Where::current());
// Ranked batches (Cardoso et al. 2017): one after another the sample of the highest alpha (1 -
// similarity to what has labels or was chosen) + (1 - alpha) score, alpha being the share of the
// pool among all; similarity is 1 / (1 + distance).
Tensor ranked_batch(const Tensor& scores, const Tensor& pool, const Tensor& labelled, int64_t k,
                    Where where = Where::current());
// BADGE (Ash et al. 2020): draws as k-means++ does among the gradients that the likeliest label
// would give a last layer of features (N, D).
Tensor badge(const Tensor& probabilities, const Tensor& features, int64_t k, uint64_t seed = 0,
             Where where = Where::current());

// ---- Does it help? ------------------------------------------------------------------------------

// Which of the pool to ask for next: the fitted model, the pool's samples (N, F), those that have
// labels (M, F), how many, and a seed.
using Strategy = std::function<Tensor(const classic::Estimator& model, const Tensor& pool,
                                      const Tensor& labelled, int64_t k, uint64_t seed)>;
// "random", "uncertainty", "margin", "entropy", "ranked" or "core-set". Throws Error for another.
Strategy strategy(const std::string& name, Where where = Where::current());

struct ActiveCurve {
  std::vector<int64_t> labels;   // how many there were
  std::vector<double> accuracy;  // on the test
  // The fewest labels at which the accuracy is reached and kept; -1: never.
  int64_t needed(double target) const;
};
struct ActiveOptions {
  int64_t initial = 10;  // labels at first, drawn so that each class has one
  int64_t batch = 10;    // labels of each round
  int64_t budget = 200;  // labels in all
  uint64_t seed = 0;
};
// Plays the person: y (N) are the pool's labels, which the strategy asks for. The estimator is
// fitted anew in each round.
ActiveCurve simulate(const classic::Estimator& estimator, const Strategy& strategy, const Tensor& x,
                     const Tensor& y, const Tensor& x_test, const Tensor& y_test,
                     const ActiveOptions& options = {}, Where where = Where::current());

}  // namespace glia::human
