#include <cmath>

#include "checks.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/classic/semi_supervised.h"
#include "glia/ops.h"
#include "graph.h"

namespace glia::classic {

LabelSpreading::LabelSpreading(const LabelSpreadingOptions& options, Where where)
    : LabelSpreading(options, false, where) {}

LabelSpreading::LabelSpreading(const LabelSpreadingOptions& options, bool clamped, Where where)
    : options_(options), clamped_(clamped) {
  check_options(where);
}

void LabelSpreading::check_options(Where where) const {
  const auto& o = options_;
  const auto fail = [&](const char* name, double value) {
    throw ValueError(std::string(this->name()) + ": " + name + " = " + to_text(ParamValue(value)),
                     where);
  };
  if (!(o.gamma >= 0)) fail("gamma", o.gamma);
  if (o.n_neighbors < 1) fail("n_neighbors", static_cast<double>(o.n_neighbors));
  if (!clamped_ && !(o.alpha > 0 && o.alpha < 1)) fail("alpha", o.alpha);
  if (o.max_iter < 1) fail("max_iter", static_cast<double>(o.max_iter));
  if (!(o.tol >= 0)) fail("tol", o.tol);
}

std::vector<Param> LabelSpreading::params() {
  auto& o = options_;
  return {{"kernel", &o.kernel, {"rbf", "knn"}},
          {"gamma", &o.gamma},
          {"n_neighbors", &o.n_neighbors},
          {"alpha", &o.alpha},
          {"max_iter", &o.max_iter},
          {"tol", &o.tol}};
}

LabelSpreading& LabelSpreading::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                    Where where) {
  const NoGrad no_grad;
  check_options(where);
  const std::string op = std::string(name()) + ".fit";
  refuse_sample_weight(op, sample_weight, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0);
  const ClassTargets targets = check_classes(op, y, n, where);
  std::vector<int64_t> known = targets.classes.to_vector<int64_t>();
  const bool some_unknown = known.front() == -1;
  if (known.front() < -1)
    throw ValueError(op + ": y is a class of at least 0, or -1 where none is known", where);
  if (some_unknown) known.erase(known.begin());
  if (known.empty()) throw ValueError(op + ": y names no class", where);
  const auto k = static_cast<int64_t>(known.size());
  const Tensor all = from_vector(known, {k});
  const Tensor given_labels = take(targets.classes, targets.codes);
  const Tensor labelled = unsqueeze(given_labels != -1, 1);
  const Tensor start = cast(unsqueeze(given_labels, 1) == all, kF64);

  Tensor graph = options_.kernel == LabelKernel::kRbf
                     ? rbf_kernel(given, given, options_.gamma)
                     : neighbor_affinity(given, given, std::min(options_.n_neighbors, n), where);
  if (clamped_) {
    graph = graph / sum(graph, {1}, true);
  } else {
    const Tensor off = 1 - eye(n, kF64);
    graph = graph * off;
    const Tensor degree = sum(graph, {0}), scale = sqrt(glia::where(degree > 0, degree, 1.0));
    graph = graph / scale / unsqueeze(scale, 1);
  }
  eval({graph, start, labelled}, where);
  Tensor f = start;
  const Tensor clamp = start * (1 - options_.alpha);
  int64_t iterations = 0;
  for (bool settled = false; !settled && iterations < options_.max_iter; ++iterations) {
    Tensor next = matmul(graph, f);
    if (clamped_) {
      const Tensor mass = sum(next, {1}, true);
      next = next / glia::where(mass == 0.0, 1.0, mass);
      next = glia::where(labelled, start, next);
    } else {
      next = options_.alpha * next + clamp;
    }
    const Tensor change = sum(abs(next - f));
    eval({next, change}, where);
    f = next;
    settled = change.item() < options_.tol;
  }
  const Tensor mass = sum(f, {1}, true), share = f / glia::where(mass == 0.0, 1.0, mass);
  const Tensor of = take(all, argmax(share, 1));
  eval({share, of}, where);
  fit_x = given;
  label_distributions = share;
  transduction = of;
  classes = all;
  n_iter = iterations;
  n_features_in = given.size(1);
  return *this;
}

Tensor LabelSpreading::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given =
      cast(check_x(std::string(name()) + ".predict_proba", x, n_features_in, where), kF64);
  const Tensor near =
      options_.kernel == LabelKernel::kRbf
          ? rbf_kernel(given, fit_x, options_.gamma)
          : neighbor_affinity(given, fit_x, std::min(options_.n_neighbors, fit_x.size(0)), where);
  const Tensor share = matmul(near, label_distributions), mass = sum(share, {1}, true);
  return share / glia::where(mass == 0.0, 1.0, mass);
}

StateDict LabelSpreading::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  return {{"fit_x", fit_x},
          {"label_distributions", label_distributions},
          {"transduction", transduction},
          {"classes", classes},
          {"n_iter", tensor(n_iter)}};
}

void LabelSpreading::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor x = read.take("fit_x", kF64, {-1, -1});
  const Tensor all = read.take("classes", kI64, {-1});
  const Tensor share = read.take("label_distributions", kF64, {x.size(0), all.size(0)});
  const Tensor of = read.take("transduction", kI64, {x.size(0)});
  const int64_t iterations = read.count("n_iter");
  read.finish();
  fit_x = cast(x, kF64);
  label_distributions = cast(share, kF64);
  transduction = of;
  classes = all;
  n_iter = iterations;
  n_features_in = x.size(1);
}

LabelPropagation::LabelPropagation(const LabelPropagationOptions& options, Where where)
    : LabelSpreading({.kernel = options.kernel,
                      .gamma = options.gamma,
                      .n_neighbors = options.n_neighbors,
                      .max_iter = options.max_iter,
                      .tol = options.tol},
                     true, where) {}

std::vector<Param> LabelPropagation::params() {
  std::vector<Param> all = LabelSpreading::params();
  std::erase_if(all, [](const Param& p) { return p.name() == "alpha"; });
  return all;
}

}  // namespace glia::classic
