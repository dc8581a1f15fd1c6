// Attributions of models that have no gradients: what changes as parts of the input are taken away.
// Captum's and SHAP's names and defaults.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/explain/attribution.h"

namespace glia::explain {

struct OcclusionOptions {
  Target target = {};
  std::vector<int64_t> sliding_window_shapes = {};  // of each axis but the examples'
  std::vector<int64_t> strides = {};                // the same; empty: 1 each
  Tensor baseline = {};  // what comes in the window's place; undefined: zeros
};
// How much the score falls where a window covers the input, the mean of all windows that cover a
// place (Zeiler & Fergus 2014): of the shape of x (N, ...).
Tensor occlusion(const Forward& f, const Tensor& x, const OcclusionOptions& options,
                 Where where = Where::current());

// Which features of an input belong together: the number of the group, 0 to groups - 1, of each
// place, i64, of the shape of one input; undefined: each place is a feature of its own.
struct AblationOptions {
  Target target = {};
  Tensor baseline = {};
  Tensor feature_mask = {};
};
// How much the score falls without each group of features.
Tensor feature_ablation(const Forward& f, const Tensor& x, const AblationOptions& options = {},
                        Where where = Where::current());

struct ShapleySamplingOptions {
  Target target = {};
  Tensor baseline = {};
  Tensor feature_mask = {};
  int64_t n_samples = 25;  // orders in which the features come
  uint64_t seed = 0;
};
// Shapley values (1953) by random orders of features (Castro et al. 2009); they add up to
// f(x) - f(baseline) whatever the number of samples.
Tensor shapley_value_sampling(const Forward& f, const Tensor& x,
                              const ShapleySamplingOptions& options = {},
                              Where where = Where::current());

struct LimeOptions {
  Target target = {};
  Tensor baseline = {};
  Tensor feature_mask = {};
  int64_t n_samples = 1000;
  double kernel_width = 0.25;  // of the distance, the cosine's complement
  double alpha = 1;            // of the ridge regression
  uint64_t seed = 0;
};
struct LimeResult {
  Tensor attributions;  // of the shape of x: the coefficient of each place's group
  Tensor coefficients;  // (N, groups)
  Tensor intercept;     // (N)
  Tensor score;         // (N): R^2 of the linear model on its samples, weighted
};
// A linear model of which groups of features are there, near the input (Ribeiro et al. 2016).
LimeResult lime(const Forward& f, const Tensor& x, const LimeOptions& options = {},
                Where where = Where::current());

struct KernelShapOptions {
  Target target = {};
  // What stands for features that are not there: rows (B, ...), over which scores are averaged.
  Tensor background = {};  // undefined: zeros
  Tensor feature_mask = {};
  int64_t n_samples = 0;  // of coalitions; 0: 2 groups + 2048, as shap has it
  uint64_t seed = 0;
};
struct ShapValues {
  Tensor values;          // of the shape of x, or (N, groups) if groups are given
  Tensor expected_value;  // (N): the score of the background
};
// Kernel SHAP (Lundberg & Lee 2017): Shapley values as the weighted regression on coalitions. Exact
// where n_samples is as many as there are, 2^groups - 2.
ShapValues kernel_shap(const Forward& f, const Tensor& x, const KernelShapOptions& options = {},
                       Where where = Where::current());

}  // namespace glia::explain
