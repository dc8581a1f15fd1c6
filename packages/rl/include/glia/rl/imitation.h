// Learning from what an expert does: behavioural cloning, and DAgger (Ross et al. 2011), which asks
// him what he would have done where the learner got to.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "glia/optim.h"
#include "glia/rl/networks.h"

namespace glia::rl {

struct DaggerOptions {
  int64_t iterations = 10;
  int64_t steps = 500;  // in the environment, in each iteration
  // The expert acts in so many steps of iteration n: beta_decay^n, drawn in each step; else the
  // learner does. 1: he always does, which is behavioural cloning.
  double beta_decay = 0;
  int64_t epochs = 10;  // passes over all that was gathered so far, in each iteration
  int64_t batch_size = 64;
  double lr = 1e-3;  // of Adam
  uint64_t seed = 0;
};

class Dagger {
 public:
  // Throws ValueError for options out of range and a network for other spaces. The expert is asked
  // in each step, and must be a function of what it sees.
  Dagger(std::unique_ptr<Env> env, Policy expert, ActorCritic network,
         const DaggerOptions& options = {});
  Dagger(const Dagger&) = delete;
  Dagger& operator=(const Dagger&) = delete;

  // A step is an iteration. Metrics: "return" of the episodes that were gathered, "loss": how
  // unlikely the expert's actions are, in nats.
  training::Task task();
  int64_t updates() const { return options_.iterations; }
  int64_t gathered() const { return static_cast<int64_t>(rows_); }  // observations with an action
  const ActorCritic& network() const { return network_; }
  Policy policy() const { return greedy_policy(network_); }
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  training::Metrics step();

  const DaggerOptions options_;
  std::unique_ptr<Env> env_;
  Policy expert_;
  ActorCritic network_;
  optim::Adam optimizer_;
  EpisodeStatistics statistics_;
  int64_t iteration_ = 0;
  size_t rows_ = 0;
  std::vector<float> seen_, now_, boxes_;
  std::vector<int64_t> choices_;
};

}  // namespace glia::rl
