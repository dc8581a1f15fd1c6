// `glia search` as a user meets it: errors, what it leaves, and being killed.
#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/support.h"

namespace glia {
namespace {

TEST_F(Cli, SearchesForSettings) {
  const std::string help = glia("search fashion-mnist --help").out;
  for (const char* option : {"--space", "--method", "--trials", "--metric", "--resume", "--epochs"})
    EXPECT_NE(help.find(option), std::string::npos) << option;
  const std::string search =
      "search fashion-mnist --model mlp --batch 50 --space lr=log:1e-4..1e-1 ";
  expect_error("search", "search: no recipe is named");
  expect_error("search fashion-mnist", "--space: nothing is to be searched for");
  expect_error(search + "--method bayes", "'bayes' is none of grid, random, halving, tpe");
  expect_error(search + "--method grid", "lr is a range");
  expect_error(search + "--metric depth", "--goal: depth does not say");
  expect_error(search + "--lr 0.1", "--lr: is given, and searched for as well");
  expect_error("search fashion-mnist --space lr=0..2000", "--lr 2000 is no number from 0 to 1000");
  expect_error("search fashion-mnist --resume nowhere", "nowhere/search.json: ");
  expect_error("search fashion-mnist --resume nowhere --epochs 3",
               "--resume: a search goes on with");
  expect_error(search + "--resume nowhere", "--resume");
  EXPECT_FALSE(fs::exists("runs"));
}

TEST_F(Cli, ASearchThatIsKilledFindsTheSame) {
  const std::string search =
      "search fashion-mnist --model mlp --batch 50 --space lr=log:1e-4..1e-1 --epochs 4 --trials "
      "5 ";
  const Output o = glia(search + "--out whole");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("trial 5 of 5: lr "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("best: test_accuracy "), std::string::npos) << o.out;
  expect_error(search + "--out whole", "whole: already holds a search");
  std::string go = search + "--out cut";
  int kills = 0;
  for (int i = 1; i < 200; ++i) {
    const pid_t pid = start(go);
    std::this_thread::sleep_for(std::chrono::milliseconds(60 + 40 * (i % 5) + 10 * i));
    kill(pid, SIGKILL);
    const Output end = finish(pid);
    if (end.status == 0) break;
    ASSERT_EQ(end.status, 1000 + SIGKILL) << end.err;
    ++kills;
    if (fs::exists("cut/search.json")) go = "search fashion-mnist --resume cut";
  }
  EXPECT_GT(kills, 1);
  ASSERT_EQ(glia("search fashion-mnist --resume cut").status, 0);
  const auto found = [](const std::string& folder) {
    std::vector<std::pair<double, double>> all;
    std::ifstream file(folder + "/trials.jsonl");
    for (std::string line; std::getline(file, line);) {
      const auto trial = nlohmann::json::parse(line);
      all.emplace_back(trial.at("settings").at("lr"), trial.at("value"));
    }
    return all;
  };
  EXPECT_EQ(found("cut").size(), 5u);
  EXPECT_EQ(found("cut"), found("whole"));
  for (const char* trial : {"trial-001", "trial-005"})
    EXPECT_EQ(io::read_file(std::string("cut/") + trial + "/model.safetensors"),
              io::read_file(std::string("whole/") + trial + "/model.safetensors"));
}

}  // namespace
}  // namespace glia
