#include "glia/vision/masks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "formats.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"

namespace glia::vision {
namespace {

namespace fs = std::filesystem;

struct Files {
  std::map<std::string, std::string> images, masks;  // bytes, or paths, by name
};

void sort_in(Files& files, const fs::path& path, std::string bytes) {
  if (!is_picture(path)) return;
  const std::string folder = path.parent_path().filename();
  if (folder == "images") files.images[path.stem()] = std::move(bytes);
  if (folder == "labels" || folder == "masks") files.masks[path.stem()] = std::move(bytes);
}

Tensor first_channel(const Tensor& image) {
  const auto pixels = image.data<uint8_t>();
  const int64_t channels = image.size(2), count = image.size(0) * image.size(1);
  std::vector<uint8_t> grey(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) grey[i] = pixels[i * channels];
  return from_vector(grey, {image.size(0), image.size(1)});
}

}  // namespace

MaskedPictures read_masked(const std::string& path, const std::vector<uint8_t>& values) {
  constexpr int64_t kMost = int64_t{1} << 30, kMostPixels = int64_t{1} << 26;
  Files files;
  const bool folder = fs::is_directory(path);
  if (folder) {
    for (const std::string& file : list_images(path)) sort_in(files, file, file);
  } else {
    io::read_tar(
        path,
        [&](const std::string& name, std::string_view bytes) {
          sort_in(files, name, std::string(bytes));
        },
        kMost);
  }
  if (files.images.empty())
    throw IoError(path + ": has no folder images with pictures, and labels or masks beside it");
  const auto decoded = [&](const std::string& name, const std::string& content) {
    return folder ? read_image(content, kMostPixels)
                  : decode_image(content, kMostPixels, path + ": " + name);
  };
  MaskedPictures out{.values = values, .channels = 1};
  std::set<uint8_t> seen;
  for (const auto& [name, content] : files.images) {
    const auto mask = files.masks.find(name);
    if (mask == files.masks.end()) throw IoError(path + ": picture " + name + " has no mask");
    Annotated picture{.image = decoded(name, content),
                      .mask = first_channel(decoded(name, mask->second))};
    if (picture.image.size(0) != picture.mask.size(0) ||
        picture.image.size(1) != picture.mask.size(1))
      throw IoError(path + ": the mask of " + name + " is " + picture.mask.shape().str() +
                    ", its picture " + picture.image.shape().str());
    if (picture.image.size(2) >= 3) out.channels = 3;
    for (const uint8_t v : picture.mask.data<uint8_t>()) seen.insert(v);
    out.pictures.push_back(std::move(picture));
    out.names.push_back(name);
  }
  if (values.empty()) out.values.assign(seen.begin(), seen.end());
  std::array<uint8_t, 256> index{};
  for (const uint8_t v : seen) {
    const auto at = std::ranges::find(out.values, v);
    if (at == out.values.end())
      throw IoError(path + ": a mask has the value " + std::to_string(v) +
                    ", which is none of the classes");
    index[v] = static_cast<uint8_t>(at - out.values.begin());
  }
  for (Annotated& picture : out.pictures) {
    picture.image = to_channels(picture.image, out.channels);
    std::vector<uint8_t> mask = picture.mask.to_vector<uint8_t>();
    for (uint8_t& v : mask) v = index[v];
    picture.mask = from_vector(mask, picture.mask.shape());
  }
  return out;
}

Overlap::Overlap(int64_t classes) : classes_(classes) {
  if (classes < 1 || classes > 65536)
    throw ValueError("Overlap: " + std::to_string(classes) + " classes");
  counts_.resize(static_cast<size_t>(classes * classes));
}

void Overlap::add(const Tensor& truth, const Tensor& guess, Where where) {
  if (truth.shape() != guess.shape())
    throw ShapeError("Overlap: " + truth.shape().str() + " and " + guess.shape().str(), where);
  const auto t = truth.to_vector<int64_t>(), g = guess.to_vector<int64_t>();
  const auto inside = [&](int64_t k) { return k >= 0 && k < classes_; };
  for (size_t i = 0; i < t.size(); ++i)
    if (!inside(t[i]) || !inside(g[i]))
      throw ValueError("Overlap: " + std::to_string(inside(t[i]) ? g[i] : t[i]) + " is none of " +
                           std::to_string(classes_) + " classes",
                       where);
  for (size_t i = 0; i < t.size(); ++i) ++counts_[t[i] * classes_ + g[i]];
}

std::vector<double> Overlap::iou() const {
  std::vector<double> out = dice();
  for (double& d : out) d = d / (2 - d);
  return out;
}

std::vector<double> Overlap::dice() const {
  std::vector<double> out;
  for (int64_t k = 0; k < classes_; ++k) {
    int64_t both = 0;
    for (int64_t j = 0; j < classes_; ++j)
      both += counts_[k * classes_ + j] + counts_[j * classes_ + k];
    out.push_back(2.0 * static_cast<double>(counts_[k * classes_ + k]) / static_cast<double>(both));
  }
  return out;
}

namespace {
double mean_of_numbers(const std::vector<double>& values) {
  double sum = 0, count = 0;
  for (const double v : values)
    if (!std::isnan(v)) {
      sum += v;
      ++count;
    }
  return sum / count;
}
}  // namespace

double Overlap::mean_iou() const { return mean_of_numbers(iou()); }
double Overlap::mean_dice() const { return mean_of_numbers(dice()); }

double Overlap::accuracy() const {
  double right = 0, all = 0;
  for (int64_t i = 0; i < classes_; ++i)
    for (int64_t j = 0; j < classes_; ++j) {
      all += static_cast<double>(counts_[i * classes_ + j]);
      if (i == j) right += static_cast<double>(counts_[i * classes_ + j]);
    }
  return right / all;
}

// ---- How alike pictures are -----------------------------------------------------------------

namespace {

void check_alike(const char* name, const Tensor& a, const Tensor& b, double range, Where where) {
  if (a.shape() != b.shape() || (a.rank() != 2 && a.rank() != 3) || a.numel() == 0)
    throw ShapeError(std::string(name) + ": pictures " + a.shape().str() + " and " +
                         b.shape().str() + " are not (H, W) or (H, W, C), alike",
                     where);
  if (!(range > 0)) throw ValueError(std::string(name) + ": a range that is not above 0", where);
}

// Windowed means of the inner positions: (H, W, C) -> (H - k + 1, W - k + 1, C).
Tensor blurred(const Tensor& x, const std::vector<double>& weights) {
  const auto n = static_cast<int64_t>(weights.size());
  Tensor rows, out;
  for (int64_t i = 0; i < n; ++i) {
    const Tensor part = slice(x, 0, {i, x.size(0) - n + 1 + i}) * weights[i];
    rows = rows.defined() ? rows + part : part;
  }
  for (int64_t i = 0; i < n; ++i) {
    const Tensor part = slice(rows, 1, {i, x.size(1) - n + 1 + i}) * weights[i];
    out = out.defined() ? out + part : part;
  }
  return out;
}

}  // namespace

double psnr(const Tensor& a, const Tensor& b, double range, Where where) {
  check_alike("psnr", a, b, range, where);
  const double error = mean(square(cast(a, kF64) - cast(b, kF64))).item();
  return 10 * std::log10(range * range / error);
}

double ssim(const Tensor& a, const Tensor& b, const SsimOptions& o, Where where) {
  check_alike("ssim", a, b, o.range, where);
  const int64_t window = o.gaussian ? 11 : o.window;
  if (window < 3 || window % 2 == 0 || window > std::min(a.size(0), a.size(1)))
    throw ValueError(
        "ssim: a window of " + std::to_string(window) + " for pictures of " + a.shape().str(),
        where);
  std::vector<double> weights(static_cast<size_t>(window), 1.0 / static_cast<double>(window));
  if (o.gaussian) {
    double sum = 0;
    for (int64_t i = 0; i < window; ++i) {
      const double d = static_cast<double>(i - window / 2) / 1.5;
      sum += weights[i] = std::exp(-d * d / 2);
    }
    for (double& w : weights) w /= sum;
  }
  const auto picture = [](const Tensor& t) {
    const Tensor x = cast(t, kF64);
    return x.rank() == 2 ? unsqueeze(x, -1) : x;
  };
  const Tensor x = picture(a), y = picture(b);
  const Tensor mx = blurred(x, weights), my = blurred(y, weights);
  // As scikit-image: the unbiased covariance of a uniform window.
  const double count = static_cast<double>(window * window);
  const double unbiased = o.gaussian ? 1 : count / (count - 1);
  const Tensor vx = (blurred(x * x, weights) - mx * mx) * unbiased,
               vy = (blurred(y * y, weights) - my * my) * unbiased,
               vxy = (blurred(x * y, weights) - mx * my) * unbiased;
  const double c1 = std::pow(0.01 * o.range, 2), c2 = std::pow(0.03 * o.range, 2);
  return mean((2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2)))
      .item();
}

}  // namespace glia::vision
