// Features of sound: mel spectra and cepstra, as librosa has them and as Kaldi has them, and what
// is done to both. Waveforms are floats (..., T); axes in front are channels or a batch.
//
// All of it is composed of Glia's operations: it is computed in the plan of the model that reads
// it, and has gradients of any order. Functions throw ShapeError for tensors and ValueError for
// options that do not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "glia/fft.h"
#include "glia/tensor.h"

namespace glia::audio {

// ---- Mel scales -------------------------------------------------------------------------------

// Slaney's "Auditory Toolbox": straight up to 1,000 Hz and logarithmic above; and HTK's 2595
// log10(1 + f / 700).
enum class MelScale { kSlaney, kHtk };
double hz_to_mel(double hz, MelScale scale = MelScale::kSlaney);
double mel_to_hz(double mel, MelScale scale = MelScale::kSlaney);

struct MelOptions {
  double fmin = 0;                  // Hz, where the first triangle begins
  std::optional<double> fmax = {};  // where the last one ends; unset: half the rate
  MelScale scale = MelScale::kSlaney;
  bool norm = true;  // each triangle's area is the same (Slaney), else its height is 1
};
// Triangles over the numbers of a spectrum: (n_mels, n_fft / 2 + 1), librosa.filters.mel.
Tensor mel_filters(int64_t sample_rate, int64_t n_fft, int64_t n_mels = 128,
                   const MelOptions& options = {});

// ---- As librosa has them ----------------------------------------------------------------------

struct MelSpectrogramOptions {
  int64_t sample_rate = 22050, n_fft = 2048, hop_length = 512;
  std::optional<int64_t> win_length = {};  // a Hann window; unset: n_fft
  int64_t n_mels = 128;
  MelOptions mel = {};
  double power = 2;  // 1: magnitudes
  bool center = true;
  StftPad pad_mode = StftPad::kConstant;
};
// (..., T) -> (..., n_mels, frames): librosa.feature.melspectrogram.
Tensor mel_spectrogram(const Tensor& waveform, const MelSpectrogramOptions& options = {},
                       Where where = Where::current());

struct DecibelOptions {
  double ref = 1, amin = 1e-10;
  std::optional<double> top_db = 80;  // nothing is farther below the largest of all than this
};
// 10 log10(max(x, amin) / ref): librosa.power_to_db.
Tensor power_to_db(const Tensor& power, const DecibelOptions& options = {},
                   Where where = Where::current());
// mel_spectrogram() in decibels.
Tensor log_mel(const Tensor& waveform, const MelSpectrogramOptions& options = {},
               const DecibelOptions& decibels = {}, Where where = Where::current());

struct MfccOptions {
  int64_t n_mfcc = 20;
  MelSpectrogramOptions spectrogram = {};
  double lifter = 0;  // L: cepstrum n is multiplied by 1 + L / 2 sin(pi (n + 1) / L)
};
// (..., T) -> (..., n_mfcc, frames): librosa.feature.mfcc (Davis & Mermelstein 1980).
Tensor mfcc(const Tensor& waveform, const MfccOptions& options = {},
            Where where = Where::current());

// y[t] = x[t] - coef x[t - 1]. What stands before the first, `zi`, is added to it: unset, as in
// librosa, 2 x[0] - x[1]; 0: nothing.
Tensor preemphasis(const Tensor& waveform, double coef = 0.97, std::optional<double> zi = {},
                   Where where = Where::current());

enum class DeltaMode {
  kInterp,   // the ends have the slope of the first and the last window (librosa's default)
  kNearest,  // the ends are repeated (Kaldi, torchaudio)
};
// How fast x changes along an axis: the derivative of that order of the polynomial that fits
// `width` numbers best (Savitzky & Golay 1964). librosa.feature.delta.
Tensor delta(const Tensor& x, int64_t width = 9, int64_t order = 1, int axis = -1,
             DeltaMode mode = DeltaMode::kInterp, Where where = Where::current());

struct CmvnOptions {
  bool norm_vars = true;  // deviations become 1, else only means 0
  double eps = 1e-8;      // added to the variance
};
// Mean, and deviation, over time taken out: features (..., frames, F) along axis -2.
Tensor cmvn(const Tensor& x, int axis = -2, const CmvnOptions& options = {},
            Where where = Where::current());

// ---- As Kaldi has them ------------------------------------------------------------------------
// Frames are rows: (..., T) -> (..., frames, features). There is no dither. Kaldi's own samples are
// 16-bit integers: multiply by 32768 for its numbers.

enum class KaldiWindow { kPovey, kHanning, kHamming, kRectangular, kBlackman };
struct FrameOptions {
  int64_t sample_rate = 16000;
  double frame_length = 25, frame_shift = 10;  // milliseconds
  double preemphasis = 0.97;
  bool remove_dc_offset = true;
  KaldiWindow window = KaldiWindow::kPovey;  // Povey's is Hann's to the power 0.85
  bool round_to_power_of_two = true;         // the spectrum's length
  bool snip_edges = true;  // only frames that lie within, else as many as shifts, ends mirrored

  int64_t length() const;  // of a frame, in samples
  int64_t shift() const;
};
struct FbankOptions {
  FrameOptions frames = {};
  int64_t num_bins = 23;
  double low_freq = 20, high_freq = 0;  // Hz; 0 and below: from half the rate
  bool use_power = true;                // else magnitudes
  bool use_log = true;
  double floor = 1.1920929e-07;  // of what the logarithm is taken of
};
Tensor fbank(const Tensor& waveform, const FbankOptions& options = {},
             Where where = Where::current());

struct KaldiMfccOptions {
  FbankOptions fbank = {};
  int64_t num_ceps = 13;
  double cepstral_lifter = 22;
  bool use_energy = true;  // the frame's log energy instead of number 0
};
Tensor kaldi_mfcc(const Tensor& waveform, const KaldiMfccOptions& options = {},
                  Where where = Where::current());

}  // namespace glia::audio
