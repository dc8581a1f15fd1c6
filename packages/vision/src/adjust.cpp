#include "glia/vision/adjust.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "blur.h"
#include "checks.h"
#include "glia/error.h"

namespace glia::vision {
namespace {

constexpr int kByteValues = 256;

void check_factor(const char* op, double factor, Where where) {
  if (!(factor >= 0) || !std::isfinite(factor))
    throw ValueError(
        std::string(op) + ": a factor of " + std::to_string(factor) + " is no number of at least 0",
        where);
}

// The byte of a number, which is cut off.
uint8_t cut(float v) { return static_cast<uint8_t>(std::clamp(v, 0.0f, 255.0f)); }
// ratio a + (1 - ratio) b with the roundings of torch's f32.
uint8_t blended(float a, float b, double ratio) {
  return cut(std::fmaf(b, static_cast<float>(1 - ratio), a * static_cast<float>(ratio)));
}
float luma(const uint8_t* rgb) {
  return std::fmaf(rgb[2], 0.114f, std::fmaf(rgb[1], 0.587f, static_cast<float>(rgb[0]) * 0.2989f));
}

template <class F>
Tensor by_table(const Tensor& image, F&& f) {
  std::vector<uint8_t> table;
  for (int v = 0; v < kByteValues; ++v) table.push_back(f(v));
  return looked_up(image, table);
}

// f(from, to) for each pixel of a picture with three channels.
template <class F>
Tensor by_pixel(const Tensor& image, F&& f) {
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out(from.size());
  for (size_t i = 0; i < out.size(); i += 3) f(from.data() + i, out.data() + i);
  return from_vector(out, image.shape());
}

using Rgb = std::array<float, 3>;

// Hue, saturation and value in [0, 1], and back (Smith 1978), with torchvision's roundings.
Rgb to_hsv(const Rgb& rgb) {
  const auto [r, g, b] = rgb;
  const float low = std::min({r, g, b}), high = std::max({r, g, b}), range = high - low;
  if (range == 0) return {0, 0, high};
  const float red = (high - r) / range, green = (high - g) / range, blue = (high - b) / range;
  const float sixths = r == high ? blue - green : g == high ? red + 2 - blue : green + 4 - red;
  const float hue = sixths * (1.0f / 6);
  return {std::fmod(hue + 1, 1.0f), range / high, high};
}
Rgb to_rgb(const Rgb& hsv) {
  const auto [h, s, v] = hsv;
  const float sixths = h * 6, whole = std::floor(sixths), part = sixths - whole;
  const auto unit = [](float x) { return std::clamp(x, 0.0f, 1.0f); };
  const float scaled = s * part, rest = 1 - s;
  const float q = unit((1 - scaled) * v), t = unit((scaled + rest) * v), p = unit(rest * v);
  switch (static_cast<int>(whole) % 6) {
    case 0:
      return {v, t, p};
    case 1:
      return {q, v, p};
    case 2:
      return {p, v, t};
    case 3:
      return {p, q, v};
    case 4:
      return {t, p, v};
    default:
      return {v, p, q};
  }
}
// Of [0, 1]: each byte gets an equal part.
uint8_t byte_of(float v) { return cut(v * 255.999f); }

// How often each value of channel c is there.
std::array<int64_t, kByteValues> histogram(std::span<const uint8_t> values, int64_t c,
                                           int64_t channels) {
  std::array<int64_t, kByteValues> counts{};
  for (size_t i = c; i < values.size(); i += channels) ++counts[values[i]];
  return counts;
}

}  // namespace

std::vector<double> gaussian_weights(int64_t size, double sigma) {
  std::vector<double> weights;
  double total = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double x = (static_cast<double>(i) - static_cast<double>(size - 1) / 2) / sigma;
    weights.push_back(std::exp(-0.5 * x * x));
    total += weights.back();
  }
  for (double& w : weights) w /= total;
  return weights;
}

int64_t mirrored(int64_t i, int64_t size) {
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t at = ((i % period) + period) % period;
  return at < size ? at : period - at;
}

std::vector<double> blurred(const std::vector<double>& x, int64_t height, int64_t width,
                            int64_t channels, const std::vector<double>& down,
                            const std::vector<double>& across) {
  const auto rows = static_cast<int64_t>(down.size()),
             columns = static_cast<int64_t>(across.size());
  std::vector<double> half(x.size()), out(x.size());
  for (int64_t h = 0; h < height; ++h)
    for (int64_t k = 0; k < rows; ++k) {
      const double* from = x.data() + mirrored(h + k - rows / 2, height) * width * channels;
      double* to = half.data() + h * width * channels;
      for (int64_t i = 0; i < width * channels; ++i) to[i] += down[k] * from[i];
    }
  for (int64_t w = 0; w < width; ++w)
    for (int64_t k = 0; k < columns; ++k) {
      const int64_t source = mirrored(w + k - columns / 2, width);
      for (int64_t h = 0; h < height; ++h)
        for (int64_t c = 0; c < channels; ++c)
          out[(h * width + w) * channels + c] +=
              across[k] * half[(h * width + source) * channels + c];
    }
  return out;
}

Tensor rgb_to_grayscale(const Tensor& image, int64_t num_output_channels, Where where) {
  check_colours("rgb_to_grayscale", image, where);
  if (num_output_channels != 1 && num_output_channels != 3)
    throw ValueError("rgb_to_grayscale: num_output_channels " +
                         std::to_string(num_output_channels) + " is neither 1 nor 3",
                     where);
  const int64_t channels = image.size(2);
  if (channels == 1 && num_output_channels == 1) return image;
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out;
  for (size_t i = 0; i < from.size(); i += channels)
    out.insert(out.end(), num_output_channels, channels == 3 ? cut(luma(&from[i])) : from[i]);
  return from_vector(out, {image.size(0), image.size(1), num_output_channels});
}

Tensor adjust_brightness(const Tensor& image, double brightness_factor, Where where) {
  check_colours("adjust_brightness", image, where);
  check_factor("adjust_brightness", brightness_factor, where);
  const auto factor = static_cast<float>(brightness_factor);
  return by_table(image, [&](int v) { return cut(static_cast<float>(v) * factor); });
}

Tensor adjust_contrast(const Tensor& image, double contrast_factor, Where where) {
  check_colours("adjust_contrast", image, where);
  check_factor("adjust_contrast", contrast_factor, where);
  const auto values = image.data<uint8_t>();
  const auto channels = static_cast<size_t>(image.size(2));
  double total = 0;
  for (size_t i = 0; i < values.size(); i += channels)
    total += channels == 3 ? std::floor(luma(&values[i])) : values[i];
  const auto mean = static_cast<float>(total / static_cast<double>(values.size() / channels));
  return by_table(image,
                  [&](int v) { return blended(static_cast<float>(v), mean, contrast_factor); });
}

Tensor adjust_saturation(const Tensor& image, double saturation_factor, Where where) {
  check_colours("adjust_saturation", image, where);
  check_factor("adjust_saturation", saturation_factor, where);
  if (image.size(2) == 1) return image;
  return by_pixel(image, [&](const uint8_t* from, uint8_t* to) {
    const float grey = std::floor(luma(from));
    for (int c = 0; c < 3; ++c) to[c] = blended(from[c], grey, saturation_factor);
  });
}

Tensor adjust_sharpness(const Tensor& image, double sharpness_factor, Where where) {
  check_colours("adjust_sharpness", image, where);
  check_factor("adjust_sharpness", sharpness_factor, where);
  const int64_t height = image.size(0), width = image.size(1), channels = image.size(2);
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out(from.begin(), from.end());
  const int64_t row = width * channels;
  const auto rest = static_cast<float>(1 - sharpness_factor);
  for (int64_t y = 1; y < height - 1; ++y)
    for (int64_t i = y * row + channels; i < (y + 1) * row - channels; ++i) {
      int sum = 4 * from[i];  // 5 of 13 in the middle
      for (const int64_t line : {i - row, i, i + row})
        sum += from[line - channels] + from[line] + from[line + channels];
      const float v = from[i], smooth = static_cast<float>((2 * sum + 13) / 26);
      out[i] = cut(std::fmaf(smooth - v, rest, v));
    }
  return from_vector(out, image.shape());
}

Tensor adjust_hue(const Tensor& image, double hue_factor, Where where) {
  check_colours("adjust_hue", image, where);
  if (!(hue_factor >= -0.5 && hue_factor <= 0.5))
    throw ValueError(
        "adjust_hue: a factor of " + std::to_string(hue_factor) + " is not between -0.5 and 0.5",
        where);
  if (image.size(2) == 1) return image;
  const auto turn = static_cast<float>(hue_factor);
  return by_pixel(image, [&](const uint8_t* from, uint8_t* to) {
    constexpr auto kUnit = static_cast<float>(1.0 / 255);
    Rgb hsv = to_hsv({from[0] * kUnit, from[1] * kUnit, from[2] * kUnit});
    hsv[0] = std::fmod(hsv[0] + turn, 1.0f);
    if (hsv[0] < 0) hsv[0] += 1;
    const Rgb rgb = to_rgb(hsv);
    for (int c = 0; c < 3; ++c) to[c] = byte_of(rgb[c]);
  });
}

Tensor adjust_gamma(const Tensor& image, double gamma, double gain, Where where) {
  check_image("adjust_gamma", image, where);
  check_factor("adjust_gamma", gamma, where);
  check_factor("adjust_gamma", gain, where);
  return by_table(image, [&](int v) {
    const double unit = static_cast<float>(v) * static_cast<float>(1.0 / 255);
    return byte_of(
        std::min(1.0f, static_cast<float>(std::pow(unit, gamma)) * static_cast<float>(gain)));
  });
}

Tensor invert(const Tensor& image, Where where) {
  check_image("invert", image, where);
  return by_table(image, [](int v) { return static_cast<uint8_t>(255 - v); });
}

Tensor posterize(const Tensor& image, int64_t bits, Where where) {
  check_image("posterize", image, where);
  if (bits < 0 || bits > 8)
    throw ValueError("posterize: " + std::to_string(bits) + " bits are not between 0 and 8", where);
  const int mask = 0xff00 >> bits;
  return by_table(image, [&](int v) { return static_cast<uint8_t>(v & mask); });
}

Tensor solarize(const Tensor& image, double threshold, Where where) {
  check_image("solarize", image, where);
  if (!(threshold <= 255))
    throw ValueError("solarize: a threshold of " + std::to_string(threshold) + " is not below 256",
                     where);
  return by_table(image, [&](int v) { return static_cast<uint8_t>(v >= threshold ? 255 - v : v); });
}

Tensor autocontrast(const Tensor& image, Where where) {
  check_colours("autocontrast", image, where);
  const auto values = image.data<uint8_t>();
  const int64_t channels = image.size(2);
  std::vector<uint8_t> tables;
  for (int64_t c = 0; c < channels; ++c) {
    const auto counts = histogram(values, c, channels);
    int low = 0, high = kByteValues - 1;
    while (counts[low] == 0) ++low;
    while (counts[high] == 0) --high;
    const float scale =
        high == low ? 1 : static_cast<float>(high - low) * static_cast<float>(1.0 / 255);
    const int start = high == low ? 0 : low;
    for (int v = 0; v < kByteValues; ++v)
      tables.push_back(cut(static_cast<float>(v - start) / scale));
  }
  return looked_up(image, tables);
}

Tensor equalize(const Tensor& image, Where where) {
  check_image("equalize", image, where);
  const auto values = image.data<uint8_t>();
  const int64_t channels = image.size(2), pixels = image.size(0) * image.size(1);
  std::vector<uint8_t> tables;
  for (int64_t c = 0; c < channels; ++c) {
    const auto counts = histogram(values, c, channels);
    int high = kByteValues - 1;
    while (counts[high] == 0) --high;
    const int64_t step = (pixels - counts[high]) / 255;
    int64_t below = 0;  // pixels of lower values
    for (int v = 0; v < kByteValues; ++v) {
      const int64_t level = step == 0 ? v : v == 0 ? 0 : (below + step / 2) / step;
      tables.push_back(static_cast<uint8_t>(std::min<int64_t>(255, level)));
      below += counts[v];
    }
  }
  return looked_up(image, tables);
}

Tensor gaussian_blur(const Tensor& image, std::pair<int64_t, int64_t> kernel_size,
                     std::optional<std::pair<double, double>> sigma, Where where) {
  check_image("gaussian_blur", image, where);
  constexpr int64_t kMost = 1 << 20;
  for (const int64_t size : {kernel_size.first, kernel_size.second})
    if (size < 1 || size % 2 == 0 || size > kMost)
      throw ValueError(
          "gaussian_blur: a kernel_size of " + std::to_string(size) + " is no odd number above 0",
          where);
  const auto usual = [](int64_t size) { return 0.15 * static_cast<double>(size) + 0.35; };
  const auto [high, wide] =
      sigma.value_or(std::pair{usual(kernel_size.first), usual(kernel_size.second)});
  for (const double s : {high, wide})
    if (!(s > 0) || !std::isfinite(s))
      throw ValueError("gaussian_blur: a sigma of " + std::to_string(s) + " is not above 0", where);
  const auto from = image.data<uint8_t>();
  const std::vector<double> smooth = blurred(
      {from.begin(), from.end()}, image.size(0), image.size(1), image.size(2),
      gaussian_weights(kernel_size.first, high), gaussian_weights(kernel_size.second, wide));
  std::vector<uint8_t> out;
  for (const double v : smooth) out.push_back(static_cast<uint8_t>(std::nearbyint(v)));
  return from_vector(out, image.shape());
}

Tensor erase(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
             const std::vector<double>& value, Where where) {
  check_image("erase", image, where);
  constexpr int64_t kMost = int64_t{1} << 31;
  for (const int64_t v : {top, left, height, width})
    if (v <= -kMost || v >= kMost || height < 0 || width < 0)
      throw ValueError("erase: a box of " + std::to_string(height) + " x " + std::to_string(width) +
                           " at (" + std::to_string(top) + ", " + std::to_string(left) + ")",
                       where);
  const int64_t channels = image.size(2);
  const std::vector<uint8_t> fill = fill_of("erase", value, channels, where);
  const auto from = image.data<uint8_t>();
  std::vector<uint8_t> out(from.begin(), from.end());
  const int64_t right = std::min(left + width, image.size(1));
  for (int64_t y = std::max<int64_t>(0, top); y < std::min(top + height, image.size(0)); ++y)
    for (int64_t x = std::max<int64_t>(0, left); x < right; ++x)
      std::copy_n(fill.begin(), channels, out.begin() + (y * image.size(1) + x) * channels);
  return from_vector(out, image.shape());
}

}  // namespace glia::vision
