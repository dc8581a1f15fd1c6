#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "randomized.h"

namespace glia::classic {
namespace {

// One pass of coordinate descent over the rows of W (rows, k): each entry to its best, not below 0.
// `gram` (k, k) is H H^T with the L2 part, `target` (rows, k) X H^T less the L1 part. How far the
// gradient was from allowing no change.
double pass(std::vector<double>& w, const Tensor& gram, const Tensor& target, int64_t rows,
            int64_t k) {
  const double *g = gram.data<double>().data(), *t = target.data<double>().data();
  constexpr int64_t kRows = 64;
  const int64_t blocks = (rows + kRows - 1) / kRows;
  std::vector<double> violations(static_cast<size_t>(blocks));
  parallel_for(blocks, [&](int64_t block) {
    double violation = 0;
    for (int64_t i = block * kRows; i < std::min(rows, (block + 1) * kRows); ++i) {
      double* row = w.data() + i * k;
      for (int64_t c = 0; c < k; ++c) {
        double gradient = -t[i * k + c];
        for (int64_t r = 0; r < k; ++r) gradient += g[c * k + r] * row[r];
        violation += std::abs(row[c] == 0 ? std::min(0.0, gradient) : gradient);
        if (g[c * k + c] != 0) row[c] = std::max(row[c] - gradient / g[c * k + c], 0.0);
      }
    }
    violations[block] = violation;
  });
  double sum = 0;
  for (const double v : violations) sum += v;
  return sum;
}

// From the SVD: of each pair of singular vectors the larger of their positive and negative parts
// (Boutsidis & Gallopoulos 2008).
void nndsvd(const Tensor& x, int64_t k, uint64_t seed, Tensor& w, Tensor& h) {
  const Svd svd = randomized_svd(
      x, k, 10, k < 0.1 * static_cast<double>(std::min(x.size(0), x.size(1))) ? 7 : 4, seed);
  std::vector<Tensor> left, right;
  for (int64_t j = 0; j < k; ++j) {
    const Tensor u = index(svd.u, {Slice{}, j}), v = index(svd.vt, {j});
    const double scale = std::sqrt(index(svd.s, {j}).item());
    if (j == 0) {
      left.push_back(abs(u) * scale);
      right.push_back(abs(v) * scale);
      continue;
    }
    const auto norm = [](const Tensor& t) { return std::sqrt(sum(square(t)).item()); };
    const Tensor up = maximum(u, 0.0), un = maximum(-u, 0.0), vp = maximum(v, 0.0),
                 vn = maximum(-v, 0.0);
    const double nup = norm(up), nun = norm(un), nvp = norm(vp), nvn = norm(vn);
    const bool positive = nup * nvp > nun * nvn;
    const double nu = positive ? nup : nun, nv = positive ? nvp : nvn;
    const double part = nu * nv > 0 ? scale * std::sqrt(nu * nv) : 0;
    left.push_back((positive ? up : un) * (nu > 0 ? part / nu : 0));
    right.push_back((positive ? vp : vn) * (nv > 0 ? part / nv : 0));
  }
  w = stack(left, 1);
  h = stack(right, 0);
  w = where(w < 1e-6, 0.0, w);
  h = where(h < 1e-6, 0.0, h);
}

Tensor uniform_numbers(const Shape& shape, uint64_t seed) {
  return abs(normal_numbers(shape, seed));
}

}  // namespace

NMF::NMF(const NMFOptions& options, Where where) : options_(options) { check_options(where); }

void NMF::check_options(Where where) const {
  const auto fail = [&](const char* name, double value) {
    throw ValueError("NMF: " + std::string(name) + " = " + to_text(ParamValue(value)), where);
  };
  const auto& o = options_;
  if (o.n_components.value_or(1) < 1) fail("n_components", static_cast<double>(*o.n_components));
  if (o.max_iter < 1) fail("max_iter", static_cast<double>(o.max_iter));
  if (!(o.tol >= 0)) fail("tol", o.tol);
  if (!(o.alpha_w >= 0)) fail("alpha_w", o.alpha_w);
  if (!(o.alpha_h.value_or(0) >= 0)) fail("alpha_h", *o.alpha_h);
  if (!(o.l1_ratio >= 0 && o.l1_ratio <= 1)) fail("l1_ratio", o.l1_ratio);
}

std::vector<Param> NMF::params() {
  auto& o = options_;
  return {{"n_components", &o.n_components},
          {"init", &o.init, {"nndsvd", "nndsvda", "random"}},
          {"tol", &o.tol},
          {"max_iter", &o.max_iter},
          {"alpha_w", &o.alpha_w},
          {"alpha_h", &o.alpha_h},
          {"l1_ratio", &o.l1_ratio},
          {"random_state", &o.random_state}};
}

Tensor NMF::solve(const Tensor& x, Tensor w, Tensor& h, bool update_h, int64_t& iterations) const {
  const int64_t n = x.size(0), d = x.size(1), k = h.size(0);
  // As scikit-learn: W's part grows with the features, H's with the samples.
  const double aw = options_.alpha_w * static_cast<double>(d);
  const double ah = options_.alpha_h.value_or(options_.alpha_w) * static_cast<double>(n);
  const double l1 = options_.l1_ratio, l2 = 1 - l1;
  std::vector<double> left = w.to_vector<double>();
  std::vector<double> right = transpose(h).to_vector<double>();  // (d, k)
  const Tensor unit = eye(k, kF64), across = transpose(x);
  double first = 0;
  for (iterations = 1; iterations <= options_.max_iter; ++iterations) {
    Tensor ht = from_vector(right, {d, k});
    Tensor gram = matmul(transpose(ht), ht) + unit * (aw * l2), target = matmul(x, ht) - aw * l1;
    eval({gram, target});
    double violation = pass(left, gram, target, n, k);
    if (update_h) {
      const Tensor wt = from_vector(left, {n, k});
      gram = matmul(transpose(wt), wt) + unit * (ah * l2);
      target = matmul(across, wt) - ah * l1;
      eval({gram, target});
      violation += pass(right, gram, target, d, k);
    }
    if (iterations == 1) first = violation;
    if (first == 0 || violation / first <= options_.tol) break;
  }
  iterations = std::min(iterations, options_.max_iter);
  h = transpose(from_vector(right, {d, k}));
  w = from_vector(left, {n, k});
  eval({h, w});
  return w;
}

NMF& NMF::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  fit_transform(x, y, sample_weight, where);
  return *this;
}

Tensor NMF::fit_transform(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                          Where where) {
  const NoGrad no_grad;
  check_options(where);
  refuse_sample_weight("NMF.fit", sample_weight, where);
  const Tensor given = cast(check_x("NMF.fit", x, where), kF64);
  if (any(given < 0).item<bool>()) throw ValueError("NMF.fit: X has a number below 0", where);
  const int64_t n = given.size(0), d = given.size(1), k = options_.n_components.value_or(d);
  const double average = glia::mean(given).item();
  Tensor w, h;
  if (options_.init == NMFInit::kRandom) {
    const double scale = std::sqrt(average / static_cast<double>(k));
    h = uniform_numbers({k, d}, options_.random_state) * scale;
    w = uniform_numbers({n, k}, options_.random_state + 1) * scale;
  } else {
    if (k > std::min(n, d))
      throw ValueError("NMF.fit: n_components = " + std::to_string(k) + " of X " +
                           given.shape().str() + " needs init = random",
                       where);
    nndsvd(given, k, options_.random_state, w, h);
    if (options_.init == NMFInit::kNndsvda) {
      w = glia::where(w == 0.0, average, w);
      h = glia::where(h == 0.0, average, h);
    }
  }
  int64_t iterations = 0;
  const Tensor found = solve(given, w, h, true, iterations);
  const double error = std::sqrt(sum(square(given - matmul(found, h))).item());
  components = h;
  reconstruction_err = error;
  n_iter = iterations;
  n_features_in = d;
  return found;
}

Tensor NMF::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = cast(check_x("NMF.transform", x, n_features_in, where), kF64);
  if (any(given < 0).item<bool>()) throw ValueError("NMF.transform: X has a number below 0", where);
  const int64_t k = components.size(0);
  const double start = std::sqrt(glia::mean(given).item() / static_cast<double>(k));
  Tensor h = components;
  int64_t iterations = 0;
  return solve(given, full({given.size(0), k}, start, kF64), h, false, iterations);
}

Tensor NMF::inverse_transform(const Tensor& w, Where where) const {
  require_fitted("NMF.inverse_transform", fitted(), where);
  const Tensor given = check_x("NMF.inverse_transform", w, components.size(0), where);
  return matmul(cast(given, kF64), components);
}

StateDict NMF::state_dict(Where where) const {
  require_fitted("NMF.state_dict", fitted(), where);
  return {{"components", components},
          {"reconstruction_err", tensor(reconstruction_err)},
          {"n_iter", tensor(n_iter)}};
}

void NMF::load_state_dict(const StateDict& state, Where where) {
  StateReader read("NMF", state, where);
  const Tensor h = read.take("components", kF64, {options_.n_components.value_or(-1), -1});
  const double error = read.number("reconstruction_err");
  const int64_t iterations = read.count("n_iter");
  read.finish();
  if (any(h < 0).item<bool>())
    throw Error("NMF.load_state_dict: components has a number below 0", where);
  components = cast(h, kF64);
  reconstruction_err = error;
  n_iter = iterations;
  n_features_in = h.size(1);
}

}  // namespace glia::classic
