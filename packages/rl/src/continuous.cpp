#include "glia/rl/continuous.h"

#include <algorithm>
#include <string>
#include <utility>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "sampling.h"

namespace glia::rl {
namespace {

template <class O>
OffPolicyOptions off_policy(const char* who, const O& o) {
  if (!(o.tau > 0 && o.tau <= 1))
    throw ValueError(std::string(who) + ": tau is not above 0 and at most 1");
  if (o.policy_frequency < 1) throw ValueError(std::string(who) + ": policy_frequency is below 1");
  return {.total_steps = o.total_steps,
          .learning_starts = o.learning_starts,
          .train_frequency = o.train_frequency,
          .buffer_size = std::min(o.buffer_size, std::max<int64_t>(o.total_steps, 1)),
          .batch_size = o.batch_size,
          .replay = {.seed = o.seed, .gamma = o.gamma}};
}

std::vector<Critic> critics_of(const Env& env, const std::vector<int64_t>& hidden, size_t count) {
  std::vector<Critic> critics;
  for (size_t i = 0; i < count; ++i)
    critics.emplace_back(env.observation_space(), env.action_space(), hidden);
  return critics;
}

ParameterList parameters_of(const std::vector<Critic>& critics) {
  ParameterList all;
  for (const Critic& critic : critics)
    for (const Variable& p : critic.parameters()) all.push_back(p);
  return all;
}

Tensor least(const std::vector<Critic>& critics, const Tensor& seen, const Tensor& actions) {
  Tensor value = critics[0](seen, actions);
  for (size_t i = 1; i < critics.size(); ++i) value = minimum(value, critics[i](seen, actions));
  return value;
}

Tensor critic_loss(const std::vector<Critic>& critics, const Transitions& t, const Tensor& wanted) {
  Tensor loss = mse_loss(critics[0](t.observations, t.actions), wanted);
  for (size_t i = 1; i < critics.size(); ++i)
    loss = loss + mse_loss(critics[i](t.observations, t.actions), wanted);
  return loss;
}

// Targets go a part of the way (Polyak averaging).
void follow(const nn::Module& target, const nn::Module& source, double tau) {
  const NoGrad no_grad;
  const auto to = target.all_parameters(), from = source.all_parameters();
  for (size_t i = 0; i < to.size(); ++i)
    to[i].set(stop_gradient(tau * from[i].tensor() + (1 - tau) * to[i].tensor()));
}

training::Metric measured_or_not(const char* name, const Tensor& value) {
  if (!value.defined()) return {name, 0, 0};
  return {name, value};
}

ParameterList only(const Parameter& parameter) {
  ParameterList list;
  list.push_back(parameter);
  return list;
}

template <class Networks>
void add_parts(std::vector<training::Part>& parts, const std::string& name, Networks& networks) {
  for (size_t i = 0; i < networks.size(); ++i)
    parts.emplace_back(name + std::to_string(i + 1), networks[i]);
}

}  // namespace

// ---- TD3 --------------------------------------------------------------------------------------

Td3Options ddpg_options() {
  return {.policy_noise = 0, .noise_clip = 0, .policy_frequency = 2, .twin = false};
}

Td3::Td3(std::unique_ptr<Env> env, const Td3Options& options)
    : OffPolicy("Td3", std::move(env), off_policy("Td3", options)),
      options_(options),
      actor_(this->env().observation_space(), actions(), options.hidden),
      target_actor_(actor_),
      critics_(critics_of(this->env(), options.hidden, options.twin ? 2 : 1)),
      target_critics_(critics_),
      actor_optimizer_(actor_.parameters(), {.lr = options.lr}),
      critic_optimizer_(parameters_of(critics_), {.lr = options.critic_lr}) {
  if (!(options.exploration_noise >= 0) || !(options.policy_noise >= 0) ||
      !(options.noise_clip >= 0))
    throw ValueError("Td3: a deviation is below 0");
}

std::vector<training::Part> Td3::networks() {
  std::vector<training::Part> parts = {{"actor", actor_}, {"target_actor", target_actor_}};
  add_parts(parts, "critic", critics_);
  add_parts(parts, "target_critic", target_critics_);
  parts.emplace_back("actor_optimizer", actor_optimizer_);
  parts.emplace_back("critic_optimizer", critic_optimizer_);
  return parts;
}

Decision Td3::act(const ObservationView& seen, data::Random& random) {
  const Tensor out = actor_(batch_of_one(env().observation_space(), seen));
  const auto chosen = out.data<float>();
  std::vector<float> values(chosen.begin(), chosen.end());
  for (size_t i = 0; i < values.size(); ++i) {
    const double low = actions().low()[i], high = actions().high()[i];
    const double noise = options_.exploration_noise * (high - low) / 2 * normal(random);
    values[i] = static_cast<float>(std::clamp(values[i] + noise, low, high));
  }
  return values;
}

training::Metrics Td3::update() {
  const Transitions t = sample();
  Tensor wanted;
  {
    const NoGrad no_grad;
    Tensor next = target_actor_(t.next_observations);
    if (options_.policy_noise > 0) {
      const Tensor scale = actor_.scale, bias = actor_.bias;
      const Tensor noise = clamp(options_.policy_noise * randn(t.actions.shape()),
                                 -options_.noise_clip, options_.noise_clip);
      next = clamp(next + noise * scale, bias - scale, bias + scale);
    }
    wanted = t.rewards + t.discounts * least(target_critics_, t.next_observations, next);
  }
  const Tensor loss = critic_optimizer_.step([&] { return critic_loss(critics_, t, wanted); });
  Tensor actor_loss;
  if ((steps() / options_.train_frequency) % options_.policy_frequency == 0) {
    actor_loss = actor_optimizer_.step(
        [&] { return -mean(critics_[0](t.observations, actor_(t.observations))); });
    follow(target_actor_, actor_, options_.tau);
    for (size_t i = 0; i < critics_.size(); ++i)
      follow(target_critics_[i], critics_[i], options_.tau);
  }
  return {{"critic_loss", loss}, measured_or_not("actor_loss", actor_loss)};
}

// ---- SAC --------------------------------------------------------------------------------------

Sac::Sac(std::unique_ptr<Env> env, const SacOptions& options)
    : OffPolicy("Sac", std::move(env), off_policy("Sac", options)),
      options_(options),
      actor_(this->env().observation_space(), actions(), options.hidden),
      critics_(critics_of(this->env(), options.hidden, 2)),
      target_critics_(critics_),
      log_alpha_(zeros({1})),
      actor_optimizer_(actor_.parameters(), {.lr = options.policy_lr}),
      critic_optimizer_(parameters_of(critics_), {.lr = options.q_lr}),
      alpha_optimizer_(only(log_alpha_), {.lr = options.q_lr}) {
  if (!(options.alpha >= 0)) throw ValueError("Sac: alpha is below 0");
}

std::vector<training::Part> Sac::networks() {
  std::vector<training::Part> parts = {{"actor", actor_}};
  add_parts(parts, "critic", critics_);
  add_parts(parts, "target_critic", target_critics_);
  parts.emplace_back(
      "alpha",
      [this] {
        return StateDict{{"log_alpha", log_alpha_.tensor()}};
      },
      [this](const StateDict& values) {
        if (values.size() != 1 || values[0].first != "log_alpha" ||
            !(values[0].second.shape() == Shape{1}))
          throw Error("Sac: the state has no \"log_alpha\"");
        log_alpha_.set(values[0].second);
      });
  parts.emplace_back("actor_optimizer", actor_optimizer_);
  parts.emplace_back("critic_optimizer", critic_optimizer_);
  parts.emplace_back("alpha_optimizer", alpha_optimizer_);
  return parts;
}

Tensor Sac::alpha() const {
  return options_.autotune ? stop_gradient(exp(log_alpha_)) : full({1}, options_.alpha);
}

Decision Sac::act(const ObservationView& seen, data::Random&) {
  const Tensor out = actor_.sample(batch_of_one(env().observation_space(), seen)).action;
  const auto values = out.data<float>();
  return std::vector<float>(values.begin(), values.end());
}

training::Metrics Sac::update() {
  const Transitions t = sample();
  Tensor wanted;
  {
    const NoGrad no_grad;
    const auto next = actor_.sample(t.next_observations);
    wanted = t.rewards + t.discounts * (least(target_critics_, t.next_observations, next.action) -
                                        alpha() * next.log_prob);
  }
  const Tensor loss = critic_optimizer_.step([&] { return critic_loss(critics_, t, wanted); });
  Tensor actor_loss;
  if ((steps() / options_.train_frequency) % options_.policy_frequency == 0) {
    for (int64_t i = 0; i < options_.policy_frequency; ++i) {
      actor_loss = actor_optimizer_.step([&] {
        const auto pi = actor_.sample(t.observations);
        return mean(alpha() * pi.log_prob - least(critics_, t.observations, pi.action));
      });
      if (!options_.autotune) continue;
      Tensor log_prob;
      {
        const NoGrad no_grad;
        log_prob = actor_.sample(t.observations).log_prob;
      }
      const auto entropy = -static_cast<double>(actions().size());
      alpha_optimizer_.step([&] { return mean(-exp(log_alpha_) * (log_prob + entropy)); });
    }
  }
  for (size_t i = 0; i < critics_.size(); ++i)
    follow(target_critics_[i], critics_[i], options_.tau);
  return {
      {"critic_loss", loss}, measured_or_not("actor_loss", actor_loss), {"alpha", sum(alpha())}};
}

}  // namespace glia::rl
