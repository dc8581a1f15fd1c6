#include <algorithm>
#include <cmath>

#include "glia/rl/wrappers.h"
#include "sampling.h"

namespace glia::rl {
namespace {

class Check {
 public:
  Check(Env& env, int64_t steps) : env_(env), steps_(steps) {}

  std::vector<std::string> faults() {
    try {
      resets();
      episodes();
      states();
      env_.reset(Room(env_.observation_space()).out(), 0);
    } catch (const std::exception& error) {
      fault(error.what());
    }
    return faults_;
  }

 private:
  void fault(const std::string& what) {
    if (std::ranges::find(faults_, what) == faults_.end()) faults_.push_back(what);
  }

  void look(const Room& room, const char* when) {
    std::vector<double> values = room.values();
    const Space& space = env_.observation_space();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        fault(std::string("what is observed ") + when + " is not finite");
        return;
      }
      if (space.is_discrete()) continue;
      const double low = space.low()[i], high = space.high()[i], slack = 1e-6;
      if (values[i] > low - slack * (1 + std::abs(low)) &&
          values[i] < high + slack * (1 + std::abs(high)))  // f32 may round a bound
        values[i] = std::clamp(values[i], low, high);
    }
    if (!space.contains(values))
      fault(std::string("what is observed ") + when + " is not in " + space.str());
  }

  void resets() {
    Room first(env_.observation_space()), again = first;
    env_.reset(first.out(), 7);
    look(first, "after reset()");
    env_.reset(again.out(), 7);
    if (first.bytes() != again.bytes()) fault("reset() with the same seed begins differently");
    if (!env_.state_space().contains(std::vector<double>(env_.state().begin(), env_.state().end())))
      fault("the state after reset() is not in its space");
  }

  void episodes() {
    Room room(env_.observation_space());
    data::Random random(1);
    env_.reset(room.out(), 1);
    bool ended = false;
    for (int64_t i = 0; i < steps_; ++i) {
      const Step step = env_.step(random_action(env_.action_space(), random), room.out());
      look(room, "in a step");
      if (!std::isfinite(step.reward)) fault("a reward is not finite");
      if (!step.terminated && !step.truncated) continue;
      ended = true;
      env_.reset(room.out());
    }
    if (!ended && env_.max_episode_steps() == 0)
      fault("no episode has ended in " + std::to_string(steps_) +
            " steps, and there is no limit of steps");
  }

  // The same steps from the same state_dict().
  void states() {
    const auto path = [&](uint64_t seed) {
      Room room(env_.observation_space());
      data::Random random(seed);
      std::vector<std::byte> all;
      for (int64_t i = 0; i < std::min<int64_t>(steps_, 50); ++i) {
        const Step step = env_.step(random_action(env_.action_space(), random), room.out());
        all.insert(all.end(), room.bytes().begin(), room.bytes().end());
        if (step.terminated || step.truncated) env_.reset(room.out());
      }
      return all;
    };
    env_.reset(Room(env_.observation_space()).out(), 3);
    path(1);
    const StateDict state = env_.state_dict();
    const auto first = path(2);
    env_.load_state_dict(state);
    if (path(2) != first) fault("load_state_dict() does not bring everything back");
  }

  Env& env_;
  const int64_t steps_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> check_env(Env& env, int64_t steps) {
  if (steps < 1) throw ValueError("check_env: steps is " + std::to_string(steps));
  return Check(env, steps).faults();
}

}  // namespace glia::rl
