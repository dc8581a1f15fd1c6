// Generalised linear models (Nelder & Wedderburn 1972): with statistics, and as estimators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

enum class GLMFamily {
  kGaussian,
  kBinomial,  // y between 0 and 1
  kPoisson,
  kGamma,
  kInverseGaussian,
  kNegativeBinomial,  // variance mu + nb_alpha mu^2
  kTweedie,           // variance mu^var_power
};
enum class GLMLink {
  kDefault,  // statsmodels': identity, logit, log, inverse, inverse squared, log, log
  kIdentity,
  kLog,
  kLogit,
  kProbit,
  kCLogLog,
  kInverse,
  kInverseSquared,
  kSqrt,
};
struct GLMOptions {
  GLMFamily family = GLMFamily::kGaussian;
  GLMLink link = GLMLink::kDefault;
  bool add_constant = true;  // a first column of ones
  double var_power = 1.5, nb_alpha = 1;
  int64_t max_iter = 100;
  double tol = 1e-12;  // ends when the deviance changed by less, as a part of it
};
// statsmodels' results of GLM and Logit, with its names; K parameters, N samples. The tests are by
// the normal distribution.
struct GLMResults {
  Tensor params, bse, tvalues, pvalues;  // (K) f64
  Tensor cov_params;                     // (K, K)
  Tensor fittedvalues;                   // (N) means
  Tensor resid_deviance, resid_pearson;  // (N)
  double nobs = 0, df_model = 0, df_resid = 0;
  double deviance = 0, null_deviance = 0, pearson_chi2 = 0;
  double scale = 1;  // 1 for binomial, Poisson and negative binomial, else pearson_chi2 / df_resid
  double llf = 0, llnull = 0;      // log-likelihoods, of a constant alone too; NaN for Tweedie
  double prsquared = 0;            // McFadden's, 1 - llf / llnull
  double llr = 0, llr_pvalue = 0;  // of the test that only the constant counts, by chi^2
  double aic = 0, bic = 0;
  int64_t n_iter = 0;
  bool converged = false;
  GLMOptions options;
};
// y (N) on x (N, features) by iterated least squares, with weights (N) that count samples as if
// they were repeated, and an offset (N) of the linear predictor. Throws ValueError for y that the
// family cannot have.
GLMResults glm(const Tensor& y, const Tensor& x, const GLMOptions& options = {},
               const Tensor& weights = {}, const Tensor& offset = {},
               Where where = Where::current());
// Logistic regression with statistics: the binomial family with its default link, y of 0 and 1.
GLMResults logit(const Tensor& y, const Tensor& x, bool add_constant = true,
                 const Tensor& weights = {}, Where where = Where::current());
// Means at x (N, features).
Tensor glm_predict(const GLMResults& results, const Tensor& x, const Tensor& offset = {},
                   Where where = Where::current());
// (K, 2): where the parameters are with probability 1 - alpha.
Tensor conf_int(const GLMResults& results, double alpha = 0.05, Where where = Where::current());
std::string summary(const GLMResults& results, const std::vector<std::string>& names = {},
                    double alpha = 0.05, Where where = Where::current());

struct GLMRegressorOptions {
  double alpha = 1;  // alpha / 2 |w|^2 beside half the mean deviance
  bool fit_intercept = true;
  int64_t max_iter = 100;
  double tol = 1e-4;  // ends when no number of the gradient is above
};
enum class TweedieLink { kAuto, kIdentity, kLog };  // kAuto: identity for power <= 0, else log
struct TweedieRegressorOptions {
  double power = 0;  // 0 normal, 1 Poisson, 2 gamma, 3 inverse Gaussian; not between 0 and 1
  TweedieLink link = TweedieLink::kAuto;
  double alpha = 1;
  bool fit_intercept = true;
  int64_t max_iter = 100;
  double tol = 1e-4;
};
// Minimises half the mean deviance of variance mean^power, with a penalty; by Newton's steps with
// expected curvature. Says means.
class TweedieRegressor : public LinearRegressor {
 public:
  explicit TweedieRegressor(const TweedieRegressorOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "TweedieRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<TweedieRegressor>(*this);
  }
  std::vector<Param> params() override;
  TweedieRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // The part of the deviance that is explained, D^2.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  const TweedieRegressorOptions& options() const { return options_; }

  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;
  TweedieRegressorOptions options_;
};
class PoissonRegressor : public TweedieRegressor {
 public:
  explicit PoissonRegressor(const GLMRegressorOptions& options = {});
  std::string_view name() const override { return "PoissonRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<PoissonRegressor>(*this);
  }
  std::vector<Param> params() override;
};
class GammaRegressor : public TweedieRegressor {
 public:
  explicit GammaRegressor(const GLMRegressorOptions& options = {});
  std::string_view name() const override { return "GammaRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GammaRegressor>(*this);
  }
  std::vector<Param> params() override;
};

}  // namespace glia::classic
