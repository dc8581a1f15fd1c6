// The training loop: what it computes and what it calls.
#include "glia/train.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "glia/io.h"
#include "glia/runtime.h"
#include "tests/support/experiment.h"

namespace glia::training {
namespace {

TEST_F(Training, LearnsAndKeepsItsHistory) {
  Experiment e(8);
  e.fit();
  ASSERT_EQ(e.trainer.history().size(), 8u);
  EXPECT_TRUE(e.trainer.finished());
  EXPECT_EQ(e.trainer.step(), 8 * 13);
  const Epoch &first = e.trainer.history()[0], &last = e.trainer.history()[7];
  EXPECT_EQ(first.epoch, 1);
  EXPECT_EQ(first.step, 13);
  EXPECT_LT(value_of(last.values, "test_loss"), value_of(first.values, "test_loss"));
  EXPECT_GT(value_of(last.values, "test_accuracy"), 0.8);
  EXPECT_THROW(value_of(last.values, "bogus"), Error);
}

TEST_F(Training, MeansWeighTheLastSmallerBatch) {
  Experiment e;
  const Values means = e.trainer.evaluate(e.test);  // 30, 30, 30 and 10 points
  const auto all = e.trainer.evaluate(static_cast<data::Pipeline&>(e.test = points().batch(100)));
  EXPECT_NEAR(value_of(means, "loss"), value_of(all, "loss"), 1e-6);
  EXPECT_EQ(value_of(means, "accuracy"), value_of(all, "accuracy"));
}

TEST_F(Training, EvaluationLeavesTheModeAndTheWeights) {
  Experiment e;
  const auto before = e.weights();
  EXPECT_TRUE(e.net.is_training());
  const Values a = e.trainer.evaluate(e.test), b = e.trainer.evaluate(e.test);
  EXPECT_EQ(a, b) << "dropout is on";
  EXPECT_TRUE(e.net.is_training());
  EXPECT_EQ(e.weights(), before);
}

TEST_F(Training, CallbacksComeInOrder) {
  Experiment e(2);
  std::string calls;
  e.trainer.add({.on_begin = [&](Trainer&) { calls += 'b'; },
                 .on_step = [&](Trainer&) { calls += 's'; },
                 .on_epoch = [&](Trainer& t) { calls += std::to_string(t.history().size()); },
                 .on_end = [&](Trainer&) { calls += 'e'; }});
  e.fit();
  EXPECT_EQ(calls, "b" + std::string(13, 's') + "1" + std::string(13, 's') + "2e");
}

TEST_F(Training, AStepIsOnePlanAndReadsNothing) {
  if (eager()) GTEST_SKIP() << "eager mode makes a plan of every operation";
  Experiment e(3);
  std::vector<int64_t> runs, built;
  e.trainer.add({.on_step = [&](Trainer&) {
    runs.push_back(graph_stats().plans_run);
    built.push_back(graph_stats().plans_built);
  }});
  e.training = points().shuffle(1).batch(8);
  e.fit();
  for (const int step : {3, 4, 5, 30, 31}) EXPECT_EQ(runs[step] - runs[step - 1], 1);
  // From the second epoch on nothing is new, the last, smaller batch included.
  EXPECT_EQ(built[38], built[13]);
}

TEST_F(Training, ScheduleSetsTheRate) {
  Experiment e(2);
  std::vector<double> rates;
  e.trainer.add({.on_step = [&](Trainer&) { rates.push_back(e.optimizer.lr()); }});
  e.fit();
  const auto schedule = optim::one_cycle(0.01, 26);
  for (int64_t step = 0; step < 26; ++step) EXPECT_EQ(rates[step], schedule(step));
}

TEST_F(Training, ThreadsDoNotChangeTheBits) {
  std::vector<float> first;
  const int before = num_threads();
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Experiment e(2);
    e.fit();
    if (first.empty()) first = e.weights();
    EXPECT_EQ(e.weights(), first) << threads << " threads";
  }
  set_num_threads(before);
}

TEST_F(Training, WritesATable) {
  Experiment e(3);
  e.trainer.add(csv(file("metrics.csv")));
  e.fit();
  std::ifstream table(file("metrics.csv"));
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "epoch,step,seconds,lr,train_loss,train_accuracy,test_loss,test_accuracy");
  for (int row = 1; row <= 3; ++row) {
    ASSERT_TRUE(std::getline(table, line));
    EXPECT_TRUE(line.starts_with(std::to_string(row) + "," + std::to_string(13 * row) + ","));
    const double accuracy = std::stod(line.substr(line.rfind(',') + 1));
    EXPECT_EQ(accuracy, value_of(e.trainer.history()[row - 1].values, "test_accuracy"));
  }
  EXPECT_FALSE(std::getline(table, line));
}

TEST_F(Training, WritesTensorBoardEvents) {
  Experiment e(4);  // 52 steps
  e.trainer.add(tensorboard(file("events")));
  e.fit();
  ASSERT_FALSE(fs::is_empty(file("events")));
  const std::string events = io::read_file(fs::directory_iterator(file("events"))->path());
  for (const char* tag : {"loss/step", "loss/train", "loss/test", "accuracy/test", "lr"})
    EXPECT_NE(events.find(tag), std::string::npos) << tag;
}

TEST_F(Training, StopsEarly) {
  // A rate so small that nothing improves visibly: the training accuracy never does by 2.
  Experiment e(20, 1e-12);
  e.trainer.add(early_stopping("lr", 3, Better::kHigher));
  e.fit();
  // one_cycle's rate rises for 30 % of the steps, and falls from then on.
  EXPECT_EQ(e.trainer.history().size(), 6u + 3u);
  EXPECT_TRUE(e.trainer.stopped());
}

TEST_F(Training, StopsEarlyUnlessBetterByMinDelta) {
  // The history is what a callback before it says.
  const auto epochs_of = [](const std::vector<double>& losses, int patience, double min_delta,
                            Better better = Better::kLower) {
    Experiment e(static_cast<int64_t>(losses.size()));
    e.test = points().take(30).batch(30);
    const std::string name = "test_loss";
    e.trainer.add(overwrite(name, losses));
    e.trainer.add(early_stopping(name, patience, better, {.min_delta = min_delta}));
    e.fit();
    return e.trainer.history().size();
  };
  const double inf = INFINITY, nan = NAN;
  EXPECT_EQ(epochs_of({1, 0.9, 0.8, 0.7, 0.6}, 2, 0), 5u);
  EXPECT_EQ(epochs_of({1, 0.9, 0.81, 0.72, 0.6}, 2, 0.15), 5u) << "0.81 is better than 1 by 0.19";
  EXPECT_EQ(epochs_of({1, 0.9, 0.86, 0.72, 0.6}, 2, 0.15), 3u);
  EXPECT_EQ(epochs_of({0.5, 0.625, 0.75, 0.75, 0.5}, 2, 0.125, Better::kHigher), 5u);
  EXPECT_EQ(epochs_of({1, 1, 1, 1}, 1, 0), 2u);
  EXPECT_EQ(epochs_of({1, 1, 1, 1}, 0, 0), 2u);
  EXPECT_EQ(epochs_of({nan, 3, 2, nan, 1, nan, nan}, 2, 0), 7u);
  EXPECT_EQ(epochs_of({inf, inf, 3, nan, inf, 5}, 2, 0), 5u);
  EXPECT_EQ(epochs_of({-inf, -1, -inf, 5}, 2, 0), 3u);
  EXPECT_THROW(early_stopping("x", -1), Error);
  EXPECT_THROW(early_stopping("x", 1, Better::kLower, {.min_delta = -1}), Error);
  EXPECT_THROW(early_stopping("x", 1, Better::kLower, {.min_delta = nan}), Error);
}

TEST_F(Training, EmptyDataAreFoundBeforeTraining) {
  const auto steps = [](auto&& change) {
    Experiment e;
    change(e);
    EXPECT_THROW(e.fit(), ValueError);
    return e.trainer.step();
  };
  EXPECT_EQ(steps([](Experiment& e) { e.test = points().skip(100).batch(30); }), 0);
  EXPECT_EQ(steps([](Experiment& e) { e.training = points().skip(100).batch(8); }), 0);
  EXPECT_EQ(steps([](Experiment& e) { e.training = points().batch(101, true); }), 0);
  Experiment e;
  auto nothing = points().take(0).batch(3);
  EXPECT_THROW(e.trainer.evaluate(nothing), ValueError);
}

TEST_F(Training, DivergenceIsAnError) {
  Experiment e;
  e.training = points().batch(8).map([](const Tensor& x, const Tensor& y) {
    return std::array{x * INFINITY, y};
  });
  e.trainer.add(checkpoints(file("checkpoint")));
  try {
    e.fit();
    FAIL() << "a loss of NaN went unnoticed";
  } catch (const ValueError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("training diverged: the loss of epoch 1"));
  }
}

}  // namespace
}  // namespace glia::training
