// Augmentation: changes of pictures by chance, under the names and with the defaults of
// torchvision.transforms.v2. Each is a value whose members are its options:
//
//   vision::Compose train{{vision::RandomCrop{.height = 32, .width = 32, .padding = 4},
//                          vision::RandomHorizontalFlip{}, vision::RandAugment{}}};
//   images.augment(seed, [train](data::Random& random, const Tensor& x, const Tensor& y) {
//     return std::array{train(random, {x}).image, y};
//   });
//
// All randomness is the data::Random that is given. That of data::augment() depends on the seed,
// the epoch and the position alone, and in front of shuffle() the position is the sample's index:
// then a picture's change in an epoch is the same whatever the order, the batches and the threads.
// Options out of range throw ValueError when a picture is changed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "glia/data.h"
#include "glia/vision/geometry.h"

namespace glia::vision {

using Transform = std::function<Annotated(data::Random& random, const Annotated& x)>;

// Images u8 (N, H, W, C), which must come out in one size, each changed by numbers of its own that
// are drawn from `random` beforehand: for a batch. Several threads work on it.
Tensor transformed(data::Random& random, const Tensor& images, const Transform& transform,
                   Where where = Where::current());

// ---- Together ---------------------------------------------------------------------------------

// One after the other.
struct Compose {
  std::vector<Transform> transforms = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// All of them, or none.
struct RandomApply {
  std::vector<Transform> transforms = {};
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// One of them.
struct RandomChoice {
  std::vector<Transform> transforms = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};

// ---- Places -----------------------------------------------------------------------------------

struct RandomHorizontalFlip {
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomVerticalFlip {
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// A box of that size anywhere in the picture with `padding` around it. Throws ShapeError where it
// is larger, unless the picture is padded further.
struct RandomCrop {
  int64_t height = 0, width = 0;
  int64_t padding = 0;
  bool pad_if_needed = false;
  std::vector<double> fill = {};
  Padding padding_mode = Padding::kConstant;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// A box of a part of the area and of a ratio of width to height that are drawn, brought to a size.
struct RandomResizedCrop {
  int64_t height = 0, width = 0;
  std::pair<double, double> scale{0.08, 1};
  std::pair<double, double> ratio{3.0 / 4, 4.0 / 3};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// By an angle between two.
struct RandomRotation {
  std::pair<double, double> degrees{0, 0};
  InterpolationMode interpolation = InterpolationMode::kNearest;
  bool expand = false;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomAffine {
  std::pair<double, double> degrees{0, 0};
  std::pair<double, double> translate{0, 0};  // at most, in parts of the width and height
  std::pair<double, double> scale{1, 1};
  std::pair<double, double> shear{0, 0};    // along x, in degrees
  std::pair<double, double> shear_y{0, 0};  // along y
  InterpolationMode interpolation = InterpolationMode::kNearest;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// Each corner is drawn towards the middle by up to a part of the way.
struct RandomPerspective {
  double distortion_scale = 0.5, p = 0.5;
  InterpolationMode interpolation = InterpolationMode::kLinear;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// Shifts of each pixel, drawn apart and then smoothed over `sigma` pixels; `alpha` is how strong
// they are.
struct ElasticTransform {
  double alpha = 50, sigma = 5;
  InterpolationMode interpolation = InterpolationMode::kLinear;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};

// ---- Values -----------------------------------------------------------------------------------

// Factors between the two of each, in an order that is drawn.
struct ColorJitter {
  std::pair<double, double> brightness{1, 1}, contrast{1, 1}, saturation{1, 1};
  std::pair<double, double> hue{0, 0};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// Grey, with as many channels as before.
struct RandomGrayscale {
  double p = 0.1;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct GaussianBlur {
  int64_t kernel_size = 3;
  std::pair<double, double> sigma{0.1, 2};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomInvert {
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomPosterize {
  int64_t bits = 4;
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomSolarize {
  double threshold = 128;
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomAdjustSharpness {
  double sharpness_factor = 2;
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomAutocontrast {
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
struct RandomEqualize {
  double p = 0.5;
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// A box of a part of the area and of a ratio of height to width is filled (Zhong et al. 2020).
struct RandomErasing {
  double p = 0.5;
  std::pair<double, double> scale{0.02, 0.33}, ratio{0.3, 3.3};
  std::vector<double> value = {};  // for all channels or for each; empty: black
  Annotated operator()(data::Random& random, const Annotated& x) const;
};

// ---- Policies ---------------------------------------------------------------------------------
// For pictures alone: they throw ShapeError where boxes or a mask are given.

// What policies are made of. A magnitude is a slope, pixels, degrees, a factor less 1, bits, or a
// part of 255.
enum class Operation {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColor,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize,
  kInvert
};
Tensor apply_operation(const Tensor& image, Operation operation, double magnitude,
                       const WarpOptions& options = {.interpolation = InterpolationMode::kNearest},
                       Where where = Where::current());

// Operations drawn evenly, all of one strength (Cubuk et al. 2020).
struct RandAugment {
  int64_t num_ops = 2, magnitude = 9, num_magnitude_bins = 31;
  InterpolationMode interpolation = InterpolationMode::kNearest;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// One operation of a strength that is drawn (Müller & Hutter 2021).
struct TrivialAugmentWide {
  int64_t num_magnitude_bins = 31;
  InterpolationMode interpolation = InterpolationMode::kNearest;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};
// One of 25 pairs of operations that were learnt on a data set (Cubuk et al. 2019).
enum class AutoAugmentPolicy { kImageNet, kCIFAR10, kSVHN };
struct AutoAugment {
  AutoAugmentPolicy policy = AutoAugmentPolicy::kImageNet;
  InterpolationMode interpolation = InterpolationMode::kNearest;
  std::vector<double> fill = {};
  Annotated operator()(data::Random& random, const Annotated& x) const;
};

// What changes images as that name says: "erasing" (RandomErasing), "randaugment", "trivial"
// (TrivialAugmentWide), each with its defaults; empty for "none". Throws Error for another name.
Transform named_transform(const std::string& name);

// ---- Mixtures of samples ----------------------------------------------------------------------

struct Mixed {
  Tensor images;   // of the images' shape; f32, but for CutMix, which keeps the dtype
  Tensor targets;  // f32 (N, classes): what cross_entropy() takes as probabilities
};
// Each sample of a batch and the one before it, mixed by a share of Beta(alpha, alpha): images (N,
// H, W, C) and labels i64 (N), or probabilities (N, classes). Throws ShapeError.
struct MixUp {  // Zhang et al. 2018: the weighted mean
  int64_t num_classes = 0;
  double alpha = 1;
  Mixed operator()(data::Random& random, const Tensor& images, const Tensor& labels) const;
};
struct CutMix {  // Yun et al. 2019: a box of the other one, whose area is the share
  int64_t num_classes = 0;
  double alpha = 1;
  Mixed operator()(data::Random& random, const Tensor& images, const Tensor& labels) const;
};

}  // namespace glia::vision
