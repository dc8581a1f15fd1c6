// Evolution strategies (Salimans et al. 2017): the policy's weights are moved towards those
// neighbours whose episodes went well, without a gradient of anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "glia/optim.h"
#include "glia/rl/networks.h"
#include "glia/rl/vector.h"

namespace glia::rl {

struct EvolutionOptions {
  int64_t generations = 100;
  double sigma = 0.1;       // deviation of a neighbour's weights
  double lr = 0.03;         // of Adam
  double weight_decay = 0;  // of Adam: draws weights to 0
  uint64_t seed = 0;
};

// Each environment of a vector has a neighbour of its own, in pairs on both sides; all act at once,
// by their likeliest actions. What a generation is told is the rank of each return.
class EvolutionStrategy {
 public:
  // Throws ValueError for an odd number of environments, episodes without a limit of steps, vectors
  // that are not of kSameStep and options out of range. Of the network the policy alone is used.
  EvolutionStrategy(std::unique_ptr<VectorEnv> envs, ActorCritic network,
                    const EvolutionOptions& options = {});
  EvolutionStrategy(const EvolutionStrategy&) = delete;
  EvolutionStrategy& operator=(const EvolutionStrategy&) = delete;

  // A step is a generation. Metric: "return", the mean of all neighbours.
  training::Task task();
  int64_t updates() const { return options_.generations; }
  int64_t steps() const { return steps_; }  // in all environments
  const ActorCritic& network() const { return network_; }
  Policy policy() const { return greedy_policy(network_); }
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  training::Metrics step();
  std::vector<double> returns_of(const std::vector<Tensor>& weights);

  const EvolutionOptions options_;
  std::unique_ptr<VectorEnv> envs_;
  ActorCritic network_;
  optim::Adam optimizer_;
  int64_t generation_ = 0, steps_ = 0;
};

}  // namespace glia::rl
