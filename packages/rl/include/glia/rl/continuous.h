// Agents whose actions are values of a box: DDPG (Lillicrap et al. 2016), TD3 (Fujimoto et al.
// 2018) and SAC (Haarnoja et al. 2018).
//
//   rl::Sac agent(rl::make("Pendulum-v1"), {.total_steps = 20000, .learning_starts = 1000});
//   training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 100});
//   trainer.fit();
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "glia/optim.h"
#include "glia/rl/networks.h"
#include "glia/rl/off_policy.h"

namespace glia::rl {

// The defaults are those of CleanRL's td3_continuous_action.py.
struct Td3Options {
  int64_t total_steps = 1000000;
  int64_t learning_starts = 25000;
  int64_t train_frequency = 1;
  int64_t buffer_size = 1000000;
  int64_t batch_size = 256;
  std::vector<int64_t> hidden = {256, 256};  // of each network
  double lr = 3e-4, critic_lr = 3e-4;
  double gamma = 0.99;
  double tau = 0.005;              // how far target networks follow in an update
  double exploration_noise = 0.1;  // deviation of what is added to actions, by half their bounds
  double policy_noise = 0.2;       // the same of the target's actions,
  double noise_clip = 0.5;         // and the most of it
  int64_t policy_frequency = 2;    // updates of critics for each of the actor
  bool twin = true;                // two critics, of which the lower one counts
  uint64_t seed = 0;
};
// DDPG, with CleanRL's settings, is TD3 with one critic and no noise on the target's actions.
Td3Options ddpg_options();

// Metrics: "critic_loss", "actor_loss".
class Td3 : public OffPolicy {
 public:
  // Throws ValueError for options out of range, and actions without bounds.
  Td3(std::unique_ptr<Env> env, const Td3Options& options = {});

  const DeterministicActor& actor() const { return actor_; }
  Policy policy() const override { return greedy_policy(actor_); }

 private:
  Decision act(const ObservationView& seen, data::Random& random) override;
  training::Metrics update() override;
  std::vector<std::string> measured() const override { return {"critic_loss", "actor_loss"}; }
  std::vector<training::Part> networks() override;

  const Td3Options options_;
  DeterministicActor actor_, target_actor_;
  std::vector<Critic> critics_, target_critics_;
  optim::Adam actor_optimizer_, critic_optimizer_;
};

// The defaults are those of CleanRL's sac_continuous_action.py.
struct SacOptions {
  int64_t total_steps = 1000000;
  int64_t learning_starts = 5000;
  int64_t train_frequency = 1;
  int64_t buffer_size = 1000000;
  int64_t batch_size = 256;
  std::vector<int64_t> hidden = {256, 256};  // of each network
  double policy_lr = 3e-4, q_lr = 1e-3;
  double gamma = 0.99;
  double tau = 0.005;            // how far target networks follow in an update
  int64_t policy_frequency = 2;  // updates after which the actor makes as many
  double alpha = 0.2;            // what entropy is worth,
  bool autotune = true;          // or learnt, from 1 on, so that entropy is -1 for each value
  uint64_t seed = 0;
};

// Metrics: "critic_loss", "actor_loss", "alpha".
class Sac : public OffPolicy {
 public:
  // Throws ValueError for options out of range, and actions without bounds.
  Sac(std::unique_ptr<Env> env, const SacOptions& options = {});

  const SquashedActor& actor() const { return actor_; }
  Policy policy() const override { return greedy_policy(actor_); }

 private:
  Decision act(const ObservationView& seen, data::Random& random) override;
  training::Metrics update() override;
  std::vector<std::string> measured() const override {
    return {"critic_loss", "actor_loss", "alpha"};
  }
  std::vector<training::Part> networks() override;
  Tensor alpha() const;

  const SacOptions options_;
  SquashedActor actor_;
  std::vector<Critic> critics_, target_critics_;
  Parameter log_alpha_;  // (1)
  optim::Adam actor_optimizer_, critic_optimizer_, alpha_optimizer_;
};

}  // namespace glia::rl
