// Networks of agents, made for an environment's spaces. What is observed is f32 (N, ...): vectors
// go through layers of `hidden` units, arrays are flattened first, pictures (height, width,
// channels) go through 16 convolutions of 3 x 3 before.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn.h"
#include "glia/rl/policy.h"

namespace glia::rl {

// ---- Values of actions ------------------------------------------------------------------------

// x W^T + b with noise of factors on both, drawn anew in each call in training mode (Fortunato et
// al. 2018): (..., in) -> (..., out).
struct NoisyLinear : nn::Module {
  NoisyLinear(int64_t in_features, int64_t out_features, double std_init = 0.5);
  Tensor operator()(const Tensor& x) const;

  Parameter weight_mu, weight_sigma, bias_mu, bias_sigma;  // (out, in), (out)
  GLIA_FIELDS(weight_mu, weight_sigma, bias_mu, bias_sigma)
};

// What a network tells of the return of an action.
enum class ReturnKind {
  kMean,
  kCategorical,  // probabilities of atoms between v_min and v_max (C51, Bellemare et al. 2017)
  kQuantile,     // as many quantiles (QR-DQN, Dabney et al. 2018)
};
struct QNetworkOptions {
  std::vector<int64_t> hidden = {120, 84};
  bool dueling = false;  // the value of the state and what actions add to it (Wang et al. 2016)
  bool noisy = false;    // layers behind the first are NoisyLinear
  ReturnKind returns = ReturnKind::kMean;
  int64_t atoms = 101;  // or quantiles
  double v_min = -100, v_max = 100;
};

// Throws ValueError for options out of range, observations that are not f32 and actions that are no
// choice.
class QNetwork : public nn::Module {
 public:
  QNetwork(const Space& observations, const Space& actions, const QNetworkOptions& options = {});

  // The mean return of each action: (N, ...) -> (N, actions).
  Tensor operator()(const Tensor& observations) const;
  // Logits of the atoms, or the quantiles: (N, actions, atoms). Of kMean: (N, actions, 1).
  Tensor returns(const Tensor& observations) const;
  Tensor atoms() const;  // (atoms): the returns that logits are of

  const QNetworkOptions& options() const { return options_; }
  const Space& observation_space() const { return observation_space_; }

  nn::Sequential trunk, advantage, value;  // value: of dueling
  GLIA_FIELDS(trunk, advantage, value)

 private:
  QNetworkOptions options_;
  Space observation_space_;
  int64_t actions_;
};

// The means for one observation, and the policy of the largest. The network must outlive it.
std::vector<double> action_values(const QNetwork& network, const ObservationView& seen);
Policy greedy_policy(const QNetwork& network);

// ---- Stochastic policies ----------------------------------------------------------------------

struct ActorCriticOptions {
  std::vector<int64_t> hidden = {64, 64};  // of each network, with tanh
};

// A policy and the value of what is observed, with orthogonal weights, as CleanRL's PPO: logits of
// a categorical distribution, or means of a normal one whose deviation is a parameter of each
// value.
class ActorCritic : public nn::Module {
 public:
  // Throws ValueError for observations that are not f32.
  ActorCritic(const Space& observations, const Space& actions,
              const ActorCriticOptions& options = {});

  Tensor policy(const Tensor& observations) const;  // (N, actions): logits or means
  Tensor value(const Tensor& observations) const;   // (N)
  // Of what policy() gave and actions (N) i64, or (N, values) -> (N).
  Tensor log_prob(const Tensor& policy, const Tensor& actions) const;
  Tensor entropy(const Tensor& policy) const;  // (N)
  // KL(old | new) of two results of policy() -> (N), with the deviations of then and now.
  Tensor kl(const Tensor& old_policy, const Tensor& old_log_std, const Tensor& policy) const;

  bool is_discrete() const { return action_space_.is_discrete(); }
  const Space& observation_space() const { return observation_space_; }
  const Space& action_space() const { return action_space_; }

  nn::Sequential critic, actor;
  Parameter log_std;  // (values), of a box
  GLIA_FIELDS(critic, actor, log_std)

 private:
  Space observation_space_, action_space_;
};

// The likeliest action: the largest logit, or the means. The network must outlive it.
Policy greedy_policy(const ActorCritic& network);

// ---- Actors and critics of continuous actions ---------------------------------------------------

// The value of an observation and an action: (N, ...), (N, values) -> (N).
class Critic : public nn::Module {
 public:
  Critic(const Space& observations, const Space& actions, const std::vector<int64_t>& hidden);
  Tensor operator()(const Tensor& observations, const Tensor& actions) const;

  nn::Sequential layers;
  GLIA_FIELDS(layers)
};

// An action within the bounds of its space, by tanh: (N, ...) -> (N, values). Throws ValueError for
// spaces without bounds and choices.
class DeterministicActor : public nn::Module {
 public:
  DeterministicActor(const Space& observations, const Space& actions,
                     const std::vector<int64_t>& hidden);
  Tensor operator()(const Tensor& observations) const;
  const Space& observation_space() const { return observation_space_; }

  nn::Sequential layers;
  Buffer scale, bias;  // (values): half of the bounds' distance, and their middle
  GLIA_FIELDS(layers, scale, bias)

 private:
  Space observation_space_;
};

// A normal distribution squashed by tanh into the bounds (Haarnoja et al. 2018).
class SquashedActor : public nn::Module {
 public:
  SquashedActor(const Space& observations, const Space& actions,
                const std::vector<int64_t>& hidden);
  struct Sample {
    Tensor action;    // (N, values), with gradients
    Tensor log_prob;  // (N)
  };
  Sample sample(const Tensor& observations) const;
  Tensor mean(const Tensor& observations) const;  // the action of the mean
  const Space& observation_space() const { return observation_space_; }

  nn::Sequential layers;  // means and logarithms of deviations
  Buffer scale, bias;     // as of DeterministicActor
  GLIA_FIELDS(layers, scale, bias)

 private:
  Space observation_space_;
};

Policy greedy_policy(const DeterministicActor& network);
Policy greedy_policy(const SquashedActor& network);

}  // namespace glia::rl
