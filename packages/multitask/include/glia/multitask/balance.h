// How much each task's gradient counts, from the products of all of them. Matrices are f64 (T, T):
// the inner products of the gradients of T losses by the shared parameters. Functions throw
// ShapeError for what is no such matrix and ValueError for one that is not finite.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/data.h"

namespace glia::multitask {

// The weights, at least 0 and together 1, whose combination of the gradients is shortest (Sener &
// Koltun 2018: MGDA by Frank and Wolfe): along its opposite no loss rises.
struct MinNormOptions {
  int64_t max_iter = 250;
  double tol = 1e-12;  // what a step gains, in parts of the longest gradient's square
};
std::vector<double> min_norm_weights(const Tensor& gram, const MinNormOptions& options = {});

// Each gradient loses, for one other after the other in an order that is drawn, its part against
// that one, and the sum of all is taken (Yu et al. 2020, "PCGrad"). What each gradient counts then.
std::vector<double> pcgrad_weights(const Tensor& gram, data::Random& random);

// The mean of the gradients plus what makes the least improvement of any loss largest within a ball
// of `c` times the mean's length (Liu et al. 2021, "CAGrad"). `rescale` divides by 1 + c^2, as the
// authors' program does.
struct CAGradOptions {
  double c = 0.5;  // in [0, 1)
  bool rescale = false;
};
std::vector<double> cagrad_weights(const Tensor& gram, const CAGradOptions& options = {});

// Weights proportional to the exponential of how slowly losses fell from the last but one epoch to
// the last, T on the whole (Liu et al. 2019, "DWA").
std::vector<double> dwa_weights(const std::vector<double>& last,
                                const std::vector<double>& before_last, double temperature = 2);

// One step of the weights, T on the whole, towards those by which gradients are about as long,
// longer for tasks that learn slowly (Chen et al. 2018, "GradNorm"): `norms` are of the gradients
// without weights, `progress` is each loss in parts of the first one.
struct GradNormOptions {
  double alpha = 1.5, lr = 0.025;
};
std::vector<double> gradnorm_weights(const std::vector<double>& weights,
                                     const std::vector<double>& norms,
                                     const std::vector<double>& progress,
                                     const GradNormOptions& options = {});

}  // namespace glia::multitask
