// Deep Q-learning (Mnih et al. 2015) with double estimates (van Hasselt et al. 2016).
//
//   auto env = rl::make("CartPole-v1");
//   auto network = rl::q_network(*env);
//   rl::Dqn agent(std::move(env), std::move(network), {.total_steps = 50000});
//   training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 100});
//   trainer.fit();
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "glia/nn.h"
#include "glia/optim.h"
#include "glia/rl/env.h"
#include "glia/rl/replay.h"
#include "glia/train.h"

namespace glia::rl {

// The defaults are those of CleanRL's dqn.py.
struct DqnOptions {
  int64_t total_steps = 500000;       // in the environment
  int64_t learning_starts = 10000;    // random steps before learning begins
  int64_t train_frequency = 10;       // steps for each update
  int64_t target_frequency = 500;     // steps after which the target network is renewed
  int64_t buffer_size = 10000;        // transitions that are remembered
  int64_t batch_size = 128;           // transitions in each update
  double lr = 2.5e-4;                 // of Adam
  double gamma = 0.99;                // what a reward is worth a step later
  double end_e = 0.05;                // share of random actions in the end; it falls from 1
  double exploration_fraction = 0.5;  // part of the steps in which it falls
  bool double_q = true;               // the online network chooses what the target network values
  uint64_t seed = 0;
};

// The network of these defaults: layers of 120 and 84, with ReLU.
nn::Sequential q_network(const Env& env);

// An agent in an environment of few actions. The network gives the values of the actions:
// (N, observation) -> (N, actions).
class Dqn {
 public:
  // Throws ValueError for options out of range, actions that are no choice or observations that are
  // not f32.
  Dqn(std::unique_ptr<Env> env, nn::Sequential network, const DqnOptions& options);
  Dqn(const Dqn&) = delete;
  Dqn& operator=(const Dqn&) = delete;

  // For a Trainer of updates() steps: the first fills the buffer, each of the others takes a few
  // steps in the environment and makes an update. Metrics: "exploring", the share of random
  // actions; "return", the mean of the last hundred episodes, none before an episode has ended;
  // "loss", none in the first step.
  training::Task task();
  int64_t updates() const;
  // How many steps in the environment there are after so many of the trainer.
  int64_t steps_after(int64_t updates) const;

  const Env& env() const { return *env_; }
  const nn::Sequential& network() const { return q_; }
  int64_t steps() const { return steps_; }
  const std::deque<double>& returns() const { return returns_; }  // of the last hundred episodes

  // Of what is no part of the environment, the buffer, the networks or the optimizer.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  training::Metrics step();
  void act();
  double exploring() const;
  Tensor loss();

  const DqnOptions options_;
  std::unique_ptr<Env> env_;
  nn::Sequential q_, target_;
  optim::Adam optimizer_;
  ReplayBuffer buffer_;
  std::vector<float> seen_, next_;
  int64_t steps_ = 0;
  double sum_ = 0;  // of rewards of the running episode
  std::deque<double> returns_;
};

}  // namespace glia::rl
