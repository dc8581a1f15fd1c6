// Recipes that make pictures and sentences, on small data of their own: what is trained, drawn and
// refused.
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

// Eight by eight: class "dark" is below 100 everywhere, "light" above 150.
class Generation : public RecipeTest {
 protected:
  void SetUp() override {
    RecipeTest::SetUp();
    for (const bool light : {false, true}) {
      const std::string folder = std::string("pictures/") + (light ? "light" : "dark");
      fs::create_directories(folder);
      for (int64_t i = 0; i < 40; ++i) {
        std::vector<uint8_t> pixels;
        for (int64_t p = 0; p < 64; ++p)
          pixels.push_back(static_cast<uint8_t>((light ? 200 : 20) + (7 * i + 13 * p) % 50));
        io::write_png(folder + "/" + std::to_string(100 + i) + ".png",
                      from_vector(pixels, {8, 8, 1}));
      }
    }
  }
  static Trained run(const std::string& recipe, Values more, const std::string& out = "run") {
    Values given = {{"data", "pictures"}, {"batch", 8}};
    for (auto& v : more) given.push_back(v);
    return train(recipe, {.given = given, .out = out, .overwrite = true});
  }
  static std::string report() { return io::read_file("run/report.html"); }
};

TEST_F(Generation, GansOfPictures) {
  // A folder's pictures are 32 x 32.
  const Trained trained =
      run("gan", {{"steps", 4}, {"width", 4}, {"noise", 8}, {"judged", 20}, {"conditional", true}});
  EXPECT_GT(value<double>(trained.results, "fid"), 0);
  EXPECT_LE(value<int64_t>(trained.results, "classes"), 2);
  // What judges learns also where a caller wants no gradients: real pictures are told apart.
  const Results again = load("run")->evaluate({.count = 20});
  EXPECT_EQ(value<double>(again, "fid"),
            value<double>(load("run")->evaluate({.count = 20}), "fid"));
  for (const char* part : {"Samples as training goes on", "step 4", "From one noise to another"})
    EXPECT_NE(report().find(part), std::string::npos) << part;
  const auto predictor = load("run");
  const Tensor drawn = predictor->draw({.count = 5, .label = "light"});
  EXPECT_EQ(drawn.shape(), (Shape{5, 32, 32, 1}));
  EXPECT_EQ(predictor->draw({.count = 5, .label = "1"}).to_vector<uint8_t>(),
            drawn.to_vector<uint8_t>());
  EXPECT_NE(predictor->draw({.count = 5, .label = "light", .seed = 1}).to_vector<uint8_t>(),
            drawn.to_vector<uint8_t>());
  EXPECT_NE(predictor->draw({.count = 5, .label = "dark"}).to_vector<uint8_t>(),
            drawn.to_vector<uint8_t>());
  for (const char* wrong : {"blue", "2", "-1", "1x"})
    EXPECT_NE(fault([&] { predictor->draw({.label = wrong}); }).find("dark, light"),
              std::string::npos)
        << wrong;
  fault([&] { predictor->draw({.count = 0}); });
  EXPECT_EQ(value<Tensor>(predictor->predict("3"), "samples").shape(), (Shape{3, 32, 32, 1}));

  for (const char* loss : {"wgan-gp", "hinge", "least-squares"})
    run("gan", {{"steps", 2},
                {"width", 4},
                {"noise", 8},
                {"judged", 10},
                {"loss", loss},
                {"norm", loss == std::string("hinge") ? "spectral" : "none"}});
  EXPECT_NE(fault([&] { load("run")->draw({.label = "light"}); }).find("without classes"),
            std::string::npos);
  EXPECT_NE(fault([&] {
              run("gan", {{"loss", "wgan-gp"}, {"norm", "batch"}}, "none");
            }).find("batch norm"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("none"));
}

TEST_F(Generation, VaesOfPictures) {
  const Values small = {{"epochs", 2},       {"latent", 3},     {"hidden", "8"}, {"width", 4},
                        {"nll-samples", 20}, {"nll-count", 10}, {"judged", 20}};
  const Trained trained = run("vae", small);
  EXPECT_GT(value<double>(trained.results, "nll"), 0);
  for (const char* part : {"Divergence from the prior", "what its z says", "Samples"})
    EXPECT_NE(report().find(part), std::string::npos) << part;
  auto predictor = load("run");
  EXPECT_EQ(predictor->draw({.count = 3}).shape(), (Shape{3, 32, 32, 1}));
  const Results seen = predictor->predict("pictures/dark/100.png");
  EXPECT_EQ(value<Tensor>(seen, "code").shape(), (Shape{3}));
  EXPECT_LT(value<double>(seen, "log_likelihood"), 0);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.split = "train", .count = 7}), "images"), 7);
  // Equal settings give equal numbers; a run that was cut goes on to them.
  TrainJob cut{.given = {{"data", "pictures"}, {"batch", 8}}, .out = "cut"};
  for (const auto& v : small) cut.given.push_back(v);
  int asked = 0;
  cut.interrupted = [&] { return ++asked >= 3; };
  EXPECT_THROW(train("vae", cut), Interrupted);
  train("vae", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("run/model.safetensors"));

  Values conv = small;
  conv.insert(conv.end(),
              {{"model", "conv"}, {"likelihood", "gaussian"}, {"bound", "iwae"}, {"samples", 3}});
  run("vae", conv);
  EXPECT_EQ(load("run")->draw({.count = 2}).shape(), (Shape{2, 32, 32, 1}));
  Values wrong = small;
  wrong[2].second = "8,x";
  EXPECT_NE(fault([&] { run("vae", wrong, "none"); }).find("hidden"), std::string::npos);
}

TEST_F(Generation, DiffusionOfPictures) {
  const Values small = {{"steps", 4},          {"width", 8},      {"multipliers", "1,1"},
                        {"heads", 2},          {"timesteps", 20}, {"judged", 20},
                        {"sampling-steps", 3}, {"guidance", 1.5}};
  const Trained trained = run("diffusion", small);
  EXPECT_GT(value<double>(trained.results, "fid"), 0);
  EXPECT_NE(report().find("With a guidance of 3"), std::string::npos);
  const auto predictor = load("run");
  const Tensor drawn = predictor->draw({.count = 4, .label = "dark", .steps = 5});
  EXPECT_EQ(drawn.shape(), (Shape{4, 32, 32, 1}));
  // Guidance changes little of so little training; that it does is UNet's test.
  EXPECT_EQ(predictor->draw({.count = 2, .label = "dark", .guidance = 3}).size(0), 2);
  fault([&] { predictor->draw({.steps = 21}); });
  TrainJob cut{.given = {{"data", "pictures"}, {"batch", 8}}, .out = "cut"};
  for (const auto& v : small) cut.given.push_back(v);
  int asked = 0;
  cut.interrupted = [&] { return ++asked >= 2; };
  EXPECT_THROW(train("diffusion", cut), Interrupted);
  train("diffusion", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("run/model.safetensors"));
  Values wrong = small;
  wrong.push_back({"sampling-steps", 21});
  EXPECT_NE(fault([&] { run("diffusion", wrong, "none"); }).find("timesteps"), std::string::npos);
}

TEST_F(Generation, PixelAfterPixel) {
  const Trained trained =
      run("pixel-cnn", {{"steps", 5}, {"width", 4}, {"layers", 1}, {"size", 8}});
  EXPECT_GT(value<double>(trained.results, "nll"), 0);
  EXPECT_NE(report().find("lower half is drawn"), std::string::npos);
  const auto predictor = load("run");
  EXPECT_EQ(predictor->draw({.count = 3, .label = "dark"}).shape(), (Shape{3, 8, 8, 1}));
  EXPECT_LT(value<double>(predictor->predict("pictures/light/110.png"), "log_likelihood"), 0);
  EXPECT_GT(value<double>(predictor->evaluate({.count = 5}), "bits_per_pixel"), 0);
}

TEST_F(Generation, Sentences) {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += std::string(i % 2 ? "the dog " : "a cat ") + (i % 3 ? "sees the bird.\n" : "sleeps.\n");
  io::write_file_atomic("sentences.txt", text + "\n\none\n");
  const Values small = {{"data", "sentences.txt"},
                        {"steps", 6},
                        {"hidden", 8},
                        {"embedding", 4},
                        {"latent", 2},
                        {"batch", 8},
                        {"longest", 6}};
  const Trained trained = train("sentence-vae", {.given = small, .out = "run"});
  EXPECT_GT(value<double>(trained.results, "test_perplexity"), 1);
  EXPECT_NE(report().find("From one sentence to another"), std::string::npos);
  const auto predictor = load("run");
  EXPECT_EQ(value<Tensor>(predictor->predict("the dog sleeps."), "code").shape(), (Shape{2}));
  EXPECT_EQ(predictor->generate("", {.seed = 3}), predictor->generate("", {.seed = 3}));
  predictor->generate("a cat sees the dog.");
  EXPECT_GT(value<double>(predictor->evaluate(), "perplexity"), 1);
  fault([&] { predictor->predict(""); });
  fault([&] { predictor->draw(); });
  io::write_file_atomic("one.txt", "a cat sleeps.\n");
  EXPECT_NE(fault_of("sentence-vae", {.given = {{"data", "one.txt"}}}).find("one.txt"),
            std::string::npos);
}

TEST_F(Generation, Curves) {
  for (const char* model : {"vae", "vrnn"}) {
    const Trained trained = train("curves", {.given = {{"model", model},
                                                       {"count", 20},
                                                       {"length", 6},
                                                       {"steps", 3},
                                                       {"hidden", 8},
                                                       {"latent", 2}},
                                             .out = "run",
                                             .overwrite = true});
    EXPECT_GT(value<double>(trained.results, "test_kl"), 0);
    EXPECT_NE(report().find("Drawn curves"), std::string::npos);
    const auto predictor = load("run");
    EXPECT_EQ(value<Tensor>(predictor->predict("4"), "curves").shape(), (Shape{4, 6, 2}));
    EXPECT_GT(value<double>(predictor->evaluate({.count = 7}), "kl"), 0);
  }
}

TEST(PictureGrid, PutsPicturesInRows) {
  const Tensor grid = picture_grid(full({5, 3, 4, 1}, 9, kU8));
  EXPECT_EQ(grid.shape(), (Shape{2 * 3 + 2, 3 * 4 + 2 * 2, 1}));
  EXPECT_EQ(index(grid, {7, 9, 0}).item<int>(), 9);
  EXPECT_EQ(index(grid, {7, 15, 0}).item<int>(), 0) << "there is no sixth";
  EXPECT_EQ(picture_grid(full({5, 3, 4, 3}, 9, kU8), 5).shape(), (Shape{3, 5 * 4 + 8, 3}));
  EXPECT_THROW(picture_grid(zeros({0, 3, 4, 1}, kU8)), ShapeError);
  EXPECT_THROW(picture_grid(zeros({2, 3, 4, 1})), ShapeError);
}

}  // namespace
}  // namespace glia::recipes
