#include <map>
#include <mutex>
#include <utility>

#include "classic_control.h"
#include "glia/rl/minatar.h"
#include "glia/rl/toy_text.h"

namespace glia::rl {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, Factory> factories;
};

// An environment with the limit of steps that belongs to its name.
Factory limited(Factory make, int64_t max_episode_steps) {
  return [=] {
    std::unique_ptr<Env> env = make();
    env->set_max_episode_steps(max_episode_steps);
    return env;
  };
}

Registry& registry() {
  static Registry all{
      {},
      {{"CartPole-v1", limited(make_cart_pole, 500)},
       {"MountainCar-v0", limited(make_mountain_car, 200)},
       {"MountainCarContinuous-v0", limited(make_mountain_car_continuous, 999)},
       {"Acrobot-v1", limited(make_acrobot, 500)},
       {"Pendulum-v1", limited(make_pendulum, 200)},
       {"FrozenLake-v1", limited([] { return frozen_lake(); }, 100)},
       {"FrozenLake8x8-v1", limited([] { return frozen_lake({.map_name = "8x8"}); }, 200)},
       {"CliffWalking-v1", [] { return cliff_walking(); }},
       {"CliffWalkingSlippery-v1", [] { return cliff_walking(true); }},
       {"Taxi-v4", limited([] { return taxi(); }, 200)},
       {"Blackjack-v1", limited([] { return blackjack(); }, 24)},  // never reached
       {"MinAtar/Breakout-v1", limited([] { return breakout(); }, 10000)}}};
  return all;
}

}  // namespace

std::unique_ptr<Env> make(const std::string& name) {
  Factory factory;
  {
    const std::lock_guard lock(registry().mutex);
    const auto found = registry().factories.find(name);
    if (found != registry().factories.end()) factory = found->second;
  }
  if (!factory) {
    std::string known;
    for (const std::string& other : registered()) known += (known.empty() ? "" : ", ") + other;
    throw Error("rl::make: there is no environment \"" + name + "\"; there are " + known);
  }
  std::unique_ptr<Env> env = factory();
  if (!env) throw Error("rl::make: the factory of \"" + name + "\" gives no environment");
  return env;
}

void register_env(const std::string& name, Factory factory) {
  if (!factory) throw Error("rl::register_env: \"" + name + "\" has no factory");
  const std::lock_guard lock(registry().mutex);
  if (!registry().factories.emplace(name, std::move(factory)).second)
    throw Error("rl::register_env: there is an environment \"" + name + "\"");
}

std::vector<std::string> registered() {
  const std::lock_guard lock(registry().mutex);
  std::vector<std::string> names;
  for (const auto& [name, factory] : registry().factories) names.push_back(name);
  return names;
}

}  // namespace glia::rl
