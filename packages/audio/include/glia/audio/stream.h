// Sound that comes in piece by piece: from a pipe, resampled on the way, and heard as it comes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glia/audio/models.h"

namespace glia::audio {

// Of raw samples, as `arecord -t raw` writes them; all little-endian.
enum class SampleType { kU8, kS16, kS24, kS32, kF32 };
struct StreamFormat {
  int64_t sample_rate = 16000, channels = 1;
  SampleType type = SampleType::kS16;
};

// Bytes of a WAV stream, whatever its header says of its length, or raw ones, turned into samples.
class SoundStream {
 public:
  // Without a format the bytes must begin as a WAV file does. `name` is what errors call it.
  explicit SoundStream(const std::optional<StreamFormat>& format = {},
                       const std::string& name = "stream");
  // The mean over channels of all samples that are whole now; the rest waits for more. Throws
  // IoError for a header that is none, and another encoding.
  std::vector<float> push(std::string_view bytes);
  // Known once the header is.
  const std::optional<StreamFormat>& format() const { return format_; }

 private:
  void read_header();

  std::string name_, waiting_;
  std::optional<StreamFormat> format_;
  int64_t left_ = -1;  // bytes of samples; below 0: until the end
};

// resample() of sound that comes in pieces: together they are what it makes of the whole, a few
// samples later.
class StreamResampler {
 public:
  StreamResampler(int64_t orig_freq, int64_t new_freq);
  std::vector<float> push(const std::vector<float>& samples);
  std::vector<float> finish();  // what is still to come

 private:
  std::vector<float> made(int64_t until, int64_t end);

  int64_t from_, to_, ahead_;     // in lowest terms; how far a filter reaches
  std::vector<float> kept_;       // samples from `start_` on
  int64_t start_ = 0, done_ = 0;  // samples that are behind; input positions that are made
};

struct WordSpotterOptions {
  double hop = 0.08;       // seconds between two looks: how far it is behind the sound at most
  double threshold = 0.8;  // the least probability of a word
  int64_t looks = 3;       // whose mean probability counts
  double pause = 0.8;      // seconds in which a word is not told again
  std::vector<std::string> ignored = {"_silence_", "_unknown_"};  // classes that are no event
  double least_power = 1e-7;  // mean square below which nothing is looked at; full scale is 1
};
struct WordEvent {
  double time = 0;  // seconds of sound heard when it was told
  std::string word;
  double probability = 0;
};
// Looks at the last second, or whatever the window is, again and again, and tells of words. The
// network should be in evaluation mode.
class WordSpotter {
 public:
  WordSpotter(const WordNet& net, const FrontEnd& front_end,
              const std::vector<std::string>& classes, double window = 1,
              const WordSpotterOptions& options = {});
  // The words that end in these samples, which are at the front end's rate.
  std::vector<WordEvent> push(const std::vector<float>& samples);
  double heard() const;   // seconds pushed
  double looked() const;  // seconds up to which was looked: never `hop` or more behind

 private:
  void look(std::vector<WordEvent>& events);

  WordNet net_;
  FrontEnd front_end_;
  std::vector<std::string> classes_;
  WordSpotterOptions options_;
  int64_t window_, hop_;
  std::vector<float> ring_;                // the last window, oldest first
  int64_t heard_ = 0, looked_ = 0;         // samples
  std::vector<std::vector<double>> last_;  // probabilities of the last looks
  std::string told_;
  double told_at_ = -1e9;
};

}  // namespace glia::audio
