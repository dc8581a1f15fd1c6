// Linear regression whose noise is not taken for granted: Bayesian, robust, and of quantiles.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/linear_base.h"

namespace glia::classic {

struct BayesianRidgeOptions {
  int64_t max_iter = 300;
  double tol = 1e-3;                        // ends when the coefficients changed by less, added up
  double alpha_1 = 1e-6, alpha_2 = 1e-6;    // shape and rate of the noise's precision
  double lambda_1 = 1e-6, lambda_2 = 1e-6;  // of the weights' precision
  std::optional<double> alpha_init{};       // unset: 1 / var(y)
  std::optional<double> lambda_init{};      // unset: 1
  bool fit_intercept = true;
};
// Ridge whose penalty the evidence chooses (MacKay 1992; Tipping 2001).
class BayesianRidge : public LinearRegressor {
 public:
  explicit BayesianRidge(const BayesianRidgeOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "BayesianRidge"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<BayesianRidge>(*this);
  }
  std::vector<Param> params() override;
  BayesianRidge& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  // The standard deviation of each prediction, (samples).
  Tensor predict_std(const Tensor& x, Where where = Where::current()) const;

  double alpha = 0, lambda = 0;  // precision of the noise, of the weights
  Tensor sigma;                  // (features, features) covariance of the weights
  Tensor x_offset;               // (features) what was taken off X
  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  BayesianRidgeOptions options_;
};

struct HuberRegressorOptions {
  double epsilon = 1.35;  // above so many scales a residual counts linearly; at least 1
  int64_t max_iter = 100;
  double alpha = 1e-4;  // alpha |w|^2
  bool warm_start = false;
  bool fit_intercept = true;
  double tol = 1e-5;  // of the largest number of the gradient
};
// Minimises sum of (scale + H(residual / scale) scale) over weights and scale, with H(z) = z^2 or
// 2 epsilon |z| - epsilon^2 (Huber 1981; Owen 2007), so that outliers pull little.
class HuberRegressor : public LinearRegressor {
 public:
  explicit HuberRegressor(const HuberRegressorOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "HuberRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<HuberRegressor>(*this);
  }
  std::vector<Param> params() override;
  HuberRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;

  double scale = 0;
  Tensor outliers;  // (samples) bool: residual above epsilon scale
  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  HuberRegressorOptions options_;
};

struct QuantileRegressorOptions {
  double quantile = 0.5;
  double alpha = 1;  // alpha |w|_1 beside the mean loss
  bool fit_intercept = true;
};
// Minimises the mean of quantile r for residuals r above 0 and (quantile - 1) r below (Koenker &
// Bassett 1978): that part of the targets is below what it says.
class QuantileRegressor : public LinearRegressor {
 public:
  explicit QuantileRegressor(const QuantileRegressorOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "QuantileRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<QuantileRegressor>(*this);
  }
  std::vector<Param> params() override;
  QuantileRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;

  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  QuantileRegressorOptions options_;
};

}  // namespace glia::classic
