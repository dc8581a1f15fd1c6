// What Gaussian processes of numbers and of classes share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/classic/gaussian_process.h"

namespace glia::classic {

Param kernel_param(Kernel* at);

Tensor to_tensor_or_none(const std::vector<double>& theta);
Kernel with_fitted(const Kernel& kernel, const Tensor& theta, Where where);

// The theta of the largest likelihood within the kernel's bounds, from where the kernel is and from
// so many other points, and that likelihood.
struct Fitted {
  std::vector<double> theta;
  double value = 0;
};
using Likelihood = std::function<MarginalLikelihood(const Kernel&)>;
Fitted likeliest(const std::string& op, const Kernel& kernel, KernelOptimizer optimizer,
                 int64_t restarts, uint64_t seed, const Likelihood& likelihood, Where where);

}  // namespace glia::classic
