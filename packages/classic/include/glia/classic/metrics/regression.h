// Metrics of predicted numbers: (N), or (N, outputs), of which the mean over the outputs is taken.
//
// A weight (N) is as for Estimator::fit(). Shapes that do not fit each other are a ShapeError.
#pragma once

#include "glia/tensor.h"

namespace glia::classic {

// The coefficient of determination, 1 - (residual / total sum of squares). A column that is
// constant gives 1 if it is met exactly, else 0. NaN for less than two samples.
double r2_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                Where where = Where::current());
// The same of variances: a constant error costs nothing.
double explained_variance_score(const Tensor& y_true, const Tensor& y_pred,
                                const Tensor& sample_weight = {}, Where where = Where::current());

double mean_squared_error(const Tensor& y_true, const Tensor& y_pred,
                          const Tensor& sample_weight = {}, Where where = Where::current());
double root_mean_squared_error(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight = {}, Where where = Where::current());
// Of log(1 + y); throws ValueError for numbers of -1 or less.
double mean_squared_log_error(const Tensor& y_true, const Tensor& y_pred,
                              const Tensor& sample_weight = {}, Where where = Where::current());
double root_mean_squared_log_error(const Tensor& y_true, const Tensor& y_pred,
                                   const Tensor& sample_weight = {},
                                   Where where = Where::current());
double mean_absolute_error(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight = {}, Where where = Where::current());
double median_absolute_error(const Tensor& y_true, const Tensor& y_pred,
                             const Tensor& sample_weight = {}, Where where = Where::current());
// Relative to |y_true|, of which at least the machine's epsilon is taken; 1 is 100 %.
double mean_absolute_percentage_error(const Tensor& y_true, const Tensor& y_pred,
                                      const Tensor& sample_weight = {},
                                      Where where = Where::current());
double max_error(const Tensor& y_true, const Tensor& y_pred, Where where = Where::current());
// Least for the quantile `alpha` (Koenker, Bassett 1978).
double mean_pinball_loss(const Tensor& y_true, const Tensor& y_pred, double alpha = 0.5,
                         const Tensor& sample_weight = {}, Where where = Where::current());

// Of the Tweedie family: power 0 normal, 1 Poisson, 2 gamma, 3 inverse Gaussian. Throws ValueError
// for a power between 0 and 1, and for numbers that the distribution does not have.
double mean_tweedie_deviance(const Tensor& y_true, const Tensor& y_pred, double power = 0,
                             const Tensor& sample_weight = {}, Where where = Where::current());
double mean_poisson_deviance(const Tensor& y_true, const Tensor& y_pred,
                             const Tensor& sample_weight = {}, Where where = Where::current());
double mean_gamma_deviance(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight = {}, Where where = Where::current());

// 1 - loss / loss of the best constant. NaN for less than two samples.
double d2_tweedie_score(const Tensor& y_true, const Tensor& y_pred, double power = 0,
                        const Tensor& sample_weight = {}, Where where = Where::current());
double d2_pinball_score(const Tensor& y_true, const Tensor& y_pred, double alpha = 0.5,
                        const Tensor& sample_weight = {}, Where where = Where::current());
double d2_absolute_error_score(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight = {}, Where where = Where::current());

}  // namespace glia::classic
