// Reductions and scans beyond sums: orders, quantiles, norms, running extremes, differences.
#pragma once

#include <optional>

#include "glia/ops.h"

namespace glia {

// ---- Sums in a chosen dtype -------------------------------------------------------------------
// x is cast before; f32 and 16-bit sums are added up in f64, and rounded once.

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim, DType dtype,
           Where where = Where::current());
Tensor mean(const Tensor& x, const Axes& axes, bool keepdim, DType dtype,
            Where where = Where::current());
Tensor prod(const Tensor& x, const Axes& axes, bool keepdim, DType dtype,
            Where where = Where::current());
Tensor cumsum(const Tensor& x, int axis, DType dtype, Where where = Where::current());
Tensor cumprod(const Tensor& x, int axis, DType dtype, Where where = Where::current());

// ---- Statistics -------------------------------------------------------------------------------

// Without what is NaN. The mean of nothing is NaN.
Tensor nansum(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
              Where where = Where::current());
Tensor nanmean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
               Where where = Where::current());
Tensor count_nonzero(const Tensor& x, const Axes& axes = {}, Where where = Where::current());
// The root of var(); its gradient is 0 where that is 0.
Tensor std(const Tensor& x, const Axes& axes = {}, bool keepdim = false, double correction = 1,
           Where where = Where::current());
struct VarMeanResult {
  Tensor var, mean;
};
VarMeanResult var_mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                       double correction = 1, Where where = Where::current());
struct StdMeanResult {
  Tensor std, mean;
};
StdMeanResult std_mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                       double correction = 1, Where where = Where::current());
struct AminmaxResult {
  Tensor min, max;
};
AminmaxResult aminmax(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                      Where where = Where::current());
// (sum |x|^p)^(1/p). p may be infinite (the largest or least magnitude) or 0 (how many are not 0).
// The gradient at 0 is 0; extremes share it.
Tensor vector_norm(const Tensor& x, double ord = 2, const Axes& axes = {}, bool keepdim = false,
                   Where where = Where::current());
Tensor norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keepdim = false,
            Where where = Where::current());
// x with its slices along the axis scaled down to a norm of at most maxnorm.
Tensor renorm(const Tensor& x, double p, int axis, double maxnorm, Where where = Where::current());
struct CovOptions {
  double correction = 1;
  Tensor fweights = {};  // (N) i64: how often each observation counts
  Tensor aweights = {};  // (N): its weight
};
// Covariances of variables (V, N), or (N) of one, of N observations each -> (V, V), or () of one.
Tensor cov(const Tensor& x, const CovOptions& options = {}, Where where = Where::current());
Tensor corrcoef(const Tensor& x, Where where = Where::current());

// ---- Orders -----------------------------------------------------------------------------------
// With the index along the axis, i64. NaN counts as larger than every number.

// The k-th smallest, k from 1 on.
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int axis = -1, bool keepdim = false,
                                   Where where = Where::current());
// The lower of the two in the middle; NaN if one is. Of all elements, ties share the gradient.
Tensor median(const Tensor& x, Where where = Where::current());
std::pair<Tensor, Tensor> median(const Tensor& x, int axis, bool keepdim = false,
                                 Where where = Where::current());
// Without what is NaN.
Tensor nanmedian(const Tensor& x, Where where = Where::current());
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int axis, bool keepdim = false,
                                    Where where = Where::current());
// The most frequent value, of several the smallest, with the index of its last place.
std::pair<Tensor, Tensor> mode(const Tensor& x, int axis = -1, bool keepdim = false,
                               Where where = Where::current());

enum class Interpolation { kLinear, kLower, kHigher, kMidpoint, kNearest };
struct QuantileOptions {
  Axes axes = {};  // all
  bool keepdim = false;
  Interpolation interpolation = Interpolation::kLinear;
};
// The value below which the fraction q of [0, 1] lies; NaN if one is, for nanquantile only if all
// are. Several fractions are along a new first axis.
Tensor quantile(const Tensor& x, double q, const QuantileOptions& options = {},
                Where where = Where::current());
Tensor quantile(const Tensor& x, const std::vector<double>& q, const QuantileOptions& options = {},
                Where where = Where::current());
Tensor nanquantile(const Tensor& x, double q, const QuantileOptions& options = {},
                   Where where = Where::current());
Tensor nanquantile(const Tensor& x, const std::vector<double>& q,
                   const QuantileOptions& options = {}, Where where = Where::current());

// ---- Scans ------------------------------------------------------------------------------------

// The largest, or smallest, so far, and the index of its last place. NaN stays.
std::pair<Tensor, Tensor> cummax(const Tensor& x, int axis, Where where = Where::current());
std::pair<Tensor, Tensor> cummin(const Tensor& x, int axis, Where where = Where::current());
// log(cumsum(exp(x))), where no power overflows.
Tensor logcumsumexp(const Tensor& x, int axis, Where where = Where::current());

// ---- Differences and integrals ----------------------------------------------------------------

struct DiffOptions {
  int64_t n = 1;  // how often
  int axis = -1;
  Tensor prepend = {}, append = {};  // joined to x first
};
// x[i + 1] - x[i]; of bool whether they differ.
Tensor diff(const Tensor& x, const DiffOptions& options = {}, Where where = Where::current());
// The integral by the trapezoidal rule over points `dx` apart, or at x (one axis, or y's shape).
Tensor trapezoid(const Tensor& y, double dx = 1, int axis = -1, Where where = Where::current());
Tensor trapezoid(const Tensor& y, const Tensor& x, int axis = -1, Where where = Where::current());
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, int axis = -1,
                            Where where = Where::current());
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int axis = -1,
                            Where where = Where::current());
struct GradientOptions {
  Axes axes = {};                        // all
  std::vector<double> spacing = {};      // of each axis, or one for all; empty: 1
  std::vector<Tensor> coordinates = {};  // of each axis instead: the points' places, rank 1
  int edge_order = 1;                    // 1 or 2: of the differences at both ends
};
// Estimates of the derivative along each axis by central differences, as numpy.gradient.
std::vector<Tensor> gradient(const Tensor& x, const GradientOptions& options = {},
                             Where where = Where::current());

}  // namespace glia
