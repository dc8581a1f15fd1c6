// Deep Q-learning (Mnih et al. 2015) and what was added to it up to Rainbow (Hessel et al. 2018).
//
//   auto env = rl::make("CartPole-v1");
//   rl::QNetwork network(env->observation_space(), env->action_space());
//   rl::Dqn agent(std::move(env), std::move(network), {.total_steps = 50000});
//   training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 100});
//   trainer.fit();
#pragma once

#include <cstdint>
#include <memory>

#include "glia/optim.h"
#include "glia/rl/networks.h"
#include "glia/rl/off_policy.h"

namespace glia::rl {

// The defaults are those of CleanRL's dqn.py, with double estimates. What the network is made for
// (dueling, noisy, C51, quantiles) is an option of the network.
struct DqnOptions {
  int64_t total_steps = 500000;       // in the environment
  int64_t learning_starts = 10000;    // random steps before learning begins
  int64_t train_frequency = 10;       // steps for each update
  int64_t target_frequency = 500;     // steps after which the target network is renewed
  int64_t buffer_size = 10000;        // transitions that are remembered
  int64_t batch_size = 128;           // transitions in each update
  double lr = 2.5e-4;                 // of Adam
  double eps = 1e-8;                  // of Adam
  double gamma = 0.99;                // what a reward is worth a step later
  double end_e = 0.05;                // share of random actions in the end; it falls from 1
  double exploration_fraction = 0.5;  // part of the steps in which it falls
  bool double_q = true;               // the online network chooses what the target network values
  int64_t n_step = 1;                 // steps whose rewards are summed (Sutton 1988)
  double per_alpha = 0;               // priorities: |error|^alpha (Schaul et al. 2016); 0: none
  double per_beta = 0.4;              // of their weights at the start; it rises to 1
  uint64_t seed = 0;
};

// An agent in an environment of few actions. A noisy network explores by its noise alone. Metrics:
// "exploring", the share of random actions, and "loss".
class Dqn : public OffPolicy {
 public:
  // Throws ValueError for options out of range, actions that are no choice or observations that are
  // not f32.
  Dqn(std::unique_ptr<Env> env, QNetwork network, const DqnOptions& options = {});

  const QNetwork& network() const { return q_; }
  Policy policy() const override { return greedy_policy(q_); }

 private:
  Decision act(const ObservationView& seen, data::Random& random) override;
  training::Metrics update() override;
  std::vector<std::string> measured() const override { return {"exploring", "loss"}; }
  std::vector<training::Part> networks() override;
  double exploring() const;

  const DqnOptions options_;
  QNetwork q_, target_;
  optim::Adam optimizer_;
};

}  // namespace glia::rl
