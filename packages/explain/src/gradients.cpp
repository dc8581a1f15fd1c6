// Attributions that ordinary gradients give.
#include <algorithm>
#include <vector>

#include "common.h"
#include "glia/autodiff.h"
#include "glia/math/integrate.h"
#include "glia/op.h"
#include "glia/random.h"

namespace glia::explain {
namespace {

struct Steps {
  std::vector<double> at, weight;  // on [0, 1]
};

Steps steps_of(IntegralMethod method, int64_t n) {
  Steps s;
  if (method == IntegralMethod::kGaussLegendre) {
    const auto rule = integrate::roots_legendre(n);
    s.at = ((rule.nodes + 1) / 2).to_vector<double>();
    s.weight = (rule.weights / 2).to_vector<double>();
    return s;
  }
  const auto count = static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<double>(i);
    double weight = 1 / count;
    switch (method) {
      case IntegralMethod::kRiemannLeft:
        s.at.push_back(k / count);
        break;
      case IntegralMethod::kRiemannMiddle:
        s.at.push_back((k + 0.5) / count);
        break;
      case IntegralMethod::kRiemannTrapezoid:
        s.at.push_back(n == 1 ? 0.5 : k / (count - 1));
        if (n > 1) weight = (i == 0 || i == n - 1 ? 0.5 : 1) / (count - 1);
        break;
      default:
        s.at.push_back((k + 1) / count);
    }
    s.weight.push_back(weight);
  }
  return s;
}

}  // namespace

Tensor saliency(const Forward& f, const Tensor& x, const SaliencyOptions& options, Where where) {
  const Tensor g = gradient("saliency", f, x, options.target, where);
  return options.abs ? abs(g) : g;
}

Tensor input_x_gradient(const Forward& f, const Tensor& x, const Target& target, Where where) {
  return stop_gradient(x) * gradient("input_x_gradient", f, x, target, where);
}

Attributed integrated_gradients(const Forward& f, const Tensor& x,
                                const IntegratedGradientsOptions& options, Where where) {
  constexpr const char* kOp = "integrated_gradients";
  require_input(kOp, x, where);
  require_count(kOp, "n_steps", options.n_steps, where);
  require_count(kOp, "internal_batch_size", options.internal_batch_size, where);
  const Tensor base = baseline_for(kOp, options.baseline, x, where), difference = x - base;
  const int64_t examples = x.size(0);
  if (examples == 0) return {zeros_like(x), zeros({0}, x.dtype())};
  const Steps steps = steps_of(options.method, options.n_steps);
  const int64_t at_once = std::max<int64_t>(1, options.internal_batch_size / examples);
  Tensor total = zeros_like(x);
  for (int64_t first = 0; first < options.n_steps; first += at_once) {
    const int64_t count = std::min(at_once, options.n_steps - first);
    std::vector<Tensor> points;
    for (int64_t i = 0; i < count; ++i)
      points.push_back(base + difference * steps.at[static_cast<size_t>(first + i)]);
    const Tensor which = remainder(arange(examples * count), examples);
    const Tensor g = gradient(kOp, f, concat(points, 0), options.target.at(which), where);
    for (int64_t i = 0; i < count; ++i)
      total = total + slice(g, 0, {i * examples, (i + 1) * examples}) *
                          steps.weight[static_cast<size_t>(first + i)];
    eval(total);
  }
  const Tensor attributions = total * difference;
  const Tensor change =
      scores_of(f, x, options.target, where) - scores_of(f, base, options.target, where);
  return {attributions, example_sums(attributions) - change};
}

Tensor noise_tunnel(const Method& method, const Tensor& x, const NoiseTunnelOptions& options,
                    Where where) {
  require_input("noise_tunnel", x, where);
  require_count("noise_tunnel", "nt_samples", options.nt_samples, where);
  Tensor total = zeros_like(x), squares = zeros_like(x);
  for (int64_t i = 0; i < options.nt_samples; ++i) {
    const Tensor a = method(x + randn(x.shape(), x.dtype()) * options.stdevs);
    if (a.shape() != x.shape())
      fail("noise_tunnel", "the method gives " + a.shape().str() + " of " + x.shape().str(), where);
    total = total + a;
    squares = squares + square(a);
    eval({total, squares});
  }
  const auto n = static_cast<double>(options.nt_samples);
  if (options.type == NoiseTunnelType::kSmoothGrad) return total / n;
  if (options.type == NoiseTunnelType::kSmoothGradSq) return squares / n;
  return squares / n - square(total / n);
}

Attributed gradient_shap(const Forward& f, const Tensor& x, const Tensor& baselines,
                         const GradientShapOptions& options, Where where) {
  constexpr const char* kOp = "gradient_shap";
  require_input(kOp, x, where);
  require_input(kOp, baselines, where);
  require_count(kOp, "n_samples", options.n_samples, where);
  if (baselines.size(0) == 0) fail(kOp, "there are no baselines", where);
  const int64_t examples = x.size(0);
  Tensor total = zeros_like(x), change = zeros({examples}, x.dtype());
  for (int64_t i = 0; i < options.n_samples; ++i) {
    const Tensor noisy = options.stdevs > 0 ? x + randn(x.shape(), x.dtype()) * options.stdevs : x;
    const Tensor drawn =
        cast(take(baselines, randint(0, baselines.size(0), {examples})), x.dtype());
    if (drawn.shape() != x.shape())
      fail(kOp, "baselines " + baselines.shape().str() + " for inputs " + x.shape().str(), where);
    const Tensor share = along(rand({examples}, x.dtype()), x.rank());
    const Tensor g = gradient(kOp, f, drawn + (noisy - drawn) * share, options.target, where);
    total = total + g * (noisy - drawn);
    change = change + scores_of(f, noisy, options.target, where) -
             scores_of(f, drawn, options.target, where);
    eval({total, change});
  }
  const auto n = static_cast<double>(options.n_samples);
  const Tensor attributions = total / n;
  return {attributions, example_sums(attributions) - change / n};
}

}  // namespace glia::explain
