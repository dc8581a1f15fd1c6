// Distances and kernels of all pairs of rows of x (N, features) and y (M, features): (N, M) f64. y
// that is undefined is x.
//
// Throws ShapeError for other shapes, ValueError for numbers that are not finite.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "glia/tensor.h"

namespace glia::classic {

// ---- Distances --------------------------------------------------------------------------------

Tensor euclidean_distances(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
Tensor manhattan_distances(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
Tensor chebyshev_distances(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
// 1 - the cosine of the angle.
Tensor cosine_distances(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
// On the unit sphere, of (latitude, longitude) in radians.
Tensor haversine_distances(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
// Over the features that neither lacks, scaled up by their share; NaN without any.
Tensor nan_euclidean_distances(const Tensor& x, const Tensor& y = {},
                               Where where = Where::current());
// By its name: "euclidean" (l2), "sqeuclidean", "manhattan" (cityblock, l1), "chebyshev", "cosine",
// "haversine", "nan_euclidean". Throws ValueError for another.
Tensor pairwise_distances(const Tensor& x, const Tensor& y = {},
                          std::string_view metric = "euclidean", Where where = Where::current());

// ---- Kernels ----------------------------------------------------------------------------------

// `gamma` is 1 / features where it is not set.
Tensor linear_kernel(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
Tensor cosine_similarity(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
// (gamma x.y + coef0)^degree
Tensor polynomial_kernel(const Tensor& x, const Tensor& y = {}, double degree = 3,
                         std::optional<double> gamma = {}, double coef0 = 1,
                         Where where = Where::current());
// tanh(gamma x.y + coef0)
Tensor sigmoid_kernel(const Tensor& x, const Tensor& y = {}, std::optional<double> gamma = {},
                      double coef0 = 1, Where where = Where::current());
// exp(-gamma |x - y|^2), and of the sum of |x - y|.
Tensor rbf_kernel(const Tensor& x, const Tensor& y = {}, std::optional<double> gamma = {},
                  Where where = Where::current());
Tensor laplacian_kernel(const Tensor& x, const Tensor& y = {}, std::optional<double> gamma = {},
                        Where where = Where::current());
// Of numbers that are not negative: -sum (x - y)^2 / (x + y), and exp(gamma of it).
Tensor additive_chi2_kernel(const Tensor& x, const Tensor& y = {}, Where where = Where::current());
Tensor chi2_kernel(const Tensor& x, const Tensor& y = {}, double gamma = 1,
                   Where where = Where::current());

}  // namespace glia::classic
