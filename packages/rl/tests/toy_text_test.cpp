// Small worlds, planning and tables: exact numbers of Gymnasium's environments, and of Sutton &
// Barto.
#include "glia/rl/toy_text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/rl/minatar.h"
#include "glia/rl/planning.h"
#include "glia/rl/tabular.h"
#include "tests/support/values.h"

namespace glia::rl {
namespace {

using test::message_of;

TEST(Planning, GivesWhatIsKnown) {
  const auto small = frozen_lake(), large = frozen_lake({.map_name = "8x8"});
  const Plan lake = value_iteration(small->model(), {.gamma = 0.99});
  EXPECT_NEAR(lake.value_of_start(small->model()), 0.542026, 5e-7);
  EXPECT_NEAR(value_iteration(large->model(), {.gamma = 0.99}).values[0], 0.414640, 5e-7);
  // How often the goal is reached at best, with and without the limit of steps.
  EXPECT_NEAR(value_iteration(small->model(), {.gamma = 1}).values[0], 0.823529, 5e-7);
  EXPECT_NEAR(finite_horizon(small->model(), 100)[0], 0.744190, 5e-7);
  EXPECT_NEAR(finite_horizon(large->model(), 200)[0], 0.913220, 5e-7);
  const auto cliff = cliff_walking();
  EXPECT_NEAR(value_iteration(cliff->model(), {.gamma = 1}).values[36], -13, 1e-9);
  EXPECT_NEAR(value_iteration(cliff->model(), {.gamma = 1}).value_of_start(cliff->model()), -13,
              1e-9);
  const auto cab = taxi();
  EXPECT_NEAR(finite_horizon(cab->model(), 200)[(12 * 5 + 0) * 4 + 1], 20 - 13.0, 1e-9);

  const Plan by_policy = policy_iteration(small->model(), {.gamma = 0.99});
  for (size_t s = 0; s < 16; ++s) EXPECT_NEAR(by_policy.values[s], lake.values[s], 1e-9);
  EXPECT_EQ(by_policy.policy, lake.policy);
  EXPECT_LE(by_policy.improvements, 20);
  const auto again = policy_evaluation(small->model(), lake.policy, {.gamma = 0.99});
  for (size_t s = 0; s < 16; ++s) EXPECT_NEAR(again[s], lake.values[s], 1e-9);
}

TEST(Planning, GivesSuttonAndBartosGrids) {
  // Example 4.1: the random policy.
  const auto grid = grid_world({.map = {"G...", "....", "....", "...G"}});
  const std::vector<double> random(64, 0.25);
  const auto values = policy_evaluation(grid->model(), random, {.gamma = 1});
  const double expected[] = {0,   -14, -20, -22, -14, -18, -20, -20,
                             -20, -20, -18, -14, -22, -20, -14, 0};
  for (size_t s = 0; s < 16; ++s) EXPECT_NEAR(values[s], expected[s], 1e-6) << s;
  // Example 6.5: the windy grid, 15 steps.
  std::vector<std::string> map(7, "..........");
  map[3] = "S......G..";
  const auto windy = grid_world({.map = map, .wind = {0, 0, 0, 1, 1, 1, 2, 2, 1, 0}});
  EXPECT_NEAR(value_iteration(windy->model(), {.gamma = 1}).values[30], -15, 1e-9);
  // Walls, pits and slips.
  const auto hall = grid_world({.map = {"S#G", "...", ".X."}, .goal = 10, .pit = -10, .slip = 0.2});
  const Plan plan = value_iteration(hall->model(), {.gamma = 0.9});
  EXPECT_EQ(plan.policy[0], 2);
  EXPECT_EQ(plan.policy[5], 0);
  EXPECT_GT(plan.values[5], plan.values[0]);
}

TEST(Planning, RefusesWhatIsNone) {
  const auto lake = frozen_lake();
  Model model = lake->model();
  EXPECT_THROW(value_iteration(model, {.gamma = 1.5}), ValueError);
  EXPECT_THROW(policy_evaluation(model, std::vector<int64_t>(3)), ShapeError);
  EXPECT_THROW(policy_evaluation(model, std::vector<int64_t>(16, 4)), ValueError);
  EXPECT_THROW(policy_evaluation(model, std::vector<double>(64, 0.5)), ValueError);
  EXPECT_THROW(finite_horizon(model, -1), ValueError);
  model.outcomes[5 * 4][0].probability = 0.5;
  EXPECT_EQ(message_of<ValueError>([&] { value_iteration(model); }),
            "Model: probabilities of state 5, action 0 sum to 0.500000, not 1");
  model = lake->model();
  model.outcomes[0][0].next = 16;
  EXPECT_THROW(model.check(), ValueError);
  model = lake->model();
  model.initial[0] = 0;
  EXPECT_THROW(model.check(), ValueError);
  EXPECT_THROW(TabularEnv("Nothing", {}), ValueError);
  // A policy that walks into a wall for ever.
  const auto cliff = cliff_walking();
  EXPECT_THROW(policy_evaluation(cliff->model(), std::vector<int64_t>(48, 3),
                                 {.gamma = 1, .max_sweeps = 1000}),
               Error);
}

TEST(ToyText, RefusesOptions) {
  EXPECT_THROW(frozen_lake({.map_name = "5x5"}), ValueError);
  EXPECT_THROW(frozen_lake({.desc = {"SF", "G"}}), ValueError);
  EXPECT_THROW(frozen_lake({.desc = {"SQ"}}), ValueError);
  EXPECT_THROW(frozen_lake({.desc = {"FG"}}), ValueError);
  EXPECT_THROW(frozen_lake({.success_rate = 2}), ValueError);
  EXPECT_THROW(grid_world({.map = {}}), ValueError);
  EXPECT_THROW(grid_world({.map = {"S.G"}, .wind = {1}}), ValueError);
  EXPECT_THROW(grid_world({.map = {"#G"}}), ValueError);
  EXPECT_THROW(random_map(1), ValueError);
  const auto lake = frozen_lake();
  EXPECT_THROW(lake->set_state(std::vector<double>{0.5}), ValueError);
  EXPECT_THROW(lake->set_state(std::vector<double>{16}), ValueError);
  EXPECT_THROW(table_size(Space::box(0.0, 1.0, {2})), ValueError);
  EXPECT_THROW(table_index(Space::discrete(3), std::vector<int64_t>{3}), ValueError);
  EXPECT_THROW(breakout({.sticky_action_prob = -1}), ValueError);
  const std::vector<std::string> map = random_map(8, 0.6, 3);
  EXPECT_EQ(map, random_map(8, 0.6, 3));
  EXPECT_NE(map, random_map(8, 0.6, 4));
  EXPECT_GT(value_iteration(frozen_lake({.desc = map, .is_slippery = false})->model()).values[0],
            0);
}

TEST(ToyText, SlipsAsOftenAsItSays) {
  const auto lake = make("FrozenLake-v1");
  std::vector<int64_t> seen(1);
  lake->reset(seen, 1);
  int64_t counts[16] = {};
  constexpr int kDraws = 30000;
  for (int i = 0; i < kDraws; ++i) {
    lake->reset(seen);
    EXPECT_EQ(seen[0], 0);
    lake->step(2, seen);  // right, down or up, which is where it is
    ++counts[seen[0]];
  }
  for (const size_t cell : {0, 1, 4}) EXPECT_NEAR(counts[cell], kDraws / 3.0, 330) << cell;
}

TEST(Blackjack, PlaysByItsRules) {
  const auto game = make("Blackjack-v1");
  std::vector<int64_t> seen(3);
  std::vector<double> hands(50);
  const auto deal = [&](std::vector<double> player, std::vector<double> dealer) {
    std::ranges::fill(hands, 0.0);
    hands[0] = static_cast<double>(player.size());
    hands[1] = static_cast<double>(dealer.size());
    std::ranges::copy(player, hands.begin() + 2);
    std::ranges::copy(dealer, hands.begin() + 26);
    game->set_state(hands);
    game->observe(seen);
  };
  deal({1, 6}, {10, 9});
  EXPECT_EQ(seen, (std::vector<int64_t>{17, 10, 1}));
  EXPECT_EQ(game->step(0, seen).reward, -1);
  deal({10, 9}, {10, 9});
  EXPECT_EQ(game->step(0, seen).reward, 0);
  deal({1, 10}, {9, 9, 3});  // 21 against a natural
  EXPECT_EQ(game->step(0, seen).reward, 1);
  deal({10, 10, 10}, {2, 3});
  EXPECT_EQ(seen[0], 30);
  EXPECT_TRUE(game->step(1, seen).terminated);
  hands[0] = 4;
  EXPECT_THROW(game->set_state(hands), ValueError);
  // What the dealer's rules make of sticking at 20 and 12 (infinite deck, by simulation of 10^7).
  EXPECT_EQ(table_size(game->observation_space()), 32 * 11 * 2);
  double sum = 0;
  game->reset(seen, 1);
  constexpr int kGames = 20000;
  for (int i = 0; i < kGames; ++i) {
    game->reset(seen);
    Step step;
    while (!step.terminated) step = game->step(seen[0] < 20, seen);
    sum += step.reward;
  }
  // Sticking on 20 or 21 only loses about a third (Sutton & Barto 2018, example 5.1).
  EXPECT_NEAR(sum / kGames, -0.335, 0.03);
}

TEST(Breakout, ReturnsTheBall) {
  const auto game = breakout({.sticky_action_prob = 0});
  std::vector<float> seen(400);
  game->reset(seen, 3);
  const auto count = [&](size_t channel) {
    double sum = 0;
    for (size_t i = channel; i < 400; i += 4) sum += seen[i];
    return sum;
  };
  EXPECT_EQ(count(3), 30);
  EXPECT_EQ(seen[(9 * 10 + 4) * 4], 1);
  // Follows the ball: it stays in the game.
  double reward = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto state = game->state();
    const double ahead = state[0] + (state[2] == 1 || state[2] == 2 ? 1 : -1);
    const double target = state[2] >= 2 ? std::clamp(ahead, 0.0, 9.0) : state[0];
    const Step step = game->step(state[3] > target ? 1 : state[3] < target ? 2 : 0, seen);
    ASSERT_FALSE(step.terminated) << i;
    reward += step.reward;
    EXPECT_EQ(count(0), 1);
    EXPECT_EQ(count(1), 1);
  }
  EXPECT_GT(reward, 10);
  game->reset(seen, 3);
  Step last;
  int steps = 0;
  for (; !last.terminated && steps < 100; ++steps) last = game->step(1, seen);
  EXPECT_TRUE(last.terminated);
  EXPECT_EQ(game->step(0, seen).reward, 0);
}

double learnt(const char* name, const TabularOptions& options, int64_t episodes) {
  const auto env = make(name);
  if (env->max_episode_steps() == 0) env->set_max_episode_steps(1000);
  TabularAgent agent(*env, options);
  for (int64_t i = 0; i < episodes; ++i) agent.play_episode(*env);
  return agent.value(std::string(name) == "CliffWalking-v1" ? 36 : 0);
}

TEST(Tabular, QLearningFindsTheValueOfTheLake) {
  EXPECT_NEAR(learnt("FrozenLake-v1",
                     {.gamma = 0.99, .alpha = 1, .alpha_power = 0.6, .epsilon = 0.3}, 150000),
              0.542026, 0.02);
}

TEST(Tabular, EachMethodLearnsTheCliff) {
  for (const TabularMethod method :
       {TabularMethod::kQLearning, TabularMethod::kSarsa, TabularMethod::kExpectedSarsa,
        TabularMethod::kDoubleQ, TabularMethod::kSarsaLambda, TabularMethod::kQLambda}) {
    const auto env = make("CliffWalking-v1");
    env->set_max_episode_steps(1000);
    // Two tables need to see more, until neither is wrong of what the other one avoids.
    const bool is_double = method == TabularMethod::kDoubleQ;
    TabularAgent agent(*env, {.method = method,
                              .gamma = 1,
                              .alpha = is_double ? 0.1 : 0.3,
                              .epsilon = is_double ? 0.3 : 0.1});
    const int episodes = is_double ? 5000 : 2000;
    double last = 0;
    for (int i = 0; i < episodes; ++i) {
      const double sum = agent.play_episode(*env);
      if (i >= episodes - 500) last += sum / 500;
    }
    const double greedy = play(*env, agent.policy(), 1, 5).returns[0];
    const auto number = static_cast<int>(method);
    // Off-policy learning walks along the edge, on-policy learning keeps away and falls less.
    if (method == TabularMethod::kQLearning || method == TabularMethod::kDoubleQ ||
        method == TabularMethod::kQLambda) {
      EXPECT_EQ(greedy, -13) << number;
      EXPECT_LT(last, -30) << number;
    } else {
      EXPECT_LE(greedy, -15) << number;
      EXPECT_GE(greedy, -21) << number;
      EXPECT_GT(last, -35) << number;
    }
  }
}

TEST(Tabular, MonteCarloPlaysBlackjack) {
  const auto env = make("Blackjack-v1");
  TabularAgent agent(*env, {.method = TabularMethod::kMonteCarlo,
                            .gamma = 1,
                            .alpha = 1,
                            .alpha_power = 1,
                            .epsilon = 0.2});
  for (int i = 0; i < 100000; ++i) agent.play_episode(*env);
  const auto returns = play(*env, agent.policy(), 20000, 9).returns;
  double mean = 0;
  for (const double r : returns) mean += r / 20000;
  EXPECT_GT(mean, -0.075);  // the best policy loses 0.04
}

TEST(Tabular, GoesOnFromItsState) {
  for (const TabularMethod method : {TabularMethod::kDoubleQ, TabularMethod::kQLambda}) {
    const auto env = make("FrozenLake-v1"), other = make("FrozenLake-v1");
    TabularAgent a(*env, {.method = method, .epsilon_decay = 0.99}),
        b(*other, {.method = method, .epsilon_decay = 0.99});
    for (int i = 0; i < 50; ++i) a.play_episode(*env);
    b.load_state_dict(a.state_dict());
    other->load_state_dict(env->state_dict());
    for (int i = 0; i < 50; ++i) EXPECT_EQ(a.play_episode(*env), b.play_episode(*other));
    for (int64_t s = 0; s < 16; ++s) EXPECT_EQ(a.action_values(s), b.action_values(s));
  }
  const auto env = make("FrozenLake-v1");
  TabularAgent agent(*env);
  EXPECT_THROW(agent.load_state_dict({}), Error);
  EXPECT_THROW(agent.action_values(16), ValueError);
  EXPECT_THROW(agent.play_episode(*make("Taxi-v4")), ValueError);
  EXPECT_THROW(TabularAgent(*make("CartPole-v1")), ValueError);
  EXPECT_THROW(TabularAgent(*env, {.alpha = 2}), ValueError);
  EXPECT_THROW(TabularAgent(*env, {.epsilon = NAN}), ValueError);
}

}  // namespace
}  // namespace glia::rl
