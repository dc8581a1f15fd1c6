#include <cmath>
#include <numbers>

#include "checks.h"
#include "components.h"
#include "glia/classic/decomposition.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "randomized.h"

namespace glia::classic {
namespace {

constexpr double kSmall = 1e-12;  // added to deviations, and the least variance of noise

// Loadings (k, features) turned so that each feature has few large ones: varimax and quartimax.
Tensor rotated(const Tensor& w, bool varimax) {
  const Tensor loadings = transpose(w);
  Tensor turn = eye(w.size(0), kF64);
  double before = 0;
  for (int i = 0; i < 100; ++i) {
    const Tensor now = matmul(loadings, turn);
    Tensor target = now * square(now);
    if (varimax) target = target - now * glia::mean(square(now), {0});
    const auto svd = linalg::svd(matmul(transpose(loadings), target), false);
    turn = matmul(svd.U, svd.Vh);
    const double after = sum(svd.S).item();
    if (before != 0 && after < before * (1 + 1e-6)) break;
    before = after;
  }
  return transpose(matmul(loadings, turn));
}

}  // namespace

FactorAnalysis::FactorAnalysis(const FactorAnalysisOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void FactorAnalysis::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("FactorAnalysis: " + std::string(name) + " = " + to_text(value), where);
  };
  if (o.n_components.value_or(1) < 1) fail("n_components", *o.n_components);
  if (!(o.tol >= 0)) fail("tol", o.tol);
  if (o.max_iter < 1) fail("max_iter", o.max_iter);
  if (o.iterated_power < 0) fail("iterated_power", o.iterated_power);
}

std::vector<Param> FactorAnalysis::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"tol", &o.tol},
          {"max_iter", &o.max_iter},
          {"svd_method", &o.svd_method, {"lapack", "randomized"}},
          {"iterated_power", &o.iterated_power},
          {"rotation", &o.rotation, {"none", "varimax", "quartimax"}},
          {"random_state", &o.random_state}};
}

FactorAnalysis& FactorAnalysis::fit(const Tensor& x, const Tensor& /*y*/,
                                    const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "FactorAnalysis.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  const int64_t k = options_.n_components.value_or(d);
  if (k > std::min(n, d))
    throw ValueError(
        std::string(op) + ": n_components = " + std::to_string(k) + " of X " + given.shape().str(),
        where);
  const auto samples = static_cast<double>(n);
  const Tensor center = glia::mean(given, {0}), rest = given - center;
  const Tensor variance = glia::var(given, {0}, false, 0);
  const double constant =
      static_cast<double>(d) * std::log(2 * std::numbers::pi) + static_cast<double>(k);
  Tensor noise = ones({d}, kF64), loadings;
  std::vector<double> likelihood;
  while (static_cast<int64_t>(likelihood.size()) < options_.max_iter) {
    const Tensor deviation = sqrt(noise) + kSmall;
    const Tensor scaled = rest / (deviation * std::sqrt(samples));
    eval(scaled, where);
    Tensor values, axes, left;
    if (options_.svd_method == FactorSvd::kLapack) {
      const auto svd = linalg::svd(scaled, false);
      values = slice(svd.S, 0, Slice{0, k});
      axes = slice(svd.Vh, 0, Slice{0, k});
      left = sum(square(slice(svd.S, 0, Slice{k, Slice::kNone})));
    } else {
      const Svd svd = randomized_svd(scaled, k, 10, options_.iterated_power, options_.random_state);
      values = svd.s;
      axes = svd.vt;
      left = sum(square(scaled)) - sum(square(values));
    }
    const Tensor s = square(values);
    const Tensor found = axes * unsqueeze(sqrt(maximum(s - 1.0, 0.0)), 1) * deviation;
    const double now = -samples / 2 * (constant + (sum(log(s)) + left + sum(log(noise))).item());
    if (!std::isfinite(now))
      throw ValueError(std::string(op) + ": the likelihood is not finite: X has not " +
                           std::to_string(k) + " independent columns",
                       where);
    const bool settled = !likelihood.empty() && now - likelihood.back() < options_.tol;
    likelihood.push_back(now);
    loadings = found;
    if (settled) break;
    noise = maximum(variance - sum(square(found), {0}), kSmall);
    eval({loadings, noise}, where);
  }
  loadings = loadings * signs_of_rows(loadings);
  if (options_.rotation != FactorRotation::kNone)
    loadings = rotated(loadings, options_.rotation == FactorRotation::kVarimax);
  eval({loadings, noise, center}, where);
  components = loadings;
  noise_variance = noise;
  mean = center;
  n_iter = static_cast<int64_t>(likelihood.size());
  loglike = from_vector(likelihood, {n_iter});
  n_features_in = d;
  return *this;
}

Tensor FactorAnalysis::transform(const Tensor& x, Where where) const {
  const Tensor given = cast(check_x("FactorAnalysis.transform", x, n_features_in, where), kF64);
  const Tensor weighed = components / noise_variance;
  const Tensor precision = eye(components.size(0), kF64) + matmul(weighed, transpose(components));
  return transpose(linalg::solve(precision, matmul(weighed, transpose(given - mean))));
}

Tensor FactorAnalysis::get_covariance(Where where) const {
  require_fitted("FactorAnalysis.get_covariance", fitted(), where);
  return matmul(transpose(components), components) + eye(n_features_in, kF64) * noise_variance;
}

Tensor FactorAnalysis::score_samples(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("FactorAnalysis.score_samples", x, n_features_in, where), kF64);
  return gaussian_log_density(given - mean, get_covariance(where));
}

double FactorAnalysis::score(const Tensor& x, const Tensor& /*y*/, const Tensor& /*sample_weight*/,
                             Where where) const {
  return glia::mean(score_samples(x, where)).item();
}

StateDict FactorAnalysis::state_dict(Where where) const {
  require_fitted("FactorAnalysis.state_dict", fitted(), where);
  return {{"components", components},
          {"noise_variance", noise_variance},
          {"mean", mean},
          {"loglike", loglike}};
}

void FactorAnalysis::load_state_dict(const StateDict& state, Where where) {
  StateReader read("FactorAnalysis", state, where);
  const Tensor w =
      cast(read.take("components", kF64, {options_.n_components.value_or(-1), -1}), kF64);
  const Tensor noise = cast(read.take("noise_variance", kF64, {w.size(1)}), kF64);
  const Tensor middle = cast(read.take("mean", kF64, {w.size(1)}), kF64);
  const Tensor likelihood = cast(read.take("loglike", kF64, {-1}), kF64);
  read.finish();
  if (!all(noise > 0).item<bool>())
    throw Error("FactorAnalysis.load_state_dict: noise_variance is not above 0", where);
  components = w;
  noise_variance = noise;
  mean = middle;
  loglike = likelihood;
  n_iter = likelihood.size(0);
  n_features_in = w.size(1);
}

}  // namespace glia::classic
