#include "glia/vision/transforms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "blur.h"
#include "draws.h"
#include "glia/error.h"
#include "glia/parallel.h"
#include "glia/vision/adjust.h"

namespace glia::vision {
namespace {

using Range = std::pair<double, double>;

void check_range(const char* what, const Range& range, double low, double high) {
  const auto [a, b] = range;
  if (!(a >= low && a <= b && b <= high))
    throw ValueError(std::string(what) + " from " + std::to_string(a) + " to " + std::to_string(b) +
                     " do not rise between " + std::to_string(low) + " and " +
                     std::to_string(high));
}
constexpr double kAny = 1e9;

// With the image alone changed.
template <class F>
Annotated with_image(const Annotated& x, F&& f) {
  Annotated out = x;
  out.image = f(x.image);
  return out;
}

struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
};
// A box of a part of the area and of a ratio of its sides, that `fits`, in ten attempts; the ratio
// is drawn evenly along its logarithm, and is that of the width to the height.
std::optional<Box> drawn_box(data::Random& random, int64_t height, int64_t width,
                             const Range& scale, const Range& ratio,
                             const std::function<bool(const Box&)>& fits) {
  constexpr int kAttempts = 10;
  for (int i = 0; i < kAttempts; ++i) {
    const double area =
        static_cast<double>(height) * static_cast<double>(width) * between(random, scale);
    const double sides = std::exp(between(random, {std::log(ratio.first), std::log(ratio.second)}));
    Box box{.height = static_cast<int64_t>(std::nearbyint(std::sqrt(area / sides))),
            .width = static_cast<int64_t>(std::nearbyint(std::sqrt(area * sides)))};
    if (!fits(box)) continue;
    box.top = random.below(height - box.height + 1);
    box.left = random.below(width - box.width + 1);
    return box;
  }
  return {};
}

int64_t size_of(const Annotated& x, int axis) {
  if (!x.image.defined() || x.image.rank() != 3 || x.image.numel() == 0)
    throw ShapeError("a transform needs an image u8 (H, W, C), not " +
                     (x.image.defined() ? x.image.shape().str() : std::string("nothing")));
  return x.image.size(axis);
}

using Corner = std::pair<double, double>;
bool on_a_line(const Corner& a, const Corner& b, const Corner& c) {
  return (b.first - a.first) * (c.second - a.second) == (c.first - a.first) * (b.second - a.second);
}

}  // namespace

double between(data::Random& random, const std::pair<double, double>& range) {
  return range.first + (range.second - range.first) * random.uniform();
}

bool chance(data::Random& random, double p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError("a probability of " + std::to_string(p) + " is not between 0 and 1");
  return random.uniform() < p;
}

Tensor transformed(data::Random& random, const Tensor& images, const Transform& transform,
                   Where where) {
  if (!images.defined() || images.dtype() != kU8 || images.rank() != 4 || images.numel() == 0)
    throw ShapeError("transformed: images are u8 (N, H, W, C), not " +
                         (images.defined() ? images.shape().str() : std::string("nothing")),
                     where);
  if (!transform) throw ValueError("transformed: there is no transform", where);
  const uint64_t seed = uint64_t{random.bits()} << 32 | random.bits();
  const Shape each{images.size(1), images.size(2), images.size(3)};
  const auto bytes = images.data<uint8_t>();
  std::vector<Tensor> made(static_cast<size_t>(images.size(0)));
  parallel_for(images.size(0), [&](int64_t i) {
    data::Random own(seed, 0, static_cast<uint64_t>(i));
    const Tensor image = from_bytes(bytes.data() + i * each.numel(), each, kU8);
    made[i] = transform(own, {image}).image;
  });
  std::vector<uint8_t> out;
  for (const Tensor& image : made) {
    if (image.shape() != made[0].shape() || image.dtype() != kU8)
      throw ShapeError("transformed: images come out as " + made[0].shape().str() + " and " +
                           image.shape().str(),
                       where);
    const auto values = image.data<uint8_t>();
    out.insert(out.end(), values.begin(), values.end());
  }
  Shape shape = made[0].shape();
  shape.insert(0, images.size(0));
  return from_vector(out, shape);
}

// ---- Together ---------------------------------------------------------------------------------

Annotated Compose::operator()(data::Random& random, const Annotated& x) const {
  Annotated out = x;
  for (const Transform& transform : transforms) out = transform(random, out);
  return out;
}

Annotated RandomApply::operator()(data::Random& random, const Annotated& x) const {
  return chance(random, p) ? Compose{transforms}(random, x) : x;
}

Annotated RandomChoice::operator()(data::Random& random, const Annotated& x) const {
  if (transforms.empty()) throw ValueError("RandomChoice: there are no transforms");
  return transforms[random.below(static_cast<int64_t>(transforms.size()))](random, x);
}

// ---- Places -----------------------------------------------------------------------------------

Annotated RandomHorizontalFlip::operator()(data::Random& random, const Annotated& x) const {
  return chance(random, p) ? horizontal_flip(x) : x;
}

Annotated RandomVerticalFlip::operator()(data::Random& random, const Annotated& x) const {
  return chance(random, p) ? vertical_flip(x) : x;
}

Annotated RandomCrop::operator()(data::Random& random, const Annotated& x) const {
  constexpr int64_t kMostPadding = int64_t{1} << 30;
  if (padding < 0 || padding > kMostPadding || height < 1 || width < 1)
    throw ValueError("RandomCrop: a size of " + std::to_string(height) + " x " +
                     std::to_string(width) + " with a padding of " + std::to_string(padding));
  const auto start = [&](int64_t size, int64_t length) {
    int64_t around = padding;
    if (pad_if_needed) around += std::max<int64_t>(0, length - size - 2 * padding);
    const int64_t places = size + 2 * around - length + 1;
    if (places < 1)
      throw ShapeError("RandomCrop: " + std::to_string(length) + " pixels are more than the " +
                       std::to_string(size + 2 * around) + " of the picture and its padding");
    return random.below(places) - around;
  };
  const int64_t top = start(size_of(x, 0), height), left = start(size_of(x, 1), width);
  return crop(x, top, left, height, width, {.padding_mode = padding_mode, .fill = fill});
}

Annotated RandomResizedCrop::operator()(data::Random& random, const Annotated& x) const {
  check_range("RandomResizedCrop: scales", scale, 0, 1);
  check_range("RandomResizedCrop: ratios", ratio, 1e-6, 1e6);
  const int64_t high = size_of(x, 0), wide = size_of(x, 1);
  auto box = drawn_box(random, high, wide, scale, ratio, [&](const Box& b) {
    return b.height > 0 && b.width > 0 && b.height <= high && b.width <= wide;
  });
  if (!box) {  // the middle, as near to the ratios as it can be
    const double sides = static_cast<double>(wide) / static_cast<double>(high);
    box = Box{0, 0, high, wide};
    if (sides < ratio.first)
      box->height = std::max(1L, std::lround(static_cast<double>(wide) / ratio.first));
    if (sides > ratio.second)
      box->width = std::max(1L, std::lround(static_cast<double>(high) * ratio.second));
    box->top = (high - box->height) / 2;
    box->left = (wide - box->width) / 2;
  }
  return resized_crop(x, box->top, box->left, box->height, box->width, height, width);
}

Annotated RandomRotation::operator()(data::Random& random, const Annotated& x) const {
  check_range("RandomRotation: degrees", degrees, -kAny, kAny);
  return rotate(x, between(random, degrees),
                {.interpolation = interpolation, .expand = expand, .fill = fill});
}

Annotated RandomAffine::operator()(data::Random& random, const Annotated& x) const {
  check_range("RandomAffine: degrees", degrees, -kAny, kAny);
  check_range("RandomAffine: shears", shear, -kAny, kAny);
  check_range("RandomAffine: shears", shear_y, -kAny, kAny);
  check_range("RandomAffine: scales", scale, 1e-9, kAny);
  for (const double part : {translate.first, translate.second})
    check_range("RandomAffine: shifts", {0, part}, 0, 1);
  const auto shift = [&](double part, int axis) {
    const double most = part * static_cast<double>(size_of(x, axis));
    return std::nearbyint(between(random, {-most, most}));
  };
  AffineOptions o{.interpolation = interpolation, .fill = fill};
  o.angle = between(random, degrees);
  o.translate.first = shift(translate.first, 1);
  o.translate.second = shift(translate.second, 0);
  o.scale = between(random, scale);
  o.shear.first = between(random, shear);
  o.shear.second = between(random, shear_y);
  return affine(x, o);
}

Annotated RandomPerspective::operator()(data::Random& random, const Annotated& x) const {
  check_range("RandomPerspective: distortions", {0, distortion_scale}, 0, 1);
  if (!chance(random, p)) return x;
  const int64_t height = size_of(x, 0), width = size_of(x, 1);
  if (height == 1 || width == 1) return x;  // a line stays one
  const auto inward = [&](int64_t size) {
    const auto half = static_cast<double>(size / 2);
    return static_cast<double>(random.below(static_cast<int64_t>(distortion_scale * half) + 1));
  };
  const double right = static_cast<double>(width - 1), bottom = static_cast<double>(height - 1);
  Corners to;
  for (const auto& [at_right, at_bottom] : {std::pair{false, false}, std::pair{true, false},
                                            std::pair{true, true}, std::pair{false, true}}) {
    const double dx = inward(width), dy = inward(height);
    to.emplace_back(at_right ? right - dx : dx, at_bottom ? bottom - dy : dy);
  }
  for (size_t i = 0; i < 4; ++i)
    if (on_a_line(to[i], to[(i + 1) % 4], to[(i + 2) % 4])) return x;  // they met in the middle
  return perspective(x, {{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}, to,
                     {.interpolation = interpolation, .fill = fill});
}

Annotated ElasticTransform::operator()(data::Random& random, const Annotated& x) const {
  if (!(sigma >= 0 && sigma <= 1000) || !std::isfinite(alpha))
    throw ValueError("ElasticTransform: alpha " + std::to_string(alpha) + ", sigma " +
                     std::to_string(sigma));
  const int64_t height = size_of(x, 0), width = size_of(x, 1);
  std::vector<double> shifts(static_cast<size_t>(height * width * 2));
  for (double& v : shifts) v = between(random, {-1, 1});
  if (sigma > 0) {
    const int64_t size = static_cast<int64_t>(8 * sigma + 1) | 1;
    const std::vector<double> weights = gaussian_weights(size, sigma);
    shifts = blurred(shifts, height, width, 2, weights, weights);
  }
  std::vector<float> displacement;
  for (size_t i = 0; i < shifts.size(); ++i)
    displacement.push_back(
        static_cast<float>(shifts[i] * alpha / static_cast<double>(i % 2 ? height : width)));
  return elastic(x, from_vector(displacement, {height, width, 2}),
                 {.interpolation = interpolation, .fill = fill});
}

// ---- Values -----------------------------------------------------------------------------------

Annotated ColorJitter::operator()(data::Random& random, const Annotated& x) const {
  check_range("ColorJitter: brightness", brightness, 0, kAny);
  check_range("ColorJitter: contrast", contrast, 0, kAny);
  check_range("ColorJitter: saturation", saturation, 0, kAny);
  check_range("ColorJitter: hue", hue, -0.5, 0.5);
  std::array<int, 4> order = {0, 1, 2, 3};
  for (int64_t i = 3; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  const double b = between(random, brightness), c = between(random, contrast),
               s = between(random, saturation), h = between(random, hue);
  return with_image(x, [&](Tensor image) {
    for (const int which : order) {
      if (which == 0 && brightness != Range{1, 1}) image = adjust_brightness(image, b);
      if (which == 1 && contrast != Range{1, 1}) image = adjust_contrast(image, c);
      if (which == 2 && saturation != Range{1, 1}) image = adjust_saturation(image, s);
      if (which == 3 && hue != Range{0, 0}) image = adjust_hue(image, h);
    }
    return image;
  });
}

Annotated RandomGrayscale::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [](const Tensor& t) { return rgb_to_grayscale(t, t.size(2)); });
}

Annotated GaussianBlur::operator()(data::Random& random, const Annotated& x) const {
  check_range("GaussianBlur: sigmas", sigma, 1e-9, kAny);
  const double drawn = between(random, sigma);
  return with_image(x, [&](const Tensor& t) {
    return gaussian_blur(t, {kernel_size, kernel_size}, std::pair{drawn, drawn});
  });
}

Annotated RandomInvert::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [](const Tensor& t) { return invert(t); });
}

Annotated RandomPosterize::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [&](const Tensor& t) { return posterize(t, bits); });
}

Annotated RandomSolarize::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [&](const Tensor& t) { return solarize(t, threshold); });
}

Annotated RandomAdjustSharpness::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [&](const Tensor& t) { return adjust_sharpness(t, sharpness_factor); });
}

Annotated RandomAutocontrast::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [](const Tensor& t) { return autocontrast(t); });
}

Annotated RandomEqualize::operator()(data::Random& random, const Annotated& x) const {
  if (!chance(random, p)) return x;
  return with_image(x, [](const Tensor& t) { return equalize(t); });
}

Annotated RandomErasing::operator()(data::Random& random, const Annotated& x) const {
  check_range("RandomErasing: scales", scale, 0, 1);
  check_range("RandomErasing: ratios", ratio, 1e-6, 1e6);
  if (!chance(random, p)) return x;
  const int64_t high = size_of(x, 0), wide = size_of(x, 1);
  // The ratio is that of the height to the width.
  const auto box = drawn_box(random, high, wide, scale, {1 / ratio.second, 1 / ratio.first},
                             [&](const Box& b) { return b.height < high && b.width < wide; });
  if (!box) return x;
  return with_image(x, [&](const Tensor& t) {
    return erase(t, box->top, box->left, box->height, box->width, value);
  });
}

}  // namespace glia::vision
