// LARS and LAMB: rates by the ratio of norms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "glia/optim/layerwise.h"

namespace glia::optim {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum Lars {
  kLr,
  kMomentum,
  kDampening,
  kDecay,
  kNesterov,
  kTrust,
  kEps,
  kClip,
  kAlways,
  kMaximize
};
enum Lamb {
  kLambLr,
  kBeta1,
  kBeta2,
  kLambEps,
  kLambDecay,
  kCorrected,
  kAveraged,
  kMaxNorm,
  kLambClip,
  kLambAlways,
  kLambMaximize
};

Tensor norm_of(const Tensor& x) { return sqrt(sum(square(x))); }

// The ratio a / b, or 1 where one of the norms p and u is 0.
Tensor trust(const Tensor& a, const Tensor& b, const Tensor& p, const Tensor& u) {
  return where((p > 0) & (u > 0), a / b, 1);
}

}  // namespace

// ---- LARS ---------------------------------------------------------------------------------------

LARS::LARS(const ParameterList& parameters, const LARSOptions& options)
    : Optimizer("lars", {"lr", "momentum", "dampening", "weight_decay", "nesterov", "trust_coeff",
                         "eps", "trust_clip", "always_adapt", "maximize"}) {
  add_param_group(parameters, options);
}

void LARS::add_param_group(const ParameterList& parameters, const LARSOptions& o) {
  add_group(parameters,
            {o.lr, o.momentum, o.dampening, o.weight_decay, 1.0 * o.nesterov, o.trust_coeff, o.eps,
             1.0 * o.trust_clip, 1.0 * o.always_adapt, 1.0 * o.maximize});
}

void LARS::check(const Options& o) const {
  for (int i : {kLr, kMomentum, kDecay, kTrust, kEps}) check_range(o, i, 0, kInfinity);
  check_range(o, kDampening, -kInfinity, kInfinity);
  if (o[kNesterov] != 0 && (o[kMomentum] == 0 || o[kDampening] != 0))
    throw ValueError("lars: nesterov needs momentum and no dampening");
}

std::vector<Optimizer::State> LARS::states(const Options& o, const Shape& shape) const {
  if (o[kMomentum] == 0) return {};
  return {{"momentum_buffer", shape}};
}

void LARS::update(Slots slots, std::span<const Tensor> gradients, const Where& at) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = *slots[i];
    const Options& o = options(slot);
    const Tensor p = slot.parameter.tensor(at);
    if (p.numel() == 0) continue;
    Tensor g = o[kMaximize] != 0 ? -gradients[i] : gradients[i];
    if (o[kDecay] != 0 || o[kAlways] != 0) {
      const Tensor of_p = norm_of(p), of_g = norm_of(g);
      Tensor ratio = trust(o[kTrust] * of_p, of_g + of_p * o[kDecay] + o[kEps], of_p, of_g);
      if (o[kClip] != 0) ratio = minimum(ratio / std::max(o[kLr], 1e-300), 1);
      if (o[kDecay] != 0) g = g + p * o[kDecay];
      g = g * ratio;
    }
    if (o[kMomentum] != 0) {
      // The first velocity is the gradient, not dampened.
      const double share = slot.steps == 0 ? 1 : 1 - o[kDampening];
      const Tensor velocity = slot.state[0] * o[kMomentum] + g * share;
      slot.state[0].set(velocity, at);
      g = o[kNesterov] != 0 ? g + velocity * o[kMomentum] : velocity;
    }
    slot.parameter.set(p - o[kLr] * g, at);
  }
}

// ---- LAMB ---------------------------------------------------------------------------------------

LAMB::LAMB(const ParameterList& parameters, const LAMBOptions& options)
    : Optimizer("lamb",
                {"lr", "betas.0", "betas.1", "eps", "weight_decay", "bias_correction",
                 "grad_averaging", "max_grad_norm", "trust_clip", "always_adapt", "maximize"}) {
  add_param_group(parameters, options);
}

void LAMB::add_param_group(const ParameterList& parameters, const LAMBOptions& o) {
  add_group(parameters, {o.lr, o.betas.first, o.betas.second, o.eps, o.weight_decay,
                         1.0 * o.bias_correction, 1.0 * o.grad_averaging, o.max_grad_norm,
                         1.0 * o.trust_clip, 1.0 * o.always_adapt, 1.0 * o.maximize});
}

void LAMB::check(const Options& o) const {
  for (int i : {kLambLr, kLambEps, kLambDecay, kMaxNorm}) check_range(o, i, 0, kInfinity);
  for (int i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}

std::vector<Optimizer::State> LAMB::states(const Options&, const Shape& shape) const {
  return {{"exp_avg", shape}, {"exp_avg_sq", shape}};
}

void LAMB::update(Slots slots, std::span<const Tensor> gradients, const Where& at) {
  std::vector<Tensor> squares;
  for (const Tensor& g : gradients)
    if (g.numel() > 0) squares.push_back(cast(sum(square(g)), kF64));
  const Tensor norm = squares.empty() ? zeros({}, kF64) : sqrt(sum(stack(squares)));
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = *slots[i];
    const Options& o = options(slot);
    const Tensor p = slot.parameter.tensor(at);
    if (p.numel() == 0) continue;
    Tensor g = o[kLambMaximize] != 0 ? -gradients[i] : gradients[i];
    if (o[kMaxNorm] != 0) g = g / cast(maximum(norm / o[kMaxNorm], 1), g.dtype());
    const auto step = static_cast<double>(slot.steps + 1);
    const auto correction = [&](double beta) {
      return o[kCorrected] != 0 ? 1 - std::pow(beta, step) : 1;
    };
    const double share = o[kAveraged] != 0 ? 1 - o[kBeta1] : 1;
    const Tensor mean = slot.state[0] * o[kBeta1] + g * share;
    const Tensor variance = slot.state[1] * o[kBeta2] + square(g) * (1 - o[kBeta2]);
    Tensor way = mean * (1 / correction(o[kBeta1])) /
                 (sqrt(variance) * (1 / std::sqrt(correction(o[kBeta2]))) + o[kLambEps]);
    if (o[kLambDecay] != 0) way = way + p * o[kLambDecay];
    if (o[kLambDecay] != 0 || o[kLambAlways] != 0) {
      const Tensor of_p = norm_of(p), of_way = norm_of(way);
      const Tensor ratio = trust(of_p, of_way, of_p, of_way);
      way = way * (o[kLambClip] != 0 ? minimum(ratio, 1) : ratio);
    }
    slot.state[0].set(mean, at);
    slot.state[1].set(variance, at);
    slot.parameter.set(p - o[kLambLr] * way, at);
  }
}

}  // namespace glia::optim
