#include "glia/explain/examples.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "common.h"
#include "glia/autodiff.h"
#include "glia/nn/functional.h"
#include "glia/op.h"

namespace glia::explain {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// 1 / the median absolute deviation of each feature; of a feature that is mostly constant, by its
// standard deviation.
Tensor weights_by(const Tensor& rows) {
  std::vector<double> out;
  for (int64_t f = 0; f < rows.size(1); ++f) {
    const Tensor column = cast(index(rows, {Slice{}, f}), kF64);
    std::vector<double> values = column.to_vector<double>();
    const double middle = median(values);
    for (double& v : values) v = std::abs(v - middle);
    double spread = median(values);
    if (spread == 0) spread = std::sqrt(var(column, {}, false, 0).item());
    out.push_back(spread > 0 ? 1 / spread : 1);
  }
  return from_vector(out, {rows.size(1)});
}

}  // namespace

Counterfactual counterfactual(const Forward& f, const Tensor& x,
                              const CounterfactualOptions& options, Where where) {
  constexpr const char* kOp = "counterfactual";
  require_input(kOp, x, where);
  require_count(kOp, "steps", options.steps, where);
  if (x.rank() != 2) fail(kOp, "x is (N, features), not " + x.shape().str(), where);
  if (!(options.lambda > 0 && options.lr > 0 && options.tolerance > 0))
    throw ValueError("counterfactual: lambda, lr and tolerance are above 0", where);
  const Shape one{x.size(1)};
  for (const Tensor* t :
       {&options.feature_weights, &options.mutable_features, &options.low, &options.high})
    if (t->defined() && t->shape() != one)
      fail(kOp, "a number for each feature of " + x.shape().str() + ", not " + t->shape().str(),
           where);
  Tensor weight = options.feature_weights;
  if (!weight.defined())
    weight = options.reference.defined() ? weights_by(options.reference) : ones(one);
  weight = cast(weight, x.dtype());
  const Tensor may = options.mutable_features.defined() ? cast(options.mutable_features, x.dtype())
                                                        : ones(one, x.dtype());
  const auto bounded = [&](Tensor t) {
    if (options.low.defined()) t = maximum(t, cast(options.low, x.dtype()));
    if (options.high.defined()) t = minimum(t, cast(options.high, x.dtype()));
    return glia::where(may > 0, t, x);
  };
  const double side = options.target_score;
  const Tensor from = scores_of(f, x, options.target, where);
  // Which way each score has to go.
  const Tensor up = from < side;
  const auto reached = [&](const Tensor& scores) {
    return glia::where(up, scores >= side - options.tolerance, scores <= side + options.tolerance);
  };

  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8, kMostLambda = 1e6;
  Tensor now = stop_gradient(x), best = now;
  Tensor done = reached(from),
         best_cost = glia::where(done, 0, full({x.size(0)}, INFINITY, x.dtype()));
  for (double lambda = options.lambda; lambda < kMostLambda; lambda *= 10) {
    Tensor m = zeros_like(x), v = zeros_like(x);
    for (int64_t step = 1; step <= options.steps; ++step) {
      const Recording r = recorded(kOp, f, now, options.target, where);
      const Tensor g = gradients(lambda * sum(square(r.scores - side)), {r.x}, {}, where)[0] * may;
      m = kBeta1 * m + (1 - kBeta1) * g;
      v = kBeta2 * v + (1 - kBeta2) * square(g);
      const double c1 = 1 - std::pow(kBeta1, static_cast<double>(step));
      const double c2 = 1 - std::pow(kBeta2, static_cast<double>(step));
      const Tensor rate = options.lr / (sqrt(v / c2) + kEps);
      const Tensor moved = now - rate * (m / c1) - x;
      // The cost's own step: towards no change, never beyond (a proximal step).
      const Tensor pull = minimum(rate * weight, options.lr);
      now = bounded(x + sign(moved) * relu(abs(moved) - pull));
      const Tensor scores = scores_of(f, now, options.target, where);
      const Tensor cost = sum(abs(now - x) * weight, {1});
      const Tensor better = reached(scores) & (cost < best_cost);
      best = glia::where(unsqueeze(better, 1), now, best);
      best_cost = glia::where(better, cost, best_cost);
      done = done | better;
      eval({now, m, v, best, best_cost, done});
    }
    if (all(done).item<bool>()) break;
  }
  best = glia::where(unsqueeze(done, 1), best, now);
  return {best, scores_of(f, best, options.target, where), done, sum(abs(best - x) * weight, {1})};
}

Tensor influence(const nn::Module& module,
                 const std::function<Tensor(const std::vector<Tensor>&)>& loss,
                 const std::vector<Tensor>& train, const std::vector<Tensor>& test,
                 const InfluenceOptions& options, Where where) {
  constexpr const char* kOp = "influence";
  require_count(kOp, "iterations", options.iterations, where);
  if (!(options.damping >= 0))
    throw ValueError("influence: damping is " + std::to_string(options.damping), where);
  const ParameterList parameters = module.parameters();
  if (parameters.empty()) throw Error("influence: the module has no trainable parameters", where);
  for (const auto* examples : {&train, &test})
    if (examples->empty() || examples->front().size(0) == 0)
      fail(kOp, "there are no examples", where);
  const auto flat = [](const std::vector<Tensor>& parts) {
    std::vector<Tensor> lines;
    for (const Tensor& p : parts) lines.push_back(reshape(p, {-1}));
    return concat(lines, 0);
  };
  // (examples, parameters): the gradient of each example's loss.
  const auto each = [&](const std::vector<Tensor>& examples) {
    const auto all = nn::per_sample_gradients(
        module,
        [&](const std::vector<Tensor>& one) {
          std::vector<Tensor> batch;
          for (const Tensor& t : one) batch.push_back(unsqueeze(t, 0));
          return loss(batch);
        },
        examples, where);
    std::vector<Tensor> lines;
    for (const Tensor& g : all) lines.push_back(reshape(g, {g.size(0), -1}));
    return stop_gradient(concat(lines, 1));
  };
  const auto hessian_times = [&](const Tensor& vector) {
    std::vector<Tensor> values = parameters.tensors();
    const std::vector<Tensor> first = gradients(loss(train), values, {}, where);
    return stop_gradient(flat(gradients(sum(flat(first) * vector), values, {}, where))) +
           options.damping * vector;
  };
  const Tensor g_train = each(train), g_test = each(test);
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < g_test.size(0); ++i) {
    // H s = g_test by conjugate gradients.
    const Tensor b = index(g_test, {i});
    Tensor s = zeros_like(b), r = b, p = r;
    double rr = sum(square(r)).item();
    const double enough = options.tolerance * options.tolerance * rr;
    for (int64_t k = 0; k < options.iterations && rr > enough; ++k) {
      const Tensor hp = hessian_times(p);
      const double bend = sum(p * hp).item();
      if (!(bend > 0))
        throw ValueError("influence: the Hessian is not positive definite; raise the damping",
                         where);
      s = s + p * (rr / bend);
      r = r - hp * (rr / bend);
      const double next = sum(square(r)).item();
      p = r + p * (next / rr);
      rr = next;
      eval({s, r, p});
    }
    rows.push_back(-matmul(g_train, s));
    eval(rows.back());
  }
  return stack(rows);
}

}  // namespace glia::explain
