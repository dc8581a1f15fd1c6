#include "glia/classic/mixture.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "checks.h"
#include "glia/classic/cluster.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "randomized.h"

namespace glia::classic {

GaussianMixture::GaussianMixture(const GaussianMixtureOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void GaussianMixture::check_options(Where where) const {
  const auto fail = [&](const char* name, double value) {
    throw ValueError("GaussianMixture: " + std::string(name) + " = " + to_text(ParamValue(value)),
                     where);
  };
  const auto& o = options_;
  if (o.n_components < 1) fail("n_components", static_cast<double>(o.n_components));
  if (!(o.tol >= 0)) fail("tol", o.tol);
  if (!(o.reg_covar >= 0)) fail("reg_covar", o.reg_covar);
  if (o.max_iter < 1) fail("max_iter", static_cast<double>(o.max_iter));
  if (o.n_init < 1) fail("n_init", static_cast<double>(o.n_init));
}

std::vector<Param> GaussianMixture::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"covariance_type", &o.covariance_type, {"full", "tied", "diag", "spherical"}},
          {"tol", &o.tol},
          {"reg_covar", &o.reg_covar},
          {"max_iter", &o.max_iter},
          {"n_init", &o.n_init},
          {"init_params", &o.init_params, {"kmeans", "random"}},
          {"random_state", &o.random_state}};
}

// The M step: weights, means and covariances by how much each component is responsible for what.
void GaussianMixture::maximise(const Tensor& x, const Tensor& r) {
  const int64_t k = options_.n_components, d = x.size(1);
  const auto n = static_cast<double>(x.size(0));
  const Tensor mass = sum(r, {0}) + 10 * std::numeric_limits<double>::epsilon();
  const Tensor center = matmul(transpose(r), x) / reshape(mass, {k, 1});
  const Tensor unit = eye(d, kF64) * options_.reg_covar;
  Tensor c;
  switch (options_.covariance_type) {
    case CovarianceType::kFull: {
      const Tensor rest = unsqueeze(x, 0) - unsqueeze(center, 1);  // (k, n, d)
      const Tensor weighted = unsqueeze(transpose(r), 2) * rest;
      c = matmul(transpose(weighted), rest) / reshape(mass, {k, 1, 1}) + unit;
      break;
    }
    case CovarianceType::kTied: {
      // About the common mean, which loses no digits to far means.
      const Tensor middle = mean(x, {0}), rest = x - middle, of = center - middle;
      c = (matmul(transpose(rest), rest) - matmul(transpose(of) * mass, of)) / sum(mass) + unit;
      break;
    }
    default: {
      const Tensor rest = unsqueeze(x, 0) - unsqueeze(center, 1);
      c = sum(unsqueeze(transpose(r), 2) * square(rest), {1}) / reshape(mass, {k, 1}) +
          options_.reg_covar;
      if (options_.covariance_type == CovarianceType::kSpherical) c = mean(c, {1});
    }
  }
  const Tensor share = mass / n;
  eval({share, center, c});
  weights = share / sum(share);
  means = center;
  covariances = c;
  eval(weights);
}

Tensor GaussianMixture::log_densities(const Tensor& x, Where where) const {
  const int64_t k = means.size(0), d = means.size(1);
  Tensor square_distance, log_det;                            // (k, n), (k)
  const Tensor rest = unsqueeze(x, 0) - unsqueeze(means, 1);  // (k, n, d)
  if (options_.covariance_type == CovarianceType::kFull ||
      options_.covariance_type == CovarianceType::kTied) {
    Tensor root;
    try {
      root = linalg::cholesky(covariances, false, where);
      eval(root, where);
    } catch (const ValueError&) {
      throw ValueError(
          "GaussianMixture: a covariance is not positive definite; fewer n_components or a larger "
          "reg_covar may help",
          where);
    }
    if (root.rank() == 2) root = expand(unsqueeze(root, 0), {k, d, d});
    const Tensor inner = linalg::solve_triangular(root, transpose(rest));  // (k, d, n)
    square_distance = sum(square(inner), {1});
    log_det = sum(log(diagonal(root, 0, -2, -1)), {1}) * 2;
  } else {
    const Tensor variance =
        covariances.rank() == 1 ? expand(unsqueeze(covariances, 1), {k, d}) : covariances;
    square_distance = sum(square(rest) / unsqueeze(variance, 1), {2});
    log_det = sum(log(variance), {1});
  }
  const double constant = static_cast<double>(d) * std::log(2 * std::numbers::pi);
  return transpose(-0.5 * (square_distance + unsqueeze(log_det, 1) + constant)) + log(weights);
}

GaussianMixture& GaussianMixture::fit(const Tensor& x, const Tensor& /*y*/,
                                      const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("GaussianMixture.fit", sample_weight, where);
  const Tensor given = cast(check_x("GaussianMixture.fit", x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1), k = options_.n_components;
  if (n < k || n < 2)
    throw ValueError("GaussianMixture.fit: " + std::to_string(n) +
                         " samples for n_components = " + std::to_string(k),
                     where);
  GaussianMixture best = *this;
  bool any_run = false;
  for (int64_t run = 0; run < options_.n_init; ++run) {
    GaussianMixture now = *this;
    const uint64_t seed = options_.random_state + static_cast<uint64_t>(run);
    Tensor r;
    if (options_.init_params == MixtureInit::kKMeans) {
      const Tensor of =
          KMeans({.n_clusters = k, .random_state = seed}).fit_predict(given, {}, {}, where);
      r = cast(unsqueeze(of, 1) == arange(0, k, 1, kI64), kF64);
    } else {
      const Tensor u = abs(normal_numbers({n, k}, seed));
      r = u / sum(u, {1}, true);
    }
    now.maximise(given, r);
    if (options_.means_init.defined()) {
      const Tensor begin =
          cast(check_x("GaussianMixture.fit: means_init", options_.means_init, where), kF64);
      if (begin.shape() != Shape{k, d})
        throw ShapeError("GaussianMixture.fit: means_init is " + begin.shape().str() + ", not " +
                             Shape{k, d}.str(),
                         where);
      now.means = begin;
    }
    double bound = -std::numeric_limits<double>::infinity();
    now.converged = false;
    for (now.n_iter = 1; now.n_iter <= options_.max_iter; ++now.n_iter) {
      const Tensor weighted = now.log_densities(given, where);
      const Tensor all = logsumexp(weighted, {1}, true), average = mean(all);
      r = exp(weighted - all);
      eval({r, average}, where);
      now.maximise(given, r);
      const double change = average.item() - bound;
      bound = average.item();
      if (std::abs(change) < options_.tol) {
        now.converged = true;
        break;
      }
    }
    now.n_iter = std::min(now.n_iter, options_.max_iter);
    now.lower_bound = bound;
    if (!std::isfinite(bound))
      throw ValueError("GaussianMixture.fit: the likelihood is beyond f64", where);
    if (!any_run || now.lower_bound > best.lower_bound) best = std::move(now);
    any_run = true;
  }
  *this = std::move(best);
  n_features_in = d;
  return *this;
}

Tensor GaussianMixture::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianMixture.predict", x, n_features_in, where);
  return argmax(log_densities(cast(given, kF64), where), 1);
}

Tensor GaussianMixture::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianMixture.predict_proba", x, n_features_in, where);
  return softmax(log_densities(cast(given, kF64), where), 1);
}

Tensor GaussianMixture::score_samples(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = check_x("GaussianMixture.score_samples", x, n_features_in, where);
  return logsumexp(log_densities(cast(given, kF64), where), {1});
}

double GaussianMixture::score(const Tensor& x, const Tensor& /*y*/, const Tensor& /*sample_weight*/,
                              Where where) const {
  return mean(score_samples(x, where)).item();
}

double GaussianMixture::parameters() const {
  const auto k = static_cast<double>(options_.n_components);
  const auto d = static_cast<double>(n_features_in);
  double of_covariance = k;
  if (options_.covariance_type == CovarianceType::kFull) of_covariance = k * d * (d + 1) / 2;
  if (options_.covariance_type == CovarianceType::kTied) of_covariance = d * (d + 1) / 2;
  if (options_.covariance_type == CovarianceType::kDiag) of_covariance = k * d;
  return of_covariance + k * d + k - 1;
}

double GaussianMixture::aic(const Tensor& x, Where where) const {
  return -2 * sum(score_samples(x, where)).item() + 2 * parameters();
}

double GaussianMixture::bic(const Tensor& x, Where where) const {
  return -2 * sum(score_samples(x, where)).item() +
         parameters() * std::log(static_cast<double>(x.size(0)));
}

GaussianMixture::Samples GaussianMixture::sample(int64_t count, uint64_t seed, Where where) const {
  require_fitted("GaussianMixture.sample", fitted(), where);
  if (count < 1)
    throw ValueError("GaussianMixture.sample: count = " + std::to_string(count), where);
  const NoGrad no_grad;
  const int64_t d = n_features_in, k = means.size(0);
  data::Random random(seed, 1);
  const std::vector<double> share = weights.to_vector<double>();
  std::vector<int64_t> of;
  for (int64_t i = 0; i < count; ++i) {
    double u = random.uniform();
    int64_t c = 0;
    while (c + 1 < k && u >= share[c]) u -= share[c++];
    of.push_back(c);
  }
  const Tensor components = from_vector(of, {count}), z = normal_numbers({count, d}, seed);
  const Tensor center = take(means, components);
  Tensor x;
  if (covariances.rank() == 2 && options_.covariance_type == CovarianceType::kTied) {
    x = center + matmul(z, transpose(linalg::cholesky(covariances)));
  } else if (options_.covariance_type == CovarianceType::kFull) {
    const Tensor roots = take(linalg::cholesky(covariances), components);  // (count, d, d)
    x = center + squeeze(matmul(roots, unsqueeze(z, 2)), 2);
  } else {
    const Tensor deviation = sqrt(take(covariances, components));
    x = center + z * (deviation.rank() == 1 ? unsqueeze(deviation, 1) : deviation);
  }
  eval(x, where);
  return {x, components};
}

StateDict GaussianMixture::state_dict(Where where) const {
  require_fitted("GaussianMixture.state_dict", fitted(), where);
  return {{"weights", weights},         {"means", means},
          {"covariances", covariances}, {"converged", tensor(static_cast<int64_t>(converged))},
          {"n_iter", tensor(n_iter)},   {"lower_bound", tensor(lower_bound)}};
}

void GaussianMixture::load_state_dict(const StateDict& state, Where where) {
  StateReader read("GaussianMixture", state, where);
  const int64_t k = options_.n_components;
  const Tensor center = read.take("means", kF64, {k, -1});
  const int64_t d = center.size(1);
  const Tensor share = read.take("weights", kF64, {k});
  const Shape form = options_.covariance_type == CovarianceType::kFull   ? Shape{k, d, d}
                     : options_.covariance_type == CovarianceType::kTied ? Shape{d, d}
                     : options_.covariance_type == CovarianceType::kDiag ? Shape{k, d}
                                                                         : Shape{k};
  const Tensor c = read.take("covariances", kF64, form);
  const int64_t done = read.count("converged"), iterations = read.count("n_iter");
  const double bound = read.number("lower_bound");
  read.finish();
  if (any(share < 0).item<bool>())
    throw Error("GaussianMixture.load_state_dict: weights has a number below 0", where);
  weights = cast(share, kF64);
  means = cast(center, kF64);
  covariances = cast(c, kF64);
  converged = done != 0;
  n_iter = iterations;
  lower_bound = bound;
  n_features_in = d;
}

}  // namespace glia::classic
