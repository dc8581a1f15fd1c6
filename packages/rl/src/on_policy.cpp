#include "glia/rl/on_policy.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

std::unique_ptr<VectorEnv> checked(const char* name, std::unique_ptr<VectorEnv> envs,
                                   const ActorCritic& network, const RolloutOptions& o) {
  const std::string who = std::string(name) + ": ";
  if (!envs) throw ValueError(who + "there are no environments");
  if (envs->autoreset_mode() != AutoresetMode::kSameStep)
    throw ValueError(who + "the environments are not of AutoresetMode::kSameStep");
  if (envs->single_observation_space().str() != network.observation_space().str() ||
      envs->single_action_space().str() != network.action_space().str())
    throw ValueError(who + "the network is for other spaces than those of " + envs->env(0).name());
  if (o.num_steps < 1) throw ValueError(who + "num_steps is below 1");
  if (o.total_steps < o.num_steps * envs->num_envs())
    throw ValueError(who + "total_steps " + std::to_string(o.total_steps) +
                     " is less than a rollout, num_steps " + std::to_string(o.num_steps) + " of " +
                     std::to_string(envs->num_envs()) + " environments");
  if (!(o.gamma >= 0 && o.gamma <= 1 && o.gae_lambda >= 0 && o.gae_lambda <= 1))
    throw ValueError(who + "gamma or gae_lambda is not between 0 and 1");
  return envs;
}

}  // namespace

std::vector<double> gae(const std::vector<double>& rewards, const std::vector<double>& values,
                        const std::vector<double>& next_values, const std::vector<uint8_t>& ended,
                        int64_t num_envs, double gamma, double lambda) {
  const size_t size = rewards.size();
  if (values.size() != size || next_values.size() != size || ended.size() != size || num_envs < 1 ||
      size % static_cast<size_t>(num_envs) != 0)
    throw ShapeError("gae: rewards, values and ends of different sizes");
  std::vector<double> advantages(size), later(static_cast<size_t>(num_envs));
  for (size_t i = size; i-- > 0;) {
    double& after = later[i % later.size()];
    const double delta = rewards[i] + gamma * next_values[i] - values[i];
    advantages[i] = after = delta + (ended[i] ? 0 : gamma * lambda * after);
  }
  return advantages;
}

OnPolicy::OnPolicy(const char* name, std::unique_ptr<VectorEnv> envs, ActorCritic network,
                   const RolloutOptions& options)
    : name_(name),
      options_(options),
      envs_(checked(name, std::move(envs), network, options)),
      network_(std::move(network)),
      statistics_(envs_->num_envs()),
      discounted_(static_cast<size_t>(envs_->num_envs())) {
  envs_->reset(options.seed);
}

training::Task OnPolicy::task() {
  std::vector<training::Part> parts = {{"envs", *envs_}, {"agent", *this}, {"network", network_}};
  for (training::Part& part : optimizers()) parts.push_back(std::move(part));
  return {.parts = std::move(parts), .step = [this](const data::Sample&) { return step(); }};
}

int64_t OnPolicy::updates() const { return options_.total_steps / rows(); }
int64_t OnPolicy::steps_after(int64_t updates) const { return updates * rows(); }
double OnPolicy::part_done() const {
  return static_cast<double>(updates_) / static_cast<double>(updates());
}

double OnPolicy::learnt_reward(size_t env, double reward, bool terminated) {
  if (!options_.norm_reward) return reward;
  double& sum = discounted_[env];
  sum = sum * options_.gamma * (terminated ? 0 : 1) + reward;
  rewards_.update(std::span(&sum, 1));
  return std::clamp(reward / std::sqrt(rewards_.var()[0] + 1e-8), -10.0, 10.0);
}

OnPolicy::Rollout OnPolicy::gather() {
  const NoGrad no_grad;
  const auto steps = static_cast<size_t>(options_.num_steps);
  const auto envs = static_cast<size_t>(envs_->num_envs()), rows = steps * envs;
  const Space &observed = envs_->single_observation_space(), &acted = envs_->single_action_space();
  const auto width = static_cast<size_t>(acted.is_discrete() ? acted.n() : acted.size());
  std::vector<float> seen, policies, log_probs, deviations, boxes;
  std::vector<int64_t> choices;
  std::vector<double> rewards, values, next_values(rows);
  std::vector<uint8_t> ended;
  if (!network_.is_discrete()) {
    deviations = network_.log_std.tensor().to_vector<float>();
    for (float& x : deviations) x = std::exp(x);
  }
  std::vector<int64_t> chosen(envs);
  std::vector<float> moved(envs * width);
  for (size_t t = 0; t < steps; ++t) {
    const Tensor now = envs_->observations();
    const Tensor policy = network_.policy(now), value = network_.value(now);
    eval({policy, value});
    const auto outputs = policy.data<float>(), told = value.data<float>();
    const auto shown = envs_->observation_data<float>();
    require_finite(name_, envs_->env(0), shown);
    seen.insert(seen.end(), shown.begin(), shown.end());
    policies.insert(policies.end(), outputs.begin(), outputs.end());
    values.insert(values.end(), told.begin(), told.end());
    if (t > 0)  // what follows the step before, unless its episode has ended
      for (size_t i = 0; i < envs; ++i)
        if (!ended[(t - 1) * envs + i]) next_values[(t - 1) * envs + i] = told[i];
    for (size_t i = 0; i < envs; ++i) {
      data::Random random =
          agent_random(options_.seed, i, static_cast<uint64_t>(updates_) * steps + t);
      const auto row = outputs.subspan(i * width, width);
      double log_prob = 0;
      if (network_.is_discrete()) {
        const std::vector<double> all = log_probabilities(row);
        chosen[i] = categorical(all, random);
        log_prob = all[static_cast<size_t>(chosen[i])];
      } else {
        for (size_t j = 0; j < width; ++j) {
          const double z = normal(random);
          moved[i * width + j] = static_cast<float>(row[j] + deviations[j] * z);
          log_prob -= 0.5 * z * z + std::log(deviations[j]) + 0.9189385332046727;
        }
      }
      log_probs.push_back(static_cast<float>(log_prob));
    }
    if (network_.is_discrete()) {
      choices.insert(choices.end(), chosen.begin(), chosen.end());
      envs_->step(chosen);
    } else {
      boxes.insert(boxes.end(), moved.begin(), moved.end());
      envs_->step(moved);
    }
    bool cut_off = false;
    for (size_t i = 0; i < envs; ++i) {
      const auto row = static_cast<int64_t>(i);
      const bool terminated = envs_->terminated(row), truncated = envs_->truncated(row);
      rewards.push_back(learnt_reward(i, envs_->reward_data()[i], terminated));
      ended.push_back(terminated || truncated);
      statistics_.add(row, envs_->reward_data()[i], ended.back());
      cut_off |= truncated && !terminated;
    }
    if (!cut_off || !options_.bootstrap_truncated) continue;
    const auto ends = network_.value(envs_->final_observations()).to_vector<double>();
    for (size_t i = 0; i < envs; ++i) {
      const auto row = static_cast<int64_t>(i);
      if (envs_->truncated(row) && !envs_->terminated(row)) next_values[t * envs + i] = ends[i];
    }
  }
  const auto last = network_.value(envs_->observations()).to_vector<double>();
  for (size_t i = 0; i < envs; ++i)
    if (!ended[rows - envs + i]) next_values[rows - envs + i] = last[i];

  const std::vector<double> advantages = gae(rewards, values, next_values, ended, envs_->num_envs(),
                                             options_.gamma, options_.gae_lambda);
  const auto count = static_cast<int64_t>(rows);
  const auto column = [&](const auto& of) {
    return from_vector(std::vector<float>(of.begin(), of.end()), {count});
  };
  std::vector<double> returns(rows);
  for (size_t i = 0; i < rows; ++i) returns[i] = advantages[i] + values[i];
  Rollout out;
  out.observations = from_vector(seen, in_rows(count, observed.shape()));
  out.actions = network_.is_discrete() ? from_vector(choices, {count})
                                       : from_vector(boxes, {count, acted.size()});
  out.policy = from_vector(policies, {count, static_cast<int64_t>(width)});
  if (!network_.is_discrete()) out.log_std = stop_gradient(network_.log_std);
  out.log_probs = column(log_probs);
  out.advantages = column(advantages);
  out.returns = column(returns);
  out.values = column(values);
  return out;
}

training::Metrics OnPolicy::step() {
  const Rollout rollout = gather();
  training::Metrics metrics = {statistics_.metric()};
  for (training::Metric& metric : learn(rollout)) metrics.push_back(std::move(metric));
  ++updates_;
  return metrics;
}

StateDict OnPolicy::state_dict() const {
  StateDict values = {{"updates", tensor(updates_)}};
  io::append(values, "statistics.", statistics_.state_dict());
  io::append(values, "rewards.", rewards_.state_dict());
  values.emplace_back("discounted", from_vector(discounted_, {envs_->num_envs()}));
  return values;
}

void OnPolicy::load_state_dict(const StateDict& values) {
  const auto updates = entry(name_, values, "updates", {}, kI64).item<int64_t>();
  if (updates < 0 || updates > this->updates())
    throw Error(std::string(name_) + ": the state is of no agent");
  const auto sums =
      entry(name_, values, "discounted", {envs_->num_envs()}, kF64).to_vector<double>();
  statistics_.load_state_dict(io::with_prefix(values, "statistics."));
  rewards_.load_state_dict(io::with_prefix(values, "rewards."));
  discounted_ = sums;
  updates_ = updates;
}

}  // namespace glia::rl
