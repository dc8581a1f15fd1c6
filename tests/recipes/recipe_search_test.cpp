// Searches for the settings of a recipe: what is tried, folders, faults, and going on.
#include "glia/recipes/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "glia/classic/search_space.h"  // without the package there is no search
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/recipes/run.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

int runs = 0;  // that were begun, of all tests

// A bowl around x = 2 and n = 5, which needs the epochs that it says; x = 9 fails.
struct Bowl : TrainingSettings {
  double x = 0;
  int64_t n = 0, epochs = 0, fold = 0, folds = 0;
  std::string kind;
  bool deep = false;

  void declare(Fields& f) override {
    f(x, "x", 1, "Where.", {-10, 10});
    f(n, "n", 3, "How many.", {1, 100});
    f(kind, "kind", "flat", "Which.", {{"flat", "steep"}});
    f(deep, "deep", false, "Deeper.");
    f(epochs, "epochs", 2, "Passes.", {1, 100});
    f(folds, "folds", 0, "Of the data.");
    f(fold, "fold", 0, "The one to test on.");
    TrainingSettings::declare(f);
  }
};

void train(Run& run, const Bowl& s) {
  ++runs;
  const Tensor x = uniform({16, 1}, -1, 1);
  auto training = data::from_tensors(x, x).batch(4);
  nn::Linear net(1, 1);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  training::Trainer trainer(
      training::supervised(
          net, optimizer,
          [&](const data::Sample& b) { return training::Outcome{mse_loss(net(b[0]), b[1])}; }),
      {.epochs = s.epochs, .note = run.note()});
  run.fit(trainer, training);
  if (s.x == 9) throw ValueError("x is 9");
  run.save({{"weight", net.weight}});
  const double bowl = (s.x - 2) * (s.x - 2) + std::pow(static_cast<double>(s.n - 5), 2);
  run.finish({.title = "Bowl"},
             {{"bowl_loss", bowl + (s.kind == "flat" ? 1 : 0) - (s.deep ? 1 : 0) + 0.1 * s.fold},
              {"depth", -bowl},
              {"kind", s.kind}});
}

const Register<Bowl> bowl({
    .name = "test-bowl",
    .task = "test",
    .description = "A bowl.",
    .train = train,
    .load = [](const Saved&, const Bowl&) -> std::unique_ptr<Predictor> { return nullptr; },
});

std::string trial_folder(const std::string& folder, int64_t number) {
  std::string digits = std::to_string(number);
  return folder + "/trial-" + std::string(3 - digits.size(), '0') + digits;
}

class RecipeSearch : public RecipeTest {
 protected:
  static Searched search(SearchJob job) {
    job.quiet = true;
    return recipes::search(named("test-bowl"), job);
  }
  static std::string fault_of_search(const SearchJob& job) {
    return fault([&] { search(job); });
  }
};

TEST_F(RecipeSearch, TriesEveryCombination) {
  const Searched found = search({.space = "x=1|2,kind=flat|steep", .method = SearchMethod::kGrid});
  EXPECT_EQ(found.folder, "runs/search-test-bowl");
  EXPECT_EQ(found.metric, "bowl_loss");
  EXPECT_FALSE(found.highest);
  ASSERT_EQ(found.trials.size(), 4u);
  EXPECT_EQ(found.best, 3);  // names ascend: kind, then x
  EXPECT_EQ(found.trials[3].settings, (Values{{"kind", "steep"}, {"x", 2.0}}));
  EXPECT_EQ(found.trials[3].value, 4);
  EXPECT_EQ(found.trials[0].value, 6);
  for (const SearchTrial& t : found.trials)
    EXPECT_TRUE(fs::exists(found.folder + "/" + t.folder + "/" + kModel));
  const auto summary = nlohmann::json::parse(io::read_file(found.folder + "/" + kSummary));
  EXPECT_EQ(summary.at("settings").at("kind"), "steep");
  EXPECT_EQ(summary.at("value"), 4.0);
  EXPECT_EQ(summary.at("best"), "trial-004");
  EXPECT_EQ(summary.at("failed"), 0);
  const std::string report = io::read_file(found.folder + "/" + kReport);
  for (const char* part : {"Best so far", "bowl loss by x", "Best bowl loss by kind", "trial"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  const report::Table table = to_table(found, 2);
  EXPECT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.columns.size(), 5u);  // trial, kind, x, bowl_loss, seconds
  EXPECT_EQ(search({.space = "x=1", .method = SearchMethod::kGrid}).folder,
            "runs/search-test-bowl-2");
}

TEST_F(RecipeSearch, DrawsAndLearns) {
  const Searched drawn = search({.space = "x=-10.0..8.0,n=log:1..100,deep=true|false",
                                 .given = {{"epochs", 1}},
                                 .method = SearchMethod::kRandom,
                                 .trials = 8,
                                 .out = "drawn"});
  ASSERT_EQ(drawn.trials.size(), 8u);
  for (const SearchTrial& t : drawn.trials) {
    EXPECT_TRUE(std::holds_alternative<double>(t.settings[2].second));
    EXPECT_TRUE(std::holds_alternative<int64_t>(t.settings[1].second));
  }
  const auto line =
      nlohmann::json::parse(io::read_file("drawn/trial-001/" + std::string(kSummary)));
  EXPECT_EQ(line.at("epochs"), 1);
  EXPECT_EQ(line.at("x"), std::get<double>(drawn.trials[0].settings[2].second));

  const SearchJob job{.space = "x=-10..8,n=1..20", .given = {{"epochs", 1}}, .trials = 30};
  const Searched learnt = search(job);
  EXPECT_LT(learnt.trials[learnt.best].value, 12);
  const Searched again = search(job);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(again.trials[i].settings, learnt.trials[i].settings);
}

TEST_F(RecipeSearch, TheGoalIsNamedOrAsked) {
  SearchJob job{.space = "x=1|2", .method = SearchMethod::kGrid, .metric = "depth"};
  EXPECT_EQ(fault_of_search(job), "--goal: depth does not say whether high or low is good");
  EXPECT_FALSE(fs::exists("runs"));
  job.goal = Goal::kHighest;
  const Searched found = search(job);
  EXPECT_TRUE(found.highest);
  EXPECT_EQ(found.best, 1);
  job.metric = "height";
  EXPECT_EQ(fault_of_search(job),
            "--metric height: test-bowl results in bowl_loss, depth, seconds");
}

TEST_F(RecipeSearch, HalvingGivesTheBestMoreEpochs) {
  const Searched found = search({.space = "x=1|2|3|4|5|6|7|8|-9",
                                 .given = {{"epochs", 9}},
                                 .method = SearchMethod::kHalving,
                                 .trials = 9,
                                 .out = "halving"});
  ASSERT_EQ(found.trials.size(), 13u);  // 9, 3, 1
  for (size_t i = 0; i < 13; ++i)
    EXPECT_EQ(found.trials[i].settings[1],
              (std::pair<std::string, Value>("epochs", int64_t{i < 9    ? 1
                                                               : i < 12 ? 3
                                                                        : 9})));
  EXPECT_EQ(found.best, 12);
  EXPECT_EQ(found.trials[12].settings[0].second, Value(2.0));
  const auto summary =
      nlohmann::json::parse(io::read_file("halving/trial-013/" + std::string(kSummary)));
  EXPECT_EQ(summary.at("epochs"), 9);
  // Too few epochs for as many rounds.
  EXPECT_EQ(search({.space = "x=1|2|3|4|5|6|7|8|-9",
                    .given = {{"epochs", 3}},
                    .method = SearchMethod::kHalving,
                    .trials = 9,
                    .out = "short"})
                .trials.size(),
            12u);
}

TEST_F(RecipeSearch, FoldsAreTheMean) {
  const Searched found =
      search({.space = "x=2", .method = SearchMethod::kGrid, .folds = 3, .out = "folds"});
  EXPECT_NEAR(found.trials[0].value, 5.1, 1e-12);
  EXPECT_TRUE(fs::exists("folds/trial-001/fold-2/" + std::string(kModel)));
}

TEST_F(RecipeSearch, WhatFailsIsNoted) {
  const Searched found = search({.space = "x=9|2", .method = SearchMethod::kGrid, .out = "some"});
  EXPECT_TRUE(std::isnan(found.trials[0].value));
  EXPECT_NE(found.trials[0].error.find("x is 9"), std::string::npos);
  EXPECT_EQ(found.best, 1);
  EXPECT_NE(fault_of_search({.space = "x=9", .method = SearchMethod::kGrid, .out = "none"})
                .find("all trials failed: x is 9"),
            std::string::npos);
}

TEST_F(RecipeSearch, WhatCannotBeSearchedIsSaidFirst) {
  const auto said = [&](const char* space, Values given = {}) {
    return fault_of_search({.space = space, .given = given});
  };
  EXPECT_NE(said("").find("--space: nothing is to be searched for"), std::string::npos);
  EXPECT_NE(said("x").find("--space: search space: 'x' is not NAME="), std::string::npos);
  EXPECT_EQ(said("y=1|2"), "there is no setting --y");
  EXPECT_EQ(said("x=1|11"), "--x: '11' is no number from -10 to 10");
  EXPECT_EQ(said("x=0.0..11.0"), "--x 11 is no number from -10 to 10");
  EXPECT_EQ(said("n=0..3"), "--n 0 is no whole number from 1 to 100");
  EXPECT_NE(said("n=1.5..3.0").find("n is a whole number"), std::string::npos);
  EXPECT_NE(said("kind=1..2").find("kind is no number"), std::string::npos);
  EXPECT_EQ(said("kind=round"), "--kind: 'round' is none of flat, steep");
  EXPECT_EQ(said("x=1|2", {{"x", 1}}), "--x: is given, and searched for as well");
  EXPECT_EQ(said("x=1|2", {{"epochs", 0}}), "--epochs 0 is no whole number from 1 to 100");
  EXPECT_NE(fault_of_search({.space = "x=1..2", .method = SearchMethod::kGrid}).find("is a range"),
            std::string::npos);
  EXPECT_EQ(fault_of_search({.space = "x=1", .trials = 0}), "--trials 0 is below 1");
  EXPECT_EQ(fault_of_search({.space = "x=1", .folds = 1}), "--folds 1 is below 2");
  EXPECT_NE(fault_of_search({.space = "x=1", .method = SearchMethod::kHalving, .factor = 1})
                .find("is not above 1"),
            std::string::npos);
  EXPECT_EQ(fault_of_search({.space = "x=1", .method = SearchMethod::kHalving, .budget = "kind"}),
            "--budget: kind is no whole number");
  EXPECT_EQ(fault_of_search({.space = "epochs=1", .method = SearchMethod::kHalving}),
            "--budget: epochs is searched for as well");
  EXPECT_FALSE(fs::exists("runs"));
}

// Interrupted at any step, and gone on with: the same trials, and none of them twice.
TEST_F(RecipeSearch, GoesOn) {
  const SearchJob job{.space = "x=-10.0..8.0,kind=flat|steep", .trials = 14, .out = "whole"};
  const Searched whole = search(job);
  SearchJob cut = job;
  cut.out = "cut";
  int64_t left = 14 * 8;  // about the middle: 8 steps and a question before each trial
  cut.interrupted = [&] { return --left == 0; };
  const std::string said = fault_of_search(cut);
  EXPECT_NE(said.find("To go on: glia search test-bowl --resume cut"), std::string::npos) << said;
  EXPECT_FALSE(fs::exists("cut/" + std::string(kSummary)));
  const std::string lines = io::read_file("cut/" + std::string(kTrials));
  const auto done = std::ranges::count(lines, '\n');
  EXPECT_GT(done, 3);
  EXPECT_LT(done, 14);
  EXPECT_EQ(fault_of_search(cut),
            "cut: already holds a search; --resume goes on with it, "
            "--overwrite replaces it");

  // A process that is killed leaves no more than a checkpoint, or nothing.
  for (const bool half : {true, false}) {
    fs::remove_all("killed");
    fs::copy("cut", "killed", fs::copy_options::recursive);
    const std::string next = trial_folder("killed", done + 1);
    EXPECT_TRUE(fs::exists(next));
    if (!half) fs::remove_all(next);
    const int before = runs;
    const Searched resumed = search({.out = "killed", .resume = true});
    EXPECT_EQ(runs - before, 14 - done);
    ASSERT_EQ(resumed.trials.size(), 14u);
    for (size_t i = 0; i < 14; ++i) {
      EXPECT_EQ(resumed.trials[i].settings, whole.trials[i].settings);
      EXPECT_EQ(resumed.trials[i].value, whole.trials[i].value);
    }
    EXPECT_EQ(io::read_file(next + "/" + kModel),
              io::read_file(trial_folder("whole", done + 1) + "/" + kModel));
  }
  // One that is over is shown again.
  const int before = runs;
  EXPECT_EQ(search({.out = "killed", .resume = true}).best, whole.best);
  EXPECT_EQ(runs, before);
  // And what belongs to another search is refused.
  fs::copy_file("whole/" + std::string(kTrials), "cut/" + std::string(kTrials),
                fs::copy_options::overwrite_existing);
  std::string plan = io::read_file("cut/" + std::string(kSearch));
  plan.replace(plan.find("\"seed\": 0"), 9, "\"seed\": 7");
  io::write_file_atomic("cut/" + std::string(kSearch), plan);
  EXPECT_NE(fault_of_search({.out = "cut", .resume = true}).find("trial 1 is not what this search"),
            std::string::npos);
  io::write_file_atomic("cut/" + std::string(kTrials), "{\"folder\": 3}\n");
  EXPECT_NE(fault_of_search({.out = "cut", .resume = true}).find("line 1 is no trial"),
            std::string::npos);
  io::write_file_atomic("cut/" + std::string(kSearch), "{}");
  EXPECT_NE(fault_of_search({.out = "cut", .resume = true}).find("is no search of test-bowl"),
            std::string::npos);
  EXPECT_NE(fault_of_search({.out = "nowhere", .resume = true}).find("nowhere/search.json"),
            std::string::npos);
  SearchJob replaced = job;
  replaced.out = "cut";
  replaced.overwrite = true;
  EXPECT_EQ(search(replaced).best, whole.best);
}

}  // namespace
}  // namespace glia::recipes
