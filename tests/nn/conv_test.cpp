// Convolutional layers and functions: what they must equal, at their edges too.
#include "glia/nn/conv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/nn/pool.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using namespace test;

void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-10) {
  ASSERT_EQ(a.shape(), b.shape());
  if (a.numel() > 0) {
    EXPECT_LE(max(abs(a - b)).item(), tolerance);
  }
}
constexpr auto kExact = decltype(InterpolateOptions{}.mode)::kNearestExact;
Tensor some(const Shape& shape) { return uniform(shape, -1, 1, kF64); }

TEST(ConvAxes, AreMatricesOfWindows) {
  const Tensor x = some({2, 6, 5, 3}), w = some({4, 3, 2, 3});
  const Tensor rows = unfold(x, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}});
  const Tensor y = conv2d(x, w, {}, {.stride = {2, 1}, .padding = {1, 0}});
  expect_close(matmul(rows, transpose(reshape(w, {4, -1}))), reshape(y, {2, -1, 4}));
  // A locally connected layer with the same weight everywhere is a convolution.
  const Tensor shared = transpose(reshape(w, {4, -1}));
  const Tensor everywhere = expand(reshape(shared, {1, 1, 18, 4}), {y.size(1), y.size(2), 18, 4});
  expect_close(
      locally_connected2d(x, everywhere, {}, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}}), y);
}

TEST(ConvAxes, TransposedIsTheGradientInTheInput) {
  for (const int64_t stride : {1, 2, 3}) {
    const Tensor x = trainable(some({2, 9, 8, 3})), w = some({4, 3, 2, 3});
    const Conv2dOptions o{.stride = {stride, stride}, .padding = {1, 0}};
    const Tensor y = conv2d(x, w, {}, o), g = some(y.shape());
    const Tensor dx = gradients(sum(y * g), {x})[0];
    const int64_t more_h = (9 + 2 - 3) % stride, more_w = (8 - 2) % stride;
    expect_close(
        conv_transpose2d(
            g, w, {},
            {.stride = o.stride, .padding = o.padding, .output_padding = {more_h, more_w}}),
        dx);
  }
}

TEST(ConvAxes, HaveSecondDerivatives) {
  const auto check = [](const TensorFunction& f, const std::vector<Tensor>& in) {
    EXPECT_EQ(gradcheck(f, in), "");
    EXPECT_EQ(gradgradcheck(f, in), "");
  };
  const Tensor x = some({1, 4, 3, 3, 2}), w = some({2, 2, 2, 2, 2});
  check([](const auto& t) { return square(conv3d(t[0], t[1], {}, {.padding = 1})); }, {x, w});
  check([](const auto& t) { return square(conv_transpose3d(t[0], t[1], {}, {.stride = 2})); },
        {x, w});
  check(
      [](const auto& t) {
        return square(unfold(t[0], {2, 2}, {.padding = {1, 1}}));
      },
      {some({1, 3, 3, 2})});
  check([](const auto& t) { return square(avg_pool(t[0], {2}, {.ceil_mode = true})); },
        {some({1, 5, 3, 2})});
  check([](const auto& t) { return square(max_pool(t[0], {2}, {.stride = {1}, .dilation = {2}})); },
        {some({1, 5, 4, 2})});
  check([](const auto& t) { return square(grid_sample(t[0], t[1])); },
        {some({1, 4, 4, 1}), uniform({1, 2, 2, 2}, -0.3, 0.3, kF64)});
}

TEST(ConvAxes, Bf16AndVmap) {
  const Tensor x = randn({3, 7, 4}), w = randn({5, 3, 4});
  const Tensor exact = conv1d(x, w);
  const Tensor rough = conv1d(cast(x, kBF16), cast(w, kBF16));
  EXPECT_EQ(rough.dtype(), kBF16);
  expect_close(cast(rough, kF32), exact, 0.1);
  const TensorFunction one = [&](const std::vector<Tensor>& t) {
    return squeeze(max_pool_with_indices(conv1d(unsqueeze(t[0], 0), w), {2}).out, 0);
  };
  expect_close(vmap(one)({x}), max_pool_with_indices(exact, {2}).out, 1e-5);
  const TensorFunction rows = [](const std::vector<Tensor>& t) {
    return squeeze(unfold(unsqueeze(t[0], 0), {2, 2}), 0);
  };
  const Tensor pictures = randn({3, 4, 5, 2});
  expect_close(vmap(rows)({pictures}), unfold(pictures, {2, 2}), 0);
}

TEST(Conv, SameKeepsTheSizeAndModesPad) {
  for (const int64_t k : {1, 2, 3, 4}) {
    const nn::Conv1d line(2, 3, {.kernel = k, .dilation = 2, .same = true});
    EXPECT_EQ(line(randn({2, 9, 2})).shape(), Shape({2, 9, 3}));
    const nn::Conv2d picture(2, 3,
                             {.kernel = {k, 3}, .same = true, .padding_mode = PadMode::kCircular});
    EXPECT_EQ(picture(randn({2, 9, 8, 2})).shape(), Shape({2, 9, 8, 3}));
  }
  const nn::Conv1d line(
      1, 1, {.kernel = 3, .padding = 1, .bias = false, .padding_mode = PadMode::kReplicate});
  const Tensor x = tensor({{1.0f, 2.0f, 4.0f}});
  const Tensor padded = tensor({{1.0f, 1.0f, 2.0f, 4.0f, 4.0f}});
  expect_close(line(unsqueeze(x, -1)), conv1d(unsqueeze(padded, -1), line.weight), 1e-6);
}

TEST(Conv, StateDictsHavePyTorchsOrder) {
  EXPECT_EQ(nn::Conv1d(4, 6, {.kernel = 3, .groups = 2}).state_dict().begin()->second.shape(),
            Shape({6, 2, 3}));
  EXPECT_EQ(nn::Conv3d(2, 6, {.kernel = {3, 4, 5}}).state_dict().begin()->second.shape(),
            Shape({6, 2, 3, 4, 5}));
  EXPECT_EQ(nn::ConvTranspose2d(4, 6, {.kernel = {3, 5}, .groups = 2})
                .state_dict()
                .begin()
                ->second.shape(),
            Shape({4, 3, 3, 5}));
  nn::ConvTranspose1d a(3, 2, {.kernel = 4}), b(3, 2, {.kernel = 4});
  b.load_state_dict(a.state_dict());
  expect_close(a.weight, b.weight, 0);
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const Tensor x = randn({2, 5, 4});
  EXPECT_THROW(conv1d(x, randn({3, 6, 4})), ShapeError);
  EXPECT_THROW(conv1d(randn({2, 5, 5, 4}), randn({3, 2, 4})), ShapeError);
  EXPECT_THROW(conv_transpose1d(x, randn({4, 3, 2}), {}, {.output_padding = 1}), ShapeError);
  EXPECT_THROW(conv_transpose1d(x, randn({4, 3, 2}), {}, {.stride = INT64_MAX}), ShapeError);
  EXPECT_THROW(conv_transpose1d(x, randn({4, 3, 2}), {}, {.padding = 9}), ShapeError);
  EXPECT_THROW(conv3d(randn({1, 2, 2, 2, 1}), randn({1, 3, 1, 1, 1})), ShapeError);
  EXPECT_THROW(pad(x, {{0, 0}, {5, 0}, {0, 0}}, PadMode::kReflect), ShapeError);
  EXPECT_THROW(pad(x, {{0, 0}, {INT64_MIN, 0}, {0, 0}}, PadMode::kReplicate), ShapeError);
  EXPECT_THROW(max_pool(x, {2, 2}), ShapeError);
  EXPECT_THROW(max_pool(x, {6}), ShapeError);
  EXPECT_THROW(max_pool(x, {INT64_MAX}, {.dilation = {INT64_MAX}}), ShapeError);
  EXPECT_THROW(avg_pool(x, {2}, {.padding = {2}}), ShapeError);
  // A window whose two places are in front of and behind the only value.
  const MaxPoolOptions around{.padding = {1}, .dilation = {2}};
  EXPECT_THROW(max_pool(randn({1, 1, 1}), {2}, around), ShapeError);
  EXPECT_THROW(max_pool_with_indices(randn({1, 1, 1}), {2}, around), ShapeError);
  EXPECT_EQ(max_pool(randn({1, 2, 1}), {2}, around).shape(), Shape({1, 1, 1}));
  EXPECT_THROW(interpolate(x, {0}), ShapeError);
  EXPECT_THROW(interpolate(x, {3}, {.align_corners = true}), ShapeError);
  EXPECT_THROW(fold(randn({1, 5, 4}), {3, 3}, {2, 2}), ShapeError);
  EXPECT_THROW(unfold(randn({1, 3, 3, 1}), {2, 2}, {.stride = {0, 1}}), ShapeError);
  EXPECT_THROW(pixel_shuffle(randn({1, 2, 2, 3}), 2), ShapeError);
  EXPECT_THROW(pixel_shuffle(randn({1, 2, 2, 4}), INT64_MAX), ShapeError);
  EXPECT_THROW(grid_sample(randn({1, 2, 2, 3}), randn({2, 2, 2, 2})), ShapeError);
  EXPECT_THROW(nn::Conv3d(3, 4, {.kernel = 0}), ShapeError);
  EXPECT_THROW(nn::LocallyConnected2d(1, 1, {2, 2}, {.kernel = 3}), ShapeError);
  EXPECT_THROW(nn::LocallyConnected1d(1, 1, 2, {.kernel = 3}), ShapeError);
  EXPECT_THROW(nn::LocallyConnected1d(1, 1, 3, {.kernel = 3})(x), ShapeError);
  EXPECT_THROW(nn::LocallyConnected1d(1, 1, 3, {.kernel = 3})(randn({1, 1})), ShapeError);
  EXPECT_THROW(nn::Conv2d(3, 4, {.kernel = 1, .groups = 2}), ShapeError);
  EXPECT_THROW(nn::Unfold({2, 0}), ShapeError);
  EXPECT_THROW(nn::Fold({4, 4}, 2, {.padding = -1}), ShapeError);
  EXPECT_THROW(nn::Fold({4, 4}, 2)(randn({1, 8, 4})), ShapeError);
  EXPECT_THROW(nn::MaxUnpool({}), ShapeError);
  EXPECT_THROW(nn::MaxUnpool({2, 2}, {1, 1, 1}), ShapeError);
  EXPECT_THROW(nn::MaxUnpool({2, 2})(randn({1, 2, 2, 2, 1}), zeros({1, 2, 2, 2, 1}, kI64)),
               ShapeError);
  EXPECT_THROW(nn::ZeroPad({1, 2, 3}), ShapeError);
  EXPECT_THROW(nn::ZeroPad(Sizes{}), ShapeError);
  EXPECT_THROW(nn::ReflectionPad(5)(x), ShapeError);
  EXPECT_THROW(nn::Upsample({}), ShapeError);
}

TEST(Pool, MaxMinIsTheLargestOfTheRowsSmallest) {
  // A ramp of 4 x 4: the largest value is 15, the largest of the rows' smallest 12.
  const Tensor ramp_4 = reshape(arange(16, kF32), {1, 4, 4, 1});
  EXPECT_EQ(maxmin_pool(ramp_4).item(), 12);
  EXPECT_EQ(max(ramp_4, {1, 2}).item(), 15);
}

TEST(Pool, UnpoolPutsValuesBack) {
  const Tensor x = some({2, 6, 4, 3});
  const MaxPoolResult r = max_pool_with_indices(x, {2});
  const Tensor back = max_unpool(r.out, r.indices, {6, 4});
  expect_close(max_pool(back, {2}), maximum(r.out, 0));
  expect_close(sum(back), sum(r.out));
  EXPECT_THROW(max_unpool(r.out, slice(r.indices, 0, {0, 1}), {6, 4}), ShapeError);
}

TEST(Pool, UnpoolPutsAValueOfTwoWindowsBackOnce) {
  const Tensor x = reshape(tensor({1.0, 5.0, 2.0, 0.0}), {1, 4, 1});
  const MaxPoolResult r = max_pool_with_indices(x, {2}, {.stride = {1}});
  expect_values(max_unpool(r.out, r.indices, {4}), {1, 4, 1}, {0, 5, 2, 0});
}

TEST(Pool, FractionalTakesNoPictures) {
  const MaxPoolResult r = fractional_max_pool(zeros({0, 6, 6, 4}), {2, 2}, {3, 3});
  EXPECT_EQ(r.out.shape(), Shape({0, 3, 3, 4}));
  EXPECT_EQ(r.indices.shape(), Shape({0, 3, 3, 4}));
}

TEST(Pool, LpKeepsSignsAndNaN) {
  const Tensor x = reshape(tensor({-1.0, -2.0, 3.0, 4.0, 0.0, 0.0}), {1, 6, 1});
  expect_values(lp_pool(x, 1, {2}), {1, 3, 1}, {-3, 7, 0});
  expect_values(lp_pool(x, 2, {2}), {1, 3, 1}, {std::sqrt(5.0), 5, 0}, 1e-6);
  expect_values(lp_pool(x, 3, {2}), {1, 3, 1}, {NAN, std::cbrt(91.0), 0}, 1e-5);
  EXPECT_TRUE(std::isnan(lp_pool(full({1, 2, 1}, NAN), 2, {2}).item()));
  const Tensor flat = trainable(zeros({1, 2, 1}));
  expect_values(gradients(sum(lp_pool(flat, 2, {2})), {flat})[0], {1, 2, 1}, {0, 0});
}

TEST(Interpolate, NearestHasNoErrorOfRounding) {
  for (const int64_t from : {2, 3, 4, 6, 8}) {
    for (const int64_t to : {49, 98, 103, 147, 196}) {
      const Tensor x = reshape(arange(from, kF64), {1, from, 1});
      std::vector<double> plain, exact;
      for (int64_t i = 0; i < to; ++i) {
        plain.push_back(static_cast<double>(i * from / to));
        exact.push_back(static_cast<double>((2 * i + 1) * from / (2 * to)));
      }
      expect_values(interpolate(x, {to}), {1, to, 1}, plain);
      expect_values(interpolate(x, {to}, {.mode = kExact}), {1, to, 1}, exact);
    }
  }
}

TEST(LocallyConnected, OfLinesIsAConvolutionWhereAllWeightsAreTheSame) {
  nn::LocallyConnected1d layer(2, 3, 7, {.kernel = 3, .stride = 2, .padding = 1});
  EXPECT_EQ(layer.weight.shape(), Shape({4, 6, 3}));
  EXPECT_EQ(layer.bias.shape(), Shape({4, 3}));
  const Tensor x = some({2, 7, 2}), w = some({3, 3, 2}), b = some({3});
  layer.weight = cast(expand(transpose(reshape(w, {3, 6})), {4, 6, 3}), kF32);
  layer.bias = cast(expand(b, {4, 3}), kF32);
  expect_close(layer(cast(x, kF32)), conv1d(x, w, b, {.stride = 2, .padding = 1}), 1e-6);
  nn::LocallyConnected1d plain(1, 1, 4, {.kernel = 2, .bias = false}),
      other(1, 1, 4, {.kernel = 2});
  EXPECT_FALSE(plain.bias.defined());
  EXPECT_EQ(gradients(sum(plain(randn({2, 4, 1}))), plain.parameters()).size(), 1u);
}

TEST(Conv, WindowsThereAndBack) {
  const Tensor x = some({2, 5, 6, 3});
  const nn::Unfold unfold({2, 3}, {.stride = {1, 3}, .padding = {1, 0}});
  const Tensor rows = unfold(x);
  expect_close(rows, glia::unfold(x, {2, 3}, {.stride = {1, 3}, .padding = {1, 0}}), 0);
  // Each pixel is in two rows of windows.
  const nn::Fold fold({5, 6}, {2, 3}, {.stride = {1, 3}, .padding = {1, 0}});
  expect_close(fold(rows), 2 * x);
}

TEST(Pool, UnpoolingLayersFindTheSize) {
  const Tensor x = some({2, 6, 9, 3});
  const auto [y, at] = max_pool_with_indices(x, {2, 3});
  const Tensor back = nn::MaxUnpool({2, 3})(y, at);
  expect_close(where(back == 0, x, back), x, 0);
  EXPECT_EQ(sum(back != 0).item(), y.numel());
  const auto [strided, places] = max_pool_with_indices(x, {2}, {.stride = {2, 3}, .padding = {1}});
  EXPECT_EQ(nn::MaxUnpool2d({2}, {2, 3}, {1})(strided, places).shape(), Shape({2, 6, 9, 3}));
  EXPECT_EQ(nn::MaxUnpool2d({2}, {2, 3}, {1})(strided, places, {7, 9}).shape(),
            Shape({2, 7, 9, 3}));
}

TEST(Conv, PadsUnderPyTorchsNames) {
  const Tensor x = some({2, 4, 5, 3});
  using Pads = std::vector<std::pair<int64_t, int64_t>>;
  const Pads sides{{0, 0}, {3, 0}, {1, 2}, {0, 0}}, all{{0, 0}, {2, 2}, {2, 2}, {0, 0}};
  const Sizes numbers{1, 2, 3, 0};  // left, right, top, bottom
  expect_close(nn::ZeroPad2d(numbers)(x), pad(x, sides), 0);
  expect_close(nn::ConstantPad2d(numbers, 7)(x), pad(x, sides, 7), 0);
  expect_close(nn::ReflectionPad2d(numbers)(x), pad(x, sides, PadMode::kReflect), 0);
  expect_close(nn::ReplicationPad2d(numbers)(x), pad(x, sides, PadMode::kReplicate), 0);
  expect_close(nn::CircularPad2d(numbers)(x), pad(x, sides, PadMode::kCircular), 0);
  expect_close(nn::ReflectionPad2d(2)(x), pad(x, all, PadMode::kReflect), 0);
  const Tensor line = some({1, 2, 1});
  expect_close(nn::ZeroPad1d(1)(line), nn::ConstantPad1d({1, 1}, 0)(line), 0);
  EXPECT_EQ(nn::CircularPad3d({1, 0, 0, 1, 2, 0})(some({1, 3, 4, 5, 1})).shape(),
            Shape({1, 5, 5, 6, 1}));
  // A negative number cuts off.
  expect_close(nn::ZeroPad2d({-1, 0, 0, -2})(x), slice(slice(x, 2, {1, 5}), 1, {0, 2}), 0);
  expect_close(pad(x, {{0, 0}, {-1, 1}, {0, -5}, {0, 0}}), zeros({2, 4, 0, 3}, kF64), 0);
  EXPECT_THROW(pad(x, {{0, 0}, {-3, -2}, {0, 0}, {0, 0}}), ShapeError);
}

TEST(LocallyConnected, RefusesAWeightOfOtherPositions) {
  const Tensor x = randn({1, 4, 3, 1});  // of 3 x 2 positions
  EXPECT_EQ(locally_connected2d(x, randn({3, 2, 4, 1}), {}, {2, 2}).shape(), Shape({1, 3, 2, 1}));
  EXPECT_THROW(locally_connected2d(x, randn({2, 3, 4, 1}), {}, {2, 2}), ShapeError);
}

TEST(Pool, GridSampleOfTheIdentityIsThePicture) {
  const Tensor x = some({2, 5, 7, 3});
  const Tensor theta = expand(unsqueeze(tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}), 0), {2, 2, 3});
  for (const bool corners : {false, true})
    expect_close(grid_sample(x, affine_grid(theta, {5, 7}, corners), {.align_corners = corners}), x,
                 1e-6);
  // Places far outside, infinite or not numbers read zeros.
  const Tensor far = reshape(tensor({1e30f, 0.0f, -INFINITY, NAN}), {1, 1, 2, 2});
  EXPECT_EQ(sum(abs(grid_sample(ones({1, 2, 2, 1}), far))).item(), 0);
}

}  // namespace
}  // namespace glia
