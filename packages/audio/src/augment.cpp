#include "glia/audio/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::audio {
namespace {

constexpr int64_t kMostRate = int64_t{1} << 31;

void check_rank(const char* op, const Tensor& x, int rank, Where where) {
  if (!x.defined() || x.dtype() != kF32 || x.rank() < rank || x.numel() == 0)
    throw ShapeError(std::string(op) + ": needs f32 " + (rank == 1 ? "(..., T)" : "(..., F, T)") +
                         ", not " +
                         (x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "nothing"),
                     where);
}

void check_between(const char* op, const char* what, double value, double low, double high,
                   Where where) {
  if (!(value >= low && value <= high))
    throw ValueError(std::string(op) + ": " + what + " " + std::to_string(value) +
                         " is not between " + std::to_string(low) + " and " + std::to_string(high),
                     where);
}

// A copy of x in which f(row) has changed each row along the last axis.
template <class F>
Tensor by_row(const Tensor& x, F&& f) {
  const auto from = x.data<float>();
  const auto length = static_cast<size_t>(x.size(-1));
  std::vector<float> out(from.begin(), from.end());
  for (size_t i = 0; i < out.size(); i += length)
    f(std::span(out).subspan(i, length), from.subspan(i, length));
  return from_vector(out, x.shape());
}

// The filters of a change of rate from `from` to `to`, which have no common divisor: `to` of them,
// each of up to 2 width + from weights, of which only those within the window are kept.
struct Filter {
  int64_t first = 0;  // which of them comes first
  std::vector<double> weights = {};
};
struct Filters {
  int64_t width = 0;
  std::vector<Filter> phases = {};
};
Filters filters(int64_t from, int64_t to, const ResampleOptions& o) {
  const double cut = static_cast<double>(std::min(from, to)) * o.rolloff;
  const auto crossings = static_cast<double>(o.lowpass_filter_width);
  Filters out;
  out.width = static_cast<int64_t>(std::ceil(crossings * static_cast<double>(from) / cut));
  for (int64_t phase = 0; phase < to; ++phase) {
    Filter filter;
    for (int64_t i = 0; i < 2 * out.width + from; ++i) {
      const double time = static_cast<double>(i - out.width) / static_cast<double>(from) -
                          static_cast<double>(phase) / static_cast<double>(to);
      const double t = time * cut;
      if (std::abs(t) >= crossings) continue;  // in one piece: before and behind the window
      const double window = std::cos(t * std::numbers::pi / crossings / 2);
      const double angle = t * std::numbers::pi;
      const double sinc = angle == 0 ? 1 : std::sin(angle) / angle;
      if (filter.weights.empty()) filter.first = i;
      filter.weights.push_back(sinc * window * window * cut / static_cast<double>(from));
    }
    out.phases.push_back(std::move(filter));
  }
  return out;
}

double energy(std::span<const float> row) {
  double sum = 0;
  for (const float v : row) sum += double{v} * v;
  return sum;
}

double between(data::Random& random, const std::pair<double, double>& range) {
  return range.first + (range.second - range.first) * random.uniform();
}

// x with [start, start + length) of its last or last but one axis set to `value`.
Tensor masked(const char* op, const Tensor& x, int axis, int64_t start, int64_t length,
              double value, Where where) {
  check_rank(op, x, 2, where);
  const int64_t frequencies = x.size(-2), frames = x.size(-1);
  const int64_t size = axis == -1 ? frames : frequencies;
  if (start < 0 || length < 0 || length > size || start > size - length)
    throw ValueError(std::string(op) + ": " + std::to_string(length) + " from " +
                         std::to_string(start) + " on are not all of the " + std::to_string(size),
                     where);
  const auto from = x.data<float>();
  std::vector<float> out(from.begin(), from.end());
  for (int64_t i = 0; i < x.numel() / frames; ++i)
    for (int64_t t = 0; t < frames; ++t) {
      const int64_t at = axis == -1 ? t : i % frequencies;
      if (at >= start && at < start + length) out[i * frames + t] = static_cast<float>(value);
    }
  return from_vector(out, x.shape());
}

}  // namespace

Tensor resample(const Tensor& waveform, int64_t orig_freq, int64_t new_freq,
                const ResampleOptions& options, Where where) {
  check_rank("resample", waveform, 1, where);
  if (orig_freq < 1 || new_freq < 1 || orig_freq > kMostRate || new_freq > kMostRate)
    throw ValueError(
        "resample: rates of " + std::to_string(orig_freq) + " and " + std::to_string(new_freq),
        where);
  if (options.lowpass_filter_width < 1 || options.lowpass_filter_width > 1000)
    throw ValueError(
        "resample: a lowpass_filter_width of " + std::to_string(options.lowpass_filter_width),
        where);
  check_between("resample", "a rolloff of", options.rolloff, 0.1, 1, where);
  const int64_t divisor = std::gcd(orig_freq, new_freq);
  const int64_t from = orig_freq / divisor, to = new_freq / divisor;
  if (from == to) return waveform;
  // Rates with next to no common divisor need a filter for each of so many phases.
  constexpr int64_t kMostWeights = int64_t{1} << 26;
  if (to > kMostWeights / (4 * (options.lowpass_filter_width + 1) * std::max(from, to)))
    throw ValueError("resample: " + std::to_string(from) + " to " + std::to_string(to) +
                         " has no common divisor that would keep the filters small",
                     where);
  const Filters f = filters(from, to, options);
  const int64_t length = waveform.size(-1);
  const int64_t out_length = (length * to + from - 1) / from;
  const int64_t rows = waveform.numel() / length;
  const auto in = waveform.data<float>();
  std::vector<float> out(static_cast<size_t>(rows * out_length));
  constexpr int64_t kTogether = 4096;
  const int64_t pieces = (out_length + kTogether - 1) / kTogether;
  parallel_for(rows * pieces, [&](int64_t piece) {
    const int64_t row = piece / pieces, first = piece % pieces * kTogether;
    const float* x = in.data() + row * length;
    for (int64_t i = first; i < std::min(out_length, first + kTogether); ++i) {
      const Filter& filter = f.phases[i % to];
      const int64_t start = i / to * from - f.width + filter.first;
      const int64_t end = std::min(static_cast<int64_t>(filter.weights.size()), length - start);
      double sum = 0;
      for (int64_t k = std::max<int64_t>(0, -start); k < end; ++k)
        sum += filter.weights[k] * x[start + k];
      out[row * out_length + i] = static_cast<float>(sum);
    }
  });
  Shape shape = waveform.shape();
  shape[shape.rank() - 1] = out_length;
  return from_vector(out, shape);
}

Tensor speed(const Tensor& waveform, double factor, const ResampleOptions& options, Where where) {
  check_between("speed", "a factor of", factor, 0.01, 100, where);
  constexpr int64_t kParts = 100;
  return resample(waveform, std::llround(factor * kParts), kParts, options, where);
}

Tensor time_shift(const Tensor& waveform, int64_t samples, bool wrap, Where where) {
  check_rank("time_shift", waveform, 1, where);
  const int64_t length = waveform.size(-1);
  const int64_t by =
      wrap ? (samples % length + length) % length : std::clamp(samples, -length, length);
  return by_row(waveform, [&](std::span<float> out, std::span<const float> in) {
    for (int64_t t = 0; t < length; ++t) {
      const int64_t at = wrap ? (t - by + length) % length : t - by;
      out[t] = at >= 0 && at < length ? in[at] : 0;
    }
  });
}

Tensor add_noise(const Tensor& waveform, const Tensor& noise, double snr, Where where) {
  check_rank("add_noise", waveform, 1, where);
  check_rank("add_noise", noise, 1, where);
  if (noise.shape() != waveform.shape())
    throw ShapeError(
        "add_noise: noise " + noise.shape().str() + " for a waveform " + waveform.shape().str(),
        where);
  check_between("add_noise", "a ratio of", snr, -300, 300, where);
  const auto noises = noise.data<float>();
  return by_row(waveform,
                [&, row = size_t{0}](std::span<float> out, std::span<const float> in) mutable {
                  const auto added = noises.subspan(row, in.size());
                  row += in.size();
                  const double of_noise = energy(added);
                  const double scale =
                      of_noise > 0 ? std::sqrt(energy(in) / of_noise) * std::pow(10, -snr / 20) : 0;
                  for (size_t t = 0; t < in.size(); ++t)
                    out[t] = static_cast<float>(in[t] + scale * added[t]);
                });
}

Tensor SpeedPerturbation::operator()(data::Random& random, const Tensor& waveform) const {
  if (factors.empty()) throw ValueError("SpeedPerturbation: there are no factors");
  return speed(waveform, factors[random.below(static_cast<int64_t>(factors.size()))]);
}

Tensor RandomTimeShift::operator()(data::Random& random, const Tensor& waveform) const {
  check_rank("RandomTimeShift", waveform, 1, Where::current());
  check_between("RandomTimeShift", "a part of", most, 0, 1, Where::current());
  const auto reach = static_cast<int64_t>(most * static_cast<double>(waveform.size(-1)));
  return time_shift(waveform, random.below(2 * reach + 1) - reach, wrap);
}

Tensor RandomNoise::operator()(data::Random& random, const Tensor& waveform) const {
  check_rank("RandomNoise", waveform, 1, Where::current());
  check_between("RandomNoise", "a probability of", p, 0, 1, Where::current());
  if (!(random.uniform() < p)) return waveform;
  const double ratio = between(random, snr);
  std::vector<float> noise(static_cast<size_t>(waveform.numel()));
  for (float& v : noise) {  // Box & Muller 1958
    const double radius = std::sqrt(-2 * std::log1p(-random.uniform()));
    v = static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.uniform()));
  }
  return add_noise(waveform, from_vector(noise, waveform.shape()), ratio);
}

Tensor mask_time(const Tensor& spectrogram, int64_t start, int64_t length, double value,
                 Where where) {
  return masked("mask_time", spectrogram, -1, start, length, value, where);
}

Tensor mask_frequency(const Tensor& spectrogram, int64_t start, int64_t length, double value,
                      Where where) {
  return masked("mask_frequency", spectrogram, -2, start, length, value, where);
}

Tensor time_warp(const Tensor& spectrogram, int64_t centre, int64_t shift, Where where) {
  check_rank("time_warp", spectrogram, 2, where);
  const int64_t frames = spectrogram.size(-1);
  if (centre < 1 || centre >= frames - 1 || shift <= -centre || shift >= frames - 1 - centre)
    throw ValueError("time_warp: frame " + std::to_string(centre) + " of " +
                         std::to_string(frames) + " cannot be shifted by " + std::to_string(shift),
                     where);
  const auto to = static_cast<double>(centre + shift), from = static_cast<double>(centre);
  const auto last = static_cast<double>(frames - 1);
  return by_row(spectrogram, [&](std::span<float> out, std::span<const float> in) {
    for (int64_t t = 0; t < frames; ++t) {
      const auto now = static_cast<double>(t);
      const double at =
          now <= to ? now * from / to : from + (now - to) * (last - from) / (last - to);
      const auto before = std::min(static_cast<int64_t>(at), frames - 2);
      const double part = at - static_cast<double>(before);
      out[t] = static_cast<float>((1 - part) * in[before] + part * in[before + 1]);
    }
  });
}

Tensor SpecAugment::operator()(data::Random& random, const Tensor& spectrogram) const {
  const Where where = Where::current();
  check_rank("SpecAugment", spectrogram, 2, where);
  for (const int64_t v : {time_warp, n_freq_masks, freq_mask_param, n_time_masks, time_mask_param})
    if (v < 0 || v > kMostRate)
      throw ValueError("SpecAugment: an option of " + std::to_string(v), where);
  check_between("SpecAugment", "a part of", p, 0, 1, where);
  const int64_t frequencies = spectrogram.size(-2), frames = spectrogram.size(-1);
  Tensor out = spectrogram;
  // The frame that is shifted is not nearer to an end than it may move.
  const int64_t reach = std::min(time_warp, (frames - 3) / 2);
  if (reach > 0) {
    const int64_t centre = reach + 1 + random.below(frames - 2 * reach - 2);
    out = audio::time_warp(out, centre, random.below(2 * reach + 1) - reach);
  }
  const double value = zero_masking ? 0 : mean(spectrogram).item();
  const auto drawn = [&](int64_t most, int64_t size) {
    const int64_t length = random.below(std::min(most, size) + 1);
    return std::pair{random.below(size - length + 1), length};
  };
  for (int64_t i = 0; i < n_freq_masks; ++i) {
    const auto [start, length] = drawn(freq_mask_param, frequencies);
    out = mask_frequency(out, start, length, value);
  }
  const auto part = static_cast<int64_t>(p * static_cast<double>(frames));
  for (int64_t i = 0; i < n_time_masks; ++i) {
    const auto [start, length] = drawn(std::min(time_mask_param, part), frames);
    out = mask_time(out, start, length, value);
  }
  return out;
}

}  // namespace glia::audio
