#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// (W W^T)^(-1/2) W: rows at right angles.
Tensor decorrelated(const Tensor& w) {
  const auto eigen = linalg::eigh(matmul(w, transpose(w)));
  const Tensor least = maximum(eigen.eigenvalues, 1e-300);
  const Tensor root = matmul(eigen.eigenvectors / sqrt(least), transpose(eigen.eigenvectors));
  return matmul(root, w);
}

// g(u) and the mean of g'(u) over samples, of u (components, samples).
std::pair<Tensor, Tensor> contrast(IcaFunction f, const Tensor& u) {
  if (f == IcaFunction::kLogcosh) {
    const Tensor t = tanh(u);
    return {t, mean(1 - square(t), {1})};
  }
  if (f == IcaFunction::kExp) {
    const Tensor e = exp(square(u) * -0.5);
    return {u * e, mean((1 - square(u)) * e, {1})};
  }
  return {u * square(u), mean(3 * square(u), {1})};
}

}  // namespace

FastICA::FastICA(const FastICAOptions& options, Where where) : options_(options) {
  check_options(where);
}

void FastICA::check_options(Where where) const {
  const auto& o = options_;
  if (o.n_components.value_or(1) < 1)
    throw ValueError("FastICA: n_components = " + std::to_string(*o.n_components), where);
  if (o.max_iter < 1) throw ValueError("FastICA: max_iter = " + std::to_string(o.max_iter), where);
  if (!(o.tol > 0)) throw ValueError("FastICA: tol = " + to_text(ParamValue(o.tol)), where);
}

std::vector<Param> FastICA::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"fun", &o.fun, {"logcosh", "exp", "cube"}},
          {"max_iter", &o.max_iter},
          {"tol", &o.tol},
          {"random_state", &o.random_state}};
}

FastICA& FastICA::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                      Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("FastICA.fit", sample_weight, where);
  const Tensor given = cast(check_x("FastICA.fit", x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1), most = std::min(n, d);
  const int64_t k = options_.n_components.value_or(most);
  if (k > most)
    throw ValueError(
        "FastICA.fit: n_components = " + std::to_string(k) + " of X " + given.shape().str(), where);
  const Tensor center = glia::mean(given, {0}), rest = transpose(given - center);  // (d, n)
  const auto svd = linalg::svd(rest, false);
  if (index(svd.S, {k - 1}).item() <= 1e-12 * index(svd.S, {0}).item())
    throw ValueError("FastICA.fit: X has not so many independent features as n_components = " +
                         std::to_string(k),
                     where);
  const Tensor u = slice(svd.U, 1, Slice{0, k}), s = slice(svd.S, 0, Slice{0, k});
  // Signs that do not depend on those of LAPACK's vectors.
  const Tensor axes = transpose(u * glia::where(index(u, {0}) < 0, -1.0, ones({}, kF64)));
  const Tensor whitening = axes / reshape(s, {k, 1});  // (k, d)
  const Tensor white = matmul(whitening, rest) * std::sqrt(static_cast<double>(n));
  Tensor w = options_.w_init;
  if (w.defined()) {
    w = cast(check_x("FastICA.fit: w_init", w, where), kF64);
    if (w.shape() != Shape{k, k})
      throw ShapeError("FastICA.fit: w_init is " + w.shape().str() + ", not " + Shape{k, k}.str(),
                       where);
  } else {
    w = normal_numbers({k, k}, options_.random_state);
  }
  w = decorrelated(w);
  eval({white, w});
  int64_t iterations = 0;
  for (bool settled = false; !settled && iterations < options_.max_iter; ++iterations) {
    const auto [g, slope] = contrast(options_.fun, matmul(w, white));
    const Tensor next = decorrelated(matmul(g, transpose(white)) / static_cast<double>(n) -
                                     reshape(slope, {k, 1}) * w);
    const Tensor change = max(abs(abs(sum(next * w, {1})) - 1));
    eval({next, change}, where);
    w = next;
    settled = change.item() < options_.tol;
  }
  // Sources of variance 1.
  Tensor unmixing = matmul(w, whitening);
  const Tensor deviation = sqrt(glia::var(matmul(unmixing, rest), {1}, true, 0));
  unmixing = unmixing / deviation;
  const Tensor back = linalg::pinv(unmixing);
  eval({unmixing, back, center}, where);
  components = unmixing;
  mixing = back;
  mean = center;
  n_iter = iterations;
  n_features_in = d;
  return *this;
}

Tensor FastICA::transform(const Tensor& x, Where where) const {
  const Tensor given = check_x("FastICA.transform", x, n_features_in, where);
  return cast(matmul(cast(given, kF64) - mean, transpose(components)), given.dtype());
}

Tensor FastICA::inverse_transform(const Tensor& x, Where where) const {
  require_fitted("FastICA.inverse_transform", fitted(), where);
  const Tensor given = check_x("FastICA.inverse_transform", x, components.size(0), where);
  return cast(matmul(cast(given, kF64), transpose(mixing)) + mean, given.dtype());
}

StateDict FastICA::state_dict(Where where) const {
  require_fitted("FastICA.state_dict", fitted(), where);
  return {
      {"components", components}, {"mixing", mixing}, {"mean", mean}, {"n_iter", tensor(n_iter)}};
}

void FastICA::load_state_dict(const StateDict& state, Where where) {
  StateReader read("FastICA", state, where);
  const Tensor w = read.take("components", kF64, {options_.n_components.value_or(-1), -1});
  const Tensor back = read.take("mixing", kF64, {w.size(1), w.size(0)});
  const Tensor center = read.take("mean", kF64, {w.size(1)});
  const int64_t iterations = read.count("n_iter");
  read.finish();
  components = w;
  mixing = back;
  mean = center;
  n_iter = iterations;
  n_features_in = w.size(1);
}

}  // namespace glia::classic
