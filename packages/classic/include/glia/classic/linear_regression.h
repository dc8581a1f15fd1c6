// Least squares: the estimator, and a regression with its statistics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

enum class LeastSquaresSolver {
  kQR,      // residuals in twice the precision, so that digits are right up to a condition of 1e15
  kSVD,     // the shortest of all solutions
  kNormal,  // X^T X by Cholesky: the fastest; loses twice the digits
  kGD,      // gradient descent on all samples (Cauchy 1847)
  kSGD,     // on batch_size of them (Robbins & Monro 1951)
};
struct LinearRegressionOptions {
  bool fit_intercept = true;
  bool positive = false;  // coefficients of at least 0 (Lawson & Hanson 1974), whatever the solver
  LeastSquaresSolver solver = LeastSquaresSolver::kQR;
  // Of gradient descent, on features of mean 0 and variance 1. It ends when no number of the
  // mean gradient is above tol, or after max_iter epochs.
  double tol = 1e-10;
  int64_t max_iter = 10000;
  std::optional<double>
      learning_rate{};      // unset: 2 / (least + largest curvature); kSGD: 0.1 / the largest
  int64_t batch_size = 32;  // of kSGD, whose rate is lr / (1 + epoch / 10)
  uint64_t random_state = 0;
};
// Minimises the (weighted) sum of (y - X coef - intercept)^2 (Legendre 1805, Gauss 1809). Where
// features are dependent, rank says so and the coefficients are the shortest ones that fit best.
class LinearRegression : public LinearRegressor {
 public:
  explicit LinearRegression(const LinearRegressionOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "LinearRegression"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LinearRegression>(*this);
  }
  std::vector<Param> params() override;
  LinearRegression& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  const LinearRegressionOptions& options() const { return options_; }

  int64_t rank = 0;    // of X, without its mean if there is an intercept
  Tensor singular;     // (min(samples, features)) its singular values, falling
  int64_t n_iter = 0;  // epochs of gradient descent, else 0

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  LinearRegressionOptions options_;
};

// ---- Statistics -------------------------------------------------------------------------------

enum class ErrorCovariance {
  kNonrobust,
  kHC0,  // White 1980
  kHC1,  // with n / (n - k)
  kHC2,  // residuals / sqrt(1 - leverage)
  kHC3,  // residuals / (1 - leverage) (MacKinnon & White 1985)
  kHAC,  // Newey & West 1987: also under autocorrelation
};
struct OLSOptions {
  bool add_constant = true;  // a first column of ones
  ErrorCovariance cov_type = ErrorCovariance::kNonrobust;
  std::optional<int64_t> maxlags{};  // of kHAC; unset: floor(4 (n / 100)^(2/9))
  bool use_correction = false;       // of kHAC: n / (n - k)
  // Student's t and F, or the normal distribution and chi^2; unset: the first if nonrobust.
  std::optional<bool> use_t{};
};
// statsmodels' results of OLS and WLS, with its names; K parameters, N samples.
struct OLSResults {
  Tensor params, bse, tvalues, pvalues;  // (K) f64
  Tensor cov_params;                     // (K, K)
  Tensor normalized_cov_params;          // (K, K) the inverse of X^T W X
  Tensor fittedvalues, resid;            // (N)
  double nobs = 0, df_model = 0, df_resid = 0;
  int64_t rank = 0;
  double ssr = 0, ess = 0, centered_tss = 0, uncentered_tss = 0;  // sums of squares
  double scale = 0;     // ssr / df_resid, the residuals' variance
  double rsquared = 0;  // centred if there is a constant
  double rsquared_adj = 0, fvalue = 0, f_pvalue = 0;
  double llf = 0, aic = 0, bic = 0;
  double condition_number = 0;  // of X, by its singular values
  double durbin_watson = 0, jarque_bera = 0, jarque_bera_pvalue = 0, skew = 0, kurtosis = 0;
  bool has_constant = false, use_t = true;
  OLSOptions options;
};
// y (N) on x (N, features), with weights (N) as in WLS. NaN where there are no degrees of freedom.
// Throws ValueError for more parameters than samples unless the rank says otherwise.
OLSResults ols(const Tensor& y, const Tensor& x, const OLSOptions& options = {},
               const Tensor& weights = {}, Where where = Where::current());
// y on 1, x, x^2, ..., x^degree; the powers are kept to twice the precision, which numbers with
// many digits need.
OLSResults ols_polynomial(const Tensor& y, const Tensor& x, int64_t degree,
                          const OLSOptions& options = {}, const Tensor& weights = {},
                          Where where = Where::current());

// (K, 2): where the parameters are with probability 1 - alpha.
Tensor conf_int(const OLSResults& results, double alpha = 0.05, Where where = Where::current());

struct PredictionIntervals {
  Tensor mean, mean_se;                 // (N)
  Tensor mean_ci_lower, mean_ci_upper;  // of the mean
  Tensor obs_ci_lower, obs_ci_upper;    // of a new observation
};
// At x (N, features), with a constant where the fit had one.
PredictionIntervals get_prediction(const OLSResults& results, const Tensor& x, double alpha = 0.05,
                                   Where where = Where::current());
// A page as statsmodels prints it. `names` of the parameters; empty: const, x1, x2, ...
std::string summary(const OLSResults& results, const std::vector<std::string>& names = {},
                    double alpha = 0.05, Where where = Where::current());

// ---- One variable -----------------------------------------------------------------------------

struct UnivariateStatistics {
  double nobs = 0, mean = 0;
  double std = 0;              // with n - 1
  double autocorrelation = 0;  // of neighbours: sum of products of their deviations / of squares
  double min = 0, max = 0;
};
// Of x (N). Sums are those of residuals in twice the precision.
UnivariateStatistics describe(const Tensor& x, Where where = Where::current());

struct AnovaResults {
  double df_between = 0, df_within = 0;
  double ss_between = 0, ss_within = 0, ms_between = 0, ms_within = 0;
  double fvalue = 0, pvalue = 0, rsquared = 0;
  double residual_std = 0;  // sqrt(ms_within)
};
// Whether the means of y (N) differ between the groups (N), integers (Fisher 1925).
AnovaResults anova_oneway(const Tensor& y, const Tensor& groups, Where where = Where::current());

}  // namespace glia::classic
