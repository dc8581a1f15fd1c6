#include "glia/classic/svm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "checks.h"
#include "columns.h"
#include "glia/ops.h"
#include "pair_votes.h"
#include "smo.h"
#include "svm_probability.h"

namespace glia::classic {
namespace {

// X as fit() takes it: square where the kernel is given.
Tensor check_fit(const std::string& op, const Tensor& x, const KernelOptions& o, Where where) {
  const Tensor given = cast(check_x(op, x, where), kF64);
  if (o.kernel == SvmKernel::kPrecomputed && given.size(0) != given.size(1))
    throw ShapeError(op + ": a kernel is square, not " + given.shape().str(), where);
  eval(given, where);
  return given;
}

Tensor rows_of(const Tensor& x, const Tensor& rows, const KernelOptions& o) {
  const Tensor some = take(x, rows);
  return o.kernel == SvmKernel::kPrecomputed ? take(some, rows, 1) : some;
}

// K of queries and support vectors, times coefficients (vectors, outputs) or (vectors), for so many
// queries at once that the kernel stays small.
Tensor kernel_times(const Tensor& x, const Tensor& support, const Tensor& vectors,
                    const Tensor& coefficients, const KernelOptions& o, double gamma) {
  constexpr int64_t kMost = 1 << 21;
  const int64_t rows = std::max<int64_t>(1, kMost / std::max<int64_t>(support.numel(), 1));
  std::vector<Tensor> parts;
  for (const Tensor& some : split(x, std::min(rows, x.size(0)))) {
    const Tensor kernel = o.kernel == SvmKernel::kPrecomputed
                              ? take(some, support, 1)
                              : kernel_matrix(some, vectors, o, gamma);
    parts.push_back(matmul(kernel, coefficients));
    eval(parts.back());
  }
  return concat(parts);
}

void check_positive(const char* name, const char* option, double value, Where where) {
  if (!(value > 0) || !std::isfinite(value))
    throw ValueError(std::string(name) + ": " + option + " = " + to_text(ParamValue(value)), where);
}

struct Vectors {
  std::vector<int64_t> support;
  std::vector<double> coefficients;
};
// Samples whose multipliers are not 0; of two problems in one, what is left of both.
Vectors vectors_of(const std::vector<double>& alpha, const std::vector<double>& y, int64_t n) {
  Vectors v;
  for (int64_t i = 0; i < n; ++i) {
    double a = 0;
    for (size_t t = static_cast<size_t>(i); t < alpha.size(); t += static_cast<size_t>(n))
      a += y[t] * alpha[t];
    if (a == 0) continue;
    v.support.push_back(i);
    v.coefficients.push_back(a);
  }
  return v;
}

}  // namespace

// ---- SVC --------------------------------------------------------------------------------------

SVC::SVC(const SVCOptions& options, Where where) : options_(options) { check_options(where); }

void SVC::check_options(Where where) const {
  check_kernel("SVC", options_, where);
  check_positive("SVC", "C", options_.c, where);
}

std::vector<Param> SVC::params() {
  std::vector<Param> all = kernel_params(options_);
  all.insert(all.begin(), {"C", &options_.c});
  all.push_back({"balanced", &options_.balanced});
  all.push_back({"decision_function_shape", &options_.decision_function_shape, {"ovr", "ovo"}});
  all.push_back({"probability", &options_.probability});
  all.push_back({"random_state", &options_.random_state});
  return all;
}

SVC& SVC::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  const Tensor given = check_fit("SVC.fit", x, options_, where);
  const int64_t n = given.size(0);
  const ClassTargets targets = check_classes("SVC.fit", y, n, where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError("SVC.fit: y has one class, where at least two are needed", where);
  const Tensor weight = check_sample_weight("SVC.fit", sample_weight, n, kF64, where);
  const std::vector<int64_t> code = targets.codes.to_vector<int64_t>();
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(k));
  for (int64_t i = 0; i < n; ++i)
    if (!weight.defined() || weight.data<double>()[i] > 0) members[code[i]].push_back(i);
  for (const auto& some : members)
    if (some.empty()) throw ValueError("SVC.fit: a class has no sample that weighs", where);
  const auto cost = [&](int64_t i) {
    double c = options_.c * (weight.defined() ? weight.data<double>()[i] : 1);
    if (options_.balanced)
      c *= static_cast<double>(n) /
           (static_cast<double>(k) *
            static_cast<double>(std::count(code.begin(), code.end(), code[i])));
    return c;
  };
  const double g = options_.kernel == SvmKernel::kPrecomputed ? 1 : gamma_of(given, options_);

  // Multipliers of each pair of classes, of all samples.
  std::vector<std::vector<double>> multipliers;
  std::vector<double> offsets;
  std::vector<bool> is_vector(static_cast<size_t>(n));
  int64_t iterations = 0;
  for (int64_t a = 0; a < k; ++a)
    for (int64_t b = a + 1; b < k; ++b) {
      std::vector<int64_t> rows = members[a];
      rows.insert(rows.end(), members[b].begin(), members[b].end());
      const auto count = rows.size();
      KernelRows kernel(rows_of(given, vector_of(rows), options_), options_, g);
      SmoProblem problem{.p = std::vector<double>(count, -1),
                         .c = {},
                         .y = std::vector<double>(count, 1),
                         .alpha = std::vector<double>(count, 0)};
      std::fill(problem.y.begin() + static_cast<int64_t>(members[a].size()), problem.y.end(), -1);
      for (const int64_t i : rows) problem.c.push_back(cost(i));
      const std::vector<double> signs = problem.y;
      const SmoResult solved = smo(kernel, std::move(problem), options_.tol, options_.max_iter);
      std::vector<double> of(static_cast<size_t>(n));
      for (size_t t = 0; t < count; ++t) {
        of[rows[t]] = signs[t] * solved.alpha[t];
        if (solved.alpha[t] > 0) is_vector[rows[t]] = true;
      }
      multipliers.push_back(std::move(of));
      offsets.push_back(-solved.rho);
      iterations += solved.n_iter;
    }

  std::vector<int64_t> vectors, counts, vector_class;
  for (int64_t a = 0; a < k; ++a) {
    const size_t before = vectors.size();
    for (const int64_t i : members[a])
      if (is_vector[i]) vectors.push_back(i), vector_class.push_back(a);
    counts.push_back(static_cast<int64_t>(vectors.size() - before));
  }
  const auto v = static_cast<int64_t>(vectors.size());
  std::vector<double> duals(static_cast<size_t>((k - 1) * v));
  int64_t pair = 0;
  for (int64_t a = 0; a < k; ++a)
    for (int64_t b = a + 1; b < k; ++b, ++pair)
      for (int64_t s = 0; s < v; ++s) {
        if (vector_class[s] == a) duals[(b - 1) * v + s] = multipliers[pair][vectors[s]];
        if (vector_class[s] == b) duals[a * v + s] = multipliers[pair][vectors[s]];
      }
  if (k == 2) {  // above 0 is the second class
    for (double& d : duals) d = -d;
    offsets[0] = -offsets[0];
  }
  const Tensor some = vector_of(vectors);
  Tensor kept;
  if (options_.kernel != SvmKernel::kPrecomputed) {
    kept = take(given, some);
    eval(kept, where);
  }
  PairSigmoids sigmoids;
  if (options_.probability) {
    std::vector<double> weights;
    for (int64_t i = 0; i < n; ++i) weights.push_back(cost(i) / options_.c);
    SVCOptions part = options_;
    part.gamma = options_.kernel == SvmKernel::kPrecomputed ? options_.gamma : g;
    sigmoids = pair_sigmoids(given, members, weights, part, where);
  }
  support = some;
  support_vectors = kept;
  probA = sigmoids.a;
  probB = sigmoids.b;
  n_support = vector_of(counts);
  dual_coef = from_vector(duals, {k - 1, v});
  intercept = vector_of(offsets);
  gamma = g;
  n_iter = iterations;
  classes = targets.classes;
  n_features_in = given.size(1);
  return *this;
}

Tensor SVC::pairwise(const Tensor& x, const char* op, Where where) const {
  const Tensor given = cast(check_x(op, x, n_features_in, where), kF64);
  const auto times = [&](const Tensor& coefficients) {
    return kernel_times(given, support, support_vectors, coefficients, options_, gamma);
  };
  const int64_t k = classes.size(0);
  if (k == 2) return times(transpose(dual_coef)) + intercept;
  std::vector<int64_t> begin{0};
  for (const int64_t c : n_support.to_vector<int64_t>()) begin.push_back(begin.back() + c);
  // The coefficients of each pair, zeros for vectors of other classes.
  std::vector<double> all;
  const int64_t v = dual_coef.size(1);
  const auto d = dual_coef.to_vector<double>();
  for (int64_t a = 0; a < k; ++a)
    for (int64_t b = a + 1; b < k; ++b)
      for (int64_t s = 0; s < v; ++s)
        all.push_back(s >= begin[a] && s < begin[a + 1]   ? d[(b - 1) * v + s]
                      : s >= begin[b] && s < begin[b + 1] ? d[a * v + s]
                                                          : 0);
  return times(transpose(from_vector(all, {k * (k - 1) / 2, v}))) + intercept;
}

Tensor SVC::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor pairs = pairwise(x, "SVC.decision_function", where);
  const int64_t k = classes.size(0);
  if (k == 2) return squeeze(pairs, 1);
  if (options_.decision_function_shape == DecisionShape::kOvo) return pairs;
  return pair_votes(pairs <= 0, -pairs, k);
}

Tensor SVC::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor pairs = pairwise(x, "SVC.predict", where);
  const int64_t k = classes.size(0), n = pairs.size(0);
  if (k == 2) return take(classes, cast(squeeze(pairs, 1) > 0, kI64));
  const auto p = pairs.to_vector<double>();
  std::vector<int64_t> of;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<int64_t> votes(static_cast<size_t>(k));
    int64_t pair = i * (k * (k - 1) / 2);
    for (int64_t a = 0; a < k; ++a)
      for (int64_t b = a + 1; b < k; ++b) ++votes[p[pair++] > 0 ? a : b];
    of.push_back(std::max_element(votes.begin(), votes.end()) - votes.begin());
  }
  return take(classes, vector_of(of));
}

StateDict SVC::state_dict(Where where) const {
  require_fitted("SVC.state_dict", fitted(), where);
  StateDict state = {{"support", support},       {"n_support", n_support},
                     {"dual_coef", dual_coef},   {"intercept", intercept},
                     {"gamma", tensor(gamma)},   {"classes", classes},
                     {"n_iter", tensor(n_iter)}, {"n_features_in", tensor(n_features_in)}};
  if (support_vectors.defined()) state.emplace_back("support_vectors", support_vectors);
  if (probA.defined()) {
    state.emplace_back("probA", probA);
    state.emplace_back("probB", probB);
  }
  return state;
}

void SVC::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SVC", state, where);
  const Tensor all = read.take("classes", kI64, {-1});
  const int64_t k = all.size(0);
  const Tensor of = read.take("support", kI64, {-1}), counts = read.take("n_support", kI64, {k});
  const Tensor duals = read.take("dual_coef", kF64, {k - 1, of.size(0)});
  const Tensor offsets = read.take("intercept", kF64, {k * (k - 1) / 2});
  const double g = read.number("gamma");
  const int64_t iterations = read.count("n_iter"), features = read.count("n_features_in");
  Tensor vectors;
  if (options_.kernel != SvmKernel::kPrecomputed)
    vectors = read.take("support_vectors", kF64, {of.size(0), features});
  Tensor slopes, constants;
  if (options_.probability) {
    slopes = read.take("probA", kF64, {k * (k - 1) / 2});
    constants = read.take("probB", kF64, {k * (k - 1) / 2});
  }
  read.finish();
  if (k < 2 || features < 1 || !all_within(counts, of.size(0) + 1) ||
      sum(counts).item<int64_t>() != of.size(0) ||
      (!vectors.defined() && !all_within(of, features)))
    throw Error("SVC.load_state_dict: its parts do not fit together", where);
  support = of;
  support_vectors = vectors;
  probA = slopes;
  probB = constants;
  n_support = counts;
  dual_coef = duals;
  intercept = offsets;
  gamma = g;
  n_iter = iterations;
  classes = all;
  n_features_in = features;
}

// ---- SVR and OneClassSVM ----------------------------------------------------------------------

namespace {

// What both have: one row of coefficients.
StateDict machine_state(const Tensor& support, const Tensor& vectors, const Tensor& coefficients,
                        double intercept, double gamma, int64_t n_iter, int64_t features) {
  StateDict state = {
      {"support", support},     {"dual_coef", coefficients}, {"intercept", tensor(intercept)},
      {"gamma", tensor(gamma)}, {"n_iter", tensor(n_iter)},  {"n_features_in", tensor(features)}};
  if (vectors.defined()) state.emplace_back("support_vectors", vectors);
  return state;
}

template <class Machine>
void load_machine(Machine& machine, const KernelOptions& options, const StateDict& state,
                  Where where) {
  StateReader read(machine.name(), state, where);
  const Tensor of = read.take("support", kI64, read.shape_of("support"));
  const Tensor coefficients = read.take("dual_coef", kF64, of.shape());
  const double offset = read.number("intercept"), g = read.number("gamma");
  const int64_t iterations = read.count("n_iter"), features = read.count("n_features_in");
  Tensor vectors;
  if (options.kernel != SvmKernel::kPrecomputed)
    vectors = read.take("support_vectors", kF64, read.shape_of("support_vectors"));
  read.finish();
  if (of.rank() != 1 || features < 1 ||
      (vectors.defined() ? vectors.shape() != Shape{of.size(0), features}
                         : !all_within(of, features)))
    throw Error(std::string(machine.name()) + ".load_state_dict: its parts do not fit together",
                where);
  machine.support = of;
  machine.support_vectors = vectors;
  machine.dual_coef = coefficients;
  machine.intercept = offset;
  machine.gamma = g;
  machine.n_iter = iterations;
  machine.n_features_in = features;
}

// Fills in what was found.
template <class Machine>
void keep(Machine& machine, const Tensor& x, const KernelOptions& options, const Vectors& found,
          double intercept, double gamma, int64_t n_iter) {
  const Tensor some = vector_of(found.support);
  Tensor kept;
  if (options.kernel != SvmKernel::kPrecomputed) {
    kept = take(x, some);
    eval(kept);
  }
  machine.support = some;
  machine.support_vectors = kept;
  machine.dual_coef = vector_of(found.coefficients);
  machine.intercept = intercept;
  machine.gamma = gamma;
  machine.n_iter = n_iter;
  machine.n_features_in = x.size(1);
}

template <class Machine>
Tensor decision(const Machine& machine, const Tensor& x, const KernelOptions& options,
                const std::string& op, Where where) {
  const NoGrad no_grad;
  const Tensor given = cast(check_x(op, x, machine.n_features_in, where), kF64);
  return kernel_times(given, machine.support, machine.support_vectors, machine.dual_coef, options,
                      machine.gamma) +
         machine.intercept;
}

}  // namespace

SVR::SVR(const SVROptions& options, Where where) : options_(options) { check_options(where); }

void SVR::check_options(Where where) const {
  check_kernel("SVR", options_, where);
  check_positive("SVR", "C", options_.c, where);
  if (!(options_.epsilon >= 0))
    throw ValueError("SVR: epsilon = " + to_text(ParamValue(options_.epsilon)), where);
}

std::vector<Param> SVR::params() {
  std::vector<Param> all = kernel_params(options_);
  all.insert(all.begin(), {{"C", &options_.c}, {"epsilon", &options_.epsilon}});
  return all;
}

SVR& SVR::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  check_options(where);
  const Tensor given = check_fit("SVR.fit", x, options_, where);
  const int64_t n = given.size(0);
  const Tensor targets = check_targets("SVR.fit", y, n, where);
  if (targets.rank() != 1)
    throw ShapeError("SVR.fit: y is (samples), not " + targets.shape().str(), where);
  const Tensor weight = check_sample_weight("SVR.fit", sample_weight, n, kF64, where);
  const double g = options_.kernel == SvmKernel::kPrecomputed ? 1 : gamma_of(given, options_);
  SmoProblem problem;
  for (const double sign : {1.0, -1.0})
    for (int64_t i = 0; i < n; ++i) {
      problem.p.push_back(options_.epsilon - sign * targets.data<double>()[i]);
      problem.y.push_back(sign);
      problem.c.push_back(options_.c * (weight.defined() ? weight.data<double>()[i] : 1));
      problem.alpha.push_back(0);
    }
  KernelRows kernel(given, options_, g);
  const std::vector<double> signs = problem.y;
  const SmoResult solved = smo(kernel, std::move(problem), options_.tol, options_.max_iter);
  keep(*this, given, options_, vectors_of(solved.alpha, signs, n), -solved.rho, g, solved.n_iter);
  return *this;
}

Tensor SVR::predict(const Tensor& x, Where where) const {
  return decision(*this, x, options_, "SVR.predict", where);
}

StateDict SVR::state_dict(Where where) const {
  require_fitted("SVR.state_dict", fitted(), where);
  return machine_state(support, support_vectors, dual_coef, intercept, gamma, n_iter,
                       n_features_in);
}

void SVR::load_state_dict(const StateDict& state, Where where) {
  load_machine(*this, options_, state, where);
}

OneClassSVM::OneClassSVM(const OneClassSVMOptions& options, Where where) : options_(options) {
  check_options(where);
}

void OneClassSVM::check_options(Where where) const {
  check_kernel("OneClassSVM", options_, where);
  if (!(options_.nu > 0 && options_.nu <= 1))
    throw ValueError("OneClassSVM: nu = " + to_text(ParamValue(options_.nu)), where);
}

std::vector<Param> OneClassSVM::params() {
  std::vector<Param> all = kernel_params(options_);
  all.insert(all.begin(), {"nu", &options_.nu});
  return all;
}

OneClassSVM& OneClassSVM::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                              Where where) {
  const NoGrad no_grad;
  check_options(where);
  const Tensor given = check_fit("OneClassSVM.fit", x, options_, where);
  const int64_t n = given.size(0);
  const Tensor weight = check_sample_weight("OneClassSVM.fit", sample_weight, n, kF64, where);
  const double g = options_.kernel == SvmKernel::kPrecomputed ? 1 : gamma_of(given, options_);
  const auto count = static_cast<size_t>(n);
  SmoProblem problem{
      .p = std::vector<double>(count, 0),
      .c = weight.defined() ? weight.to_vector<double>() : std::vector<double>(count, 1),
      .y = std::vector<double>(count, 1),
      .alpha = {}};
  double left = options_.nu * std::accumulate(problem.c.begin(), problem.c.end(), 0.0);
  for (const double c : problem.c) {
    problem.alpha.push_back(std::min(c, left));
    left -= problem.alpha.back();
  }
  KernelRows kernel(given, options_, g);
  const std::vector<double> signs = problem.y;
  const SmoResult solved = smo(kernel, std::move(problem), options_.tol, options_.max_iter);
  keep(*this, given, options_, vectors_of(solved.alpha, signs, n), -solved.rho, g, solved.n_iter);
  return *this;
}

Tensor OneClassSVM::decision_function(const Tensor& x, Where where) const {
  return decision(*this, x, options_, "OneClassSVM.decision_function", where);
}

Tensor OneClassSVM::predict(const Tensor& x, Where where) const {
  return cast(decision_function(x, where) >= 0.0, kI64) * 2 - 1;
}

StateDict OneClassSVM::state_dict(Where where) const {
  require_fitted("OneClassSVM.state_dict", fitted(), where);
  return machine_state(support, support_vectors, dual_coef, intercept, gamma, n_iter,
                       n_features_in);
}

void OneClassSVM::load_state_dict(const StateDict& state, Where where) {
  load_machine(*this, options_, state, where);
}

}  // namespace glia::classic
