#include <algorithm>
#include <cmath>

#include "checks.h"
#include "components.h"
#include "glia/classic/decomposition.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "randomized.h"

namespace glia::classic {

IncrementalPCA::IncrementalPCA(const IncrementalPCAOptions& options, Where where)
    : options_(options) {
  check_options(where);
}

void IncrementalPCA::check_options(Where where) const {
  const auto require = [&](const char* name, const std::optional<int64_t>& value) {
    if (value.value_or(1) < 1)
      throw ValueError("IncrementalPCA: " + std::string(name) + " = " + std::to_string(*value),
                       where);
  };
  require("n_components", options_.n_components);
  require("batch_size", options_.batch_size);
}

std::vector<Param> IncrementalPCA::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components}, {"whiten", &o.whiten}, {"batch_size", &o.batch_size}};
}

IncrementalPCA& IncrementalPCA::fit(const Tensor& x, const Tensor& /*y*/,
                                    const Tensor& sample_weight, Where where) {
  check_options(where);
  refuse_sample_weight("IncrementalPCA.fit", sample_weight, where);
  const Tensor given = cast(check_x("IncrementalPCA.fit", x, where), kF64);
  const int64_t n = given.size(0), size = options_.batch_size.value_or(5 * given.size(1));
  IncrementalPCA anew(options_, where);
  for (int64_t begin = 0; begin < n;) {
    int64_t end = std::min(n, begin + size);
    if (n - end < options_.n_components.value_or(0)) end = n;  // too few for a batch of their own
    anew.partial_fit(slice(given, 0, Slice{begin, end}), where);
    begin = end;
  }
  *this = std::move(anew);
  return *this;
}

IncrementalPCA& IncrementalPCA::partial_fit(const Tensor& x, Where where) {
  const NoGrad no_grad;
  const char* op = "IncrementalPCA.partial_fit";
  check_options(where);
  const Tensor batch =
      cast(fitted() ? check_x(op, x, n_features_in, where) : check_x(op, x, where), kF64);
  const int64_t m = batch.size(0), d = batch.size(1);
  const int64_t k = options_.n_components.value_or(fitted() ? components.size(0) : std::min(m, d));
  if (k > d || (!fitted() && k > m))
    throw ValueError(std::string(op) + ": n_components = " + std::to_string(k) + " of X " +
                         batch.shape().str() + (k > d ? "" : ", the first batch"),
                     where);
  const auto before = static_cast<double>(n_samples_seen), now = static_cast<double>(m),
             all = before + now;
  const Tensor middle = glia::mean(batch, {0});
  Tensor center = middle, spread = glia::var(batch, {0}, false, 0), rows = batch - middle;
  if (fitted()) {  // Chan, Golub & LeVeque 1979
    const Tensor apart = middle - mean;
    center = mean + apart * (now / all);
    spread = (var * before + spread * now + square(apart) * (before * now / all)) / all;
    rows = concat({components * unsqueeze(singular_values, 1), rows,
                   unsqueeze(apart * -std::sqrt(before * now / all), 0)});
  }
  const auto svd = linalg::svd(rows, false);
  const Tensor kept = slice(svd.S, 0, Slice{0, k});
  Tensor axes = slice(svd.Vh, 0, Slice{0, k});
  axes = axes * signs_of_rows(axes);
  const Tensor variances = square(svd.S) / std::max(all - 1, 1.0);
  const Tensor total = sum(spread) * all;
  const Tensor ratio = square(kept) / glia::where(total > 0, total, 1.0);
  const Tensor left =
      k < svd.S.size(0) ? glia::mean(slice(variances, 0, Slice{k, Slice::kNone})) : zeros({}, kF64);
  const Tensor variance = slice(variances, 0, Slice{0, k});
  eval({center, spread, kept, axes, ratio, left, variance}, where);
  if (!std::isfinite(sum(variance).item()))
    throw ValueError(std::string(op) + ": the covariance is beyond f64", where);
  components = axes;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  singular_values = kept;
  mean = center;
  var = spread;
  noise_variance = left.item();
  n_samples_seen += m;
  n_features_in = d;
  return *this;
}

Tensor IncrementalPCA::transform(const Tensor& x, Where where) const {
  return to_components(check_x("IncrementalPCA.transform", x, n_features_in, where), mean,
                       components, options_.whiten ? explained_variance : Tensor());
}

Tensor IncrementalPCA::inverse_transform(const Tensor& x, Where where) const {
  return from_components("IncrementalPCA.inverse_transform", x, mean, components,
                         options_.whiten ? explained_variance : Tensor(), where);
}

StateDict IncrementalPCA::state_dict(Where where) const {
  require_fitted("IncrementalPCA.state_dict", fitted(), where);
  return {{"components", components},
          {"explained_variance", explained_variance},
          {"explained_variance_ratio", explained_variance_ratio},
          {"singular_values", singular_values},
          {"mean", mean},
          {"var", var},
          {"noise_variance", tensor(noise_variance)},
          {"n_samples_seen", tensor(n_samples_seen)}};
}

void IncrementalPCA::load_state_dict(const StateDict& state, Where where) {
  StateReader read("IncrementalPCA", state, where);
  const auto f64 = [&](const char* name, const Shape& shape) {
    return cast(read.take(name, kF64, shape), kF64);
  };
  const Tensor axes = f64("components", {options_.n_components.value_or(-1), -1});
  const Shape k{axes.size(0)}, d{axes.size(1)};
  const Tensor variance = f64("explained_variance", k), ratio = f64("explained_variance_ratio", k),
               values = f64("singular_values", k), middle = f64("mean", d), spread = f64("var", d);
  const double noise = read.number("noise_variance");
  const int64_t samples = read.count("n_samples_seen");
  read.finish();
  components = axes;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  singular_values = values;
  mean = middle;
  var = spread;
  noise_variance = noise;
  n_samples_seen = samples;
  n_features_in = axes.size(1);
}

}  // namespace glia::classic
