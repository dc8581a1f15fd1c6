// Rates that fall on a plateau.
#include "glia/optim/plateau.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace glia::optim {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options)
    : optimizer_(optimizer),
      options_(options),
      best_(options.mode == PlateauMode::kMin ? kInfinity : -kInfinity) {
  const auto require = [](bool holds, const char* name, double value) {
    if (!holds)
      throw ValueError(fmt::format("ReduceLROnPlateau: {} = {} is out of range", name, value));
  };
  const auto& o = options_;
  require(o.factor >= 0 && o.factor < 1, "factor", o.factor);
  require(o.patience >= 0, "patience", static_cast<double>(o.patience));
  require(o.threshold >= 0 && o.threshold < kInfinity, "threshold", o.threshold);
  require(o.cooldown >= 0, "cooldown", static_cast<double>(o.cooldown));
  require(o.min_lr >= 0 && o.min_lr < kInfinity, "min_lr", o.min_lr);
  require(o.eps >= 0, "eps", o.eps);
  for (size_t g = 0; g < optimizer.group_count(); ++g)
    if (optimizer.schedule("lr", g))
      throw ValueError("ReduceLROnPlateau: the optimizer's rate follows a schedule");
}

bool ReduceLROnPlateau::is_better(double metric) const {
  const auto& o = options_;
  const bool lower = o.mode == PlateauMode::kMin;
  if (o.threshold_mode == ThresholdMode::kRel)
    return lower ? metric < best_ * (1 - o.threshold) : metric > best_ * (1 + o.threshold);
  return lower ? metric < best_ - o.threshold : metric > best_ + o.threshold;
}

bool ReduceLROnPlateau::step(double metric) {
  ++steps_;
  if (is_better(metric)) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return false;
  bool changed = false;
  for (size_t g = 0; g < optimizer_.group_count(); ++g) {
    const double before = optimizer_.lr(g);
    const double now = std::max(before * options_.factor, options_.min_lr);
    if (!(before - now > options_.eps)) continue;
    optimizer_.set_lr(now, g);
    changed = true;
  }
  cooling_ = options_.cooldown;
  bad_ = 0;
  return changed;
}

StateDict ReduceLROnPlateau::state_dict() const {
  return {{"best", tensor(best_)},
          {"num_bad_epochs", tensor(bad_)},
          {"cooldown_counter", tensor(cooling_)},
          {"last_epoch", tensor(steps_)}};
}

void ReduceLROnPlateau::load_state_dict(const StateDict& values) {
  std::map<std::string, Tensor> given(values.begin(), values.end());
  const auto take = [&](const char* key) {
    const auto node = given.extract(key);
    if (node.empty() || node.mapped().shape() != Shape{})
      throw Error(fmt::format("ReduceLROnPlateau: the state has no number {}", key));
    return node.mapped();
  };
  const auto count = [&](const char* key) {
    const auto value = take(key).item<int64_t>();
    if (value < 0) throw Error(fmt::format("ReduceLROnPlateau: {} is {}", key, value));
    return value;
  };
  const double best = take("best").item();
  const int64_t bad = count("num_bad_epochs"), cooling = count("cooldown_counter"),
                steps = count("last_epoch");
  if (!given.empty())
    throw Error("ReduceLROnPlateau: " + given.begin()->first + " belongs to nothing here");
  best_ = best;
  bad_ = bad;
  cooling_ = cooling;
  steps_ = steps;
}

}  // namespace glia::optim
