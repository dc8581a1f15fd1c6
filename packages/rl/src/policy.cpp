#include "glia/rl/policy.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

void require_end(const Env& env) {
  if (env.max_episode_steps() == 0)
    throw ValueError("play: episodes of " + env.name() + " have no limit of steps");
}

}  // namespace

int64_t greedy_action(std::span<const double> values) {
  if (values.empty()) throw ValueError("greedy_action: there are no actions");
  return std::ranges::max_element(values) - values.begin();
}

Policy random_policy(const Space& actions, uint64_t seed) {
  for (size_t i = 0; !actions.is_discrete() && i < actions.low().size(); ++i)
    if (!std::isfinite(actions.high()[i] - actions.low()[i]))
      throw ValueError("random_policy: " + actions.str() + " has no bounds");
  return [actions, seed, step = uint64_t{0}](const ObservationView&) mutable {
    data::Random random = agent_random(seed, 0, step++);
    return random_action(actions, random);
  };
}

Episodes play(Env& env, const Policy& policy, int64_t episodes, uint64_t seed) {
  require_end(env);
  const NoGrad no_grad;
  const Space& space = env.observation_space();
  Room seen(space);
  std::vector<float> path;
  Episodes out;
  for (int64_t i = 0; i < episodes; ++i) {
    env.reset(seen.out(), i == 0 ? std::optional(seed) : std::nullopt);
    double sum = 0;
    int64_t length = 0;
    for (Step step; !step.terminated && !step.truncated; sum += step.reward, ++length) {
      if (i == 0) {
        const auto values = seen.values();
        path.insert(path.end(), values.begin(), values.end());
      }
      step = env.step(policy(seen.view()), seen.out());
    }
    out.returns.push_back(sum);
    out.lengths.push_back(length);
  }
  const int64_t steps = out.lengths.empty() ? 0 : out.lengths[0];
  out.first = from_vector(path, in_rows(steps, space.shape()));
  return out;
}

std::vector<Tensor> record(Env& env, const Policy& policy, uint64_t seed, int64_t most) {
  require_end(env);
  const NoGrad no_grad;
  Room seen(env.observation_space());
  env.reset(seen.out(), seed);
  std::vector<Tensor> pictures = {env.render()};
  for (Step step;
       !step.terminated && !step.truncated && static_cast<int64_t>(pictures.size()) < most;) {
    step = env.step(policy(seen.view()), seen.out());
    pictures.push_back(env.render());
  }
  return pictures;
}

// ---- Statistics -------------------------------------------------------------------------------

EpisodeStatistics::EpisodeStatistics(int64_t num_envs, int64_t buffer_length)
    : most_(static_cast<size_t>(buffer_length)), sums_(static_cast<size_t>(num_envs)) {
  if (num_envs < 1 || buffer_length < 1)
    throw ValueError("EpisodeStatistics: num_envs or buffer_length is below 1");
}

void EpisodeStatistics::add(int64_t env, double reward, bool ended) {
  double& sum = sums_.at(static_cast<size_t>(env));
  sum += reward;
  if (!ended) return;
  returns_.push_back(sum);
  if (returns_.size() > most_) returns_.pop_front();
  sum = 0;
}

training::Metric EpisodeStatistics::metric() const {
  const double sum = std::accumulate(returns_.begin(), returns_.end(), 0.0);
  if (returns_.empty()) return {"return", 0, 0};
  return {"return", sum / static_cast<double>(returns_.size()), 1};
}

StateDict EpisodeStatistics::state_dict() const {
  const std::vector<double> returns(returns_.begin(), returns_.end());
  return {{"sums", from_vector(sums_, {static_cast<int64_t>(sums_.size())})},
          {"returns", from_vector(returns, {static_cast<int64_t>(returns.size())})}};
}

void EpisodeStatistics::load_state_dict(const StateDict& values) {
  const std::string who = "EpisodeStatistics";
  const auto sums =
      entry(who, values, "sums", {static_cast<int64_t>(sums_.size())}, kF64).to_vector<double>();
  const auto found =
      std::ranges::find_if(values, [](const auto& v) { return v.first == "returns"; });
  if (found == values.end() || !found->second.defined() || found->second.rank() != 1 ||
      found->second.size(0) > static_cast<int64_t>(most_))
    throw Error(who + ": the state has no \"returns\"");
  const auto returns = found->second.to_vector<double>();
  sums_ = sums;
  returns_.assign(returns.begin(), returns.end());
}

}  // namespace glia::rl
