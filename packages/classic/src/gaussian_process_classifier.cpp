#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"
#include "fitted.h"
#include "gaussian_process.h"
#include "glia/io.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "linear.h"
#include "pair_votes.h"

namespace glia::classic {
namespace {

// Where the posterior is largest, by Newton's method (algorithm 3.1), and what it is made of.
struct Mode {
  Tensor pi, root, l, a;  // (samples), (samples), (samples, samples), (samples)
  double log_likelihood = -std::numeric_limits<double>::infinity();
};
Mode mode_of(const Tensor& k, const Tensor& y, int64_t steps) {
  const int64_t n = k.size(0);
  Mode m;
  Tensor f = zeros({n}, kF64);
  for (int64_t i = 0; i < steps; ++i) {
    m.pi = sigmoid(f);
    const Tensor w = m.pi * (1 - m.pi);
    m.root = sqrt(w);
    const Tensor scaled = column(m.root) * k;
    m.l = linalg::cholesky(eye(n, kF64) + scaled * m.root);
    const Tensor b = w * f + (y - m.pi);
    m.a = b - m.root * reshape(linalg::cholesky_solve(matmul(scaled, column(b)), m.l), {n});
    f = reshape(matmul(k, column(m.a)), {n});
    const Tensor value =
        -0.5 * sum(m.a * f) - sum(softplus(-(2 * y - 1) * f)) - sum(log(diagonal(m.l)));
    eval({m.pi, m.root, m.l, m.a, f, value});
    const bool done = value.item() - m.log_likelihood < 1e-10;
    if (done) break;
    m.log_likelihood = value.item();
  }
  return m;
}

// Algorithm 5.1.
MarginalLikelihood likelihood_of(const Kernel& kernel, const Tensor& x, const Tensor& y,
                                 int64_t steps) {
  const Kernel::Gradient k = kernel.gradient(x);
  MarginalLikelihood out{-std::numeric_limits<double>::infinity(),
                         std::vector<double>(k.by_theta.size())};
  try {
    const Mode m = mode_of(k.value, y, steps);
    out.value = m.log_likelihood;
    if (k.by_theta.empty()) return out;
    const Tensor r = column(m.root) * linalg::cholesky_solve(diag(m.root), m.l);
    const Tensor c = linalg::solve_triangular(m.l, column(m.root) * k.value);
    // By the third derivative of the likelihood.
    const Tensor third =
        -0.5 * (diagonal(k.value) - sum(square(c), {0})) * (m.pi * (1 - m.pi) * (1 - 2 * m.pi));
    std::vector<Tensor> slopes;
    for (const Tensor& by : k.by_theta) {
      const Tensor own = reshape(matmul(by, column(m.a)), {-1});
      const Tensor explicit_part = 0.5 * sum(m.a * own) - 0.5 * sum(transpose(r) * by);
      const Tensor b = matmul(by, column(y - m.pi));
      const Tensor moved = reshape(b - matmul(k.value, matmul(r, b)), {-1});
      slopes.push_back(explicit_part + sum(third * moved));
    }
    out.gradient = stack(slopes).to_vector<double>();
  } catch (const ValueError&) {  // not positive definite
  }
  return out;
}

}  // namespace

std::vector<FittedAttribute> GaussianProcessClassifier::Binary::attributes() {
  return {{"X_train", &x, {-1, -2}},
          {"y_train", &y, {-1}},
          {"pi", &pi, {-1}},
          {"W_sr", &W_sr, {-1}},
          {"L", &L, {-1, -1}},
          {"theta", &theta, {-1}, kF64, true},
          {"log_marginal_likelihood", &log_marginal_likelihood, {}}};
}

std::vector<Param> GaussianProcessClassifier::params() {
  auto& o = options_;
  return {kernel_param(&o.kernel),
          {"optimizer", &o.optimizer, {"fmin_l_bfgs_b", "none"}},
          {"n_restarts_optimizer", &o.n_restarts_optimizer},
          {"max_iter_predict", &o.max_iter_predict},
          {"random_state", &o.random_state},
          {"multi_class", &o.multi_class, {"one_vs_rest", "one_vs_one"}}};
}

GaussianProcessClassifier& GaussianProcessClassifier::fit(const Tensor& x, const Tensor& y,
                                                          const Tensor& sample_weight,
                                                          Where where) {
  const std::string op = "GaussianProcessClassifier.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  refuse_sample_weight(op, sample_weight, where);
  require_option(o.max_iter_predict >= 1, op, "max_iter_predict",
                 static_cast<double>(o.max_iter_predict), where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  eval(given, where);
  const ClassTargets targets = check_classes(op, y, given.size(0), where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError(op + ": y has one class, where at least two are needed", where);
  std::vector<Binary> all;
  if (k == 2 || o.multi_class == GaussianMultiClass::kOneVsRest) {
    for (int64_t c = k == 2 ? 1 : 0; c < k; ++c)
      all.push_back({given, cast(targets.codes == c, kF64), {}, {}, {}, {}});
  } else {
    for (int64_t a = 0; a < k; ++a)
      for (int64_t b = a + 1; b < k; ++b) {
        const Tensor rows = reshape(nonzero((targets.codes == a) | (targets.codes == b)), {-1});
        all.push_back(
            {take(given, rows), cast(take(targets.codes, rows) == b, kF64), {}, {}, {}, {}});
      }
  }
  double total = 0;
  for (Binary& one : all) {
    eval({one.x, one.y});
    const Fitted best = likeliest(
        op, o.kernel, o.optimizer, o.n_restarts_optimizer, o.random_state,
        [&](const Kernel& kernel) {
          return likelihood_of(kernel, one.x, one.y, o.max_iter_predict);
        },
        where);
    one.theta = to_tensor_or_none(best.theta);
    one.log_marginal_likelihood = best.value;
    total += best.value;
    const Mode m =
        mode_of(with_fitted(o.kernel, one.theta, where)(one.x), one.y, o.max_iter_predict);
    one.pi = m.pi;
    one.W_sr = m.root;
    one.L = m.l;
  }
  log_marginal_likelihood_value = total / static_cast<double>(all.size());
  binaries_ = std::move(all);
  classes = targets.classes;
  n_features_in = given.size(1);
  return *this;
}

GaussianProcessClassifier::Latent GaussianProcessClassifier::latent(const Binary& one,
                                                                    const Tensor& x) const {
  const Kernel kernel = with_fitted(options_.kernel, one.theta, Where::current());
  const Tensor across = kernel(one.x, x);
  const Tensor mean = reshape(matmul(transpose(across), column(one.y - one.pi)), {-1});
  const Tensor known = linalg::solve_triangular(one.L, column(one.W_sr) * across);
  return {mean, kernel.diag(x) - sum(square(known), {0})};
}

// The probability of 1: the integral of the logistic function, which is nearly a sum of five error
// functions.
Tensor GaussianProcessClassifier::positive(const Binary& one, const Tensor& x) const {
  constexpr double kScale[] = {0.41, 0.4, 0.37, 0.44, 0.39};
  constexpr double kWeight[] = {-1854.8214151, 3516.89893646, 221.29346712, 128.12323805,
                                -2010.49422654};
  const Latent at = latent(one, x);
  Tensor p = full({x.size(0)}, 0, kF64);
  double weights = 0;
  for (int i = 0; i < 5; ++i) {
    const double s = kScale[i];
    p = p + 0.5 * kWeight[i] * erf(s * at.mean / sqrt(1 + 2 * s * s * at.variance));
    weights += kWeight[i];
  }
  return p + 0.5 * weights;
}

Tensor GaussianProcessClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = "GaussianProcessClassifier.predict_proba";
  const Tensor given = cast(check_x(op, x, n_features_in, where), kF64);
  const int64_t k = classes.size(0);
  if (k == 2) {
    const Tensor p = positive(binaries_[0], given);
    return stack({1 - p, p}, 1);
  }
  if (options_.multi_class == GaussianMultiClass::kOneVsOne)
    throw Error(
        op + ": multi_class one_vs_one has no probabilities of " + std::to_string(k) + " classes",
        where);
  std::vector<Tensor> each;
  for (const Binary& one : binaries_) each.push_back(positive(one, given));
  const Tensor all = stack(each, 1);
  return all / sum(all, {1}, true);
}

Tensor GaussianProcessClassifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given =
      cast(check_x("GaussianProcessClassifier.predict", x, n_features_in, where), kF64);
  const int64_t k = classes.size(0);
  if (k == 2) return take(classes, cast(latent(binaries_[0], given).mean > 0, kI64));
  std::vector<Tensor> each, second;
  for (const Binary& one : binaries_) {
    each.push_back(positive(one, given));
    second.push_back(latent(one, given).mean > 0);
  }
  const Tensor all = stack(each, 1);
  return take(classes, argmax(options_.multi_class == GaussianMultiClass::kOneVsRest
                                  ? all
                                  : pair_votes(stack(second, 1), all, k),
                              1));
}

GaussianProcessClassifier::Latent GaussianProcessClassifier::latent_mean_and_variance(
    const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = "GaussianProcessClassifier.latent_mean_and_variance";
  const Tensor given = cast(check_x(op, x, n_features_in, where), kF64);
  if (binaries_.size() != 1) throw Error(op + ": there are more than two classes", where);
  return latent(binaries_[0], given);
}

MarginalLikelihood GaussianProcessClassifier::log_marginal_likelihood(
    const std::vector<double>& theta, Where where) const {
  const NoGrad no_grad;
  require_fitted("GaussianProcessClassifier.log_marginal_likelihood", fitted(), where);
  const Kernel kernel = options_.kernel.with_theta(theta, where);
  const auto count = static_cast<double>(binaries_.size());
  MarginalLikelihood mean{0, std::vector<double>(theta.size())};
  for (const Binary& one : binaries_) {
    const MarginalLikelihood own = likelihood_of(kernel, one.x, one.y, options_.max_iter_predict);
    mean.value += own.value / count;
    for (size_t i = 0; i < theta.size(); ++i) mean.gradient[i] += own.gradient[i] / count;
  }
  return mean;
}

std::vector<Kernel> GaussianProcessClassifier::kernels(Where where) const {
  require_fitted("GaussianProcessClassifier.kernels", fitted(), where);
  std::vector<Kernel> all;
  for (const Binary& one : binaries_) all.push_back(with_fitted(options_.kernel, one.theta, where));
  return all;
}

StateDict GaussianProcessClassifier::state_dict(Where where) const {
  GaussianProcessClassifier copy = *this;
  int64_t count = static_cast<int64_t>(binaries_.size());
  StateDict state =
      fitted_state(copy,
                   {{"n_estimators", &count, {}},
                    {"log_marginal_likelihood_value", &copy.log_marginal_likelihood_value, {}}},
                   where);
  for (size_t i = 0; i < copy.binaries_.size(); ++i) {
    StateDict own;
    append_fitted(own, copy.binaries_[i].attributes());
    io::append(state, "estimators." + std::to_string(i) + ".", own);
  }
  return state;
}

void GaussianProcessClassifier::load_state_dict(const StateDict& state, Where where) {
  const std::string op = "GaussianProcessClassifier.load_state_dict";
  GaussianProcessClassifier fresh = *this;
  StateDict own = state;
  std::erase_if(own, [](const auto& entry) { return entry.first.starts_with("estimators."); });
  int64_t count = 0;
  load_fitted_state(fresh,
                    {{"n_estimators", &count, {}},
                     {"log_marginal_likelihood_value", &fresh.log_marginal_likelihood_value, {}}},
                    own, where);
  const int64_t k = fresh.classes.size(0);
  const bool rest = options_.multi_class == GaussianMultiClass::kOneVsRest;
  if (k < 2 || count != (k == 2 ? 1 : rest ? k : k * (k - 1) / 2))
    throw Error(
        op + ": " + std::to_string(count) + " estimators for " + std::to_string(k) + " classes",
        where);
  fresh.binaries_.assign(static_cast<size_t>(count), {});
  for (int64_t i = 0; i < count; ++i) {
    Binary& one = fresh.binaries_[i];
    StateReader read("GaussianProcessClassifier",
                     io::with_prefix(state, "estimators." + std::to_string(i) + "."), where);
    take_fitted(read, one.attributes(), fresh.n_features_in);
    const int64_t n = one.x.size(0);
    const size_t given = one.theta.defined() ? static_cast<size_t>(one.theta.size(0)) : 0;
    if (one.y.shape() != Shape{n} || one.pi.shape() != Shape{n} || one.W_sr.shape() != Shape{n} ||
        one.L.shape() != Shape{n, n} || options_.kernel.theta().size() != given)
      throw Error(op + ": its parts do not fit together", where);
  }
  *this = std::move(fresh);
}

}  // namespace glia::classic
