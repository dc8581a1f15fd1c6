// RandAugment, TrivialAugment and AutoAugment.
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "checks.h"
#include "draws.h"
#include "glia/error.h"
#include "glia/vision/adjust.h"
#include "glia/vision/transforms.h"

namespace glia::vision {
namespace {

using enum Operation;

// The strongest of each: RandAugment and AutoAugment; TrivialAugment's wide space.
struct Space {
  double shear, shift, degrees, factor, bits;  // bits that are taken away
};
constexpr double kShiftOfPaper = 150.0 / 331;  // of a picture's side
constexpr Space kUsual{0.3, kShiftOfPaper, 30, 0.9, 4}, kWide{0.99, 32, 135, 0.99, 6};

// The number i of `count` from start to stop: torch.linspace in f32.
double step_of(float start, float stop, int64_t i, int64_t count) {
  const float step = (stop - start) / static_cast<float>(count - 1);
  return i < count / 2 ? start + step * static_cast<float>(i)
                       : stop - step * static_cast<float>(count - i - 1);
}

// The magnitude in bin i of `bins`, as f32, as torchvision has it.
double magnitude_of(Operation operation, const Space& space, bool wide, int64_t i, int64_t bins,
                    const Tensor& image) {
  const auto to = [&](double most) { return step_of(0, static_cast<float>(most), i, bins); };
  const auto shift = [&](int axis) {
    return to(wide ? space.shift : space.shift * static_cast<double>(image.size(axis)));
  };
  switch (operation) {
    case kShearX:
    case kShearY:
      return to(space.shear);
    case kTranslateX:
      return shift(1);
    case kTranslateY:
      return shift(0);
    case kRotate:
      return to(space.degrees);
    case kBrightness:
    case kColor:
    case kContrast:
    case kSharpness:
      return to(space.factor);
    case kPosterize:
      return std::nearbyint(8 -
                            static_cast<double>(i) * space.bits / static_cast<double>(bins - 1));
    case kSolarize:
      return step_of(1, 0, i, bins);
    default:
      return 0;
  }
}
bool is_signed(Operation operation) { return operation >= kShearX && operation <= kSharpness; }

constexpr std::array kOperations = {
    kIdentity, kShearX,   kShearY,    kTranslateX, kTranslateY, kRotate,       kBrightness,
    kColor,    kContrast, kSharpness, kPosterize,  kSolarize,   kAutoContrast, kEqualize};

void check_alone(const char* name, const Annotated& x) {
  check_colours(name, x.image, Where::current());
  if (x.boxes.defined() || x.mask.defined())
    throw ShapeError(std::string(name) + ": boxes and masks cannot be moved along");
}

double with_sign(data::Random& random, Operation operation, double magnitude) {
  return is_signed(operation) && random.uniform() < 0.5 ? -magnitude : magnitude;
}

// Half of a pair: with probability p, at one of ten strengths.
struct Half {
  Operation operation;
  double p;
  int magnitude = 0;
};
using Pairs = std::array<std::array<Half, 2>, 25>;

// Cubuk et al. 2019, tables 7 to 9.
constexpr Pairs kCIFAR10{{{{{kInvert, 0.1}, {kContrast, 0.2, 6}}},
                          {{{kRotate, 0.7, 2}, {kTranslateX, 0.3, 9}}},
                          {{{kSharpness, 0.8, 1}, {kSharpness, 0.9, 3}}},
                          {{{kShearY, 0.5, 8}, {kTranslateY, 0.7, 9}}},
                          {{{kAutoContrast, 0.5}, {kEqualize, 0.9}}},
                          {{{kShearY, 0.2, 7}, {kPosterize, 0.3, 7}}},
                          {{{kColor, 0.4, 3}, {kBrightness, 0.6, 7}}},
                          {{{kSharpness, 0.3, 9}, {kBrightness, 0.7, 9}}},
                          {{{kEqualize, 0.6}, {kEqualize, 0.5}}},
                          {{{kContrast, 0.6, 7}, {kSharpness, 0.6, 5}}},
                          {{{kColor, 0.7, 7}, {kTranslateX, 0.5, 8}}},
                          {{{kEqualize, 0.3}, {kAutoContrast, 0.4}}},
                          {{{kTranslateY, 0.4, 3}, {kSharpness, 0.2, 6}}},
                          {{{kBrightness, 0.9, 6}, {kColor, 0.2, 8}}},
                          {{{kSolarize, 0.5, 2}, {kInvert, 0.0}}},
                          {{{kEqualize, 0.2}, {kAutoContrast, 0.6}}},
                          {{{kEqualize, 0.2}, {kEqualize, 0.6}}},
                          {{{kColor, 0.9, 9}, {kEqualize, 0.6}}},
                          {{{kAutoContrast, 0.8}, {kSolarize, 0.2, 8}}},
                          {{{kBrightness, 0.1, 3}, {kColor, 0.7, 0}}},
                          {{{kSolarize, 0.4, 5}, {kAutoContrast, 0.9}}},
                          {{{kTranslateY, 0.9, 9}, {kTranslateY, 0.7, 9}}},
                          {{{kAutoContrast, 0.9}, {kSolarize, 0.8, 3}}},
                          {{{kEqualize, 0.8}, {kInvert, 0.1}}},
                          {{{kTranslateY, 0.7, 9}, {kAutoContrast, 0.9}}}}};
constexpr Pairs kSVHN{
    {{{{kShearX, 0.9, 4}, {kInvert, 0.2}}},          {{{kShearY, 0.9, 8}, {kInvert, 0.7}}},
     {{{kEqualize, 0.6}, {kSolarize, 0.6, 6}}},      {{{kInvert, 0.9}, {kEqualize, 0.6}}},
     {{{kEqualize, 0.6}, {kRotate, 0.9, 3}}},        {{{kShearX, 0.9, 4}, {kAutoContrast, 0.8}}},
     {{{kShearY, 0.9, 8}, {kInvert, 0.4}}},          {{{kShearY, 0.9, 5}, {kSolarize, 0.2, 6}}},
     {{{kInvert, 0.9}, {kAutoContrast, 0.8}}},       {{{kEqualize, 0.6}, {kRotate, 0.9, 3}}},
     {{{kShearX, 0.9, 4}, {kSolarize, 0.3, 3}}},     {{{kShearY, 0.8, 8}, {kInvert, 0.7}}},
     {{{kEqualize, 0.9}, {kTranslateY, 0.6, 6}}},    {{{kInvert, 0.9}, {kEqualize, 0.6}}},
     {{{kContrast, 0.3, 3}, {kRotate, 0.8, 4}}},     {{{kInvert, 0.8}, {kTranslateY, 0.0, 2}}},
     {{{kShearY, 0.7, 6}, {kSolarize, 0.4, 8}}},     {{{kInvert, 0.6}, {kRotate, 0.8, 4}}},
     {{{kShearY, 0.3, 7}, {kTranslateX, 0.9, 3}}},   {{{kShearX, 0.1, 6}, {kInvert, 0.6}}},
     {{{kSolarize, 0.7, 2}, {kTranslateY, 0.6, 7}}}, {{{kShearY, 0.8, 4}, {kInvert, 0.8}}},
     {{{kShearX, 0.7, 9}, {kTranslateY, 0.8, 3}}},   {{{kShearY, 0.8, 5}, {kAutoContrast, 0.7}}},
     {{{kShearX, 0.7, 2}, {kInvert, 0.1}}}}};
constexpr Pairs kImageNet{
    {{{{kPosterize, 0.4, 8}, {kRotate, 0.6, 9}}}, {{{kSolarize, 0.6, 5}, {kAutoContrast, 0.6}}},
     {{{kEqualize, 0.8}, {kEqualize, 0.6}}},      {{{kPosterize, 0.6, 7}, {kPosterize, 0.6, 6}}},
     {{{kEqualize, 0.4}, {kSolarize, 0.2, 4}}},   {{{kEqualize, 0.4}, {kRotate, 0.8, 8}}},
     {{{kSolarize, 0.6, 3}, {kEqualize, 0.6}}},   {{{kPosterize, 0.8, 5}, {kEqualize, 1.0}}},
     {{{kRotate, 0.2, 3}, {kSolarize, 0.6, 8}}},  {{{kEqualize, 0.6}, {kPosterize, 0.4, 6}}},
     {{{kRotate, 0.8, 8}, {kColor, 0.4, 0}}},     {{{kRotate, 0.4, 9}, {kEqualize, 0.6}}},
     {{{kEqualize, 0.0}, {kEqualize, 0.8}}},      {{{kInvert, 0.6}, {kEqualize, 1.0}}},
     {{{kColor, 0.6, 4}, {kContrast, 1.0, 8}}},   {{{kRotate, 0.8, 8}, {kColor, 1.0, 2}}},
     {{{kColor, 0.8, 8}, {kSolarize, 0.8, 7}}},   {{{kSharpness, 0.4, 7}, {kInvert, 0.6}}},
     {{{kShearX, 0.6, 5}, {kEqualize, 1.0}}},     {{{kColor, 0.4, 0}, {kEqualize, 0.6}}},
     {{{kEqualize, 0.4}, {kSolarize, 0.2, 4}}},   {{{kSolarize, 0.6, 5}, {kAutoContrast, 0.6}}},
     {{{kInvert, 0.6}, {kEqualize, 1.0}}},        {{{kColor, 0.6, 4}, {kContrast, 1.0, 8}}},
     {{{kEqualize, 0.8}, {kEqualize, 0.6}}}}};

}  // namespace

Tensor apply_operation(const Tensor& image, Operation operation, double magnitude,
                       const WarpOptions& options, Where where) {
  check_colours("apply_operation", image, where);
  if (!(std::abs(magnitude) < 1e6))
    throw ValueError("apply_operation: a magnitude of " + std::to_string(magnitude), where);
  AffineOptions warp{.interpolation = options.interpolation, .fill = options.fill};
  const double slope = std::atan(magnitude) * 180 / std::numbers::pi;
  switch (operation) {
    case kIdentity:
      return image;
    case kShearX:
      warp.shear.first = slope;
      warp.center = {0, 0};
      return affine({image}, warp, where).image;
    case kShearY:
      warp.shear.second = slope;
      warp.center = {0, 0};
      return affine({image}, warp, where).image;
    case kTranslateX:
      warp.translate.first = std::trunc(magnitude);
      return affine({image}, warp, where).image;
    case kTranslateY:
      warp.translate.second = std::trunc(magnitude);
      return affine({image}, warp, where).image;
    case kRotate:
      return rotate({image}, magnitude,
                    {.interpolation = options.interpolation, .fill = options.fill}, where)
          .image;
    case kBrightness:
      return adjust_brightness(image, 1 + magnitude, where);
    case kColor:
      return adjust_saturation(image, 1 + magnitude, where);
    case kContrast:
      return adjust_contrast(image, 1 + magnitude, where);
    case kSharpness:
      return adjust_sharpness(image, 1 + magnitude, where);
    case kPosterize:
      return posterize(image, static_cast<int64_t>(magnitude), where);
    case kSolarize:
      return solarize(image, 255 * magnitude, where);
    case kAutoContrast:
      return autocontrast(image, where);
    case kEqualize:
      return equalize(image, where);
    case kInvert:
      break;
  }
  return invert(image, where);
}

Annotated RandAugment::operator()(data::Random& random, const Annotated& x) const {
  check_alone("RandAugment", x);
  if (num_ops < 0 || num_magnitude_bins < 2 || magnitude < 0 || magnitude >= num_magnitude_bins)
    throw ValueError("RandAugment: num_ops " + std::to_string(num_ops) + ", magnitude " +
                     std::to_string(magnitude) + " of " + std::to_string(num_magnitude_bins));
  Annotated out = x;
  for (int64_t i = 0; i < num_ops; ++i) {
    const Operation operation = kOperations[random.below(kOperations.size())];
    const double strength =
        magnitude_of(operation, kUsual, false, magnitude, num_magnitude_bins, out.image);
    out.image = apply_operation(out.image, operation, with_sign(random, operation, strength),
                                {interpolation, fill});
  }
  return out;
}

Annotated TrivialAugmentWide::operator()(data::Random& random, const Annotated& x) const {
  check_alone("TrivialAugmentWide", x);
  if (num_magnitude_bins < 2)
    throw ValueError("TrivialAugmentWide: num_magnitude_bins " +
                     std::to_string(num_magnitude_bins));
  const Operation operation = kOperations[random.below(kOperations.size())];
  const double strength = magnitude_of(operation, kWide, true, random.below(num_magnitude_bins),
                                       num_magnitude_bins, x.image);
  Annotated out = x;
  out.image = apply_operation(x.image, operation, with_sign(random, operation, strength),
                              {interpolation, fill});
  return out;
}

Annotated AutoAugment::operator()(data::Random& random, const Annotated& x) const {
  check_alone("AutoAugment", x);
  constexpr int64_t kStrengths = 10;
  const Pairs& pairs = policy == AutoAugmentPolicy::kCIFAR10 ? kCIFAR10
                       : policy == AutoAugmentPolicy::kSVHN  ? kSVHN
                                                             : kImageNet;
  Annotated out = x;
  for (const auto& [operation, p, at] : pairs[random.below(pairs.size())]) {
    if (!chance(random, p)) continue;
    const double strength = magnitude_of(operation, kUsual, false, at, kStrengths, out.image);
    out.image = apply_operation(out.image, operation, with_sign(random, operation, strength),
                                {interpolation, fill});
  }
  return out;
}

Transform named_transform(const std::string& name) {
  if (name == "none") return {};
  if (name == "erasing") return RandomErasing{};
  if (name == "randaugment") return RandAugment{};
  if (name == "trivial") return TrivialAugmentWide{};
  throw Error("unknown transform '" + name + "' (known: none, erasing, randaugment, trivial)");
}

}  // namespace glia::vision
