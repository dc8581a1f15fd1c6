// What an agent does with what it sees, and how well it does.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "glia/nn.h"
#include "glia/rl/env.h"

namespace glia::rl {

// The number of an action, for an observation.
using Policy = std::function<int64_t(std::span<const float> observation)>;

// The values of actions that a network (1, ...) -> (1, actions) gives for one observation, and the
// action of the largest, the first of equals.
std::vector<double> action_values(const nn::Sequential& network,
                                  std::span<const float> observation);
int64_t greedy_action(const std::vector<double>& values);
// The action of the largest value. The network must outlive it.
Policy greedy_policy(const nn::Sequential& network);

// Whole episodes.
struct Episodes {
  std::vector<double> returns;  // the sum of rewards of each
  Tensor first;                 // f32 (T, ...): what was observed before each step of the first
};
// Plays them, without gradients, from the start of that seed. Throws ValueError for an environment
// whose observations are not f32 or whose episodes have no limit of steps.
Episodes play(Env& env, const Policy& policy, int64_t episodes, uint64_t seed);

}  // namespace glia::rl
