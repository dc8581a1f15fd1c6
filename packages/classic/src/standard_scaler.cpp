#include <limits>

#include "checks.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"

namespace glia::classic {

std::vector<Param> StandardScaler::params() {
  return {{"with_mean", &options_.with_mean}, {"with_std", &options_.with_std}};
}

StandardScaler& StandardScaler::fit(const Tensor& x, const Tensor& /*y*/,
                                    const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("StandardScaler.fit", x, where), kF64);
  const double n = static_cast<double>(given.size(0));
  const Tensor weight =
      check_sample_weight("StandardScaler.fit", sample_weight, given.size(0), kF64, where);
  Tensor center = glia::mean(given, {0}), variance = glia::var(given, {0}, false, 0);
  if (weight.defined()) {
    const Tensor share = reshape(weight / sum(weight), {-1, 1});
    center = sum(given * share, {0});
    variance = sum(square(given - center) * share, {0});
  }
  // Constant but for rounding (Chan, Golub & LeVeque 1983).
  const double eps = std::numeric_limits<double>::epsilon();
  const Tensor constant = variance <= variance * (n * eps) + square(center * (n * eps));
  const Tensor divisor = glia::where(constant, 1.0, sqrt(variance));
  eval({center, variance, divisor}, where);
  if (!all(isfinite(center) & isfinite(variance)).item<bool>())
    throw ValueError("StandardScaler.fit: a feature's variance is beyond f64", where);

  mean = center;
  var = variance;
  scale = divisor;
  n_samples_seen = given.size(0);
  n_features_in = given.size(1);
  return *this;
}

Tensor StandardScaler::transform(const Tensor& x, Where where) const {
  const Tensor given = check_x("StandardScaler.transform", x, n_features_in, where);
  Tensor y = given;
  if (options_.with_mean) y = y - mean;
  if (options_.with_std) y = y / scale;
  return cast(y, given.dtype());
}

Tensor StandardScaler::inverse_transform(const Tensor& x, Where where) const {
  const Tensor given = check_x("StandardScaler.inverse_transform", x, n_features_in, where);
  Tensor y = given;
  if (options_.with_std) y = y * scale;
  if (options_.with_mean) y = y + mean;
  return cast(y, given.dtype());
}

StateDict StandardScaler::state_dict(Where where) const {
  require_fitted("StandardScaler.state_dict", fitted(), where);
  return {
      {"mean", mean}, {"var", var}, {"scale", scale}, {"n_samples_seen", tensor(n_samples_seen)}};
}

void StandardScaler::load_state_dict(const StateDict& state, Where where) {
  StateReader read("StandardScaler", state, where);
  const Tensor center = read.take("mean", kF64, {-1});
  const Tensor variance = read.take("var", kF64, center.shape());
  const Tensor divisor = read.take("scale", kF64, center.shape());
  const int64_t samples = read.count("n_samples_seen");
  read.finish();
  mean = center;
  var = variance;
  scale = divisor;
  n_samples_seen = samples;
  n_features_in = center.size(0);
}

}  // namespace glia::classic
