// What PCA and its relatives share: the way to components and back, and the density of a Gaussian.
#pragma once

#include <algorithm>
#include <string_view>

#include "glia/ops.h"

namespace glia::classic {

// body(rows) for blocks of rows of X (samples, features) that fit into a cache together.
template <class F>
void for_row_blocks(const Tensor& x, F&& body) {
  const int64_t n = x.size(0), rows = std::max<int64_t>(256, (int64_t{1} << 19) / x.size(1));
  for (int64_t from = 0; from < n; from += rows)
    body(slice(x, 0, {from, std::min(n, from + rows)}));
}

// (X - mean) components^T, and back. Components that are whitened are divided by the square root of
// `variance`, which is undefined where they are not.
Tensor to_components(const Tensor& x, const Tensor& mean, const Tensor& components,
                     const Tensor& variance);
Tensor from_components(std::string_view op, const Tensor& y, const Tensor& mean,
                       const Tensor& components, const Tensor& variance, Where where);
// Log-densities (samples) of x - mean (samples, features) f64 by a covariance.
Tensor gaussian_log_density(const Tensor& rest, const Tensor& covariance);

}  // namespace glia::classic
