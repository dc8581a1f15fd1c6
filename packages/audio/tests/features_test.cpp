// Features of sound: closed forms, gradients, batches, and what is refused. That they are librosa's
// and Kaldi's is held by tests/parity/features.py.
#include "glia/audio/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using test::expect_same;
using test::expect_values;

Tensor wave(int64_t length, DType dtype = kF64) {
  return cast(test::numbers({length}) + 0.3 * cos(cast(arange(length), kF64) * 0.2), dtype);
}

// The slope of sum(weights f(x)) along a direction, by differences and by gradients.
void expect_gradient(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  const Tensor y = f(x), weights = test::numbers(y.shape(), 3), way = test::numbers(x.shape(), 5);
  const auto value = [&](const Tensor& at) { return sum(weights * f(at)).item(); };
  const Tensor at = trainable(x);
  const double slope = sum(gradients(sum(weights * f(at)), {at})[0] * way).item();
  const double h = 1e-5;
  const double differences = (value(x + h * way) - value(x - h * way)) / (2 * h);
  EXPECT_NEAR(slope, differences, 1e-5 * std::max(1.0, std::abs(differences)));
}

TEST(MelScales, KnownPoints) {
  // Slaney's scale: 1,000 Hz are 15 mel, 27 more are a factor of 6.4. HTK's: 1,000 Hz are 1,000
  // mel.
  EXPECT_NEAR(hz_to_mel(1000), 15, 1e-12);
  EXPECT_NEAR(hz_to_mel(6400), 42, 1e-12);
  EXPECT_NEAR(hz_to_mel(60), 0.9, 1e-12);
  EXPECT_NEAR(hz_to_mel(1000, MelScale::kHtk), 999.9855, 1e-4);
  for (const MelScale scale : {MelScale::kSlaney, MelScale::kHtk})
    for (const double hz : {0.0, 50.0, 999.0, 1001.0, 8000.0})
      EXPECT_NEAR(mel_to_hz(hz_to_mel(hz, scale), scale), hz, 1e-9);
  // Triangles of height 1 add to 1 between the first and the last middle.
  const Tensor filters = mel_filters(16000, 512, 20, {.scale = MelScale::kHtk, .norm = false});
  EXPECT_EQ(filters.shape(), (Shape{20, 257}));
  const auto sums = sum(filters, {0}).to_vector<double>();
  for (size_t k = 10; k < 200; ++k) EXPECT_NEAR(sums[k], 1, 1e-6);
}

TEST(MelSpectra, ATonesEnergyIsWhereItIs) {
  const int64_t rate = 16000;
  const Tensor x =
      cast(sin(cast(arange(8000), kF64) * (2 * std::numbers::pi * 1000 / 16000)), kF32);
  const Tensor mels =
      mel_spectrogram(x, {.sample_rate = rate, .n_fft = 512, .hop_length = 160, .n_mels = 40});
  EXPECT_EQ(mels.shape(), (Shape{40, 51}));
  const auto strongest = argmax(index(mels, {Slice{}, 25})).item<int64_t>();
  const double middle = mel_to_hz(hz_to_mel(8000) * static_cast<double>(strongest + 1) / 41);
  EXPECT_NEAR(middle, 1000, 60);
  // Decibels: a factor of ten is ten; nothing is more than 80 below the loudest.
  expect_values(power_to_db(tensor<float>({1, 10, 100, 0})), {4}, {0, 10, 20, -60}, 1e-5);
  expect_values(power_to_db(tensor<float>({1, 0}), {.ref = 10, .top_db = {}}), {2}, {-10, -110},
                1e-4);
}

TEST(Deltas, OfPolynomialsAreTheirDerivatives) {
  const Tensor t = cast(arange(20), kF64);
  expect_same(delta(3 * t + 1), 3 * ones({20}, kF64), 1e-9);
  expect_same(delta(square(t), 9, 2), 2 * ones({20}, kF64), 1e-9);
  expect_same(delta(t * square(t), 7, 3), 6 * ones({20}, kF64), 1e-8);
  // Kaldi's, by hand: (x[1] - x[-1] + 2 (x[2] - x[-2])) / 10 with repeated ends.
  expect_values(delta(tensor<double>({0, 1, 4, 9}), 5, 1, -1, DeltaMode::kNearest), {4},
                {0.9, 2.2, 2.6, 2.1}, 1e-12);
  const Tensor x = test::numbers({3, 12});
  expect_same(delta(transpose(x), 5, 1, 0), transpose(delta(x, 5)), 1e-12);
}

TEST(Cmvn, TakesMeansAndDeviationsOut) {
  const Tensor x = 3 + 2 * test::numbers({2, 50, 4});
  const Tensor y = cmvn(x);
  expect_same(mean(y, {1}), zeros({2, 4}, kF64), 1e-12);
  expect_same(mean(square(y), {1}), ones({2, 4}, kF64), 1e-6);
  expect_same(cmvn(x, -2, {.norm_vars = false}), x - mean(x, {1}, true), 1e-12);
  EXPECT_LT(max(abs(cmvn(full({5, 2}, 7.0)))).item(), 1e-6) << "nothing varies";
}

TEST(Preemphasis, KnownValues) {
  const Tensor x = tensor<double>({1, 2, 4, 3});
  expect_values(preemphasis(x, 0.5, 0.0), {4}, {1, 1.5, 3, 1}, 1e-12);
  expect_values(preemphasis(x, 0.5), {4}, {1, 1.5, 3, 1}, 1e-12);  // 2 x[0] - x[1] is 0 here
  expect_values(preemphasis(tensor<double>({1, 3}), 0.5), {2}, {0, 2.5}, 1e-12);
}

TEST(KaldiFrames, HowMany) {
  // 25 ms each 10 ms: 1 + (T - 400) / 160, or (T + 80) / 160 if the edges are not cut.
  for (const int64_t length : {400, 559, 560, 16000}) {
    const Tensor x = wave(length, kF32);
    EXPECT_EQ(fbank(x).size(0), 1 + (length - 400) / 160);
    EXPECT_EQ(fbank(x, {.frames = {.snip_edges = false}}).size(0), (length + 80) / 160);
  }
  // A constant is silence once its mean is taken out.
  const Tensor quiet = fbank(full({800}, 5.0));
  EXPECT_NEAR(max(quiet).item(), std::log(1.1920929e-07), 1e-4);
  EXPECT_EQ(kaldi_mfcc(wave(1600, kF32)).shape(), (Shape{8, 13}));
}

TEST(Features, HaveGradients) {
  const MelSpectrogramOptions small{
      .sample_rate = 8000, .n_fft = 64, .hop_length = 32, .n_mels = 8};
  MelSpectrogramOptions magnitudes = small;
  magnitudes.power = 1;
  const Tensor x = wave(300);
  const FrameOptions frames{.sample_rate = 8000, .frame_length = 8, .frame_shift = 4};
  expect_gradient([](const Tensor& t) { return preemphasis(t); }, x);
  expect_gradient([&](const Tensor& t) { return mel_spectrogram(t, small); }, x);
  expect_gradient([&](const Tensor& t) { return mel_spectrogram(t, magnitudes); }, x);
  expect_gradient([&](const Tensor& t) { return log_mel(t, small); }, x);
  expect_gradient([&](const Tensor& t) { return mfcc(t, {.n_mfcc = 5, .spectrogram = small}); }, x);
  expect_gradient([&](const Tensor& t) { return fbank(t, {.frames = frames, .num_bins = 8}); }, x);
  expect_gradient(
      [&](const Tensor& t) {
        return kaldi_mfcc(t, {.fbank = {.frames = frames, .num_bins = 8}, .num_ceps = 5});
      },
      x);
  expect_gradient([](const Tensor& t) { return delta(t, 5, 2); }, x);
  expect_gradient([](const Tensor& t) { return cmvn(t, -1); }, x);
}

TEST(Features, BatchesAreOneByOne) {
  const Tensor x = test::numbers({2, 3, 900});
  const MfccOptions options{
      .n_mfcc = 5,
      .spectrogram = {
          .sample_rate = 8000, .n_fft = 128, .n_mels = 10, .pad_mode = StftPad::kReflect}};
  const auto one = [&](const Tensor& all) { return index(all, {1, 2}); };
  expect_same(one(mel_spectrogram(x, options.spectrogram)),
              mel_spectrogram(one(x), options.spectrogram), 1e-5);
  expect_same(one(fbank(x)), fbank(one(x)), 1e-5);
  expect_same(one(kaldi_mfcc(x)), kaldi_mfcc(one(x)), 1e-4);
  EXPECT_EQ(mfcc(x, options).shape(), (Shape{2, 3, 5, 2}));
  EXPECT_EQ(fbank(cast(x, kBF16)).dtype(), kF32) << "what is narrow is widened";
}

TEST(Features, BadArgumentsAreNamed) {
  const Tensor x = wave(1000, kF32);
  const double nan = std::nan("");
  EXPECT_THROW(fbank(slice(x, 0, {0, 399})), ShapeError);
  EXPECT_THROW(fbank(Tensor()), ShapeError);
  EXPECT_THROW(fbank(arange(1000)), ShapeError);
  EXPECT_THROW(fbank(x, {.num_bins = 0}), ValueError);
  EXPECT_THROW(fbank(x, {.num_bins = INT64_MAX}), ValueError);
  EXPECT_THROW(fbank(x, {.low_freq = 9000}), ValueError);
  EXPECT_THROW(fbank(x, {.low_freq = nan}), ValueError);
  EXPECT_THROW(fbank(x, {.floor = 0}), ValueError);
  EXPECT_THROW(fbank(x, {.frames = {.sample_rate = 0}}), ValueError);
  EXPECT_THROW(fbank(x, {.frames = {.frame_length = nan}}), ValueError);
  EXPECT_THROW(fbank(x, {.frames = {.frame_shift = 0.01}}), ValueError);
  EXPECT_THROW(kaldi_mfcc(x, {.num_ceps = 24}), ValueError);
  EXPECT_THROW(mel_filters(16000, 512, 40, {.fmin = 5000, .fmax = 4000}), ValueError);
  EXPECT_THROW(mel_filters(16000, 512, 40, {.fmax = 16001}), ValueError);
  EXPECT_THROW(mel_filters(16000, 1 << 24, 1 << 24), ValueError);
  EXPECT_THROW(mel_spectrogram(x, {.n_fft = 0}), ValueError);
  EXPECT_THROW(mel_spectrogram(x, {.n_fft = 256, .win_length = 512}), ValueError);
  EXPECT_THROW(mel_spectrogram(x, {.n_fft = 256, .hop_length = 0}), Error);
  EXPECT_THROW(mel_spectrogram(x, {.power = nan}), ValueError);
  EXPECT_THROW(mfcc(x, {.n_mfcc = 200}), ValueError);
  EXPECT_THROW(power_to_db(x, {.amin = 0}), ValueError);
  EXPECT_THROW(delta(x, 4), ValueError);
  EXPECT_THROW(delta(x, 9, 9), ValueError);
  EXPECT_THROW(delta(slice(x, 0, {0, 8})), ShapeError);
  EXPECT_THROW(delta(x, 9, 1, 1), ShapeError);
  EXPECT_THROW(preemphasis(slice(x, 0, {0, 1})), ShapeError);
}

}  // namespace
}  // namespace glia::audio
