#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "lanczos.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// Of rows of x and y, undefined: of x.
Tensor kernel_of(const Tensor& x, const Tensor& y, const KernelPCAOptions& o, double gamma,
                 Where where) {
  switch (o.kernel) {
    case PcaKernel::kLinear:
      return linear_kernel(x, y, where);
    case PcaKernel::kPoly:
      return polynomial_kernel(x, y, o.degree, gamma, o.coef0, where);
    case PcaKernel::kRbf:
      return rbf_kernel(x, y, gamma, where);
    case PcaKernel::kSigmoid:
      return sigmoid_kernel(x, y, gamma, o.coef0, where);
    case PcaKernel::kCosine:
      return cosine_similarity(x, y, where);
    case PcaKernel::kPrecomputed:
      break;
  }
  return x;
}

// Eigenvalues without what rounding left: at most 1e-12 of the largest is none. Throws where the
// kernel is not one, as scikit-learn does.
std::vector<double> cleaned(const Tensor& eigenvalues, Where where) {
  std::vector<double> values = eigenvalues.to_vector<double>();
  const double most = *std::max_element(values.begin(), values.end());
  const double least = *std::min_element(values.begin(), values.end());
  if (least < -1e-10 && -least > 1e-5 * std::max(most, 0.0))
    throw ValueError("KernelPCA.fit: the kernel is not positive semi-definite: an eigenvalue is " +
                         std::to_string(least),
                     where);
  for (double& v : values)
    if (v < 1e-12 * most) v = 0;
  return values;
}

}  // namespace

KernelPCA::KernelPCA(const KernelPCAOptions& options, Where where) : options_(options) {
  check_options(where);
}

void KernelPCA::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, const ParamValue& value) {
    throw ValueError("KernelPCA: " + std::string(name) + " = " + to_text(value), where);
  };
  if (o.n_components.value_or(1) < 1) fail("n_components", *o.n_components);
  if (!(o.gamma.value_or(0) >= 0)) fail("gamma", *o.gamma);
  if (!(o.degree >= 0)) fail("degree", o.degree);
  if (!std::isfinite(o.coef0)) fail("coef0", o.coef0);
  if (!(o.alpha >= 0)) fail("alpha", o.alpha);
  if (!(o.tol >= 0)) fail("tol", o.tol);
  if (o.max_iter.value_or(1) < 1) fail("max_iter", *o.max_iter);
  if (o.fit_inverse_transform && o.kernel == PcaKernel::kPrecomputed)
    throw ValueError("KernelPCA: fit_inverse_transform needs samples, not kernel = precomputed",
                     where);
}

std::vector<Param> KernelPCA::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"kernel", &o.kernel, {"linear", "poly", "rbf", "sigmoid", "cosine", "precomputed"}},
          {"gamma", &o.gamma},
          {"degree", &o.degree},
          {"coef0", &o.coef0},
          {"alpha", &o.alpha},
          {"fit_inverse_transform", &o.fit_inverse_transform},
          {"eigen_solver", &o.eigen_solver, {"auto", "dense", "arpack"}},
          {"tol", &o.tol},
          {"max_iter", &o.max_iter},
          {"remove_zero_eig", &o.remove_zero_eig}};
}

KernelPCA& KernelPCA::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                          Where where) {
  const NoGrad no_grad;
  const char* op = "KernelPCA.fit";
  check_options(where);
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0);
  const bool precomputed = options_.kernel == PcaKernel::kPrecomputed;
  if (precomputed && given.size(1) != n)
    throw ShapeError(std::string(op) + ": a kernel is square, not " + given.shape().str(), where);
  const double scale = options_.gamma.value_or(1.0 / static_cast<double>(given.size(1)));
  const Tensor kernel = kernel_of(given, {}, options_, scale, where);
  const Tensor rows = mean(kernel, {0}), all = mean(rows);
  const Tensor centred = kernel - rows - unsqueeze(rows, 1) + all;
  eval({centred, rows, all}, where);
  if (!std::isfinite(all.item()))
    throw ValueError(std::string(op) + ": the kernel is beyond f64", where);

  const int64_t wanted = std::min(options_.n_components.value_or(n), n);
  Eigen found;
  if (options_.eigen_solver == EigenSolver::kDense) {
    const auto eigen = linalg::eigh(centred);
    found = {slice(flip(eigen.eigenvalues, {0}), 0, Slice{0, wanted}),
             slice(flip(eigen.eigenvectors, {1}), 1, Slice{0, wanted})};
  } else {
    found = largest_eigen(
        centred, wanted, {.tol = options_.tol, .max_restarts = options_.max_iter.value_or(10 * n)});
  }
  std::vector<double> values = cleaned(found.values, where);
  if (options_.remove_zero_eig || !options_.n_components)
    values.erase(std::find(values.begin(), values.end(), 0.0), values.end());
  if (values.empty())
    throw ValueError(std::string(op) + ": the kernel is the same for all samples", where);
  const auto k = static_cast<int64_t>(values.size());
  Tensor vectors = slice(found.vectors, 1, Slice{0, k});
  vectors = vectors * transpose(signs_of_rows(transpose(vectors)));
  const Tensor of = from_vector(values, {k});
  Tensor places, dual;
  if (options_.fit_inverse_transform) {
    places = vectors * sqrt(of);
    const Tensor ridge =
        kernel_of(places, {}, options_, scale, where) + eye(n, kF64) * options_.alpha;
    dual = linalg::solve(ridge, given);
    eval({places, dual}, where);
  }
  eval({vectors, of}, where);
  eigenvalues = of;
  eigenvectors = vectors;
  fit_x = precomputed ? Tensor() : given;
  fit_rows = rows;
  fit_all = all.item();
  gamma = scale;
  x_transformed = places;
  dual_coef = dual;
  n_features_in = given.size(1);
  return *this;
}

Tensor KernelPCA::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("KernelPCA.transform", x, n_features_in, where), kF64);
  const Tensor kernel = kernel_of(given, fit_x, options_, gamma, where);
  const Tensor centred = kernel - fit_rows - mean(kernel, {1}, true) + fit_all;
  const Tensor scale = sqrt(eigenvalues);
  return matmul(centred, eigenvectors) * glia::where(scale > 0, 1 / scale, 0.0);
}

Tensor KernelPCA::inverse_transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const char* op = "KernelPCA.inverse_transform";
  require_fitted(op, fitted(), where);
  if (!dual_coef.defined())
    throw Error(std::string(op) + ": it was fitted without fit_inverse_transform", where);
  const Tensor given = cast(check_x(op, x, eigenvalues.size(0), where), kF64);
  return matmul(kernel_of(given, x_transformed, options_, gamma, where), dual_coef);
}

Tensor KernelPCA::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  fit(x, y, sample_weight, where);
  return eigenvectors * sqrt(eigenvalues);
}

StateDict KernelPCA::state_dict(Where where) const {
  require_fitted("KernelPCA.state_dict", fitted(), where);
  StateDict state = {{"eigenvalues", eigenvalues}, {"eigenvectors", eigenvectors},
                     {"fit_rows", fit_rows},       {"fit_all", tensor(fit_all)},
                     {"gamma", tensor(gamma)},     {"n_features_in", tensor(n_features_in)}};
  if (fit_x.defined()) state.emplace_back("fit_x", fit_x);
  if (dual_coef.defined()) {
    state.emplace_back("x_transformed", x_transformed);
    state.emplace_back("dual_coef", dual_coef);
  }
  return state;
}

void KernelPCA::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KernelPCA", state, where);
  const auto f64 = [&](const char* name, const Shape& shape) {
    return cast(read.take(name, kF64, shape), kF64);
  };
  const Tensor vectors = f64("eigenvectors", {-1, -1});
  const int64_t n = vectors.size(0), k = vectors.size(1);
  const Tensor values = f64("eigenvalues", {k}), rows = f64("fit_rows", {n});
  const double all = read.number("fit_all"), scale = read.number("gamma");
  const int64_t features = read.count("n_features_in");
  Tensor samples, places, dual;
  if (options_.kernel != PcaKernel::kPrecomputed) samples = f64("fit_x", {n, features});
  if (options_.fit_inverse_transform) {
    places = f64("x_transformed", {n, k});
    dual = f64("dual_coef", {n, features});
  }
  read.finish();
  if (features < 1 || (!samples.defined() && features != n) || !glia::all(values >= 0).item<bool>())
    throw Error("KernelPCA.load_state_dict: its parts do not fit together", where);
  eigenvalues = values;
  eigenvectors = vectors;
  fit_x = samples;
  fit_rows = rows;
  fit_all = all;
  gamma = scale;
  x_transformed = places;
  dual_coef = dual;
  n_features_in = features;
}

}  // namespace glia::classic
