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
  QNetwork network{env->observation_space(), env->action_space()};
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
  EXPECT_NEAR(training::value_of(trainer.history().back().values, "train_exploring"), 0.05, 1e-12);
  EXPECT_GT(training::value_of(trainer.history().front().values, "train_exploring"), 0.4);
}

struct Kind {
  QNetworkOptions network;
  DqnOptions options;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all(6, {{.hidden = {24, 24}}, small()});
  all[0].options.double_q = false;
  all[1].network.dueling = true;
  all[2].network.noisy = true;
  all[2].options.n_step = 3;
  all[3].options.per_alpha = 0.6;
  all[4].network.returns = ReturnKind::kCategorical;
  all[4].options.per_alpha = 0.5;
  all[5].network.returns = ReturnKind::kQuantile;
  all[5].network.atoms = 11;
  all[5].network.dueling = true;
  return all;
}

TEST(Dqn, GoesOnToTheSameBits) {
  const std::string path = testing::TempDir() + "dqn.safetensors";
  const std::vector<Kind> all = kinds();
  for (const Kind& kind : all) {
    const auto run = [&](int64_t stop) {
      manual_seed(5);
      auto env = make("CartPole-v1");
      QNetwork network(env->observation_space(), env->action_space(), kind.network);
      DqnOptions options = kind.options;
      options.target_frequency = 70;
      Dqn agent(std::move(env), std::move(network), options);
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
    run(23);
    EXPECT_EQ(run(-1), whole) << &kind - all.data();
  }
}

// A bandit of one step: the return of action a is a, and of the last one 0 or 10.
class Bandit : public Env {
 public:
  Bandit()
      : Env("Bandit", Space::box(0.0, 1.0, {2}), Space::discrete(3), Space::box(0, 1, {1}, kF64)) {
    set_max_episode_steps(1);
  }

 private:
  void start(data::Random, std::span<double> state) override { state[0] = 0; }
  Step advance(const Action& action, std::span<double> state) override {
    state[0] = 1;
    const auto a = static_cast<double>(action.choice());
    return {a < 2 ? a : random().uniform() < 0.7 ? 0.0 : 10.0, true, false};
  }
  void write(std::span<const double>, const Observation& out) const override {
    out.values<float>()[0] = 1;
    out.values<float>()[1] = 0;
  }
};

TEST(Dqn, EachKindFindsTheReturns) {
  std::vector<Kind> all = kinds();
  for (Kind& kind : all) {
    manual_seed(1);
    auto env = std::make_unique<Bandit>();
    kind.network.v_min = 0;
    kind.network.v_max = 10;
    if (kind.network.returns == ReturnKind::kCategorical) kind.network.atoms = 21;
    QNetwork network(env->observation_space(), env->action_space(), kind.network);
    DqnOptions options = kind.options;
    options.total_steps = 2500;
    options.learning_starts = 500;
    options.buffer_size = 2500;
    options.train_frequency = 5;
    options.batch_size = 64;
    options.lr = 5e-3;
    Dqn agent(std::move(env), std::move(network), options);
    training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 100});
    trainer.fit();
    QNetwork q = agent.network();
    q.eval();
    const auto values = action_values(q, std::vector<float>{1, 0});
    const auto i = &kind - all.data();
    EXPECT_NEAR(values[0], 0, 0.5) << i;
    EXPECT_NEAR(values[1], 1, 0.5) << i;
    EXPECT_NEAR(values[2], 3, 1.2) << i;
    if (kind.network.returns == ReturnKind::kCategorical) {
      const auto chances = softmax(q.returns(tensor<float>({{1, 0}})))  // of 0 and 10
                               .to_vector<double>();
      EXPECT_NEAR(chances[42], 0.7, 0.15);
      EXPECT_NEAR(chances[62], 0.3, 0.15);
    }
  }
}

TEST(Dqn, RefusesWhatItCannotLearn) {
  const auto refused = [](const DqnOptions& options, const std::string& name = "CartPole-v1") {
    auto env = make(name);
    const QNetwork network(Space::box(-1.0, 1.0, {4}), Space::discrete(2));
    EXPECT_THROW(Dqn(std::move(env), network, options), ValueError);
  };
  refused(small(), "Pendulum-v1");
  for (int64_t DqnOptions::*member :
       {&DqnOptions::learning_starts, &DqnOptions::train_frequency, &DqnOptions::target_frequency,
        &DqnOptions::batch_size, &DqnOptions::buffer_size, &DqnOptions::n_step}) {
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
  EXPECT_EQ(greedy_action(std::vector<double>{1, 3, 3}), 1);
  EXPECT_THROW(greedy_action({}), ValueError);
  const QNetwork network(Space::box(-9.0, 9.0, {2}), Space::discrete(3));
  const std::vector<float> seen = {1, -2};
  const auto values = action_values(network, seen);
  EXPECT_EQ(values.size(), 3u);
  EXPECT_EQ(greedy_policy(network)(seen).choice, greedy_action(values));
  EXPECT_THROW(action_values(network, std::vector<float>{1}), ShapeError);
}

}  // namespace
}  // namespace glia::rl
