// Augmentation of sound: waveforms f32 (..., T) and spectrograms f32 (..., F, T) of F frequencies,
// under torchaudio's names. Axes in front are channels or a batch, which are changed alike.
//
// All randomness is the data::Random that is given: that of data::augment() depends on the seed,
// the epoch and the position alone. Functions throw ShapeError for other tensors and ValueError for
// options out of range.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "glia/data.h"

namespace glia::audio {

// ---- Waveforms --------------------------------------------------------------------------------

struct ResampleOptions {
  int64_t lowpass_filter_width = 6;  // zero crossings of the sinc to each side
  double rolloff = 0.99;             // where the filter cuts off, in parts of the Nyquist frequency
};
// Band-limited interpolation (Smith, "Digital Audio Resampling") by a sinc in a Hann window, from
// one rate to another: T becomes ceil(T new_freq / orig_freq). As torchaudio.functional.resample.
Tensor resample(const Tensor& waveform, int64_t orig_freq, int64_t new_freq,
                const ResampleOptions& options = {}, Where where = Where::current());
// Played `factor` times as fast, so that pitch and tempo rise: T becomes about T / factor. The
// factor counts in hundredths.
Tensor speed(const Tensor& waveform, double factor, const ResampleOptions& options = {},
             Where where = Where::current());
// `samples` later (earlier, if below 0): what comes in is silence, or what went out.
Tensor time_shift(const Tensor& waveform, int64_t samples, bool wrap = false,
                  Where where = Where::current());
// The noise scaled so that 10 log10 of the ratio of energies over the last axis is `snr`, and
// added. Of a silent waveform or noise nothing is added.
Tensor add_noise(const Tensor& waveform, const Tensor& noise, double snr,
                 Where where = Where::current());

// One of the factors (Ko et al. 2015).
struct SpeedPerturbation {
  std::vector<double> factors = {0.9, 1.0, 1.1};
  Tensor operator()(data::Random& random, const Tensor& waveform) const;
};
// By up to a part of the length to either side.
struct RandomTimeShift {
  double most = 0.1;
  bool wrap = false;
  Tensor operator()(data::Random& random, const Tensor& waveform) const;
};
// White noise at a ratio of decibels between the two.
struct RandomNoise {
  std::pair<double, double> snr{10, 40};
  double p = 1;
  Tensor operator()(data::Random& random, const Tensor& waveform) const;
};

// ---- Spectrograms -----------------------------------------------------------------------------

// Frames [start, start + length), or frequencies, set to `value`.
Tensor mask_time(const Tensor& spectrogram, int64_t start, int64_t length, double value = 0,
                 Where where = Where::current());
Tensor mask_frequency(const Tensor& spectrogram, int64_t start, int64_t length, double value = 0,
                      Where where = Where::current());
// The frame `centre` comes to lie at centre + shift, and the parts before and behind it are
// stretched and squeezed, between frames linearly; the first and the last frame stay.
Tensor time_warp(const Tensor& spectrogram, int64_t centre, int64_t shift,
                 Where where = Where::current());

// A warp of time, then masks of frequencies and of time (Park et al. 2019); the defaults are their
// policy LibriSpeech double. Each mask's length is drawn evenly from 0 to its parameter, and then
// where it begins.
struct SpecAugment {
  int64_t time_warp = 80;  // the farthest that a frame is shifted, W; 0: not at all
  int64_t n_freq_masks = 2, freq_mask_param = 27;
  int64_t n_time_masks = 2, time_mask_param = 100;
  double p = 1;               // a time mask has at most this part of the frames
  bool zero_masking = false;  // masks are zeros, else the spectrogram's mean
  Tensor operator()(data::Random& random, const Tensor& spectrogram) const;
};

}  // namespace glia::audio
