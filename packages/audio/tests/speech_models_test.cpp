// Speech networks: shapes, what lies behind the end is not heard, and that they learn; networks
// with weights of others refuse what is not theirs.
#include <gtest/gtest.h>

#include "glia/audio/ctc.h"
#include "glia/audio/models.h"
#include "glia/audio/pretrained.h"
#include "glia/audio/transducer.h"
#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using test::expect_same;
using test::fault;

Tensor lengths_of(const std::vector<int64_t>& n) {
  return from_vector(n, {static_cast<int64_t>(n.size())});
}

TEST(FrontEnd, LoudnessDoesNotCount) {
  const FrontEnd front_end{.sample_rate = 8000};
  const Tensor x = cast(test::numbers({4000}), kF32);
  const Tensor a = FrontEnd::normalized(x), b = FrontEnd::normalized(0.01 * x + 0.2);
  expect_same(a, b, 1e-3);
  EXPECT_NEAR(mean(square(a)).item(), 1, 1e-5);
  expect_same(FrontEnd::normalized(full({10}, 3.0)), zeros({10}));
  EXPECT_EQ(front_end(unsqueeze(a, 0)).shape(), (Shape{1, front_end.frames(4000), 40}));
  EXPECT_EQ(front_end.frames(4000), 48);
  EXPECT_EQ(front_end.samples(48), 3960);
  EXPECT_EQ(front_end(zeros({2, 10})).shape(), (Shape{2, 1, 40})) << "less than a frame";
  EXPECT_EQ(front_end.frames(10), 1);
}

class Encoders : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Encoders,
                         testing::Values("rnn", "gru", "lstm", "bilstm", "conformer"));

TEST_P(Encoders, HearNothingBehindTheEnd) {
  manual_seed(1);
  for (const int64_t stride : {1, 2, 4}) {
    CtcNet net(
        6, 5,
        {.kind = GetParam(), .width = 8, .layers = 2, .stride = stride, .heads = 2, .kernel = 5});
    net.eval();
    const Tensor x = randn({2, 30, 6});
    const Encoded both = net(x, lengths_of({30, 17}));
    const Encoded alone = net(slice(slice(x, 0, {1, 2}), 1, {0, 17}), lengths_of({17}));
    EXPECT_EQ(both.states.shape(), (Shape{2, (30 + stride - 1) / stride, 5}));
    const auto length = both.lengths.to_vector<int64_t>()[1];
    EXPECT_EQ(length, (17 + stride - 1) / stride);
    EXPECT_EQ(alone.lengths.to_vector<int64_t>()[0], length);
    expect_same(slice(slice(both.states, 0, {1, 2}), 1, {0, length}), alone.states, 1e-5);
    expect_same(sum(exp(both.states), {-1}), ones({2, (30 + stride - 1) / stride}), 1e-5);
  }
}

// Frames of class k have feature k high; each label takes three frames, a pause two.
struct Strings {
  Tensor x, frames, labels, counts;
  std::vector<std::vector<int64_t>> said;
  explicit Strings(uint64_t seed) {
    data::Random random(seed);
    constexpr int64_t kCount = 8, kFrames = 40, kLabels = 5;
    std::vector<float> values(kCount * kFrames * 4);
    std::vector<int64_t> all(kCount * kLabels), n, f;
    for (int64_t i = 0; i < kCount; ++i) {
      said.emplace_back();
      int64_t t = 1 + random.below(3);
      const int64_t count = 2 + random.below(kLabels - 1);
      for (int64_t k = 0; k < count; ++k) {
        const int64_t label = 1 + random.below(3);
        said.back().push_back(label);
        all[i * kLabels + k] = label;
        for (int64_t u = t; u < t + 4; ++u) values[(i * kFrames + u) * 4 + label] = 2;
        t += 4 + 2;
      }
      n.push_back(count);
      f.push_back(t);
    }
    x = from_vector(values, {kCount, kFrames, 4});
    labels = from_vector(all, {kCount, kLabels});
    counts = lengths_of(n), frames = lengths_of(f);
  }
};

TEST(Ctc, LearnsStrings) {
  manual_seed(2);
  CtcNet net(4, 4, {.kind = "lstm", .width = 16, .layers = 1, .stride = 2, .dropout = 0});
  optim::Adam optimizer(net.parameters(), {.lr = 0.02});
  for (int64_t step = 0; step < 120; ++step) {
    const Strings s(step);
    const Encoded y = net(s.x, s.frames);
    optimizer.step(gradients(ctc_loss(y.states, s.labels, y.lengths, s.counts), net.parameters()));
  }
  const Strings s(1000);
  const Encoded y = net(s.x, s.frames);
  const auto lengths = y.lengths.to_vector<int64_t>();
  for (size_t n = 0; n < s.said.size(); ++n)
    EXPECT_EQ(ctc_greedy(slice(index(y.states, {static_cast<int64_t>(n)}), 0, {0, lengths[n]})),
              s.said[n]);
}

TEST(Transducer, LearnsStrings) {
  manual_seed(2);
  Transducer net(4, 4,
                 {.encoder = {.kind = "lstm", .width = 16, .layers = 1, .stride = 2, .dropout = 0},
                  .embedding = 4,
                  .prediction = 8,
                  .joint = 16});
  optim::Adam optimizer(net.parameters(), {.lr = 0.02});
  for (int64_t step = 0; step < 600; ++step) {
    const Strings s(step);
    const Encoded y = net(s.x, s.frames, s.labels);
    const Tensor loss = rnnt_loss(y.states, s.labels, y.lengths, s.counts, {.blank = 0});
    optimizer.step(gradients(loss, net.parameters()));
  }
  const Strings s(1000);
  net.eval();
  EXPECT_EQ(net.decode(s.x, s.frames), s.said);
}

TEST(WordNet, ShapesAndSplices) {
  WordNet net(40, 7, {.width = 4});
  EXPECT_EQ(net(randn({2, 98, 40})).shape(), (Shape{2, 7}));
  EXPECT_EQ(net(randn({1, 9, 40})).shape(), (Shape{1, 7})) << "as short as it may be";
  EXPECT_THROW(net(randn({98, 40})), ShapeError);
  EXPECT_THROW(net(randn({2, 98, 80})), ShapeError);
  test::expect_values(splice(tensor<float>({{1, 2}, {3, 4}, {5, 6}}), 1), {3, 6},
                      {1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 5, 6});
  FrameNet frames(3, 5, 2, 8, 2);
  EXPECT_EQ(frames(randn({2, 11, 3})).shape(), (Shape{2, 11, 5}));
  EXPECT_THROW(splice(randn({3}), 1), ShapeError);
}

TEST(SpeechEncoder, BadOptionsAreNamed) {
  for (const EncoderOptions& o :
       {EncoderOptions{.kind = "gmm"}, EncoderOptions{.stride = 3}, EncoderOptions{.width = 0},
        EncoderOptions{.layers = 0}, EncoderOptions{.kernel = 4}})
    EXPECT_THROW(SpeechEncoder(40, o), ValueError);
}

class Pretrained : public test::Scratch {};

TEST_F(Pretrained, OtherWeightsAreRefused) {
  // What was written by a network is read by it; anything else is one line.
  const SileroVad vad;
  io::write_safetensors(file("vad"), vad.state_dict());
  const Tensor x = cast(0.1 * test::numbers({2000}), kF32);
  const SileroVad again = SileroVad::read(file("vad"));
  EXPECT_EQ(again(x).shape(), Shape{4});
  SileroVad::State state;
  const Tensor padded = pad(x, {{0, 48}});
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_NEAR(again.next(slice(padded, 0, {512 * i, 512 * (i + 1)}), state),
                index(again(x), {i}).item(), 1e-5);
  EXPECT_THROW(again.next(x, state), ShapeError);
  EXPECT_THROW(again(zeros({0})), ShapeError);
  EXPECT_THROW(again(zeros({2, 512})), ShapeError);
  io::NamedTensors other = vad.state_dict();
  other[0].second = zeros({3});
  io::write_safetensors(file("shape"), other);
  EXPECT_TRUE(fault(file("shape"), [&] {
                SileroVad::read(file("shape"));
              }).starts_with(": not the weights of this network"));
  other.erase(other.begin());
  io::write_safetensors(file("missing"), other);
  fault(file("missing"), [&] { SileroVad::read(file("missing")); });
  for (const std::string& bytes : {std::string(), std::string("PK\3\4 no zip"),
                                   std::string("\x80\x02"
                                               "c__builtin__\neval\n.")}) {
    fault(file("torch", bytes), [&] { VoiceEncoder::read(file("torch")); });
    fault(file("torch", bytes), [&] { Crepe::read(file("torch")); });
  }
}

TEST_F(Pretrained, EdgesOfSounds) {
  VoiceEncoder voice;
  const Tensor e = voice.embed(cast(0.1 * test::numbers({100}), kF32));
  EXPECT_EQ(e.shape(), Shape{256});
  EXPECT_THROW(voice.embed(zeros({0})), ShapeError);
  EXPECT_THROW(voice.embed(zeros({100}), 0), ValueError);
  EXPECT_THROW(voice.embed(zeros({100}), 1.3, 2), ValueError);
  const Tensor quiet = full({1000}, 0.001);
  EXPECT_NEAR(mean(square(normalize_volume(quiet))).item(), 1e-3, 1e-6) << "30 dB below 1";
  expect_same(normalize_volume(ones({5})), ones({5}));
  expect_same(normalize_volume(zeros({5})), zeros({5}));
  Crepe crepe;
  crepe.eval();
  for (const PitchDecoder decoder :
       {PitchDecoder::kArgmax, PitchDecoder::kWeightedArgmax, PitchDecoder::kViterbi}) {
    const Crepe::Pitch p = crepe.predict(zeros({400}), 160, 100, 200, decoder);
    EXPECT_EQ(p.frequency.shape(), Shape{3});
    for (const double hz : p.frequency.to_vector<double>()) {
      EXPECT_GE(hz, 98);
      EXPECT_LE(hz, 203);
    }
  }
  EXPECT_THROW(crepe.predict(zeros({400}), 0), ValueError);
  EXPECT_THROW(crepe.predict(zeros({400}), 160, 200, 100), ValueError);
  EXPECT_THROW(crepe.predict(zeros({400}), 160, 5000, 6000), ValueError);
  EXPECT_THROW(crepe(zeros({1, 100})), ShapeError);
}

TEST(SpeechSpans, KnownOnes) {
  // Steps of 32 ms: loud from 10 to 30, a dip of two steps, which is too short, in it.
  std::vector<float> p(100, 0.1F);
  for (size_t i = 10; i < 30; ++i) p[i] = 0.9F;
  p[20] = p[21] = 0.2F;
  for (size_t i = 60; i < 64; ++i) p[i] = 0.9F;  // 128 ms: no speech
  for (size_t i = 90; i < 100; ++i) p[i] = 0.9F;
  const Tensor all = from_vector(p, {100});
  const auto spans = speech_spans(all, 51200 - 100);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].start, 10 * 512 - 480);
  EXPECT_EQ(spans[0].end, 30 * 512 + 480);
  EXPECT_EQ(spans[1].start, 90 * 512 - 480);
  EXPECT_EQ(spans[1].end, 51100) << "to the end, and not behind it";
  EXPECT_TRUE(speech_spans(zeros({10}), 5120).empty());
  EXPECT_THROW(speech_spans(zeros({2, 5}), 5120), ShapeError);
  EXPECT_THROW(speech_spans(all, 5120, {.threshold = 1}), ValueError);
  EXPECT_THROW(speech_spans(all, 5120, {}, 0), ValueError);
}

}  // namespace
}  // namespace glia::audio
