// Vectors of environments: the same as one by one, autoreset, states, and no allocation in a step.
#include "glia/rl/vector.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

namespace {
std::atomic<int64_t> allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace glia::rl {
namespace {

std::vector<int64_t> choices(int64_t envs, int64_t step, int64_t n) {
  std::vector<int64_t> out(static_cast<size_t>(envs));
  for (int64_t i = 0; i < envs; ++i) out[static_cast<size_t>(i)] = (i * 5 + step * (i + 1) / 2) % n;
  return out;
}

std::vector<float> row_of(const VectorEnv& env, int64_t i) {
  const auto values = env.observation(i).values<float>();
  return {values.begin(), values.end()};
}

TEST(VectorEnv, GivesWhatEachGivesAlone) {
  for (const AutoresetMode mode : {AutoresetMode::kNextStep, AutoresetMode::kSameStep}) {
    VectorEnv together("CartPole-v1", 3, mode);
    together.reset(11);
    std::vector<std::unique_ptr<Env>> alone;
    std::vector<std::vector<float>> seen(3, std::vector<float>(4));
    std::vector<Step> last(3);
    for (size_t i = 0; i < 3; ++i) {
      alone.push_back(make("CartPole-v1"));
      alone[i]->reset(seen[i], 11 + i);
      EXPECT_EQ(row_of(together, static_cast<int64_t>(i)), seen[i]);
    }
    int64_t ends = 0;
    for (int64_t step = 0; step < 300; ++step) {
      const std::vector<int64_t> actions = choices(3, step, 2);
      together.step(actions);
      for (size_t i = 0; i < 3; ++i) {
        const auto row = static_cast<int64_t>(i);
        if (mode == AutoresetMode::kNextStep && last[i].terminated) {
          last[i] = {};
          alone[i]->reset(seen[i]);
        } else {
          last[i] = alone[i]->step(actions[i], seen[i]);
        }
        ends += last[i].terminated;
        if (mode == AutoresetMode::kSameStep) {
          const auto end = together.final_observation(row).values<float>();
          EXPECT_EQ(std::vector<float>(end.begin(), end.end()), seen[i]);
          if (last[i].terminated) alone[i]->reset(seen[i]);
        }
        EXPECT_EQ(row_of(together, row), seen[i]);
        EXPECT_EQ(together.reward_data()[i], last[i].reward);
        EXPECT_EQ(together.terminated(row), last[i].terminated);
        EXPECT_EQ(together.truncated(row), last[i].truncated);
      }
    }
    EXPECT_GT(ends, 10);
  }
}

TEST(VectorEnv, GivesTensors) {
  VectorEnv env("Pendulum-v1", 2, AutoresetMode::kSameStep);
  env.reset(1);
  env.step(tensor<float>({{0.5f}, {-2.0f}}));
  EXPECT_EQ(env.observations().shape(), (Shape{2, 3}));
  EXPECT_EQ(env.observations().to_vector<float>(),
            std::vector<float>(env.observation_data<float>().begin(),
                               env.observation_data<float>().end()));
  EXPECT_EQ(env.rewards().shape(), (Shape{2}));
  EXPECT_EQ(env.rewards().dtype(), kF32);
  EXPECT_EQ(env.terminated().dtype(), kBool);
  for (int i = 1; i < 200; ++i) env.step(tensor<float>({{0.5f}, {-2.0f}}));
  EXPECT_EQ(env.truncated().to_vector<int64_t>(), (std::vector<int64_t>{1, 1}));
  EXPECT_NE(env.final_observations().to_vector<float>(), env.observations().to_vector<float>());
  const Tensor kept = env.observations();
  const std::vector<float> before = kept.to_vector<float>();
  env.step(tensor<float>({{0.5f}, {-2.0f}}));
  EXPECT_EQ(kept.to_vector<float>(), before);  // a copy

  VectorEnv cart("CartPole-v1", 2);
  cart.reset();
  cart.step(tensor<int64_t>({1, 0}));
  EXPECT_EQ(cart.rewards().to_vector<float>(), (std::vector<float>{1, 1}));
}

TEST(VectorEnv, SeedsAreThoseOfEach) {
  VectorEnv env("CartPole-v1", 3), other("CartPole-v1", 3);
  env.reset(4);
  const std::vector<uint64_t> seeds = {6, 5, 4};
  other.reset(seeds);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(row_of(env, i), row_of(other, 2 - i));
  env.reset();
  EXPECT_NE(row_of(env, 0), row_of(other, 2));
  EXPECT_NE(row_of(env, 0), row_of(env, 1));
}

TEST(VectorEnv, GoesOnFromItsStateBitForBit) {
  for (const AutoresetMode mode : {AutoresetMode::kNextStep, AutoresetMode::kSameStep}) {
    VectorEnv env("CartPole-v1", 5, mode), other("CartPole-v1", 5, mode);
    env.reset(3);
    for (int64_t step = 0; step < 300; ++step) {
      if (step % 17 == 0) {
        other.load_state_dict(env.state_dict());
        EXPECT_EQ(env.observations().to_vector<float>(), other.observations().to_vector<float>());
      }
      env.step(choices(5, step, 2));
      other.step(choices(5, step, 2));
      EXPECT_EQ(env.observations().to_vector<float>(), other.observations().to_vector<float>());
      EXPECT_EQ(env.rewards().to_vector<float>(), other.rewards().to_vector<float>());
      EXPECT_EQ(env.terminated().to_vector<int>(), other.terminated().to_vector<int>());
    }
  }
}

TEST(VectorEnv, LoadsAllOrNothing) {
  VectorEnv env("MountainCar-v0", 2), small("MountainCar-v0", 1);
  env.reset(3);
  const std::vector<float> before = env.observations().to_vector<float>();
  StateDict values = env.state_dict();
  EXPECT_THROW(small.load_state_dict(values), ShapeError);
  ASSERT_EQ(values[0].first, "env.state");
  values[0].second = tensor<double>({{0.1, 0}, {7, 0}});
  EXPECT_THROW(env.load_state_dict(values), ValueError);
  const std::vector<double> first(env.env(0).state().begin(), env.env(0).state().end());
  EXPECT_EQ(static_cast<float>(first[0]), before[0]);
  EXPECT_EQ(env.observations().to_vector<float>(), before);
}

TEST(VectorEnv, RefusesAndStaysAsItIs) {
  EXPECT_THROW(VectorEnv("CartPole-v1", 0), ValueError);
  EXPECT_THROW(VectorEnv("CartPole-v1", -3), ValueError);
  std::vector<std::unique_ptr<Env>> mixed;
  EXPECT_THROW(VectorEnv(std::move(mixed)), ValueError);
  mixed.clear();
  mixed.push_back(make("CartPole-v1"));
  mixed.push_back(make("Acrobot-v1"));
  EXPECT_THROW(VectorEnv(std::move(mixed)), ValueError);

  VectorEnv env("CartPole-v1", 2);
  EXPECT_THROW(env.step(std::vector<int64_t>{0, 1}), Error);  // before reset()
  env.reset(1);
  const std::vector<float> before = env.observations().to_vector<float>();
  EXPECT_THROW(env.step(std::vector<int64_t>{0}), ShapeError);
  EXPECT_THROW(env.step(std::vector<int64_t>{0, 2}), ValueError);
  EXPECT_THROW(env.step(std::vector<float>{0, 1}), ValueError);
  EXPECT_THROW(env.step(tensor<float>({0, 1})), ShapeError);
  EXPECT_THROW(env.step(tensor<int64_t>({0, 1, 1})), ShapeError);
  EXPECT_THROW(env.step(Tensor()), Error);
  EXPECT_THROW(env.reset(std::vector<uint64_t>{1}), ShapeError);
  EXPECT_THROW(env.env(2), ValueError);
  EXPECT_THROW(env.terminated(-1), ValueError);
  EXPECT_THROW(env.observation_data<double>(), ValueError);
  EXPECT_THROW(env.final_observations(), Error);
  EXPECT_EQ(env.observations().to_vector<float>(), before);

  VectorEnv never("CartPole-v1", 1, AutoresetMode::kDisabled);
  never.reset(1);
  while (!never.terminated(0)) never.step(std::vector<int64_t>{1});
  EXPECT_THROW(never.step(std::vector<int64_t>{1}), Error);
  never.reset();
  never.step(std::vector<int64_t>{1});
}

TEST(VectorEnv, AMillionStepsAllocateNothing) {
  for (const AutoresetMode mode : {AutoresetMode::kNextStep, AutoresetMode::kSameStep}) {
    VectorEnv env("CartPole-v1", 16, mode);
    env.reset(1);
    const std::vector<int64_t> actions = choices(16, 1, 2);
    const int64_t before = allocations;
    for (int i = 0; i < 32000; ++i) env.step(actions);
    EXPECT_EQ(allocations, before);
  }
  for (const std::string& name : registered()) {
    const auto env = make(name);
    const Space& space = env->observation_space();
    std::vector<std::byte> bytes(space.bytes());
    const Observation seen(bytes.data(), space.dtype(), space.size());
    const std::vector<float> half = {0.5f};
    env->reset(seen, 1);
    const int64_t before = allocations;
    for (int i = 0; i < 20000; ++i) {
      const Step step =
          env->step(env->action_space().is_discrete() ? Action(1) : Action(half), seen);
      if (step.terminated || step.truncated) env->reset(seen);
    }
    EXPECT_EQ(allocations, before) << name;
  }
}

}  // namespace
}  // namespace glia::rl
