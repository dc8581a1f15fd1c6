#include "glia/vision/boxes.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"

namespace glia::vision {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

void check_boxes(const char* op, const Tensor& boxes, Where where) {
  if (boxes.rank() != 2 || boxes.size(1) != 4)
    throw ShapeError(std::string(op) + ": boxes are (N, 4), not " + boxes.shape().str(), where);
}
Tensor side(const Tensor& boxes, int64_t i) { return index(boxes, {Slice{}, i}); }

float area_of(const float* b) { return std::max(0.0f, b[2] - b[0]) * std::max(0.0f, b[3] - b[1]); }
float shared(const float* a, const float* b) {
  return std::max(0.0f, std::min(a[2], b[2]) - std::max(a[0], b[0])) *
         std::max(0.0f, std::min(a[3], b[3]) - std::max(a[1], b[1]));
}

// Cut off at the edges of its picture.
void add_box(BoxedPicture& to, double left, double top, double right, double bottom,
             int64_t label) {
  const auto w = static_cast<double>(to.width), h = static_cast<double>(to.height);
  for (const double v : {std::clamp(left, 0.0, w), std::clamp(top, 0.0, h),
                         std::clamp(right, 0.0, w), std::clamp(bottom, 0.0, h)})
    to.boxes.push_back(static_cast<float>(v));
  to.labels.push_back(label);
  to.crowd.push_back(false);
  to.areas.push_back((right - left) * (bottom - top));
}

}  // namespace

Tensor box_area(const Tensor& boxes, Where where) {
  check_boxes("box_area", boxes, where);
  return maximum(side(boxes, 2) - side(boxes, 0), 0) * maximum(side(boxes, 3) - side(boxes, 1), 0);
}

Tensor box_iou(const Tensor& a, const Tensor& b, Where where) {
  check_boxes("box_iou", a, where);
  check_boxes("box_iou", b, where);
  const auto across = [&](int64_t low, int64_t high) {
    return maximum(minimum(unsqueeze(side(a, high), 1), side(b, high)) -
                       maximum(unsqueeze(side(a, low), 1), side(b, low)),
                   0);
  };
  const Tensor both = across(0, 2) * across(1, 3);
  const Tensor either = unsqueeze(box_area(a), 1) + box_area(b) - both;
  return glia::where(either > 0, both / maximum(either, 1e-30), 0);
}

Tensor nms(const Tensor& boxes, const Tensor& scores, double iou_threshold, const Tensor& groups,
           Where where) {
  check_boxes("nms", boxes, where);
  const int64_t count = boxes.size(0);
  if (scores.rank() != 1 || scores.size(0) != count ||
      (groups.defined() && (groups.rank() != 1 || groups.size(0) != count)))
    throw ShapeError("nms: " + std::to_string(count) + " boxes and scores " + scores.shape().str(),
                     where);
  const auto b = boxes.to_vector<float>(), s = scores.to_vector<float>();
  const auto g = groups.defined() ? groups.to_vector<int64_t>() : std::vector<int64_t>(b.size());
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t i, int64_t j) { return s[i] > s[j]; });
  std::vector<int64_t> kept;
  for (const int64_t i : order) {
    const bool suppressed = std::ranges::any_of(kept, [&](int64_t j) {
      if (g[i] != g[j]) return false;
      const float both = shared(&b[4 * i], &b[4 * j]);
      return both > iou_threshold * (area_of(&b[4 * i]) + area_of(&b[4 * j]) - both);
    });
    if (!suppressed) kept.push_back(i);
  }
  return from_vector(kept, {static_cast<int64_t>(kept.size())});
}

Tensor BoxedPicture::box_tensor() const {
  return from_vector(boxes, {static_cast<int64_t>(labels.size()), 4});
}

BoxedPictures read_coco(const std::string& path, const std::string& folder) {
  BoxedPictures out;
  const auto fail = [&](const std::string& fault) { throw IoError(path + ": " + fault); };
  try {
    const Json json = Json::parse(io::read_file(path));
    std::map<int64_t, std::string> names;
    for (const Json& c : json.at("categories")) names[c.at("id")] = c.at("name");
    std::map<int64_t, int64_t> label_of, place_of;
    for (const auto& [id, name] : names) {
      label_of[id] = static_cast<int64_t>(out.classes.size());
      out.classes.push_back(name);
    }
    std::map<int64_t, BoxedPicture> pictures;
    for (const Json& i : json.at("images")) {
      const std::string file = i.at("file_name");
      pictures[i.at("id")] = {folder + "/" + file, i.at("width"), i.at("height")};
    }
    for (const Json& a : json.at("annotations")) {
      const int64_t image = a.at("image_id"), category = a.at("category_id");
      const auto picture = pictures.find(image);
      const auto label = label_of.find(category);
      if (picture == pictures.end() || label == label_of.end())
        fail("a box is of picture " + std::to_string(image) + " and class " +
             std::to_string(category) + ", which is not listed");
      const std::vector<double> b = a.at("bbox");
      if (b.size() != 4 || !(b[2] >= 0) || !(b[3] >= 0) ||
          !std::isfinite(b[0] + b[1] + b[2] + b[3]))
        fail("a box of picture " + std::to_string(image) + " is none");
      add_box(picture->second, b[0], b[1], b[0] + b[2], b[1] + b[3], label->second);
      picture->second.crowd.back() = a.value("iscrowd", 0) != 0;
      picture->second.areas.back() = a.value("area", b[2] * b[3]);
    }
    for (auto& [id, picture] : pictures) out.pictures.push_back(std::move(picture));
  } catch (const Json::exception& e) {
    fail(std::string("is no list of boxes as COCO has it: ") + e.what());
  }
  return out;
}

BoxedPictures read_yolo(const std::string& folder) {
  BoxedPictures out;
  if (fs::exists(folder + "/classes.txt")) {
    std::istringstream lines(io::read_file(folder + "/classes.txt"));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) out.classes.push_back(line);
    }
  }
  const bool named = !out.classes.empty();
  int64_t most = 0;
  for (const std::string& file : list_images(folder + "/images")) {
    const Tensor image = read_image(file);
    BoxedPicture picture{file, image.size(1), image.size(0)};
    const std::string text =
        folder + "/labels/" +
        fs::relative(file, folder + "/images").replace_extension(".txt").string();
    std::istringstream lines(fs::exists(text) ? io::read_file(text) : "");
    int64_t number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      std::istringstream words(line);
      double label = -1, x = 0, y = 0, w = 0, h = 0;
      std::string rest;
      if (!(words >> label >> x >> y >> w >> h) || words >> rest || label < 0 ||
          label != std::floor(label) || label > 1e6 || !(w >= 0 && h >= 0) ||
          !(std::abs(x) <= 2 && std::abs(y) <= 2 && w <= 2 && h <= 2))
        throw IoError(text + ": line " + std::to_string(number) +
                      " is no class and box in parts of the picture");
      const auto k = static_cast<int64_t>(label);
      if (named && k >= static_cast<int64_t>(out.classes.size()))
        throw IoError(text + ": line " + std::to_string(number) + ": class " + std::to_string(k) +
                      " is none of classes.txt");
      most = std::max(most, k);
      const auto width = static_cast<double>(picture.width),
                 height = static_cast<double>(picture.height);
      add_box(picture, (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width,
              (y + h / 2) * height, k);
    }
    out.pictures.push_back(std::move(picture));
  }
  if (out.pictures.empty()) throw IoError(folder + "/images: holds no pictures");
  for (int64_t k = 0; !named && k <= most; ++k) out.classes.push_back(std::to_string(k));
  return out;
}

}  // namespace glia::vision
