// Shampoo.
#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/optim/layerwise.h"

namespace glia::optim {
namespace {

enum Option { kLr, kMomentum, kDecay, kEps, kBeta2, kEvery, kMaxDim, kMaximize };

using Options = std::vector<double>;

// The axes that are preconditioned.
std::vector<int> axes_of(const Options& o, const Shape& shape) {
  std::vector<int> out;
  for (int i = 0; i < shape.rank(); ++i)
    if (static_cast<double>(shape[i]) <= o[kMaxDim]) out.push_back(i);
  return out;
}

// (..., n, ...) -> (n, everything else).
Tensor unfolded(const Tensor& x, int axis) {
  return reshape(transpose(x, 0, axis), {x.size(axis), -1});
}

// x times the symmetric matrix along an axis.
Tensor times(const Tensor& matrix, const Tensor& x, int axis) {
  const Tensor turned = transpose(x, 0, axis);
  const Tensor product = matmul(matrix, reshape(turned, {x.size(axis), -1}));
  return transpose(reshape(product, turned.shape()), 0, axis);
}

Tensor to_the(Tensor x, int power) {
  Tensor out;
  for (; power > 0; power /= 2) {
    if (power % 2) out = out.defined() ? matmul(out, x) : x;
    if (power > 1) x = matmul(x, x);
  }
  return out;
}

// a^(-1/p) of a symmetric matrix without negative eigenvalues, f64. Newton's iteration brings
// m = x^p a to the unit matrix: what is small in it grows by (1 + 1/p)^p each time. Where `a` is so
// ill conditioned that rounding keeps it from that, the best x that was found.
Tensor inverse_root(const Tensor& a, int p) {
  constexpr int kMost = 100;
  constexpr double kEnough = 1e-10;
  const int64_t n = a.size(0);
  const Tensor unit = eye(n, kF64);
  const Tensor most = max(sum(abs(a), {1}));  // at least the largest eigenvalue
  const Tensor z = (1.0 + p) / (2 * most);
  Tensor m = a * z, x = unit * pow(z, 1.0 / p), best = x;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kMost; ++i) {
    const Tensor error = max(abs(m - unit));
    eval({error, x, m});
    const double now = error.item();
    if (!(now < 2 * least)) break;                    // it goes apart, or is no number
    const bool stays = now < 0.1 && now > least / 2;  // near the end errors are squared each time
    if (now < least) {
      least = now;
      best = x;
    }
    if (now < kEnough || stays) break;
    const Tensor t = ((p + 1.0) * unit - m) / p;
    x = matmul(x, t);
    m = matmul(to_the(t, p), m);
  }
  return best;
}

}  // namespace

Shampoo::Shampoo(const ParameterList& parameters, const ShampooOptions& options)
    : Optimizer("shampoo", {"lr", "momentum", "weight_decay", "eps", "beta2", "update_freq",
                            "max_dim", "maximize"}) {
  add_param_group(parameters, options);
}

void Shampoo::add_param_group(const ParameterList& parameters, const ShampooOptions& o) {
  add_group(parameters,
            {o.lr, o.momentum, o.weight_decay, o.eps, o.beta2, static_cast<double>(o.update_freq),
             static_cast<double>(o.max_dim), 1.0 * o.maximize});
}

void Shampoo::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kMomentum, kDecay, kMaxDim}) check_range(o, i, 0, kInfinity);
  check_range(o, kEps, std::numeric_limits<double>::min(), kInfinity);
  check_range(o, kBeta2, 0, std::nextafter(1, 2));
  check_range(o, kEvery, 1, kInfinity);
}

std::vector<Optimizer::State> Shampoo::states(const Options& o, const Shape& shape) const {
  std::vector<State> out;
  if (o[kMomentum] != 0) out.push_back({"momentum_buffer", shape});
  const std::vector<int> axes = axes_of(o, shape);
  if (axes.empty()) out.push_back({"sum", shape});
  for (const int i : axes) {
    out.push_back({"precond_" + std::to_string(i), {shape[i], shape[i]}});
    out.push_back({"inv_precond_" + std::to_string(i), {shape[i], shape[i]}});
  }
  return out;
}

void Shampoo::update(Slots slots, std::span<const Tensor> gradients, const Where& at) {
  std::vector<std::pair<const Variable*, Tensor>> changes;  // made when all is known
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = *slots[i];
    const Options& o = options(slot);
    const Tensor p = slot.parameter.tensor(at);
    if (p.numel() == 0) continue;
    const std::vector<int> axes = axes_of(o, p.shape());
    const auto step = static_cast<double>(slot.steps + 1);
    const double kept = o[kBeta2], fresh = kept == 1 ? 1 : 1 - kept;
    const double correction = kept == 1 ? 1 : 1 / (1 - std::pow(kept, step));
    Tensor g = o[kMaximize] != 0 ? -gradients[i] : gradients[i];
    if (o[kDecay] != 0) g = g + p * o[kDecay];

    size_t next = o[kMomentum] != 0 ? 1 : 0;
    Tensor way = g;
    if (axes.empty()) {
      const Tensor all = slot.state[next] * kept + square(g) * fresh;
      changes.emplace_back(&slot.state[next], all);
      way = g / sqrt(all * correction + o[kEps]);
    }
    for (const int axis : axes) {
      const Variable &products = slot.state[next++], &root = slot.state[next++];
      const Tensor flat = unfolded(g, axis);
      const Tensor all = products.tensor() * kept + matmul(flat, transpose(flat)) * fresh;
      changes.emplace_back(&products, all);
      Tensor inverse = root.tensor();
      if (slot.steps % static_cast<int64_t>(std::min(o[kEvery], 0x1p62)) == 0) {
        const Tensor with_eps = cast(all, kF64) * correction + eye(p.size(axis), kF64) * o[kEps];
        const auto order = static_cast<int>(2 * axes.size());
        inverse = cast(inverse_root(with_eps, order), p.dtype());
        changes.emplace_back(&root, inverse);
      }
      way = times(inverse, way, axis);
    }
    if (o[kMomentum] != 0) {
      way = slot.state[0].tensor() * o[kMomentum] + way;
      changes.emplace_back(&slot.state[0], way);
    }
    changes.emplace_back(&slot.parameter, p - o[kLr] * way);
  }
  for (auto& [variable, value] : changes) variable->set(std::move(value), at);
}

}  // namespace glia::optim
