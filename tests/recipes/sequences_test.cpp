// The recipes of sequences: language models, tasks that need a memory, trees of expressions.
#include <fmt/format.h>

#include <set>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/recipes/run.h"
#include "recipes/src/expressions.h"
#include "recipes/src/sequence_tasks.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class Language : public RecipeTest {
 protected:
  static Values small(const std::string& model, Values more = {}) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += fmt::format("row {} is here.\n", i % 10);
    io::write_file_atomic("text.txt", text);
    Values all{{"data", "text.txt"}, {"model", model}, {"steps", 24}, {"width", 16},
               {"layers", 1},        {"heads", 2},     {"block", 12}, {"warmup", 2}};
    for (auto& one : more) all.push_back(std::move(one));
    return all;
  }
};

TEST_F(Language, TrainsWritesAndEvaluates) {
  for (const char* model : {"gpt", "lstm", "gru", "rnn"}) {
    const Trained run =
        train("language-model", {.given = small(model), .out = std::string("run-") + model});
    const auto predictor = load(run.folder);
    EXPECT_NEAR(value<double>(predictor->evaluate(), "loss"),
                value<double>(run.results, "test_loss"), 1e-6);
    const Generation how{.length = 30, .temperature = 0.5, .top_k = 5, .top_p = 0.9, .seed = 3};
    const std::string text = predictor->generate("row 1", how);
    EXPECT_TRUE(text.starts_with("row 1"));
    EXPECT_EQ(text.size(), 35u);
    EXPECT_EQ(predictor->generate("row 1", how), text);
    EXPECT_EQ(predictor->generate("", {.length = 3}).size(), 3u);
    EXPECT_EQ(value<std::string>(predictor->predict("row"), "continuation").size(), 100u);
    EXPECT_EQ(fault([&] { predictor->generate("Z"); }), "'Z' is no token that was trained on");
    EXPECT_NE(fault([&] { predictor->generate("r", {.temperature = -1}); }), "");
    EXPECT_NE(fault([&] { predictor->generate("r", {.length = -1}); }), "");
  }
}

TEST_F(Language, BytesAreTokensToo) {
  train("language-model", {.given = small("gpt", {{"tokens", "bytes"}}), .out = "run"});
  EXPECT_EQ(load("run")->generate("\xff Z", {.length = 4}).size(), 7u);
}

TEST_F(Language, GoesOnToTheSameBits) {
  const Values given = small("gpt", {{"checkpoint-steps", 5}, {"dropout", 0.1}});
  train("language-model", {.given = given, .out = "whole"});
  int64_t left = 13;
  fault_of("language-model",
           {.given = given, .out = "cut", .interrupted = [&] { return --left == 0; }});
  train("language-model", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
}

TEST_F(Language, FaultsAreSaidInALine) {
  EXPECT_EQ(fault_of("language-model", {.given = {{"data", "none.txt"}}}),
            "none.txt: No such file or directory");
  io::write_file_atomic("short.txt", "abc");
  EXPECT_NE(fault_of("language-model", {.given = {{"data", "short.txt"}}}).find("too few"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("runs"));
}

using Sequences = RecipeTest;

TEST_F(Sequences, TasksAreWhatTheySay) {
  const SequenceTask adding = sequence_task("adding", 10), copy = sequence_task("copy", 5);
  const SequenceBatch a = adding.test(), again = adding.test();
  EXPECT_TRUE(all(a.x == again.x).item<bool>());
  EXPECT_EQ(a.x.shape().str(), "(1000, 10, 2)");
  EXPECT_TRUE(all(sum(index(a.x, {Ellipsis, 1}), {1}) == 2).item<bool>());
  EXPECT_NEAR(var(a.target).item(), 1.0 / 6, 0.02);
  const SequenceBatch c = copy.draw(3);
  EXPECT_EQ(c.x.shape().str(), "(3, 25, 10)");
  EXPECT_TRUE(all(argmax(slice(c.x, 1, {0, 10})) == c.target).item<bool>());
  EXPECT_EQ(index(argmax(c.x), {0, 14}).item(), 9);
}

TEST_F(Sequences, TrainsAndEvaluates) {
  for (const char* model : {"gru", "lstm", "rnn", "peephole-lstm", "layer-norm-lstm"})
    for (const char* task : {"adding", "copy"}) {
      const std::string out = std::string(model) + task;
      const Trained run = train("sequence-task", {.given = {{"task", task},
                                                            {"model", model},
                                                            {"length", 8},
                                                            {"hidden", 8},
                                                            {"steps", 10},
                                                            {"batch", 4}},
                                                  .out = out});
      const auto predictor = load(out);
      EXPECT_NEAR(value<double>(predictor->evaluate(), "loss"),
                  value<double>(run.results, "test_loss"), 1e-6);
      if (std::string(task) == "adding") predictor->predict(zeros({8, 2}));
      EXPECT_NE(fault([&] { predictor->predict("1 2 3"); }), "");
    }
}

using Expressions = RecipeTest;

TEST_F(Expressions, AreReadAndEvaluated) {
  const auto value_of = [](const std::string& text) {
    const Expression e = read_expression(text, 7);
    EXPECT_EQ(read_expression(e.text(), 7).text(), e.text());
    return e.values.back();
  };
  EXPECT_EQ(value_of("(1 + 2) * 3"), 2);
  EXPECT_EQ(value_of("1 + 2 * 3"), 0);
  EXPECT_EQ(value_of("1 - 2 - 3"), 3);
  EXPECT_EQ(value_of("((5))"), 5);
  for (const auto& [text, said] : {std::pair{"", "column 1: a number is wanted"},
                                   {"1 +", "column 4: a number is wanted"},
                                   {"(1", "column 3: a bracket is not closed"},
                                   {"1)", "column 2: a bracket is closed that is not open"},
                                   {"9", "column 1: a number below 7 or a bracket is wanted"},
                                   {"1 2", "column 3: an operator or the end is wanted"}})
    EXPECT_EQ(fault([&, text = text] { read_expression(text, 7); }), said);
  EXPECT_NE(fault([] { read_expression(std::string(20000, '('), 7); }), "");
  data::Random random(1, 2);
  for (int64_t depth = 0; depth < 7; ++depth) {
    const Expression e = draw_expression(5, depth, random);
    EXPECT_EQ(batch_of({e}).forest.levels().size(), static_cast<size_t>(depth) + 1);
    EXPECT_EQ(read_expression(e.text(), 5).values.back(), e.values.back());
  }
}

TEST_F(Expressions, TrainsPredictsAndGoesOn) {
  const Values given{{"modulus", 2}, {"depth", 2}, {"hidden", 8},
                     {"steps", 20},  {"batch", 4}, {"checkpoint-steps", 4}};
  const Trained run = train("tree-expressions", {.given = given, .out = "whole"});
  const auto predictor = load("whole");
  const Results said = predictor->predict("1 + 1 * 0");
  EXPECT_EQ(value<std::string>(said, "read_as"), "(1 + (1 * 0))");
  EXPECT_EQ(value<int64_t>(said, "right"), 1);
  EXPECT_EQ(value<double>(predictor->evaluate(), "exact"),
            value<double>(run.results, "test_exact"));
  int64_t left = 10;
  fault_of("tree-expressions",
           {.given = given, .out = "cut", .interrupted = [&] { return --left == 0; }});
  train("tree-expressions", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
  EXPECT_EQ(fault_of("tree-expressions", {.given = {{"depth", 4}, {"test-depth", 4}}}),
            "--test-depth is not above --depth");
}

}  // namespace
}  // namespace glia::recipes
