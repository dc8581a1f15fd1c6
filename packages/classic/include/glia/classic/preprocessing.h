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
class StandardScaler : public Transformer {
 public:
  explicit StandardScaler(const StandardScalerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "StandardScaler"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<StandardScaler>(*this);
  }
  std::vector<Param> params() override;
  StandardScaler& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const StandardScalerOptions& options() const { return options_; }

  Tensor mean, var, scale;  // (features) f64
  int64_t n_samples_seen = 0;

 private:
  StandardScalerOptions options_;
};

}  // namespace glia::classic
