// Glia's side of toy_text.py. By the first argument it prints
//   models      of each environment, "NAME state action" and for each outcome "p next reward ends"
//   plays NAME  episodes with random actions: "state... action state... observation... reward ends"
//   normalised  "observation... reward" of CartPole in both wrappers, from a start and with actions
//               that it reads
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "glia/rl/minatar.h"
#include "glia/rl/toy_text.h"
#include "glia/rl/wrappers.h"

namespace {

using namespace glia;

void print_models() {
  const std::pair<const char*, std::unique_ptr<rl::TabularEnv>> all[] = {
      {"lake4", rl::frozen_lake()},
      {"lake8", rl::frozen_lake({.map_name = "8x8"})},
      {"ice4", rl::frozen_lake({.is_slippery = false})},
      {"cliff", rl::cliff_walking()},
      {"slippery_cliff", rl::cliff_walking(true)},
      {"taxi", rl::taxi()}};
  for (const auto& [name, env] : all) {
    const rl::Model& model = env->model();
    std::printf("%s initial", name);
    for (const double p : model.initial) std::printf(" %a", p);
    std::printf("\n");
    for (int64_t s = 0; s < model.states; ++s)
      for (int64_t a = 0; a < model.actions; ++a) {
        std::printf("%s %d %d", name, int(s), int(a));
        for (const rl::Outcome& o : model.at(s, a))
          std::printf(" %a %d %a %d", o.probability, int(o.next), o.reward, o.terminated);
        std::printf("\n");
      }
  }
}

void play(const std::string& name) {
  const auto env = name == "breakout" ? rl::breakout({.sticky_action_prob = 0}) : rl::make(name);
  const rl::Space& space = env->observation_space();
  std::vector<std::byte> bytes(space.bytes());
  const rl::Observation seen(bytes.data(), space.dtype(), space.size());
  const auto print_state = [&] {
    for (const double x : env->state()) std::printf("%g ", x);
  };
  data::Random random(5);
  env->reset(seen, 1);
  for (int i = 0; i < 20000; ++i) {
    int64_t action = random.below(env->action_space().n());
    // The paddle follows the ball most of the time.
    if (name == "breakout" && random.uniform() < 0.9)
      action = env->state()[0] < env->state()[3] ? 1 : env->state()[0] > env->state()[3] ? 2 : 0;
    print_state();
    std::printf("%d ", int(action));
    const rl::Step step = env->step(action, seen);
    print_state();
    for (const double x :
         from_bytes(bytes.data(), {space.size()}, space.dtype()).to_vector<double>())
      std::printf("%g ", x);
    std::printf("%g %d\n", step.reward, step.terminated);
    if (step.terminated || step.truncated || i % 500 == 499) env->reset(seen);
  }
}

void normalise() {
  rl::NormalizeReward env(std::make_unique<rl::NormalizeObservation>(rl::make("CartPole-v1")));
  std::vector<double> start(5);
  for (size_t i = 0; i < 4; ++i) std::cin >> start[i];
  env.set_state(start);
  std::vector<float> seen(4);
  env.observe(seen);
  for (const float x : seen) std::printf("%.9g ", static_cast<double>(x));
  std::printf("0\n");
  for (int64_t action; std::cin >> action;) {
    const rl::Step step = env.step(action, seen);
    for (const float x : seen) std::printf("%.9g ", static_cast<double>(x));
    std::printf("%.17g\n", step.reward);
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    const std::string what = count > 1 ? words[1] : "";
    if (what == "models") print_models();
    if (what == "plays") play(words[2]);
    if (what == "normalised") normalise();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
