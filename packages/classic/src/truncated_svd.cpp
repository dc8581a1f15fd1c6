#include <cmath>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "randomized.h"

namespace glia::classic {

TruncatedSVD::TruncatedSVD(const TruncatedSVDOptions& options, Where where) : options_(options) {
  check_options(where);
}

void TruncatedSVD::check_options(Where where) const {
  const auto& o = options_;
  if (o.n_components < 1)
    throw ValueError("TruncatedSVD: n_components = " + std::to_string(o.n_components), where);
  if (o.n_iter < 0 || o.n_oversamples < 0)
    throw ValueError("TruncatedSVD: n_iter or n_oversamples is below 0", where);
}

std::vector<Param> TruncatedSVD::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"randomized", &o.randomized},
          {"n_iter", &o.n_iter},
          {"n_oversamples", &o.n_oversamples},
          {"random_state", &o.random_state}};
}

TruncatedSVD& TruncatedSVD::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("TruncatedSVD.fit", sample_weight, where);
  const Tensor given = cast(check_x("TruncatedSVD.fit", x, where), kF64);
  const int64_t k = options_.n_components;
  if (k > std::min(given.size(0), given.size(1)))
    throw ValueError(
        "TruncatedSVD.fit: n_components = " + std::to_string(k) + " of X " + given.shape().str(),
        where);
  Tensor axes, values;
  if (options_.randomized) {
    const Svd svd =
        randomized_svd(given, k, options_.n_oversamples, options_.n_iter, options_.random_state);
    axes = svd.vt;
    values = svd.s;
  } else {
    const auto svd = linalg::svd(given, false);
    axes = slice(svd.Vh, 0, Slice{0, k});
    values = slice(svd.S, 0, Slice{0, k});
  }
  axes = axes * signs_of_rows(axes);
  const Tensor variance = glia::var(matmul(given, transpose(axes)), {0}, false, 0);
  const Tensor all = sum(glia::var(given, {0}, false, 0));
  const Tensor ratio = variance / glia::where(all > 0, all, 1.0);
  eval({axes, values, variance, ratio}, where);
  components = axes;
  singular_values = values;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  n_features_in = given.size(1);
  return *this;
}

Tensor TruncatedSVD::transform(const Tensor& x, Where where) const {
  const Tensor given = check_x("TruncatedSVD.transform", x, n_features_in, where);
  return cast(matmul(cast(given, kF64), transpose(components)), given.dtype());
}

Tensor TruncatedSVD::inverse_transform(const Tensor& x, Where where) const {
  require_fitted("TruncatedSVD.inverse_transform", fitted(), where);
  const Tensor given = check_x("TruncatedSVD.inverse_transform", x, components.size(0), where);
  return cast(matmul(cast(given, kF64), components), given.dtype());
}

StateDict TruncatedSVD::state_dict(Where where) const {
  require_fitted("TruncatedSVD.state_dict", fitted(), where);
  return {{"components", components},
          {"explained_variance", explained_variance},
          {"explained_variance_ratio", explained_variance_ratio},
          {"singular_values", singular_values}};
}

void TruncatedSVD::load_state_dict(const StateDict& state, Where where) {
  StateReader read("TruncatedSVD", state, where);
  const Tensor axes = read.take("components", kF64, {options_.n_components, -1});
  const Shape k{axes.size(0)};
  const Tensor variance = read.take("explained_variance", kF64, k);
  const Tensor ratio = read.take("explained_variance_ratio", kF64, k);
  const Tensor values = read.take("singular_values", kF64, k);
  read.finish();
  components = axes;
  explained_variance = variance;
  explained_variance_ratio = ratio;
  singular_values = values;
  n_features_in = axes.size(1);
}

}  // namespace glia::classic
