// Deep Q-learning: what it is told apart from learning, its policy, and going on.
#include "glia/rl/dqn.h"

#include <gtest/gtest.h>

#include <string>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/rl/policy.h"

namespace glia::rl {
namespace {

struct Agent {
  std::unique_ptr<Env> env = make("CartPole-v1");
  nn::Sequential network = q_network(*env);
};

DqnOptions small() {
  return {.total_steps = 600, .learning_starts = 100, .buffer_size = 200, .batch_size = 8};
}

TEST(Dqn, CountsItsSteps) {
  Agent a;
  Dqn agent(std::move(a.env), std::move(a.network), small());
  EXPECT_EQ(agent.updates(), 51);
  EXPECT_EQ(agent.steps_after(1), 100);
  EXPECT_EQ(agent.steps_after(51), 600);
  training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 17});
  trainer.fit();
  EXPECT_EQ(agent.steps(), 600);
  EXPECT_FALSE(agent.returns().empty());
  // From 1 to 0.05 in half of the steps, and no further.
  EXPECT_EQ(training::value_of(trainer.history().back().values, "train_exploring"), 0.05);
  EXPECT_GT(training::value_of(trainer.history().front().values, "train_exploring"), 0.4);
}

TEST(Dqn, GoesOnToTheSameBits) {
  const std::string path = testing::TempDir() + "dqn.safetensors";
  for (const bool double_q : {true, false}) {
    const auto run = [&](int64_t stop) {
      manual_seed(5);
      Agent a;
      DqnOptions options = small();
      options.double_q = double_q;
      options.target_frequency = 70;
      Dqn agent(std::move(a.env), std::move(a.network), options);
      training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 17});
      if (stop < 0) trainer.load(path);
      trainer.add({.on_step = [&](training::Trainer& t) {
        if (t.step() == stop) t.stop();
      }});
      trainer.fit();
      if (stop > 0) trainer.save(path);
      return agent.network().state_dict()[0].second.to_vector<double>();
    };
    const auto whole = run(0);
    for (const int64_t stop : {1, 23}) {
      run(stop);
      EXPECT_EQ(run(-1), whole) << stop;
    }
  }
}

TEST(Dqn, RefusesWhatItCannotLearn) {
  const auto refused = [](const DqnOptions& options, const std::string& name = "CartPole-v1") {
    auto env = make(name);
    nn::Sequential network(nn::Linear(4, 2));
    EXPECT_THROW(Dqn(std::move(env), network, options), ValueError);
  };
  refused(small(), "Pendulum-v1");
  for (int64_t DqnOptions::*member :
       {&DqnOptions::learning_starts, &DqnOptions::train_frequency, &DqnOptions::target_frequency,
        &DqnOptions::batch_size, &DqnOptions::buffer_size}) {
    DqnOptions options = small();
    options.*member = 0;
    refused(options);
  }
  refused({.total_steps = 100, .learning_starts = 100});
  refused({.gamma = 1.5});
  Agent a;
  Dqn agent(std::move(a.env), std::move(a.network), small());
  StateDict state = agent.state_dict();
  EXPECT_NO_THROW(agent.load_state_dict(state));
  state[0].second = tensor(int64_t{-1});
  EXPECT_THROW(agent.load_state_dict(state), Error);
  EXPECT_THROW(agent.load_state_dict({}), Error);
}

TEST(Policy, PlaysWholeEpisodes) {
  auto env = make("CartPole-v1");
  // It leans to one side until it falls, in about ten steps.
  const Episodes played = play(
      *env, [](auto) { return 1; }, 3, 7);
  ASSERT_EQ(played.returns.size(), 3u);
  for (const double r : played.returns) {
    EXPECT_GE(r, 5);
    EXPECT_LE(r, 15);
  }
  EXPECT_EQ(played.first.shape(), (Shape{static_cast<int64_t>(played.returns[0]), 4}));
  EXPECT_EQ(play(
                *env, [](auto) { return 1; }, 3, 7)
                .returns,
            played.returns);
  EXPECT_TRUE(play(
                  *env, [](auto) { return 1; }, 0, 7)
                  .returns.empty());
  EXPECT_THROW(play(
                   *env, [](auto) { return 2; }, 1, 7),
               ValueError);
  env->set_max_episode_steps(0);
  EXPECT_THROW(play(
                   *env, [](auto) { return 1; }, 1, 7),
               ValueError);
}

TEST(Policy, TakesTheFirstOfTheBest) {
  EXPECT_EQ(greedy_action({1, 3, 3}), 1);
  EXPECT_THROW(greedy_action({}), ValueError);
  nn::Sequential network(nn::Linear(2, 3));
  const std::vector<float> seen = {1, -2};
  const auto values = action_values(network, seen);
  EXPECT_EQ(values.size(), 3u);
  EXPECT_EQ(greedy_policy(network)(seen), greedy_action(values));
}

}  // namespace
}  // namespace glia::rl
