// Sums that lose less than one number after the other, and logarithms of sums and differences of
// exponentials. Link glia::math.
#pragma once

#include <optional>
#include <vector>

#include "glia/ops.h"

namespace glia {

enum class SumMethod {
  kKahan,     // with what the last addition lost (Kahan 1965)
  kNeumaier,  // also where a number is larger than the sum (Neumaier 1974)
  kPairwise,  // of halves: the error grows by log n
  kExact,     // rounded once (Shewchuk 1997): as Python's math.fsum
};
struct StableSumOptions {
  SumMethod method = SumMethod::kNeumaier;
  std::optional<int> axis = {};  // unset: of all
  bool keepdim = false;
};
// The sum of f32 or f64, computed in f64 in order. For f32 sum() does so too.
Tensor stable_sum(const Tensor& x, const StableSumOptions& options = {},
                  Where where = Where::current());
// The same of numbers on the host.
double stable_sum(const std::vector<double>& x, SumMethod method = SumMethod::kNeumaier);

// log(mean(exp(x))) over `axes` (all when empty).
Tensor logmeanexp(const Tensor& x, const Axes& axes = {-1}, bool keepdim = false,
                  Where where = Where::current());
// log(sum(weight exp(x))); the weight broadcasts to x, and NaN comes of a sum below 0.
Tensor weighted_logsumexp(const Tensor& x, const Tensor& weight, const Axes& axes = {-1},
                          bool keepdim = false, Where where = Where::current());
// log(e^a - e^b) for a >= b, minus infinity where they are equal, NaN for a < b.
Tensor logdiffexp(const Operand& a, const Operand& b);
// log(1 - e^x) for x <= 0, by whichever form is exact (Maechler 2012).
Tensor log1mexp(const Operand& x);

}  // namespace glia
