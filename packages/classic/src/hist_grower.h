// Trees of boosting, which find splits in histograms of gradients.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "glia/data.h"
#include "grove.h"
#include "hist_bins.h"

namespace glia::classic {

struct HistGrowth {
  int64_t max_leaf_nodes = INT64_MAX, max_depth = INT64_MAX, min_samples_leaf = 20;
  double l2 = 0, shrinkage = 1;
  double feature_share = 1;            // that are looked at in each node
  std::vector<int8_t> monotonic = {};  // (features), or none
};

// Grows tree after tree on the same bins.
class HistGrower {
 public:
  HistGrower(const HistBins& bins, HistGrowth growth, uint64_t seed);
  ~HistGrower();

  // The tree that goes down the gradients, where hessians (null: 1 each) say how far; f32, of each
  // sample. Node values are times the shrinkage at leaves; `impurity` has what splits gain.
  Grove grow(const float* gradients, const float* hessians);
  // Of the last tree: its leaves' nodes, each with its samples.
  struct Leaf {
    int64_t node;
    const uint32_t *begin, *end;
  };
  std::vector<Leaf> leaves() const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace glia::classic
