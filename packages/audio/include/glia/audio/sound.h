// Sound files: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU and whatever else libsndfile knows.
//
// Samples are f32 (channels, T), full scale being 1. Every failure is an IoError of one line,
// "FILE: fault": a file that ends before what its header says, holds NaN, or more samples than it
// may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "glia/tensor.h"

namespace glia::audio {

struct Sound {
  Tensor samples;           // f32 (channels, T)
  int64_t sample_rate = 0;  // in Hz

  double seconds() const {
    return static_cast<double>(samples.size(1)) / static_cast<double>(sample_rate);
  }
};

// What a file says of itself.
struct SoundInfo {
  int64_t sample_rate = 0, channels = 0, frames = 0;
  std::string format;    // "WAV (Microsoft)"
  std::string encoding;  // "Signed 16 bit PCM"
};

struct ReadSoundOptions {
  int64_t sample_rate = 0;          // resampled to this; 0: as it is
  bool mono = false;                // the mean of all channels
  int64_t offset = 0;               // samples that are passed over, at the file's own rate
  int64_t frames = -1;              // and how many are read then; below 0: all
  int64_t most = int64_t{1} << 30;  // of all channels; a file of more is refused
};

SoundInfo sound_info(const std::string& path);
Sound read_sound(const std::string& path, const ReadSoundOptions& options = {});
// The same of a file's bytes; `name` is what errors call it.
Sound decode_sound(std::string_view bytes, const ReadSoundOptions& options = {},
                   const std::string& name = "sound");

struct WriteSoundOptions {
  // "wav", "flac", "ogg" (Vorbis), "opus" or "mp3"; empty: by the file's ending.
  std::string format = {};
  int64_t bits = 16;  // of wav 8, 16, 24 or 32, of flac 8, 16 or 24; wav of 0 bits is f32
  // Of ogg, opus and mp3: 0 the smallest file, 1 the best sound.
  double quality = 0.4;
};
// Samples f32 (channels, T) or (T). What is beyond full scale is clipped, but in f32.
void write_sound(const std::string& path, const Tensor& samples, int64_t sample_rate,
                 const WriteSoundOptions& options = {});
std::string encode_sound(const Tensor& samples, int64_t sample_rate,
                         const WriteSoundOptions& options);

}  // namespace glia::audio
