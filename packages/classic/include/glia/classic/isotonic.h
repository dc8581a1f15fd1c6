// A curve that never falls (or never rises), as near to numbers as can be. scikit-learn's names and
// defaults, in f64.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/linear_base.h"

namespace glia::classic {

struct IsotonicOptions {
  Tensor sample_weight = {};  // (N), above 0
  std::optional<double> y_min = {}, y_max = {};
  bool increasing = true;
};
// The least squares fit to y (N) that is monotonic in its order, by pooling adjacent violators
// (Ayer et al. 1955): (N) f64.
Tensor isotonic_regression(const Tensor& y, const IsotonicOptions& options = {},
                           Where where = Where::current());

enum class OutOfBounds { kNan, kClip, kRaise };
enum class Increasing { kFalse, kTrue, kAuto };  // kAuto: by Spearman's correlation of X and y
struct IsotonicRegressionOptions {
  std::optional<double> y_min = {}, y_max = {};
  Increasing increasing = Increasing::kTrue;
  OutOfBounds out_of_bounds = OutOfBounds::kNan;  // what is said of X outside that of fit()
};
// The same of X (samples, 1) or (samples), with straight lines between.
class IsotonicRegression : public Regressor {
 public:
  explicit IsotonicRegression(const IsotonicRegressionOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "IsotonicRegression"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<IsotonicRegression>(*this);
  }
  std::vector<Param> params() override;
  IsotonicRegression& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;  // predict()
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const IsotonicRegressionOptions& options() const { return options_; }

  double X_min = 0, X_max = 0;
  Tensor X_thresholds, y_thresholds;  // (corners), X ascending
  int64_t increasing = 1;             // 0: it falls

 private:
  std::vector<FittedAttribute> attributes();

  IsotonicRegressionOptions options_;
};

}  // namespace glia::classic
