// Gradient descent.
#include <limits>

#include "glia/ops.h"
#include "glia/optim.h"
#include "optim/decay.h"

namespace glia::optim {
namespace {

enum Option { kLr, kMomentum, kDampening, kWeightDecay, kNesterov, kMaximize };

std::vector<double> values(const SGDOptions& o) {
  return {o.lr, o.momentum, o.dampening, o.weight_decay, 1.0 * o.nesterov, 1.0 * o.maximize};
}

enum class Momentum { kNone, kPlain, kNesterov };

// {p, g, velocity} with {lr, sign, weight decay, momentum, 1 - dampening}.
template <Momentum momentum, bool decays>
std::vector<Tensor> descend(const std::vector<Tensor>& in, const std::vector<Tensor>& scalars) {
  const Tensor &p = in[0], &lr = scalars[0];
  const Tensor g = decayed<decays>(in[1] * scalars[1], p, scalars[2]);
  if constexpr (momentum == Momentum::kNone) {
    return {p - lr * g};
  } else {
    const Tensor &factor = scalars[3], &share = scalars[4];
    const Tensor velocity = in[2] * factor + g * share;
    const Tensor direction = momentum == Momentum::kNesterov ? g + velocity * factor : velocity;
    return {p - lr * direction, velocity};
  }
}

}  // namespace

SGD::SGD(const ParameterList& parameters, const SGDOptions& options)
    : Elementwise("sgd", {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"}) {
  add_param_group(parameters, options);
}

void SGD::add_param_group(const ParameterList& parameters, const SGDOptions& options) {
  add_group(parameters, values(options));
}

void SGD::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kMomentum, kWeightDecay}) check_range(o, i, 0, kInfinity);
  check_range(o, kDampening, -kInfinity, kInfinity);
  if (o[kNesterov] != 0 && (o[kMomentum] == 0 || o[kDampening] != 0))
    throw ValueError("sgd: nesterov needs momentum and no dampening");
}

std::vector<std::string_view> SGD::state_names(const Options& o) const {
  if (o[kMomentum] == 0) return {};
  return {"momentum_buffer"};
}

SGD::Formula SGD::formula(const Options& o, int64_t step) const {
  const auto rule = [&]<bool decays>(std::bool_constant<decays>) -> Rule {
    return o[kMomentum] == 0   ? descend<Momentum::kNone, decays>
           : o[kNesterov] == 0 ? descend<Momentum::kPlain, decays>
                               : descend<Momentum::kNesterov, decays>;
  };
  // The first velocity is the gradient, not dampened.
  const double share = step == 1 ? 1 : 1 - o[kDampening];
  return {o[kWeightDecay] == 0 ? rule(std::false_type()) : rule(std::true_type()),
          {o[kLr], o[kMaximize] != 0 ? -1.0 : 1.0, o[kWeightDecay], o[kMomentum], share}};
}

SGD::SparseRows SGD::sparse_rows(const Options& o) const {
  return o[kMomentum] == 0 && o[kWeightDecay] == 0 ? SparseRows::kUpdated : SparseRows::kDensified;
}

}  // namespace glia::optim
