// Images in classes, from a user's folder: what is read, trained, predicted and evaluated.
#include <nlohmann/json.hpp>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/vision/image.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class ImageClassification : public RecipeTest {
 protected:
  // Class "left" is bright on the left, "right" on the right, in colour or grey, of many sizes.
  static void write_class(const std::string& folder, bool left, int64_t count, bool colour) {
    fs::create_directories(folder);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t height = 16 + i % 5, width = 20 + i % 7, channels = colour ? 3 : 1;
      std::vector<uint8_t> pixels;
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          for (int64_t c = 0; c < channels; ++c)
            pixels.push_back(
                static_cast<uint8_t>(((x < width / 2) == left ? 170 : 60) + 3 * i % 40));
      const Tensor image = from_vector(pixels, {height, width, channels});
      const std::string path = folder + "/" + std::to_string(100 + i);
      if (i % 2)
        io::write_png(path + ".png", image);
      else
        io::write_file_atomic(path + ".jpg", vision::encode_jpeg(image, 90));
    }
  }
  static void write_set(const std::string& folder, int64_t count, bool colour) {
    write_class(folder + "/left", true, count, colour);
    write_class(folder + "/right", false, count, colour);
  }
  static TrainJob job(const std::string& data, const std::string& out, Values more = {}) {
    Values given = {{"data", data}, {"epochs", 6},     {"batch", 8},
                    {"size", 16},   {"mirror", false}, {"model", "mlp"}};
    for (auto& v : more) given.push_back(v);
    return {.given = given, .out = out};
  }
  const std::string kName = "image-classification";
};

TEST_F(ImageClassification, AFolderThatHasNoSplit) {
  write_set("photos", 20, true);
  const Trained run = train(kName, job("photos/", "run"));
  EXPECT_EQ(value<double>(run.results, "test_accuracy"), 1);
  const auto summary = nlohmann::json::parse(io::read_file("run/summary.json"));
  EXPECT_EQ(summary.at("data"), "photos/");
  const std::string report = io::read_file("run/report.html");
  for (const char* part : {"photos, mlp", "left", "right", "Confusion matrix"})
    EXPECT_NE(report.find(part), std::string::npos) << part;

  const auto predictor = load("run");
  const Results results = predictor->predict("photos/left/100.jpg");
  EXPECT_EQ(value<std::string>(results, "class"), "left");
  EXPECT_EQ(value<std::string>(results, "note"), "its middle resized from 20 x 16");
  EXPECT_EQ(predictor->inputs("photos/right").size(), 20u);
  // An image, of any number of channels.
  for (const int64_t channels : {1, 2, 3, 4})
    EXPECT_EQ(
        value<std::string>(predictor->predict(full({30, 30, channels}, 255, kU8)), "class").size() >
            0,
        true);
  EXPECT_THROW(predictor->predict(zeros({30, 30})), Error);

  // The split is that of the run; other data are taken whole.
  EXPECT_EQ(value<int64_t>(predictor->evaluate(), "images"), 8);
  EXPECT_EQ(value<double>(predictor->evaluate(), "accuracy"), 1);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.split = "train"}), "images"), 32);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.count = 3}), "images"), 3);
  write_class("new/right", false, 5, false);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.data = "new"}), "images"), 5);
  write_class("new/up", false, 5, false);
  EXPECT_NE(fault([&] { predictor->evaluate({.data = "new"}); }).find("new/up: is none of"),
            std::string::npos);
  EXPECT_NE(fault([&] { predictor->evaluate({.data = "nowhere"}); }).find("'nowhere' is neither"),
            std::string::npos);
}

TEST_F(ImageClassification, AFolderWithTrainAndTest) {
  write_set("set/train", 12, false);
  write_set("set/test", 5, false);
  const Trained run = train(kName, job("set", "", {{"model", "resnet20"}, {"epochs", 3}}));
  EXPECT_EQ(run.folder, "runs/set-resnet20");
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<int64_t>(predictor->evaluate(), "images"), 10);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.split = "train"}), "images"), 24);
  io::Metadata metadata;
  const auto weights = io::read_safetensors(run.folder + "/model.safetensors", &metadata);
  EXPECT_EQ(weights[0].first, "conv1.weight");
  EXPECT_EQ(weights[0].second.size(1), 1) << "grey pictures have one channel";
  fs::rename("set/test", "set/val");
  EXPECT_EQ(value<int64_t>(load(run.folder)->evaluate(), "images"), 10);
  write_class("set/val/third", true, 2, false);
  EXPECT_NE(fault_of(kName, job("set", "other")).find("set/val/third: is none of"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("other"));
}

TEST_F(ImageClassification, EveryAugmentation) {
  write_set("photos", 10, true);
  write_set("grey", 10, false);
  for (const char* augment : {"none", "basic", "erasing", "randaugment", "trivial"})
    for (const char* data : {"photos", "grey"}) {
      const Values more = {{"augment", augment}, {"epochs", 2}, {"mirror", true}};
      const std::string name = std::string(data) + "-" + augment;
      const Trained run = train(kName, job(data, name, more));
      train(kName, job(data, name + "-again", more));
      EXPECT_EQ(io::read_file(name + "/model.safetensors"),
                io::read_file(name + "-again/model.safetensors"))
          << name;
    }
  EXPECT_NE(fault_of(kName, job("photos", "no", {{"augment", "all"}})).find("all"),
            std::string::npos);
}

TEST_F(ImageClassification, FaultsOfFolders) {
  EXPECT_EQ(fault_of(kName, job("nowhere", "run")),
            "--data: 'nowhere' is neither a data set of `glia data list` nor a folder");
  fs::create_directories("empty");
  EXPECT_NE(fault_of(kName, job("empty", "run")).find("empty: has no folders"), std::string::npos);
  write_class("one/left", true, 4, false);
  EXPECT_EQ(fault_of(kName, job("one", "run")),
            "there is one class of images, 'left', and not two or more");
  write_set("two", 4, false);
  io::write_file_atomic("two/left/100.jpg", "text");
  EXPECT_EQ(fault_of(kName, job("two", "run")),
            "two/left/100.jpg: is no picture: neither PNG nor JPEG, WebP, TIFF, GIF or PPM");
  EXPECT_EQ(fault_of(kName, job("two", "run", {{"size", 4}})).find("two/left"), 0u);
  EXPECT_FALSE(fs::exists("run"));
}

TEST_F(ImageClassification, InterruptedRunsGoOnToTheSameBits) {
  write_set("photos", 20, true);
  train(kName, job("photos", "whole", {{"model", "cnn"}}));
  TrainJob cut = job("photos", "cut", {{"model", "cnn"}});
  int left = 7;
  cut.interrupted = [&] { return --left == 0; };
  EXPECT_NE(fault_of(kName, cut).find("--resume cut"), std::string::npos);
  train(kName, {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
  // Other pictures are other data.
  fs::remove("photos/left/101.png");
  EXPECT_NE(fault_of(kName, {.out = "cut", .resume = true}), "");
}

}  // namespace
}  // namespace glia::recipes
