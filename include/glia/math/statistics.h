// Summaries of samples, and the analysis of variance, in f64 by sums that are rounded once. Link
// glia::math. Functions throw ShapeError for no sample and ValueError for too few numbers or NaN.
#pragma once

#include <vector>

#include "glia/tensor.h"

namespace glia::statistics {

struct DescribeResult {
  int64_t nobs = 0;
  double min = 0, max = 0, mean = 0;
  double variance = 0, std = 0;       // with nobs - ddof below; NaN where that is 0
  double skewness = 0, kurtosis = 0;  // of the moments; 0 for a normal distribution
};
// Of all numbers, as scipy.stats.describe.
DescribeResult describe(const Tensor& a, int64_t ddof = 1, Where where = Where::current());
// sum (x[i] - m) (x[i + lag] - m) / sum (x[i] - m)^2 for x (N), its mean m and 0 <= lag < N.
double autocorrelation(const Tensor& x, int64_t lag = 1, Where where = Where::current());

// One-way analysis of variance (Fisher 1925).
struct AnovaResult {
  double statistic = 0, pvalue = 0;  // F and the probability of a larger one
  int64_t df_between = 0, df_within = 0;
  double ss_between = 0, ss_within = 0;  // sums of squares
  double ms_between = 0, ms_within = 0;  // divided by their degrees of freedom
  double r_squared = 0;                  // ss_between as a part of all
  double residual_std = 0;               // the root of ms_within
};
// Whether two or more samples have one mean: all their numbers, in samples of any shape.
AnovaResult f_oneway(const std::vector<Tensor>& samples, Where where = Where::current());

}  // namespace glia::statistics
