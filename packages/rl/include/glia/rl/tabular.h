// Learning values of actions in a table, without a model (Sutton & Barto 2018): temporal
// differences and whole episodes, in environments whose observations can be counted.
//
//   auto env = rl::make("CliffWalking-v1");
//   rl::TabularAgent agent(*env, {.method = rl::TabularMethod::kSarsa, .gamma = 1});
//   for (int i = 0; i < 500; ++i) agent.play_episode(*env);
#pragma once

#include <cstdint>
#include <vector>

#include "glia/rl/policy.h"
#include "glia/rl/toy_text.h"

namespace glia::rl {

enum class TabularMethod {
  kQLearning,      // the best action that follows (Watkins 1989)
  kSarsa,          // the action that does follow (Rummery & Niranjan 1994)
  kExpectedSarsa,  // the mean over those that may (van Seijen et al. 2009)
  kDoubleQ,        // one table chooses what another one values (van Hasselt 2010)
  kMonteCarlo,     // the return of the episode, at every visit
  kSarsaLambda,    // Sarsa with eligibility traces
  kQLambda,        // Watkins's Q(lambda): traces end where an action was not the best
};

struct TabularOptions {
  TabularMethod method = TabularMethod::kQLearning;
  double gamma = 0.99;
  // The step size of visit n of a state and action is max(min_alpha, alpha / n^alpha_power):
  // constant with power 0, the mean of all with alpha 1 and power 1.
  double alpha = 0.1, alpha_power = 0, min_alpha = 0;
  // The share of random actions in episode n is max(min_epsilon, epsilon * epsilon_decay^n).
  double epsilon = 0.1, epsilon_decay = 1, min_epsilon = 0;
  double lambda = 0.9;        // of traces
  double initial_q = 0;       // above what is possible: it explores
  int64_t max_steps = 10000;  // of an episode without a limit of its own
  uint64_t seed = 0;
};

class TabularAgent {
 public:
  // Throws ValueError for options out of range, and spaces that cannot be counted.
  TabularAgent(const Env& env, const TabularOptions& options = {});

  // Learns from one episode; its return.
  double play_episode(Env& env);
  int64_t episodes() const { return episodes_; }
  int64_t steps() const { return steps_; }  // in all episodes
  double epsilon() const;                   // of the next episode

  int64_t states() const { return states_; }
  int64_t actions() const { return actions_; }
  // The values of a state's actions; of double Q the means of both tables.
  std::vector<double> action_values(int64_t state) const;
  double value(int64_t state) const;  // of the best action
  // The best action of each observation; a copy of the table.
  Policy policy() const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  struct Transition {
    int64_t state, action;
    double reward;
  };
  int64_t choose(int64_t state, data::Random& random, bool* best = nullptr) const;
  double& q(size_t table, int64_t state, int64_t action);
  double step_size(int64_t state, int64_t action);
  double best_of(size_t table, int64_t state) const;
  int64_t best_action(size_t table, int64_t state) const;
  double value_of_next(int64_t state, int64_t action, double epsilon, size_t table) const;
  void learn_from(const std::vector<Transition>& episode);

  const TabularOptions options_;
  Space observation_space_;
  int64_t states_, actions_, episodes_ = 0, steps_ = 0;
  std::vector<double> tables_[2];  // (states * actions); the second one of double Q
  std::vector<int64_t> visits_;    // (states * actions)
  std::vector<double> traces_;     // the same, of the running episode
};

}  // namespace glia::rl
