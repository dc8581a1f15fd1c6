// Random crops, mirror images and normalisation of batches of images, in one pass over the bytes.
#include <algorithm>
#include <vector>

#include "core/node.h"
#include "glia/data.h"
#include "runtime/threads.h"

namespace glia::data {
namespace {

constexpr int64_t kMostPadding = int64_t{1} << 30;

// What the image at one place of the batch becomes.
struct Draw {
  int64_t down, right;  // where the crop begins within the padded image
  bool mirrored;
};

// A row of the output is a row of bytes times `scale` plus `shift`, which repeat channel by
// channel.
struct Rows {
  int64_t height, width, channels, pad;
  std::vector<float> scale, shift;  // (width, channels)
};

// A number of elements that the compiler turns into vectors.
constexpr int64_t kBlock = 16;
void normalize(const uint8_t* __restrict from, const float* __restrict scale,
               const float* __restrict shift, float* __restrict to) {
  for (int64_t i = 0; i < kBlock; ++i) to[i] = static_cast<float>(from[i]) * scale[i] + shift[i];
}

// So many bytes of pixels, from the last pixel to the first. `kChannels` 0: any number.
template <int64_t kChannels>
void mirrored(const uint8_t* from, int64_t count, int64_t any_channels, uint8_t* to) {
  const int64_t channels = kChannels > 0 ? kChannels : any_channels;
  to += count;
  for (int64_t i = 0; i < count; i += channels) {
    to -= channels;
    for (int64_t c = 0; c < channels; ++c) to[c] = from[i + c];
  }
}

// `mirror` has room for a row.
void transform(const Rows& rows, const Draw& draw, const uint8_t* in, uint8_t* mirror, float* out) {
  const int64_t width = rows.width, channels = rows.channels, length = width * channels;
  // Columns [first, last) of a row of the crop lie inside the image.
  const int64_t offset = draw.right - rows.pad;
  const int64_t first = std::clamp<int64_t>(-offset, 0, width);
  const int64_t last = std::clamp<int64_t>(width - offset, first, width);
  const int64_t start = (draw.mirrored ? width - last : first) * channels;
  const int64_t count = (last - first) * channels;
  const float *const scale = rows.scale.data(), *const shift = rows.shift.data();
  for (int64_t h = 0; h < rows.height; ++h, out += length) {
    const int64_t row = h + draw.down - rows.pad;
    if (row < 0 || row >= rows.height || count == 0) {
      std::copy_n(shift, length, out);
      continue;
    }
    const uint8_t* from = in + (row * width + offset + first) * channels;
    if (draw.mirrored) {
      (channels == 3   ? mirrored<3>
       : channels == 1 ? mirrored<1>
                       : mirrored<0>)(from, count, channels, mirror);
      from = mirror;
    }
    std::copy_n(shift, start, out);
    float* const to = out + start;
    int64_t i = 0;
    for (; i + kBlock <= count; i += kBlock) normalize(from + i, scale + i, shift + i, to + i);
    for (; i < count; ++i) to[i] = static_cast<float>(from[i]) * scale[i] + shift[i];
    std::copy_n(shift, length - start - count, to + count);
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
  if (options.padding < 0 || options.padding > kMostPadding)
    throw ShapeError("augment_images: a padding of " + std::to_string(options.padding));
  if (!fits(options.mean) || !fits(options.std))
    throw ShapeError("augment_images: mean or std does not have the " + std::to_string(channels) +
                     " channels of " + shape.str());
  if (std::ranges::any_of(options.std, [](double std) { return !(std > 0); }))
    throw ValueError("augment_images: a std that is not above 0");
  Rows rows{height, width, channels, options.padding, {}, {}};
  for (int64_t i = 0; i < width * channels; ++i) {
    const double mean = options.mean.empty() ? 0 : options.mean[i % channels];
    const double std = options.std.empty() ? 1 : options.std[i % channels];
    rows.scale.push_back(static_cast<float>(1 / (255 * std)));
    rows.shift.push_back(static_cast<float>(-mean / std));
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
  constexpr int64_t kTogether = 8;
  parallel_for((count + kTogether - 1) / kTogether, [&](int64_t piece) {
    std::vector<uint8_t> mirror(static_cast<size_t>(width * channels));
    for (int64_t i = piece * kTogether; i < std::min(count, (piece + 1) * kTogether); ++i)
      transform(rows, draws[i], in + i * size, mirror.data(), out + i * size);
  });
  return leaf(std::move(memory), 0, shape, kF32);
}

}  // namespace glia::data
