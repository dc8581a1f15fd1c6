#include "glia/classic/covariance.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fitted.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "linear.h"

namespace glia::classic {
namespace {

Tensor samples_of(std::string_view op, const Tensor& x, Where where) {
  return cast(check_x(op, x, where), kF64);
}

Tensor centre_of(const Tensor& x, bool assume_centered) {
  return assume_centered ? zeros({x.size(1)}, kF64) : mean(x, {0});
}

// Of samples without their mean.
Tensor covariance_of(const Tensor& rest) {
  return matmul(transpose(rest), rest) / static_cast<double>(rest.size(0));
}

Tensor shrunk(const Tensor& cov, double shrinkage) {
  const auto d = static_cast<double>(cov.size(0));
  return (1 - shrinkage) * cov + shrinkage / d * trace(cov) * eye(cov.size(0), kF64);
}

ShrunkResult ledoit_wolf_of(const Tensor& rest) {
  const int64_t d = rest.size(1);
  const auto n = static_cast<double>(rest.size(0)), p = static_cast<double>(d);
  const Tensor cov = covariance_of(rest);
  if (d == 1) return {cov, 0};
  const double total = trace(cov).item(), mu = total / p, squares = sum(square(cov)).item();
  // The sum of all products of squares, without their matrix.
  const double fourth = sum(square(sum(square(rest), {1}))).item();
  const double delta = (squares - 2 * mu * total + p * mu * mu) / p;
  const double beta = std::min((fourth / n - squares) / (p * n), delta);
  const double shrinkage = beta == 0 ? 0 : beta / delta;
  return {shrunk(cov, shrinkage), shrinkage};
}

ShrunkResult oas_of(const Tensor& rest) {
  const int64_t d = rest.size(1);
  const auto n = static_cast<double>(rest.size(0)), p = static_cast<double>(d);
  const Tensor cov = covariance_of(rest);
  if (d == 1) return {cov, 0};
  const double alpha = mean(square(cov)).item(), mu = trace(cov).item() / p;
  const double among = alpha + mu * mu, least = (n + 1) * (alpha - mu * mu / p);
  const double shrinkage = least == 0 ? 1 : std::min(among / least, 1.0);
  return {shrunk(cov, shrinkage), shrinkage};
}

void check_shrinkage(std::string_view op, double shrinkage, Where where) {
  require_option(shrinkage >= 0 && shrinkage <= 1, op, "shrinkage", shrinkage, where);
}

// What fit() of the four begins with.
struct Prepared {
  Tensor mean, rest;
};
Prepared prepared(const std::string& op, const Tensor& x, const Tensor& weight,
                  bool assume_centered, Where where) {
  refuse_sample_weight(op, weight, where);
  const Tensor given = samples_of(op, x, where), mean = centre_of(given, assume_centered);
  return {mean, given - mean};
}

}  // namespace

Tensor empirical_covariance(const Tensor& x, bool assume_centered, Where where) {
  const Tensor given = samples_of("empirical_covariance", x, where);
  return covariance_of(given - centre_of(given, assume_centered));
}

Tensor shrunk_covariance(const Tensor& emp_cov, double shrinkage, Where where) {
  const Tensor cov = samples_of("shrunk_covariance", emp_cov, where);
  if (cov.size(0) != cov.size(1))
    throw ShapeError("shrunk_covariance: " + cov.shape().str() + " is not square", where);
  check_shrinkage("shrunk_covariance", shrinkage, where);
  return shrunk(cov, shrinkage);
}

ShrunkResult ledoit_wolf(const Tensor& x, bool assume_centered, Where where) {
  const Tensor given = samples_of("ledoit_wolf", x, where);
  return ledoit_wolf_of(given - centre_of(given, assume_centered));
}

ShrunkResult oas(const Tensor& x, bool assume_centered, Where where) {
  const Tensor given = samples_of("oas", x, where);
  return oas_of(given - centre_of(given, assume_centered));
}

// ---- What all share -----------------------------------------------------------------------------

void CovarianceEstimator::set_covariance(const Tensor& mean, const Tensor& cov) {
  Tensor inverse = linalg::pinv(cov, {.hermitian = true});
  eval({mean, cov, inverse});
  location = mean;
  covariance = cov;
  precision = std::move(inverse);
  n_features_in = mean.size(0);
}

std::vector<FittedAttribute> CovarianceEstimator::attributes() {
  return {{"location", &location, {-2}},
          {"covariance", &covariance, {-2, -2}},
          {"precision", &precision, {-2, -2}}};
}

StateDict CovarianceEstimator::state_dict(Where where) const {
  const auto copy = clone();
  return fitted_state(*copy, static_cast<CovarianceEstimator&>(*copy).attributes(), where);
}

void CovarianceEstimator::load_state_dict(const StateDict& state, Where where) {
  load_fitted_state(*this, attributes(), state, where);
}

Tensor CovarianceEstimator::mahalanobis(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x(std::string(name()) + ".mahalanobis", x, n_features_in, where);
  const Tensor rest = cast(given, kF64) - location;
  return sum(matmul(rest, precision) * rest, {1});
}

double CovarianceEstimator::score(const Tensor& x, const Tensor&, const Tensor&,
                                  Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x(std::string(name()) + ".score", x, n_features_in, where);
  const Tensor cov = covariance_of(cast(given, kF64) - location);
  const auto d = static_cast<double>(n_features_in);
  const linalg::SlogdetResult det = linalg::slogdet(precision);
  return (det.logabsdet.item() - sum(cov * precision).item() - d * std::log(2 * std::numbers::pi)) /
         2;
}

double CovarianceEstimator::error_norm(const Tensor& comp_cov, const ErrorNormOptions& options,
                                       Where where) const {
  const std::string op = std::string(name()) + ".error_norm";
  require_fitted(op, fitted(), where);
  const Tensor other = samples_of(op, comp_cov, where);
  if (other.shape() != covariance.shape())
    throw ShapeError(
        op + ": comp_cov is " + other.shape().str() + ", not " + covariance.shape().str(), where);
  const Tensor error = other - covariance;
  double norm = options.norm == ErrorNorm::kFrobenius
                    ? sum(square(error)).item()
                    : std::pow(max(linalg::svdvals(error)).item(), 2);
  if (options.scaling) norm /= static_cast<double>(n_features_in);
  return options.squared ? norm : std::sqrt(norm);
}

// ---- Estimates ----------------------------------------------------------------------------------

std::vector<Param> EmpiricalCovariance::params() {
  return {{"assume_centered", &options_.assume_centered}};
}

EmpiricalCovariance& EmpiricalCovariance::fit(const Tensor& x, const Tensor&, const Tensor& weight,
                                              Where where) {
  const NoGrad no_grad;
  const Prepared p =
      prepared("EmpiricalCovariance.fit", x, weight, options_.assume_centered, where);
  set_covariance(p.mean, covariance_of(p.rest));
  return *this;
}

std::vector<Param> ShrunkCovariance::params() {
  return {{"assume_centered", &options_.assume_centered}, {"shrinkage", &options_.shrinkage}};
}

ShrunkCovariance& ShrunkCovariance::fit(const Tensor& x, const Tensor&, const Tensor& weight,
                                        Where where) {
  const NoGrad no_grad;
  check_shrinkage("ShrunkCovariance.fit", options_.shrinkage, where);
  const Prepared p = prepared("ShrunkCovariance.fit", x, weight, options_.assume_centered, where);
  set_covariance(p.mean, shrunk(covariance_of(p.rest), options_.shrinkage));
  return *this;
}

std::vector<Param> LedoitWolf::params() { return {{"assume_centered", &options_.assume_centered}}; }

std::vector<FittedAttribute> LedoitWolf::attributes() {
  std::vector<FittedAttribute> all = CovarianceEstimator::attributes();
  all.push_back({"shrinkage", &shrinkage, {}});
  return all;
}

LedoitWolf& LedoitWolf::fit(const Tensor& x, const Tensor&, const Tensor& weight, Where where) {
  const NoGrad no_grad;
  const Prepared p = prepared("LedoitWolf.fit", x, weight, options_.assume_centered, where);
  const ShrunkResult result = ledoit_wolf_of(p.rest);
  set_covariance(p.mean, result.covariance);
  shrinkage = result.shrinkage;
  return *this;
}

std::vector<Param> OAS::params() { return {{"assume_centered", &options_.assume_centered}}; }

std::vector<FittedAttribute> OAS::attributes() {
  std::vector<FittedAttribute> all = CovarianceEstimator::attributes();
  all.push_back({"shrinkage", &shrinkage, {}});
  return all;
}

OAS& OAS::fit(const Tensor& x, const Tensor&, const Tensor& weight, Where where) {
  const NoGrad no_grad;
  const Prepared p = prepared("OAS.fit", x, weight, options_.assume_centered, where);
  const ShrunkResult result = oas_of(p.rest);
  set_covariance(p.mean, result.covariance);
  shrinkage = result.shrinkage;
  return *this;
}

}  // namespace glia::classic
