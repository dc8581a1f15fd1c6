// Normalisation besides layer_norm() and batch_norm() of glia/ops.h, distances, and the dropouts of
// whole channels. Channels are the last axis. 16-bit floats are computed in f32. Functions throw
// ShapeError for shapes and options that do not fit.
#pragma once

#include <optional>

#include "glia/ops.h"

namespace glia {

// ---- Normalisation ----------------------------------------------------------------------------

// Of x (N, ..., C): each of `num_groups` equal parts of an example's channels over all positions,
// by the biased variance, then weight and bias (C), which may be undefined (Wu & He 2018).
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5, Where where = Where::current());
// Each channel of each example apart, of x (N, ..., C) (Ulyanov et al. 2016).
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                     double eps = 1e-5, Where where = Where::current());
// x / sqrt(mean(x^2) + eps) over the last axes, as many as weight has, or `axes` if it is undefined
// (Zhang & Sennrich 2019). Unset, eps is the distance from 1 to the next number of f64 or f32.
Tensor rms_norm(const Tensor& x, const Tensor& weight = {}, int axes = 1,
                std::optional<double> eps = {}, Where where = Where::current());
struct LocalResponseNormOptions {
  double alpha = 1e-4, beta = 0.75, k = 1;
};
// x / (k + alpha m)^beta, m the mean of x^2 over the `size` channels around each, those beyond the
// ends counted as 0 (Krizhevsky et al. 2012).
Tensor local_response_norm(const Tensor& x, int64_t size,
                           const LocalResponseNormOptions& options = {},
                           Where where = Where::current());

// ---- Lengths, distances and angles ------------------------------------------------------------
// A length by p: the p-th root of the sum of |x|^p; the largest |x| for infinity, the count of
// numbers that are not 0 for 0.

// x divided by its length along the axis, but by eps at least.
Tensor normalize(const Tensor& x, double p = 2, int axis = -1, double eps = 1e-12,
                 Where where = Where::current());
// The length of x1 - x2 + eps along the last axis; the operands broadcast.
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6,
                         bool keepdim = false, Where where = Where::current());
// x1 . x2 / (|x1| |x2|) along the axis, lengths being eps at least; the operands broadcast.
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int axis = -1, double eps = 1e-8,
                         Where where = Where::current());

// ---- Dropout ----------------------------------------------------------------------------------
// What is dropped is so with probability p, always: layers do so in training alone.

// Zeroes whole channels of (N, positions, C), (N, H, W, C) or (N, D, H, W, C), or of one example of
// such, and scales the rest by 1 / (1 - p) (Tompson et al. 2015).
Tensor dropout1d(const Tensor& x, double p = 0.5, Where where = Where::current());
Tensor dropout2d(const Tensor& x, double p = 0.5, Where where = Where::current());
Tensor dropout3d(const Tensor& x, double p = 0.5, Where where = Where::current());
// Sets values to what selu() saturates at, and keeps mean 0 and variance 1 (Klambauer et al. 2017);
// the second one whole channels of (N, ..., C).
Tensor alpha_dropout(const Tensor& x, double p = 0.5, Where where = Where::current());
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, Where where = Where::current());
// Which examples of a batch (N, ...) are dropped together.
enum class DropPathMode { kBatch, kRow };
// Zeroes whole examples, each by itself or all of them, and scales the rest by 1 / (1 - p) (Huang
// et al. 2016, stochastic depth).
Tensor drop_path(const Tensor& x, double p, DropPathMode mode = DropPathMode::kRow,
                 Where where = Where::current());

}  // namespace glia
