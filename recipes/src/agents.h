// What recipes of reinforcement learning share: their environments, and agents that have learnt.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "glia/recipes/recipe.h"
#include "glia/recipes/run.h"
#include "glia/rl/env.h"
#include "glia/rl/policy.h"

namespace glia::recipes {

constexpr int64_t kEpochsOfAgents = 50, kEpisodesOfAgents = 20;

// An environment by its name as networks take it: observations of f32 (see FlattenObservation), and
// a limit of steps where it has none.
std::unique_ptr<rl::Env> env_for_networks(const std::string& name);

// Episodes by a policy from starts that no training has seen: "greedy_return", "least", "most",
// "episodes".
Results played(rl::Env& env, const rl::Policy& policy, int64_t episodes, int64_t seed);

// What a run ends with: the results, with the returns of the last training episodes in front if
// there are any, and pictures of an episode, which is saved as episode.gif too.
struct Finished {
  Results results;
  std::vector<report::Section> sections;
};
Finished finished(Run& run, rl::Env& env, const rl::Policy& policy, int64_t seed,
                  const std::deque<double>& returns, int64_t steps, double seconds);

// Curves over steps in the environment, of metrics (title and name).
std::vector<report::Section> curves_of(
    const training::Trainer& trainer, const std::vector<double>& steps,
    const std::vector<std::pair<std::string, std::string>>& metrics);

// Plays and answers by a policy.
class Player : public Predictor {
 protected:
  Player(const std::string& env, int64_t seed) : env_(env), seed_(seed) {}
  void set_policy(rl::Policy policy) { policy_ = std::move(policy); }
  std::vector<float> observation(const Input& input) const;
  Results answer(const Input& input) const override;
  Results score(const Evaluation& what) const override;

 private:
  const std::string env_;
  const int64_t seed_;
  rl::Policy policy_;
};

}  // namespace glia::recipes
