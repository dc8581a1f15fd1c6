#include "speech_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numbers>
#include <set>

#include "glia/audio/augment.h"
#include "glia/audio/errors.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::recipes {
namespace {

using audio::Utterance;
using data::Random;

constexpr int64_t kShortest = 3, kLongest = 7;  // of strings in the test; in training from 1 on
constexpr double kMostGap = 0.1;                // seconds between their words
constexpr double kLeastSeconds = 0.05;
constexpr double kMostWarp = 0.12, kMostTilt = 0.7;  // of what is changed by chance

// A waveform cut or filled up with silence to `length` samples, which begin at `offset` of it.
std::vector<float> placed(std::span<const float> x, int64_t length, int64_t offset) {
  std::vector<float> out(static_cast<size_t>(length));
  for (int64_t t = 0; t < length; ++t) {
    const int64_t at = t + offset;
    if (at >= 0 && at < static_cast<int64_t>(x.size())) out[t] = x[at];
  }
  return out;
}

// A speed and a loudness of its own.
Tensor changed(Random& random, const Tensor& samples, double most) {
  const double factor = std::round(100 * (1 + most * (2 * random.uniform() - 1))) / 100;
  const Tensor x = factor == 1 ? samples : audio::speed(samples, factor);
  return audio::RandomNoise{.snr = {8, 45}, .p = 0.5}(random, x);
}

std::vector<std::string> units_of(const std::string& text, const std::string& unit) {
  if (unit == "texts") return {text};
  return unit == "characters" ? audio::characters_of(text) : audio::words_of(text);
}

// Utterances of the same speaker, as positions.
std::vector<std::vector<int64_t>> by_speaker(const std::vector<Utterance>& all) {
  std::map<std::string, std::vector<int64_t>> groups;
  for (size_t i = 0; i < all.size(); ++i) groups[all[i].speaker].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> out;
  for (auto& [speaker, positions] : groups) out.push_back(std::move(positions));
  return out;
}

struct Spoken {
  Tensor samples;
  std::string text;
};

class Drawer {
 public:
  Drawer(std::vector<Utterance> all, SpeechForm form, SpeechTokens tokens,
         SpeechBatchOptions options)
      : all_(std::move(all)),
        form_(std::move(form)),
        tokens_(std::move(tokens)),
        options_(std::move(options)),
        speakers_(by_speaker(all_)) {}

  int64_t size() const {
    return form_.joins ? options_.strings : static_cast<int64_t>(all_.size());
  }

  data::Sample draw(Random& random, int64_t position) const {
    Spoken spoken = form_.joins ? string(random) : one(random, position);
    Tensor x = audio::FrontEnd::normalized(spoken.samples);
    const int64_t rate = form_.front_end.sample_rate;
    if (form_.window > 0) {
      const auto length = std::llround(form_.window * static_cast<double>(rate));
      const int64_t room = x.size(0) - length;  // below 0: silence comes in
      const int64_t middle = room / 2;
      const int64_t reach = std::abs(room) / 2;
      const int64_t offset =
          options_.changes ? middle + random.below(2 * reach + 1) - reach : middle;
      x = from_vector(placed(x.data<float>(), length, offset), {length});
    } else {
      const auto least = static_cast<int64_t>(kLeastSeconds * static_cast<double>(rate));
      if (x.size(0) < least) x = from_vector(placed(x.data<float>(), least, 0), {least});
    }
    const std::vector<int64_t> labels = tokens_.encode(spoken.text);
    return {{"samples", x}, {"labels", from_vector(labels, {static_cast<int64_t>(labels.size())})}};
  }

  // Waveforms of a batch become features, changed if that is wanted.
  data::Sample featured(Random& random, data::Sample batch) const {
    Tensor x = form_.front_end(batch.at("samples"));
    std::vector<int64_t> frames;
    for (const int64_t n : batch.at("sample_counts").to_vector<int64_t>())
      frames.push_back(form_.front_end.frames(n));
    if (options_.changes) x = masked(random, x, frames);
    eval(x);
    data::Sample out;
    out.set("features", x);
    out.set("frames", from_vector(frames, {static_cast<int64_t>(frames.size())}));
    out.set("labels", batch.at("labels"));
    out.set("label_counts", batch.at("label_counts"));
    return out;
  }

 private:
  Spoken one(Random& random, int64_t position) const {
    const Utterance& u = all_[static_cast<size_t>(position)];
    return {options_.changes ? changed(random, u.samples, options_.speed) : u.samples, u.text};
  }

  Spoken string(Random& random) const {
    const auto& group = speakers_[random.below(static_cast<int64_t>(speakers_.size()))];
    const int64_t shortest = options_.changes ? 1 : kShortest;
    const int64_t count = shortest + random.below(kLongest - shortest + 1);
    const auto rate = static_cast<double>(form_.front_end.sample_rate);
    std::vector<float> samples;
    Spoken out;
    for (int64_t i = 0; i < count; ++i) {
      const Utterance& u = all_[group[random.below(static_cast<int64_t>(group.size()))]];
      // As loud as each other before they are joined.
      const Tensor x = audio::FrontEnd::normalized(u.samples);
      const auto values = x.data<float>();
      if (i > 0) {
        samples.resize(samples.size() + static_cast<size_t>(rate * kMostGap * random.uniform()));
        out.text += " ";
      }
      samples.insert(samples.end(), values.begin(), values.end());
      out.text += u.text;
    }
    const auto length = static_cast<int64_t>(samples.size());
    out.samples = from_vector(samples, {length});
    if (options_.changes) out.samples = changed(random, out.samples, options_.speed);
    return out;
  }

  // Each frame's frequencies stretched, as by a longer or shorter vocal tract (Jaitly & Hinton
  // 2013).
  static void warp(float* x, int64_t rows, int64_t width, double factor) {
    std::vector<float> row(static_cast<size_t>(width));
    for (int64_t t = 0; t < rows; ++t) {
      std::copy_n(x + t * width, width, row.begin());
      for (int64_t f = 0; f < width; ++f) {
        const double at = std::min(static_cast<double>(f) * factor, static_cast<double>(width - 1));
        const auto below = std::min(static_cast<int64_t>(at), width - 2);
        const auto part = static_cast<float>(at - static_cast<double>(below));
        x[t * width + f] = (1 - part) * row[below] + part * row[below + 1];
      }
    }
  }

  // What another voice, room and microphone do, then bands of frequencies and times that are not
  // heard.
  Tensor masked(Random& random, const Tensor& features, const std::vector<int64_t>& frames) const {
    const auto in = features.data<float>();
    std::vector<float> x(in.begin(), in.end());
    const int64_t rows = features.size(1), width = features.size(2);
    for (size_t n = 0; n < frames.size(); ++n) {
      float* one = x.data() + static_cast<int64_t>(n) * rows * width;
      warp(one, rows, width, 1 + kMostWarp * (2 * random.uniform() - 1));
      double tilt[3];
      for (double& a : tilt) a = kMostTilt * (random.uniform() + random.uniform() - 1);
      for (int64_t f = 0; f < width; ++f) {
        const double at = std::numbers::pi * static_cast<double>(f) / static_cast<double>(width);
        const auto more =
            static_cast<float>(tilt[0] + tilt[1] * std::cos(at) + tilt[2] * std::cos(2 * at));
        for (int64_t t = 0; t < rows; ++t) one[t * width + f] += more;
      }
      const int64_t band = random.below(width / 6 + 1), from = random.below(width - band + 1);
      for (int64_t t = 0; t < rows; ++t) std::fill_n(one + t * width + from, band, 0.0F);
      for (int64_t i = 0; i < 1 + frames[n] / 100; ++i) {
        const int64_t time = random.below(std::min<int64_t>(12, frames[n] / 5) + 1);
        const int64_t start = random.below(frames[n] - time + 1);
        std::fill_n(one + start * width, time * width, 0.0F);
      }
    }
    return from_vector(x, features.shape());
  }

  const std::vector<Utterance> all_;
  const SpeechForm form_;
  const SpeechTokens tokens_;
  const SpeechBatchOptions options_;
  const std::vector<std::vector<int64_t>> speakers_;
};

}  // namespace

SpeechSets read_speech(const SpeechSource& source) {
  audio::Utterances set;
  if (source.data == "fsdd")
    set = audio::fsdd();
  else if (source.data == "commands")
    set = audio::spoken_commands();
  else
    set = audio::read_manifest(source.data, 16000, source.test_share);
  SpeechSets out{{}, {}, set.sample_rate};
  for (Utterance& u : set.all) {
    const bool test = source.held_out.empty() ? u.is_test : u.speaker == source.held_out;
    (test ? out.test : out.train).push_back(std::move(u));
  }
  if (out.train.empty() || out.test.empty())
    throw IoError(source.data + ": no utterance is left for " +
                  (out.train.empty() ? "training" : "the test") +
                  (source.held_out.empty() ? "" : ", of all but '" + source.held_out + "'"));
  return out;
}

SpeechTokens SpeechTokens::of(const std::vector<Utterance>& all, const std::string& unit) {
  std::set<std::string> names;
  for (const Utterance& u : all)
    for (const std::string& token : units_of(u.text, unit)) names.insert(token);
  SpeechTokens out{{""}, unit};
  out.names.insert(out.names.end(), names.begin(), names.end());
  return out;
}

std::vector<int64_t> SpeechTokens::encode(const std::string& text) const {
  std::vector<int64_t> out;
  for (const std::string& token : units_of(text, unit)) {
    const auto found = std::lower_bound(names.begin() + 1, names.end(), token);
    if (found == names.end() || *found != token)
      throw ValueError("'" + token + "' of \"" + text + "\" is nothing that the model writes");
    out.push_back(found - names.begin());
  }
  return out;
}

std::string SpeechTokens::decode(const std::vector<int64_t>& classes) const {
  std::string out;
  for (const int64_t c : classes)
    out += (unit == "characters" || out.empty() ? "" : " ") + names[static_cast<size_t>(c)];
  return out;
}

data::Samples speech_batches(const std::vector<Utterance>& all, const SpeechForm& form,
                             const SpeechTokens& tokens, const SpeechBatchOptions& options) {
  const auto drawer = std::make_shared<const Drawer>(all, form, tokens, options);
  std::vector<data::Sample> positions;
  for (int64_t i = 0; i < drawer->size(); ++i) positions.push_back({{"position", i}});
  data::Samples samples = data::from_samples(std::move(positions));
  if (options.changes) samples = samples.shuffle(options.seed);
  const double rate = static_cast<double>(form.front_end.sample_rate);
  data::BatchOptions together;
  // Rounded up to quarters of a second, so that batches have one of few shapes.
  together.pad = {{.field = "samples",
                   .multiple = std::max<int64_t>(1, static_cast<int64_t>(rate / 4)),
                   .lengths = "sample_counts"},
                  {.field = "labels", .lengths = "label_counts"}};
  return samples
      .augment(options.seed,
               [drawer](Random& random, const data::Sample& s) {
                 return drawer->draw(random, s.integer("position"));
               })
      .batch(options.batch, together)
      .augment(options.seed, [drawer](Random& random, data::Sample s) {
        return drawer->featured(random, std::move(s));
      });
}

Tensor features_of(const Tensor& samples, const SpeechForm& form) {
  Tensor x = audio::FrontEnd::normalized(samples);
  if (form.window > 0) {
    const auto length = std::llround(form.window * static_cast<double>(form.front_end.sample_rate));
    x = from_vector(placed(x.data<float>(), length, (x.size(0) - length) / 2), {length});
  }
  return form.front_end(unsqueeze(x, 0));
}

}  // namespace glia::recipes
