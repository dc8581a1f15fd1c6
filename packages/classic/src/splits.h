// What splitters and searches draw, and positions of samples.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "glia/classic/model_selection.h"
#include "glia/data.h"

namespace glia::classic {

// 0, ..., n - 1 in an order that is drawn.
std::vector<int64_t> permutation(int64_t n, data::Random& random);
void shuffle(std::vector<int64_t>& values, data::Random& random);

Tensor positions(const std::vector<int64_t>& values);

// The number of rows of x, at least 1. Throws ShapeError.
int64_t sample_count(std::string_view op, const Tensor& x, Where where);

// Integers of any names as their places in ascending order.
struct Groups {
  std::vector<int64_t> of;  // of each sample
  int64_t count = 0;
};
// Throws Error if they are not given, and ShapeError or ValueError unless integers (samples).
Groups group_codes(std::string_view op, const Tensor& groups, int64_t samples, Where where);

}  // namespace glia::classic
