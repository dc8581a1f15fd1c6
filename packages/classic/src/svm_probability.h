// Decisions of pairs of classes as probabilities.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/classic/svm.h"

namespace glia::classic {

struct PairSigmoids {
  Tensor a, b;  // (pairs): P(the second class) = 1 / (1 + exp(a f + b)), f above 0 for it
};
// By what five folds of each pair say of samples that they have not seen. `members` are the samples
// of each class, `weight` that of all samples.
PairSigmoids pair_sigmoids(const Tensor& x, const std::vector<std::vector<int64_t>>& members,
                           const std::vector<double>& weight, SVCOptions options, Where where);

// Probabilities (samples, classes) by those of the second class of each pair (0, 1), (0, 2), ...,
// (1, 2),
// ...: (samples, pairs).
Tensor coupled(const Tensor& second, int64_t classes);

}  // namespace glia::classic
