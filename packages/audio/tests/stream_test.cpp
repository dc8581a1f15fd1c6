// Sound in pieces: streams of bytes, another rate, and words that are told as they come.
#include "glia/audio/stream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/audio/augment.h"
#include "glia/audio/sound.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using test::expect_same;

Tensor line(const std::vector<float>& x) {
  return from_vector(x, {static_cast<int64_t>(x.size())});
}

TEST(SoundStream, PiecesAreTheWhole) {
  const Tensor x = cast(0.9 * test::numbers({2, 500}), kF32);
  for (const int64_t bits : {0, 8, 16, 24, 32}) {
    const std::string bytes = encode_sound(x, 8000, {.format = "wav", .bits = bits});
    const Tensor want = mean(decode_sound(bytes).samples, {0});
    for (const size_t piece : {1, 7, 1000}) {
      SoundStream stream;
      std::vector<float> all;
      for (size_t at = 0; at < bytes.size(); at += piece)
        for (const float v : stream.push(std::string_view(bytes).substr(at, piece)))
          all.push_back(v);
      ASSERT_TRUE(stream.format());
      EXPECT_EQ(stream.format()->sample_rate, 8000);
      EXPECT_EQ(stream.format()->channels, 2);
      expect_same(line(all), want, 1e-6);
    }
  }
  // Raw samples, of which one comes in halves.
  SoundStream raw(StreamFormat{.sample_rate = 8000, .channels = 1, .type = SampleType::kS16});
  EXPECT_TRUE(raw.push(std::string("\x00", 1)).empty());
  EXPECT_EQ(raw.push(std::string("\x40\x00\xc0", 3)), (std::vector<float>{0.5, -0.5}));
}

TEST(SoundStream, WhatAPipeWritesIsReadToItsEnd) {
  std::string bytes = encode_sound(full({1, 10}, 0.5), 8000, {.format = "wav"});
  const size_t length = bytes.find("data") + 4;
  const std::string known = bytes + "LIST....";
  EXPECT_EQ(SoundStream().push(known).size(), 10u) << "what stands behind is no sound";
  bytes.replace(length, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(SoundStream().push(bytes + bytes.substr(length + 4)).size(), 20u);
  for (const std::string& bad :
       {std::string("not a header at all"), bytes.substr(0, 8) + "AVI ....",
        std::string(bytes).replace(20, 2, "\x55\x55"),
        std::string(bytes).replace(22, 2, std::string(2, '\0')),
        std::string(bytes).replace(16, 4, "\x01\x00\x00\x00"),
        std::string(bytes).replace(16, 4, "\xff\xff\xff\x7f")})
    EXPECT_THROW(SoundStream().push(bad), IoError) << bad.size();
  SoundStream floats(StreamFormat{.type = SampleType::kF32});
  EXPECT_THROW(floats.push("\xff\xff\xff\xff"), IoError) << "NaN";
  EXPECT_THROW(SoundStream(StreamFormat{.sample_rate = 0}), IoError);
  EXPECT_THROW(SoundStream(StreamFormat{.channels = INT64_MAX}), IoError);
}

TEST(StreamResampler, IsThatOfTheWhole) {
  for (const auto& [from, to] : {std::pair{8000, 16000},
                                 {16000, 8000},
                                 {44100, 16000},
                                 {48000, 16000},
                                 {11025, 16000},
                                 {16000, 16000}})
    for (const size_t piece : {100, 1111, 100000}) {
      const Tensor x = cast(test::numbers({3001}), kF32);
      const auto values = x.data<float>();
      StreamResampler resampler(from, to);
      std::vector<float> all;
      const auto keep = [&](const std::vector<float>& part) {
        all.insert(all.end(), part.begin(), part.end());
      };
      for (size_t at = 0; at < values.size(); at += piece)
        keep(resampler.push(
            {values.begin() + static_cast<int64_t>(at),
             values.begin() + static_cast<int64_t>(std::min(values.size(), at + piece))}));
      EXPECT_GE(all.size() * static_cast<size_t>(from) / static_cast<size_t>(to) + 500,
                values.size())
          << "little is held back";
      keep(resampler.finish());
      expect_same(line(all), resample(x, from, to), 1e-6);
      EXPECT_TRUE(resampler.finish().empty());
    }
  EXPECT_THROW(StreamResampler(0, 8000), ValueError);
  EXPECT_THROW(StreamResampler(8000, INT64_MAX), ValueError);
}

constexpr int64_t kRate = 8000;

std::vector<float> tone(double hz, double seconds) {
  std::vector<float> x;
  for (int64_t t = 0; t < static_cast<int64_t>(seconds * kRate); ++t)
    x.push_back(static_cast<float>(
        0.3 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(t) / kRate)));
  return x;
}

TEST(Spotter, LooksEachHopAndTellsEachWordOnce) {
  WordNet net(40, 2);
  net.eval();
  // Class 1 always: what is told, and when, is then known.
  net.out.weight = zeros(net.out.weight.shape());
  net.out.bias = tensor<float>({0, 9});
  const FrontEnd front_end{.sample_rate = kRate};
  WordSpotter spotter(net, front_end, {"no", "yes"}, 1, {.hop = 0.1, .looks = 3, .pause = 0.5});
  std::vector<WordEvent> events;
  const std::vector<float> sound = tone(440, 1.07);
  for (size_t at = 0; at < sound.size(); at += 77) {
    const std::vector<float> part(
        sound.begin() + static_cast<int64_t>(at),
        sound.begin() + static_cast<int64_t>(std::min(sound.size(), at + 77)));
    for (const WordEvent& e : spotter.push(part)) events.push_back(e);
    EXPECT_GT(spotter.looked() + 0.1 + 1e-9, spotter.heard()) << "never a hop behind";
  }
  EXPECT_NEAR(spotter.heard(), 1.07, 1e-9);
  EXPECT_NEAR(spotter.looked(), 1.0, 1e-9);
  ASSERT_EQ(events.size(), 1u) << "a word that goes on is told once";
  EXPECT_NEAR(events[0].time, 0.3, 1e-9) << "after three looks";
  EXPECT_EQ(events[0].word, "yes");
  EXPECT_GT(events[0].probability, 0.99);
  // Not after silence, which is not looked at, and again behind it.
  EXPECT_TRUE(spotter.push(std::vector<float>(3 * kRate)).empty());
  EXPECT_EQ(spotter.push(tone(440, 1)).size(), 1u);
  // In one piece it is the same.
  WordSpotter whole(net, front_end, {"no", "yes"}, 1, {.hop = 0.1, .looks = 3, .pause = 0.5});
  const auto again = whole.push(sound);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].time, events[0].time);
  // Classes that are no events.
  WordSpotter deaf(net, front_end, {"no", "_unknown_"});
  EXPECT_TRUE(deaf.push(sound).empty());
}

TEST(Spotter, BadArgumentsAreNamed) {
  const FrontEnd front_end{.sample_rate = kRate};
  const WordNet three(40, 3);
  const std::vector<std::string> classes{"a", "b", "c"};
  for (const WordSpotterOptions& o :
       {WordSpotterOptions{.hop = 0}, WordSpotterOptions{.hop = 2}, WordSpotterOptions{.looks = 0},
        WordSpotterOptions{.threshold = 0}, WordSpotterOptions{.pause = std::nan("")}})
    EXPECT_THROW(WordSpotter(three, front_end, classes, 1, o), ValueError);
  EXPECT_THROW(WordSpotter(three, front_end, classes, 0), ValueError);
  EXPECT_THROW(WordSpotter(three, front_end, classes, std::nan("")), ValueError);
  WordSpotter spotter(three, front_end, {"a", "b"});
  EXPECT_THROW(spotter.push(tone(300, 1)), ShapeError) << "three outputs for two classes";
}

}  // namespace
}  // namespace glia::audio
