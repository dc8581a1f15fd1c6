// Where maps begin, and what they have in common.
#pragma once

#include <string_view>
#include <vector>

#include "glia/classic/neighbors.h"
#include "glia/tensor.h"

namespace glia::classic {

// X of fit() as f64; square, symmetric and nothing below 0 if it is precomputed.
Tensor check_map_x(std::string_view op, const Tensor& x, Metric metric, Where where);
// Distances of all pairs of rows, (n, n) f64; of kPrecomputed they are x.
Tensor distances_of(const Tensor& x, Metric metric, double p, Where where);
// Places that are given, as f64. Throws ShapeError unless they are (n, d).
Tensor check_places(std::string_view op, const Tensor& places, int64_t n, int64_t d, Where where);
// The first d principal components. Throws ValueError if X has not that many.
Tensor principal_places(std::string_view op, const Tensor& x, int64_t d, uint64_t seed,
                        Where where);
// Numbers from low to high, (n, d).
Tensor uniform_places(int64_t n, int64_t d, double low, double high, uint64_t seed);

}  // namespace glia::classic
