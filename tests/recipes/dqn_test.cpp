// DQN recipe: a short run that learns, resumption, actions and episodes.
#include "glia/io.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class DqnTest : public RecipeTest {
 protected:
  static TrainJob job(const std::string& out, int64_t steps = 2000) {
    return {.given = {{"steps", steps}, {"buffer", 500}, {"batch", 16}}, .out = out};
  }
};

TEST_F(DqnTest, LearnsToBalance) {
  const Trained run = train("dqn", {.given = {{"steps", 30000}, {"lr", 1e-3}}});
  EXPECT_EQ(run.folder, "runs/dqn-CartPole-v1");
  // A random agent's episodes have some 22 steps.
  EXPECT_GT(value<double>(run.results, "greedy_return"), 100);
  const std::string report = io::read_file(run.folder + "/report.html");
  for (const char* part : {"Return", "An episode by the trained agent", "observation 3"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

// Acrobot's episodes have up to 500 steps.
TEST_F(DqnTest, NoEpisodeNeedsToEnd) {
  const Trained run = train(
      "dqn",
      {.given = {{"env", "Acrobot-v1"}, {"steps", 200}, {"learning-starts", 100}, {"batch", 8}}});
  EXPECT_EQ(run.results.at(0).name, "greedy_return");
  EXPECT_NE(io::read_file(run.folder + "/metrics.csv").find(",,"), std::string::npos);
}

TEST_F(DqnTest, GoesOnToTheSameBits) {
  train("dqn", job("whole"));
  for (const int stop : {1, 2, 90}) {
    const std::string out = "cut" + std::to_string(stop);
    TrainJob cut = job(out);
    int asked = 0;
    cut.interrupted = [&] { return ++asked >= stop; };
    EXPECT_THROW(train("dqn", cut), Interrupted);
    train("dqn", {.out = out, .resume = true});
    EXPECT_EQ(io::read_file(out + "/model.safetensors"), io::read_file("whole/model.safetensors"))
        << stop;
  }
}

TEST_F(DqnTest, ActsAndPlays) {
  const Trained run = train("dqn", job("run"));
  const auto predictor = load(run.folder);
  const Results answer = predictor->predict("0.1, 0, -0.02, 0");
  const int64_t action = value<int64_t>(answer, "action");
  EXPECT_TRUE(action == 0 || action == 1);
  EXPECT_EQ(value<report::Table>(answer, "values").rows.size(), 2u);
  EXPECT_EQ(value<int64_t>(predictor->predict(tensor({0.1f, 0.0f, -0.02f, 0.0f})), "action"),
            action);
  const Results episodes = predictor->evaluate({.count = 3});
  EXPECT_EQ(value<int64_t>(episodes, "episodes"), 3);
  EXPECT_EQ(value<double>(episodes, "greedy_return"),
            value<double>(predictor->evaluate({.count = 3}), "greedy_return"));
  for (const char* wrong : {"1 2 3", "", "a b c d", "nan 0 0 0"})
    fault([&] { predictor->predict(wrong); });
  EXPECT_EQ(fault([&] { predictor->predict(zeros({3})); }), "an observation has 4 numbers");
  EXPECT_EQ(fault([&] { predictor->evaluate({.data = "Acrobot-v1"}); }),
            "Acrobot-v1: the model is of CartPole-v1");
  EXPECT_EQ(fault_of("dqn", {.given = {{"steps", 500}, {"learning-starts", 500}}}),
            "--learning-starts is not less than --steps");
}

}  // namespace
}  // namespace glia::recipes
