// Policy gradients: REINFORCE (Williams 1992), A2C (Mnih et al. 2016), PPO (Schulman et al. 2017)
// and TRPO (Schulman et al. 2015), with generalised advantages (Schulman et al. 2016).
//
//   auto envs = std::make_unique<rl::VectorEnv>("CartPole-v1", 4, rl::AutoresetMode::kSameStep);
//   rl::ActorCritic network(envs->single_observation_space(), envs->single_action_space());
//   rl::Ppo agent(std::move(envs), std::move(network), {.rollout = {.total_steps = 100000}});
//   training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 10});
//   trainer.fit();
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "glia/optim.h"
#include "glia/rl/networks.h"
#include "glia/rl/vector.h"
#include "glia/rl/wrappers.h"

namespace glia::rl {

// What is gathered between two updates.
struct RolloutOptions {
  int64_t total_steps = 500000;     // in all environments
  int64_t num_steps = 128;          // of each environment in a rollout
  double gamma = 0.99;              // what a reward is worth a step later
  double gae_lambda = 0.95;         // 1: advantages of whole returns, 0: of one step
  bool bootstrap_truncated = true;  // what is cut off goes on with the critic's value
  bool norm_reward = false;         // learns from rewards as NormalizeReward has them, within 10
  uint64_t seed = 0;
};

// Generalised advantages of (T, N) rewards and values, row-major. next_values are those of what
// follows each step within its episode, 0 where it terminated; an ended one is the last of its
// episode. Throws ShapeError where sizes differ.
std::vector<double> gae(const std::vector<double>& rewards, const std::vector<double>& values,
                        const std::vector<double>& next_values, const std::vector<uint8_t>& ended,
                        int64_t num_envs, double gamma, double lambda);

// The base of A2c, Ppo and Trpo: environments that one policy acts in, side by side.
class OnPolicy {
 public:
  virtual ~OnPolicy() = default;
  OnPolicy(const OnPolicy&) = delete;
  OnPolicy& operator=(const OnPolicy&) = delete;

  // For a Trainer of updates() steps, each a rollout and an update. Metrics: "return", the mean of
  // the last hundred episodes, none before one has ended; "policy_loss", "value_loss", "entropy",
  // "kl" of the policy before and after.
  training::Task task();
  int64_t updates() const;
  int64_t steps_after(int64_t updates) const;  // in all environments
  int64_t steps() const { return steps_after(updates_); }

  const ActorCritic& network() const { return network_; }
  const std::deque<double>& returns() const { return statistics_.returns(); }
  Policy policy() const { return greedy_policy(network_); }

  // Of what is no part of the environments, the network or the optimizer.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 protected:
  // Of T steps of N environments, T N rows.
  struct Rollout {
    Tensor observations;                 // (T N, ...)
    Tensor actions;                      // (T N) i64 or (T N, values)
    Tensor policy;                       // (T N, actions or values): what the policy gave
    Tensor log_std;                      // (values) of a box, then
    Tensor log_probs;                    // (T N) of the actions
    Tensor advantages, returns, values;  // (T N)
  };
  // Throws ValueError for options out of range, and vectors that are not of kSameStep.
  OnPolicy(const char* name, std::unique_ptr<VectorEnv> envs, ActorCritic network,
           const RolloutOptions& options);

  // One update; metrics behind "return".
  virtual training::Metrics learn(const Rollout& rollout) = 0;
  virtual std::vector<training::Part> optimizers() = 0;

  ActorCritic& learner() { return network_; }
  int64_t rows() const { return options_.num_steps * envs_->num_envs(); }
  double part_done() const;  // from 0 at the first update to below 1 at the last
  uint64_t seed() const { return options_.seed; }
  int64_t updates_done() const { return updates_; }

 private:
  training::Metrics step();
  Rollout gather();
  double learnt_reward(size_t env, double reward, bool terminated);

  const char* name_;
  const RolloutOptions options_;
  std::unique_ptr<VectorEnv> envs_;
  ActorCritic network_;
  EpisodeStatistics statistics_;
  RunningMeanStd rewards_{1};  // of discounted sums, and the running ones of each environment
  std::vector<double> discounted_;
  int64_t updates_ = 0;
};

// The defaults are those of CleanRL's ppo.py; ppo_continuous_options() has those of
// ppo_continuous_action.py.
struct PpoOptions {
  RolloutOptions rollout = {};
  double lr = 2.5e-4;     // of Adam, whose eps is 1e-5
  bool anneal_lr = true;  // falls to 0
  int64_t num_minibatches = 4;
  int64_t update_epochs = 4;  // passes over a rollout
  bool norm_adv = true;       // advantages of a minibatch: mean 0, deviation 1
  double clip_coef = 0.2;     // how far probabilities may move apart; 0: as far as they like
  bool clip_vloss = true;     // the same of values
  double ent_coef = 0.01;     // what entropy is worth
  double vf_coef = 0.5;       // what the critic's loss counts
  double max_grad_norm = 0.5;
  double target_kl = 0;  // no further pass when the divergence is above; 0: any
  double kl_coef = 0;    // what the divergence from the old policy costs (section 4 of the paper)
};
PpoOptions ppo_continuous_options();

class Ppo : public OnPolicy {
 public:
  Ppo(std::unique_ptr<VectorEnv> envs, ActorCritic network, const PpoOptions& options = {});

 private:
  training::Metrics learn(const Rollout& rollout) override;
  std::vector<training::Part> optimizers() override { return {{"optimizer", optimizer_}}; }

  const PpoOptions options_;
  optim::Adam optimizer_;
};

// The defaults are Stable-Baselines3's.
struct A2cOptions {
  RolloutOptions rollout = {.num_steps = 5, .gae_lambda = 1};
  double lr = 7e-4;  // of RMSprop, with alpha 0.99 and eps 1e-5
  bool norm_adv = false;
  double ent_coef = 0;
  double vf_coef = 0.5;
  double max_grad_norm = 0.5;
};

class A2c : public OnPolicy {
 public:
  A2c(std::unique_ptr<VectorEnv> envs, ActorCritic network, const A2cOptions& options = {});

 private:
  training::Metrics learn(const Rollout& rollout) override;
  std::vector<training::Part> optimizers() override { return {{"optimizer", optimizer_}}; }

  const A2cOptions options_;
  optim::RMSprop optimizer_;
};

// The defaults are those of Stable-Baselines3's contrib.
struct TrpoOptions {
  RolloutOptions rollout = {.num_steps = 512};
  double target_kl = 0.01;    // the most that a step may move the policy
  int64_t cg_max_steps = 15;  // of conjugate gradients
  double cg_damping = 0.1;    // added to the Fisher matrix
  int64_t line_search_steps = 10;
  double line_search_shrinking = 0.8;
  int64_t n_critic_updates = 10;  // passes of the critic over a rollout
  double critic_lr = 1e-3;        // of Adam
};

class Trpo : public OnPolicy {
 public:
  Trpo(std::unique_ptr<VectorEnv> envs, ActorCritic network, const TrpoOptions& options = {});

 private:
  training::Metrics learn(const Rollout& rollout) override;
  std::vector<training::Part> optimizers() override { return {{"optimizer", optimizer_}}; }

  const TrpoOptions options_;
  optim::Adam optimizer_;  // of the critic
};

// Whole episodes, one environment, and the critic as the baseline.
struct ReinforceOptions {
  int64_t total_episodes = 1000;
  int64_t batch_episodes = 4;  // for each update
  double lr = 1e-3;            // of Adam, for policy and baseline
  double gamma = 0.99;
  bool baseline = true;  // returns less the critic's value; else less their mean
  uint64_t seed = 0;
};

class Reinforce {
 public:
  // Throws ValueError for options out of range, and an environment without a limit of steps.
  Reinforce(std::unique_ptr<Env> env, ActorCritic network, const ReinforceOptions& options = {});
  Reinforce(const Reinforce&) = delete;
  Reinforce& operator=(const Reinforce&) = delete;

  // Metrics: "return", "policy_loss".
  training::Task task();
  int64_t updates() const;
  const ActorCritic& network() const { return network_; }
  const std::deque<double>& returns() const { return statistics_.returns(); }
  Policy policy() const { return greedy_policy(network_); }
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  training::Metrics step();

  const ReinforceOptions options_;
  std::unique_ptr<Env> env_;
  ActorCritic network_;
  optim::Adam optimizer_;
  EpisodeStatistics statistics_;
  int64_t episodes_ = 0;
};

}  // namespace glia::rl
