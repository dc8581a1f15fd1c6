// Which samples belong together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::fairness {

// Sensitive features by their combinations.
struct Grouped {
  std::vector<std::vector<int64_t>> combinations;  // ascending, each a number for each feature
  std::vector<int64_t> of;                         // (N): which each sample has
};
// All combinations of the values of each feature, or, if `there`, those that a sample has. Throws
// ShapeError unless features are (N) or (N, k), ValueError unless they are integers.
Grouped grouped(const char* op, const Tensor& features, int64_t samples, bool there, Where where);
// Positions of each combination's samples.
std::vector<std::vector<int64_t>> members(const Grouped& groups);
// Zeros and ones (N) as such. Throws ValueError for others.
std::vector<int64_t> zeros_and_ones(const char* op, const char* what, const Tensor& y,
                                    int64_t samples, Where where);
Tensor positions(const std::vector<int64_t>& of);
// 1 with these probabilities (N), else 0: i64.
Tensor drawn(const Tensor& probability, uint64_t seed);

}  // namespace glia::fairness
