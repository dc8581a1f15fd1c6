// The training loop: what it computes, what it calls, and that a run which is cut goes on exactly.
#include "glia/train.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"

namespace glia::train {
namespace {

namespace fs = std::filesystem;

struct Net : nn::Module {
  nn::Linear fc1{4, 16}, fc2{16, 3};
  nn::Dropout drop{0.3};
  Tensor operator()(const Tensor& x) const { return fc2(drop(relu(fc1(x)))); }
  GLIA_FIELDS(fc1, fc2, drop)
};

// 100 points in three classes, noise added anew in each epoch.
data::Dataset<2> points() {
  data::Random random(7);
  std::vector<float> x(400);
  std::vector<int64_t> y(100);
  for (int i = 0; i < 100; ++i) {
    y[i] = random.below(3);
    for (int k = 0; k < 4; ++k)
      x[4 * i + k] = static_cast<float>(random.uniform()) + (k == y[i] ? 1.0f : 0.0f);
  }
  return data::from_tensors(from_vector(x, {100, 4}), from_vector(y, {100}));
}

// Everything that a run needs, the same each time it is made.
struct Experiment {
  explicit Experiment(int64_t epochs = 4, double lr = 0.01)
      : training(points().shuffle(1).batch(8).augment(
            2,
            [](data::Random& random, const Tensor& x, const Tensor& y) {
              return std::array{x + random.uniform() * 0.1, y};
            })),
        test(points().batch(30)),
        trainer(
            (manual_seed(3), net), optimizer,
            [this](const data::Sample& batch) -> Outcome {
              const Tensor logits = net(batch[0]);
              return {cross_entropy(logits, batch[1]),
                      {{"accuracy", sum(argmax(logits) == batch[1])}}};
            },
            {.epochs = epochs, .schedule = optim::one_cycle(lr, epochs * 13), .note = "hello"}) {}
  void fit() { trainer.fit(training, &test); }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const auto& [name, tensor] : net.state_dict())
      for (const float w : tensor.to_vector<float>()) all.push_back(w);
    return all;
  }

  data::Dataset<2> training, test;
  Net net = (manual_seed(3), Net());
  optim::AdamW optimizer{net.parameters(), {.lr = 0.01}};
  Trainer trainer;
};

class Training : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "glia-train-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string folder_;
};

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

TEST_F(Training, CutAnywhereAndResumedGivesTheSameBits) {
  Experiment whole;
  whole.trainer.add(csv(file("whole.csv")));
  whole.fit();
  for (const int64_t cut : {1, 7, 12, 13, 14, 26, 51, 52}) {
    for (const int ahead : {0, 2}) {
      {
        Experiment e;
        e.training = e.training.prefetch(ahead);
        e.trainer.add(checkpoints(file("checkpoint"), 1));
        e.trainer.add({.on_step = [&](Trainer& t) {
          if (t.step() == cut) throw std::runtime_error("killed");
        }});
        EXPECT_THROW(e.fit(), std::runtime_error);
      }
      rand({3});  // the stream is somewhere else
      Experiment e;
      e.trainer.load(file("checkpoint"));
      EXPECT_EQ(e.trainer.step(), cut);
      e.fit();
      EXPECT_EQ(e.weights(), whole.weights()) << "cut after step " << cut;
      ASSERT_EQ(e.trainer.history().size(), whole.trainer.history().size());
      for (size_t i = 0; i < whole.trainer.history().size(); ++i)
        EXPECT_EQ(e.trainer.history()[i].values, whole.trainer.history()[i].values);
    }
  }
}

TEST_F(Training, StopSavesAndFinishesLater) {
  Experiment whole;
  whole.fit();
  Experiment e;
  e.trainer.add({.on_step = [](Trainer& t) {
    if (t.step() == 20) t.stop();
  }});
  e.trainer.add(checkpoints(file("checkpoint")));
  e.fit();
  EXPECT_FALSE(e.trainer.finished());
  EXPECT_EQ(e.trainer.step(), 20);
  Experiment resumed;
  resumed.trainer.load(file("checkpoint"));
  EXPECT_EQ(resumed.trainer.step(), 20);
  resumed.fit();
  EXPECT_EQ(resumed.weights(), whole.weights());
  EXPECT_EQ(read_note(file("checkpoint")), "hello");
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

TEST_F(Training, AForeignCheckpointIsNamed) {
  const auto error = [&](const std::string& path) -> std::string {
    Experiment e;
    const auto before = e.weights();
    try {
      e.trainer.load(path);
    } catch (const IoError& error) {
      EXPECT_EQ(e.weights(), before) << "half of it was loaded";
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(error(file("missing")).starts_with(file("missing") + ": "));
  io::write_safetensors(file("other"), {{"x", zeros({1})}});
  EXPECT_EQ(error(file("other")), file("other") + ": is no checkpoint of a training run");

  nn::Linear other(4, 3);
  optim::AdamW optimizer(other.parameters(), {.lr = 0.01});
  Trainer trainer(other, optimizer, {}, {.epochs = 1});
  trainer.save(file("linear"));
  EXPECT_TRUE(error(file("linear")).starts_with(file("linear") + ": does not fit this run: "));
}

TEST_F(Training, AFailedSaveKeepsTheOldCheckpoint) {
  Experiment e;
  EXPECT_THROW(e.trainer.save("/dev/full"), IoError);
  e.trainer.save(file("checkpoint"));
  EXPECT_THROW(e.trainer.save(file("missing/checkpoint")), IoError);
  Experiment other;
  other.trainer.load(file("checkpoint"));
}

}  // namespace
}  // namespace glia::train
