// Adafactor.
#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "glia/optim/general.h"

namespace glia::optim {
namespace {

// An epsilon below zero stands for the dtype's.
enum Option { kLr, kBeta2Decay, kEps1, kEps2, kD, kWeightDecay, kMaximize };

std::vector<double> values(const AdafactorOptions& o) {
  const double eps1 = o.eps.first ? *o.eps.first : -1;
  return {o.lr, o.beta2_decay, eps1, o.eps.second, o.d, o.weight_decay, 1.0 * o.maximize};
}

// The root of the mean of all squares.
Tensor rms(const Tensor& x) { return sqrt(mean(square(x))); }

Tensor towards(const Tensor& from, const Tensor& to, double part) {
  return from + (to - from) * part;
}

}  // namespace

Adafactor::Adafactor(const ParameterList& parameters, const AdafactorOptions& options)
    : Optimizer("adafactor",
                {"lr", "beta2_decay", "eps.0", "eps.1", "d", "weight_decay", "maximize"}) {
  add_param_group(parameters, options);
}

void Adafactor::add_param_group(const ParameterList& parameters, const AdafactorOptions& options) {
  if (options.eps.first && !(*options.eps.first >= 0))
    throw ValueError("adafactor: eps.0 = " + std::to_string(*options.eps.first) +
                     " is out of range");
  add_group(parameters, values(options));
}

void Adafactor::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kEps2, kWeightDecay}) check_range(o, i, 0, kInfinity);
  check_range(o, kBeta2Decay, -kInfinity, std::numeric_limits<double>::denorm_min());
  check_range(o, kEps1, -1, kInfinity);
  check_range(o, kD, 1, kInfinity);
}

// Of more than one axis: the means over the last one, and over the one before.
std::vector<Optimizer::State> Adafactor::states(const Options&, const Shape& shape) const {
  if (shape.rank() < 2) return {{"variance", shape}};
  Shape rows = shape, columns = shape;
  rows[shape.rank() - 1] = 1;
  columns[shape.rank() - 2] = 1;
  return {{"row_var", rows}, {"col_var", columns}};
}

void Adafactor::update(Slots slots, std::span<const Tensor> gradients, const Where& where) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = *slots[i];
    const Options& o = options(slot);
    const Tensor p = slot.parameter.tensor(where);
    if (p.numel() == 0) continue;
    const Tensor g = o[kMaximize] != 0 ? -gradients[i] : gradients[i];
    const auto step = static_cast<double>(slot.steps + 1);
    const double fresh = std::pow(step, o[kBeta2Decay]);
    const double eps1 = o[kEps1] >= 0       ? o[kEps1]
                        : p.dtype() == kF64 ? std::numeric_limits<double>::epsilon()
                                            : std::numeric_limits<float>::epsilon();
    const auto next = [&](size_t k, const Tensor& now) {
      const Tensor average = towards(slot.state[k], now, fresh);
      slot.state[k].set(average, where);
      return average;
    };
    Tensor variance;
    if (p.rank() < 2) {
      variance = next(0, square(g));
    } else {
      const Tensor rows = next(0, mean(square(g), {-1}, true));
      const Tensor columns = next(1, mean(square(g), {-2}, true));
      variance = rows * columns / maximum(mean(rows, {-2}, true), eps1);
    }
    const Tensor change = g * rsqrt(maximum(variance, eps1 * eps1));
    const Tensor rate = maximum(rms(p), o[kEps2]) * std::min(o[kLr], 1 / std::sqrt(step)) /
                        maximum(rms(change) / o[kD], 1);
    slot.parameter.set(p * (1 - o[kLr] * o[kWeightDecay]) - rate * change, where);
  }
}

}  // namespace glia::optim
