// Inputs of which some groups of places are there and others are not.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/explain/attribution.h"

namespace glia::explain {

// Which group each place of an input belongs to.
class Groups {
 public:
  Groups(const char* op, const Tensor& feature_mask, const Tensor& x, const Where& where);

  int64_t count() const { return count_; }
  // Values of groups (M, groups) at their places: (M, ...).
  Tensor spread(const Tensor& values) const;

 private:
  Tensor of_;    // (places) i64
  Shape shape_;  // of one input
  int64_t count_ = 0;
};

// The scores (M) of one input x (1, ...) at the places where keep (M, ...) is true, and elsewhere
// of `absent` (B, ...), the mean over its rows. Without gradients.
Tensor kept_scores(const Forward& f, const Tensor& x, const Tensor& absent, const Tensor& keep,
                   const Target& target, const Where& where);

}  // namespace glia::explain
