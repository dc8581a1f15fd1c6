// Augmentation of sound: known values, spectra and energies, what is drawn, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "glia/audio/augment.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using data::Random;
using test::expect_same;
using test::expect_values;

Tensor tone(double frequency, double rate, int64_t length) {
  std::vector<float> x;
  for (int64_t t = 0; t < length; ++t)
    x.push_back(static_cast<float>(
        std::sin(2 * std::numbers::pi * frequency * static_cast<double>(t) / rate)));
  return from_vector(x, {length});
}
Tensor ramp(int64_t frequencies, int64_t frames) {
  return cast(reshape(arange(frequencies * frames) + 1, {frequencies, frames}), kF32);
}
double zeros_of(const Tensor& x) { return sum(cast(x == 0, kF32)).item(); }

TEST(Resample, KeepsTonesBelowHalfTheRate) {
  for (const auto& [from, to] : {std::pair{8000, 16000}, std::pair{16000, 8000},
                                 std::pair{44100, 16000}, std::pair{16000, 22050}}) {
    const Tensor x = tone(440, from, from / 2),
                 y = resample(x, from, to, {.lowpass_filter_width = 16});
    EXPECT_EQ(y.size(0), to / 2);
    const Tensor wanted = tone(440, to, to / 2);
    const int64_t edge = to / 50;
    EXPECT_LT(max(abs(slice(y - wanted, 0, {edge, to / 2 - edge}))).item(), 2e-3) << from << to;
  }
  // What the lower rate cannot hold is gone.
  const Tensor high = resample(tone(6000, 16000, 8000), 16000, 8000, {.lowpass_filter_width = 32});
  EXPECT_LT(max(abs(slice(high, 0, {200, 3800}))).item(), 0.01);
  // The same rate, whatever its unit; a length that is rounded up; rows apart.
  const Tensor x = test::numbers({2, 3, 101});
  const Tensor f = cast(x, kF32);
  expect_same(resample(f, 5, 5), f);
  EXPECT_EQ(resample(f, 3, 2).shape(), (Shape{2, 3, 68}));
  expect_same(index(resample(f, 3, 2), {1, 2}), resample(index(f, {1, 2}), 3, 2));
  expect_same(resample(f, 300, 200), resample(f, 3, 2));
}

TEST(Speed, RaisesThePitch) {
  const Tensor x = tone(440, 16000, 16000);
  const Tensor y = speed(x, 1.1, {.lowpass_filter_width = 16});
  EXPECT_EQ(y.size(0), 14546);
  const Tensor wanted = tone(484, 16000, 14546);
  EXPECT_LT(max(abs(slice(y - wanted, 0, {500, 14000}))).item(), 2e-3);
  expect_same(speed(x, 1), x);
  std::set<int64_t> lengths;
  for (uint64_t i = 0; i < 30; ++i) {
    Random random(0, 0, i);
    lengths.insert(SpeedPerturbation{}(random, x).size(0));
  }
  EXPECT_EQ(lengths, (std::set<int64_t>{14546, 16000, 17778}));
}

TEST(Waveforms, ShiftAndNoise) {
  const Tensor x = tensor<float>({{1, 2, 3, 4}, {5, 6, 7, 8}});
  expect_values(time_shift(x, 1), {2, 4}, {0, 1, 2, 3, 0, 5, 6, 7});
  expect_values(time_shift(x, -3), {2, 4}, {4, 0, 0, 0, 8, 0, 0, 0});
  expect_values(time_shift(x, 5, true), {2, 4}, {4, 1, 2, 3, 8, 5, 6, 7});
  expect_values(time_shift(x, INT64_MAX), {2, 4}, std::vector<double>(8));
  expect_values(time_shift(x, INT64_MIN), {2, 4}, std::vector<double>(8));
  const Tensor noise = cast(test::numbers({2, 4}), kF32);
  for (const double snr : {-10.0, 0.0, 13.0}) {
    const Tensor added = add_noise(x, noise, snr) - x;
    for (int64_t row : {0, 1})
      EXPECT_NEAR(10 * std::log10(sum(square(index(x, {row}))).item() /
                                  sum(square(index(added, {row}))).item()),
                  snr, 1e-4);
  }
  expect_same(add_noise(x, zeros({2, 4}), 3), x);
  expect_values(add_noise(zeros({2, 4}), noise, 3), {2, 4}, std::vector<double>(8));
  Random random(2);
  const Tensor loud = ones({1, 20000});
  const Tensor noisy = RandomNoise{.snr = {20, 20}}(random, loud);
  EXPECT_NEAR(var(noisy).item(), 0.01, 2e-4);
  expect_same(RandomNoise{.p = 0}(random, loud), loud);
}

TEST(Spectrograms, MasksAndWarps) {
  const Tensor x = ramp(3, 5);
  expect_values(mask_time(x, 1, 2, 9), {3, 5}, {1, 9, 9, 4, 5, 6, 9, 9, 9, 10, 11, 9, 9, 14, 15});
  expect_values(index(mask_frequency(x, 2, 1), {2}), {5}, {0, 0, 0, 0, 0});
  expect_same(mask_frequency(x, 3, 0), x);
  expect_same(mask_time(stack({x, x}), 0, 5, 1), ones({2, 3, 5}));
  // Frame 2 goes to 1; the ends stay.
  expect_values(index(time_warp(x, 2, -1), {0}), {5}, {1, 3, 3 + 2.0 / 3, 4 + 1.0 / 3, 5}, 1e-6);
  expect_same(time_warp(x, 2, 0), x);
  // In numbers that rise evenly a warp is where each frame came from.
  const Tensor warped = time_warp(ramp(1, 101), 40, 15);
  EXPECT_NEAR(index(warped, {0, 55}).item(), 41, 1e-4);
  EXPECT_NEAR(index(warped, {0, 100}).item(), 101, 1e-4);
}

TEST(SpecAugment, MasksAreAsLongAsDrawn) {
  const Tensor x = ramp(40, 200);
  double masked = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    Random random(0, 0, i), again(0, 0, i);
    const SpecAugment time_only{.time_warp = 0,
                                .n_freq_masks = 0,
                                .n_time_masks = 1,
                                .time_mask_param = 60,
                                .zero_masking = true};
    const Tensor y = time_only(random, x);
    expect_same(y, time_only(again, x));
    masked += zeros_of(y) / 40 / 300;
  }
  EXPECT_NEAR(masked, 30, 3);
  Random random(1);
  const Tensor both = SpecAugment{.time_warp = 0, .p = 0.1, .zero_masking = true}(random, x);
  // Two bands of at most 27 frequencies, two of at most 20 frames.
  EXPECT_LE(zeros_of(index(both, {Slice{}, 0})), 40);
  for (const Tensor& row : {index(both, {39}), index(both, {0})})
    EXPECT_TRUE(zeros_of(row) == 200 || zeros_of(row) <= 40);
  // By default the mean comes in; a warp changes the rest; batches are changed alike.
  EXPECT_GT(zeros_of(SpecAugment{.time_warp = 0}(random, x - mean(x)) - 0), 0);
  Random a(3), b(3);
  expect_same(index(SpecAugment{.zero_masking = true}(a, stack({x, x})), {1}),
              SpecAugment{.zero_masking = true}(b, x));
  for (const auto& shape : {Shape{1, 1}, Shape{1, 2}, Shape{2, 3}, Shape{3, 4}})
    EXPECT_EQ(SpecAugment{}(a, ones(shape)).shape(), shape);
}

TEST(Sound, TheSameForAnyThreads) {
  const Tensor x = cast(test::numbers({3, 20000}), kF32);
  const Tensor y = resample(x, 44100, 16000);
  const ThreadLimit one(1);
  expect_same(resample(x, 44100, 16000), y);
}

TEST(Sound, BadArgumentsAreNamed) {
  const Tensor x = ones({10}), s = ones({4, 10});
  const double nan = std::nan("");
  EXPECT_THROW(resample(x, 0, 1), ValueError);
  EXPECT_THROW(resample(x, 1, INT64_MAX), ValueError);
  EXPECT_THROW(resample(x, 1000003, 1000033), ValueError) << "filters without end";
  EXPECT_THROW(resample(x, 1, 2, {.lowpass_filter_width = 0}), ValueError);
  EXPECT_THROW(resample(x, 1, 2, {.rolloff = nan}), ValueError);
  EXPECT_THROW(resample(zeros({0}), 1, 2), ShapeError);
  EXPECT_THROW(resample(ones({3}, kF64), 1, 2), ShapeError);
  EXPECT_THROW(resample(Tensor(), 1, 2), ShapeError);
  for (const double factor : {0.0, -1.0, nan, 1e9}) EXPECT_THROW(speed(x, factor), ValueError);
  EXPECT_THROW(add_noise(x, ones({9}), 0), ShapeError);
  EXPECT_THROW(add_noise(x, x, nan), ValueError);
  EXPECT_THROW(mask_time(s, 8, 3), ValueError);
  EXPECT_THROW(mask_time(s, INT64_MAX, INT64_MAX), ValueError);
  EXPECT_THROW(mask_frequency(s, -1, 2), ValueError);
  EXPECT_THROW(mask_time(x, 0, 1), ShapeError);
  for (const int64_t shift : {int64_t{-3}, int64_t{6}, INT64_MIN, INT64_MAX})
    EXPECT_THROW(time_warp(s, 3, shift), ValueError);
  EXPECT_THROW(time_warp(s, 0, 0), ValueError);
  EXPECT_THROW(time_warp(s, INT64_MAX, 0), ValueError);
  Random random(0);
  EXPECT_THROW(SpeedPerturbation{{}}(random, x), ValueError);
  EXPECT_THROW(RandomTimeShift{2}(random, x), ValueError);
  EXPECT_THROW((RandomNoise{.p = nan}(random, x)), ValueError);
  EXPECT_THROW((SpecAugment{.n_time_masks = -1}(random, s)), ValueError);
  EXPECT_THROW((SpecAugment{.p = 1.5}(random, s)), ValueError);
  EXPECT_THROW(SpecAugment{}(random, x), ShapeError);
  for (uint64_t i = 0; i < 20; ++i) {
    Random own(0, 0, i);
    EXPECT_LE(zeros_of(RandomTimeShift{0.2}(own, x)), 2);
  }
}

}  // namespace
}  // namespace glia::audio
