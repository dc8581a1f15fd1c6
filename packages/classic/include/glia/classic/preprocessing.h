// Preprocessing of features.
#pragma once

#include "glia/classic/estimator.h"

namespace glia::classic {

struct StandardScalerOptions {
  bool with_mean = true;
  bool with_std = true;
};

// Takes off each feature's mean and divides by its standard deviation; a feature that is constant
// is not divided.
class StandardScaler : public Estimator {
 public:
  explicit StandardScaler(const StandardScalerOptions& options = {}) : options_(options) {}

  StandardScaler& fit(const Tensor& x, Where where = Where::current());
  Tensor transform(const Tensor& x, Where where = Where::current()) const;
  Tensor fit_transform(const Tensor& x, Where where = Where::current());
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const StandardScalerOptions& options() const { return options_; }

  Tensor mean, var, scale;  // (features) f64
  int64_t n_samples_seen = 0;

 private:
  StandardScalerOptions options_;
};

}  // namespace glia::classic
