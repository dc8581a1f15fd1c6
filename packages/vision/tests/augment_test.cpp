// Augmentation of pictures: known values, what a change keeps, what moves along, what is drawn, and
// what is refused.
#include "glia/vision/transforms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "glia/vision/adjust.h"
#include "glia/vision/image.h"
#include "tests/support/values.h"

namespace glia::vision {
namespace {

using data::Random;
using test::expect_same;
using test::expect_values;
using test::message_of;
using Bytes = std::vector<uint8_t>;

// (height, width, channels) without a pattern.
Tensor picture(int64_t height, int64_t width, int64_t channels, uint64_t seed = 0) {
  Random random(seed);
  Bytes bytes;
  for (int64_t i = 0; i < height * width * channels; ++i)
    bytes.push_back(static_cast<uint8_t>(random.below(256)));
  return from_vector(bytes, {height, width, channels});
}
Tensor grey(const Bytes& bytes) {
  return from_vector(bytes, {1, static_cast<int64_t>(bytes.size()), 1});
}
bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector<int64_t>() == b.to_vector<int64_t>();
}
bool same(const Annotated& a, const Annotated& b) {
  const auto equal = [](const Tensor& x, const Tensor& y) {
    return x.defined() == y.defined() &&
           (!x.defined() ||
            (x.shape() == y.shape() && x.to_vector<double>() == y.to_vector<double>()));
  };
  return equal(a.image, b.image) && equal(a.boxes, b.boxes) && equal(a.labels, b.labels) &&
         equal(a.mask, b.mask);
}

// A picture of one bright box, which mask and boxes mark.
Annotated marked(int64_t height = 24, int64_t width = 32) {
  const int64_t left = 6, top = 5, right = 14, bottom = 12;
  Bytes image, mask;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const bool inside = x >= left && x < right && y >= top && y < bottom;
      image.push_back(inside ? 200 : 10);
      mask.push_back(inside ? 3 : 0);
    }
  return {from_vector(image, {height, width, 1}), tensor<float>({{left, top, right, bottom}}),
          tensor<int64_t>({3}), from_vector(mask, {height, width})};
}
// The box around what is bright.
std::vector<int64_t> bright(const Tensor& image, int64_t least = 100) {
  const auto values = image.to_vector<int64_t>();
  const int64_t width = image.size(1);
  std::vector<int64_t> box = {width, image.size(0), 0, 0};
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < least) continue;
    const int64_t x = static_cast<int64_t>(i) % width, y = static_cast<int64_t>(i) / width;
    box = {std::min(box[0], x), std::min(box[1], y), std::max(box[2], x + 1),
           std::max(box[3], y + 1)};
  }
  return box;
}

// ---- Values -----------------------------------------------------------------------------------

TEST(Adjust, KnownValues) {
  const Tensor x = grey({0, 10, 100, 200, 255});
  EXPECT_TRUE(same(adjust_brightness(x, 1.5), grey({0, 15, 150, 255, 255})));
  EXPECT_TRUE(same(adjust_contrast(x, 0), grey({113, 113, 113, 113, 113})));
  EXPECT_TRUE(same(invert(x), grey({255, 245, 155, 55, 0})));
  EXPECT_TRUE(same(posterize(x, 2), grey({0, 0, 64, 192, 192})));
  EXPECT_TRUE(same(solarize(x, 100), grey({0, 10, 155, 55, 0})));
  expect_values(cast(autocontrast(grey({50, 100, 150})), kF32), {1, 3, 1}, {0, 127, 255}, 1);
  EXPECT_TRUE(same(autocontrast(grey({7, 7})), grey({7, 7})));
  EXPECT_TRUE(same(adjust_gamma(x, 1), x));
  EXPECT_TRUE(same(rgb_to_grayscale(from_vector(Bytes{255, 0, 0, 0, 255, 0, 0, 0, 255}, {1, 3, 3})),
                   grey({76, 149, 29})));
  const Tensor colour = picture(7, 9, 3);
  for (const Tensor& same_colour :
       {adjust_brightness(colour, 1), adjust_contrast(colour, 1), adjust_saturation(colour, 1),
        adjust_sharpness(colour, 1), posterize(colour, 8)})
    EXPECT_TRUE(same(same_colour, colour));
  // A third of the circle brings each of the primary colours to the next.
  const Tensor red = from_vector(Bytes{255, 0, 0}, {1, 1, 3});
  EXPECT_TRUE(same(adjust_hue(red, 1.0 / 3), from_vector(Bytes{0, 255, 0}, {1, 1, 3})));
  EXPECT_TRUE(same(adjust_hue(red, -1.0 / 3), from_vector(Bytes{0, 0, 255}, {1, 1, 3})));
  EXPECT_TRUE(same(adjust_saturation(red, 0), from_vector(Bytes{76, 76, 76}, {1, 1, 3})));
}

TEST(Adjust, EqualizeMakesHistogramsFlat) {
  Bytes steps;
  for (int i = 0; i < 2560; ++i) steps.push_back(static_cast<uint8_t>(100 + i % 32));
  const auto values = equalize(grey(steps)).to_vector<int64_t>();
  const std::set<int64_t> levels(values.begin(), values.end());
  EXPECT_GE(levels.size(), 30u) << "the highest ones meet, as Pillow has it";
  EXPECT_EQ(*levels.begin(), 0);
  EXPECT_EQ(*levels.rbegin(), 255);
  EXPECT_TRUE(same(equalize(grey({9, 9, 9})), grey({9, 9, 9})));
}

TEST(Adjust, NeighboursAndErasedBoxes) {
  Bytes point(49, 0);
  point[24] = 130;
  const Tensor x = from_vector(point, {7, 7, 1});
  // Half of the way to the smoothed picture: 130 5/13 in the middle, 130/13 beside it.
  const Tensor soft = adjust_sharpness(x, 0);
  EXPECT_EQ(index(soft, {3, 3, 0}).item(), 50);
  EXPECT_EQ(index(soft, {2, 3, 0}).item(), 10);
  EXPECT_EQ(index(soft, {1, 3, 0}).item(), 0);
  const Tensor blurred = gaussian_blur(x, {5, 5}, std::pair{1.0, 1.0});
  EXPECT_EQ(index(blurred, {3, 3, 0}).item(), std::round(130 * 0.4026 * 0.4026));
  EXPECT_TRUE(same(gaussian_blur(x, {1, 1}), x));
  // One pixel, however wide the kernel.
  EXPECT_TRUE(same(gaussian_blur(grey({77}), {9, 9}), grey({77})));
  const Tensor erased = erase(picture(5, 5, 3), 3, -2, 9, 4, {1, 2, 3});
  expect_values(cast(index(erased, {4, 1}), kF32), {3}, {1, 2, 3});
  EXPECT_TRUE(same(slice(erased, 0, {0, 3}), slice(picture(5, 5, 3), 0, {0, 3})));
}

// ---- Places -----------------------------------------------------------------------------------

TEST(Geometry, PictureMaskAndBoxesMoveTogether) {
  const Annotated x = marked();
  const std::vector<Annotated> moved = {
      horizontal_flip(x),
      vertical_flip(x),
      crop(x, 2, 3, 15, 20),
      crop(x, -4, -6, 40, 50),
      affine(x, {.translate = {7, 3}}),
      affine(x, {.scale = 1.5}),
      rotate(x, 90, {.expand = true}),
      rotate(x, -90),
      rotate(x, 180),
      resized_crop(x, 0, 0, 24, 32, 48, 64),
  };
  for (size_t i = 0; i < moved.size(); ++i) {
    const std::vector<int64_t> box = bright(moved[i].image);
    const std::vector<double> found = moved[i].boxes.to_vector<double>();
    for (int k = 0; k < 4; ++k) EXPECT_NEAR(found[k], box[k], 1) << i;
    EXPECT_EQ(
        bright(reshape(moved[i].mask, {moved[i].image.size(0), moved[i].image.size(1), 1}), 3), box)
        << i;
    EXPECT_EQ(moved[i].labels.item(), 3) << i;
  }
}

TEST(Geometry, InversesGiveThePictureBack) {
  const Annotated x{picture(12, 17, 3)};
  EXPECT_TRUE(same(horizontal_flip(horizontal_flip(x)), x));
  EXPECT_TRUE(same(vertical_flip(vertical_flip(x)), x));
  EXPECT_TRUE(same(rotate(rotate(x, 180), 180), x));
  EXPECT_TRUE(same(rotate(rotate(x, 90, {.expand = true}), 270, {.expand = true}), x));
  EXPECT_TRUE(same(rotate(x, 360), x));
  EXPECT_TRUE(same(affine(x, {.interpolation = InterpolationMode::kLinear}), x));
  const Corners corners = {{0, 0}, {16, 0}, {16, 11}, {0, 11}};
  EXPECT_TRUE(same(perspective(x, corners, corners), x));
  EXPECT_TRUE(same(elastic(x, zeros({12, 17, 2})), x));
  EXPECT_TRUE(same(center_crop(crop(x, -3, -4, 18, 25), 12, 17), x));
  // A quarter turn is one of the array.
  EXPECT_TRUE(same(rotate(x, 90, {.expand = true}).image, flip(permute(x.image, {1, 0, 2}), {0})));
}

TEST(Geometry, Paddings) {
  const Annotated x{grey({1, 2, 3})};
  const auto padded = [&](Padding mode) {
    return crop(x, 0, -4, 1, 10, {.padding_mode = mode, .fill = {9}}).image;
  };
  EXPECT_TRUE(same(padded(Padding::kConstant), grey({9, 9, 9, 9, 1, 2, 3, 9, 9, 9})));
  EXPECT_TRUE(same(padded(Padding::kEdge), grey({1, 1, 1, 1, 1, 2, 3, 3, 3, 3})));
  EXPECT_TRUE(same(padded(Padding::kReflect), grey({1, 2, 3, 2, 1, 2, 3, 2, 1, 2})));
  EXPECT_TRUE(same(padded(Padding::kSymmetric), grey({3, 3, 2, 1, 1, 2, 3, 3, 2, 1})));
}

TEST(Geometry, EmptyBoxesAreTakenOut) {
  Annotated x = marked();
  x.boxes = tensor<float>({{6, 5, 14, 12}, {0, 0, 3, 3}, {20, 20, 32, 24}});
  x.labels = tensor<int64_t>({3, 4, 5});
  const Annotated kept = sanitize_boxes(crop(x, 4, 4, 12, 12));
  expect_values(kept.boxes, {1, 4}, {2, 1, 10, 8});
  expect_values(kept.labels, {1}, {3});
  EXPECT_EQ(sanitize_boxes(x, 1, 60).labels.numel(), 0);
  EXPECT_EQ(sanitize_boxes(x, 1, 60).boxes.shape(), (Shape{0, 4}));
  EXPECT_TRUE(same(sanitize_boxes({x.image}), Annotated{x.image}));
}

// ---- Draws ------------------------------------------------------------------------------------

// One of each, with options by which it always does something.
std::vector<Transform> all_transforms() {
  return {Compose{{RandomHorizontalFlip{.p = 1}, RandomVerticalFlip{.p = 1}}},
          RandomApply{{RandomHorizontalFlip{.p = 1}}, 1},
          RandomChoice{{RandomHorizontalFlip{.p = 1}, RandomVerticalFlip{.p = 1}}},
          RandomCrop{.height = 20, .width = 21, .padding = 4},
          RandomCrop{.height = 40, .width = 21, .pad_if_needed = true},
          RandomResizedCrop{.height = 20, .width = 30},
          RandomRotation{.degrees = {20, 70}, .expand = true},
          RandomAffine{.degrees = {-20, 20},
                       .translate = {0.2, 0.1},
                       .scale = {0.8, 1.2},
                       .shear = {-10, 10},
                       .shear_y = {-5, 5}},
          RandomPerspective{.p = 1},
          ElasticTransform{}};
}
std::vector<Transform> all_adjustments() {
  return {ColorJitter{{0.5, 0.8}, {0.4, 0.7}, {0.3, 2}, {-0.4, 0.4}},
          RandomGrayscale{.p = 1},
          GaussianBlur{},
          RandomInvert{.p = 1},
          RandomPosterize{.p = 1},
          RandomSolarize{.p = 1},
          RandomAdjustSharpness{.p = 1},
          RandomAutocontrast{.p = 1},
          RandomEqualize{.p = 1},
          RandomErasing{.p = 1}};
}

TEST(Transforms, ADrawIsAFunctionOfItsNumbers) {
  std::vector<Transform> all = all_transforms();
  for (const Transform& t : all_adjustments()) all.push_back(t);
  for (size_t i = 0; i < all.size(); ++i) {
    Annotated x = marked();
    x.image = cast(20 + 0.6 * cast(picture(24, 32, 3), kF32), kU8);
    int different = 0;
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Random a(seed), b(seed);
      const Annotated made = all[i](a, x);
      EXPECT_TRUE(same(made, all[i](b, x))) << i;
      EXPECT_EQ(a.bits(), b.bits()) << i;
      different += !same(made, x);
      EXPECT_EQ(made.image.size(2), 3) << i;
      EXPECT_EQ(made.mask.size(0), made.image.size(0)) << i;
      for (const double v : made.boxes.to_vector<double>()) EXPECT_LE(v, 64) << i;
    }
    EXPECT_GE(different, 4) << i;
  }
}

TEST(Transforms, WhatMovesABoxKeepsItAroundTheThing) {
  const std::vector<Transform> all = all_transforms();
  for (size_t i = 0; i < all.size(); ++i)
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Random random(seed);
      const Annotated made = all[i](random, marked());
      const std::vector<int64_t> box = bright(made.image);
      if (box[2] <= box[0]) continue;  // cropped away
      const std::vector<double> found = made.boxes.to_vector<double>();
      // An elastic change is undone only about.
      const double slack = i + 1 == all.size() ? 4 : 1.01;
      EXPECT_LE(found[0], box[0] + slack) << i;
      EXPECT_LE(found[1], box[1] + slack) << i;
      EXPECT_GE(found[2], box[2] - slack) << i;
      EXPECT_GE(found[3], box[3] - slack) << i;
    }
}

TEST(Transforms, ProbabilitiesAreKept) {
  const Annotated x{grey({1, 2, 3})};
  for (const double p : {0.0, 0.25, 1.0}) {
    int flipped = 0;
    for (uint64_t i = 0; i < 2000; ++i) {
      Random random(3, 0, i);
      flipped += !same(RandomHorizontalFlip{p}(random, x), x);
    }
    EXPECT_NEAR(flipped / 2000.0, p, 0.04);
  }
  // Areas and ratios of erased boxes.
  double area = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    Random random(4, 0, i);
    const Tensor erased =
        RandomErasing{.p = 1, .value = {255}}(random, {zeros({40, 40, 1}, kU8)}).image;
    const double part = sum(erased).item() / 255 / 1600;
    EXPECT_LE(part, 0.35);
    area += part / 500;
  }
  EXPECT_NEAR(area, (0.02 + 0.33) / 2, 0.02);
}

// The same pictures for any number of workers, and in front of shuffle() for any order and batch.
TEST(Transforms, SamplesAreTheSameForAnyWorkers) {
  std::vector<Tensor> pictures;
  for (uint64_t i = 0; i < 12; ++i) pictures.push_back(picture(16, 16, 3, i));
  const auto data = data::from_tensors(stack(pictures), arange(12));
  const Compose train{
      {RandomCrop{.height = 16, .width = 16, .padding = 2}, RandAugment{}, RandomErasing{}}};
  const auto change = [&](Random& random, const Tensor& x, const Tensor& y) {
    return std::array{train(random, {x}).image, y};
  };
  const auto pass = [](auto set, int64_t epoch) {
    std::map<int64_t, std::vector<int64_t>> out;
    set.set_state({epoch, 0});
    for (auto [x, y] : set)
      for (int64_t i = 0; i < y.numel(); ++i)
        out[y.template to_vector<int64_t>()[i]] = index(x, {i}).template to_vector<int64_t>();
    return out;
  };
  const auto plain = pass(data.augment(5, change).batch(4), 1);
  for (const int64_t workers : {1, 2, 3})
    EXPECT_EQ(pass(data.augment(5, change).shuffle(9).batch(5).prefetch(3, workers), 1), plain);
  EXPECT_NE(pass(data.augment(5, change).batch(4), 2), plain) << "another epoch";
  EXPECT_NE(pass(data.augment(6, change).batch(4), 1), plain) << "another seed";
}

TEST(Transforms, BatchesAreTheSameForAnyThreads) {
  std::vector<Tensor> pictures;
  for (uint64_t i = 0; i < 9; ++i) pictures.push_back(picture(16, 20, 3, i));
  const Tensor batch = stack(pictures);
  const auto made = [&] {
    Random random(1);
    return transformed(random, batch, TrivialAugmentWide{});
  };
  const Tensor here = made();
  EXPECT_EQ(here.shape(), batch.shape());
  const ThreadLimit one(1);
  EXPECT_TRUE(same(made(), here));
  Random random(1);
  EXPECT_THROW(transformed(random, batch, RandomRotation{.degrees = {0, 90}, .expand = true}),
               ShapeError);
  EXPECT_THROW(transformed(random, pictures[0], RandAugment{}), ShapeError);
  EXPECT_THROW(transformed(random, batch, {}), ValueError);
}

TEST(Policies, AreDrawnFromAllOperations) {
  const Tensor image = picture(20, 20, 3);
  for (const Transform& policy :
       {Transform(RandAugment{}), Transform(TrivialAugmentWide{}), Transform(AutoAugment{}),
        Transform(AutoAugment{AutoAugmentPolicy::kCIFAR10}),
        Transform(AutoAugment{AutoAugmentPolicy::kSVHN})}) {
    std::set<std::vector<int64_t>> seen;
    for (uint64_t i = 0; i < 100; ++i) {
      Random random(0, 0, i);
      seen.insert(policy(random, {image}).image.to_vector<int64_t>());
    }
    EXPECT_GT(seen.size(), 15u);
    EXPECT_LE(seen.size(), 100u);
    Random random(0);
    EXPECT_EQ(policy(random, {picture(9, 9, 1)}).image.shape(), (Shape{9, 9, 1}));
    EXPECT_THROW(policy(random, marked()), ShapeError);
    EXPECT_THROW(policy(random, {picture(9, 9, 4)}), ShapeError);
  }
  Random random(0);
  EXPECT_TRUE(same(RandAugment{.num_ops = 0}(random, {image}).image, image));
  EXPECT_TRUE(same(apply_operation(image, Operation::kIdentity, 0), image));
  EXPECT_TRUE(same(apply_operation(image, Operation::kTranslateX, 3.9),
                   affine({image}, {.translate = {3, 0}}).image));
  EXPECT_TRUE(same(apply_operation(image, Operation::kInvert, 0), invert(image)));
}

TEST(Mixtures, TargetsFollowTheShare) {
  const Tensor images = stack({full({8, 8, 1}, 0, kU8), full({8, 8, 1}, 200, kU8)});
  const Tensor labels = tensor<int64_t>({0, 1});
  double mean_share = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    Random a(0, 0, i), b(0, 0, i);
    const Mixed mixed = MixUp{.num_classes = 3, .alpha = 0.4}(a, images, labels);
    EXPECT_EQ(mixed.targets.shape(), (Shape{2, 3}));
    const double share = index(mixed.targets, {0, 0}).item();
    EXPECT_NEAR(index(mixed.targets, {0, 1}).item(), 1 - share, 1e-6);
    EXPECT_NEAR(index(mixed.images, {0, 3, 3, 0}).item(), 200 * (1 - share), 1e-3);
    mean_share += share / 200;
    const Mixed cut = CutMix{.num_classes = 3}(b, images, labels);
    EXPECT_EQ(cut.images.dtype(), kU8);
    const double kept = mean(cast(index(cut.images, {0}) == 0, kF64)).item();
    EXPECT_NEAR(index(cut.targets, {0, 0}).item(), kept, 1e-6);
  }
  EXPECT_NEAR(mean_share, 0.5, 0.1);
  Random random(0);
  // Probabilities as labels; and what is refused.
  EXPECT_NEAR(sum(MixUp{}(random, images, full({2, 5}, 0.2)).targets).item(), 2, 1e-6);
  EXPECT_THROW((MixUp{.num_classes = 3, .alpha = 0}(random, images, labels)), ValueError);
  EXPECT_THROW((MixUp{}(random, images, labels)), ShapeError);
  EXPECT_THROW((CutMix{.num_classes = 3}(random, images, tensor<int64_t>({0}))), ShapeError);
}

// ---- What is refused --------------------------------------------------------------------------

TEST(Transforms, BadArgumentsAreNamed) {
  const Tensor x = picture(6, 6, 3);
  const double nan = std::nan(""), inf = INFINITY;
  for (const double factor : {-1.0, nan, inf}) {
    EXPECT_THROW(adjust_brightness(x, factor), ValueError);
    EXPECT_THROW(adjust_contrast(x, factor), ValueError);
    EXPECT_THROW(adjust_saturation(x, factor), ValueError);
    EXPECT_THROW(adjust_sharpness(x, factor), ValueError);
    EXPECT_THROW(adjust_gamma(x, factor), ValueError);
    EXPECT_THROW(adjust_hue(x, factor), ValueError);
    EXPECT_THROW(affine({x}, {.scale = factor}), ValueError);
  }
  EXPECT_THROW(posterize(x, 9), ValueError);
  EXPECT_THROW(posterize(x, -1), ValueError);
  EXPECT_THROW(solarize(x, 256), ValueError);
  EXPECT_THROW(solarize(x, nan), ValueError);
  EXPECT_THROW(gaussian_blur(x, {4, 3}), ValueError);
  EXPECT_THROW(gaussian_blur(x, {3, INT64_MAX}), ValueError);
  EXPECT_THROW(gaussian_blur(x, {3, 3}, std::pair{0.0, 1.0}), ValueError);
  EXPECT_THROW(erase(x, INT64_MIN, 0, 1, 1), ValueError);
  EXPECT_THROW(erase(x, 0, 0, 1, 1, {1, 2}), ValueError);
  EXPECT_THROW(erase(x, 0, 0, 1, 1, {256}), ValueError);
  EXPECT_THROW(rgb_to_grayscale(x, 2), ValueError);
  EXPECT_THROW(invert(zeros({6, 6, 3})), ShapeError);
  EXPECT_THROW(invert(Tensor()), ShapeError);
  EXPECT_THROW(equalize(zeros({0, 6, 3}, kU8)), ShapeError);
  EXPECT_THROW(adjust_hue(picture(6, 6, 4), 0), ShapeError);

  EXPECT_THROW(crop({x}, 0, 0, 0, 3), ValueError);
  EXPECT_THROW(crop({x}, INT64_MIN, 0, 3, 3), ValueError);
  EXPECT_THROW(crop({x}, 0, 0, int64_t{1} << 30, int64_t{1} << 30), ValueError);
  EXPECT_THROW(rotate({x}, nan), ValueError);
  EXPECT_THROW(rotate({x}, 3, {.interpolation = InterpolationMode::kCubic}), ValueError);
  EXPECT_THROW(affine({x}, {.translate = {inf, 0}}), ValueError);
  EXPECT_THROW(perspective({x}, {{0, 0}, {1, 1}, {2, 2}, {0, 5}}, {{0, 0}, {5, 0}, {5, 5}, {0, 5}}),
               ValueError);
  EXPECT_THROW(perspective({x}, {{0, 0}}, {{0, 0}}), ValueError);
  EXPECT_THROW(elastic({x}, zeros({6, 5, 2})), ShapeError);
  EXPECT_THROW(horizontal_flip({x, zeros({2, 3})}), ShapeError);
  EXPECT_THROW(horizontal_flip({x, full({2, 4}, nan)}), ValueError);
  EXPECT_THROW(horizontal_flip({x, zeros({2, 4}), zeros({3}, kI64)}), ShapeError);
  EXPECT_THROW(horizontal_flip({x, {}, {}, zeros({5, 6}, kU8)}), ShapeError);
  EXPECT_EQ(message_of([&] {
              vertical_flip({zeros({4, 4})});
            }).substr(0, 54),
            "vertical_flip: an image is u8 (H, W, 1 to 4), not f32 ");

  Random random(0);
  const std::vector<Transform> bad = {
      RandomHorizontalFlip{.p = 1.5},
      RandomHorizontalFlip{.p = nan},
      RandomChoice{},
      RandomCrop{.height = 0, .width = 3},
      RandomCrop{.height = 9, .width = 3},
      RandomCrop{.height = 3, .width = 3, .padding = INT64_MAX},
      RandomResizedCrop{.height = 4, .width = 4, .scale = {0.5, 2}},
      RandomResizedCrop{.height = 4, .width = 4, .ratio = {0, 1}},
      RandomResizedCrop{.height = 0, .width = 4},
      RandomRotation{.degrees = {10, -10}},
      RandomRotation{.degrees = {nan, nan}},
      RandomAffine{.translate = {2, 0}},
      RandomAffine{.scale = {0, 1}},
      RandomPerspective{.distortion_scale = 1.1},
      ElasticTransform{.sigma = -1},
      ElasticTransform{.alpha = inf},
      ColorJitter{.brightness = {-1, 1}},
      ColorJitter{.hue = {-0.6, 0}},
      GaussianBlur{.sigma = {0, 1}},
      GaussianBlur{.kernel_size = 2},
      RandomPosterize{.bits = 9, .p = 1},
      RandomSolarize{.threshold = 300, .p = 1},
      RandomErasing{.scale = {0.5, 0.1}},
      RandomErasing{.p = 1, .value = {1, 2}},
      RandAugment{.magnitude = 31},
      RandAugment{.num_ops = -1},
      TrivialAugmentWide{.num_magnitude_bins = 1},
      RandAugment{.num_ops = 50, .fill = {300}},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_NE(message_of([&] { bad[i](random, {x}); }), "") << i;
    EXPECT_NE(message_of([&] { bad[i](random, {}); }), "") << i;
  }
}

// The smallest pictures go through everything.
TEST(Transforms, OnePixel) {
  std::vector<Transform> all = all_transforms();
  for (const Transform& t : all_adjustments()) all.push_back(t);
  all.erase(all.begin() + 3);  // a crop larger than the picture
  for (const Transform& policy : {Transform(RandAugment{}), Transform(AutoAugment{})})
    all.push_back(policy);
  for (const Transform& t : all)
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Random random(seed);
      EXPECT_GT(t(random, {grey({100})}).image.numel(), 0);
    }
}

}  // namespace
}  // namespace glia::vision
