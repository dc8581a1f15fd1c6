#include "glia/vision/image.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "checks.h"
#include "formats.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "jpeg.h"

namespace glia::vision {
namespace {

// What of the source each output is made of: weights of source[first], source[first + 1], ...
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

double support_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
      return 1;
    case Filter::kBicubic:
      return 2;
    case Filter::kLanczos:
      return 3;
  }
  throw ValueError("resize: an unknown filter");
}

double weight_of(Filter filter, double x) {
  const auto sinc = [](double v) { return v == 0 ? 1 : std::sin(M_PI * v) / (M_PI * v); };
  const double d = std::abs(x);
  switch (filter) {
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::kBilinear:
      return std::max(0.0, 1 - d);
    case Filter::kBicubic:  // Keys 1981, a = -0.5
      return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
    case Filter::kLanczos:
      return d < 3 ? sinc(x) * sinc(x / 3) : 0;
  }
  return 0;
}

// A filter as wide as an output pixel, at least one source pixel, over `length` pixels from `start`
// on. Outside of [0, size) there is nothing, but it counts.
std::vector<Taps> filter(int64_t start, int64_t length, int64_t size, int64_t out, Filter kind) {
  const double scale = static_cast<double>(length) / static_cast<double>(out);
  const double wide = std::max(1.0, scale), radius = support_of(kind) * wide;
  std::vector<Taps> all(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
    const auto low = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - radius)));
    const auto high =
        std::min<int64_t>(length - 1, static_cast<int64_t>(std::floor(centre + radius)));
    double total = 0;
    Taps& taps = all[i];
    taps.first = std::max<int64_t>(0, start + low);
    for (int64_t j = low; j <= high; ++j) {
      const double weight = weight_of(kind, (static_cast<double>(j) - centre) / wide);
      total += weight;
      if (start + j >= 0 && start + j < size) taps.weights.push_back(static_cast<float>(weight));
    }
    for (float& w : taps.weights) w = static_cast<float>(w / total);
  }
  return all;
}

}  // namespace

Tensor read_image(const std::string& path, int64_t most_pixels) {
  return decode_image(io::read_file(path), most_pixels, path);
}

namespace {

// Pictures of other formats than PNG and JPEG; false: it is none of these.
bool decode_other(const PictureFile& file, Raster* raster) {
  const std::string_view b = file.bytes;
  if (b.starts_with("GIF87a") || b.starts_with("GIF89a"))
    *raster = decode_gif(file);
  else if (b.starts_with(std::string_view("II*\0", 4)) ||
           b.starts_with(std::string_view("MM\0*", 4)))
    *raster = decode_tiff(file);
  else if (b.starts_with("RIFF") && b.substr(0, 12).ends_with("WEBP"))
    *raster = decode_webp(file);
  else if (b.size() > 2 && b[0] == 'P' && b[1] >= '1' && b[1] <= '6')
    *raster = decode_pnm(file);
  else
    return false;
  return true;
}

[[noreturn]] void fail_for_none(const std::string& name) {
  throw IoError(name + ": is no picture: neither PNG nor JPEG, WebP, TIFF, GIF or PPM");
}

}  // namespace

Tensor decode_image(std::string_view bytes, int64_t most_pixels, const std::string& name) {
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, most_pixels, name);
  if (bytes.starts_with("\x89PNG")) return io::decode_png(bytes, most_pixels, name);
  Raster raster;
  if (!decode_other({bytes, most_pixels, name}, &raster)) fail_for_none(name);
  std::vector<uint8_t> pixels;
  pixels.reserve(raster.values.size());
  for (const uint16_t v : raster.values)
    pixels.push_back(static_cast<uint8_t>(raster.deep ? v >> 8 : v));
  return from_vector(pixels, {raster.height, raster.width, raster.channels});
}

Tensor read_image_float(const std::string& path, int64_t most_pixels) {
  const std::string bytes = io::read_file(path);
  Raster raster;
  const PictureFile file{bytes, most_pixels, path};
  if (bytes.starts_with("\x89PNG"))
    raster = decode_deep_png(file);
  else if (!decode_other(file, &raster))
    return cast(decode_image(bytes, most_pixels, path), kF32) / 255;
  std::vector<float> pixels;
  pixels.reserve(raster.values.size());
  const float most = raster.deep ? 65535.0f : 255.0f;
  for (const uint16_t v : raster.values) pixels.push_back(static_cast<float>(v) / most);
  return from_vector(pixels, {raster.height, raster.width, raster.channels});
}

Tensor to_channels(const Tensor& image, int64_t channels, Where where) {
  check_image("to_channels", image, where);
  if (channels != 1 && channels != 3)
    throw ValueError("to_channels: " + std::to_string(channels) + " channels are neither 1 nor 3",
                     where);
  const int64_t stored = image.size(2), count = image.size(0) * image.size(1);
  if (stored == channels) return image;
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> to(static_cast<size_t>(count * channels));
  const bool colour = stored >= 3, alpha = stored % 2 == 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* pixel = from.data() + i * stored;
    double rgb[3];
    for (int64_t c = 0; c < 3; ++c) {
      rgb[c] = pixel[colour ? c : 0];
      if (alpha) rgb[c] = 255 + (rgb[c] - 255) * pixel[stored - 1] / 255;
    }
    if (channels == 1 && colour) rgb[0] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    for (int64_t c = 0; c < channels; ++c)
      to[i * channels + c] = static_cast<uint8_t>(std::lround(rgb[c]));
  }
  return from_vector(to, {image.size(0), image.size(1), channels});
}

Tensor resized_crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
                    int64_t out_height, int64_t out_width, Filter kind, Where where) {
  check_image("resized_crop", image, where);
  constexpr int64_t kMost = int64_t{1} << 31, kMostOut = int64_t{1} << 31;
  const auto inside = [&](int64_t v) { return v > -kMost && v < kMost; };
  if (!inside(top) || !inside(left) || !inside(height) || !inside(width) || height < 1 || width < 1)
    throw ValueError("resized_crop: a box of " + std::to_string(height) + " x " +
                         std::to_string(width) + " at (" + std::to_string(top) + ", " +
                         std::to_string(left) + ")",
                     where);
  if (out_height < 1 || out_width < 1 || out_height >= kMostOut || out_width >= kMostOut ||
      out_height > kMostOut / out_width)
    throw ValueError("resized_crop: a picture of " + std::to_string(out_height) + " x " +
                         std::to_string(out_width),
                     where);
  // What overshoots is cut off after each direction, of which one that shrinks comes first, as
  // Pillow has it.
  const bool overshoots = kind == Filter::kBicubic || kind == Filter::kLanczos;
  if (overshoots && out_height < height && out_width > width)
    return permute(resized_crop(permute(image, {1, 0, 2}), left, top, width, height, out_width,
                                out_height, kind, where),
                   {1, 0, 2});
  const int64_t channels = image.size(2);
  const auto from = image.data<uint8_t>();
  const std::vector<Taps> across = filter(left, width, image.size(1), out_width, kind);
  const std::vector<Taps> down = filter(top, height, image.size(0), out_height, kind);

  // Rows first, of those source rows that are used; then columns.
  int64_t first = image.size(0), last = 0;
  for (const Taps& taps : down)
    if (!taps.weights.empty()) {
      first = std::min(first, taps.first);
      last = std::max(last, taps.first + static_cast<int64_t>(taps.weights.size()));
    }
  const int64_t length = out_width * channels;
  std::vector<float> rows(static_cast<size_t>(std::max<int64_t>(0, last - first) * length));
  for (int64_t y = first; y < last; ++y)
    for (int64_t x = 0; x < out_width; ++x)
      for (int64_t c = 0; c < channels && !across[x].weights.empty(); ++c) {
        const uint8_t* in = from.data() + (y * image.size(1) + across[x].first) * channels + c;
        float sum = 0;
        for (const float w : across[x].weights) {
          sum += w * static_cast<float>(*in);
          in += channels;
        }
        if (overshoots) sum = std::clamp(std::round(sum), 0.0f, 255.0f);
        rows[(y - first) * length + x * channels + c] = sum;
      }
  std::vector<uint8_t> out(static_cast<size_t>(out_height * length));
  std::vector<float> line(static_cast<size_t>(length));
  for (int64_t y = 0; y < out_height; ++y) {
    if (down[y].weights.empty()) continue;  // black
    std::fill(line.begin(), line.end(), 0.0f);
    const float* in = rows.data() + (down[y].first - first) * length;
    for (const float w : down[y].weights) {
      for (int64_t i = 0; i < length; ++i) line[i] += w * in[i];
      in += length;
    }
    for (int64_t i = 0; i < length; ++i)
      out[y * length + i] = static_cast<uint8_t>(std::clamp(std::lround(line[i]), 0L, 255L));
  }
  return from_vector(out, {out_height, out_width, channels});
}

Tensor resize(const Tensor& image, int64_t out_height, int64_t out_width, Filter kind,
              Where where) {
  check_image("resize", image, where);
  if (image.size(0) == out_height && image.size(1) == out_width) return image;
  return resized_crop(image, 0, 0, image.size(0), image.size(1), out_height, out_width, kind,
                      where);
}

Tensor to_square(const Tensor& image, int64_t size, Square how, Where where) {
  check_image("to_square", image, where);
  const int64_t height = image.size(0), width = image.size(1);
  if (height == size && width == size) return image;
  const int64_t side = how == Square::kPad ? std::max(height, width) : std::min(height, width);
  // The same rounding for a picture that is cut and one that is padded.
  const auto start = [&](int64_t length) { return -((side - length) / 2); };
  return resized_crop(image, start(height), start(width), side, side, size, size, Filter::kBilinear,
                      where);
}

}  // namespace glia::vision
