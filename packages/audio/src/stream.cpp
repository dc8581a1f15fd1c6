#include "glia/audio/stream.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "glia/audio/augment.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::audio {
namespace {

constexpr int64_t kMostRate = 1 << 24, kMostChannels = 1024;

int64_t bytes_of(SampleType type) {
  switch (type) {
    case SampleType::kU8:
      return 1;
    case SampleType::kS16:
      return 2;
    case SampleType::kS24:
      return 3;
    case SampleType::kS32:
    case SampleType::kF32:
      break;
  }
  return 4;
}

uint32_t number_at(std::string_view bytes, size_t at, int64_t size) {
  uint32_t v = 0;
  for (int64_t i = 0; i < size; ++i)
    v |= uint32_t{static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)])} << (8 * i);
  return v;
}

float sample_at(std::string_view bytes, size_t at, SampleType type) {
  const int64_t size = bytes_of(type);
  const uint32_t v = number_at(bytes, at, size);
  if (type == SampleType::kF32) return std::bit_cast<float>(v);
  if (type == SampleType::kU8) return (static_cast<float>(v) - 128) / 128;
  // The sign into the highest bit.
  return static_cast<float>(static_cast<int32_t>(v << (32 - 8 * size))) / 2147483648.0F;
}

void check_format(const StreamFormat& f, const std::string& name) {
  if (f.sample_rate < 1 || f.sample_rate > kMostRate || f.channels < 1 ||
      f.channels > kMostChannels)
    throw IoError(name + ": " + std::to_string(f.channels) + " channels of " +
                  std::to_string(f.sample_rate) + " samples a second");
}

}  // namespace

SoundStream::SoundStream(const std::optional<StreamFormat>& format, const std::string& name)
    : name_(name), format_(format) {
  if (format_) check_format(*format_, name_);
}

void SoundStream::read_header() {
  constexpr size_t kMostHeader = 1 << 20;
  if (waiting_.size() < 12) return;
  if (waiting_.compare(0, 4, "RIFF") != 0 || waiting_.compare(8, 4, "WAVE") != 0)
    throw IoError(name_ + ": no WAV stream, and nobody said what its samples are");
  std::optional<StreamFormat> format;
  for (size_t at = 12; at + 8 <= waiting_.size();) {
    const uint32_t size = number_at(waiting_, at + 4, 4);
    const std::string chunk = waiting_.substr(at, 4);
    if (chunk == "data") {
      if (!format) throw IoError(name_ + ": samples before their format");
      const bool known = size != 0 && size < 0x7ffff000U;
      left_ = known ? int64_t{size} : -1;
      waiting_.erase(0, at + 8);
      format_ = format;
      return;
    }
    if (size > kMostHeader)
      throw IoError(name_ + ": a chunk of " + std::to_string(size) + " bytes");
    if (at + 8 + size > waiting_.size()) break;
    if (chunk == "fmt ") {
      if (size < 16) throw IoError(name_ + ": a format of " + std::to_string(size) + " bytes");
      uint32_t code = number_at(waiting_, at + 8, 2);
      const uint32_t bits = number_at(waiting_, at + 22, 2);
      if (code == 0xfffe && size >= 26) code = number_at(waiting_, at + 32, 2);
      StreamFormat f{number_at(waiting_, at + 12, 4), number_at(waiting_, at + 10, 2), {}};
      if (code == 1 && bits == 8)
        f.type = SampleType::kU8;
      else if (code == 1 && bits == 16)
        f.type = SampleType::kS16;
      else if (code == 1 && bits == 24)
        f.type = SampleType::kS24;
      else if (code == 1 && bits == 32)
        f.type = SampleType::kS32;
      else if (code == 3 && bits == 32)
        f.type = SampleType::kF32;
      else
        throw IoError(name_ + ": samples of encoding " + std::to_string(code) + " with " +
                      std::to_string(bits) + " bits");
      check_format(f, name_);
      format = f;
    }
    at += 8 + size_t{size} + size % 2;
  }
  if (waiting_.size() > kMostHeader) throw IoError(name_ + ": a header without end");
}

std::vector<float> SoundStream::push(std::string_view bytes) {
  waiting_ += bytes;
  if (!format_) read_header();
  if (!format_) return {};
  const int64_t size = bytes_of(format_->type), channels = format_->channels;
  const auto there = static_cast<int64_t>(waiting_.size());
  const int64_t frames = (left_ < 0 ? there : std::min(there, left_)) / (size * channels);
  std::vector<float> out(static_cast<size_t>(frames));
  for (int64_t t = 0; t < frames; ++t) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c)
      sum += sample_at(waiting_, static_cast<size_t>((t * channels + c) * size), format_->type);
    if (!std::isfinite(sum)) throw IoError(name_ + ": a sample is no number");
    out[t] = static_cast<float>(sum / static_cast<double>(channels));
  }
  const int64_t used = frames * size * channels;
  waiting_.erase(0, static_cast<size_t>(used));
  if (left_ >= 0) left_ -= used;
  if (left_ >= 0 && left_ < size * channels) waiting_.clear();  // what stands behind is no sound
  return out;
}

// ---- Another rate -------------------------------------------------------------------------------

StreamResampler::StreamResampler(int64_t orig_freq, int64_t new_freq) {
  if (orig_freq < 1 || new_freq < 1 || orig_freq > kMostRate || new_freq > kMostRate)
    throw ValueError("StreamResampler: rates of " + std::to_string(orig_freq) + " and " +
                     std::to_string(new_freq));
  const int64_t divisor = std::gcd(orig_freq, new_freq);
  from_ = orig_freq / divisor, to_ = new_freq / divisor;
  // Zero crossings of the sinc to each side, at the lower rate, and the filter's own length.
  const ResampleOptions o;
  ahead_ = static_cast<int64_t>(std::ceil(static_cast<double>(o.lowpass_filter_width * from_) /
                                          (static_cast<double>(std::min(from_, to_)) * o.rolloff)));
}

// What is made of input positions [done_, until), both multiples of from_ but at the end; `end` is
// how many samples of the input count.
std::vector<float> StreamResampler::made(int64_t until, int64_t end) {
  if (until <= done_) return {};
  // Whole periods of the two rates are kept before.
  const int64_t before = (ahead_ + from_ - 1) / from_ * from_;
  const int64_t first = std::max<int64_t>(0, done_ - before);
  const int64_t last = std::min(end, until + ahead_);
  const std::vector<float> part(kept_.begin() + (first - start_), kept_.begin() + (last - start_));
  const Tensor y = resample(from_vector(part, {static_cast<int64_t>(part.size())}), from_, to_);
  const auto all = y.data<float>();
  const int64_t skipped = (done_ - first) / from_ * to_;
  const int64_t count = ((until - done_) * to_ + from_ - 1) / from_;
  std::vector<float> out(all.begin() + skipped, all.begin() + skipped + count);
  done_ = until;
  const int64_t needed = std::max<int64_t>(0, done_ - before);
  kept_.erase(kept_.begin(), kept_.begin() + (needed - start_));
  start_ = needed;
  return out;
}

std::vector<float> StreamResampler::push(const std::vector<float>& samples) {
  if (from_ == to_) return samples;
  kept_.insert(kept_.end(), samples.begin(), samples.end());
  const int64_t end = start_ + static_cast<int64_t>(kept_.size());
  return made((end - ahead_) / from_ * from_, end);
}

std::vector<float> StreamResampler::finish() {
  const int64_t end = start_ + static_cast<int64_t>(kept_.size());
  return from_ == to_ ? std::vector<float>{} : made(end, end);
}

// ---- Words --------------------------------------------------------------------------------------

WordSpotter::WordSpotter(const WordNet& net, const FrontEnd& front_end,
                         const std::vector<std::string>& classes, double window,
                         const WordSpotterOptions& options)
    : net_(net), front_end_(front_end), classes_(classes), options_(options) {
  const auto rate = static_cast<double>(front_end.sample_rate);
  if (!(window > 0 && window <= 60) || !(options.hop > 0 && options.hop <= window) ||
      options.looks < 1 || options.looks > 1000 || !(options.threshold > 0) ||
      !(options.pause >= 0) || !(options.least_power >= 0))
    throw ValueError("WordSpotter: an option is out of range");
  window_ = std::llround(window * rate),
  hop_ = std::max<int64_t>(1, std::llround(options.hop * rate));
  ring_.assign(static_cast<size_t>(window_), 0);
  net_.eval();
}

double WordSpotter::heard() const {
  return static_cast<double>(heard_) / static_cast<double>(front_end_.sample_rate);
}
double WordSpotter::looked() const {
  return static_cast<double>(looked_) / static_cast<double>(front_end_.sample_rate);
}

void WordSpotter::look(std::vector<WordEvent>& events) {
  double power = 0;
  for (const float v : ring_) power += double{v} * v;
  std::vector<double> p(classes_.size());
  if (power > options_.least_power * static_cast<double>(window_)) {
    const NoGrad no_grad;
    const Tensor x = FrontEnd::normalized(from_vector(ring_, {window_}));
    p = softmax(net_(front_end_(unsqueeze(x, 0)))).to_vector<double>();
    if (p.size() != classes_.size())
      throw ShapeError("WordSpotter: " + std::to_string(p.size()) + " outputs for " +
                       std::to_string(classes_.size()) + " classes");
  }
  last_.push_back(p);
  if (static_cast<int64_t>(last_.size()) > options_.looks) last_.erase(last_.begin());
  std::vector<double> sums(p.size());
  for (const auto& one : last_)
    for (size_t k = 0; k < one.size(); ++k) sums[k] += one[k] / static_cast<double>(options_.looks);
  const auto best = std::max_element(sums.begin(), sums.end());
  if (best == sums.end() || *best < options_.threshold) return;
  const std::string& word = classes_[static_cast<size_t>(best - sums.begin())];
  if (std::ranges::find(options_.ignored, word) != options_.ignored.end()) return;
  const double now = looked();
  const bool again = word == told_ && now - told_at_ < options_.pause;
  told_ = word, told_at_ = now;  // a word that goes on being heard is not told anew
  if (!again) events.push_back({now, word, *best});
}

std::vector<WordEvent> WordSpotter::push(const std::vector<float>& samples) {
  std::vector<WordEvent> events;
  for (size_t at = 0; at < samples.size();) {
    const int64_t until_look = looked_ + hop_ - heard_;
    const auto count = std::min<int64_t>(until_look, static_cast<int64_t>(samples.size() - at));
    std::move(ring_.begin() + std::min(count, window_), ring_.end(), ring_.begin());
    const int64_t kept = std::min(count, window_);
    std::copy_n(samples.begin() + static_cast<int64_t>(at) + count - kept, kept,
                ring_.end() - kept);
    at += static_cast<size_t>(count);
    heard_ += count;
    if (heard_ == looked_ + hop_) {
      looked_ = heard_;
      look(events);
    }
  }
  return events;
}

}  // namespace glia::audio
