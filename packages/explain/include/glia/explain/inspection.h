// What a fitted model of tables makes of its features: scikit-learn's inspection, and accumulated
// local effects.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/tensor.h"

namespace glia::explain {

// x (N, features) f64 -> what is explained, (N): a prediction, a probability, a score.
using TableModel = std::function<Tensor(const Tensor& x)>;
// How good a model is on x and y: the more the better.
using TableScore = std::function<double(const Tensor& x, const Tensor& y)>;

struct PermutationImportanceOptions {
  int64_t n_repeats = 5;
  uint64_t random_state = 0;
};
struct PermutationImportance {
  Tensor importances;                        // (features, n_repeats) f64
  Tensor importances_mean, importances_std;  // (features); the deviation of all repeats
};
// How much the score falls when a feature's column is shuffled (Breiman 2001).
PermutationImportance permutation_importance(const TableScore& score, const Tensor& x,
                                             const Tensor& y,
                                             const PermutationImportanceOptions& options = {},
                                             Where where = Where::current());

struct PartialDependenceOptions {
  std::vector<double> percentiles = {0.05, 0.95};  // of the feature, between which the grid lies
  int64_t grid_resolution = 100;
};
struct PartialDependence {
  Tensor grid;        // (points) f64: all values of the feature if there are fewer than points
  Tensor average;     // (points)
  Tensor individual;  // (N, points): individual conditional expectation (Goldstein et al. 2015)
};
// The mean prediction where a feature is set to each point of a grid for all (Friedman 2001).
PartialDependence partial_dependence(const TableModel& model, const Tensor& x, int64_t feature,
                                     const PartialDependenceOptions& options = {},
                                     Where where = Where::current());
// The same of two features together: (points of the first, points of the second).
struct PartialDependence2d {
  Tensor grid0, grid1, average;
};
PartialDependence2d partial_dependence(
    const TableModel& model, const Tensor& x, int64_t feature0, int64_t feature1,
    const PartialDependenceOptions& options = {.grid_resolution = 20},
    Where where = Where::current());

struct AccumulatedLocalEffects {
  Tensor edges;    // (bins + 1) f64: quantiles of the feature
  Tensor effects;  // (bins + 1): at the edges, with mean 0 over the data
  Tensor counts;   // (bins) i64: rows in each
};
// Accumulated local effects (Apley & Zhu 2020): changes of the prediction within each bin of a
// feature, added up. Unlike partial dependence it never asks about rows that are far from all data.
AccumulatedLocalEffects accumulated_local_effects(const TableModel& model, const Tensor& x,
                                                  int64_t feature, int64_t bins = 20,
                                                  Where where = Where::current());

// Friedman & Popescu's H (2008): the share of what two features do together that neither does
// alone, 0 to 1.
double h_statistic(const TableModel& model, const Tensor& x, int64_t feature0, int64_t feature1,
                   Where where = Where::current());

}  // namespace glia::explain
