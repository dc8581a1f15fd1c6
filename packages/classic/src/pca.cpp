#include <algorithm>
#include <cmath>

#include "checks.h"
#include "components.h"
#include "glia/classic/decomposition.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "randomized.h"

namespace glia::classic {
namespace {

SvdSolver chosen(const PCAOptions& o, int64_t n, int64_t d) {
  if (o.svd_solver != SvdSolver::kAuto) return o.svd_solver;
  if (d <= 1000 && n >= 10 * d) return SvdSolver::kCovarianceEigh;
  const double k = o.n_components.value_or(0);
  if (std::max(n, d) > 500 && k >= 1 && k < 0.8 * static_cast<double>(std::min(n, d)))
    return SvdSolver::kRandomized;
  return SvdSolver::kFull;
}

}  // namespace

PCA::PCA(const PCAOptions& options, Where where) : options_(options) { check_options(where); }

void PCA::check_options(Where where) const {
  const double k = options_.n_components.value_or(1);
  const bool share = k > 0 && k < 1;
  const bool count = k >= 1 && k < 0x1p53 && std::floor(k) == k;
  if (!share && !count) throw ValueError("PCA: n_components = " + to_text(ParamValue(k)), where);
  if (share && options_.svd_solver == SvdSolver::kRandomized)
    throw ValueError(
        "PCA: a share of the variance needs all components, not svd_solver = randomized", where);
  if (options_.n_oversamples < 0 || options_.iterated_power.value_or(0) < 0)
    throw ValueError("PCA: n_oversamples or iterated_power is below 0", where);
}

std::vector<Param> PCA::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"whiten", &o.whiten},
          {"svd_solver", &o.svd_solver, {"auto", "full", "covariance_eigh", "randomized"}},
          {"n_oversamples", &o.n_oversamples},
          {"iterated_power", &o.iterated_power},
          {"random_state", &o.random_state}};
}

PCA& PCA::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("PCA.fit", sample_weight, where);
  const Tensor given = check_x("PCA.fit", x, where);
  const int64_t n = given.size(0), d = given.size(1), most = std::min(n, d);
  const double wanted = options_.n_components.value_or(static_cast<double>(most));
  if (n < 2) throw ValueError("PCA.fit: one sample has no variance", where);
  if (wanted > static_cast<double>(most))
    throw ValueError(
        "PCA.fit: n_components = " + to_text(ParamValue(wanted)) + " of X " + given.shape().str(),
        where);
  const Tensor samples = cast(given, kF64), center = glia::mean(samples, {0});
  const double degrees = static_cast<double>(n - 1);
  const SvdSolver solver = chosen(options_, n, d);
  Tensor covariance, rest;
  if (solver == SvdSolver::kCovarianceEigh) {
    eval(center, where);
    for_row_blocks(samples, [&](const Tensor& rows) {
      const Tensor part = linalg::gram(rows - center) / degrees;
      covariance = covariance.defined() ? covariance + part : part;
      eval(covariance, where);
    });
  } else {
    rest = samples - center;
  }
  const double total =
      (covariance.defined() ? sum(diag(covariance)) : sum(square(rest)) / degrees).item();
  if (!std::isfinite(total)) throw ValueError("PCA.fit: the covariance is beyond f64", where);

  Tensor axes, variance;  // (K, d), (K)
  if (solver == SvdSolver::kCovarianceEigh) {
    const auto eigen = linalg::eigh(covariance);
    axes = flip(transpose(eigen.eigenvectors), {0});
    variance = slice(maximum(flip(eigen.eigenvalues, {0}), 0.0), 0, Slice{0, most});
  } else if (solver == SvdSolver::kFull) {
    const auto svd = linalg::svd(rest, false);
    axes = svd.Vh;
    variance = square(svd.S) / degrees;
  } else {
    const auto k = static_cast<int64_t>(wanted);
    const int64_t power =
        options_.iterated_power.value_or(wanted < 0.1 * static_cast<double>(most) ? 7 : 4);
    const Svd svd = randomized_svd(rest, k, options_.n_oversamples, power, options_.random_state);
    axes = svd.vt;
    variance = square(svd.s) / degrees;
  }
  eval({axes, variance}, where);
  const double all = solver == SvdSolver::kRandomized ? total : sum(variance).item();
  auto k = static_cast<int64_t>(wanted);
  if (wanted < 1) {
    double share = 0;
    for (const double v : variance.data<double>()) {
      ++k;
      share += v / all;
      if (share > wanted) break;
    }
  }
  const Tensor kept = slice(variance, 0, Slice{0, k});
  const double left = std::max(0.0, all - sum(kept).item());
  axes = slice(axes, 0, Slice{0, k});
  const auto result = [&](const Tensor& t) { return cast(t, given.dtype()); };
  const Tensor found = result(axes * signs_of_rows(axes)), of = result(kept),
               ratio = result(all > 0 ? kept / all : zeros({k}, kF64)),
               singular = result(sqrt(kept * degrees)), middle = result(center);
  eval({found, of, ratio, singular, middle}, where);

  components = found;
  explained_variance = of;
  explained_variance_ratio = ratio;
  singular_values = singular;
  mean = middle;
  // Over as many as the solver has, as scikit-learn's.
  const int64_t others = (solver == SvdSolver::kCovarianceEigh ? d : most) - k;
  noise_variance = k < most ? left / static_cast<double>(others) : 0;
  n_samples = n;
  n_features_in = d;
  return *this;
}

Tensor PCA::transform(const Tensor& x, Where where) const {
  return to_components(check_x("PCA.transform", x, n_features_in, where), mean, components,
                       options_.whiten ? explained_variance : Tensor());
}

Tensor PCA::inverse_transform(const Tensor& x, Where where) const {
  return from_components("PCA.inverse_transform", x, mean, components,
                         options_.whiten ? explained_variance : Tensor(), where);
}

Tensor PCA::get_covariance(Where where) const {
  require_fitted("PCA.get_covariance", fitted(), where);
  const Tensor axes = cast(components, kF64);
  const Tensor beyond = maximum(cast(explained_variance, kF64) - noise_variance, 0.0);
  return matmul(transpose(axes) * beyond, axes) + eye(n_features_in, kF64) * noise_variance;
}

Tensor PCA::score_samples(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("PCA.score_samples", x, n_features_in, where), kF64);
  return gaussian_log_density(given - cast(mean, kF64), get_covariance(where));
}

double PCA::score(const Tensor& x, const Tensor& /*y*/, const Tensor& /*sample_weight*/,
                  Where where) const {
  return glia::mean(score_samples(x, where)).item();
}

StateDict PCA::state_dict(Where where) const {
  require_fitted("PCA.state_dict", fitted(), where);
  return {{"components", components},
          {"explained_variance", explained_variance},
          {"explained_variance_ratio", explained_variance_ratio},
          {"singular_values", singular_values},
          {"mean", mean},
          {"noise_variance", tensor(noise_variance)},
          {"n_samples", tensor(n_samples)}};
}

void PCA::load_state_dict(const StateDict& state, Where where) {
  StateReader read("PCA", state, where);
  const double wanted = options_.n_components.value_or(-1);
  const Tensor axes =
      read.take("components", kF64, {wanted >= 1 ? static_cast<int64_t>(wanted) : -1, -1});
  const Shape k{axes.size(0)};
  const Tensor variance = read.take("explained_variance", kF64, k);
  const Tensor ratio = read.take("explained_variance_ratio", kF64, k);
  const Tensor singular = read.take("singular_values", kF64, k);
  const Tensor middle = read.take("mean", kF64, {axes.size(1)});
  const double noise = read.number("noise_variance");
  const int64_t samples = read.count("n_samples");
  read.finish();
  components = axes;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  singular_values = singular;
  mean = middle;
  noise_variance = noise;
  n_samples = samples;
  n_features_in = axes.size(1);
}

}  // namespace glia::classic
