#include "scenes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/autodiff.h"
#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"

namespace glia::recipes {
namespace {

namespace fs = std::filesystem;

// The rows and columns from the first to the last that are not dark.
std::array<int64_t, 4> ink(std::span<const uint8_t> pixels, int64_t height, int64_t width) {
  std::array<int64_t, 4> box = {width, height, 0, 0};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      if (pixels[y * width + x] > 64) {
        box = {std::min(box[0], x), std::min(box[1], y), std::max(box[2], x + 1),
               std::max(box[3], y + 1)};
      }
  return box;
}

vision::Annotated digit_scene(data::Random& random, std::span<const uint8_t> digits,
                              std::span<const int64_t> labels, int64_t size) {
  constexpr int64_t kSide = 28, kTries = 20;
  std::vector<uint8_t> canvas(static_cast<size_t>(size * size));
  for (uint8_t& v : canvas) v = static_cast<uint8_t>(random.below(48));
  std::vector<float> boxes;
  std::vector<int64_t> of;
  const int64_t wanted = 3 + random.below(4);
  for (int64_t tries = 0; tries < kTries && static_cast<int64_t>(of.size()) < wanted; ++tries) {
    const int64_t which = random.below(static_cast<int64_t>(labels.size()));
    const auto pixels = digits.subspan(which * kSide * kSide, kSide * kSide);
    const auto [left, top, right, bottom] = ink(pixels, kSide, kSide);
    if (right <= left) continue;
    const int64_t height = size / 5 + random.below(std::max<int64_t>(1, size / 3 - size / 5));
    const int64_t width = std::max<int64_t>(4, height * (right - left) / (bottom - top));
    if (width >= size || height >= size) continue;
    const int64_t x = random.below(size - width), y = random.below(size - height);
    bool free = true;
    for (size_t i = 0; i < boxes.size(); i += 4)
      free = free && (x >= boxes[i + 2] || x + width <= boxes[i] || y >= boxes[i + 3] ||
                      y + height <= boxes[i + 1]);
    if (!free) continue;
    const Tensor digit =
        from_vector(std::vector<uint8_t>(pixels.begin(), pixels.end()), {kSide, kSide, 1});
    const Tensor scaled =
        vision::resized_crop(digit, top, left, bottom - top, right - left, height, width);
    const auto values = scaled.data<uint8_t>();
    for (int64_t r = 0; r < height; ++r)
      for (int64_t c = 0; c < width; ++c) {
        uint8_t& v = canvas[(y + r) * size + x + c];
        v = std::max(v, values[r * width + c]);
      }
    for (const int64_t v : {x, y, x + width, y + height}) boxes.push_back(static_cast<float>(v));
    of.push_back(labels[which]);
  }
  const auto count = static_cast<int64_t>(of.size());
  return {from_vector(canvas, {size, size, 1}), from_vector(boxes, {count, 4}),
          from_vector(of, {count})};
}

std::string annotations_of(const std::string& folder) {
  for (const char* name : {"/annotations.json", "/_annotations.coco.json", "/instances.json"})
    if (fs::exists(folder + name)) return folder + name;
  return "";
}

}  // namespace

Tensor SceneForm::normalized(const Tensor& image) const {
  const Tensor fit = vision::resize(vision::to_channels(image, channels), size, size);
  return (cast(fit, kF32) - 127.5) / 127.5;
}

Facts SceneForm::facts() const {
  return {{"classes", classes},
          {"image-size", std::vector{static_cast<double>(size)}},
          {"channels", std::vector{static_cast<double>(channels)}}};
}

SceneForm SceneForm::of(const Saved& saved) {
  SceneForm form{saved.texts("classes"), saved.whole("image-size", 32, 4096),
                 saved.whole("channels", 1, 3)};
  if (form.classes.empty() || form.channels == 2)
    throw IoError(saved.path + ": what it says of its pictures does not fit together");
  return form;
}

Scenes digit_scenes(bool training, int64_t count, int64_t size) {
  const data::Entry& mnist = data::entry("mnist");
  data::Dataset<2> samples =
      data::read_labelled(mnist, training ? data::Train : data::Test).batch(INT64_MAX);
  const auto [images, labels] = *samples.begin();
  const auto of = labels.to_vector<int64_t>();
  Scenes out;
  out.truth.classes = mnist.classes;
  for (int64_t i = 0; i < count; ++i) {
    data::Random random(training ? 0 : 1, 0, static_cast<uint64_t>(i));
    out.pictures.push_back(digit_scene(random, images.data<uint8_t>(), of, size));
    vision::BoxedPicture truth{"", size, size};
    const vision::Annotated& picture = out.pictures.back();
    truth.boxes = picture.boxes.to_vector<float>();
    truth.labels = picture.labels.to_vector<int64_t>();
    truth.crowd.resize(truth.labels.size());
    for (size_t b = 0; b < truth.boxes.size(); b += 4)
      truth.areas.push_back(static_cast<double>(truth.boxes[b + 2] - truth.boxes[b]) *
                            (truth.boxes[b + 3] - truth.boxes[b + 1]));
    out.truth.pictures.push_back(std::move(truth));
  }
  return out;
}

vision::BoxedPictures read_boxes(const std::string& folder) {
  if (!fs::is_directory(folder)) throw Error("--data: '" + folder + "' is no folder");
  const std::string json = annotations_of(folder);
  if (json.empty()) return vision::read_yolo(folder);
  return vision::read_coco(json,
                           fs::is_directory(folder + "/images") ? folder + "/images" : folder);
}

Scenes read_scenes(const std::string& folder, const SceneForm& form) {
  Scenes out{.truth = read_boxes(folder)};
  if (out.truth.classes != form.classes)
    throw Error(fmt::format("{}: its classes are not {}", folder, fmt::join(form.classes, ", ")));
  for (vision::BoxedPicture& picture : out.truth.pictures) {
    const Tensor image = vision::read_image(picture.file);
    if (image.size(0) != picture.height || image.size(1) != picture.width)
      throw IoError(fmt::format("{}: is {} x {}, not {} x {}, as its boxes have it", picture.file,
                                image.size(1), image.size(0), picture.width, picture.height));
    // Crowds are judged, and not learnt.
    std::vector<float> boxes;
    std::vector<int64_t> labels;
    for (size_t i = 0; i < picture.labels.size(); ++i) {
      if (picture.crowd[i]) continue;
      labels.push_back(picture.labels[i]);
      for (size_t k = 0; k < 4; ++k)
        boxes.push_back(picture.boxes[4 * i + k] * static_cast<float>(form.size) /
                        static_cast<float>(k % 2 == 0 ? picture.width : picture.height));
    }
    const auto count = static_cast<int64_t>(labels.size());
    out.pictures.push_back(
        {vision::resize(vision::to_channels(image, form.channels), form.size, form.size),
         from_vector(boxes, {count, 4}), from_vector(labels, {count})});
  }
  return out;
}

std::vector<vision::Detections> found_in(const vision::Detector& net, const Scenes& scenes,
                                         const SceneForm& form) {
  constexpr size_t kBatch = 32;
  const NoGrad no_grad;
  std::vector<vision::Detections> all;
  for (size_t at = 0; at < scenes.pictures.size(); at += kBatch) {
    std::vector<Tensor> batch;
    for (size_t i = at; i < std::min(at + kBatch, scenes.pictures.size()); ++i)
      batch.push_back(form.normalized(scenes.pictures[i].image));
    for (vision::Detections& d : net.detect(net(stack(batch)), 0.01)) {
      const vision::BoxedPicture& picture = scenes.truth.pictures[all.size()];
      const auto size = static_cast<float>(form.size);
      const float w = static_cast<float>(picture.width) / size,
                  h = static_cast<float>(picture.height) / size;
      d.boxes = d.boxes * tensor({w, h, w, h});
      eval(d.boxes);
      all.push_back(std::move(d));
    }
  }
  return all;
}

Results results_of(const vision::CocoResult& found, const SceneForm& form) {
  report::Table table{{{"class"}, {"ap", true}}, {}};
  for (size_t k = 0; k < form.classes.size(); ++k)
    table.rows.push_back({form.classes[k], found.class_ap[k]});
  return {{"test_map", found.ap, true},          {"map50", found.ap50, true},
          {"map75", found.ap75, true},           {"map_small", found.ap_small, true},
          {"map_medium", found.ap_medium, true}, {"map_large", found.ap_large, true},
          {"recall100", found.ar100, true},      {"classes", table}};
}

Tensor drawn(const Tensor& image, const Tensor& boxes) {
  const Tensor colours = vision::to_channels(image, 3);
  std::vector<uint8_t> pixels = colours.to_vector<uint8_t>();
  const int64_t height = image.size(0), width = image.size(1);
  const auto b = boxes.to_vector<float>();
  const auto put = [&](int64_t y, int64_t x) {
    y = std::clamp<int64_t>(y, 0, height - 1);
    x = std::clamp<int64_t>(x, 0, width - 1);
    const uint8_t line[] = {255, 64, 64};
    std::copy_n(line, 3, &pixels[(y * width + x) * 3]);
  };
  for (size_t i = 0; i + 3 < b.size(); i += 4) {
    const auto at = [&](size_t k) { return static_cast<int64_t>(std::lround(b[i + k])); };
    for (int64_t x = at(0); x < at(2); ++x) put(at(1), x), put(at(3) - 1, x);
    for (int64_t y = at(1); y < at(3); ++y) put(y, at(0)), put(y, at(2) - 1);
  }
  return from_vector(pixels, {height, width, 3});
}

report::Section shown_scenes(const Scenes& scenes, const std::vector<vision::Detections>& found,
                             const SceneForm& form) {
  constexpr double kSure = 0.5;
  report::Images::Group group;
  for (size_t i = 0; i < std::min<size_t>(scenes.pictures.size(), 8); ++i) {
    const auto scores = found[i].scores.to_vector<float>();
    const auto sure = std::ranges::count_if(scores, [](float s) { return s > kSure; });
    std::string names;
    for (const int64_t label : slice(found[i].labels, 0, {0, sure}).to_vector<int64_t>())
      names += (names.empty() ? "" : ", ") + form.classes[static_cast<size_t>(label)];
    const vision::BoxedPicture& picture = scenes.truth.pictures[i];
    const float w = static_cast<float>(form.size) / static_cast<float>(picture.width),
                h = static_cast<float>(form.size) / static_cast<float>(picture.height);
    group.pictures.push_back({drawn(scenes.pictures[i].image,
                                    slice(found[i].boxes, 0, {0, sure}) * tensor({w, h, w, h})),
                              names});
  }
  return {"Test pictures", report::Images{{group}, 192},
          "What was found with a probability of more than a half.", true};
}

}  // namespace glia::recipes
