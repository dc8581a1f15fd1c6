// The recipe of speech on tones that stand for words: every kind of model, tables of one's own,
// predictions, evaluations, language models, and listening.
#include <cmath>
#include <fstream>
#include <numbers>

#include "glia/audio/sound.h"
#include "glia/ops.h"
#include "glia/recipes/listen.h"
#include "recipes/src/speech_models.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

const char* const kRecipe = "speech";
constexpr int64_t kRate = 16000;

class Speech : public RecipeTest {
 protected:
  // A word is a tone that comes and goes: "low", "mid" or "high".
  static std::vector<float> word(const std::string& name, int64_t variant, double seconds = 0.3) {
    const double hz = (name == "low"   ? 300
                       : name == "mid" ? 900
                                       : 2700) +
                      5.0 * static_cast<double>(variant);
    std::vector<float> x(static_cast<size_t>(kRate * seconds));
    for (size_t t = 0; t < x.size(); ++t) {
      const double at = static_cast<double>(t), length = static_cast<double>(x.size());
      const double loud = std::pow(std::sin(std::numbers::pi * (at + 0.5) / length), 2);
      x[t] = static_cast<float>(0.3 * loud * std::sin(2 * std::numbers::pi * hz * at / kRate));
    }
    return x;
  }
  static Tensor line(const std::vector<float>& x) {
    return from_vector(x, {static_cast<int64_t>(x.size())});
  }
  // A table of recordings of one word each, a sixth of them for the test.
  static std::string table(double seconds) {
    std::ofstream out("table.tsv");
    out << "file\ttext\tspeaker\tsplit\n";
    for (int64_t i = 0; i < 36; ++i) {
      const std::string name = i % 3 == 0 ? "low" : i % 3 == 1 ? "mid" : "high";
      const std::string path = name + std::to_string(i) + ".wav";
      audio::write_sound(path, line(word(name, i, seconds)), kRate);
      out << path << "\t" << name << "\tann\t" << (i < 6 ? "test" : "train") << "\n";
    }
    return "table.tsv";
  }
  static Values small(const std::string& model, Values more = {}, double seconds = 0.3) {
    Values all{{"data", table(seconds)}, {"model", model}, {"batch", int64_t{10}}, {"speed", 0.03}};
    for (auto& one : more) all.push_back(std::move(one));
    return all;
  }
};

TEST_F(Speech, WordsAreLearntToldAndHeard) {
  const Trained run = train(
      kRecipe, {.given = small("cnn", {{"epochs", int64_t{12}}, {"window", 0.5}}), .out = "run"});
  EXPECT_EQ(value<double>(run.results, "test_accuracy"), 1);
  EXPECT_EQ(value<double>(run.results, "test_wer"), 0);
  EXPECT_TRUE(fs::exists("run/report.html"));
  const auto predictor = load("run");
  // Another rate, two channels, another format.
  const Tensor two = stack({line(word("mid", 2)), line(word("mid", 2))});
  audio::write_sound("mid.flac", two, kRate);
  const Results said = predictor->predict("mid.flac");
  EXPECT_EQ(value<std::string>(said, "class"), "mid");
  const Results all = predictor->evaluate();
  EXPECT_EQ(value<double>(all, "accuracy"), 1);
  EXPECT_EQ(value<int64_t>(all, "utterances"), 6);
  EXPECT_EQ(value<int64_t>(predictor->evaluate({.count = 2}), "utterances"), 2);
  EXPECT_NE(fault([&] { predictor->predict("none.wav"); }).find("none.wav"), std::string::npos);
  std::ofstream("text.wav") << "no sound";
  EXPECT_NE(fault([&] { predictor->predict("text.wav"); }).find("text.wav: "), std::string::npos);

  // As a stream, byte by byte almost: high, a second of nothing, low.
  std::vector<float> sound = word("high", 0);
  sound.resize(sound.size() + kRate);
  for (const float v : word("low", 3)) sound.push_back(v);
  sound.resize(sound.size() + kRate / 2);
  const auto* listens = dynamic_cast<const Listens*>(predictor.get());
  ASSERT_NE(listens, nullptr);
  const std::string bytes = audio::encode_sound(line(sound), kRate, {.format = "wav"});
  const auto listener = listens->listen({});
  std::vector<Heard> heard;
  for (size_t at = 0; at < bytes.size(); at += 501)
    for (const Heard& h : listener->push(std::string_view(bytes).substr(at, 501)))
      heard.push_back(h);
  for (const Heard& h : listener->finish()) heard.push_back(h);
  EXPECT_NEAR(listener->seconds(), 2.1, 1e-6);
  ASSERT_GE(heard.size(), 2u);
  EXPECT_EQ(heard.front().word, "high");
  EXPECT_LT(heard.front().time, 0.7);
  EXPECT_EQ(heard.back().word, "low");
  EXPECT_GT(heard.back().time, 1.3);
  // Raw samples at another rate say the same.
  const std::string fast = audio::encode_sound(
      audio::read_sound("low3.wav", {.sample_rate = 8000}).samples, 8000, {.format = "wav"});
  const auto raw = listens->listen({.raw_rate = 8000});
  const auto words = raw->push(std::string_view(fast).substr(44));
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(words[0].word, "low");
  EXPECT_THROW(listens->listen({.raw_rate = 8000, .raw_type = "s12"}), ValueError);
  EXPECT_THROW(listens->listen({.hop = 0}), ValueError);
  EXPECT_THROW(listens->listen({})->push("no header of a WAV file"), IoError);
  EXPECT_THROW(listens->listen({})->finish(), IoError);
}

class SpeechStrings : public Speech, public testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, SpeechStrings,
                         testing::Values("lstm", "conformer", "transducer", "hybrid"));

TEST_P(SpeechStrings, AreLearnt) {
  const bool slow = GetParam() == "transducer";
  const Trained run = train(kRecipe, {.given = small(GetParam(),
                                                     {{"strings", true},
                                                      {"tokens", "words"},
                                                      {"epochs", int64_t{slow ? 14 : 6}},
                                                      {"count", int64_t{400}},
                                                      {"test-count", int64_t{10}},
                                                      {"layers", int64_t{1}},
                                                      {"width", int64_t{24}},
                                                      {"lr", 0.02}},
                                                     0.15),
                                      .out = "run"});
  EXPECT_LT(value<double>(run.results, "test_wer"), 0.2);
  const auto predictor = load("run");
  EXPECT_NEAR(value<double>(predictor->evaluate(), "wer"), value<double>(run.results, "test_wer"),
              1e-9)
      << "the same strings again";
  EXPECT_FALSE(value<std::string>(predictor->predict("low3.wav"), "text").empty());
  const auto* listens = dynamic_cast<const Listens*>(predictor.get());
  EXPECT_THROW(listens->listen({}), ValueError) << "hears whole utterances";
}

TEST_F(Speech, CharactersWithALanguageModel) {
  const Trained run = train(kRecipe, {.given = small("lstm", {{"epochs", int64_t{2}},
                                                              {"width", int64_t{8}},
                                                              {"lm-order", int64_t{2}},
                                                              {"beam", int64_t{4}}}),
                                      .out = "run"});
  EXPECT_GE(value<double>(run.results, "test_cer"), 0);
  const std::string text = value<std::string>(load("run")->predict("low3.wav"), "text");
  for (const char c : text) EXPECT_NE(std::string("dghilmow ").find(c), std::string::npos) << text;
  std::ofstream("bad.arpa") << "\\data\\\n";
  EXPECT_NE(fault_of(kRecipe, {.given = small("lstm", {{"lm", "bad.arpa"}}), .out = "other"})
                .find("bad.arpa: line 1"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("other"));
}

TEST_F(Speech, BadSettingsAndDataAreNamed) {
  EXPECT_NE(fault_of(kRecipe, {.given = {{"data", "none.tsv"}}}).find("none.tsv"),
            std::string::npos);
  EXPECT_NE(fault_of(kRecipe, {.given = small("cnn", {{"held-out", "nobody"}})})
                .find("no utterance is left for the test, of all but 'nobody'"),
            std::string::npos);
  EXPECT_NE(
      fault_of(kRecipe, {.given = small("cnn", {{"tokens", "words"}})}).find("--tokens words"),
      std::string::npos);
  EXPECT_NE(fault_of(kRecipe, {.given = small("tdnn")}).find("tdnn"), std::string::npos);
  EXPECT_NE(fault_of(kRecipe, {.given = small("lstm", {{"stride", int64_t{3}}})}).find("stride"),
            std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
