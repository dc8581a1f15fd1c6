// What PCA and its relatives share: the way to components and back, and the density of a Gaussian.
#pragma once

#include <string_view>

#include "glia/tensor.h"

namespace glia::classic {

// (X - mean) components^T, and back. Components that are whitened are divided by the square root of
// `variance`, which is undefined where they are not.
Tensor to_components(const Tensor& x, const Tensor& mean, const Tensor& components,
                     const Tensor& variance);
Tensor from_components(std::string_view op, const Tensor& y, const Tensor& mean,
                       const Tensor& components, const Tensor& variance, Where where);
// Log-densities (samples) of x - mean (samples, features) f64 by a covariance.
Tensor gaussian_log_density(const Tensor& rest, const Tensor& covariance);

}  // namespace glia::classic
