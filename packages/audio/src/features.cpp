#include "glia/audio/features.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/ops/conv.h"

namespace glia::audio {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr int64_t kMost = 1 << 24;  // of rates, sizes of spectra, filters

void check_waveform(const char* op, const Tensor& x, Where where) {
  if (!x.defined() || !is_float(x.dtype()) || x.rank() < 1)
    fail(op,
         std::string("needs floats (..., T), not ") +
             (x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "nothing"),
         where);
}

void check_whole(const char* op, const char* what, int64_t value, int64_t low, Where where) {
  if (value < low || value > kMost)
    throw ValueError(std::string(op) + ": " + what + " is " + std::to_string(value), where);
}

void require(const char* op, bool fits, const std::string& fault, Where where) {
  if (!fits) throw ValueError(std::string(op) + ": " + fault, where);
}

// Triangles that rise and fall between each three of `edges`, at the points `at`.
Tensor triangles(int64_t bins, const std::vector<double>& edges, const std::vector<double>& at,
                 const std::vector<double>& scale) {
  const auto n_mels = static_cast<int64_t>(edges.size()) - 2;
  std::vector<double> weights(static_cast<size_t>(n_mels * bins));
  for (int64_t m = 0; m < n_mels; ++m)
    for (int64_t k = 0; k < bins; ++k) {
      const double up = (at[k] - edges[m]) / (edges[m + 1] - edges[m]);
      const double down = (edges[m + 2] - at[k]) / (edges[m + 2] - edges[m + 1]);
      weights[m * bins + k] = std::max(0.0, std::min(up, down)) * scale[m];
    }
  return from_vector(weights, {n_mels, bins});
}

// The first `rows` rows of the orthonormal cosine transform of type 2.
Tensor cosines(int64_t rows, int64_t n, double lifter, int64_t first) {
  std::vector<double> out(static_cast<size_t>(rows * n));
  for (int64_t k = 0; k < rows; ++k) {
    const double root = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(n));
    const double lift =
        lifter > 0 ? 1 + lifter / 2 * std::sin(kPi * static_cast<double>(k + first) / lifter) : 1;
    for (int64_t i = 0; i < n; ++i)
      out[k * n + i] = lift * root *
                       std::cos(kPi / static_cast<double>(n) * (static_cast<double>(i) + 0.5) *
                                static_cast<double>(k));
  }
  return from_vector(out, {rows, n});
}

Tensor power_of(const Complex& s, double power) {
  if (power == 2) return square(s.re) + square(s.im);
  const Tensor magnitude = abs(s);
  return power == 1 ? magnitude : pow(magnitude, power);
}

// The weights by which a window's numbers, `width` of them, are summed to the derivative of order
// `order` of the polynomial of that degree that fits them best: its monic polynomial orthogonal to
// all of lower degree, by Stieltjes' recurrence.
std::vector<double> slope_weights(int64_t width, int64_t order) {
  const auto n = static_cast<size_t>(width);
  std::vector<double> before(n), now(n, 1.0);
  double norm_before = 1;
  for (int64_t degree = 0; degree < order; ++degree) {
    double norm = 0;
    for (const double v : now) norm += v * v;
    std::vector<double> next(n);
    for (size_t i = 0; i < n; ++i) {
      const double x = static_cast<double>(i) - static_cast<double>(width - 1) / 2;
      next[i] = x * now[i] - (degree == 0 ? 0 : norm / norm_before * before[i]);
    }
    norm_before = norm;
    before = std::move(now);
    now = std::move(next);
  }
  double norm = 0;
  for (const double v : now) norm += v * v;
  const double factorial = std::tgamma(static_cast<double>(order) + 1);
  for (double& v : now) v *= factorial / norm;
  return now;
}

}  // namespace

// ---- Mel scales -------------------------------------------------------------------------------

namespace {
// Slaney: 200 / 3 Hz a mel up to 1,000 Hz, then 27 mels for a factor of 6.4.
constexpr double kLinear = 200.0 / 3, kKnee = 1000;
const double kStep = std::log(6.4) / 27;
}  // namespace

double hz_to_mel(double hz, MelScale scale) {
  if (scale == MelScale::kHtk) return 2595 * std::log10(1 + hz / 700);
  return hz < kKnee ? hz / kLinear : kKnee / kLinear + std::log(hz / kKnee) / kStep;
}

double mel_to_hz(double mel, MelScale scale) {
  if (scale == MelScale::kHtk) return 700 * (std::pow(10, mel / 2595) - 1);
  const double knee = kKnee / kLinear;
  return mel < knee ? mel * kLinear : kKnee * std::exp(kStep * (mel - knee));
}

Tensor mel_filters(int64_t sample_rate, int64_t n_fft, int64_t n_mels, const MelOptions& options) {
  const Where where = Where::current();
  check_whole("mel_filters", "the sample rate", sample_rate, 1, where);
  check_whole("mel_filters", "n_fft", n_fft, 1, where);
  check_whole("mel_filters", "n_mels", n_mels, 1, where);
  const auto rate = static_cast<double>(sample_rate);
  const double fmax = options.fmax.value_or(rate / 2);
  require("mel_filters", options.fmin >= 0 && fmax > options.fmin && fmax <= rate,
          "frequencies from " + std::to_string(options.fmin) + " to " + std::to_string(fmax) +
              " Hz at " + std::to_string(sample_rate) + " Hz",
          where);
  require("mel_filters", n_mels <= (int64_t{1} << 28) / (n_fft / 2 + 1),
          std::to_string(n_mels) + " filters of " + std::to_string(n_fft) + " numbers", where);
  const double low = hz_to_mel(options.fmin, options.scale), high = hz_to_mel(fmax, options.scale);
  std::vector<double> edges, scale, at;
  for (int64_t i = 0; i < n_mels + 2; ++i)
    edges.push_back(
        mel_to_hz(low + (high - low) * static_cast<double>(i) / static_cast<double>(n_mels + 1),
                  options.scale));
  for (int64_t m = 0; m < n_mels; ++m)
    scale.push_back(options.norm ? 2 / (edges[m + 2] - edges[m]) : 1);
  for (int64_t k = 0; k <= n_fft / 2; ++k)
    at.push_back(static_cast<double>(k) * rate / static_cast<double>(n_fft));
  return cast(triangles(n_fft / 2 + 1, edges, at, scale), kF32);
}

// ---- As librosa has them ----------------------------------------------------------------------

Tensor mel_spectrogram(const Tensor& waveform, const MelSpectrogramOptions& o, Where where) {
  check_waveform("mel_spectrogram", waveform, where);
  require("mel_spectrogram", o.power > 0 && std::isfinite(o.power),
          "a power of " + std::to_string(o.power), where);
  const Tensor filters = cast(mel_filters(o.sample_rate, o.n_fft, o.n_mels, o.mel),
                              waveform.dtype() == kF64 ? kF64 : kF32);
  const int64_t length = o.win_length.value_or(o.n_fft);
  require("mel_spectrogram", length >= 1 && length <= o.n_fft,
          "a window of " + std::to_string(length) + " in " + std::to_string(o.n_fft), where);
  const Tensor x = cast(waveform, filters.dtype());
  const Tensor rows = reshape(x, {-1, x.size(-1)});
  const Complex spectrum = stft(rows, o.n_fft,
                                {.hop_length = o.hop_length,
                                 .win_length = length,
                                 .window = hann_window(length, true, x.dtype()),
                                 .center = o.center,
                                 .pad_mode = o.pad_mode},
                                where);
  const Tensor mels = matmul(filters, power_of(spectrum, o.power));
  Shape shape = x.shape();
  shape[shape.rank() - 1] = o.n_mels;
  shape.push_back(mels.size(-1));
  return reshape(mels, shape);
}

Tensor power_to_db(const Tensor& power, const DecibelOptions& o, Where where) {
  require_defined("power_to_db", power, where);
  require("power_to_db", o.amin > 0 && o.ref != 0 && !(o.top_db && *o.top_db < 0),
          "amin is " + std::to_string(o.amin) + " and ref " + std::to_string(o.ref), where);
  const double reference = 10 * std::log10(std::max(o.amin, std::abs(o.ref)));
  const Tensor db = log(maximum(power, o.amin)) * (10 / std::numbers::ln10) - reference;
  return o.top_db && power.numel() > 0 ? maximum(db, max(db) - *o.top_db) : db;
}

Tensor log_mel(const Tensor& waveform, const MelSpectrogramOptions& options,
               const DecibelOptions& decibels, Where where) {
  return power_to_db(mel_spectrogram(waveform, options, where), decibels, where);
}

Tensor mfcc(const Tensor& waveform, const MfccOptions& o, Where where) {
  check_whole("mfcc", "n_mfcc", o.n_mfcc, 1, where);
  require("mfcc", o.n_mfcc <= o.spectrogram.n_mels && o.lifter >= 0,
          std::to_string(o.n_mfcc) + " cepstra of " + std::to_string(o.spectrogram.n_mels) +
              " mels, a lifter of " + std::to_string(o.lifter),
          where);
  const Tensor mels = log_mel(waveform, o.spectrogram, {}, where);
  return matmul(cast(cosines(o.n_mfcc, o.spectrogram.n_mels, o.lifter, 1), mels.dtype()), mels);
}

Tensor preemphasis(const Tensor& waveform, double coef, std::optional<double> zi, Where where) {
  check_waveform("preemphasis", waveform, where);
  const int64_t n = waveform.size(-1);
  if (n < 2 && !zi) fail("preemphasis", std::to_string(n) + " samples have no slope", where);
  if (n == 0) return waveform;
  const Tensor first = slice(waveform, -1, {0, 1});
  const Tensor state = zi ? zeros_like(first) + *zi : 2 * first - slice(waveform, -1, {1, 2});
  return waveform + concat({state, -coef * slice(waveform, -1, {0, n - 1})}, -1);
}

Tensor delta(const Tensor& x, int64_t width, int64_t order, int axis, DeltaMode mode, Where where) {
  require_defined("delta", x, where);
  if (!is_float(x.dtype()) || x.rank() < 1) fail("delta", "needs floats (..., T)", where);
  check_whole("delta", "the width", width, 3, where);
  require("delta", width % 2 == 1, "a width of " + std::to_string(width) + " is not odd", where);
  require("delta", order >= 1 && order < width && order <= 20,
          "an order of " + std::to_string(order) + " in a width of " + std::to_string(width),
          where);
  const int along = checked_axis("delta", axis, x.rank(), where);
  const int64_t half = width / 2;
  const auto padded = [&](const Tensor& t) {
    std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(t.rank()));
    pads.back() = {half, half};
    return pad(t, pads, PadMode::kReplicate);
  };
  Tensor line = swapaxes(x, along, -1);
  const bool interpolates = mode == DeltaMode::kInterp;
  if (line.size(-1) < (interpolates ? width : 1))
    fail("delta",
         std::to_string(line.size(-1)) + " numbers for a width of " + std::to_string(width), where);
  if (!interpolates) line = padded(line);
  const Tensor weights = cast(from_vector(slope_weights(width, order), {width, 1}), line.dtype());
  Tensor out = squeeze(matmul(unfold(line, -1, width, 1), weights), -1);
  if (interpolates) out = padded(out);
  return swapaxes(out, along, -1);
}

Tensor cmvn(const Tensor& x, int axis, const CmvnOptions& options, Where where) {
  require_defined("cmvn", x, where);
  const Axes along{checked_axis("cmvn", axis, x.rank(), where)};
  const Tensor centred = x - mean(x, along, true, where);
  if (!options.norm_vars) return centred;
  return centred * rsqrt(mean(square(centred), along, true, where) + options.eps);
}

// ---- As Kaldi has them ------------------------------------------------------------------------

int64_t FrameOptions::length() const {
  return static_cast<int64_t>(static_cast<double>(sample_rate) * 0.001 * frame_length);
}
int64_t FrameOptions::shift() const {
  return static_cast<int64_t>(static_cast<double>(sample_rate) * 0.001 * frame_shift);
}

namespace {

Tensor kaldi_window(const FrameOptions& o, int64_t n, DType dtype) {
  switch (o.window) {
    case KaldiWindow::kPovey:
      return pow(hann_window(n, false, dtype), 0.85);
    case KaldiWindow::kHanning:
      return hann_window(n, false, dtype);
    case KaldiWindow::kHamming:
      return hamming_window(n, false, 0.54, 0.46, dtype);
    case KaldiWindow::kBlackman:
      return blackman_window(n, false, dtype);
    case KaldiWindow::kRectangular:
      break;
  }
  return ones({n}, dtype);
}

// (..., T) -> (..., frames, length), each without its mean.
Tensor frames_of(const char* op, const Tensor& x, const FrameOptions& o, Where where) {
  check_whole(op, "the sample rate", o.sample_rate, 1, where);
  require(op,
          o.frame_length > 0 && o.frame_length < 1e6 && o.frame_shift > 0 && o.frame_shift < 1e6,
          "frames of " + std::to_string(o.frame_length) + " ms each " +
              std::to_string(o.frame_shift) + " ms",
          where);
  const int64_t length = o.length(), shift = o.shift(), count = x.size(-1);
  check_whole(op, "a frame's length in samples", length, 2, where);
  check_whole(op, "the frames' shift in samples", shift, 1, where);
  if (count < (o.snip_edges ? length : std::max<int64_t>(shift - shift / 2, 1)))
    fail(op, std::to_string(count) + " samples are less than a frame", where);
  Tensor line = x;
  if (!o.snip_edges) {
    // As many frames as there are shifts, their middles in those of the shifts; beyond the ends
    // the samples go back.
    const int64_t frames = (count + shift / 2) / shift, first = shift / 2 - length / 2;
    std::vector<int64_t> at;
    for (int64_t i = first; i < first + (frames - 1) * shift + length; ++i) {
      const int64_t period = ((i % (2 * count)) + 2 * count) % (2 * count);
      at.push_back(period < count ? period : 2 * count - 1 - period);
    }
    line = take(x, from_vector(at, {static_cast<int64_t>(at.size())}), -1);
  }
  const Tensor frames = unfold(line, -1, length, shift);
  return o.remove_dc_offset ? frames - mean(frames, {-1}, true) : frames;
}

// Kaldi's triangles are straight over mels, and the number of half the rate counts for none.
Tensor kaldi_filters(const FbankOptions& o, int64_t n_fft, Where where) {
  check_whole("fbank", "num_bins", o.num_bins, 1, where);
  const auto rate = static_cast<double>(o.frames.sample_rate);
  const double high = o.high_freq > 0 ? o.high_freq : rate / 2 + o.high_freq;
  require("fbank", o.low_freq >= 0 && high > o.low_freq && high <= rate / 2,
          "frequencies from " + std::to_string(o.low_freq) + " to " + std::to_string(high) +
              " Hz at " + std::to_string(o.frames.sample_rate) + " Hz",
          where);
  const auto mel = [](double hz) { return 1127 * std::log1p(hz / 700); };
  const double low_mel = mel(o.low_freq), high_mel = mel(high);
  std::vector<double> edges, at;
  for (int64_t i = 0; i < o.num_bins + 2; ++i)
    edges.push_back(low_mel + (high_mel - low_mel) * static_cast<double>(i) /
                                  static_cast<double>(o.num_bins + 1));
  for (int64_t k = 0; k <= n_fft / 2; ++k)
    at.push_back(mel(rate * static_cast<double>(k) / static_cast<double>(n_fft)));
  return triangles(n_fft / 2 + 1, edges, at,
                   std::vector<double>(static_cast<size_t>(o.num_bins), 1.0));
}

// The mel energies of frames that have been cut.
Tensor energies_of(const Tensor& frames, const FbankOptions& o, Where where) {
  const FrameOptions& f = o.frames;
  require("fbank", o.floor > 0 || !o.use_log, "a floor of " + std::to_string(o.floor), where);
  const int64_t length = frames.size(-1);
  int64_t n_fft = length;
  if (f.round_to_power_of_two)
    for (n_fft = 1; n_fft < length;) n_fft *= 2;
  Tensor x = frames;
  if (f.preemphasis != 0)
    x = x - f.preemphasis * concat({slice(x, -1, {0, 1}), slice(x, -1, {0, length - 1})}, -1);
  x = x * kaldi_window(f, length, x.dtype());
  const Tensor spectrum = power_of(fft::rfft(x, n_fft), o.use_power ? 2 : 1);
  const Tensor filters = cast(kaldi_filters(o, n_fft, where), x.dtype());
  const Tensor mels = matmul(spectrum, transpose(filters));
  return o.use_log ? log(maximum(mels, o.floor)) : mels;
}

}  // namespace

Tensor fbank(const Tensor& waveform, const FbankOptions& options, Where where) {
  check_waveform("fbank", waveform, where);
  const Tensor x = cast(waveform, waveform.dtype() == kF64 ? kF64 : kF32);
  return energies_of(frames_of("fbank", x, options.frames, where), options, where);
}

Tensor kaldi_mfcc(const Tensor& waveform, const KaldiMfccOptions& o, Where where) {
  check_waveform("kaldi_mfcc", waveform, where);
  check_whole("kaldi_mfcc", "num_ceps", o.num_ceps, 1, where);
  require("kaldi_mfcc", o.num_ceps <= o.fbank.num_bins && o.cepstral_lifter >= 0 && o.fbank.use_log,
          std::to_string(o.num_ceps) + " cepstra of " + std::to_string(o.fbank.num_bins) +
              (o.fbank.use_log ? " bins" : " bins without a logarithm"),
          where);
  const Tensor x = cast(waveform, waveform.dtype() == kF64 ? kF64 : kF32);
  const Tensor frames = frames_of("kaldi_mfcc", x, o.fbank.frames, where);
  const Tensor mels = energies_of(frames, o.fbank, where);
  const Tensor matrix =
      cast(cosines(o.num_ceps, o.fbank.num_bins, o.cepstral_lifter, 0), mels.dtype());
  const Tensor cepstra = matmul(mels, transpose(matrix));
  if (!o.use_energy) return cepstra;
  const Tensor energy =
      log(maximum(sum(square(frames), {-1}, true), double{std::numeric_limits<float>::epsilon()}));
  return concat({energy, slice(cepstra, -1, {1, o.num_ceps})}, -1);
}

}  // namespace glia::audio
