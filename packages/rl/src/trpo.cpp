#include <cmath>
#include <utility>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/rl/on_policy.h"

namespace glia::rl {
namespace {

using Vector = std::vector<Tensor>;  // one tensor for each parameter

Tensor dot(const Vector& a, const Vector& b) {
  Tensor total = sum(a[0] * b[0]);
  for (size_t i = 1; i < a.size(); ++i) total = total + sum(a[i] * b[i]);
  return total;
}

// a + factor b.
Vector plus(const Vector& a, const Operand& factor, const Vector& b) {
  Vector out;
  for (size_t i = 0; i < a.size(); ++i) out.push_back(a[i] + b[i] * factor);
  return out;
}

void set(const ParameterList& parameters, const Vector& values) {
  for (size_t i = 0; i < values.size(); ++i) parameters[i].set(stop_gradient(values[i]));
}

ParameterList of_policy(const ActorCritic& network) {
  ParameterList all = network.actor.parameters();
  if (network.log_std.defined()) all.push_back(network.log_std);
  return all;
}

// x of A x = b, for products with a positive definite A (Hestenes & Stiefel 1952).
template <class Product>
Vector conjugate_gradients(const Product& product, const Vector& b, int64_t steps) {
  Vector x, r = b, p = b;
  for (const Tensor& part : b) x.push_back(zeros_like(part));
  double size = dot(r, r).item();
  for (int64_t i = 0; i < steps && size > 1e-10; ++i) {
    const Vector ap = product(p);
    const double alpha = size / dot(p, ap).item();
    x = plus(x, alpha, p);
    r = plus(r, -alpha, ap);
    const double next = dot(r, r).item();
    p = plus(r, next / size, p);
    size = next;
  }
  return x;
}

}  // namespace

Trpo::Trpo(std::unique_ptr<VectorEnv> envs, ActorCritic network, const TrpoOptions& options)
    : OnPolicy("Trpo", std::move(envs), std::move(network), options.rollout),
      options_(options),
      optimizer_(learner().critic.parameters(), {.lr = options.critic_lr}) {
  if (!(options.target_kl > 0)) throw ValueError("Trpo: target_kl is not above 0");
  if (options.cg_max_steps < 1 || options.line_search_steps < 1 || options.n_critic_updates < 0)
    throw ValueError("Trpo: steps are below 1");
  if (!(options.line_search_shrinking > 0 && options.line_search_shrinking < 1))
    throw ValueError("Trpo: line_search_shrinking is not between 0 and 1");
}

training::Metrics Trpo::learn(const Rollout& rollout) {
  const TrpoOptions& o = options_;
  const Tensor advantages =
      (rollout.advantages - mean(rollout.advantages)) / (sqrt(var(rollout.advantages)) + 1e-8);
  const ParameterList parameters = of_policy(learner());
  struct Look {
    Tensor objective, kl, entropy;
  };
  const auto look = [&] {
    const Tensor policy = learner().policy(rollout.observations);
    const Tensor ratio = exp(learner().log_prob(policy, rollout.actions) - rollout.log_probs);
    return Look{mean(advantages * ratio),
                mean(learner().kl(rollout.policy, rollout.log_std, policy)),
                mean(learner().entropy(policy))};
  };
  const auto products = [&](const Vector& v) {  // with the Fisher matrix
    const Vector slope = gradients(look().kl, parameters);
    Vector out = plus(gradients(dot(slope, v), parameters), o.cg_damping, v);
    for (Tensor& part : out) part = stop_gradient(part);
    eval(out);
    return out;
  };

  const Look before = look();
  Vector slope = gradients(before.objective, parameters);
  for (Tensor& part : slope) part = stop_gradient(part);
  const double objective = before.objective.item();
  const Vector direction = conjugate_gradients(products, slope, o.cg_max_steps);
  const double curvature = dot(direction, products(direction)).item();
  double step = curvature > 0 ? std::sqrt(2 * o.target_kl / curvature) : 0, moved = 0;
  Vector start;
  for (const Tensor& value : parameters.tensors()) start.push_back(stop_gradient(value));
  bool better = false;
  for (int64_t i = 0; step > 0 && !better && i < o.line_search_steps; ++i) {
    set(parameters, plus(start, step, direction));
    const Look now = look();
    eval({now.objective, now.kl});
    moved = now.kl.item();
    better = moved < o.target_kl && now.objective.item() > objective;
    step *= o.line_search_shrinking;
  }
  if (!better) {
    set(parameters, start);
    moved = 0;
  }

  Tensor value_loss = zeros({});
  for (int64_t i = 0; i < o.n_critic_updates; ++i)
    value_loss = optimizer_.step(
        [&] { return mse_loss(learner().value(rollout.observations), rollout.returns); });
  return {{"policy_loss", -objective},
          {"value_loss", value_loss},
          {"entropy", before.entropy.item()},
          {"kl", moved}};
}

}  // namespace glia::rl
