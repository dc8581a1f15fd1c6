// Models that hear words in sound as it comes, from a microphone's pipe or a file: what `glia
// listen` uses. A predictor that is a Listens does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace glia::recipes {

struct ListenOptions {
  // Of raw samples; 0: the stream begins as a WAV file does.
  int64_t raw_rate = 0;
  int64_t raw_channels = 1;
  std::string raw_type = "s16";  // or u8, s24, s32, f32; little-endian
  double hop = 0.08;       // seconds from look to look: how far it is behind the sound at most
  double threshold = 0.8;  // the least probability of a word
};

struct Heard {
  double time = 0;  // seconds of sound that had come when the word was told
  std::string word;
  double probability = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The words that end in these bytes. Throws IoError for a stream that is no sound.
  virtual std::vector<Heard> push(std::string_view bytes) = 0;
  virtual std::vector<Heard> finish() = 0;
  virtual double seconds() const = 0;  // of sound that has come
};

class Listens {
 public:
  virtual ~Listens() = default;
  // Throws ValueError for options out of range, and for a model that hears no single words.
  virtual std::unique_ptr<Listener> listen(const ListenOptions& options) const = 0;
};

}  // namespace glia::recipes
