// How good samples are, by features (N, D) of real and of made ones, f32 or f64: whatever a
// classifier makes of pictures before its last layer. Numbers compare only where the features are
// of one network. Formulas are in f64.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::generative {

// All throw ShapeError unless both are (N, D) of one D, with two rows at least.

// Frechet's distance of the Gaussians that have their means and (unbiased) covariances (Heusel et
// al. 2017, FID): |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)).
double frechet_distance(const Tensor& real, const Tensor& fake, Where where = Where::current());

struct KernelDistanceOptions {
  int64_t subsets = 100;         // whose distances are averaged
  int64_t subset_size = 1000;    // or as many as there are
  double degree = 3, coef0 = 1;  // of (x . y gamma + coef0)^degree
  double gamma = 0;              // 0: 1 / D
  uint64_t seed = 2020;
};
struct KernelDistance {
  double mean = 0, std = 0;  // over subsets
};
// The unbiased squared maximum mean discrepancy by a polynomial kernel (Binkowski et al. 2018,
// KID).
KernelDistance kernel_distance(const Tensor& real, const Tensor& fake,
                               const KernelDistanceOptions& options = {},
                               Where where = Where::current());

// By balls that reach to each sample's k-th neighbour among its own kind.
struct PrecisionRecall {
  double precision = 0;  // made samples in a ball of a real one (Kynkaanniemi et al. 2019)
  double recall = 0;     // real samples in a ball of a made one
  double density = 0;    // of how many real balls a made one is in, over k (Naeem et al. 2020)
  double coverage = 0;   // real balls with a made one in them
};
// Throws ValueError unless there are more than k rows of each.
PrecisionRecall precision_recall(const Tensor& real, const Tensor& fake, int64_t k = 3,
                                 Where where = Where::current());

// log p(x) of each row of x (M, D) by Gaussians of deviation sigma around samples (N, D): Parzen's
// window, f64 (M) (Goodfellow et al. 2014; Theis et al. 2016 say why it misleads).
Tensor parzen_log_density(const Tensor& x, const Tensor& samples, double sigma,
                          Where where = Where::current());

}  // namespace glia::generative
