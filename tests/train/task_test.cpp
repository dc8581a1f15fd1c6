// Tasks of any kind: several optimizers, accumulation, steps without epochs or data, and parts of
// any kind, each of which goes on to the same bits when it is killed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/runtime.h"
#include "tests/support/experiment.h"
#include "tests/support/values.h"

namespace glia::training {
namespace {

using test::message_of;

// Every number that a run has come to.
using Numbers = std::vector<std::pair<std::string, std::vector<double>>>;
Numbers numbers_of(const Trainer& t) {
  Numbers out;
  for (const Part& part : t.parts())
    for (const auto& [name, value] : part.state_dict())
      out.emplace_back(part.name() + "." + name, value.to_vector<double>());
  for (const Epoch& e : t.history())
    for (const auto& [name, value] : e.values)
      out.emplace_back(name, std::vector<double>{value, static_cast<double>(e.step)});
  return out;
}

// A run of some kind: the same each time it is made.
struct Kind {
  virtual ~Kind() = default;
  virtual Trainer& trainer() = 0;
  virtual void fit() { trainer().fit(); }
};

// Whatever the step at which the process dies, the next one ends where one does that lives.
template <class K>
void expect_same_bits_after_a_kill(const std::string& path, std::initializer_list<int64_t> cuts) {
  K whole;
  whole.fit();
  ASSERT_TRUE(whole.trainer().finished());
  const Numbers want = numbers_of(whole.trainer());
  for (const int64_t cut : cuts) {
    {
      K killed;
      killed.trainer().add(checkpoints(path, cut));
      killed.trainer().add({.on_step = [&](Trainer& t) {
        if (t.step() == cut) throw std::runtime_error("killed");
      }});
      EXPECT_THROW(killed.fit(), std::runtime_error);
    }
    rand({3});  // the stream is somewhere else
    K resumed;
    resumed.trainer().load(path);
    EXPECT_EQ(resumed.trainer().step(), cut);
    resumed.fit();
    EXPECT_EQ(numbers_of(resumed.trainer()), want) << "killed after step " << cut;
  }
}

// Two networks against each other, each with its optimizer and schedule; the second one acts in
// every other step. No data, steps without an epoch.
struct Adversaries : Kind {
  nn::Sequential generator =
      (manual_seed(5), nn::Sequential(nn::Linear(2, 8), relu, nn::Linear(8, 2)));
  nn::Sequential critic{nn::Linear(2, 8), relu, nn::Dropout(0.2), nn::Linear(8, 1)};
  optim::Adam generator_optimizer{generator.parameters(), {.lr = 0.01}};
  optim::SGD critic_optimizer{critic.parameters(), {.lr = 0.1, .momentum = 0.9}};
  int64_t turn = 0;
  Trainer all;

  explicit Adversaries(int64_t steps = 25)
      : all({.parts = {{"generator", generator},
                       {"critic", critic},
                       {"g", generator_optimizer},
                       {"c", critic_optimizer},
                       {"turn",
                        [this] {
                          return StateDict{{"turn", tensor(turn)}};
                        },
                        [this](const StateDict& s) { turn = s.at(0).second.item<int64_t>(); }}},
             .step = [this](const data::Sample&) { return step(); },
             .evaluate = [this]() -> Values {
               const double reach = max(abs(generator(randn({64, 2})))).item();
               return {{"reach", reach}, {"mode", critic.is_training() ? 1.0 : 0.0}};
             }},
            {.steps = steps, .interval = 7}) {
    generator_optimizer.set_schedule(optim::cosine(0.01, steps));
  }
  Metrics step() {
    const Tensor real = randn({16, 2}) + 2;
    Tensor fake = generator(randn({16, 2}));
    const Tensor loss = mean(softplus(-critic(real))) + mean(softplus(critic(stop_gradient(fake))));
    critic_optimizer.step(gradients(loss, critic.parameters()));
    if (++turn % 2 == 0) {
      const Tensor own = mean(softplus(-critic(fake)));
      generator_optimizer.step(gradients(own, generator.parameters()));
      return {{"critic", loss * 16, 16}, {"generator", own}};
    }
    return {{"critic", loss * 16, 16}, {"generator", 0, 0}};
  }
  Trainer& trainer() override { return all; }
};

TEST_F(Training, TwoOptimizersResumeAnywhere) {
  expect_same_bits_after_a_kill<Adversaries>(file("checkpoint"),
                                             {1, 2, 6, 7, 8, 13, 14, 21, 24, 25});
}

TEST_F(Training, StepsHaveIntervalsForEpochs) {
  Adversaries run;
  std::string calls;
  run.all.add({.on_begin = [&](Trainer&) { calls += 'b'; },
               .on_step = [&](Trainer& t) { calls += t.batch() == t.batches() ? 'S' : 's'; },
               .on_epoch = [&](Trainer& t) { calls += std::to_string(t.history().size()); },
               .on_end = [&](Trainer&) { calls += 'e'; }});
  run.all.add(csv(file("metrics.csv")));
  run.fit();
  EXPECT_EQ(calls, "bssssssS1ssssssS2ssssssS3sssS4e");
  EXPECT_EQ(run.all.epochs(), 4);
  EXPECT_EQ(run.generator_optimizer.steps(), 12);
  EXPECT_EQ(run.critic_optimizer.steps(), 25);
  const std::string table = io::read_file(file("metrics.csv"));
  EXPECT_TRUE(table.starts_with(
      "epoch,step,seconds,g_lr,c_lr,train_critic,train_generator,reach,mode\n1,7,"))
      << table;
  EXPECT_EQ(value_of(run.all.history()[3].values, "mode"), 0) << "evaluated in training mode";
  EXPECT_TRUE(run.critic.is_training());
  EXPECT_EQ(value_of(run.all.history()[3].values, "g_lr"), optim::cosine(0.01, 25)(11));
}

TEST_F(Training, StepsOfTwoOptimizersAreOnePlan) {
  if (eager()) GTEST_SKIP() << "eager mode makes a plan of every operation";
  Adversaries run;
  std::vector<int64_t> runs, built;
  run.all.add({.on_step = [&](Trainer&) {
    runs.push_back(graph_stats().plans_run);
    built.push_back(graph_stats().plans_built);
  }});
  run.fit();
  for (const int step : {3, 4, 5, 6}) EXPECT_EQ(runs[step] - runs[step - 1], 1) << step;
  EXPECT_EQ(built[6], built[3]);
  EXPECT_EQ(built[13], built[9]);
}

// Gradients of three batches make a step, clipped; 13 batches an epoch, so that sums go on from one
// epoch to the next.
struct Accumulating : Kind {
  data::Dataset<2> training = points().shuffle(1).batch(8);
  Net net = (manual_seed(3), Net());
  optim::AdamW optimizer{net.parameters(), {.lr = 0.01}};
  Trainer all;
  explicit Accumulating(int64_t accumulate = 3)
      : all(supervised(net, optimizer,
                       [this](const data::Sample& batch) -> Outcome {
                         return {cross_entropy(net(batch[0]), batch[1])};
                       },
                       {.clip_norm = 0.5, .accumulate = accumulate}),
            {.epochs = 2}) {}
  void fit() override { all.fit(training); }
  Trainer& trainer() override { return all; }
};

TEST_F(Training, AccumulationResumesInTheMiddle) {
  expect_same_bits_after_a_kill<Accumulating>(file("checkpoint"), {1, 2, 3, 12, 13, 14, 15, 25});
  Accumulating run;
  run.fit();
  EXPECT_EQ(run.optimizer.steps(), 26 / 3);
}

TEST_F(Training, AccumulatedBatchesAreOneLargeBatch) {
  const auto weights = [](int64_t batch, int64_t accumulate) {
    auto training = points().take(96).batch(batch);
    nn::Linear net = (manual_seed(1), nn::Linear(4, 3));
    optim::SGD optimizer(net.parameters(), {.lr = 0.5});
    Trainer trainer(supervised(net, optimizer,
                               [&](const data::Sample& b) -> Outcome {
                                 return {cross_entropy(net(b[0]), b[1])};
                               },
                               {.clip_norm = 0.3, .accumulate = accumulate}),
                    {.epochs = 3});
    trainer.fit(training);
    EXPECT_EQ(optimizer.steps(), 3 * 96 / (batch * accumulate));
    return net.weight.tensor().to_vector<double>();
  };
  const auto small = weights(8, 4), large = weights(32, 1);
  for (size_t i = 0; i < small.size(); ++i) EXPECT_NEAR(small[i], large[i], 1e-5);
}

// An agent in a world of its own: nothing but host state, a stream of random numbers that goes on,
// a memory, and a table that is learnt from what is drawn of it.
struct World {
  int64_t position = 0, steps = 0;
  uint64_t stream = 12345;
  std::vector<int64_t> seen;
  uint64_t draw() { return stream = stream * 6364136223846793005u + 1442695040888963407u; }
  StateDict state_dict() const {
    return {{"numbers", tensor({position, steps, static_cast<int64_t>(stream)})},
            {"seen", from_vector(seen, {static_cast<int64_t>(seen.size())})}};
  }
  void load_state_dict(const StateDict& state) {
    const auto numbers = state.at(0).second.to_vector<int64_t>();
    position = numbers.at(0);
    steps = numbers.at(1);
    stream = static_cast<uint64_t>(numbers.at(2));
    seen = state.at(1).second.to_vector<int64_t>();
  }
};
struct Agent : Kind {
  World world;
  nn::Embedding table = (manual_seed(2), nn::Embedding(10, 1));
  optim::SGD optimizer{table.parameters(), {.lr = 0.1}};
  Trainer all{{.parts = {{"world", world}, {"table", table}, {"optimizer", optimizer}},
               .step = [this](const data::Sample&) { return act(); }},
              {.steps = 40, .interval = 10}};
  Metrics act() {
    world.position += 1 + static_cast<int64_t>(world.draw() >> 62);
    const bool ended = world.position >= 10;
    if (ended) world.position = 0;
    world.seen.push_back(world.position);
    ++world.steps;
    Metrics metrics{{"loss", 0, 0}, {"length", ended ? world.steps : 0, ended}};
    if (ended) world.steps = 0;
    if (world.seen.size() > 5) {
      const auto drawn = tensor({world.seen[world.draw() % world.seen.size()]});
      const Tensor loss = sum(square(table(drawn) - 1));
      optimizer.step(gradients(loss, table.parameters()));
      metrics[0] = {"loss", loss, 1};
    }
    return metrics;
  }
  Trainer& trainer() override { return all; }
};

TEST_F(Training, EnvironmentsAndMemoriesAreParts) {
  expect_same_bits_after_a_kill<Agent>(file("checkpoint"), {1, 5, 6, 9, 10, 11, 20, 39, 40});
}

// So many steps over data whose passes end where they will, and a second stream that the step
// reads itself.
struct Streams : Kind {
  data::Dataset<2> training = points().shuffle(1).batch(30), other = points().shuffle(9).batch(16);
  Net net = (manual_seed(3), Net());
  optim::SGD optimizer{net.parameters(), {.lr = 0.1}};
  Trainer all{{.parts = {{"model", net}, {"optimizer", optimizer}, {"other", other}},
               .step = [this](const data::Sample& batch) -> Metrics {
                 data::Sample second;
                 if (auto pass = other.pass(); !pass.next(second)) other.pass().next(second);
                 const Tensor loss = cross_entropy(net(batch[0]), batch[1]) +
                                     cross_entropy(net(second[0]), second[1]);
                 optimizer.step(gradients(loss, net.parameters()));
                 return {{"loss", loss}};
               }},
              {.steps = 23, .interval = 5}};
  void fit() override { all.fit(training); }
  Trainer& trainer() override { return all; }
};

TEST_F(Training, StepsGoOnThroughTheData) {
  expect_same_bits_after_a_kill<Streams>(file("checkpoint"), {1, 4, 5, 6, 8, 9, 20, 22, 23});
  Streams run;
  run.fit();
  EXPECT_EQ(run.training.state(), (data::State{5, 3}));  // 4 batches a pass
}

// Data whose end is known only to who gets there: 9 batches in an epoch.
struct Unending : Kind {
  data::Samples training =
      data::from_generator([](int64_t epoch, int64_t position) -> std::optional<data::Sample> {
        if (position == 36) return {};
        data::Random random(1, epoch, position);
        return data::Sample{{"x", full({4}, random.uniform())}, {"y", position % 3}};
      }).batch(4);
  Net net = (manual_seed(3), Net());
  optim::SGD optimizer{net.parameters(), {.lr = 0.1}};
  Trainer made{supervised(net, optimizer,
                          [this](const data::Sample& b) -> Outcome {
                            return {cross_entropy(net(b["x"]), b["y"])};
                          }),
               {.epochs = 3}};
  Trainer& trainer() override { return made; }
  void fit() override { made.fit(training); }
};

TEST_F(Training, EpochsOfDataThatHaveNoSize) {
  Unending whole;
  EXPECT_EQ(whole.training.size(), data::Source::kUnsized);
  whole.trainer().add({.on_step = [](Trainer& t) { EXPECT_EQ(t.batches(), 0); }});
  whole.trainer().add(progress());
  whole.fit();
  EXPECT_EQ(whole.trainer().step(), 27);
  expect_same_bits_after_a_kill<Unending>(file("checkpoint"), {1, 8, 9, 10, 26});
}

TEST_F(Training, MeansAreSumsByCounts) {
  Means means;
  means.add({{"loss", tensor(6.0f), tensor<int64_t>(3)}, {"reward", 2}});
  means.add({{"loss", 1, 0.5}, {"reward", tensor({{5}})}});
  const Values values = means.values();
  EXPECT_DOUBLE_EQ(value_of(values, "loss"), 7 / 3.5);
  EXPECT_DOUBLE_EQ(value_of(values, "reward"), 3.5);
  EXPECT_EQ(message_of([&] {
              means.add({{"loss", 1}});
            }),
            "the metrics of this step are loss, those of the steps before loss, reward");
  EXPECT_EQ(message_of([&] {
              means.add({{"reward", 1}, {"loss", 1}});
            }),
            "the metrics of this step are reward, loss, those of the steps before loss, reward");
  EXPECT_EQ(message_of([] { Means().add({{"a", 1}, {"a", 1}}); }), "two metrics are named 'a'");
  EXPECT_EQ(message_of([] { Means().add({{"a"}}); }), "metric 'a' has no sum");
  EXPECT_EQ(message_of([] { Means().add({{"", 1}}); }), "a metric has no name");
  EXPECT_EQ(message_of([] {
              Means().add({{"a", zeros({2})}});
            }),
            "metric 'a' is (2,), not one number");
}

TEST_F(Training, MeansPerTokenWeighWhatIsThere) {
  // Sequences of different lengths: padding is counted by nobody.
  auto sequences =
      data::from_tensors(tensor<int64_t>({{1, 2, 3, 1}, {2, 0, 0, 0}, {1, 2, 0, 0}})).batch(2);
  nn::Embedding logits = (manual_seed(1), nn::Embedding(4, 4));
  optim::SGD optimizer(logits.parameters(), {.lr = 0});
  const auto per_token = [&](const data::Sample& batch) -> Outcome {
    const Tensor tokens = sum(batch[0] != 0);
    return {cross_entropy(logits(batch[0]), batch[0], {.ignore_index = 0}),
            {{"tokens", tokens, 1}},
            tokens};
  };
  Trainer trainer(supervised(logits, optimizer, per_token), {});
  trainer.fit(sequences);
  const Values values = trainer.history()[0].values;
  EXPECT_EQ(value_of(values, "train_tokens"), 3.5);
  const Tensor all = tensor<int64_t>({1, 2, 3, 1, 2, 1, 2});
  EXPECT_NEAR(value_of(values, "train_loss"), cross_entropy(logits(all), all).item(), 1e-6);
}

TEST_F(Training, TheBestEpochHasACheckpoint) {
  const std::vector<double> losses = {3, 1, 2, 1, 0.5, 4};
  std::vector<std::vector<float>> after;
  Experiment e(6);
  e.trainer.add(overwrite("test_loss", losses));
  e.trainer.add({.on_epoch = [&](Trainer&) { after.push_back(e.weights()); }});
  e.trainer.add(best_checkpoint(file("best"), "test_loss"));
  e.trainer.add(best_checkpoint(file("worst"), "test_loss", Better::kHigher));
  e.fit();
  const auto of = [&](const std::string& path) {
    Experiment other(6);
    other.trainer.load(file(path));
    return std::pair(other.trainer.epoch(), other.weights());
  };
  EXPECT_EQ(of("best"), std::pair(int64_t{5}, after[4]));
  EXPECT_EQ(of("worst"), std::pair(int64_t{6}, after[5]));
  // Killed when the epoch's own checkpoint was written and the best one was not yet.
  Experiment killed(6);
  killed.trainer.add(overwrite("test_loss", losses));
  killed.trainer.add(checkpoints(file("checkpoint")));
  killed.trainer.add({.on_epoch = [&](Trainer& t) {
    if (t.epoch() == 5) throw std::runtime_error("killed");
  }});
  killed.trainer.add(best_checkpoint(file("again"), "test_loss"));
  EXPECT_THROW(killed.fit(), std::runtime_error);
  EXPECT_EQ(of("again").first, 2);
  Experiment resumed(6);
  resumed.trainer.load(file("checkpoint"));
  resumed.trainer.add(overwrite("test_loss", losses));
  resumed.trainer.add(best_checkpoint(file("again"), "test_loss"));
  resumed.fit();
  EXPECT_EQ(of("again"), std::pair(int64_t{5}, after[4]));
}

// Episodes of 5 steps: an interval of 2 steps has the end of one, or of none.
struct Episodes : Kind {
  int64_t count = 0;
  double sum = 0;
  Trainer made{{.parts = {{"episodes",
                           [this]() -> StateDict {
                             return {{"count", tensor(count)}, {"sum", tensor(sum)}};
                           },
                           [this](const StateDict& s) {
                             count = s[0].second.item<int64_t>();
                             sum = s[1].second.item();
                           }}},
                .step = [this](const data::Sample&) -> Metrics {
                  const bool ends = ++count % 5 == 0;
                  sum += count;
                  const double of_episode = ends ? std::exchange(sum, 0) : 0;
                  return {{"return", of_episode, ends}, {"steps", 1}};
                },
                .evaluate = [this]() -> Values {
                  return {{"found", count < 8 ? NAN : 1.5}};
                }},
               {.steps = 10, .interval = 2}};
  Trainer& trainer() override { return made; }
};

TEST_F(Training, WhatNothingWasCountedForIsMissing) {
  Episodes e;
  e.trainer().add(csv(file("metrics.csv")));
  e.trainer().add(tensorboard(file("events")));
  e.trainer().add(progress(""));
  e.trainer().add(best_checkpoint(file("best"), "train_return", Better::kHigher));
  testing::internal::CaptureStdout();
  e.fit();
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_EQ(said.find("nan"), std::string::npos) << said;
  EXPECT_NE(said.find("train return 40"), std::string::npos) << said;

  std::vector<std::string> want = {",,1,", ",,1,", ",15,1,", ",,1,1.5", ",40,1,1.5"};
  std::ifstream table(file("metrics.csv"));
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "epoch,step,seconds,train_return,train_steps,found");
  for (const std::string& end : want) {
    std::getline(table, line);
    EXPECT_TRUE(line.ends_with(end)) << line;
    EXPECT_EQ(std::ranges::count(line, ','), 5);
  }
  const auto& history = e.trainer().history();
  EXPECT_TRUE(std::isnan(value_of(history[0].values, "train_return")));
  EXPECT_EQ(value_of(history[2].values, "train_return"), 15);
  const std::string events = io::read_file(fs::directory_iterator(file("events"))->path());
  int shown = 0;
  for (size_t at = 0; (at = events.find("return/train", at)) != std::string::npos; ++at) ++shown;
  EXPECT_EQ(shown, 2);
  // Numbers are better than none, and missing values go through a checkpoint.
  Episodes best;
  best.trainer().load(file("best"));
  EXPECT_EQ(best.trainer().step(), 10);
  EXPECT_TRUE(std::isnan(value_of(best.trainer().history()[3].values, "train_return")));

  // Of test data, too.
  auto data = points().batch(8);
  Trainer measuring({.step = [](const data::Sample&) -> Metrics {
                       return {{"x", 1}};
                     },
                     .measure = [](const data::Sample&) -> Metrics {
                       return {{"none", 0, 0}};
                     }},
                    {.epochs = 1});
  EXPECT_TRUE(std::isnan(value_of(measuring.evaluate(data), "none")));
}

TEST_F(Training, WrongUseIsOneClearError) {
  nn::Linear a(2, 2), b(2, 2);
  const auto step = [](const data::Sample&) { return Metrics{{"x", 1, 0}}; };
  const auto made = [&](std::vector<Part> parts, Options options = {}) {
    return message_of([&] { Trainer({.parts = parts, .step = step}, options); });
  };
  EXPECT_EQ(made({{"a", a}, {"a", b}}), "Trainer: two parts are named \"a\"");
  EXPECT_EQ(made({{"", a}}), "Trainer: a part is named \"\": empty, or with a dot");
  EXPECT_EQ(made({{"a.b", a}}), "Trainer: a part is named \"a.b\": empty, or with a dot");
  EXPECT_EQ(made({{"metrics", a}}), "Trainer: no part may be named \"metrics\"");
  EXPECT_EQ(made({}, {.steps = -1}), "Trainer: epochs 1, steps -1, interval 0");
  EXPECT_EQ(made({}, {.interval = 5}),
            "Trainer: epochs 1, steps 0, interval 5: an interval is of steps");
  EXPECT_EQ(message_of([] { Trainer({}, {}); }), "Trainer: the task has no step");
  Trainer none({.step = step}, {});
  EXPECT_EQ(message_of([&] { none.fit(); }),
            "fit: without training data, Options::steps says how long");
  auto data = points().batch(8);
  EXPECT_EQ(message_of([&] { none.fit(data, &data); }),
            "fit: test data, and the task measures nothing");
  EXPECT_EQ(message_of([&] { none.fit(data); }),
            "metric 'x': a sum of 13, and nothing was counted");
  EXPECT_EQ(message_of([&] { none.evaluate(data); }), "evaluate: the task measures nothing");

  int64_t turn = 0;
  Trainer changing({.step = [&](const data::Sample&) -> Metrics {
                     return {{turn++ ? "b" : "a", 1}};
                   }},
                   {.steps = 2});
  EXPECT_EQ(message_of([&] { changing.fit(); }),
            "the metrics of this step are b, those of the steps before a");
  Trainer between({.step = [&](const data::Sample&) -> Metrics {
                     return {{"a", 1}};
                   },
                   .evaluate = [&]() -> Values {
                     return {{turn++ == 2 ? "b" : "c", 1}};
                   }},
                  {.steps = 2, .interval = 1});
  EXPECT_EQ(message_of([&] { between.fit(); }), "an epoch has no value 'b', which others had");

  optim::SGD optimizer(a.parameters());
  const auto forward = [](const data::Sample&) { return Outcome(); };
  EXPECT_THROW(supervised(a, optimizer, forward, {.accumulate = 0}), ValueError);
  EXPECT_THROW(supervised(a, optimizer, forward, {.clip_norm = -1}), ValueError);
  EXPECT_THROW(supervised(a, optimizer, forward, {.clip_norm = NAN}), ValueError);
  EXPECT_THROW(supervised(a, optimizer, nullptr), ValueError);
}

TEST_F(Training, PartsOfACheckpointAreThoseOfTheRun) {
  nn::Linear a(2, 2), b(2, 2), wide(3, 3);
  const auto trainer = [](std::vector<Part> parts) {
    return Trainer(
        {.parts = std::move(parts), .step = [](const data::Sample&) { return Metrics(); }},
        {.steps = 1});
  };
  trainer({{"a", a}, {"b", b}}).save(file("both"));
  const auto fault = [&](std::vector<Part> parts) {
    return message_of([&] { trainer(parts).load(file("both")); });
  };
  const std::string start = file("both") + ": does not fit this run: ";
  EXPECT_EQ(fault({{"a", a}, {"b", b}, {"c", b}}), start + "it has no part 'c'");
  EXPECT_EQ(fault({{"b", b}}), start + "it has a part 'a', which this run has not");
  // The second one does not fit: the first one is not loaded either.
  a.weight = zeros({2, 2});
  EXPECT_TRUE(fault({{"a", a}, {"b", wide}}).starts_with(start));
  EXPECT_EQ(a.weight.tensor().to_vector<double>(), std::vector<double>(4, 0.0));
}

// What a step has recorded when computing fails is as if it had not been.
TEST_F(Training, AFailedStepChangesNothing) {
  if (eager()) GTEST_SKIP() << "what was computed before the fault is done";
  nn::Embedding table = (manual_seed(1), nn::Embedding(5, 3, {.sparse = true}));
  nn::Linear head(3, 2);
  optim::SGD first(table.parameters(), {.lr = 0.1});
  optim::Adam second(head.parameters());
  Tensor ids = tensor<int64_t>({1, 2});
  Trainer trainer(
      {.parts = {{"table", table}, {"head", head}, {"first", first}, {"second", second}},
       .step = [&](const data::Sample&) -> Metrics {
         for (int i = 0; i < 2; ++i) {
           const Tensor loss = mean(square(head(table(i == 0 ? tensor<int64_t>({0}) : ids))));
           second.step(gradients(loss, head.parameters()));
           first.step(gradients(mean(square(table(ids))), table.parameters()));
         }
         return {{"loss", 1}};
       }},
      {.steps = 9});
  trainer.add({.on_step = [](Trainer& t) { t.stop(); }});
  trainer.fit();
  const Numbers before = numbers_of(trainer);
  ids = tensor<int64_t>({1, 7});  // no row of the table
  EXPECT_THROW(trainer.fit(), Error);
  EXPECT_EQ(numbers_of(trainer), before);
  ids = tensor<int64_t>({3, 4});
  trainer.fit();
  EXPECT_EQ(second.steps(), 4);
}

TEST_F(Training, SchedulesAreOfGroups) {
  nn::Linear a(2, 2), b(2, 2);
  optim::SGD optimizer(a.parameters(), {.lr = 1});
  optimizer.add_param_group(b.parameters(), {.lr = 2});
  optimizer.set_schedule(optim::step_lr(4, 1, 0.5), 1);
  const auto step = [&] { optimizer.step(std::vector<Tensor>(4)); };
  step();
  step();
  EXPECT_EQ(optimizer.lr(0), 1);
  EXPECT_EQ(optimizer.lr(1), 2);
  optimizer.set_schedule(optim::constant(7));
  step();
  EXPECT_EQ(optimizer.lr(0), 7);
  EXPECT_EQ(optimizer.lr(1), 7);
  optimizer.set_schedule({});
  optimizer.set_lr(3);
  step();
  EXPECT_EQ(optimizer.lr(1), 3);
  EXPECT_THROW(optimizer.set_schedule(optim::constant(1), 2), ValueError);
  optimizer.set_schedule(optim::constant(-1));
  EXPECT_THROW(step(), ValueError);
}

}  // namespace
}  // namespace glia::training
