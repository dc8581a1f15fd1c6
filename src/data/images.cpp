// Random crops, mirror images and normalisation of batches of images, in one pass over the bytes.
#include <algorithm>

#include "core/node.h"
#include "glia/data.h"
#include "runtime/threads.h"

namespace glia::data {
namespace {

// What the image at one place of the batch becomes.
struct Draw {
  int64_t down, right;  // where the crop begins within the padded image
  bool mirrored;
};

// `table` has 256 results for each channel.
template <int64_t kChannels, bool kMirrored>
void transform(const uint8_t* in, float* out, int64_t height, int64_t width, int64_t channels,
               int64_t pad, const Draw& draw, const float* table) {
  if (kChannels) channels = kChannels;
  const auto black = [&](float* to, int64_t pixels) {
    for (int64_t i = 0; i < pixels; ++i) {
      for (int64_t c = 0; c < channels; ++c) *to++ = table[c * 256];
    }
  };
  // Columns [first, last) of a row of the crop lie inside the image.
  const int64_t shift = draw.right - pad;
  const int64_t first = std::clamp<int64_t>(-shift, 0, width);
  const int64_t last = std::clamp<int64_t>(width - shift, first, width);
  for (int64_t h = 0; h < height; ++h, out += width * channels) {
    const int64_t row = h + draw.down - pad;
    if (row < 0 || row >= height) {
      black(out, width);
      continue;
    }
    const uint8_t* from = in + (row * width + shift + first) * channels;
    const auto place = [&](int64_t w) { return (kMirrored ? width - 1 - w : w) * channels; };
    float* to = out + place(first);
    for (int64_t w = first; w < last; ++w) {
      for (int64_t c = 0; c < channels; ++c) to[c] = table[c * 256 + from[c]];
      from += channels;
      to += kMirrored ? -channels : channels;
    }
    for (int64_t w = 0; w < first; ++w) black(out + place(w), 1);
    for (int64_t w = last; w < width; ++w) black(out + place(w), 1);
  }
}

}  // namespace

Tensor augment_images(Random& random, const Tensor& images, const ImageOptions& options) {
  if (!images.defined() || images.rank() != 4 || images.dtype() != kU8)
    throw ShapeError(
        std::string("augment_images: needs u8 (N, H, W, C), got ") +
        (images.defined() ? name(images.dtype()) + (" " + images.shape().str()) : "nothing"));
  const Shape& shape = images.shape();
  const int64_t count = shape[0], height = shape[1], width = shape[2], channels = shape[3];
  const auto fits = [&](const std::vector<double>& v) {
    return v.empty() || static_cast<int64_t>(v.size()) == channels;
  };
  if (options.padding < 0 || !fits(options.mean) || !fits(options.std))
    throw ShapeError("augment_images: the padding is negative, or mean and std do not have the " +
                     std::to_string(channels) + " channels of " + shape.str());
  std::vector<float> table(static_cast<size_t>(channels * 256));
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = options.mean.empty() ? 0 : options.mean[c];
    const double std = options.std.empty() ? 1 : options.std[c];
    for (int64_t x = 0; x < 256; ++x)
      table[c * 256 + x] = static_cast<float>((static_cast<double>(x) / 255 - mean) / std);
  }
  std::vector<Draw> draws;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t places = 2 * options.padding + 1;
    const int64_t down = random.below(places), right = random.below(places);
    draws.push_back({down, right, options.flip && random.uniform() < 0.5});
  }
  eval(images);
  const auto* in = static_cast<const uint8_t*>(images.node()->data());
  const int64_t size = height * width * channels;
  MemoryRef memory(allocate_memory(static_cast<size_t>(count * size) * sizeof(float)));
  auto* out = static_cast<float*>(memory->data);
  const auto one = [&](int64_t i) {
    const auto with = [&](auto f) {
      f(in + i * size, out + i * size, height, width, channels, options.padding, draws[i],
        table.data());
    };
    if (channels == 3)
      with(draws[i].mirrored ? transform<3, true> : transform<3, false>);
    else
      with(draws[i].mirrored ? transform<0, true> : transform<0, false>);
  };
  constexpr int64_t kTogether = 8;
  parallel_for((count + kTogether - 1) / kTogether, [&](int64_t piece) {
    for (int64_t i = piece * kTogether; i < std::min(count, (piece + 1) * kTogether); ++i) one(i);
  });
  return leaf(std::move(memory), 0, shape, kF32);
}

}  // namespace glia::data
