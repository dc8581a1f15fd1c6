// L-BFGS for smooth functions of host numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace glia::classic {

// The value at x, and its gradient; +infinity where it is not defined.
using Objective =
    std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

struct LbfgsOptions {
  int64_t max_iter = 100;
  double gtol = 1e-5;          // ends when no number of the gradient is above
  double ftol = 64 * 2.2e-16;  // or when the value falls by less, as a part of it
  int64_t history = 10;
};
struct LbfgsResult {
  double value = 0;
  int64_t n_iter = 0;
  bool converged = false;
};
// Moves x downhill (Liu & Nocedal 1989) along steps that meet the strong Wolfe conditions.
LbfgsResult minimise(const Objective& f, std::vector<double>& x, const LbfgsOptions& options);

// The same within low <= x <= high: along steps that are cut at the bounds, over the numbers that
// those do not hold (Bertsekas 1982; Byrd, Lu, Nocedal & Zhu 1995). Ends by the gradient of what is
// free.
using Bounds = std::vector<std::pair<double, double>>;
LbfgsResult minimise_within(const Objective& f, std::vector<double>& x, const Bounds& bounds,
                            const LbfgsOptions& options);

}  // namespace glia::classic
