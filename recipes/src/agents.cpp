#include "agents.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "glia/glia.h"
#include "glia/rl/wrappers.h"
#include "numbers.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPictures = 12, kFrames = 300, kMostSteps = 1000;

double mean_of(const auto& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Of values for actions returns differ more from episode to episode.
int64_t episodes_of(const rl::Env& env) {
  return env.action_space().is_discrete() ? kEpisodesOfAgents : 5 * kEpisodesOfAgents;
}

// Each of f32 and of few numbers.
bool is_vector(const rl::Space& space) {
  return space.dtype() == kF32 && space.shape().rank() == 1 && space.size() <= 16;
}

std::vector<report::Section> episode_sections(Run& run, rl::Env& env, const rl::Policy& policy,
                                              int64_t seed) {
  std::vector<report::Section> sections;
  const rl::Episodes episode = rl::play(env, policy, 1, static_cast<uint64_t>(seed + 1));
  if (is_vector(env.observation_space())) {
    report::Curves curves{.series = {}, .x = {"step"}};
    for (int64_t i = 0; i < episode.first.size(1); ++i)
      curves.series.push_back({fmt::format("observation {}", i),
                               index(episode.first, {Ellipsis, i}).to_vector<double>()});
    sections.push_back({"An episode by the trained agent", curves});
  }
  std::vector<Tensor> frames;
  try {
    frames = rl::record(env, policy, static_cast<uint64_t>(seed + 1), kFrames);
  } catch (const Error&) {  // it has no picture
    return sections;
  }
  io::write_file_atomic(run.file("episode.gif"), rl::encode_gif(frames));
  report::Images::Group group{"", {}};
  const auto count = static_cast<int64_t>(frames.size());
  for (int64_t i = 0; i < std::min(count, kPictures); ++i) {
    const int64_t at = i * (count - 1) / std::max<int64_t>(1, std::min(count, kPictures) - 1);
    group.pictures.push_back({frames[static_cast<size_t>(at)], fmt::format("step {}", at)});
  }
  sections.push_back({"Pictures of that episode", report::Images{.groups = {group}, .width = 150},
                      "All of them are in episode.gif.", true});
  return sections;
}

}  // namespace

std::unique_ptr<rl::Env> env_for_networks(const std::string& name) {
  auto env = rl::make(name);
  if (env->max_episode_steps() == 0) env->set_max_episode_steps(kMostSteps);
  if (env->observation_space().dtype() == kF32) return env;
  return std::make_unique<rl::FlattenObservation>(std::move(env));
}

Results played(rl::Env& env, const rl::Policy& policy, int64_t episodes, int64_t seed) {
  const auto returns = rl::play(env, policy, episodes, static_cast<uint64_t>(seed + 1)).returns;
  const auto [least, most] = std::ranges::minmax(returns);
  return {{"greedy_return", mean_of(returns)},
          {"least", least},
          {"most", most},
          {"episodes", static_cast<int64_t>(returns.size())}};
}

Finished finished(Run& run, rl::Env& env, const rl::Policy& policy, int64_t seed,
                  const std::deque<double>& returns, int64_t steps, double seconds) {
  Finished out;
  if (!returns.empty()) out.results.push_back({"return_of_last_episodes", mean_of(returns)});
  out.results.push_back(played(env, policy, episodes_of(env), seed)[0]);
  out.results.push_back({"steps_per_second", static_cast<double>(steps) / std::max(seconds, 1e-9)});
  out.sections = episode_sections(run, env, policy, seed);
  return out;
}

std::vector<report::Section> curves_of(
    const training::Trainer& trainer, const std::vector<double>& steps,
    const std::vector<std::pair<std::string, std::string>>& metrics) {
  std::vector<report::Section> sections;
  for (const auto& [title, name] : metrics)
    sections.push_back(curve(trainer, title, "train_" + name, {"step"}, {}, steps));
  return sections;
}

std::vector<float> Player::observation(const Input& input) const {
  const auto numbers =
      numbers_of(input, env_for_networks(env_)->observation_space().size(), "an observation");
  return {numbers.begin(), numbers.end()};
}

Results Player::answer(const Input& input) const {
  const rl::Decision decision = policy_(observation(input));
  if (decision.values.empty()) return {{"action", decision.choice}};
  const auto size = static_cast<int64_t>(decision.values.size());
  return {{"action", from_vector(decision.values, {size})}};
}

Results Player::score(const Evaluation& what) const {
  what.require(env_);
  const auto env = env_for_networks(env_);
  return played(*env, policy_, what.count > 0 ? what.count : episodes_of(*env), seed_);
}

}  // namespace glia::recipes
