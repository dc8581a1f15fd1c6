#include "speech_listener.h"

#include <map>
#include <optional>

#include "glia/audio/stream.h"
#include "glia/error.h"

namespace glia::recipes {
namespace {

class WordListener : public Listener {
 public:
  WordListener(const audio::WordNet& net, const SpeechForm& form, const SpeechTokens& tokens,
               const ListenOptions& options)
      : rate_(form.front_end.sample_rate),
        stream_(format_of(options), "the stream"),
        spotter_(net, form.front_end, {tokens.names.begin() + 1, tokens.names.end()}, form.window,
                 {.hop = options.hop, .threshold = options.threshold}) {}

  std::vector<Heard> push(std::string_view bytes) override {
    const std::vector<float> samples = stream_.push(bytes);
    if (!stream_.format()) return {};
    if (!resampler_) resampler_.emplace(stream_.format()->sample_rate, rate_);
    return heard(resampler_->push(samples));
  }
  std::vector<Heard> finish() override {
    if (!stream_.format()) throw IoError("the stream ends before its header");
    if (!resampler_) return {};
    return heard(resampler_->finish());
  }
  double seconds() const override { return spotter_.heard(); }

 private:
  static std::optional<audio::StreamFormat> format_of(const ListenOptions& o) {
    if (o.raw_rate == 0) return {};
    const std::map<std::string, audio::SampleType> types = {{"u8", audio::SampleType::kU8},
                                                            {"s16", audio::SampleType::kS16},
                                                            {"s24", audio::SampleType::kS24},
                                                            {"s32", audio::SampleType::kS32},
                                                            {"f32", audio::SampleType::kF32}};
    const auto found = types.find(o.raw_type);
    if (found == types.end())
      throw ValueError("listen: '" + o.raw_type + "' is none of u8, s16, s24, s32, f32");
    return audio::StreamFormat{o.raw_rate, o.raw_channels, found->second};
  }
  std::vector<Heard> heard(const std::vector<float>& samples) {
    std::vector<Heard> out;
    for (const audio::WordEvent& e : spotter_.push(samples))
      out.push_back({e.time, e.word, e.probability});
    return out;
  }

  const int64_t rate_;
  audio::SoundStream stream_;
  std::optional<audio::StreamResampler> resampler_;
  audio::WordSpotter spotter_;
};

}  // namespace

std::unique_ptr<Listener> make_listener(const SpeechModel& model, const SpeechForm& form,
                                        const SpeechTokens& tokens, const ListenOptions& options) {
  const audio::WordNet* net = model.word_net();
  if (!net)
    throw ValueError("listen: the model hears whole utterances; train one with --model cnn");
  return std::make_unique<WordListener>(*net, form, tokens, options);
}

}  // namespace glia::recipes
