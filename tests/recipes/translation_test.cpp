// The recipe of translation: dates, files of pairs, going on, predictions, evaluations.
#include <fmt/format.h>

#include <set>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/recipes/run.h"
#include "recipes/src/dates.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

const char* const kRecipe = "translation";

class Translation : public RecipeTest {
 protected:
  static Values small(Values more = {}) {
    Values all{{"epochs", 2}, {"hidden", 12}, {"batch", 32}};
    for (auto& one : more) all.push_back(std::move(one));
    return all;
  }
};

TEST_F(Translation, DatesOfTheTestAreNeverTrainedOn) {
  const text::Pairs test = dates(data::Test, 5, 3), train = dates(data::Train, 60000, 3);
  EXPECT_EQ(test.size(), 2000);
  EXPECT_EQ(test.source, dates(data::Test, 9, 4).source) << "whatever the seed";
  const std::set<std::string> unseen(test.target.begin(), test.target.end());
  EXPECT_EQ(unseen.size(), 2000u);
  for (const std::string& date : train.target) ASSERT_FALSE(unseen.contains(date)) << date;
  EXPECT_NE(train.source, dates(data::Train, 60000, 4).source);
}

TEST_F(Translation, DatesAreWrittenInTenFormats) {
  const text::Pairs all = dates(data::Train, 300000, 1);
  std::set<std::string> of_one;
  for (int64_t i = 0; i < all.size(); ++i)
    if (all.target[i] == "1979-05-03") of_one.insert(all.source[i]);
  const std::set<std::string> want{"3 May 1979",      "May 3, 1979",
                                   "3rd of May 1979", "Thursday, 3 May 1979",
                                   "Thu May 3 1979",  "03.05.1979",
                                   "5/3/79",          "19790503",
                                   "3-MAY-79",        "thursday the 3rd of may, 1979"};
  for (const std::string& one : of_one) EXPECT_TRUE(want.contains(one)) << one;
  EXPECT_GE(of_one.size(), 4u);
}

TEST_F(Translation, TrainsPredictsAndEvaluates) {
  const Trained run = train(kRecipe, {.given = small({{"count", 400}}), .out = "run"});
  EXPECT_EQ(run.results.at(0).name, "test_exact");
  EXPECT_GT(value<double>(run.results, "test_loss"), 0);
  const std::string page = io::read_file("run/report.html");
  for (const char* part : {"Attention: ", "Translations", "log-probability", "99.5"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  const auto predictor = load("run");
  const Results said = predictor->predict("3 May 1979");
  EXPECT_EQ(said.at(0).name, "translation");
  const auto others = value<report::Table>(said, "alternatives");
  ASSERT_EQ(others.rows.size(), 5u);
  EXPECT_EQ(std::get<double>(others.rows[0][1].value()), value<double>(said, "log_probability"));
  EXPECT_LE(value<double>(said, "log_probability"), 0);
  EXPECT_EQ(value<std::string>(predictor->predict("\xE2\x82\xAC 1"), "note"),
            "has characters that were not trained on");
  EXPECT_EQ(fault([&] { predictor->predict(""); }), "there is no text to translate");
  EXPECT_EQ(fault([&] { predictor->predict(zeros({3})); }), "there is no text to translate");
  EXPECT_EQ(value<double>(predictor->evaluate(), "exact"),
            value<double>(run.results, "test_exact"));
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.split = "train"}), "pairs"), 400);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.count = 7}), "pairs"), 7);
  io::write_file_atomic("own.csv", "source,target\n\"May 3, 1979\",1979-05-03\n");
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.data = "own.csv"}), "pairs"), 1);
}

TEST_F(Translation, LearnsPairsOfAFile) {
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += fmt::format("{}\t{}\n", i, i % 2 ? "odd" : "even");
  io::write_file_atomic("parity.tsv", lines);
  const Values given{
      {"data", "parity.tsv"}, {"epochs", 12}, {"hidden", 16}, {"batch", 16}, {"lr", 0.01}};
  const Trained run = train(kRecipe, {.given = given, .out = "run"});
  EXPECT_GE(value<double>(run.results, "test_exact"), 0.95);
  const auto predictor = load("run");
  EXPECT_EQ(value<std::string>(predictor->predict("122"), "translation"), "even");
  EXPECT_EQ(value<std::string>(predictor->predict("377"), "translation"), "odd");
  EXPECT_GE(value<double>(predictor->evaluate({.split = "train"}), "exact"), 0.95);
}

TEST_F(Translation, GoesOnToTheSameBits) {
  const Values given = small({{"count", 300}, {"checkpoint-steps", 3}});
  train(kRecipe, {.given = given, .out = "whole"});
  for (const int64_t after : {1, 5, 12}) {
    int64_t left = after;
    fault_of(kRecipe, {.given = given, .out = "cut", .interrupted = [&] { return --left == 0; }});
    train(kRecipe, {.out = "cut", .resume = true});
    EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
    fs::remove_all("cut");
  }
}

TEST_F(Translation, FaultsAreSaidInALine) {
  EXPECT_EQ(fault_of(kRecipe, {.given = {{"data", "none.tsv"}}}),
            "none.tsv: No such file or directory");
  io::write_file_atomic("bad.tsv", "a\tb\nc\n");
  EXPECT_EQ(fault_of(kRecipe, {.given = {{"data", "bad.tsv"}}}),
            "bad.tsv: line 2: has 1 column, not a source and a target");
  io::write_file_atomic("few.tsv", "a\tb\n");
  EXPECT_NE(fault_of(kRecipe, {.given = {{"data", "few.tsv"}}}).find("none of its pairs is left"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("runs"));
}

}  // namespace
}  // namespace glia::recipes
