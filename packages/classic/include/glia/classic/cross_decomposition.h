// Directions of X that tell most of y. scikit-learn's names and defaults, in f64.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

struct PLSRegressionOptions {
  int64_t n_components = 2;  // at most min(samples, features)
  bool scale = true;         // X and y to variance 1 before
  int64_t max_iter = 500;    // of each component's power method
  double tol = 1e-6;
};
// Partial least squares (Wold 1975) by NIPALS: each component is the direction of X of the largest
// covariance with y, which both are then freed of. y is (samples) or (samples, outputs). Takes no
// weights.
class PLSRegression : public Regressor {
 public:
  explicit PLSRegression(const PLSRegressionOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "PLSRegression"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<PLSRegression>(*this);
  }
  std::vector<Param> params() override;
  PLSRegression& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // The scores of X, (samples, n_components), and X as they tell of it.
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const PLSRegressionOptions& options() const { return options_; }

  Tensor x_weights, x_loadings, x_rotations;  // (features, n_components)
  Tensor y_weights, y_loadings, y_rotations;  // (outputs, n_components)
  Tensor x_scores, y_scores;                  // (samples, n_components), of what was fitted
  Tensor coef;                                // (outputs, features)
  Tensor intercept;                           // (outputs): the mean of y, at the mean of X
  Tensor n_iter;                              // (n_components) i64

 private:
  std::vector<FittedAttribute> attributes();

  PLSRegressionOptions options_;
  Tensor x_mean_, x_std_;
  int64_t flat_ = 1;  // y was (samples)
};

}  // namespace glia::classic
