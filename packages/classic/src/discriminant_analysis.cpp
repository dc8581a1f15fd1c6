#include "glia/classic/discriminant_analysis.h"

#include <algorithm>
#include <cmath>

#include "columns.h"
#include "fitted.h"
#include "glia/classic/covariance.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "linear.h"

namespace glia::classic {
namespace {

void check_shrinkage(const std::string& op, const ParamValue& shrinkage, bool taken, Where where) {
  if (std::holds_alternative<std::monostate>(shrinkage)) return;
  if (!taken) throw ValueError(op + ": the solver svd takes no shrinkage", where);
  const auto* text = std::get_if<std::string>(&shrinkage);
  const auto* whole = std::get_if<int64_t>(&shrinkage);
  const auto* number = std::get_if<double>(&shrinkage);
  const double value = number ? *number : whole ? static_cast<double>(*whole) : -1;
  if (text ? *text != "auto" : !(value >= 0 && value <= 1))
    throw ValueError(op + ": shrinkage = " + to_text(shrinkage), where);
}

Param shrinkage_param(ParamValue* at) {
  return {"shrinkage", [at] { return *at; },
          [at](const ParamValue& value) {
            const auto* text = std::get_if<std::string>(&value);
            if (std::holds_alternative<bool>(value) || (text && *text != "auto")) return false;
            *at = value;
            return true;
          }};
}

Tensor covariance_of(const Tensor& x, const ParamValue& shrinkage) {
  if (std::holds_alternative<std::string>(shrinkage)) {
    const Tensor deviation = sqrt(var(x, {0}, false, 0));
    const Tensor scale = where(deviation > 0, deviation, 1);
    const Tensor cov = ledoit_wolf((x - mean(x, {0})) / scale).covariance;
    return unsqueeze(scale, 1) * cov * scale;
  }
  const Tensor cov = empirical_covariance(x);
  if (const auto* number = std::get_if<double>(&shrinkage)) return shrunk_covariance(cov, *number);
  if (const auto* whole = std::get_if<int64_t>(&shrinkage))
    return shrunk_covariance(cov, static_cast<double>(*whole));
  return cov;
}

// Samples by their classes.
struct Parts {
  Tensor x;  // (samples, features) f64
  ClassTargets targets;
  std::vector<Tensor> rows;  // of each class
  Tensor means;              // (classes, features)
  Tensor priors;             // (classes)
};
Parts parts_of(const std::string& op, const Tensor& x, const Tensor& y, const Tensor& weight,
               const std::vector<double>& priors, Where where) {
  refuse_sample_weight(op, weight, where);
  Parts p;
  p.x = cast(check_x(op, x, where), kF64);
  const int64_t n = p.x.size(0);
  p.targets = check_classes(op, y, n, where);
  const int64_t k = p.targets.classes.size(0);
  if (k < 2) throw ValueError(op + ": y has one class, where at least two are needed", where);
  check_priors(op, "priors", priors, k, where);
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(k));
  const auto codes = p.targets.codes.to_vector<int64_t>();
  for (int64_t i = 0; i < n; ++i) members[codes[i]].push_back(i);
  std::vector<double> shares;
  std::vector<Tensor> means;
  for (const auto& own : members) {
    p.rows.push_back(take(p.x, vector_of(own)));
    means.push_back(mean(p.rows.back(), {0}));
    shares.push_back(static_cast<double>(own.size()) / static_cast<double>(n));
  }
  p.means = stack(means);
  p.priors = vector_of(priors.empty() ? shares : priors);
  eval({p.x, p.means});
  return p;
}

Tensor within(const Parts& p, const ParamValue& shrinkage) {
  Tensor sum;
  for (size_t c = 0; c < p.rows.size(); ++c) {
    const Tensor own =
        index(p.priors, {static_cast<int64_t>(c)}) * covariance_of(p.rows[c], shrinkage);
    sum = c == 0 ? own : sum + own;
  }
  return sum;
}

}  // namespace

// ---- LinearDiscriminantAnalysis -----------------------------------------------------------------

std::vector<Param> LinearDiscriminantAnalysis::params() {
  auto& o = options_;
  return {{"solver", &o.solver, {"svd", "lsqr", "eigen"}},
          shrinkage_param(&o.shrinkage),
          list_param("priors", &o.priors),
          {"n_components", &o.n_components},
          {"store_covariance", &o.store_covariance},
          {"tol", &o.tol}};
}

std::vector<FittedAttribute> LinearDiscriminantAnalysis::attributes() {
  return {{"means", &means, {-3, -2}},
          {"priors", &priors, {-3}},
          {"xbar", &xbar, {-2}, kF64, true},
          {"scalings", &scalings, {-2, -1}, kF64, true},
          {"covariance", &covariance, {-2, -2}, kF64, true},
          {"explained_variance_ratio", &explained_variance_ratio, {-1}, kF64, true}};
}

namespace {

struct Axes {
  Tensor xbar, scalings, variances;  // variances: between the classes, falling
};

Axes by_svd(const Parts& p, double tol) {
  const auto n = static_cast<double>(p.x.size(0)), k = static_cast<double>(p.rows.size());
  Axes out;
  out.xbar = reshape(matmul(unsqueeze(p.priors, 0), p.means), {-1});
  const Tensor rest = p.x - take(p.means, p.targets.codes);
  const Tensor deviation = sqrt(var(rest, {0}, false, 0));
  const Tensor scale = where(deviation > 0, deviation, 1);
  const linalg::SVDResult inner = linalg::svd(rest / scale / std::sqrt(n), false);
  const int64_t rank = std::max<int64_t>(sum(cast(inner.S > tol, kI64)).item<int64_t>(), 1);
  const Tensor spread = slice(inner.S, 0, {.stop = rank});
  if (!(min(spread) > 0).item<bool>()) return out;  // no class has any spread
  const Tensor sphere = transpose(slice(inner.Vh, 0, {.stop = rank}) / scale) / spread;
  const Tensor between =
      matmul(unsqueeze(sqrt(n * p.priors / (k - 1)), 1) * (p.means - out.xbar), sphere);
  const linalg::SVDResult outer = linalg::svd(between, false);
  const Tensor counts = outer.S > tol * index(outer.S, {0});
  const int64_t axes = std::max<int64_t>(sum(cast(counts, kI64)).item<int64_t>(), 1);
  out.scalings = matmul(sphere, transpose(slice(outer.Vh, 0, {.stop = axes})));
  out.variances = square(outer.S);
  eval({out.xbar, out.scalings, out.variances});
  return out;
}

// A v = lambda B v for the within-class covariance B.
Axes by_eigen(const std::string& op, const Tensor& between, const Tensor& inner, Where where) {
  Tensor root;
  try {
    root = linalg::cholesky(inner, false, where);
    eval(root, where);
  } catch (const ValueError&) {
    throw ValueError(op + ": the covariance within classes is singular; shrinkage, or the solver "
                          "svd, may help",
                     where);
  }
  const Tensor half = linalg::solve_triangular(root, between);
  const linalg::EighResult e = linalg::eigh(linalg::solve_triangular(root, transpose(half)));
  const Tensor vectors = linalg::solve_triangular(transpose(root), e.eigenvectors, {.upper = true});
  Axes out{{}, flip(vectors, {1}), flip(e.eigenvalues, {0})};
  eval({out.scalings, out.variances});
  return out;
}

}  // namespace

LinearDiscriminantAnalysis& LinearDiscriminantAnalysis::fit(const Tensor& x, const Tensor& y,
                                                            const Tensor& sample_weight,
                                                            Where where) {
  const std::string op = "LinearDiscriminantAnalysis.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  check_shrinkage(op, o.shrinkage, o.solver != LdaSolver::kSvd, where);
  const Parts p = parts_of(op, x, y, sample_weight, o.priors, where);
  const int64_t n = p.x.size(0), d = p.x.size(1), k = p.means.size(0);
  if (n <= k)
    throw ValueError(op + ": " + std::to_string(n) + " samples of " + std::to_string(k) +
                         " classes, where more samples than classes are needed",
                     where);
  const int64_t most = std::min(k - 1, d), count = o.n_components.value_or(most);
  if (count < 1 || count > most)
    throw ValueError(op + ": n_components = " + std::to_string(count) + ", and not from 1 to " +
                         std::to_string(most),
                     where);
  Axes axes;
  Tensor cov, w, b;
  if (o.solver == LdaSolver::kSvd) {
    axes = by_svd(p, o.tol);
    if (!axes.scalings.defined())
      throw ValueError(op + ": all samples of a class are the same", where);
    if (o.store_covariance) cov = within(p, {});
    const Tensor place = matmul(p.means - axes.xbar, axes.scalings);
    w = matmul(place, transpose(axes.scalings));
    b = log(p.priors) - 0.5 * sum(square(place), {1}) -
        reshape(matmul(w, unsqueeze(axes.xbar, 1)), {-1});
  } else {
    cov = within(p, o.shrinkage);
    if (o.solver == LdaSolver::kLsqr) {
      w = transpose(
          linalg::lstsq(cov, transpose(p.means), {.driver = linalg::LstsqDriver::kGelsd}).solution);
    } else {
      axes = by_eigen(op, covariance_of(p.x, o.shrinkage) - cov, cov, where);
      w = matmul(matmul(p.means, axes.scalings), transpose(axes.scalings));
    }
    b = log(p.priors) - 0.5 * sum(p.means * w, {1});
  }
  if (k == 2) {
    w = unsqueeze(index(w, {1}) - index(w, {0}), 0);
    b = reshape(index(b, {1}) - index(b, {0}), {1});
  }
  Tensor ratio;
  if (axes.variances.defined()) {
    const Tensor total = sum(axes.variances);
    ratio = slice(axes.variances / glia::where(total > 0, total, 1), 0, {.stop = count});
  }
  if (!all(isfinite(w)).item<bool>() || !all(isfinite(b)).item<bool>())
    throw ValueError(op + ": the coefficients are beyond f64, or a prior is 0", where);
  eval({w, b});
  for (const Tensor& t : {cov, ratio})
    if (t.defined()) eval(t);
  coef = w;
  intercept = b;
  means = p.means;
  priors = p.priors;
  xbar = axes.xbar;
  scalings = axes.scalings;
  covariance = cov;
  explained_variance_ratio = ratio;
  classes = p.targets.classes;
  n_features_in = d;
  return *this;
}

Tensor LinearDiscriminantAnalysis::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor scores = decision_function(x, where);
  if (scores.rank() == 2) return softmax(scores, 1);
  const Tensor p = sigmoid(scores);
  return stack({1 - p, p}, 1);
}

Tensor LinearDiscriminantAnalysis::transform(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = "LinearDiscriminantAnalysis.transform";
  const Tensor given = cast(check_x(op, x, n_features_in, where), kF64);
  if (!scalings.defined()) throw Error(op + ": the solver lsqr has no axes", where);
  const Tensor on = matmul(xbar.defined() ? given - xbar : given, scalings);
  const int64_t count = explained_variance_ratio.size(0);
  return on.size(1) > count ? slice(on, 1, {.stop = count}) : on;
}

// ---- QuadraticDiscriminantAnalysis --------------------------------------------------------------

std::vector<Param> QuadraticDiscriminantAnalysis::params() {
  auto& o = options_;
  return {{"solver", &o.solver, {"svd", "eigen"}},   shrinkage_param(&o.shrinkage),
          list_param("priors", &o.priors),           {"reg_param", &o.reg_param},
          {"store_covariance", &o.store_covariance}, {"tol", &o.tol}};
}

std::vector<FittedAttribute> QuadraticDiscriminantAnalysis::attributes() {
  return {{"means", &means, {-3, -2}},
          {"priors", &priors, {-3}},
          {"rotations", &rotations, {-3, -2, -2}},
          {"scalings", &scalings, {-3, -2}},
          {"covariance", &covariance, {-3, -2, -2}, kF64, true}};
}

StateDict QuadraticDiscriminantAnalysis::state_dict(Where where) const {
  QuadraticDiscriminantAnalysis copy = *this;
  return fitted_state(copy, copy.attributes(), where);
}

void QuadraticDiscriminantAnalysis::load_state_dict(const StateDict& state, Where where) {
  QuadraticDiscriminantAnalysis fresh = *this;
  load_fitted_state(fresh, fresh.attributes(), state, where);
  if (!all(fresh.scalings > 0).item<bool>() || any(fresh.priors < 0).item<bool>())
    throw Error("QuadraticDiscriminantAnalysis.load_state_dict: scalings or priors below 0", where);
  *this = std::move(fresh);
}

QuadraticDiscriminantAnalysis& QuadraticDiscriminantAnalysis::fit(const Tensor& x, const Tensor& y,
                                                                  const Tensor& sample_weight,
                                                                  Where where) {
  const std::string op = "QuadraticDiscriminantAnalysis.fit";
  const NoGrad no_grad;
  const auto& o = options_;
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  require_option(o.reg_param >= 0 && o.reg_param <= 1, op, "reg_param", o.reg_param, where);
  const bool svd = o.solver == QdaSolver::kSvd;
  check_shrinkage(op, o.shrinkage, !svd, where);
  const Parts p = parts_of(op, x, y, sample_weight, o.priors, where);
  const int64_t d = p.x.size(1), k = p.means.size(0);
  std::vector<Tensor> turned, scaled, covs;
  for (int64_t c = 0; c < k; ++c) {
    const Tensor& own = p.rows[c];
    const auto fail = [&](const std::string& why) {
      throw ValueError(op + ": class " + std::to_string(p.targets.classes.to_vector<int64_t>()[c]) +
                           " has " + std::to_string(own.size(0)) + " samples of " +
                           std::to_string(d) + " features, whose covariance is singular; " + why,
                       where);
    };
    const auto n = static_cast<double>(own.size(0));
    if (own.size(0) == 1 || (svd && own.size(0) <= d))
      fail("shrinkage, with the solver eigen, may help");
    Tensor axes, variances, cov;
    if (svd) {
      const linalg::SVDResult s = linalg::svd(own - index(p.means, {c}), false);
      axes = transpose(s.Vh);
      variances = (1 - o.reg_param) * square(s.S) / n + o.reg_param;
    } else {
      cov = covariance_of(own, o.shrinkage);
      const linalg::EighResult e = linalg::eigh(cov);
      axes = flip(e.eigenvectors, {1});
      variances = flip(e.eigenvalues, {0});
    }
    if (!all(variances > o.tol).item<bool>())
      fail(svd ? "a larger reg_param may help" : "a larger shrinkage may help");
    if (svd && o.store_covariance) cov = matmul(axes * variances, transpose(axes));
    turned.push_back(axes);
    scaled.push_back(variances);
    if (o.store_covariance) covs.push_back(cov);
  }
  const Tensor all_axes = stack(turned), all_scales = stack(scaled),
               all_covs = covs.empty() ? Tensor() : stack(covs);
  eval({all_axes, all_scales});
  if (all_covs.defined()) eval(all_covs);
  means = p.means;
  priors = p.priors;
  rotations = all_axes;
  scalings = all_scales;
  covariance = all_covs;
  classes = p.targets.classes;
  n_features_in = d;
  return *this;
}

Tensor QuadraticDiscriminantAnalysis::joint(std::string_view op, const Tensor& x,
                                            Where where) const {
  const Tensor given = cast(check_x(op, x, n_features_in, where), kF64);
  std::vector<Tensor> scores;
  for (int64_t c = 0; c < classes.size(0); ++c) {
    const Tensor variances = index(scalings, {c});
    const Tensor on = matmul(given - index(means, {c}), index(rotations, {c}));
    scores.push_back(-0.5 * (sum(square(on) / variances, {1}) + sum(log(variances))));
  }
  return stack(scores, 1) + log(priors);
}

Tensor QuadraticDiscriminantAnalysis::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor scores = joint("QuadraticDiscriminantAnalysis.decision_function", x, where);
  if (classes.size(0) != 2) return scores;
  return index(scores, {Slice{}, 1}) - index(scores, {Slice{}, 0});
}

Tensor QuadraticDiscriminantAnalysis::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return take(classes, argmax(joint("QuadraticDiscriminantAnalysis.predict", x, where), 1));
}

Tensor QuadraticDiscriminantAnalysis::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return softmax(joint("QuadraticDiscriminantAnalysis.predict_proba", x, where), 1);
}

}  // namespace glia::classic
