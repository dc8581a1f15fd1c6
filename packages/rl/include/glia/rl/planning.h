// Planning: the best policy of a model that is known, by dynamic programming (Bellman 1957).
#pragma once

#include <cstdint>
#include <vector>

#include "glia/rl/toy_text.h"

namespace glia::rl {

struct PlanOptions {
  double gamma = 0.99;           // what a reward is worth a step later
  double tolerance = 1e-12;      // ends when no value changes by more
  int64_t max_sweeps = 1000000;  // over all states
};

// A policy and its values.
struct Plan {
  std::vector<double> values;   // (states)
  std::vector<double> q;        // (states * actions), row-major
  std::vector<int64_t> policy;  // (states): the first of the best actions
  int64_t sweeps = 0;           // over all states; of policy iteration: of all evaluations
  int64_t improvements = 0;     // of policy iteration: policies that were evaluated
  double value_of_start(const Model& model) const;  // mean over where episodes begin
};

// Throw ValueError for options out of range and models that are none (see Model::check), Error if
// max_sweeps do not suffice, as for a reward that never ends with gamma 1.

// The values of the best policy (Bellman 1957).
Plan value_iteration(const Model& model, const PlanOptions& options = {});
// Policies that are evaluated and improved until none is better (Howard 1960).
Plan policy_iteration(const Model& model, const PlanOptions& options = {});
// The values of a policy: the probability of each action in each state, (states * actions), or one
// action of each state, (states).
std::vector<double> policy_evaluation(const Model& model, const std::vector<double>& probabilities,
                                      const PlanOptions& options = {});
std::vector<double> policy_evaluation(const Model& model, const std::vector<int64_t>& policy,
                                      const PlanOptions& options = {});
// The best values that so many steps can give, as under a limit of steps.
std::vector<double> finite_horizon(const Model& model, int64_t steps, double gamma = 1);

}  // namespace glia::rl
