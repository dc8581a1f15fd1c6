#include "glia/classic/random_projection.h"

#include <cmath>

#include "checks.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "randomized.h"

namespace glia::classic {

int64_t johnson_lindenstrauss_min_dim(int64_t n_samples, double eps, Where where) {
  if (n_samples < 1)
    throw ValueError("johnson_lindenstrauss_min_dim: n_samples = " + std::to_string(n_samples),
                     where);
  if (!(eps > 0 && eps < 1))
    throw ValueError("johnson_lindenstrauss_min_dim: eps = " + to_text(ParamValue(eps)), where);
  const double bound = eps * eps / 2 - eps * eps * eps / 3;
  const double dimensions = 4 * std::log(static_cast<double>(n_samples)) / bound;
  if (!(dimensions < 0x1p62))
    throw ValueError("johnson_lindenstrauss_min_dim: eps = " + to_text(ParamValue(eps)) +
                         " needs more dimensions than can be counted",
                     where);
  return static_cast<int64_t>(dimensions);
}

// ---- Both -------------------------------------------------------------------------------------

void RandomProjection::check_options(Where where) const {
  const auto& o = base();
  const auto fail = [&](const char* option, const ParamValue& value) {
    throw ValueError(std::string(name()) + ": " + option + " = " + to_text(value), where);
  };
  if (o.n_components.value_or(1) < 1) fail("n_components", *o.n_components);
  if (!(o.eps > 0 && o.eps < 1)) fail("eps", o.eps);
}

RandomProjection& RandomProjection::fit(const Tensor& x, const Tensor& /*y*/,
                                        const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  const std::string op = std::string(name()) + ".fit";
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = check_x(op, x, where);
  const int64_t d = given.size(1);
  int64_t count = base().n_components.value_or(0);
  if (count == 0) {
    count = johnson_lindenstrauss_min_dim(given.size(0), base().eps, where);
    if (count < 1 || count > d)
      throw ValueError(op + ": eps = " + to_text(ParamValue(base().eps)) + " and " +
                           std::to_string(given.size(0)) + " samples ask for " +
                           std::to_string(count) + " directions of " + std::to_string(d) +
                           " features; set n_components",
                       where);
  }
  if (count > (int64_t{1} << 40) / d)
    throw ValueError(op + ": n_components = " + std::to_string(count) + " of " + std::to_string(d) +
                         " features is beyond memory",
                     where);
  const Tensor found = directions(count, d);
  Tensor inverse;
  if (base().compute_inverse_components) inverse = linalg::pinv(found);
  if (inverse.defined()) eval(inverse, where);
  components = found;
  inverse_components = inverse;
  n_features_in = d;
  return *this;
}

Tensor RandomProjection::transform(const Tensor& x, Where where) const {
  const Tensor given = check_x(std::string(name()) + ".transform", x, n_features_in, where);
  return matmul(given, transpose(cast(components, given.dtype())));
}

Tensor RandomProjection::inverse_transform(const Tensor& x, Where where) const {
  const std::string op = std::string(name()) + ".inverse_transform";
  require_fitted(op, fitted(), where);
  const Tensor given = cast(check_x(op, x, components.size(0), where), kF64);
  const Tensor inverse =
      inverse_components.defined() ? inverse_components : linalg::pinv(components);
  return cast(matmul(given, transpose(inverse)), is_float(x.dtype()) ? x.dtype() : kF64);
}

StateDict RandomProjection::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state = {{"components", components}};
  if (inverse_components.defined()) state.emplace_back("inverse_components", inverse_components);
  return state;
}

void RandomProjection::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor found =
      cast(read.take("components", kF64, {base().n_components.value_or(-1), -1}), kF64);
  Tensor inverse;
  if (base().compute_inverse_components)
    inverse = cast(read.take("inverse_components", kF64, {found.size(1), found.size(0)}), kF64);
  read.finish();
  components = found;
  inverse_components = inverse;
  n_features_in = found.size(1);
}

// ---- Directions -------------------------------------------------------------------------------

GaussianRandomProjection::GaussianRandomProjection(const RandomProjectionOptions& options,
                                                   Where where)
    : options_(options) {
  check_options(where);
}

std::vector<Param> GaussianRandomProjection::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"eps", &o.eps},
          {"compute_inverse_components", &o.compute_inverse_components},
          {"random_state", &o.random_state}};
}

Tensor GaussianRandomProjection::directions(int64_t count, int64_t features) const {
  const Tensor found = normal_numbers({count, features}, options_.random_state) *
                       (1 / std::sqrt(static_cast<double>(count)));
  eval(found);
  return found;
}

SparseRandomProjection::SparseRandomProjection(const SparseRandomProjectionOptions& options,
                                               Where where)
    : options_(options) {
  check_options(where);
}

void SparseRandomProjection::check_options(Where where) const {
  RandomProjection::check_options(where);
  const double density = options_.density.value_or(1);
  if (!(density > 0 && density <= 1))
    throw ValueError("SparseRandomProjection: density = " + to_text(ParamValue(density)), where);
}

std::vector<Param> SparseRandomProjection::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"density", &o.density},
          {"eps", &o.eps},
          {"compute_inverse_components", &o.compute_inverse_components},
          {"random_state", &o.random_state}};
}

Tensor SparseRandomProjection::directions(int64_t count, int64_t features) const {
  const double density = options_.density.value_or(1 / std::sqrt(static_cast<double>(features)));
  const double value = std::sqrt(1 / density / static_cast<double>(count));
  data::Random random(options_.random_state);
  std::vector<double> found(static_cast<size_t>(count * features));
  for (double& one : found) {
    const double drawn = random.uniform();
    if (drawn < density) one = drawn < density / 2 ? value : -value;
  }
  return from_vector(found, {count, features});
}

}  // namespace glia::classic
