// Sound files: what is written comes back, in each format; and files that are not what they say.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/audio/augment.h"
#include "glia/audio/sound.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using test::expect_same;
using test::expect_values;
using test::fault;
class SoundFile : public test::Scratch {};

Tensor tones(int64_t channels, int64_t length, double rate) {
  std::vector<float> x;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t t = 0; t < length; ++t)
      x.push_back(static_cast<float>(
          0.5 * std::sin(2 * std::numbers::pi * 300 * static_cast<double>((c + 1) * t) / rate)));
  return from_vector(x, {channels, length});
}

// The header of a WAV file of 16-bit samples, and some bytes behind it.
std::string wav(uint32_t claimed, const std::string& samples, uint16_t channels = 1,
                uint32_t rate = 8000, uint16_t bits = 16, uint16_t code = 1) {
  std::string out;
  const auto put = [&](uint64_t v, int size) {
    for (int i = 0; i < size; ++i) out += static_cast<char>(v >> (8 * i) & 255U);
  };
  out = "RIFF";
  put(36 + claimed, 4);
  out += "WAVEfmt ";
  put(16, 4), put(code, 2), put(channels, 2), put(rate, 4);
  put(rate * channels * bits / 8, 4), put(channels * bits / 8, 2), put(bits, 2);
  out += "data";
  put(claimed, 4);
  return out + samples;
}

TEST_F(SoundFile, ComesBackAsItWasWritten) {
  const Tensor x = tones(2, 8000, 16000);
  for (const auto& [name, bits, error] : {std::tuple{"a.wav", 8, 1.0 / 128},
                                          {"a.wav", 16, 1.0 / 32768},
                                          {"a.wav", 24, 1e-6},
                                          {"a.wav", 32, 1e-7},
                                          {"a.wav", 0, 0.0},
                                          {"a.flac", 8, 1.0 / 128},
                                          {"a.flac", 16, 1.0 / 32768},
                                          {"a.flac", 24, 1e-6}}) {
    write_sound(file(name), x, 16000, {.bits = bits});
    const Sound sound = read_sound(file(name));
    EXPECT_EQ(sound.sample_rate, 16000);
    EXPECT_EQ(sound.samples.shape(), x.shape()) << name;
    EXPECT_LE(max(abs(sound.samples - x)).item(), error) << name << " " << bits;
    EXPECT_NEAR(sound.seconds(), 0.5, 1e-9);
  }
  const SoundInfo info = sound_info(file("a.flac"));
  EXPECT_EQ(info.channels, 2);
  EXPECT_EQ(info.frames, 8000);
  EXPECT_EQ(info.format, "FLAC (Free Lossless Audio Codec)");
  EXPECT_EQ(info.encoding, "Signed 24 bit PCM");
}

TEST_F(SoundFile, LossyFormatsKeepTheTone) {
  const int64_t rate = 48000;
  const Tensor x = tones(1, rate, static_cast<double>(rate));
  for (const char* name : {"a.ogg", "a.opus", "a.mp3"}) {
    write_sound(file(name), x, rate, {.quality = 0.8});
    const Sound sound = read_sound(file(name));
    ASSERT_EQ(sound.sample_rate, rate) << name;
    ASSERT_GE(sound.samples.size(1), rate) << name;
    // The same power, and nearly all of it at the tone.
    const Tensor y = slice(sound.samples, 1, {4800, 43200});
    EXPECT_NEAR(mean(square(y)).item(), 0.125, 0.005) << name;
    const Tensor t = cast(arange(38400), kF64) * (2 * std::numbers::pi * 300 / 48000);
    const double re = mean(y * cos(t)).item(), im = mean(y * sin(t)).item();
    EXPECT_NEAR(2 * std::hypot(re, im), 0.5, 0.01) << name;
  }
}

TEST_F(SoundFile, PartsChannelsAndRates) {
  const Tensor x = tones(2, 4000, 8000);
  write_sound(file("a.wav"), x, 8000, {.bits = 0});
  expect_same(read_sound(file("a.wav"), {.offset = 100, .frames = 50}).samples,
              slice(x, 1, {100, 150}));
  expect_same(read_sound(file("a.wav"), {.mono = true}).samples, mean(x, {0}, true), 1e-7);
  const Sound up = read_sound(file("a.wav"), {.sample_rate = 16000});
  EXPECT_EQ(up.sample_rate, 16000);
  expect_same(up.samples, resample(x, 8000, 16000));
  EXPECT_EQ(read_sound(file("a.wav"), {.offset = 4000}).samples.shape(), (Shape{2, 0}));
  EXPECT_NE(fault(file("a.wav"), [&] { read_sound(file("a.wav"), {.offset = 5000}); }), "");
  // From memory, and of one channel given as a line.
  const std::string bytes = encode_sound(index(x, {0}), 8000, {.format = "wav", .bits = 0});
  expect_same(decode_sound(bytes).samples, slice(x, 0, {0, 1}));
  // What is beyond full scale is clipped where it cannot be held.
  write_sound(file("b.wav"), full({3}, 1.5), 8000);
  expect_values(read_sound(file("b.wav")).samples, {1, 3}, {1, 1, 1}, 1e-4);
  write_sound(file("empty.wav"), zeros({1, 0}), 8000);
  EXPECT_EQ(read_sound(file("empty.wav"), {.sample_rate = 16000}).samples.shape(), (Shape{1, 0}));
}

TEST_F(SoundFile, WhatIsCutShortOrNoSoundIsNamed) {
  const std::string two(4, '\1');
  EXPECT_EQ(fault(file("a", wav(1000, two)), [&] { read_sound(file("a")); }),
            ": cut short: 4 of 1000 bytes of samples");
  // A pipe's writer does not know the length.
  for (const uint32_t unknown : {0xffffffffU, 0x7ffff000U})
    EXPECT_EQ(read_sound(file("b", wav(unknown, two))).samples.shape(), (Shape{1, 2}));
  std::string flac = encode_sound(tones(1, 20000, 8000), 8000, {.format = "flac"});
  flac.resize(flac.size() / 2);
  fault(file("c", flac), [&] { read_sound(file("c")); });
  for (const std::string& bytes :
       {std::string(), std::string("RIFF"), std::string("no sound at all, only text"),
        wav(4, two, 0), wav(4, two, 1, 0), wav(4, two, 1, 8000, 16, 77), wav(4, two).substr(0, 30)})
    EXPECT_NE(fault(file("d", bytes), [&] { read_sound(file("d")); }), "") << bytes.size();
  fault(file("none.wav"), [&] { read_sound(file("none.wav")); });
  const std::string nan = encode_sound(zeros({4}), 8000, {.format = "wav", .bits = 0});
  std::string spoilt = nan;
  for (size_t i = spoilt.size() - 4; i < spoilt.size(); ++i) spoilt[i] = '\xff';
  EXPECT_EQ(fault(file("e", spoilt), [&] { read_sound(file("e")); }),
            ": holds samples that are no numbers");
  EXPECT_EQ(fault(file("f", wav(4, two)), [&] { read_sound(file("f"), {.most = 1}); }),
            ": more than 1 samples");
}

TEST_F(SoundFile, EveryCutAndSpoiltByteIsAnErrorOrASound) {
  for (const char* format : {"wav", "flac", "ogg", "opus", "mp3"}) {
    const std::string whole = encode_sound(tones(1, 4800, 48000), 48000, {.format = format});
    for (size_t i = 0; i < 60; ++i) {
      std::string cut = whole.substr(0, whole.size() * i / 60);
      std::string spoilt = whole;
      for (size_t k = 0; k < 4; ++k)
        spoilt[(i * 131 + k * 977) % spoilt.size()] ^= static_cast<char>(1 + 37 * i + k);
      for (const std::string& bytes : {cut, spoilt}) {
        try {
          const Sound sound = decode_sound(bytes, {.most = 1 << 22});
          EXPECT_EQ(sound.samples.rank(), 2);
        } catch (const IoError& e) {
          EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
        }
      }
    }
  }
}

TEST_F(SoundFile, WhatCannotBeWrittenIsNamed) {
  const Tensor x = zeros({1, 100});
  EXPECT_THROW(write_sound(file("a"), x, 8000), ValueError);
  EXPECT_THROW(write_sound(file("a.xyz"), x, 8000), ValueError);
  EXPECT_THROW(write_sound(file("a.wav"), x, 0), ValueError);
  EXPECT_THROW(write_sound(file("a.wav"), x, INT64_MAX), ValueError);
  EXPECT_THROW(write_sound(file("a.wav"), x, 8000, {.bits = 12}), ValueError);
  EXPECT_THROW(write_sound(file("a.flac"), x, 8000, {.bits = 0}), ValueError);
  EXPECT_THROW(write_sound(file("a.ogg"), x, 8000, {.quality = std::nan("")}), ValueError);
  EXPECT_THROW(write_sound(file("a.opus"), x, 44100), ValueError) << "Opus has few rates";
  EXPECT_THROW(write_sound(file("a.wav"), zeros({3}, kF64), 8000), ShapeError);
  EXPECT_THROW(write_sound(file("a.wav"), Tensor(), 8000), ShapeError);
  EXPECT_THROW(write_sound(file("a.wav"), full({3}, std::nan("")), 8000), ValueError);
  EXPECT_THROW(read_sound(file("a"), {.offset = -1}), ValueError);
}

}  // namespace
}  // namespace glia::audio
