// Glia's side of the comparison with Gymnasium. Each line of the input is an episode:
//   NAME K state... COUNT WIDTH action...    WIDTH is 0 for numbers of a discrete space
// and each line of the output what a step gives: state, observation, reward, flags.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "glia/rl/env.h"

namespace {

using namespace glia;

void run(const std::string& name) {
  const auto env = rl::make(name);
  const auto read = [] {
    std::string text;
    std::cin >> text;
    return std::strtod(text.c_str(), nullptr);
  };
  std::vector<double> state(static_cast<size_t>(read()));
  for (double& x : state) x = read();
  std::vector<float> seen(static_cast<size_t>(env->observation_space().size()));
  env->set_state(state);
  const auto count = static_cast<int64_t>(read()), width = static_cast<int64_t>(read());
  for (int64_t i = 0; i < count; ++i) {
    rl::Step step;
    if (width == 0) {
      step = env->step(static_cast<int64_t>(read()), seen);
    } else {
      std::vector<float> action(static_cast<size_t>(width));
      for (float& x : action) x = static_cast<float>(read());
      step = env->step(action, seen);
    }
    for (const double x : env->state()) std::printf("%a ", x);
    for (const float x : seen) std::printf("%a ", static_cast<double>(x));
    std::printf("%a %d %d\n", step.reward, step.terminated, step.truncated);
  }
}

}  // namespace

int main() {
  try {
    std::string name;
    while (std::cin >> name) run(name);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
