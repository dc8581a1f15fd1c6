#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/ops.h"
#include "jacobi.h"

namespace glia::classic {

PCA::PCA(const PCAOptions& options, Where where) : options_(options) { check_options(where); }

void PCA::check_options(Where where) const {
  if (options_.n_components.value_or(1) < 1)
    throw ValueError("PCA: n_components = " + std::to_string(*options_.n_components), where);
}

std::vector<Param> PCA::params() {
  return {{"n_components", &options_.n_components}, {"whiten", &options_.whiten}};
}

PCA& PCA::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("PCA.fit", sample_weight, where);
  const Tensor given = check_x("PCA.fit", x, where);
  const int64_t n = given.size(0), d = given.size(1), most = std::min(n, d);
  const int64_t k = options_.n_components.value_or(most);
  if (n < 2) throw ValueError("PCA.fit: one sample has no variance", where);
  if (k > most)
    throw ValueError(
        "PCA.fit: n_components = " + std::to_string(k) + " of X " + given.shape().str(), where);
  const Tensor samples = cast(given, kF64);
  const Tensor center = glia::mean(samples, {0});
  const Tensor rest = samples - center;
  const double degrees = static_cast<double>(n - 1);
  const std::vector<double> covariance =
      (matmul(transpose(rest), rest) / degrees).to_vector<double>();
  if (!std::all_of(covariance.begin(), covariance.end(), [](double c) { return std::isfinite(c); }))
    throw ValueError("PCA.fit: the covariance is beyond f64", where);

  Eigen eigen = symmetric_eigen(covariance, d);
  for (double& value : eigen.values) value = std::max(value, 0.0);  // but for rounding
  double total = 0;
  for (int64_t i = 0; i < most; ++i) total += eigen.values[i];
  for (int64_t i = 0; i < k; ++i) {
    double* v = eigen.vectors.data() + i * d;
    const double largest =
        *std::max_element(v, v + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (largest < 0)
      for (int64_t f = 0; f < d; ++f) v[f] = -v[f];
  }
  eigen.values.resize(k);
  eigen.vectors.resize(k * d);
  const auto result = [&](const Tensor& t) { return cast(t, given.dtype()); };
  const Tensor variance = from_vector(eigen.values, {k});
  const Tensor found = result(from_vector(eigen.vectors, {k, d})), of = result(variance),
               ratio = result(total > 0 ? variance / total : zeros({k}, kF64)),
               singular = result(sqrt(variance * degrees)), middle = result(center);
  eval({found, of, ratio, singular, middle}, where);

  components = found;
  explained_variance = of;
  explained_variance_ratio = ratio;
  singular_values = singular;
  mean = middle;
  n_samples = n;
  n_features_in = d;
  return *this;
}

namespace {

// Standard deviations to divide by: 1 where there is none.
Tensor deviations(const Tensor& variance) { return where(variance > 0, sqrt(variance), 1); }

}  // namespace

Tensor PCA::transform(const Tensor& x, Where where) const {
  const Autocast full_precision(kF32);
  const Tensor given = check_x("PCA.transform", x, n_features_in, where);
  const Tensor y = matmul(given - mean, transpose(components));
  return options_.whiten ? y / deviations(explained_variance) : y;
}

Tensor PCA::inverse_transform(const Tensor& x, Where where) const {
  const Autocast full_precision(kF32);
  require_fitted("PCA.inverse_transform", fitted(), where);
  Tensor y = check_x("PCA.inverse_transform", x, where);
  if (y.size(1) != components.size(0))
    throw ShapeError("PCA.inverse_transform: X has " + std::to_string(y.size(1)) + " columns for " +
                         std::to_string(components.size(0)) + " components",
                     where);
  if (options_.whiten) y = y * deviations(explained_variance);
  return matmul(y, components) + mean;
}

StateDict PCA::state_dict(Where where) const {
  require_fitted("PCA.state_dict", fitted(), where);
  return {{"components", components},
          {"explained_variance", explained_variance},
          {"explained_variance_ratio", explained_variance_ratio},
          {"singular_values", singular_values},
          {"mean", mean},
          {"n_samples", tensor(n_samples)}};
}

void PCA::load_state_dict(const StateDict& state, Where where) {
  StateReader read("PCA", state, where);
  const Tensor axes = read.take("components", kF64, {options_.n_components.value_or(-1), -1});
  const Shape k{axes.size(0)};
  const Tensor variance = read.take("explained_variance", kF64, k);
  const Tensor ratio = read.take("explained_variance_ratio", kF64, k);
  const Tensor singular = read.take("singular_values", kF64, k);
  const Tensor middle = read.take("mean", kF64, {axes.size(1)});
  const int64_t samples = read.count("n_samples");
  read.finish();
  components = axes;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  singular_values = singular;
  mean = middle;
  n_samples = samples;
  n_features_in = axes.size(1);
}

}  // namespace glia::classic
