#include <algorithm>
#include <cmath>
#include <utility>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/ops/reduce.h"
#include "glia/rl/on_policy.h"
#include "sampling.h"

namespace glia::rl {
namespace {

Tensor normalised(const Tensor& x) { return (x - mean(x)) / (std(x) + 1e-8); }

std::vector<Tensor> clipped(const std::vector<Tensor>& gradients, double norm) {
  return norm > 0 ? optim::clip_grad_norm(gradients, norm).gradients : gradients;
}

// Sums of what several minibatches measure.
class Sums {
 public:
  void add(const std::vector<Tensor>& values) {
    if (sums_.empty()) sums_.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const Tensor value = stop_gradient(values[i]);
      sums_[i] = sums_[i].defined() ? sums_[i] + value : value;
    }
    ++count_;
  }
  training::Metrics metrics(const std::vector<const char*>& names) const {
    training::Metrics out;
    for (size_t i = 0; i < names.size(); ++i) out.push_back({names[i], sums_[i], count_});
    return out;
  }

 private:
  std::vector<Tensor> sums_;
  int64_t count_ = 0;
};

constexpr uint64_t kShuffles = 1u << 20;  // streams behind those of environments

// The order of rows in a pass.
Tensor shuffled(int64_t rows, uint64_t seed, int64_t update, int64_t pass) {
  data::Random random =
      agent_random(seed, kShuffles + static_cast<uint64_t>(pass), static_cast<uint64_t>(update));
  std::vector<int64_t> order(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t j = random.below(i + 1);
    order[static_cast<size_t>(i)] = order[static_cast<size_t>(j)];
    order[static_cast<size_t>(j)] = i;
  }
  return from_vector(order, {rows});
}

void at_least(const char* who, const char* what, double value, double least) {
  if (!(value >= least))
    throw ValueError(std::string(who) + ": " + what + " is " + std::to_string(value));
}

}  // namespace

// ---- PPO --------------------------------------------------------------------------------------

PpoOptions ppo_continuous_options() {
  return {.rollout = {.total_steps = 1000000, .num_steps = 2048},
          .lr = 3e-4,
          .num_minibatches = 32,
          .update_epochs = 10,
          .ent_coef = 0};
}

Ppo::Ppo(std::unique_ptr<VectorEnv> envs, ActorCritic network, const PpoOptions& options)
    : OnPolicy("Ppo", std::move(envs), std::move(network), options.rollout),
      options_(options),
      optimizer_(learner().parameters(), {.lr = options.lr, .eps = 1e-5}) {
  at_least("Ppo", "update_epochs", static_cast<double>(options.update_epochs), 1);
  at_least("Ppo", "clip_coef", options.clip_coef, 0);
  at_least("Ppo", "target_kl", options.target_kl, 0);
  at_least("Ppo", "kl_coef", options.kl_coef, 0);
  if (options.num_minibatches < 1 || rows() % options.num_minibatches != 0)
    throw ValueError("Ppo: a rollout of " + std::to_string(rows()) + " steps is not cut into " +
                     std::to_string(options.num_minibatches) + " equal minibatches");
}

training::Metrics Ppo::learn(const Rollout& rollout) {
  const PpoOptions& o = options_;
  if (o.anneal_lr) optimizer_.set_lr(o.lr * (1 - part_done()));
  const int64_t size = rows() / o.num_minibatches;
  const double widest = o.clip_coef > 0 ? o.clip_coef : 1e9;
  Sums sums;
  for (int64_t pass = 0; pass < o.update_epochs; ++pass) {
    const Tensor order = shuffled(rows(), seed(), updates_done(), pass);
    Tensor moved;
    for (int64_t start = 0; start < rows(); start += size) {
      const Tensor at = slice(order, 0, {start, start + size});
      const auto part = [&](const Tensor& all) { return take(all, at); };
      const Tensor seen = part(rollout.observations);
      const Tensor policy = learner().policy(seen), value = learner().value(seen);
      const Tensor log_ratio =
          learner().log_prob(policy, part(rollout.actions)) - part(rollout.log_probs);
      const Tensor ratio = exp(log_ratio);
      Tensor advantages = part(rollout.advantages);
      if (o.norm_adv && size > 1) advantages = normalised(advantages);
      const Tensor bounded = clamp(ratio, std::max(0.0, 1 - widest), 1 + widest);
      const Tensor policy_loss = -mean(minimum(advantages * ratio, advantages * bounded));

      const Tensor wanted = part(rollout.returns);
      Tensor errors = square(value - wanted);
      if (o.clip_vloss && o.clip_coef > 0) {
        const Tensor before = part(rollout.values);
        errors = maximum(errors, square(before + clamp(value - before, -widest, widest) - wanted));
      }
      const Tensor value_loss = 0.5 * mean(errors);
      const Tensor entropy = mean(learner().entropy(policy));
      Tensor loss = policy_loss - o.ent_coef * entropy + o.vf_coef * value_loss;
      if (o.kl_coef > 0)
        loss = loss + o.kl_coef * mean(learner().kl(part(rollout.policy), rollout.log_std, policy));
      moved = stop_gradient(mean(ratio - 1 - log_ratio));
      optimizer_.step(clipped(gradients(loss, learner().parameters()), o.max_grad_norm));
      sums.add({policy_loss, value_loss, entropy, moved});
    }
    if (o.target_kl > 0 && moved.item() > o.target_kl) break;
  }
  return sums.metrics({"policy_loss", "value_loss", "entropy", "kl"});
}

// ---- A2C --------------------------------------------------------------------------------------

A2c::A2c(std::unique_ptr<VectorEnv> envs, ActorCritic network, const A2cOptions& options)
    : OnPolicy("A2c", std::move(envs), std::move(network), options.rollout),
      options_(options),
      optimizer_(learner().parameters(), {.lr = options.lr, .alpha = 0.99, .eps = 1e-5}) {}

training::Metrics A2c::learn(const Rollout& rollout) {
  const A2cOptions& o = options_;
  const Tensor policy = learner().policy(rollout.observations);
  const Tensor value = learner().value(rollout.observations);
  const Tensor advantages =
      o.norm_adv && rows() > 1 ? normalised(rollout.advantages) : rollout.advantages;
  const Tensor policy_loss = -mean(advantages * learner().log_prob(policy, rollout.actions));
  const Tensor value_loss = mse_loss(value, rollout.returns);
  const Tensor entropy = mean(learner().entropy(policy));
  const Tensor loss = policy_loss - o.ent_coef * entropy + o.vf_coef * value_loss;
  optimizer_.step(clipped(gradients(loss, learner().parameters()), o.max_grad_norm));
  Sums sums;
  sums.add({policy_loss, value_loss, entropy, zeros({})});
  return sums.metrics({"policy_loss", "value_loss", "entropy", "kl"});
}

}  // namespace glia::rl
