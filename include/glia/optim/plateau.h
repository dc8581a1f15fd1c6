// A learning rate that falls when a measured value no longer gets better.
#pragma once

#include <cstdint>

#include "glia/optim/optimizer.h"

namespace glia::optim {

enum class PlateauMode { kMin, kMax };    // lower values are better, or higher ones
enum class ThresholdMode { kRel, kAbs };  // of the best value, or as it is
struct ReduceLROnPlateauOptions {
  PlateauMode mode = PlateauMode::kMin;
  double factor = 0.1;
  int64_t patience = 10;    // values in a row that may be no better
  double threshold = 1e-4;  // by how much a value must be better to count
  ThresholdMode threshold_mode = ThresholdMode::kRel;
  int64_t cooldown = 0;           // values after a change that do not count
  double min_lr = 0, eps = 1e-8;  // no rate falls below min_lr, or by no more than eps
};
// Multiplies the rates of all groups by `factor` after more than `patience` values in a row that
// were no better than the best, as PyTorch's; NaN is no better. The rates are the optimizer's
// state.
class ReduceLROnPlateau {
 public:
  // The optimizer must outlive it, and have no schedule for its rate. Throws ValueError for one
  // that has, and for options out of range.
  explicit ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});

  // A new value, after an epoch or whatever else. Whether the rate has changed.
  bool step(double metric);
  int64_t steps() const { return steps_; }  // values so far
  double best() const { return best_; }
  int64_t num_bad_epochs() const { return bad_; }

  // "best", "num_bad_epochs", "cooldown_counter", "last_epoch".
  StateDict state_dict() const;
  // Throws Error for another state; then nothing has changed.
  void load_state_dict(const StateDict& values);

 private:
  bool is_better(double metric) const;

  Optimizer& optimizer_;
  const ReduceLROnPlateauOptions options_;
  double best_;
  int64_t bad_ = 0, cooling_ = 0, steps_ = 0;
};

}  // namespace glia::optim
