#include "glia/classic/glm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glm_families.h"
#include "least_squares.h"
#include "linear.h"
#include "summary.h"
#include "tails.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

struct Data {
  Vector x;  // (n, k)
  Vector y, weight, offset;
  int64_t n, k;
};

struct Fit {
  Vector params, mean;
  Vector inverse;  // (k, k) of X^T W X
  double deviance = 0;
  int64_t n_iter = 0, rank = 0;
  bool converged = false;
};

Vector predictors(const Data& data, const Vector& params) {
  Vector eta = data.offset;
  for (int64_t i = 0; i < data.n; ++i)
    for (int64_t j = 0; j < data.k; ++j) eta[i] += data.x[i * data.k + j] * params[j];
  return eta;
}

// The least sum of weight (x b - target)^2: b, and the inverse of X^T W X.
Fit weighted_least_squares(const Data& data, const Vector& weight, const Vector& target) {
  std::vector<Twofold> rows, right;
  for (int64_t i = 0; i < data.n; ++i) {
    const double root = std::sqrt(weight[i]);
    for (int64_t j = 0; j < data.k; ++j) rows.push_back({root * data.x[i * data.k + j]});
    right.push_back({root * target[i]});
  }
  Fit fit{.rank = data.k};
  const LeastSquares system(std::move(rows), data.n, data.k);
  if (system.full_rank()) {
    fit.params = system.solve(right).x;
    fit.inverse = system.inverse_gram();
    return fit;
  }
  const Tensor root = sqrt(from_vector(weight, {data.n, 1}));
  const Tensor x = from_vector(data.x, {data.n, data.k}) * root;
  const Tensor inverse = linalg::pinv(x);
  fit.params = matmul(inverse, from_vector(target, {data.n, 1}) * root).to_vector<double>();
  fit.inverse = matmul(inverse, transpose(inverse)).to_vector<double>();
  fit.rank = linalg::matrix_rank(x).item<int64_t>();
  return fit;
}

Fit iterate(const Data& data, const Family& family, const Link& link, int64_t max_iter,
            double tol) {
  const double total = std::accumulate(data.weight.begin(), data.weight.end(), 0.0);
  double average = 0;
  for (int64_t i = 0; i < data.n; ++i) average += data.weight[i] * data.y[i] / total;
  Vector eta(static_cast<size_t>(data.n)), mean(eta.size());
  for (int64_t i = 0; i < data.n; ++i) {
    mean[i] = family.inside(family.start(data.y[i], average));
    eta[i] = link.predictor(mean[i]);
  }
  const auto means = [&](const Vector& predictor) {
    Vector m;
    for (const double one : predictor) m.push_back(family.inside(link.mean(one)));
    return m;
  };
  const auto deviance = [&](const Vector& m) {
    double sum = 0;
    for (int64_t i = 0; i < data.n; ++i)
      if (data.weight[i] > 0) sum += data.weight[i] * family.deviance(data.y[i], m[i]);
    return sum;
  };
  // Least squares with the weights of the means as they are.
  const auto step = [&] {
    Vector weight, target;
    for (int64_t i = 0; i < data.n; ++i) {
      const double slope = link.slope(eta[i]);
      const double w = data.weight[i] * slope * slope / family.variance(mean[i]);
      const bool usable = std::isfinite(w) && slope != 0;
      weight.push_back(usable ? w : 0);
      target.push_back(usable ? eta[i] - data.offset[i] + (data.y[i] - mean[i]) / slope : 0);
    }
    return weighted_least_squares(data, weight, target);
  };
  Fit fit;
  double before = std::numeric_limits<double>::infinity();
  while (fit.n_iter < max_iter) {
    Fit next = step();
    next.n_iter = fit.n_iter + 1;
    eta = predictors(data, next.params);
    mean = means(eta);
    next.deviance = deviance(mean);
    // Half of the way while the deviance grows, as steps far from the end may be too long.
    for (int half = 0;
         half < 30 && !fit.params.empty() && !(next.deviance <= before * (1 + 1e-8) + 1e-300);
         ++half) {
      for (size_t j = 0; j < next.params.size(); ++j)
        next.params[j] = (next.params[j] + fit.params[j]) / 2;
      eta = predictors(data, next.params);
      mean = means(eta);
      next.deviance = deviance(mean);
    }
    const bool settled = std::abs(next.deviance - before) <= tol * (std::abs(next.deviance) + tol);
    fit = std::move(next);
    before = fit.deviance;
    if (settled) {
      fit.converged = true;
      break;
    }
  }
  fit.inverse = step().inverse;  // at the end, not one step before it
  fit.mean = std::move(mean);
  return fit;
}

bool fixed_scale(GLMFamily family) {
  return family == GLMFamily::kBinomial || family == GLMFamily::kPoisson ||
         family == GLMFamily::kNegativeBinomial;
}

double likelihood(const Data& data, const Family& family, const Link& link, const Vector& mean,
                  double scale) {
  double sum = 0, squares = 0, total = 0;
  for (int64_t i = 0; i < data.n; ++i) {
    if (data.weight[i] == 0) continue;
    sum += data.weight[i] * family.log_likelihood(data.y[i], mean[i], scale);
    squares += data.weight[i] * (data.y[i] - mean[i]) * (data.y[i] - mean[i]);
    total += data.weight[i];
  }
  if (family.kind == GLMFamily::kGaussian && link.kind == GLMLink::kIdentity)
    return -total / 2 * (std::log(2 * M_PI * squares / total) + 1);  // the most over all scales
  return sum;
}

}  // namespace

GLMResults glm(const Tensor& y, const Tensor& x, const GLMOptions& options, const Tensor& weights,
               const Tensor& offset, Where where) {
  const std::string op = "glm";
  const NoGrad no_grad;
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0);
  const Tensor target = check_targets(op, y, n, where);
  if (target.rank() != 1) throw ShapeError(op + ": y is (samples)", where);
  const Tensor weight = check_sample_weight(op, weights, n, kF64, where);
  require_option(options.max_iter >= 1, op, "max_iter", static_cast<double>(options.max_iter),
                 where);
  require_option(options.tol >= 0, op, "tol", options.tol, where);
  require_option(options.nb_alpha > 0, op, "nb_alpha", options.nb_alpha, where);
  require_option(options.var_power <= 0 || options.var_power >= 1, op, "var_power",
                 options.var_power, where);
  const Family family{options.family, options.var_power, options.nb_alpha};
  const Link link = link_of(options);
  const Tensor full_x = options.add_constant ? concat({ones({n, 1}, kF64), given}, 1) : given;
  Data data{.x = full_x.to_vector<double>(),
            .y = target.to_vector<double>(),
            .weight = weight.defined() ? weight.to_vector<double>() : Vector(n, 1),
            .offset = Vector(n),
            .n = n,
            .k = full_x.size(1)};
  if (offset.defined()) {
    const Tensor shift = check_targets("glm: offset", offset, n, where);
    if (shift.rank() != 1) throw ShapeError(op + ": offset is (samples)", where);
    data.offset = shift.to_vector<double>();
  }
  for (const double one : data.y)
    if (const char* fault = family.refuses(one))
      throw ValueError(op + ": " + fault + ", not " + to_text(ParamValue(one)), where);

  const Fit fit = iterate(data, family, link, options.max_iter, options.tol);
  if (!std::isfinite(largest(fit.params)))
    throw ValueError(op + ": the coefficients are beyond f64", where);
  Data alone = data;
  alone.x.assign(static_cast<size_t>(n), 1);
  alone.k = 1;
  const Fit null = iterate(alone, family, link, options.max_iter, options.tol);

  GLMResults r;
  r.options = options;
  r.nobs = std::accumulate(data.weight.begin(), data.weight.end(), 0.0);
  bool constant = options.add_constant;
  for (int64_t j = 0; j < data.k && !constant; ++j) {
    constant = data.x[j] != 0;
    for (int64_t i = 1; constant && i < n; ++i) constant = data.x[i * data.k + j] == data.x[j];
  }
  r.df_model = static_cast<double>(fit.rank - 1);
  r.df_resid = r.nobs - static_cast<double>(fit.rank);
  r.deviance = fit.deviance;
  r.null_deviance = null.deviance;
  Vector pearson, deviance;
  for (int64_t i = 0; i < n; ++i) {
    const double rest = data.y[i] - fit.mean[i];
    pearson.push_back(rest / std::sqrt(family.variance(fit.mean[i])));
    const double part = std::max(family.deviance(data.y[i], fit.mean[i]), 0.0);
    deviance.push_back(std::copysign(std::sqrt(part), rest));
    r.pearson_chi2 += data.weight[i] * pearson.back() * pearson.back();
  }
  r.scale = fixed_scale(options.family) ? 1
            : r.df_resid > 0            ? r.pearson_chi2 / r.df_resid
                                        : std::numeric_limits<double>::quiet_NaN();
  r.params = from_vector(fit.params, {data.k});
  r.cov_params = r.scale * from_vector(fit.inverse, {data.k, data.k});
  r.fittedvalues = from_vector(fit.mean, {n});
  r.resid_pearson = from_vector(pearson, {n});
  r.resid_deviance = from_vector(deviance, {n});
  const Inference inferred = infer(r.params, r.cov_params, false, r.df_resid);
  r.bse = inferred.bse;
  r.tvalues = inferred.tvalues;
  r.pvalues = inferred.pvalues;
  r.llf = likelihood(data, family, link, fit.mean, r.scale);
  r.llnull = likelihood(alone, family, link, null.mean, r.scale);
  r.prsquared = 1 - r.llf / r.llnull;
  r.llr = 2 * (r.llf - r.llnull);
  r.llr_pvalue = chi2_upper_tail(r.llr, r.df_model);
  r.aic = 2 * static_cast<double>(fit.rank) - 2 * r.llf;
  r.bic = std::log(r.nobs) * static_cast<double>(fit.rank) - 2 * r.llf;
  r.n_iter = fit.n_iter;
  r.converged = fit.converged;
  eval(r.cov_params, where);
  return r;
}

GLMResults logit(const Tensor& y, const Tensor& x, bool add_constant, const Tensor& weights,
                 Where where) {
  return glm(y, x, {.family = GLMFamily::kBinomial, .add_constant = add_constant}, weights, {},
             where);
}

Tensor glm_predict(const GLMResults& results, const Tensor& x, const Tensor& offset, Where where) {
  const NoGrad no_grad;
  const bool constant = results.options.add_constant;
  const Tensor given =
      cast(check_x("glm_predict", x, results.params.size(0) - (constant ? 1 : 0), where), kF64);
  const Tensor rows = constant ? concat({ones({given.size(0), 1}, kF64), given}, 1) : given;
  Tensor eta = matmul(rows, results.params);
  if (offset.defined())
    eta = eta + check_targets("glm_predict: offset", offset, given.size(0), where);
  const Link link = link_of(results.options);
  std::vector<double> mean = eta.to_vector<double>();
  for (double& one : mean) one = link.mean(one);
  return from_vector(mean, {given.size(0)});
}

Tensor conf_int(const GLMResults& results, double alpha, Where where) {
  return confidence_intervals(results.params, results.bse, alpha, false, results.df_resid, where);
}

std::string summary(const GLMResults& r, const std::vector<std::string>& names, double alpha,
                    Where where) {
  static constexpr const char* kFamilies[] = {
      "Gaussian", "Binomial", "Poisson", "Gamma", "InverseGaussian", "NegativeBinomial", "Tweedie"};
  static constexpr const char* kLinks[] = {
      "", "identity", "log", "logit", "probit", "cloglog", "inverse", "inverse_squared", "sqrt"};
  return summary_page("Generalized Linear Model Regression Results",
                      {{"No. Observations:", r.nobs},
                       {"Log-Likelihood:", r.llf},
                       {"Df Residuals:", r.df_resid},
                       {"LL-Null:", r.llnull},
                       {"Df Model:", r.df_model},
                       {"LLR p-value:", r.llr_pvalue},
                       {"Scale:", r.scale},
                       {"Pseudo R-squ. (McFadden):", r.prsquared},
                       {"Deviance:", r.deviance},
                       {"Pearson chi2:", r.pearson_chi2},
                       {"AIC:", r.aic},
                       {"BIC:", r.bic},
                       {"No. Iterations:", static_cast<double>(r.n_iter)},
                       {"Converged:", r.converged ? 1. : 0.}},
                      std::string("Family: ") + kFamilies[static_cast<int>(r.options.family)] +
                          ", link " + kLinks[static_cast<int>(link_of(r.options).kind)],
                      {r.params, r.bse, r.tvalues, r.pvalues}, conf_int(r, alpha, where), false,
                      alpha,
                      parameter_names(names, r.params.size(0), r.options.add_constant, where));
}

// ---- Estimators --------------------------------------------------------------------------------

namespace {

TweedieRegressorOptions as_tweedie(double power, const GLMRegressorOptions& o) {
  return {.power = power,
          .link = TweedieLink::kLog,
          .alpha = o.alpha,
          .fit_intercept = o.fit_intercept,
          .max_iter = o.max_iter,
          .tol = o.tol};
}

Link link_of(const TweedieRegressorOptions& o) {
  const bool log = o.link == TweedieLink::kLog || (o.link == TweedieLink::kAuto && o.power > 0);
  return {log ? GLMLink::kLog : GLMLink::kIdentity};
}

}  // namespace

PoissonRegressor::PoissonRegressor(const GLMRegressorOptions& options)
    : TweedieRegressor(as_tweedie(1, options)) {}
GammaRegressor::GammaRegressor(const GLMRegressorOptions& options)
    : TweedieRegressor(as_tweedie(2, options)) {}

std::vector<Param> TweedieRegressor::params() {
  return {{"power", &options_.power},       {"link", &options_.link, {"auto", "identity", "log"}},
          {"alpha", &options_.alpha},       {"fit_intercept", &options_.fit_intercept},
          {"max_iter", &options_.max_iter}, {"tol", &options_.tol}};
}

namespace {

std::vector<Param> without_power(std::vector<Param> params) {
  params.erase(params.begin(), params.begin() + 2);
  return params;
}

}  // namespace

std::vector<Param> PoissonRegressor::params() { return without_power(TweedieRegressor::params()); }
std::vector<Param> GammaRegressor::params() { return without_power(TweedieRegressor::params()); }

std::vector<FittedAttribute> TweedieRegressor::attributes() { return {{"n_iter", &n_iter, {}}}; }

TweedieRegressor& TweedieRegressor::fit(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  const double power = options_.power;
  require_option(power <= 0 || power >= 1, op, "power", power, where);
  require_option(options_.alpha >= 0 && std::isfinite(options_.alpha), op, "alpha", options_.alpha,
                 where);
  require_option(options_.tol > 0, op, "tol", options_.tol, where);
  require_option(options_.max_iter >= 1, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  const Regression r = weighted_rows(check_regression(op, x, y, sample_weight, where));
  if (!r.flat) throw ShapeError(op + ": y is (samples)", where);
  const Family family{GLMFamily::kTweedie, power};
  const Link link = link_of(options_);
  const int64_t n = r.x.size(0), d = r.x.size(1), first = options_.fit_intercept, k = d + first;
  const Vector target = r.y.to_vector<double>();
  for (const double one : target)
    if (const char* fault = family.refuses(one))
      throw ValueError(op + ": " + fault + ", not " + to_text(ParamValue(one)), where);
  Vector share = r.weight.defined() ? r.weight.to_vector<double>() : Vector(target.size(), 1);
  for (double& w : share) w /= static_cast<double>(n);
  const Tensor rows = first ? concat({ones({n, 1}, kF64), r.x}, 1) : r.x;
  const Tensor across = transpose(rows);
  Vector penalty(static_cast<size_t>(k), options_.alpha);
  if (first) penalty[0] = 0;

  const auto predictors_of = [&](const Vector& w) {
    return matmul(rows, from_vector(w, {k, 1})).to_vector<double>();
  };
  const auto objective = [&](const Vector& w, const Vector& eta) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double mean = link.mean(eta[i]);
      if (power != 0 && !(mean > 0)) return std::numeric_limits<double>::infinity();
      sum += share[i] * family.deviance(target[i], mean) / 2;
    }
    for (int64_t j = 0; j < k; ++j) sum += penalty[j] / 2 * w[j] * w[j];
    return std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity();
  };
  double average = 0;
  for (int64_t i = 0; i < n; ++i) average += share[i] * target[i];
  Vector w(static_cast<size_t>(k));
  if (first) w[0] = link.predictor(family.inside(average));
  Vector eta = predictors_of(w);
  double value = objective(w, eta);
  int64_t iterations = 0;
  int polished = 0;
  for (; iterations < options_.max_iter; ++iterations) {
    Vector curve, pull;
    for (int64_t i = 0; i < n; ++i) {
      const double mean = family.inside(link.mean(eta[i])), slope = link.slope(eta[i]);
      const double variance = family.variance(mean);
      curve.push_back(share[i] * slope * slope / variance);
      pull.push_back(share[i] * (mean - target[i]) * slope / variance);
    }
    Vector g = matmul(across, from_vector(pull, {n, 1})).to_vector<double>();
    for (int64_t j = 0; j < k; ++j) g[j] += penalty[j] * w[j];
    if (largest(g) <= options_.tol) break;
    const Tensor h =
        matmul(across, rows * from_vector(curve, {n, 1})) + diag(from_vector(penalty, {k}));
    const Vector step =
        linalg::lstsq(h, from_vector(g, {k, 1}), {.driver = linalg::LstsqDriver::kGelsd})
            .solution.to_vector<double>();
    double fall = 0;
    for (int64_t j = 0; j < k; ++j) fall += g[j] * step[j];
    // So near the end the objective has no digits left to tell: whole steps.
    const bool close = fall <= 1e-13 * std::abs(value);
    if (close && ++polished > 30) break;
    bool moved = false;
    double length = 1;
    for (int half = 0; half < 40 && !moved; ++half, length /= 2) {
      Vector next = w;
      for (int64_t j = 0; j < k; ++j) next[j] -= length * step[j];
      const Vector there = predictors_of(next);
      const double now = objective(next, there);
      if (close || now <= value - 1e-4 * length * fall + 1e-15 * std::abs(value)) {
        moved = close || now < value;
        w = next;
        eta = there;
        value = now;
        break;
      }
    }
    if (!moved) break;
  }
  set_linear(op, *this, from_vector(Vector(w.begin() + first, w.end()), {1, d}),
             tensor({first ? w[0] : 0.0}), true, d, where);
  n_iter = iterations;
  return *this;
}

Tensor TweedieRegressor::predict(const Tensor& x, Where where) const {
  const Tensor eta = LinearRegressor::predict(x, where);
  return link_of(options_).kind == GLMLink::kLog ? exp(eta) : eta;
}

double TweedieRegressor::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                               Where where) const {
  const std::string op = std::string(name()) + ".score";
  const Regression r = check_regression(op, x, y, sample_weight, where);
  if (!r.flat) throw ShapeError(op + ": y is (samples)", where);
  const Vector target = r.y.to_vector<double>(), mean = predict(x, where).to_vector<double>();
  const Vector weight =
      r.weight.defined() ? r.weight.to_vector<double>() : Vector(target.size(), 1);
  double average = 0, total = 0, left = 0, whole = 0;
  for (size_t i = 0; i < target.size(); ++i) {
    average += weight[i] * target[i];
    total += weight[i];
  }
  average /= total;
  for (size_t i = 0; i < target.size(); ++i) {
    left += weight[i] * tweedie_deviance(target[i], mean[i], options_.power);
    whole += weight[i] * tweedie_deviance(target[i], average, options_.power);
  }
  return 1 - left / whole;
}

}  // namespace glia::classic
