#include "glia/rl/policy.h"

#include <algorithm>
#include <optional>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::rl {

std::vector<double> action_values(const nn::Sequential& network,
                                  std::span<const float> observation) {
  const std::vector<float> seen(observation.begin(), observation.end());
  return network(from_vector(seen, {1, static_cast<int64_t>(seen.size())})).to_vector<double>();
}

int64_t greedy_action(const std::vector<double>& values) {
  if (values.empty()) throw ValueError("greedy_action: there are no actions");
  return std::ranges::max_element(values) - values.begin();
}

Policy greedy_policy(const nn::Sequential& network) {
  return [&network](std::span<const float> observation) {
    return greedy_action(action_values(network, observation));
  };
}

Episodes play(Env& env, const Policy& policy, int64_t episodes, uint64_t seed) {
  if (env.observation_space().dtype() != kF32)
    throw ValueError("play: what is observed of " + env.name() + " is " +
                     env.observation_space().str() + ", not f32");
  if (env.max_episode_steps() == 0)
    throw ValueError("play: episodes of " + env.name() + " have no limit of steps");
  const NoGrad no_grad;
  std::vector<float> seen(static_cast<size_t>(env.observation_space().size())), path;
  Episodes out;
  for (int64_t i = 0; i < episodes; ++i) {
    env.reset(seen, i == 0 ? std::optional(seed) : std::nullopt);
    double sum = 0;
    for (Step step; !step.terminated && !step.truncated; sum += step.reward) {
      if (i == 0) path.insert(path.end(), seen.begin(), seen.end());
      step = env.step(policy(seen), seen);
    }
    out.returns.push_back(sum);
  }
  Shape shape = env.observation_space().shape();
  const auto width = static_cast<int64_t>(std::max<size_t>(seen.size(), 1));
  shape.insert(0, static_cast<int64_t>(path.size()) / width);
  out.first = from_vector(path, shape);
  return out;
}

}  // namespace glia::rl
