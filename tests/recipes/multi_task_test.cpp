// Two tasks on one picture: every way to share and to balance, going on, predictions and scores.
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class MultiTask : public RecipeTest {
 protected:
  MultiTask() {
    for (const char* part : {"train", "test"})
      for (const bool left : {true, false}) {
        const std::string folder = std::string("set/") + part + (left ? "/left" : "/right");
        fs::create_directories(folder);
        const int64_t count = std::string(part) == "train" ? 24 : 6;
        for (int64_t i = 0; i < count; ++i)
          io::write_png(folder + "/" + std::to_string(100 + i) + ".png", half(left, 10 * (i % 6)));
      }
  }
  // Bright at the left or at the right.
  static Tensor half(bool left, int64_t shade) {
    std::vector<uint8_t> pixels;
    for (int64_t i = 0; i < 16 * 16; ++i)
      pixels.push_back((i % 16 < 8) == left ? static_cast<uint8_t>(250 - shade) : 0);
    return from_vector(pixels, {16, 16, 1});
  }
  static TrainJob job(const std::string& out, Values more = {}) {
    Values given = {{"data", "set"}, {"epochs", 2}, {"batch", 16}};
    for (auto& v : more) given.push_back(v);
    return {.given = given, .out = out};
  }
  const std::string kName = "multi-task";
};

TEST_F(MultiTask, LearnsBothTasks) {
  const Trained run = train(kName, job("run", {{"epochs", 30}, {"lr", 0.01}}));
  EXPECT_GT(value<double>(run.results, "test_accuracy_left"), 0.8);
  EXPECT_GT(value<double>(run.results, "test_accuracy_right"), 0.8);
  EXPECT_NEAR(value<double>(run.results, "test_accuracy"),
              (value<double>(run.results, "test_accuracy_left") +
               value<double>(run.results, "test_accuracy_right")) /
                  2,
              1e-12);
  const std::string report = io::read_file("run/report.html");
  for (const char* part : {"Accuracy, left", "Loss, right", "Weight, left"})
    EXPECT_NE(report.find(part), std::string::npos) << part;

  const auto predictor = load("run");
  const Results results = predictor->predict(full({24, 24, 1}, 100, kU8));
  for (const char* task : {"left", "right"}) {
    const auto guess = value<std::string>(results, task);
    EXPECT_TRUE(guess == "left" || guess == "right");
  }
  EXPECT_EQ(value<std::string>(predictor->predict(zeros({50, 40, 3}, kU8)), "note"),
            "its middle resized from 40 x 50");
  const Results scores = predictor->evaluate();
  EXPECT_EQ(value<double>(scores, "accuracy_left"),
            value<double>(run.results, "test_accuracy_left"));
  EXPECT_GT(value<double>(predictor->evaluate({.split = "train", .count = 5}), "accuracy_right"),
            0.5);
  EXPECT_NE(fault([&] { predictor->evaluate({.data = "nowhere"}); }).find("nowhere"),
            std::string::npos);
}

TEST_F(MultiTask, EverySharingAndWeighting) {
  for (const char* sharing : {"hard", "cross-stitch", "mmoe", "single"})
    for (const char* weighting :
         {"equal", "uncertainty", "dwa", "gradnorm", "mgda", "pcgrad", "cagrad"}) {
      const std::string what = weighting;
      const TrainJob run = job(std::string(sharing) + weighting,
                               {{"sharing", sharing}, {"weighting", weighting}, {"pairs", 32}});
      if (sharing == std::string("single") && what != "equal" && what != "uncertainty" &&
          what != "dwa") {
        EXPECT_NE(fault_of(kName, run).find("nothing with --sharing single"), std::string::npos);
        EXPECT_FALSE(fs::exists(run.out));
        continue;
      }
      EXPECT_EQ(value<int64_t>(train(kName, run).results, "steps"), 4) << sharing << weighting;
    }
  EXPECT_NE(fault_of(kName, job("no", {{"weighting", "best"}})).find("best"), std::string::npos);
}

TEST_F(MultiTask, GoesOnToTheSameBits) {
  for (const char* weighting : {"uncertainty", "dwa", "gradnorm", "pcgrad"}) {
    const Values more = {{"weighting", weighting}, {"epochs", 4}};
    const std::string whole = std::string("whole-") + weighting,
                      out = std::string("cut-") + weighting;
    train(kName, job(whole, more));
    TrainJob cut = job(out, more);
    int asked = 0;
    cut.interrupted = [&] { return ++asked >= 8; };
    EXPECT_THROW(train(kName, cut), Interrupted);
    train(kName, {.out = out, .resume = true});
    EXPECT_EQ(io::read_file(out + "/model.safetensors"),
              io::read_file(whole + "/model.safetensors"))
        << weighting;
  }
}

}  // namespace
}  // namespace glia::recipes
