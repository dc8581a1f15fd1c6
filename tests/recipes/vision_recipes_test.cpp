// Transfer, segmentation, detection, denoising, autoencoders, on a user's folders: what is read,
// trained, predicted and evaluated.
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/vision/image.h"
#include "glia/vision/networks.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class VisionRecipes : public RecipeTest {
 protected:
  // A bright square on a dark picture; in colour, red or blue.
  static Tensor picture(int64_t side, int64_t top, int64_t left, int64_t size, bool red) {
    std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3), 30);
    for (int64_t y = top; y < top + size; ++y)
      for (int64_t x = left; x < left + size; ++x) pixels[(y * side + x) * 3 + (red ? 0 : 2)] = 220;
    return from_vector(pixels, {side, side, 3});
  }
  static void write_classes(int64_t count) {
    for (const bool red : {true, false}) {
      const std::string folder = red ? "set/red" : "set/blue";
      fs::create_directories(folder);
      for (int64_t i = 0; i < count; ++i)
        io::write_png(folder + "/" + std::to_string(i) + ".png",
                      picture(32, i % 16, 5 * i % 16, 12, red));
    }
  }
};

TEST_F(VisionRecipes, TransferFromAFile) {
  write_classes(10);
  io::NamedTensors weights;
  manual_seed(2);
  for (const auto& [name, value] : vision::make_network("squeezenet1_1")->state_dict())
    weights.emplace_back(name, value);
  io::write_safetensors("net.safetensors", weights);
  const Values given = {{"data", "set"},
                        {"model", "squeezenet1_1"},
                        {"weights", "net.safetensors"},
                        {"size", 32},
                        {"batch", 8}};
  const Trained run = train("transfer", {.given = given, .out = "features"});
  EXPECT_GT(value<double>(run.results, "test_accuracy"), 0.7);
  Values thawed = given;
  thawed.insert(thawed.end(), {{"thaw", 3}, {"epochs", 2}, {"shots", 6}});
  train("transfer", {.given = thawed, .out = "thawed"});
  // The first layers are as they were, the last ones are not.
  const auto after = io::read_safetensors("thawed/model.safetensors");
  for (const auto& [name, value] : after) {
    if (name == "features.0.weight") {
      EXPECT_EQ(max(abs(value - weights[0].second)).item(), 0);
    }
    if (name != "features.12.squeeze.weight") continue;
    for (const auto& [other, before] : weights)
      if (other == name) {
        EXPECT_GT(max(abs(value - before)).item(), 0);
      }
  }
  const auto predictor = load("features");
  EXPECT_EQ(value<int64_t>(predictor->evaluate(), "images"), 4);
  const std::string answer = value<std::string>(predictor->predict("set/red/1.png"), "class");
  EXPECT_TRUE(answer == "red" || answer == "blue");
  Values wrong = given;
  wrong[1].second = std::string("resnet18");
  EXPECT_NE(fault_of("transfer", {.given = wrong, .out = "no"}).find("is not of resnet18"),
            std::string::npos);
  wrong[1].second = std::string("resnet");
  EXPECT_NE(fault_of("transfer", {.given = wrong, .out = "no"}).find("unknown network 'resnet'"),
            std::string::npos);
  wrong[2].second = std::string("known");
  wrong[1].second = std::string("squeezenet1_1");
  EXPECT_NE(fault_of("transfer", {.given = wrong, .out = "no"}).find("no weights of squeezenet1_1"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("no"));
}

TEST_F(VisionRecipes, AnyNetworkClassifies) {
  write_classes(8);
  const Trained run = train("image-classification", {.given = {{"data", "set"},
                                                               {"model", "mobilenet_v3_small"},
                                                               {"epochs", 1},
                                                               {"batch", 4},
                                                               {"size", 32}},
                                                     .out = "run"});
  EXPECT_EQ(value<int64_t>(run.results, "parameters"),
            vision::make_network("mobilenet_v3_small", {.classes = 2})->parameter_count());
  load("run")->predict("set/red/0.png");
}

TEST_F(VisionRecipes, Segmentation) {
  for (const char* folder : {"set/images", "set/labels"}) fs::create_directories(folder);
  for (int64_t i = 0; i < 5; ++i) {
    const std::string name = "/" + std::to_string(i) + ".png";
    const Tensor x = picture(40, 3 * i, 2 * i, 20, true);
    io::write_png("set/images" + name, x);
    io::write_png("set/labels" + name, index(x, {Ellipsis, 0}));
  }
  const Trained run =
      train("segmentation",
            {.given = {{"data", "set"}, {"crop", 32}, {"batch", 2}, {"steps", 12}}, .out = "run"});
  EXPECT_GT(value<double>(run.results, "test_accuracy"), 0.5);
  const auto predictor = load("run");
  const Results answer = predictor->predict("set/images/1.png");
  EXPECT_EQ(value<std::string>(answer, "mask"), "set/images/1.mask.png");
  const Tensor mask = vision::read_image("set/images/1.mask.png");
  EXPECT_EQ(mask.shape(), Shape({40, 40, 1}));
  for (const uint8_t v : mask.to_vector<uint8_t>()) EXPECT_TRUE(v == 30 || v == 220);
  fs::remove("set/images/1.mask.png");
  predictor->evaluate();
  EXPECT_NE(fault_of("segmentation", {.given = {{"data", "nowhere"}}, .out = "no"})
                .find("'nowhere' is neither"),
            std::string::npos);
  // It goes on to the same bits.
  TrainJob cut{.given = {{"data", "set"}, {"crop", 32}, {"batch", 2}, {"steps", 12}}, .out = "cut"};
  int left = 5;
  cut.interrupted = [&] { return --left == 0; };
  fault_of("segmentation", cut);
  train("segmentation", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("run/model.safetensors"));
}

TEST_F(VisionRecipes, DetectionOfYoloFiles) {
  for (const char* folder : {"set/images", "set/labels"}) fs::create_directories(folder);
  io::write_file_atomic("set/classes.txt", "red\nblue\n");
  for (int64_t i = 0; i < 15; ++i) {
    const std::string name = "/" + std::to_string(100 + i);
    const int64_t top = 3 * i % 40, left = 7 * i % 40;
    io::write_png("set/images" + name + ".png", picture(64, top, left, 20, i % 2 == 0));
    io::write_file_atomic("set/labels" + name + ".txt",
                          std::to_string(i % 2) + " " + std::to_string((left + 10) / 64.0) + " " +
                              std::to_string((top + 10) / 64.0) + " 0.3125 0.3125\n");
  }
  const Trained run =
      train("detection",
            {.given = {{"data", "set"}, {"size", 64}, {"width", 8}, {"epochs", 40}, {"batch", 4}},
             .out = "run"});
  EXPECT_GT(value<double>(run.results, "map50"), 0.3);
  const auto predictor = load("run");
  predictor->predict("set/images/100.png");
  EXPECT_EQ(value<double>(predictor->evaluate(), "test_map"),
            value<double>(run.results, "test_map"));
  EXPECT_NE(fault_of("detection", {.given = {{"data", "set"}, {"size", 50}}, .out = "no"})
                .find("no multiple of 32"),
            std::string::npos);
  EXPECT_NE(
      fault_of("detection", {.given = {{"data", "nowhere"}}, .out = "no"}).find("is no folder"),
      std::string::npos);
}

TEST_F(VisionRecipes, Denoising) {
  fs::create_directories("set");
  for (int64_t i = 0; i < 6; ++i)
    io::write_png("set/" + std::to_string(i) + ".png", picture(48, 4 * i, 3 * i, 20, i % 2 == 0));
  const Trained run = train("denoising", {.given = {{"data", "set"},
                                                    {"depth", 4},
                                                    {"width", 12},
                                                    {"batch", 4},
                                                    {"crop", 32},
                                                    {"lr", 3e-3},
                                                    {"steps", 250}},
                                          .out = "run"});
  EXPECT_GT(value<double>(run.results, "test_psnr"), value<double>(run.results, "noisy_psnr") + 2);
  EXPECT_NEAR(value<double>(run.results, "noisy_psnr"), 20.5, 1) << "255 / 25, and what is cut off";
  const auto predictor = load("run");
  EXPECT_EQ(value<std::string>(predictor->predict("set/1.png"), "picture"), "set/1.denoised.png");
  EXPECT_EQ(vision::read_image("set/1.denoised.png").shape(), Shape({48, 48, 3}));
  fs::create_directories("few");
  EXPECT_NE(
      fault_of("denoising", {.given = {{"data", "few"}}, .out = "no"}).find("fewer than five"),
      std::string::npos);
}

TEST_F(VisionRecipes, AutoEncoders) {
  write_classes(12);
  for (const char* kind : {"linear", "conv", "denoising"}) {
    const Trained run = train("autoencoder", {.given = {{"data", "set"},
                                                        {"kind", kind},
                                                        {"code", 4},
                                                        {"hidden", "32"},
                                                        {"size", 16},
                                                        {"batch", 4},
                                                        {"pretrain", kind[0] == 'd' ? 1 : 0},
                                                        {"epochs", 2}},
                                              .out = kind});
    const auto predictor = load(kind);
    EXPECT_EQ(value<Tensor>(predictor->predict("set/red/1.png"), "code").shape(), Shape{4});
    EXPECT_NEAR(value<double>(predictor->evaluate(), "error"),
                value<double>(run.results, "test_error"), 1e-6);
  }
  EXPECT_NE(fault_of("autoencoder", {.given = {{"data", "set"}, {"hidden", "3,x"}}, .out = "no"})
                .find("hidden"),
            std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
