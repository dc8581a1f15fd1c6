// Rates in a training run: a plateau that is saved, loss scaling, the range test, more epochs.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "tests/support/experiment.h"

namespace glia::training {
namespace {

std::vector<double> values_of(const Trainer& t, const std::string& name) {
  std::vector<double> out;
  for (const Epoch& e : t.history()) out.push_back(value_of(e.values, name));
  return out;
}

std::vector<float> flat(const StateDict& state) {
  std::vector<float> out;
  for (const auto& [name, value] : state)
    for (const float x : value.to_vector<float>()) out.push_back(x);
  return out;
}

// ---- Plateaus -----------------------------------------------------------------------------------

TEST_F(Training, APlateauLowersTheRateAlsoAfterAKill) {
  const std::vector<double> losses = {3, 2, 2, 2, 1, 1, 1, 1};
  const auto prepare = [&](Experiment& e, bool checkpoints_first, int64_t every) {
    e.optimizer.set_schedule({});
    e.trainer.add(overwrite("test_loss", losses));
    if (checkpoints_first) e.trainer.add(checkpoints(file("checkpoint"), every));
    e.trainer.add(reduce_lr_on_plateau(e.optimizer, "test_loss", {.factor = 0.5, .patience = 1}));
    if (!checkpoints_first) e.trainer.add(checkpoints(file("checkpoint"), every));
  };
  Experiment whole(8);
  prepare(whole, false, 1000);
  whole.fit();
  EXPECT_EQ(values_of(whole.trainer, "lr"),
            (std::vector<double>{0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.005, 0.0025}));
  for (const bool checkpoints_first : {false, true}) {
    for (const int64_t cut : {26, 40, 52, 55, 78, 91}) {
      for (const bool in_step : {false, true}) {
        {
          Experiment e(8);
          prepare(e, checkpoints_first, cut);
          const auto die = [&](Trainer& t) {
            if (t.step() == cut) throw std::runtime_error("killed");
          };
          e.trainer.add(in_step ? Callback{.on_step = die} : Callback{.on_epoch = die});
          try {
            e.fit();
          } catch (const std::runtime_error&) {
          }
        }
        Experiment e(8);
        prepare(e, checkpoints_first, 1000);
        e.trainer.load(file("checkpoint"));
        e.fit();
        EXPECT_EQ(e.weights(), whole.weights()) << "cut at " << cut;
        EXPECT_EQ(values_of(e.trainer, "lr"), values_of(whole.trainer, "lr"));
      }
    }
  }
}

// ---- Loss scaling -------------------------------------------------------------------------------

// The experiment's task, its loss multiplied in some steps.
struct Scaled {
  explicit Scaled(const optim::GradScalerOptions& options, SupervisedOptions how = {},
                  double bad = 1)
      : scaler(options),
        trainer(supervised((manual_seed(3), net), optimizer, scaler,
                           [this, bad](const data::Sample& batch) -> Outcome {
                             const Tensor loss = cross_entropy(net(batch[0]), batch[1]);
                             // Gradients that are infinite at a loss that is not.
                             const double factor = net.is_training() && step++ % 5 == 2 ? bad : 1;
                             return {stop_gradient(loss) + (loss - stop_gradient(loss)) * factor};
                           },
                           how),
                {.epochs = 3}) {}
  std::vector<float> weights() const { return flat(net.state_dict()); }

  int64_t step = 0;
  data::Dataset<2> training = points().shuffle(1).batch(8);
  Net net = (manual_seed(3), Net());
  optim::AdamW optimizer{net.parameters(), {.lr = 0.01}};
  optim::GradScaler scaler;
  Trainer trainer;
};

TEST_F(Training, AScaledLossTrainsAsOneThatIsNot) {
  Scaled plain({.enabled = false}, {.clip_norm = 0.5, .accumulate = 2});
  plain.trainer.fit(plain.training);
  // Powers of two: the gradients are the same, but where they are scaled they are rounded alike.
  Scaled scaled({.init_scale = 1024, .growth_interval = 4}, {.clip_norm = 0.5, .accumulate = 2});
  scaled.trainer.fit(scaled.training);
  EXPECT_EQ(scaled.scaler.get_scale(), 1024 * 16);  // 19 steps
  const auto a = plain.weights(), b = scaled.weights();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
}

TEST_F(Training, StepsThatAreNotFiniteAreLeftOutAndSoAfterAKill) {
  Scaled whole({.init_scale = 1024}, {}, 1e38);
  whole.trainer.fit(whole.training);
  EXPECT_EQ(whole.optimizer.steps(), 31);  // of 39
  EXPECT_EQ(whole.scaler.get_scale(), 4);
  {
    Scaled killed({.init_scale = 1024}, {}, 1e38);
    killed.trainer.add(checkpoints(file("checkpoint"), 10));
    killed.trainer.add({.on_step = [&](Trainer& t) {
      if (t.step() == 10) throw std::runtime_error("killed");
    }});
    EXPECT_THROW(killed.trainer.fit(killed.training), std::runtime_error);
  }
  Scaled resumed({.init_scale = 1}, {}, 1e38);
  resumed.step = 10;
  resumed.trainer.load(file("checkpoint"));
  resumed.trainer.fit(resumed.training);
  EXPECT_EQ(resumed.weights(), whole.weights());
  EXPECT_EQ(resumed.scaler.get_scale(), 4);
}

// ---- Going on for longer ------------------------------------------------------------------------

TEST_F(Training, AFinishedRunMayGetMoreEpochs) {
  const auto run = [&](int64_t epochs, bool load) {
    Experiment e(epochs);
    e.optimizer.set_schedule(optim::step_lr(0.01, 20, 0.5));
    e.trainer.add(checkpoints(file("checkpoint")));
    if (load) e.trainer.load(file("checkpoint"));
    e.fit();
    EXPECT_EQ(e.trainer.history().size(), static_cast<size_t>(epochs));
    return std::pair(e.weights(), values_of(e.trainer, "test_loss"));
  };
  const auto whole = run(5, false);
  run(2, false);
  run(3, true);
  EXPECT_EQ(run(5, true), whole);
}

// ---- The range test -----------------------------------------------------------------------------

TEST_F(Training, ARangeTestFindsARateAndLeavesNoTrace) {
  Experiment e(2), other(2);
  e.training.set_state({1, 3});
  const auto before = flat(e.optimizer.state_dict());
  const RandomState random = random_state();
  const LrRange range = lr_range_test(e.trainer.task(), e.training);
  EXPECT_EQ(random_state().calls, random.calls);
  EXPECT_EQ(e.weights(), other.weights());
  EXPECT_EQ(flat(e.optimizer.state_dict()), before);
  EXPECT_EQ(e.training.state().epoch, 1);
  EXPECT_EQ(e.training.state().position, 3);
  EXPECT_TRUE(e.optimizer.schedule());

  ASSERT_EQ(range.lrs.size(), range.losses.size());
  ASSERT_GT(range.lrs.size(), 50u);
  EXPECT_DOUBLE_EQ(range.lrs[0], 1e-7);
  EXPECT_NEAR(range.lrs[50], 1e-3, 1e-9);  // half the way
  EXPECT_GT(range.suggestion, 1e-5);
  EXPECT_LT(range.suggestion, 1);
  // And the training after it is the one without.
  e.training.set_state({});
  manual_seed(9);
  e.fit();
  manual_seed(9);
  other.fit();
  EXPECT_EQ(e.weights(), other.weights());
}

// A loss that is known: w goes down by the rate in each step, and the loss is w + 1.
TEST_F(Training, ARangeTestSmoothsAndSuggestsAsFastai) {
  const Parameter w(zeros({}, kF64));
  ParameterList list;
  list.push_back(w);
  optim::SGD sgd(list, {.lr = 1});
  const auto task_of = [&](std::function<double(int64_t)> loss) -> Task {
    return {.parts = {{"sgd", sgd},
                      {"w",
                       [&]() -> StateDict {
                         return {{"w", w}};
                       },
                       [&](const StateDict& state) { w.set(state.at(0).second); }}},
            .step = [&, loss, i = int64_t{0}](const data::Sample&) mutable -> Metrics {
              sgd.step({ones({}, kF64)});
              return {{"loss", 3 * loss(i++), 3}};
            }};
  };
  // Falls from step 30 to 59, else rises: smoothed it is a valley of about that.
  const auto loss = [](int64_t i) {
    return i < 30 ? 1 + 0.001 * i : i < 60 ? 1.03 - 0.03 * (i - 29) : 0.2 + 0.1 * (i - 60);
  };
  const LrRange range =
      lr_range_test(task_of(loss), {.start_lr = 1e-4, .end_lr = 1, .stop_div = false});
  ASSERT_EQ(range.losses.size(), 100u);
  double mean = 0;
  for (int64_t i = 0; i < 3; ++i) {
    mean = 0.98 * mean + 0.02 * (1 + 0.001 * i);
    EXPECT_NEAR(range.losses[i], mean / (1 - std::pow(0.98, i + 1)), 1e-12);
  }
  EXPECT_GT(range.suggestion, range.lrs[30]);
  EXPECT_LT(range.suggestion, range.lrs[70]);
  EXPECT_EQ(sgd.lr(), 1);
  EXPECT_EQ(w.tensor().item(), 0);

  const auto fault = [&](std::function<double(int64_t)> loss, const LrRangeOptions& o = {}) {
    try {
      lr_range_test(task_of(loss), o);
    } catch (const ValueError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(fault([](int64_t i) { return i < 12 ? 1 : NAN; }),
            "lr_range_test: the loss went out of range after 12 steps: begin with a lower rate");
  EXPECT_EQ(fault([](int64_t i) { return std::pow(3, i); }),
            "lr_range_test: the loss went out of range after 3 steps: begin with a lower rate");
  EXPECT_EQ(fault([](int64_t) { return 1; }, {.start_lr = 1, .end_lr = 0.1}),
            "lr_range_test: start_lr 1, end_lr 0.1, num_it 100");
  EXPECT_THROW(lr_range_test({.step = [](const data::Sample&) -> Metrics { return {}; }}),
               ValueError);
  EXPECT_THROW(lr_range_test(Task{}), ValueError);
  // What a step throws leaves all as it was, too.
  EXPECT_THROW(lr_range_test(task_of([](int64_t i) -> double {
                 if (i == 5) throw std::runtime_error("killed");
                 return 1;
               })),
               std::runtime_error);
  EXPECT_EQ(w.tensor().item(), 0);
  EXPECT_EQ(sgd.steps(), 0);
}

}  // namespace
}  // namespace glia::training
