// What an agent does with what it sees, and how well it does.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "glia/rl/env.h"
#include "glia/train.h"

namespace glia::rl {

// An action that was chosen: a number of a discrete space, or the values of a box.
struct Decision {
  int64_t choice = 0;
  std::vector<float> values = {};

  template <std::integral T>
  Decision(T number) : choice(static_cast<int64_t>(number)) {}
  Decision(std::vector<float> all) : values(std::move(all)) {}
  operator Action() const { return values.empty() ? Action(choice) : Action(values); }
};

// The action for an observation.
using Policy = std::function<Decision(const ObservationView& seen)>;

// The number of the largest value, the first of equals. Throws ValueError if there is none.
int64_t greedy_action(std::span<const double> values);
// Every action of the space equally likely; values of a box within its bounds, which must be
// finite, else ValueError.
Policy random_policy(const Space& actions, uint64_t seed = 0);

// Whole episodes.
struct Episodes {
  std::vector<double> returns;   // the sum of rewards of each
  std::vector<int64_t> lengths;  // how many steps each has
  Tensor first;                  // f32 (T, ...): what was observed before each step of the first
};
// Plays them, without gradients, from the start of that seed. Throws ValueError for an environment
// whose episodes may have no end: a limit of steps is missing.
Episodes play(Env& env, const Policy& policy, int64_t episodes, uint64_t seed);

// Pictures of an episode, u8 (height, width, 3): its start and what each step makes of it, at most
// so many. Throws as play() and Env::render().
std::vector<Tensor> record(Env& env, const Policy& policy, uint64_t seed, int64_t most = 500);
// Pictures of one size as an animated GIF that begins again at its end. More than 256 colours are
// rounded. Throws ShapeError for pictures that do not fit, ValueError for no pictures or a number
// of pictures per second out of range.
std::string encode_gif(const std::vector<Tensor>& pictures, double fps = 30);

// The returns of the last episodes, as Gymnasium's RecordEpisodeStatistics has them.
class EpisodeStatistics {
 public:
  explicit EpisodeStatistics(int64_t num_envs = 1, int64_t buffer_length = 100);
  void add(int64_t env, double reward, bool ended);
  const std::deque<double>& returns() const { return returns_; }
  // Their mean, "return", of which there is none before an episode has ended.
  training::Metric metric() const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  size_t most_;
  std::vector<double> sums_;  // of running episodes
  std::deque<double> returns_;
};

}  // namespace glia::rl
