// GAN recipe: short runs of both losses, resumption, samples and scores.
#include "glia/io.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class GanTest : public RecipeTest {
 protected:
  static TrainJob job(const std::string& out, Values more = {}) {
    Values given = {{"data", "ring-8"}, {"steps", 40}, {"batch", 32}, {"width", 16}};
    for (auto& v : more) given.push_back(v);
    return {.given = given, .out = out};
  }
};

TEST_F(GanTest, BothLossesOnBothMixtures) {
  for (const char* data : {"ring-8", "grid-25"}) {
    for (const char* loss : {"wgan-gp", "non-saturating"}) {
      const Trained run = train(
          "gan",
          {.given = {{"data", data}, {"loss", loss}, {"steps", 10}, {"batch", 16}, {"width", 8}}});
      EXPECT_TRUE(run.folder.starts_with(std::string("runs/gan-") + data));
      EXPECT_GE(value<int64_t>(run.results, "modes"), 0);
      EXPECT_LE(value<double>(run.results, "good_samples"), 1);
      const std::string report = io::read_file(run.folder + "/report.html");
      for (const char* part : {"Modes found", "step 10", "centre of a mode"})
        EXPECT_NE(report.find(part), std::string::npos) << part;
    }
  }
}

// 25 modes take 500 steps of full width; a ring is learnt by a small network.
TEST_F(GanTest, LearnsARing) {
  const Trained run = train("gan", {.given = {{"data", "ring-8"}, {"steps", 600}, {"width", 64}}});
  EXPECT_GE(value<int64_t>(run.results, "modes"), 6);
}

TEST_F(GanTest, GoesOnToTheSameBits) {
  const Trained whole = train("gan", job("whole"));
  for (const int stop : {1, 13, 30}) {
    const std::string out = "cut" + std::to_string(stop);
    TrainJob cut = job(out);
    int asked = 0;
    cut.interrupted = [&] { return ++asked >= stop; };
    EXPECT_THROW(train("gan", cut), Interrupted);
    train("gan", {.out = out, .resume = true});
    EXPECT_EQ(io::read_file(out + "/" + "model.safetensors"),
              io::read_file("whole/model.safetensors"))
        << stop;
  }
}

TEST_F(GanTest, DrawsSamplesAndScoresThem) {
  const Trained run = train("gan", job("run"));
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<Tensor>(predictor->predict("7"), "samples").shape(), (Shape{7, 2}));
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.count = 50}), "samples"), 50);
  for (const char* wrong : {"0", "-3", "1.5", "1e9", "x", "", "2 3"})
    fault([&] { predictor->predict(wrong); });
  EXPECT_NE(fault([&] { predictor->evaluate({.data = "mnist"}); }).find("mnist"),
            std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
