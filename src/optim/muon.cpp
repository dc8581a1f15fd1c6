// Muon.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "glia/optim/general.h"

namespace glia::optim {
namespace {

enum Option { kLr, kWeightDecay, kMomentum, kNesterov, kA, kB, kC, kEps, kNsSteps, kAdjustLr };

std::vector<double> values(const MuonOptions& o) {
  const auto& [a, b, c] = o.ns_coefficients;
  return {o.lr,
          o.weight_decay,
          o.momentum,
          1.0 * o.nesterov,
          a,
          b,
          c,
          o.eps,
          static_cast<double>(o.ns_steps),
          static_cast<double>(o.adjust_lr_fn)};
}

// Near the orthogonal factor of x (m, n): all singular values are brought near 1 by a polynomial.
Tensor orthogonal(const Tensor& x, const std::vector<double>& o) {
  const bool tall = x.size(0) > x.size(1);
  Tensor y = tall ? transpose(x) : x;
  y = y / maximum(sqrt(sum(square(y))), o[kEps]);
  for (int64_t i = 0; i < static_cast<int64_t>(o[kNsSteps]); ++i) {
    const Tensor gram = matmul(y, transpose(y));
    y = o[kA] * y + matmul(o[kB] * gram + o[kC] * matmul(gram, gram), y);
  }
  return tall ? transpose(y) : y;
}

double adjusted_lr(const std::vector<double>& o, const Shape& shape) {
  const auto rows = static_cast<double>(shape[0]), columns = static_cast<double>(shape[1]);
  if (static_cast<AdjustLr>(o[kAdjustLr]) == AdjustLr::kMatchRmsAdamW)
    return o[kLr] * 0.2 * std::sqrt(std::max(rows, columns));
  return o[kLr] * std::sqrt(std::max(1.0, rows / columns));
}

}  // namespace

Muon::Muon(const ParameterList& parameters, const MuonOptions& options)
    : Optimizer("muon",
                {"lr", "weight_decay", "momentum", "nesterov", "ns_coefficients.0",
                 "ns_coefficients.1", "ns_coefficients.2", "eps", "ns_steps", "adjust_lr_fn"}) {
  add_param_group(parameters, options);
}

void Muon::add_param_group(const ParameterList& parameters, const MuonOptions& options) {
  for (const Variable& p : parameters)
    if (p.shape().rank() != 2)
      throw ValueError(fmt::format("muon: a parameter {} is no matrix", p.shape().str()));
  add_group(parameters, values(options));
}

void Muon::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kWeightDecay, kMomentum, kEps}) check_range(o, i, 0, kInfinity);
  for (Option i : {kA, kB, kC}) check_range(o, i, -kInfinity, kInfinity);
  check_range(o, kNsSteps, 0, 100);
  check_range(o, kAdjustLr, 0, 2);
}

std::vector<Optimizer::State> Muon::states(const Options&, const Shape& shape) const {
  return {{"momentum_buffer", shape}};
}

void Muon::update(Slots slots, std::span<const Tensor> gradients, const Where& where) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = *slots[i];
    const Options& o = options(slot);
    const Tensor p = slot.parameter.tensor(where), &g = gradients[i];
    const Tensor momentum = slot.state[0] + (g - slot.state[0]) * (1 - o[kMomentum]);
    const Tensor direction = o[kNesterov] != 0 ? g + (momentum - g) * o[kMomentum] : momentum;
    slot.state[0].set(momentum, where);
    if (p.numel() == 0) continue;
    slot.parameter.set(p * (1 - o[kLr] * o[kWeightDecay]) -
                           cast(orthogonal(direction, o), p.dtype()) * adjusted_lr(o, p.shape()),
                       where);
  }
}

}  // namespace glia::optim
