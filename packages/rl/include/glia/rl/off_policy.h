// What agents have in common that learn from a replay buffer, in one environment.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "glia/rl/policy.h"
#include "glia/rl/replay.h"
#include "glia/train.h"

namespace glia::rl {

// When an agent acts, learns and forgets.
struct OffPolicyOptions {
  int64_t total_steps = 0;      // in the environment
  int64_t learning_starts = 0;  // random steps before learning begins
  int64_t train_frequency = 1;  // steps for each update
  int64_t buffer_size = 0;      // transitions that are remembered
  int64_t batch_size = 0;       // transitions in each update
  ReplayOptions replay = {};    // whose seed is the agent's
};

// The base of Dqn, Td3 and Sac. Everything that it draws is a function of the seed and the step, or
// of the random stream, which checkpoints have.
class OffPolicy {
 public:
  virtual ~OffPolicy() = default;
  OffPolicy(const OffPolicy&) = delete;
  OffPolicy& operator=(const OffPolicy&) = delete;

  // For a Trainer of updates() steps: the first fills the buffer, each of the others takes a few
  // steps in the environment and makes an update. Metrics: "return", the mean of the last hundred
  // episodes, none before an episode has ended; what the agent measures, none in the first step.
  training::Task task();
  int64_t updates() const;
  // How many steps in the environment there are after so many of the trainer.
  int64_t steps_after(int64_t updates) const;

  const Env& env() const { return *env_; }
  int64_t steps() const { return steps_; }
  const std::deque<double>& returns() const { return statistics_.returns(); }
  virtual Policy policy() const = 0;  // the best it knows; the agent must outlive it

  // Of what is no part of the environment, the buffer, the networks or the optimizers.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 protected:
  // Throws ValueError for options out of range and observations that are not f32.
  OffPolicy(const char* name, std::unique_ptr<Env> env, const OffPolicyOptions& options);

  // What is done after the random steps.
  virtual Decision act(const ObservationView& seen, data::Random& random) = 0;
  // One update, and what it measures, under these names.
  virtual training::Metrics update() = 0;
  virtual std::vector<std::string> measured() const = 0;
  virtual std::vector<training::Part> networks() = 0;

  ReplayBuffer& buffer() { return buffer_; }
  const Space& actions() const { return env_->action_space(); }
  Transitions sample(double beta = 1) { return buffer_.sample(options_.batch_size, beta); }

 private:
  training::Metrics step();
  void take_step();

  const char* name_;
  const OffPolicyOptions options_;
  std::unique_ptr<Env> env_;
  ReplayBuffer buffer_;
  std::vector<float> seen_, next_;
  EpisodeStatistics statistics_;
  int64_t steps_ = 0;
};

}  // namespace glia::rl
