#include "checks.h"

#include <cmath>
#include <string>

#include "glia/error.h"

namespace glia::vision {

void check_image(const char* op, const Tensor& image, Where where) {
  if (!image.defined() || image.dtype() != kU8 || image.rank() != 3 || image.size(2) < 1 ||
      image.size(2) > 4 || image.numel() == 0)
    throw ShapeError(
        std::string(op) + ": an image is u8 (H, W, 1 to 4), not " +
            (image.defined() ? name(image.dtype()) + (" " + image.shape().str()) : "nothing"),
        where);
}

void check_colours(const char* op, const Tensor& image, Where where) {
  check_image(op, image, where);
  if (image.size(2) != 1 && image.size(2) != 3)
    throw ShapeError(
        std::string(op) + ": an image of 1 or 3 channels is needed, not " + image.shape().str(),
        where);
}

Tensor picked(const Tensor& image, const std::vector<int64_t>& rows,
              const std::vector<int64_t>& columns, const std::vector<uint8_t>& fill) {
  const int64_t width = image.size(1), channels = image.size(2);
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out;
  out.reserve(rows.size() * columns.size() * static_cast<size_t>(channels));
  for (const int64_t y : rows)
    for (const int64_t x : columns) {
      const uint8_t* pixel =
          y < 0 || x < 0 ? fill.data() : from.data() + (y * width + x) * channels;
      out.insert(out.end(), pixel, pixel + channels);
    }
  return from_vector(
      out, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()), channels});
}

Tensor looked_up(const Tensor& image, const std::vector<uint8_t>& tables) {
  constexpr size_t kLevels = 256;
  const auto from = image.data<uint8_t>();
  const auto channels = static_cast<size_t>(image.size(2));
  const size_t step = tables.size() == kLevels ? 0 : kLevels;
  std::vector<uint8_t> out(from.size());
  for (size_t i = 0; i < out.size(); i += channels)
    for (size_t c = 0; c < channels; ++c) out[i + c] = tables[c * step + from[i + c]];
  return from_vector(out, image.shape());
}

std::vector<uint8_t> fill_of(const char* op, const std::vector<double>& fill, int64_t channels,
                             Where where) {
  const auto count = static_cast<size_t>(channels);
  if (fill.size() > 1 && fill.size() != count)
    throw ValueError(std::string(op) + ": fill has " + std::to_string(fill.size()) +
                         " values for " + std::to_string(channels) + " channels",
                     where);
  std::vector<uint8_t> out;
  for (size_t c = 0; c < count; ++c) {
    const double value = fill.empty() ? 0 : fill[fill.size() == 1 ? 0 : c];
    if (!(value >= 0 && value <= 255))
      throw ValueError(
          std::string(op) + ": fill " + std::to_string(value) + " is not between 0 and 255", where);
    out.push_back(static_cast<uint8_t>(value));
  }
  return out;
}

}  // namespace glia::vision
