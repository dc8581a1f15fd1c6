// Environments: their dynamics, limits, seeds and states, and what they refuse.
#include "glia/rl/env.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "gymnasium_facts.h"
#include "tests/support/values.h"

namespace glia::rl {
namespace {

using test::message_of;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr const char* kNames[] = {"CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0",
                                  "Acrobot-v1", "Pendulum-v1"};

std::vector<float> room(const Env& env) {
  return std::vector<float>(static_cast<size_t>(env.observation_space().size()));
}

// The action of step i of the facts.
struct Chosen {
  Chosen(const Env& env, int64_t i) : discrete(env.action_space().is_discrete()) {
    if (discrete)
      choice = env.action_space().n() == 2 ? i / 2 % 2 : i / 15 * 2 % 3;
    else
      value[0] = static_cast<float>(i * 37 % 41 - 20) / 8;
  }
  operator Action() const { return discrete ? Action(choice) : Action(std::span(value)); }

  bool discrete;
  int64_t choice = 0;
  float value[1] = {};
};

// All that a run of steps gives.
std::vector<double> run(Env& env, int64_t steps, std::vector<float>& seen) {
  std::vector<double> all;
  for (int64_t i = 0; i < steps; ++i) {
    const Step step = env.step(Chosen(env, i), seen);
    all.insert(all.end(), seen.begin(), seen.end());
    all.insert(all.end(), {step.reward, double(step.terminated), double(step.truncated)});
    if (step.terminated || step.truncated) env.reset(seen);
  }
  return all;
}

TEST(Env, GivesWhatGymnasiumGives) {
  for (const Trajectory& trajectory : kTrajectories) {
    const auto env = make(trajectory.name);
    std::vector<float> seen = room(*env);
    std::vector<double> start = trajectory.start;
    start.resize(static_cast<size_t>(env->state_space().size()));  // flags: nothing has happened
    env->set_state(start);
    size_t fact = 0;
    int64_t terminated = 0;
    for (int64_t i = 0; i < 60; ++i) {
      const Step step = env->step(Chosen(*env, i), seen);
      if (step.terminated && terminated == 0) terminated = i + 1;
      const Fact& expected = trajectory.facts[fact];
      if (expected.steps != i + 1) continue;
      ++fact;
      // Equal on the machine that they are from; sines of other processors end in other bits.
      for (size_t j = 0; j < expected.state.size(); ++j)
        EXPECT_NEAR(env->state()[j], expected.state[j], 1e-9) << trajectory.name << " " << i;
      EXPECT_NEAR(step.reward, expected.reward, 1e-9) << trajectory.name << " " << i;
    }
    EXPECT_EQ(fact, trajectory.facts.size());
    EXPECT_EQ(terminated, trajectory.terminated) << trajectory.name;
  }
}

TEST(Env, ObservesItsState) {
  std::vector<float> seen(6);
  const auto acrobot = make("Acrobot-v1");
  acrobot->set_state(std::vector<double>{0.5, -0.25, 3, -4});
  acrobot->observe(seen);
  EXPECT_EQ(seen, (std::vector<float>{float(std::cos(0.5)), float(std::sin(0.5)),
                                      float(std::cos(-0.25)), float(std::sin(-0.25)), 3, -4}));
  seen.resize(3);
  const auto pendulum = make("Pendulum-v1");
  pendulum->set_state(std::vector<double>{2, -7.5});
  pendulum->observe(seen);
  EXPECT_EQ(seen, (std::vector<float>{float(std::cos(2.0)), float(std::sin(2.0)), -7.5}));
}

TEST(Env, KnowsItsSpacesAndLimits) {
  const std::vector<std::pair<std::string, int64_t>> limits = {{"CartPole-v1", 500},
                                                               {"MountainCar-v0", 200},
                                                               {"MountainCarContinuous-v0", 999},
                                                               {"Acrobot-v1", 500},
                                                               {"Pendulum-v1", 200}};
  for (const auto& [name, limit] : limits) {
    const auto env = make(name);
    EXPECT_EQ(env->name(), name);
    EXPECT_EQ(env->max_episode_steps(), limit);
    std::vector<float> seen = room(*env);
    env->reset(seen, 3);
    for (int64_t i = 0; i < 300; ++i) {
      const std::vector<double> values(seen.begin(), seen.end());
      // f32 may round a bound up.
      for (size_t j = 0; j < values.size(); ++j) {
        EXPECT_GE(values[j], env->observation_space().low()[j] - 1e-6) << name;
        EXPECT_LE(values[j], env->observation_space().high()[j] + 1e-6) << name;
      }
      const Step step = env->step(Chosen(*env, i), seen);
      if (step.terminated || step.truncated) env->reset(seen);
    }
  }
  EXPECT_EQ(make("CartPole-v1")->action_space().str(), "Discrete(2)");
  EXPECT_EQ(make("Pendulum-v1")->observation_space().str(), "Box((3,), f32)");
}

TEST(Env, IsTruncatedByItsLimitAlone) {
  const auto env = make("Pendulum-v1");
  std::vector<float> seen(3);
  env->reset(seen);
  for (int64_t i = 1; i <= 200; ++i) {
    const Step step = env->step({0.5f}, seen);
    EXPECT_FALSE(step.terminated);
    EXPECT_EQ(step.truncated, i == 200);
  }
  EXPECT_TRUE(env->step({0.5f}, seen).truncated);  // until it is reset
  env->set_max_episode_steps(2);
  env->reset(seen);
  EXPECT_EQ(env->elapsed_steps(), 0);
  EXPECT_FALSE(env->step({0.5f}, seen).truncated);
  EXPECT_TRUE(env->step({0.5f}, seen).truncated);
  env->set_max_episode_steps(0);
  EXPECT_FALSE(env->step({0.5f}, seen).truncated);
  EXPECT_THROW(env->set_max_episode_steps(-1), ValueError);
}

TEST(Env, CartPoleTerminatesAndThenRewardsNothing) {
  const auto env = make("CartPole-v1");
  std::vector<float> seen(4);
  env->set_state(std::vector<double>{2.39, 1, 0, 0, 0});
  const Step end = env->step(1, seen);
  EXPECT_TRUE(end.terminated);
  EXPECT_FALSE(end.truncated);
  EXPECT_EQ(end.reward, 1);
  const Step after = env->step(1, seen);
  EXPECT_TRUE(after.terminated);
  EXPECT_EQ(after.reward, 0);
  env->reset(seen);
  EXPECT_EQ(env->step(1, seen).reward, 1);
}

TEST(Env, BoxesAreClippedAsGymnasiumClips) {
  const auto env = make("MountainCarContinuous-v0");
  std::vector<float> seen(2), other(2);
  env->set_state(std::vector<double>{-0.5, 0, 1});
  EXPECT_EQ(env->step({3.0f}, seen).reward, -9 * 0.1);  // the reward is of what was asked for
  env->set_state(std::vector<double>{-0.5, 0, 1});
  env->step({1.0f}, other);
  EXPECT_NEAR(seen[1], other[1], 1e-9);
}

TEST(Env, SeedsTellEpisodes) {
  for (const std::string name : kNames) {
    const auto env = make(name), other = make(name);
    std::vector<float> first = room(*env), second = first, again = first, third = first;
    env->reset(first, 5);
    env->reset(second);  // the seed's next episode
    EXPECT_NE(first, second) << name;
    other->reset(again, 5);
    EXPECT_EQ(first, again) << name;
    other->reset(again);
    EXPECT_EQ(second, again) << name;
    other->reset(third, 6);
    EXPECT_NE(first, third) << name;
    // Without a seed it is 0, whatever other environments do.
    make(name)->reset(first);
    make(name)->reset(again, 0);
    EXPECT_EQ(first, again) << name;
  }
}

TEST(Env, StartsWhereGymnasiumMayStart) {
  std::vector<float> seen(4);
  const auto cart = make("CartPole-v1"), car = make("MountainCar-v0");
  double least = 1, most = -1, sum = 0;
  for (int i = 0; i < 4000; ++i) {
    cart->reset(seen);
    for (size_t j = 0; j < 4; ++j) {
      least = std::min(least, cart->state()[j]);
      most = std::max(most, cart->state()[j]);
      sum += cart->state()[j];
    }
  }
  EXPECT_GE(least, -0.05);
  EXPECT_LT(least, -0.0499);
  EXPECT_LT(most, 0.05);
  EXPECT_GT(most, 0.0499);
  EXPECT_NEAR(sum / 16000, 0, 0.001);  // four deviations
  seen.resize(2);
  for (int i = 0; i < 100; ++i) {
    car->reset(seen);
    EXPECT_GE(seen[0], -0.6f);
    EXPECT_LT(seen[0], -0.4f);
    EXPECT_EQ(seen[1], 0);
  }
}

TEST(Env, GoesOnFromItsStateBitForBit) {
  for (const std::string name : kNames) {
    const auto env = make(name), other = make(name);
    std::vector<float> seen = room(*env), again = seen;
    env->reset(seen, 9);
    run(*env, 137, seen);
    other->load_state_dict(env->state_dict());
    EXPECT_EQ(run(*env, 700, seen), run(*other, 700, again)) << name;
    EXPECT_EQ(env->elapsed_steps(), other->elapsed_steps());
  }
}

TEST(Env, RefusesStatesOfOthersAndStaysAsItIs) {
  const auto env = make("MountainCar-v0");
  std::vector<float> seen(2);
  env->reset(seen, 1);
  const std::vector<double> before(env->state().begin(), env->state().end());
  const StateDict good = env->state_dict();
  EXPECT_THROW(env->load_state_dict({}), Error);
  EXPECT_THROW(env->load_state_dict(make("Acrobot-v1")->state_dict()), ShapeError);
  EXPECT_THROW(env->load_state_dict({{"state", tensor<double>({5, 0})}, good[1]}), ValueError);
  EXPECT_THROW(env->load_state_dict({good[0], {"progress", tensor<int64_t>({0, -1, 0, 1})}}),
               ValueError);
  EXPECT_THROW(env->load_state_dict({good[0], {"progress", tensor<int64_t>({0, 0, INT64_MAX, 1})}}),
               ValueError);
  EXPECT_THROW(env->load_state_dict({good[0], {"progress", Tensor()}}), Error);
  EXPECT_THROW(env->set_state(std::vector<double>{0}), ValueError);
  EXPECT_THROW(env->set_state(std::vector<double>{kNan, 0}), ValueError);
  EXPECT_THROW(env->set_state(std::vector<double>{0, 0.08}), ValueError);
  EXPECT_THROW(make("Pendulum-v1")->set_state(std::vector<double>{kInfinity, 0}), ValueError);
  EXPECT_EQ(std::vector<double>(env->state().begin(), env->state().end()), before);
  EXPECT_EQ(message_of<ValueError>([&] {
              env->set_state(std::vector<double>{-2, 0.5});
            }),
            "MountainCar-v0: {-2, 0.5} is no state of 2 numbers within its bounds");
}

TEST(Env, RefusesActions) {
  const auto cart = make("CartPole-v1"), pendulum = make("Pendulum-v1");
  std::vector<float> four(4), three(3);
  EXPECT_EQ(message_of<Error>([&] { cart->step(0, four); }), "CartPole-v1: step() before reset()");
  cart->reset(four, 1);
  pendulum->reset(three, 1);
  const std::vector<double> before(cart->state().begin(), cart->state().end());
  EXPECT_EQ(message_of<ValueError>([&] { cart->step(2, four); }),
            "CartPole-v1: action 2 is not in Discrete(2)");
  EXPECT_THROW(cart->step(-1, four), ValueError);
  EXPECT_THROW(cart->step({0.5f}, four), ValueError);
  EXPECT_THROW(pendulum->step(1, three), ValueError);
  EXPECT_EQ(message_of<ValueError>([&] { pendulum->step({kNan}, three); }),
            "Pendulum-v1: the action has the value nan");
  EXPECT_THROW(pendulum->step({kInfinity}, three), ValueError);
  EXPECT_THROW(pendulum->step({1.0f, 1.0f}, three), ShapeError);
  EXPECT_THROW(cart->step(1, three), ShapeError);
  std::vector<int64_t> integers(4);
  EXPECT_THROW(cart->step(1, integers), ShapeError);
  EXPECT_THROW(cart->reset(three), ShapeError);
  EXPECT_EQ(std::vector<double>(cart->state().begin(), cart->state().end()), before);
  EXPECT_EQ(cart->elapsed_steps(), 0);
}

static_assert(std::is_constructible_v<Action, int> && std::is_constructible_v<Action, int64_t>);
static_assert(!std::is_constructible_v<Action, float> && !std::is_constructible_v<Action, double>);

// Counts up, and breaks when told to.
class Counter : public Env {
 public:
  Counter()
      : Env("Counter-v0", Space::discrete(10), Space::discrete(3), Space::box(0, 9, {1}, kF64)) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    state[0] = static_cast<double>(random.below(3));
  }
  Step advance(const Action& action, std::span<double> state) override {
    state[0] += action.choice() == 2 ? kNan : static_cast<double>(action.choice());
    return {0.5, state[0] >= 9, false};
  }
  void write(std::span<const double> state, const Observation& out) const override {
    out.values<int64_t>()[0] = static_cast<int64_t>(state[0]);
  }
};

TEST(Env, MayBeAUsersOwn) {
  static const bool once =
      (register_env("Counter-v0", [] { return std::make_unique<Counter>(); }), true);
  EXPECT_TRUE(once);
  EXPECT_THROW(register_env("Counter-v0", [] { return std::make_unique<Counter>(); }), Error);
  EXPECT_THROW(register_env("Nothing-v0", {}), Error);
  const auto env = make("Counter-v0");
  std::vector<int64_t> seen(1);
  env->reset(seen, 2);
  const int64_t first = seen[0];
  EXPECT_EQ(env->step(1, seen).reward, 0.5);
  EXPECT_EQ(seen[0], first + 1);
  EXPECT_EQ(message_of<ValueError>([&] { env->step(2, seen); }),
            "Counter-v0: step 2 gives a reward or a state that is not finite");
  const std::string error = message_of<Error>([] { make("CartPole-v9"); });
  EXPECT_NE(
      error.find("there is no environment \"CartPole-v9\"; there are Acrobot-v1, Blackjack-v1"),
      std::string::npos)
      << error;
}

TEST(Space, ContainsWhatItSays) {
  const Space box = Space::box({-1, 0}, {1, INFINITY}, {2});
  const auto in = [](const Space& space, std::vector<double> values) {
    return space.contains(values);
  };
  EXPECT_TRUE(in(box, {1, 1e300}));
  EXPECT_FALSE(in(box, {1.1, 0}));
  EXPECT_FALSE(in(box, {kNan, 0}));
  EXPECT_FALSE(in(box, {0}));
  EXPECT_TRUE(in(Space::discrete(3), {2}));
  EXPECT_FALSE(in(Space::discrete(3), {3}));
  EXPECT_FALSE(in(Space::discrete(3), {0.5}));
  EXPECT_FALSE(in(Space::discrete(3), {kNan}));
  EXPECT_THROW(Space::discrete(0), ValueError);
  EXPECT_THROW(Space::box(1, -1, {2}), ValueError);
  EXPECT_THROW(Space::box(NAN, 1, {2}), ValueError);
  EXPECT_THROW(Space::box({0}, {1, 2}, {2}), ShapeError);
}

TEST(Env, ThreadsDoNotChangeWhatOthersGet) {
  std::vector<std::vector<double>> alone(4), together(4);
  const auto play = [](size_t i) {
    const auto env = make(i % 2 ? "Acrobot-v1" : "CartPole-v1");
    std::vector<float> seen = room(*env);
    env->reset(seen, i);
    return run(*env, 2000, seen);
  };
  for (size_t i = 0; i < 4; ++i) alone[i] = play(i);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { together[i] = play(i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(alone, together);
}

}  // namespace
}  // namespace glia::rl
