// Sets of spoken utterances: those of the catalogue, and the user's own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/catalogue.h"
#include "glia/tensor.h"

namespace glia::audio {

struct Utterance {
  Tensor samples;        // f32 (T), one channel
  std::string text;      // what is said, words with a space between them
  std::string speaker;   // who says it, if that is known
  std::string name;      // of the file
  bool is_test = false;  // it is kept for the test
};
struct Utterances {
  std::vector<Utterance> all;
  int64_t sample_rate = 0;
};

// The Free Spoken Digit Dataset: 3,000 recordings "zero" to "nine" of six speakers at 8 kHz, of
// which the takes 0 to 4 of each digit and speaker are the test. From recordings.tar.gz; the folder
// as for data::find(). Throws IoError.
Utterances fsdd(const std::string& folder = "");
// Spoken commands (Warden 2018): ten words, "_silence_", and "_unknown_" for others, at 16 kHz,
// from commands.tar. A fifth of the speakers, by their names, is the test.
Utterances spoken_commands(const std::string& folder = "");
// A table FILE TAB TEXT, and behind it SPEAKER and SPLIT ("train" or "test") if there are such: a
// first line with these names says the order of columns. Files are found from the table's folder,
// resampled, and of several channels the mean is taken; a sample_rate of 0 is that of the first.
// Without a column SPLIT, `test_share` of the speakers, or of the lines without speakers, are the
// test, by their names. Throws IoError, "FILE: line N: fault".
Utterances read_manifest(const std::string& path, int64_t sample_rate = 16000,
                         double test_share = 0.1);

}  // namespace glia::audio
