// How trees grow.
#pragma once

#include <cstdint>
#include <vector>

#include "grove.h"

namespace glia::classic {

constexpr uint32_t kMissingRank = UINT32_MAX;

// The samples that all trees of a model share. Each feature's values are known by their ranks, so
// that integers are sorted, or only counted, and no values.
struct TreeSamples {
  int64_t n = 0, d = 0;
  std::vector<uint32_t> ranks;               // (features, samples); kMissingRank: missing
  std::vector<std::vector<float>> distinct;  // (features): the values of the ranks
  std::vector<char> missing;                 // (features): whether a value is
  int64_t classes = 0;                       // 0: numbers
  int64_t outputs = 1;
  std::vector<double> y;       // (samples, outputs), of numbers
  std::vector<int32_t> codes;  // (samples), of classes

  int64_t width() const { return classes > 0 ? classes : outputs; }
};
// Of X (samples, features) f32.
TreeSamples tree_samples(const Tensor& x);

enum class Impurity { kGini, kEntropy, kSquaredError, kAbsoluteError, kPoisson };

struct TreeGrowth {
  Impurity impurity = Impurity::kGini;
  bool random = false;  // thresholds
  int64_t max_depth = INT64_MAX;
  int64_t min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_leaf = 0;
  int64_t max_features = 1;
  int64_t max_leaf_nodes = -1;  // any, depth first
  double min_impurity_decrease = 0;
  double ccp_alpha = 0;
  std::vector<int8_t> monotonic = {};  // (features), or none
};

// One tree. `weight` (samples): those of weight 0 are left out; none: 1 each. `seed` begins the
// generator of features and thresholds.
Grove grow_tree(const TreeSamples& samples, const TreeGrowth& growth,
                const std::vector<double>& weight, uint32_t seed);

}  // namespace glia::classic
