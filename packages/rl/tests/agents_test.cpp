// Agents by gradients of policies and with continuous actions: networks, advantages, what they
// learn in a short time, and going on.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/rl/continuous.h"
#include "glia/rl/evolution.h"
#include "glia/rl/imitation.h"
#include "glia/rl/on_policy.h"
#include "glia/rl/wrappers.h"

namespace glia::rl {
namespace {

// Whatever it draws, an agent that is interrupted goes on to the same weights.
template <class Make, class Weights>
void expect_same_bits(const Make& make_agent, const Weights& weights, int64_t stop) {
  const std::string path = testing::TempDir() + "agent.safetensors";
  const auto run = [&](int64_t stop_at) {
    manual_seed(5);
    const auto agent = make_agent();
    training::Trainer trainer(agent->task(), {.steps = agent->updates(), .interval = 7});
    if (stop_at < 0) trainer.load(path);
    trainer.add({.on_step = [&](training::Trainer& t) {
      if (t.step() == stop_at) t.stop();
    }});
    trainer.fit();
    if (stop_at > 0) trainer.save(path);
    std::vector<double> all;
    for (const auto& [name, value] : weights(*agent).state_dict())
      for (const double x : value.template to_vector<double>()) all.push_back(x);
    return all;
  };
  const auto whole = run(0);
  run(stop);
  EXPECT_EQ(run(-1), whole);
}

std::unique_ptr<VectorEnv> envs(const std::string& name, int64_t count = 4) {
  return std::make_unique<VectorEnv>(name, count, AutoresetMode::kSameStep);
}

ActorCritic network_for(const std::string& name) {
  const auto env = make(name);
  return {env->observation_space(), env->action_space()};
}

TEST(Gae, SumsWhatFollows) {
  // Two environments; the first one's second step ends its episode.
  const std::vector<double> rewards = {1, 2, 3, 4, 5, 6}, values = {10, 20, 30, 40, 50, 60},
                            next = {30, 40, 0, 60, 7, 8};
  const auto a = gae(rewards, values, next, {0, 0, 1, 0, 0, 0}, 2, 0.5, 0.5);
  EXPECT_NEAR(a[4], 5 + 3.5 - 50, 1e-12);
  EXPECT_NEAR(a[2], 3 - 30, 1e-12);  // nothing of what follows
  EXPECT_NEAR(a[0], 1 + 15 - 10 + 0.25 * a[2], 1e-12);
  EXPECT_NEAR(a[3], 4 + 30 - 40 + 0.25 * a[5], 1e-12);
  EXPECT_THROW(gae(rewards, values, next, {0}, 2, 0.5, 0.5), ShapeError);
  EXPECT_THROW(gae(rewards, values, next, {0, 0, 1, 0, 0, 0}, 4, 0.5, 0.5), ShapeError);
}

TEST(ActorCritic, HasTheNumbersOfItsDistributions) {
  ActorCritic choices(Space::box(-1.0, 1.0, {3}), Space::discrete(2));
  const Tensor logits = tensor<float>({{0, std::log(3.0f)}});
  EXPECT_NEAR(choices.log_prob(logits, tensor<int64_t>({1})).item(), std::log(0.75), 1e-6);
  EXPECT_NEAR(choices.entropy(logits).item(), 0.5623351446, 1e-6);
  EXPECT_NEAR(choices.kl(tensor<float>({{0, 0}}), {}, logits).item(), 0.1438410362, 1e-6);

  ActorCritic boxes(Space::box(-1.0, 1.0, {3}), Space::box(-1.0, 1.0, {2}));
  boxes.log_std = tensor<float>({0, std::log(2.0f)});
  const Tensor means = tensor<float>({{1, 2}});
  EXPECT_NEAR(boxes.log_prob(means, tensor<float>({{2, 4}})).item(),
              -0.5 - 0.5 - std::log(2.0) - std::log(2 * M_PI), 1e-5);
  EXPECT_NEAR(boxes.entropy(means).item(), 1 + std::log(2 * M_PI) + std::log(2.0), 1e-5);
  // KL(N(0, 1) | N(1, 1)) + KL(N(0, 1) | N(2, 4)).
  EXPECT_NEAR(boxes.kl(tensor<float>({{0, 0}}), tensor<float>({0, 0}), means).item(),
              0.5 + std::log(2.0) + 5.0 / 8 - 0.5, 1e-5);
  EXPECT_EQ(boxes.named_parameters()[0].name, "log_std");
  EXPECT_THROW(ActorCritic(Space::discrete(3), Space::discrete(2)), ValueError);

  // Pictures go through convolutions.
  QNetwork pictures(Space::box(0.0, 1.0, {10, 10, 4}), Space::discrete(3), {.hidden = {32}});
  EXPECT_EQ(pictures(zeros({2, 10, 10, 4})).shape(), (Shape{2, 3}));
  QNetwork dueling(Space::box(0.0, 1.0, {2, 3}), Space::discrete(3), {.dueling = true});
  EXPECT_EQ(dueling(zeros({5, 2, 3})).shape(), (Shape{5, 3}));
  EXPECT_THROW(QNetwork(Space::box(0.0, 1.0, {2}), Space::box(0.0, 1.0, {1})), ValueError);
}

TEST(NoisyLinear, IsQuietInEvaluation) {
  NoisyLinear layer(3, 2);
  const Tensor x = ones({1, 3});
  EXPECT_NE(layer(x).to_vector<double>(), layer(x).to_vector<double>());
  layer.eval();
  EXPECT_EQ(layer(x).to_vector<double>(), layer(x).to_vector<double>());
}

TEST(Ppo, LearnsToBalance) {
  manual_seed(1);
  Ppo agent(envs("CartPole-v1"), network_for("CartPole-v1"),
            {.rollout = {.total_steps = 40960, .seed = 1}, .lr = 1e-3});
  training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 10});
  trainer.fit();
  EXPECT_EQ(agent.steps(), 40960);
  const auto env = make("CartPole-v1");
  double mean = 0;
  for (const double r : play(*env, agent.policy(), 10, 77).returns) mean += r / 10;
  EXPECT_GT(mean, 200);
  EXPECT_LT(training::value_of(trainer.history().back().values, "train_entropy"),
            training::value_of(trainer.history().front().values, "train_entropy"));
}

TEST(OnPolicy, GoOnToTheSameBits) {
  const auto network = [](const OnPolicy& agent) -> const nn::Module& { return agent.network(); };
  const auto rollout = [](int64_t steps) {
    return RolloutOptions{.total_steps = steps * 64, .num_steps = 16, .norm_reward = true};
  };
  const std::string box = "Pendulum-v1", choice = "CartPole-v1";
  expect_same_bits(
      [&] {
        return std::make_unique<Ppo>(envs(choice), network_for(choice),
                                     PpoOptions{.rollout = rollout(8), .target_kl = 0.01});
      },
      network, 3);
  expect_same_bits(
      [&] {
        return std::make_unique<Ppo>(envs(box), network_for(box),
                                     PpoOptions{.rollout = rollout(6), .kl_coef = 0.1});
      },
      network, 3);
  expect_same_bits(
      [&] {
        return std::make_unique<A2c>(envs(choice), network_for(choice),
                                     A2cOptions{.rollout = rollout(12)});
      },
      network, 5);
  expect_same_bits(
      [&] {
        return std::make_unique<Trpo>(envs(choice), network_for(choice),
                                      TrpoOptions{.rollout = rollout(4)});
      },
      network, 2);
  expect_same_bits(
      [&] {
        return std::make_unique<Reinforce>(make(choice), network_for(choice),
                                           ReinforceOptions{.total_episodes = 20});
      },
      [](const Reinforce& agent) -> const nn::Module& { return agent.network(); }, 2);
}

TEST(Trpo, StaysWithinItsRegionAndImproves) {
  manual_seed(3);
  Trpo agent(envs("CartPole-v1", 8), network_for("CartPole-v1"),
             {.rollout = {.total_steps = 20480, .num_steps = 128, .seed = 2}});
  training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 1});
  trainer.fit();
  for (const training::Epoch& e : trainer.history())
    EXPECT_LT(training::value_of(e.values, "train_kl"), 0.01);
  double last = 0;
  for (const double r : agent.returns()) last += r / static_cast<double>(agent.returns().size());
  EXPECT_GT(last, 45);  // at random 22
}

TEST(Reinforce, Improves) {
  manual_seed(2);
  Reinforce agent(make("CartPole-v1"), network_for("CartPole-v1"),
                  {.total_episodes = 240, .lr = 5e-3});
  training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 10});
  trainer.fit();
  double last = 0;
  for (const double r : agent.returns()) last += r / static_cast<double>(agent.returns().size());
  EXPECT_GT(last, 45);
  auto endless = make("CartPole-v1");
  endless->set_max_episode_steps(0);
  EXPECT_THROW(Reinforce(std::move(endless), network_for("CartPole-v1")), ValueError);
}

TEST(OnPolicy, RefuseWhatDoesNotFit) {
  const auto network = network_for("CartPole-v1");
  EXPECT_THROW(Ppo(std::make_unique<VectorEnv>("CartPole-v1", 4), network), ValueError);
  EXPECT_THROW(Ppo(nullptr, network), ValueError);
  EXPECT_THROW(Ppo(envs("Acrobot-v1"), network), ValueError);
  EXPECT_THROW(Ppo(envs("CartPole-v1"), network, {.rollout = {.total_steps = 100}}), ValueError);
  EXPECT_THROW(Ppo(envs("CartPole-v1"), network, {.num_minibatches = 3}), ValueError);
  EXPECT_THROW(Ppo(envs("CartPole-v1"), network, {.clip_coef = NAN}), ValueError);
  EXPECT_THROW(Ppo(envs("CartPole-v1"), network, {.rollout = {.gamma = 2}}), ValueError);
  EXPECT_THROW(Trpo(envs("CartPole-v1"), network, {.target_kl = 0}), ValueError);
  Ppo agent(envs("CartPole-v1"), network);
  EXPECT_THROW(agent.load_state_dict({}), Error);
  StateDict state = agent.state_dict();
  state[0].second = tensor(int64_t{-1});
  EXPECT_THROW(agent.load_state_dict(state), Error);
}

// Shows NaN in its third step.
class Blind : public Wrapper {
 public:
  explicit Blind(std::unique_ptr<Env> env) : Wrapper(std::move(env)) {}

 private:
  Step act(const Action& action) override {
    ++steps_;
    return forward(action);
  }
  void observation(const Observation& out) const override {
    std::ranges::copy(seen().values<float>(), out.values<float>().begin());
    if (steps_ >= 3) out.values<float>()[0] = NAN;
  }
  int steps_ = 0;
};

TEST(Agents, SayWhenAnEnvironmentShowsNoNumbers) {
  const auto message = [](auto make_agent) {
    try {
      const auto agent = make_agent();
      training::Trainer trainer(agent->task(), {.steps = agent->updates()});
      trainer.fit();
    } catch (const ValueError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message([] {
              std::vector<std::unique_ptr<Env>> one;
              one.push_back(std::make_unique<Blind>(make("CartPole-v1")));
              auto vector = std::make_unique<VectorEnv>(std::move(one), AutoresetMode::kSameStep);
              return std::make_unique<Ppo>(std::move(vector), network_for("CartPole-v1"));
            }),
            "Ppo: what is observed of CartPole-v1 is not finite");
  EXPECT_EQ(message([] {
              return std::make_unique<Reinforce>(std::make_unique<Blind>(make("CartPole-v1")),
                                                 network_for("CartPole-v1"));
            }),
            "Reinforce: what is observed of CartPole-v1 is not finite");
  EXPECT_NE(message([] {
              return std::make_unique<Sac>(std::make_unique<Blind>(make("Pendulum-v1")),
                                           SacOptions{.total_steps = 20, .learning_starts = 10});
            }).find("has a NaN"),
            std::string::npos);
}

// The return of an action is -(action - 1.5)^2.
class Target : public Env {
 public:
  Target()
      : Env("Target", Space::box(0.0, 1.0, {2}), Space::box(-1.0, 3.0, {1}),
            Space::box(0, 1, {1}, kF64)) {
    set_max_episode_steps(1);
  }

 private:
  void start(data::Random, std::span<double> state) override { state[0] = 0; }
  Step advance(const Action& action, std::span<double> state) override {
    state[0] = 1;
    const double off = action.values()[0] - 1.5;
    return {-off * off, true, false};
  }
  void write(std::span<const double>, const Observation& out) const override {
    out.values<float>()[0] = 1;
    out.values<float>()[1] = 0;
  }
};

template <class Agent, class Options>
double learnt_action(Options options) {
  manual_seed(4);
  options.total_steps = 900;
  options.learning_starts = 200;
  options.batch_size = 64;
  options.hidden = {32, 32};
  Agent agent(std::make_unique<Target>(), options);
  training::Trainer trainer(agent.task(), {.steps = agent.updates(), .interval = 100});
  trainer.fit();
  return agent.policy()(std::vector<float>{1, 0}).values.at(0);
}

TEST(Continuous, FindTheBestAction) {
  EXPECT_NEAR(learnt_action<Td3>(Td3Options{.lr = 3e-3, .critic_lr = 3e-3, .tau = 0.05}), 1.5,
              0.25);
  Td3Options ddpg = ddpg_options();
  ddpg.lr = ddpg.critic_lr = 3e-3;
  EXPECT_NEAR(learnt_action<Td3>(ddpg), 1.5, 0.25);
  EXPECT_NEAR(learnt_action<Sac>(SacOptions{.policy_lr = 3e-3, .q_lr = 3e-3, .tau = 0.05}), 1.5,
              0.3);
}

TEST(Continuous, GoOnToTheSameBits) {
  const auto actor = [](const auto& agent) -> const nn::Module& { return agent.actor(); };
  expect_same_bits(
      [] {
        return std::make_unique<Td3>(
            make("Pendulum-v1"),
            Td3Options{
                .total_steps = 260, .learning_starts = 220, .batch_size = 16, .hidden = {16, 16}});
      },
      actor, 13);
  expect_same_bits(
      [] {
        return std::make_unique<Sac>(
            make("Pendulum-v1"),
            SacOptions{
                .total_steps = 260, .learning_starts = 220, .batch_size = 16, .hidden = {16, 16}});
      },
      actor, 13);
  EXPECT_THROW(Sac(make("CartPole-v1"), {}), ValueError);
  EXPECT_THROW(Sac(make("Pendulum-v1"), {.tau = 0}), ValueError);
  EXPECT_THROW(Td3(make("Pendulum-v1"), {.total_steps = 10, .learning_starts = 10}), ValueError);
  EXPECT_THROW(Td3(std::make_unique<ClipAction>(make("Pendulum-v1")), {}), ValueError);
}

double mean_return(const Policy& policy, const char* name = "CartPole-v1") {
  const auto env = make(name);
  double mean = 0;
  for (const double r : play(*env, policy, 10, 77).returns) mean += r / 10;
  return mean;
}

TEST(EvolutionStrategy, LearnsToBalance) {
  manual_seed(6);
  const auto env = make("CartPole-v1");
  const auto made = [&] {
    return std::make_unique<EvolutionStrategy>(
        envs("CartPole-v1", 32),
        ActorCritic(env->observation_space(), env->action_space(), {.hidden = {8}}),
        EvolutionOptions{.generations = 15, .sigma = 0.3, .lr = 0.1, .seed = 1});
  };
  const auto agent = made();
  training::Trainer trainer(agent->task(), {.steps = 15, .interval = 1});
  trainer.fit();
  EXPECT_GT(mean_return(agent->policy()), 120);
  EXPECT_THROW(EvolutionStrategy(envs("CartPole-v1", 3), network_for("CartPole-v1")), ValueError);
  expect_same_bits(
      [&] {
        return std::make_unique<EvolutionStrategy>(
            envs("CartPole-v1", 4), network_for("CartPole-v1"), EvolutionOptions{.generations = 6});
      },
      [](const EvolutionStrategy& a) -> const nn::Module& { return a.network(); }, 3);
}

TEST(Dagger, DoesWhatTheExpertDoes) {
  // Pushes where the pole leans, and will.
  const Policy expert = [](const ObservationView& seen) {
    const auto s = seen.values<float>();
    return Decision(s[2] + 0.5f * s[3] + 0.02f * s[0] > 0);
  };
  EXPECT_GT(mean_return(expert), 400);
  manual_seed(7);
  Dagger agent(make("CartPole-v1"), expert, network_for("CartPole-v1"),
               {.iterations = 4, .steps = 400, .epochs = 8, .lr = 3e-3});
  training::Trainer trainer(agent.task(), {.steps = 4, .interval = 1});
  trainer.fit();
  EXPECT_EQ(agent.gathered(), 1600);
  EXPECT_GT(mean_return(agent.policy()), 300);
  expect_same_bits(
      [&] {
        return std::make_unique<Dagger>(
            make("CartPole-v1"), expert, network_for("CartPole-v1"),
            DaggerOptions{.iterations = 4, .steps = 60, .beta_decay = 0.5, .epochs = 2});
      },
      [](const Dagger& a) -> const nn::Module& { return a.network(); }, 2);
  EXPECT_THROW(Dagger(make("Acrobot-v1"), expert, network_for("CartPole-v1")), ValueError);
}

}  // namespace
}  // namespace glia::rl
