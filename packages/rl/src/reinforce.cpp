#include <algorithm>
#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/rl/on_policy.h"
#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

constexpr int64_t kRows = 256;  // batches are filled up to a multiple of it, with weight 0

std::unique_ptr<Env> checked(std::unique_ptr<Env> env, const ReinforceOptions& o) {
  if (!env) throw ValueError("Reinforce: the environment is null");
  if (env->max_episode_steps() == 0)
    throw ValueError("Reinforce: episodes of " + env->name() + " have no limit of steps");
  if (o.batch_episodes < 1 || o.total_episodes < o.batch_episodes)
    throw ValueError("Reinforce: total_episodes is less than batch_episodes, or that below 1");
  if (!(o.gamma >= 0 && o.gamma <= 1)) throw ValueError("Reinforce: gamma is not between 0 and 1");
  return env;
}

}  // namespace

Reinforce::Reinforce(std::unique_ptr<Env> env, ActorCritic network, const ReinforceOptions& options)
    : options_(options),
      env_(checked(std::move(env), options)),
      network_(std::move(network)),
      optimizer_(network_.parameters(), {.lr = options.lr}) {
  if (env_->observation_space().str() != network_.observation_space().str() ||
      env_->action_space().str() != network_.action_space().str())
    throw ValueError("Reinforce: the network is for other spaces than those of " + env_->name());
}

training::Task Reinforce::task() {
  return {
      .parts = {{"env", *env_}, {"agent", *this}, {"network", network_}, {"optimizer", optimizer_}},
      .step = [this](const data::Sample&) { return step(); }};
}

int64_t Reinforce::updates() const { return options_.total_episodes / options_.batch_episodes; }

training::Metrics Reinforce::step() {
  const Space &observed = env_->observation_space(), &acted = env_->action_space();
  std::vector<float> seen, boxes, returns;
  std::vector<int64_t> choices;
  std::vector<float> now(static_cast<size_t>(observed.size()));
  for (int64_t i = 0; i < options_.batch_episodes; ++i, ++episodes_) {
    const NoGrad no_grad;
    env_->reset(now, episodes_ == 0 ? std::optional(options_.seed) : std::nullopt);
    const size_t first = returns.size();
    for (Step step; !step.terminated && !step.truncated;) {
      data::Random random =
          agent_random(options_.seed, static_cast<uint64_t>(episodes_), returns.size() - first);
      const Tensor policy = network_.policy(batch_of_one(observed, now));
      require_finite("Reinforce", *env_, now);
      seen.insert(seen.end(), now.begin(), now.end());
      if (network_.is_discrete()) {
        choices.push_back(categorical(log_probabilities(policy.data<float>()), random));
        step = env_->step(choices.back(), now);
      } else {
        const auto deviations = exp(network_.log_std).to_vector<float>();
        std::vector<float> values = policy.to_vector<float>();
        for (size_t j = 0; j < values.size(); ++j)
          values[j] += deviations[j] * static_cast<float>(normal(random));
        boxes.insert(boxes.end(), values.begin(), values.end());
        step = env_->step(values, now);
      }
      returns.push_back(static_cast<float>(step.reward));
      statistics_.add(0, step.reward, step.terminated || step.truncated);
    }
    for (size_t t = returns.size() - 1; t-- > first;)
      returns[t] += static_cast<float>(options_.gamma) * returns[t + 1];
  }
  const auto count = static_cast<int64_t>(returns.size());
  const int64_t rows = (count + kRows - 1) / kRows * kRows;
  std::vector<float> weights(static_cast<size_t>(rows));
  std::fill_n(weights.begin(), count, 1 / static_cast<float>(count));
  const auto filled = [&](auto values, const Shape& row) {
    values.resize(static_cast<size_t>(rows * row.numel()));
    return from_vector(values, in_rows(rows, row));
  };
  const Tensor weight = from_vector(weights, {rows}), wanted = filled(returns, {});
  const Tensor observations = filled(seen, observed.shape());
  const Tensor actions = acted.is_discrete() ? filled(choices, {}) : filled(boxes, {acted.size()});
  const Tensor told = options_.baseline ? network_.value(observations) : sum(weight * wanted);
  const Tensor log_prob = network_.log_prob(network_.policy(observations), actions);
  const Tensor policy_loss = -sum(weight * stop_gradient(wanted - told) * log_prob);
  Tensor loss = policy_loss;
  if (options_.baseline) loss = loss + sum(weight * square(wanted - told));
  optimizer_.step(gradients(loss, network_.parameters()));
  return {statistics_.metric(), {"policy_loss", stop_gradient(policy_loss)}};
}

StateDict Reinforce::state_dict() const {
  StateDict values = {{"episodes", tensor(episodes_)}};
  io::append(values, "statistics.", statistics_.state_dict());
  return values;
}

void Reinforce::load_state_dict(const StateDict& values) {
  const auto episodes = entry("Reinforce", values, "episodes", {}, kI64).item<int64_t>();
  if (episodes < 0 || episodes > options_.total_episodes)
    throw Error("Reinforce: the state is of no agent");
  statistics_.load_state_dict(io::with_prefix(values, "statistics."));
  episodes_ = episodes;
}

}  // namespace glia::rl
