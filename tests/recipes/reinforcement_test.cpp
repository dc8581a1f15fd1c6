// Recipes of reinforcement learning besides dqn: short runs that learn, go on and play.
#include <cmath>

#include "glia/io.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class ReinforcementTest : public RecipeTest {
 protected:
  static void expect_same_bits(const std::string& recipe, const Values& given, int stop) {
    train(recipe, {.given = given, .out = "whole", .overwrite = true});
    TrainJob cut = {.given = given, .out = "cut", .overwrite = true};
    int asked = 0;
    cut.interrupted = [&] { return ++asked >= stop; };
    EXPECT_THROW(train(recipe, cut), Interrupted) << recipe;
    train(recipe, {.out = "cut", .resume = true});
    EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"))
        << recipe;
  }
};

TEST_F(ReinforcementTest, TablesFindTheWay) {
  const Trained run = train(
      "q-learning", {.given = {{"env", "CliffWalking-v1"}, {"episodes", 2000}, {"alpha", 0.5}}});
  EXPECT_EQ(run.folder, "runs/q-learning-CliffWalking-v1");
  EXPECT_EQ(value<double>(run.results, "greedy_return"), -13);
  EXPECT_NEAR(value<double>(run.results, "best_value"), -13, 1e-9);
  EXPECT_NEAR(value<double>(run.results, "value_of_start"), -13, 0.5);
  EXPECT_EQ(io::read_file(run.folder + "/episode.gif").substr(0, 6), "GIF89a");
  const std::string report = io::read_file(run.folder + "/report.html");
  for (const char* part : {"Value of the best action", "Pictures of that episode"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<int64_t>(predictor->predict("36"), "action"), 0);
  EXPECT_EQ(value<double>(predictor->evaluate({.count = 2}), "greedy_return"), -13);
  for (const char* wrong : {"48", "-1", "x", "1.5", "1 2"})
    fault([&] { predictor->predict(wrong); });
  expect_same_bits(
      "q-learning",
      {{"env", "Taxi-v4"}, {"episodes", 500}, {"algorithm", "double-q"}, {"checkpoint-steps", 1}},
      100);
  expect_same_bits("q-learning", {{"episodes", 500}, {"algorithm", "q-lambda"}}, 77);
}

TEST_F(ReinforcementTest, PoliciesAreImproved) {
  const Trained run = train("ppo", {.given = {{"steps", 30720}, {"lr", 1e-3}}});
  EXPECT_EQ(run.folder, "runs/ppo-CartPole-v1");
  EXPECT_GT(value<double>(run.results, "greedy_return"), 120);
  const auto predictor = load(run.folder);
  const int64_t action = value<int64_t>(predictor->predict("0.1, 0, -0.02, 0"), "action");
  EXPECT_TRUE(action == 0 || action == 1);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.count = 3}), "episodes"), 3);
  EXPECT_EQ(fault([&] { predictor->evaluate({.data = "Acrobot-v1"}); }),
            "Acrobot-v1: the model is of CartPole-v1");
  expect_same_bits("a2c", {{"steps", 800}}, 5);
  expect_same_bits("trpo", {{"steps", 1024}, {"rollout", 64}}, 2);
  expect_same_bits("ppo", {{"env", "Pendulum-v1"}, {"steps", 1024}, {"rollout", 256}}, 2);
}

TEST_F(ReinforcementTest, ValuesAreControlled) {
  const Values few = {{"steps", 300}, {"learning-starts", 250}, {"hidden", 16}, {"batch", 16}};
  const Trained run = train("sac", {.given = few});
  EXPECT_EQ(run.folder, "runs/sac-Pendulum-v1");
  const auto predictor = load(run.folder);
  const Tensor torque = value<Tensor>(predictor->predict("1, 0, 0.5"), "action");
  EXPECT_LE(std::abs(torque.item()), 2);
  EXPECT_LT(value<double>(predictor->evaluate({.count = 1}), "greedy_return"), 0);
  for (const char* recipe : {"sac", "td3", "ddpg"}) expect_same_bits(recipe, few, 9);
  EXPECT_EQ(fault_of("td3", {.given = {{"steps", 500}, {"learning-starts", 500}}}),
            "--learning-starts is not less than --steps");
}

TEST_F(ReinforcementTest, DeepQLearningHasItsOptions) {
  expect_same_bits("dqn",
                   {{"env", "FrozenLake-v1"},
                    {"steps", 600},
                    {"batch", 8},
                    {"returns", "c51"},
                    {"dueling", true},
                    {"n-step", 3},
                    {"per-alpha", 0.5}},
                   20);
  const Trained run = train(
      "dqn",
      {.given = {
           {"env", "MinAtar/Breakout-v1"}, {"steps", 300}, {"noisy", true}, {"returns", "qr"}}});
  EXPECT_EQ(run.folder, "runs/dqn-Breakout-v1");
}

}  // namespace
}  // namespace glia::recipes
