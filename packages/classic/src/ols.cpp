#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "checks.h"
#include "glia/classic/linear_regression.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/ops/contract.h"
#include "least_squares.h"
#include "linear.h"
#include "nan.h"
#include "summary.h"
#include "tails.h"

namespace glia::classic {
namespace {

// What is fitted: K columns, of which numbers may have a second half.
struct Columns {
  std::vector<Twofold> a;  // (N, K)
  int64_t n = 0, k = 0;
  bool has_constant = false;
};

Tensor high_part(const Columns& c) {
  std::vector<double> high;
  for (const Twofold& x : c.a) high.push_back(x.high);
  return from_vector(high, {c.n, c.k});
}

// Whether ones are a combination of the columns.
bool implies_constant(const Columns& c) {
  for (int64_t j = 0; j < c.k; ++j) {
    bool same = c.a[j].high != 0;
    for (int64_t i = 1; same && i < c.n; ++i) same = c.a[i * c.k + j].high == c.a[j].high;
    if (same) return true;
  }
  const Tensor x = high_part(c);
  return linalg::matrix_rank(x).item<int64_t>() ==
         linalg::matrix_rank(concat({ones({c.n, 1}, kF64), x}, 1)).item<int64_t>();
}

// Sums of squares of y's deviations from its weighted mean, and of y.
std::pair<double, double> total_squares(const std::vector<double>& y,
                                        const std::vector<double>& w) {
  Twofold sum, weight, whole;
  for (size_t i = 0; i < y.size(); ++i) {
    sum = sum + Twofold{y[i]} * Twofold{w[i]};
    weight = weight + Twofold{w[i]};
  }
  const Twofold mean = quotient(sum, weight.high);
  Twofold centred;
  for (size_t i = 0; i < y.size(); ++i) {
    const Twofold d = Twofold{y[i]} + -mean;
    centred = centred + d * d * Twofold{w[i]};
    whole = whole + Twofold{y[i]} * Twofold{y[i]} * Twofold{w[i]};
  }
  return {centred.high, whole.high};
}

// The covariance of the parameters that holds without equal variances, from rows (N, K) and
// residuals (N), both times the roots of weights.
Tensor robust_covariance(const Tensor& x, const Tensor& e, const Tensor& bread, double df_resid,
                         const OLSOptions& options) {
  const double n = static_cast<double>(x.size(0));
  Tensor meat;
  double factor = 1;
  if (options.cov_type == ErrorCovariance::kHAC) {
    const Tensor xe = x * reshape(e, {-1, 1});
    const int64_t lags =
        std::min(x.size(0) - 1,
                 options.maxlags.value_or(static_cast<int64_t>(4 * std::pow(n / 100, 2.0 / 9))));
    meat = matmul(transpose(xe), xe);
    for (int64_t lag = 1; lag <= lags; ++lag) {
      const Tensor s =
          matmul(transpose(narrow(xe, 0, lag, x.size(0) - lag)), narrow(xe, 0, 0, x.size(0) - lag));
      const double kernel = 1 - static_cast<double>(lag) / static_cast<double>(lags + 1);
      meat = meat + kernel * (s + transpose(s));
    }
    if (options.use_correction) factor = n / df_resid;
  } else {
    Tensor squares = square(e);
    if (options.cov_type == ErrorCovariance::kHC2 || options.cov_type == ErrorCovariance::kHC3) {
      const Tensor rest = 1 - sum(matmul(x, bread) * x, {1});
      squares = squares / (options.cov_type == ErrorCovariance::kHC2 ? rest : square(rest));
    }
    meat = matmul(transpose(x), x * reshape(squares, {-1, 1}));
    if (options.cov_type == ErrorCovariance::kHC1) factor = n / df_resid;
  }
  return factor * matmul(matmul(bread, meat), bread);
}

// F of the hypothesis that all parameters but the constant are 0, by their covariance.
double wald_f(const Tensor& params, const Tensor& cov, const Columns& c) {
  std::vector<int64_t> at;
  for (int64_t j = 0; j < c.k; ++j) {
    bool same = true;
    for (int64_t i = 1; same && i < c.n; ++i) same = c.a[i * c.k + j].high == c.a[j].high;
    if (!same || !c.has_constant) at.push_back(j);
  }
  if (at.empty()) return kNaN;
  const Tensor positions = from_vector(at, {static_cast<int64_t>(at.size())});
  const Tensor b = take(params, positions);
  const Tensor v = transpose(take(transpose(take(cov, positions)), positions));
  return (dot(b, linalg::solve(v, b)) / static_cast<double>(at.size())).item();
}

OLSResults fit(const std::string& op, Columns columns, const Tensor& y, const Tensor& weights,
               const OLSOptions& options, Where where) {
  const int64_t n = columns.n, k = columns.k;
  const Tensor weight = check_sample_weight(op, weights, n, kF64, where);
  if (options.maxlags.value_or(0) < 0)
    throw ValueError(op + ": maxlags = " + std::to_string(*options.maxlags), where);
  columns.has_constant = columns.has_constant || implies_constant(columns);
  const Tensor x = high_part(columns);
  const std::vector<double> target = y.to_vector<double>();
  const std::vector<double> w =
      weight.defined() ? weight.to_vector<double>() : std::vector<double>(target.size(), 1);
  std::vector<Twofold> rows = columns.a, right;
  for (int64_t i = 0; i < n; ++i) {
    const Twofold root{std::sqrt(w[i])};
    right.push_back(Twofold{target[i]} * root);
    if (weight.defined())
      for (int64_t j = 0; j < k; ++j) rows[i * k + j] = rows[i * k + j] * root;
  }
  const Tensor root = reshape(sqrt(from_vector(w, {n})), {n, 1});
  const Tensor weighted = x * root;

  OLSResults r;
  r.options = options;
  r.nobs = static_cast<double>(n);
  r.has_constant = columns.has_constant;
  Tensor weighted_resid;
  const LeastSquares system(std::move(rows), n, k);
  if (system.full_rank()) {
    const LeastSquares::Solution solution = system.solve(right);
    r.rank = k;
    r.params = from_vector(solution.x, {k});
    r.ssr = solution.squares;
    weighted_resid = from_vector(solution.residual, {n});
    r.normalized_cov_params = from_vector(system.inverse_gram(), {k, k});
  } else {
    const Tensor inverse = linalg::pinv(weighted);
    const Tensor scaled = from_vector(target, {n}) * reshape(root, {n});
    r.rank = linalg::matrix_rank(weighted).item<int64_t>();
    r.params = matmul(inverse, scaled);
    weighted_resid = scaled - matmul(weighted, r.params);
    r.ssr = sum(square(weighted_resid)).item();
    r.normalized_cov_params = matmul(inverse, transpose(inverse));
  }
  r.resid = weight.defined() ? glia::where(weight > 0, weighted_resid / reshape(root, {n}),
                                           y - matmul(x, r.params))
                             : weighted_resid;
  r.fittedvalues = y - r.resid;
  r.df_model = static_cast<double>(r.rank - (r.has_constant ? 1 : 0));
  r.df_resid = r.nobs - static_cast<double>(r.rank);
  r.scale = r.df_resid > 0 ? r.ssr / r.df_resid : kNaN;
  std::tie(r.centered_tss, r.uncentered_tss) = total_squares(target, w);
  const double tss = r.has_constant ? r.centered_tss : r.uncentered_tss;
  r.ess = tss - r.ssr;
  r.rsquared = 1 - r.ssr / tss;
  r.rsquared_adj = 1 - (r.nobs - (r.has_constant ? 1 : 0)) / r.df_resid * (1 - r.rsquared);
  r.llf = -r.nobs / 2 * (std::log(2 * M_PI * r.ssr / r.nobs) + 1);
  for (const double one : w) r.llf += 0.5 * std::log(one);
  r.aic = 2 * static_cast<double>(r.rank) - 2 * r.llf;
  r.bic = std::log(r.nobs) * static_cast<double>(r.rank) - 2 * r.llf;
  r.condition_number = linalg::cond(weighted).item();

  const bool robust = options.cov_type != ErrorCovariance::kNonrobust;
  r.use_t = options.use_t.value_or(!robust);
  r.cov_params = robust ? robust_covariance(weighted, weighted_resid, r.normalized_cov_params,
                                            r.df_resid, options)
                        : r.scale * r.normalized_cov_params;
  const Inference inferred = infer(r.params, r.cov_params, r.use_t, r.df_resid);
  r.bse = inferred.bse;
  r.tvalues = inferred.tvalues;
  r.pvalues = inferred.pvalues;
  r.fvalue = robust ? wald_f(r.params, r.cov_params, columns) : r.ess / r.df_model / r.scale;
  r.f_pvalue = f_upper_tail(r.fvalue, r.df_model, r.df_resid);

  const std::vector<double> e = weighted_resid.to_vector<double>();
  double mean = 0, differences = 0, squares = 0, second = 0, third = 0, fourth = 0;
  for (const double one : e) mean += one / r.nobs;
  for (size_t i = 0; i < e.size(); ++i) {
    const double d = e[i] - mean;
    if (i > 0) differences += (e[i] - e[i - 1]) * (e[i] - e[i - 1]);
    squares += e[i] * e[i];
    second += d * d / r.nobs;
    third += d * d * d / r.nobs;
    fourth += d * d * d * d / r.nobs;
  }
  r.durbin_watson = differences / squares;
  r.skew = third / std::pow(second, 1.5);
  r.kurtosis = fourth / (second * second);
  r.jarque_bera = r.nobs / 6 * (r.skew * r.skew + (r.kurtosis - 3) * (r.kurtosis - 3) / 4);
  r.jarque_bera_pvalue = chi2_upper_tail(r.jarque_bera, 2);
  eval({r.params, r.normalized_cov_params, r.resid, r.fittedvalues, r.cov_params}, where);
  return r;
}

Tensor check_one_output(const std::string& op, const Tensor& y, int64_t n, Where where) {
  const Tensor targets = check_targets(op, y, n, where);
  if (targets.rank() != 1)
    throw ShapeError(op + ": y is (samples), not " + targets.shape().str(), where);
  return targets;
}

}  // namespace

OLSResults ols(const Tensor& y, const Tensor& x, const OLSOptions& options, const Tensor& weights,
               Where where) {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("ols", x, where), kF64);
  const Tensor target = check_one_output("ols", y, given.size(0), where);
  const std::vector<double> values = given.to_vector<double>();
  const int64_t n = given.size(0), d = given.size(1);
  Columns columns{
      .n = n, .k = d + (options.add_constant ? 1 : 0), .has_constant = options.add_constant};
  for (int64_t i = 0; i < n; ++i) {
    if (options.add_constant) columns.a.push_back({1});
    for (int64_t j = 0; j < d; ++j) columns.a.push_back({values[i * d + j]});
  }
  return fit("ols", std::move(columns), target, weights, options, where);
}

OLSResults ols_polynomial(const Tensor& y, const Tensor& x, int64_t degree,
                          const OLSOptions& options, const Tensor& weights, Where where) {
  const NoGrad no_grad;
  const std::string op = "ols_polynomial";
  if (degree < 0) throw ValueError(op + ": degree = " + std::to_string(degree), where);
  if (!x.defined() || x.rank() != 1)
    throw ShapeError(op + ": x is (samples)" + (x.defined() ? ", not " + x.shape().str() : ""),
                     where);
  const std::vector<double> at =
      cast(check_x(op, reshape(x, {-1, 1}), where), kF64).to_vector<double>();
  const int64_t n = static_cast<int64_t>(at.size());
  const Tensor target = check_one_output(op, y, n, where);
  if (!options.add_constant && degree == 0)
    throw ValueError(op + ": degree 0 without a constant has no parameters", where);
  Columns columns{
      .n = n, .k = degree + (options.add_constant ? 1 : 0), .has_constant = options.add_constant};
  for (const double value : at) {
    Twofold power{1};
    if (options.add_constant) columns.a.push_back(power);
    for (int64_t j = 1; j <= degree; ++j) {
      power = power * Twofold{value};
      columns.a.push_back(power);
    }
    if (!std::isfinite(power.high + power.low))
      throw ValueError(op + ": a power of x is beyond f64", where);
  }
  return fit(op, std::move(columns), target, weights, options, where);
}

Tensor conf_int(const OLSResults& results, double alpha, Where where) {
  return confidence_intervals(results.params, results.bse, alpha, results.use_t, results.df_resid,
                              where);
}

PredictionIntervals get_prediction(const OLSResults& results, const Tensor& x, double alpha,
                                   Where where) {
  const NoGrad no_grad;
  const bool constant = results.options.add_constant;
  const Tensor given =
      cast(check_x("get_prediction", x, results.params.size(0) - (constant ? 1 : 0), where), kF64);
  const Tensor rows = constant ? concat({ones({given.size(0), 1}, kF64), given}, 1) : given;
  const Tensor mean = matmul(rows, results.params);
  const Tensor variance = sum(matmul(rows, results.cov_params) * rows, {1});
  const double q = two_sided_quantile(alpha, results.use_t, results.df_resid, where);
  const Tensor se = sqrt(variance), whole = sqrt(variance + results.scale);
  return {mean, se, mean - q * se, mean + q * se, mean - q * whole, mean + q * whole};
}

std::string summary(const OLSResults& r, const std::vector<std::string>& names, double alpha,
                    Where where) {
  static constexpr const char* kCovariances[] = {"nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC"};
  return summary_page(
      "OLS Regression Results",
      {{"No. Observations:", r.nobs},
       {"R-squared:", r.rsquared},
       {"Df Residuals:", r.df_resid},
       {"Adj. R-squared:", r.rsquared_adj},
       {"Df Model:", r.df_model},
       {"F-statistic:", r.fvalue},
       {"Log-Likelihood:", r.llf},
       {"Prob (F-statistic):", r.f_pvalue},
       {"AIC:", r.aic},
       {"BIC:", r.bic},
       {"Durbin-Watson:", r.durbin_watson},
       {"Jarque-Bera (JB):", r.jarque_bera},
       {"Skew:", r.skew},
       {"Prob(JB):", r.jarque_bera_pvalue},
       {"Kurtosis:", r.kurtosis},
       {"Cond. No.", r.condition_number}},
      std::string("Covariance Type: ") + kCovariances[static_cast<int>(r.options.cov_type)],
      {r.params, r.bse, r.tvalues, r.pvalues}, conf_int(r, alpha, where), r.use_t, alpha,
      parameter_names(names, r.params.size(0), r.options.add_constant, where));
}

}  // namespace glia::classic
