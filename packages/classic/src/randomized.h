// The first singular vectors by products with random ones.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::classic {

struct Svd {
  Tensor u, s, vt;  // (samples, k), (k) falling, (k, features)
};
// Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1: of X (samples, features) f64.
Svd randomized_svd(const Tensor& x, int64_t k, int64_t n_oversamples, int64_t n_iter,
                   uint64_t random_state);
// Each row with the sign that makes its largest entry positive: (rows, 1), 1 or -1.
Tensor signs_of_rows(const Tensor& x);
// Normal numbers, f64.
Tensor normal_numbers(const Shape& shape, uint64_t seed);

}  // namespace glia::classic
