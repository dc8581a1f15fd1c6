#include "glia/rl/planning.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace glia::rl {
namespace {

void check(const Model& model, const PlanOptions& o) {
  model.check();
  if (!(o.gamma >= 0 && o.gamma <= 1)) throw ValueError("planning: gamma is not between 0 and 1");
  if (!(o.tolerance >= 0)) throw ValueError("planning: tolerance is below 0");
  if (o.max_sweeps < 1) throw ValueError("planning: max_sweeps is not at least 1");
}

double expected(std::span<const Outcome> outcomes, const std::vector<double>& values,
                double gamma) {
  double sum = 0;
  for (const Outcome& o : outcomes)
    sum += o.probability *
           (o.reward + (o.terminated ? 0 : gamma * values[static_cast<size_t>(o.next)]));
  return sum;
}

double best(const Model& model, int64_t state, const std::vector<double>& values, double gamma) {
  double most = expected(model.at(state, 0), values, gamma);
  for (int64_t a = 1; a < model.actions; ++a)
    most = std::max(most, expected(model.at(state, a), values, gamma));
  return most;
}

// Sets values[s] = update(s), state after state, until none changes; how many sweeps that took.
template <class Update>
int64_t until_still(std::vector<double>& values, const PlanOptions& o, const Update& update) {
  for (int64_t sweep = 1; sweep <= o.max_sweeps; ++sweep) {
    double change = 0, size = 1;
    for (size_t s = 0; s < values.size(); ++s) {
      const double value = update(static_cast<int64_t>(s));
      change = std::max(change, std::abs(value - values[s]));
      size = std::max(size, std::abs(value));
      values[s] = value;
    }
    if (change <= o.tolerance * size) return sweep;
  }
  throw Error("planning: values still change after " + std::to_string(o.max_sweeps) +
              " sweeps; with gamma 1 a policy must come to an end");
}

int64_t evaluate(const Model& model, const std::vector<int64_t>& policy, const PlanOptions& o,
                 std::vector<double>& values) {
  return until_still(values, o, [&](int64_t s) {
    return expected(model.at(s, policy[static_cast<size_t>(s)]), values, o.gamma);
  });
}

// The plan that these values tell: rounding does not count as a difference.
Plan plan_of(const Model& model, std::vector<double> values, double gamma) {
  Plan plan;
  for (int64_t s = 0; s < model.states; ++s) {
    const double most = best(model, s, values, gamma), slack = 1e-9 * (1 + std::abs(most));
    int64_t chosen = -1;
    for (int64_t a = 0; a < model.actions; ++a) {
      plan.q.push_back(expected(model.at(s, a), values, gamma));
      if (chosen < 0 && plan.q.back() >= most - slack) chosen = a;
    }
    plan.policy.push_back(chosen);
  }
  plan.values = std::move(values);
  return plan;
}

}  // namespace

double Plan::value_of_start(const Model& model) const {
  double sum = 0;
  for (size_t s = 0; s < values.size(); ++s) sum += model.initial.at(s) * values[s];
  return sum;
}

Plan value_iteration(const Model& model, const PlanOptions& o) {
  check(model, o);
  std::vector<double> values(static_cast<size_t>(model.states));
  const int64_t sweeps =
      until_still(values, o, [&](int64_t s) { return best(model, s, values, o.gamma); });
  Plan plan = plan_of(model, std::move(values), o.gamma);
  plan.sweeps = sweeps;
  return plan;
}

Plan policy_iteration(const Model& model, const PlanOptions& o) {
  check(model, o);
  std::vector<double> values(static_cast<size_t>(model.states));
  // The greedy one of one look ahead; each evaluation begins with the values of the one before.
  Plan plan = plan_of(model, values, o.gamma);
  int64_t sweeps = 0, improvements = 0;
  while (improvements < o.max_sweeps) {
    const std::vector<int64_t> policy = plan.policy;
    values = std::move(plan.values);
    sweeps += evaluate(model, policy, o, values);
    ++improvements;
    plan = plan_of(model, std::move(values), o.gamma);
    // An action stays unless another one is better.
    bool same = true;
    for (size_t s = 0; s < policy.size(); ++s) {
      const double* q = &plan.q[s * static_cast<size_t>(model.actions)];
      const double now = q[policy[s]], most = q[plan.policy[s]];
      if (most <= now + 1e-9 * (1 + std::abs(now)))
        plan.policy[s] = policy[s];
      else
        same = false;
    }
    if (same) break;
  }
  plan.sweeps = sweeps;
  plan.improvements = improvements;
  return plan;
}

std::vector<double> policy_evaluation(const Model& model, const std::vector<double>& probabilities,
                                      const PlanOptions& o) {
  check(model, o);
  const auto actions = static_cast<size_t>(model.actions);
  if (probabilities.size() != static_cast<size_t>(model.states) * actions)
    throw ShapeError("policy_evaluation: " + std::to_string(probabilities.size()) +
                     " probabilities for " + std::to_string(model.states) + " states and " +
                     std::to_string(actions) + " actions");
  for (size_t s = 0; s < probabilities.size(); s += actions) {
    double sum = 0;
    for (size_t a = 0; a < actions; ++a) sum += probabilities[s + a];
    if (!(std::abs(sum - 1) < 1e-9))
      throw ValueError("policy_evaluation: probabilities of state " + std::to_string(s / actions) +
                       " sum to " + std::to_string(sum) + ", not 1");
  }
  std::vector<double> values(static_cast<size_t>(model.states));
  until_still(values, o, [&](int64_t s) {
    double sum = 0;
    for (int64_t a = 0; a < model.actions; ++a) {
      const double p = probabilities[static_cast<size_t>(s * model.actions + a)];
      if (p != 0) sum += p * expected(model.at(s, a), values, o.gamma);
    }
    return sum;
  });
  return values;
}

std::vector<double> policy_evaluation(const Model& model, const std::vector<int64_t>& policy,
                                      const PlanOptions& o) {
  check(model, o);
  if (policy.size() != static_cast<size_t>(model.states))
    throw ShapeError("policy_evaluation: " + std::to_string(policy.size()) + " actions for " +
                     std::to_string(model.states) + " states");
  for (const int64_t a : policy)
    if (a < 0 || a >= model.actions)
      throw ValueError("policy_evaluation: there is no action " + std::to_string(a));
  std::vector<double> values(policy.size());
  evaluate(model, policy, o, values);
  return values;
}

std::vector<double> finite_horizon(const Model& model, int64_t steps, double gamma) {
  check(model, {.gamma = gamma});
  if (steps < 0) throw ValueError("finite_horizon: steps is below 0");
  std::vector<double> values(static_cast<size_t>(model.states)), before;
  for (int64_t i = 0; i < steps; ++i) {
    before = values;
    for (int64_t s = 0; s < model.states; ++s)
      values[static_cast<size_t>(s)] = best(model, s, before, gamma);
  }
  return values;
}

}  // namespace glia::rl
