// Learning rates as functions of the step.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

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

namespace {

// The ways of a cycle between its rates or momenta, each ending at a step.
struct Way {
  double end, from, to;
};

Schedule cycle(const char* name, int64_t total, const OneCycleOptions& o, double initial,
               double top, double last) {
  const auto fail = [&](const char* what) { throw ValueError(std::string(name) + ": " + what); };
  if (total <= 0) fail("total must be positive");
  if (!(o.pct_start >= 0 && o.pct_start <= 1)) fail("pct_start is not in [0, 1]");
  const double rising = o.pct_start * static_cast<double>(total);
  const double end = static_cast<double>(total) - 1;
  std::vector<Way> ways{{rising - 1, initial, top}};
  if (o.three_phase) {
    if (o.pct_start > 0.5) fail("with three phases pct_start is 1/2 at most");
    ways.push_back({2 * rising - 2, top, initial});
    ways.push_back({end, initial, last});
  } else {
    ways.push_back({end, top, last});
  }
  return [=, anneal = o.anneal_strategy](int64_t step) {
    const double at = std::min(static_cast<double>(step), end);
    double start = 0;
    for (const auto& [stop, from, to] : ways) {
      if (at <= stop && stop > start) {
        const double part = (at - start) / (stop - start);
        return anneal == Anneal::kCos ? half_cosine(from, to, part) : from + (to - from) * part;
      }
      start = stop;
    }
    return ways.back().to;
  };
}

}  // namespace

Schedule one_cycle(double max_lr, int64_t total, const OneCycleOptions& options) {
  require(options.div_factor > 0 && options.final_div_factor > 0,
          "one_cycle: the factors must be positive");
  const double initial = max_lr / options.div_factor;
  return cycle("one_cycle", total, options, initial, max_lr, initial / options.final_div_factor);
}

Schedule one_cycle_momentum(int64_t total, const OneCycleOptions& options) {
  require(options.base_momentum >= 0 && options.base_momentum <= options.max_momentum &&
              options.max_momentum < 1,
          "one_cycle_momentum: 0 <= base_momentum <= max_momentum < 1 does not hold");
  return cycle("one_cycle_momentum", total, options, options.max_momentum, options.base_momentum,
               options.max_momentum);
}

}  // namespace glia::optim
