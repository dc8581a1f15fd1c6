// Learning rates as functions of the step.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "glia/optim.h"

namespace glia::optim {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw ValueError(what);
}

// Half a cosine from `start` at part 0 to `end` at part 1.
double half_cosine(double start, double end, double part) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * part));
}

}  // namespace

Schedule constant(double lr) {
  return [=](int64_t) { return lr; };
}

Schedule cosine(double lr, int64_t total, double final_lr) {
  require(total > 0, "cosine: total must be positive");
  return [=](int64_t step) {
    return half_cosine(lr, final_lr, static_cast<double>(std::min(step, total)) / total);
  };
}

Schedule linear_warmup(int64_t steps, Schedule then) {
  require(steps >= 0, "linear_warmup: steps must not be negative");
  require(then != nullptr, "linear_warmup: no schedule follows");
  return [=, then = std::move(then)](int64_t step) {
    return step < steps
               ? then(0) * (static_cast<double>(step) + 1) / (static_cast<double>(steps) + 1)
               : then(step - steps);
  };
}

Schedule one_cycle(double max_lr, int64_t total, const OneCycleOptions& options) {
  require(total > 0, "one_cycle: total must be positive");
  require(options.pct_start >= 0 && options.pct_start <= 1,
          "one_cycle: pct_start is not in [0, 1]");
  require(options.div_factor > 0 && options.final_div_factor > 0,
          "one_cycle: the factors must be positive");
  const double initial = max_lr / options.div_factor, last = initial / options.final_div_factor;
  const double top = options.pct_start * static_cast<double>(total) - 1;
  const double end = static_cast<double>(total) - 1;
  return [=](int64_t step) {
    const double at = std::min(static_cast<double>(step), end);
    if (at <= top && top > 0) return half_cosine(initial, max_lr, at / top);
    return end > top ? half_cosine(max_lr, last, (at - top) / (end - top)) : last;
  };
}

}  // namespace glia::optim
