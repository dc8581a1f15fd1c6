#include "glia/audio/pretrained.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "glia/audio/features.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/ops/conv.h"

namespace glia::audio {
namespace {

Tensor line_of(const char* op, const Tensor& samples) {
  if (!samples.defined() || !is_float(samples.dtype()) || samples.rank() != 1 ||
      samples.numel() == 0)
    throw ShapeError(
        std::string(op) + ": needs samples (T), not " +
        (samples.defined() ? name(samples.dtype()) + (" " + samples.shape().str()) : "nothing"));
  return cast(samples, kF32);
}

Tensor filled_up(const Tensor& x, int64_t before, int64_t after) {
  return pad(x, {{before, after}});
}

// Loads what a file has for the module; what it does not ask for may be there too.
template <class Net>
Net loaded(Net net, const std::string& path, const io::NamedTensors& weights) {
  try {
    const auto result = net.load_state_dict(weights, false);
    if (!result.missing.empty()) throw Error("it has no '" + result.missing.front() + "'");
  } catch (const Error& e) {
    throw IoError(path + ": not the weights of this network: " + e.what());
  }
  net.eval();
  return net;
}

}  // namespace

// ---- Voice activity ---------------------------------------------------------------------------

SileroVad::SileroVad()
    : stft_conv(1, 258, {.kernel = 256, .stride = 128, .bias = false}),
      conv1(129, 128, {.kernel = 3, .padding = 1}),
      conv2(128, 64, {.kernel = 3, .stride = 2, .padding = 1}),
      conv3(64, 64, {.kernel = 3, .stride = 2, .padding = 1}),
      conv4(64, 128, {.kernel = 3, .padding = 1}),
      lstm_cell(128, 128),
      final_conv(128, 1, {.kernel = 1}) {}

SileroVad SileroVad::read(const std::string& path) {
  return loaded(SileroVad(), path, io::read_safetensors(path));
}

Tensor SileroVad::features(const Tensor& steps) const {
  constexpr int64_t kBins = 129, kMore = 64;
  const Tensor padded = pad(steps, {{0, 0}, {0, kMore}}, PadMode::kReflect);
  const Tensor spectrum = stft_conv(unsqueeze(padded, -1));
  const Tensor magnitude =
      sqrt(square(slice(spectrum, -1, {0, kBins})) + square(slice(spectrum, -1, {kBins})));
  Tensor y = magnitude;
  for (const nn::Conv1d* conv : {&conv1, &conv2, &conv3, &conv4}) y = relu((*conv)(y));
  return squeeze(y, 1);
}

double SileroVad::next(const Tensor& samples, State& state) const {
  const Tensor x = line_of("SileroVad", samples);
  if (x.size(0) != kStep)
    throw ShapeError("SileroVad: needs steps of 512 samples, not " + std::to_string(x.size(0)));
  const NoGrad no_grad;
  if (!state.context.defined()) state.context = zeros({kContext});
  const Tensor step = concat({state.context, x});
  const nn::LSTMState out = lstm_cell(features(unsqueeze(step, 0)), {.h = state.h, .c = state.c});
  const Tensor p = sigmoid(final_conv(unsqueeze(relu(out.h), 1)));
  state = {out.h, out.c, slice(x, 0, {kStep - kContext})};
  glia::eval({p, state.h, state.c, state.context});
  return p.item();
}

Tensor SileroVad::operator()(const Tensor& samples) const {
  const Tensor x = line_of("SileroVad", samples);
  const NoGrad no_grad;
  const int64_t steps = (x.size(0) + kStep - 1) / kStep;
  const Tensor line = filled_up(x, kContext, steps * kStep - x.size(0));
  // Convolutions of many steps at once, then the cell from step to step.
  constexpr int64_t kTogether = 256;
  std::vector<Tensor> all;
  nn::LSTMState state;
  for (int64_t first = 0; first < steps; first += kTogether) {
    const int64_t end = std::min(steps, first + kTogether);
    const Tensor part = slice(line, 0, {first * kStep, end * kStep + kContext});
    const Tensor y = features(unfold(part, 0, kContext + kStep, kStep));
    const LSTMResult out = lstm(unsqueeze(y, 1), lstm_cell.weight_ih, lstm_cell.weight_hh,
                                lstm_cell.bias_ih, lstm_cell.bias_hh, state.h, state.c);
    state = {out.h, out.c};
    all.push_back(reshape(sigmoid(final_conv(transpose(relu(out.out), 0, 1))), {-1}));
    glia::eval({all.back(), state.h, state.c});
  }
  return concat(all);
}

std::vector<SpeechSpan> speech_spans(const Tensor& probabilities, int64_t samples,
                                     const SpeechSpanOptions& o, int64_t step,
                                     int64_t sample_rate) {
  if (!probabilities.defined() || probabilities.rank() != 1 || !is_float(probabilities.dtype()))
    throw ShapeError("speech_spans: needs probabilities (steps)");
  if (step < 1 || sample_rate < 1 || samples < 0 || o.min_speech_ms < 0 || o.min_silence_ms < 0 ||
      o.speech_pad_ms < 0 || !(o.threshold > 0 && o.threshold < 1))
    throw ValueError("speech_spans: an option is out of range");
  const double below = std::max(o.threshold - 0.15, 0.01);
  const auto in_samples = [&](int64_t ms) { return ms * sample_rate / 1000; };
  std::vector<SpeechSpan> spans;
  int64_t start = -1, quiet_since = -1, at = 0;
  const auto close = [&](int64_t end) {
    if (end - start > in_samples(o.min_speech_ms)) spans.push_back({start, end});
    start = quiet_since = -1;
  };
  for (const double p : probabilities.to_vector<double>()) {
    if (p >= o.threshold) {
      quiet_since = -1;
      if (start < 0) start = at;
    } else if (start >= 0 && p < below) {
      if (quiet_since < 0) quiet_since = at;
      if (at - quiet_since >= in_samples(o.min_silence_ms)) close(quiet_since);
    }
    at += step;
  }
  if (start >= 0) close(samples);
  const int64_t more = in_samples(o.speech_pad_ms);
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i == 0) spans[i].start = std::max<int64_t>(0, spans[i].start - more);
    const bool last = i + 1 == spans.size();
    const int64_t gap = last ? 0 : spans[i + 1].start - spans[i].end;
    const int64_t both = last ? more : std::min(more, gap / 2);
    spans[i].end = std::min(samples, spans[i].end + both);
    if (!last) spans[i + 1].start -= both;
  }
  return spans;
}

// ---- Speakers ---------------------------------------------------------------------------------

VoiceEncoder::VoiceEncoder()
    : lstm(40, 256, {.num_layers = 3, .batch_first = true}), linear(256, 256) {}

VoiceEncoder VoiceEncoder::read(const std::string& path) {
  return loaded(VoiceEncoder(), path, io::with_prefix(io::read_torch(path), "model_state."));
}

Tensor VoiceEncoder::operator()(const Tensor& mels, Where where) const {
  const Tensor h = lstm(mels, {}, {}, {}, where).h;
  const Tensor raw = relu(linear(index(h, {-1}), where));
  return raw / sqrt(sum(square(raw), {-1}, true));
}

Tensor VoiceEncoder::embed(const Tensor& samples, double rate, double min_coverage) const {
  constexpr int64_t kHop = 160;
  Tensor x = line_of("VoiceEncoder", samples);
  const auto step = std::llround(kSampleRate / (rate * kHop));
  if (!(rate > 0) || step < 1 || step > kFrames || !(min_coverage > 0 && min_coverage <= 1))
    throw ValueError("VoiceEncoder: " + std::to_string(rate) + " parts a second, a coverage of " +
                     std::to_string(min_coverage));
  const NoGrad no_grad;
  const int64_t count = x.size(0), frames = (count + kHop) / kHop;  // ceil((T + 1) / hop)
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < std::max<int64_t>(1, frames - kFrames + step + 1); i += step)
    starts.push_back(i);
  const double covered =
      static_cast<double>(count - starts.back() * kHop) / static_cast<double>(kFrames * kHop);
  if (covered < min_coverage && starts.size() > 1) starts.pop_back();
  const int64_t end = (starts.back() + kFrames) * kHop;
  if (end > count) x = filled_up(x, 0, end - count);
  const Tensor mels = transpose(mel_spectrogram(
      x, {.sample_rate = kSampleRate, .n_fft = 400, .hop_length = kHop, .n_mels = 40}));
  std::vector<Tensor> parts;
  for (const int64_t i : starts) parts.push_back(slice(mels, 0, {i, i + kFrames}));
  const Tensor all = mean((*this)(stack(parts)), {0});
  return all / sqrt(sum(square(all)));
}

Tensor normalize_volume(const Tensor& samples, double decibels) {
  const Tensor x = line_of("normalize_volume", samples);
  const double power = mean(square(cast(x, kF64))).item();
  if (power <= 0) return x;
  const double change = decibels - 10 * std::log10(power);
  return change <= 0 ? x : x * std::pow(10, change / 20);
}

// ---- Pitch ------------------------------------------------------------------------------------

namespace {
constexpr double kFirstCents = 1997.3794084376191, kCentsPerBin = 20;  // above 10 Hz

double cents_of(double hz) { return 1200 * std::log2(hz / 10); }

// From bin to bin by a triangle of 12 to each side; a frame's bins count by the softmax of their
// probabilities, in which bins that are left out have no share.
std::vector<int64_t> likeliest_way(const float* p, int64_t frames, int64_t first, int64_t end) {
  constexpr int64_t kBins = Crepe::kBins, kReach = 12;
  std::vector<double> shares(kBins);  // of a bin's triangle, of which the ends have less
  for (int64_t b = 0; b < kBins; ++b)
    for (int64_t c = std::max<int64_t>(0, b - kReach); c < std::min(kBins, b + kReach + 1); ++c)
      shares[b] += static_cast<double>(kReach - std::abs(b - c));
  std::vector<double> best(kBins, -HUGE_VAL), now(kBins, -HUGE_VAL);
  std::vector<int16_t> before(static_cast<size_t>(frames * kBins));
  for (int64_t t = 0; t < frames; ++t) {
    double sum = 0;
    for (int64_t b = first; b < end; ++b) sum += std::exp(double{p[t * kBins + b]});
    for (int64_t b = first; b < end; ++b) {
      double from = t == 0 ? 0 : -HUGE_VAL;
      for (int64_t c = std::max(first, b - kReach + 1); t > 0 && c < std::min(end, b + kReach);
           ++c) {
        const double score =
            best[c] + std::log(static_cast<double>(kReach - std::abs(b - c)) / shares[c]);
        if (score > from) from = score, before[t * kBins + b] = static_cast<int16_t>(c);
      }
      now[b] = from + p[t * kBins + b] - std::log(sum);
    }
    best.swap(now);
  }
  std::vector<int64_t> way(static_cast<size_t>(frames));
  int64_t bin = std::max_element(best.begin() + first, best.begin() + end) - best.begin();
  for (int64_t t = frames - 1; t >= 0; --t) {
    way[t] = bin;
    bin = before[t * kBins + bin];
  }
  return way;
}

}  // namespace

Crepe::Crepe(CrepeSize size) : classifier(size == CrepeSize::kTiny ? 256 : 2048, kBins) {
  const int64_t scale = size == CrepeSize::kTiny ? 1 : 8;
  const int64_t channels[] = {1,          128 * scale, 16 * scale, 16 * scale,
                              16 * scale, 32 * scale,  64 * scale};
  for (size_t i = 0; i < 6; ++i) {
    convs.emplace_back(channels[i], channels[i + 1],
                       nn::ConvOptions{.kernel = nn::Size2d(i == 0 ? 512 : 64, 1),
                                       .stride = nn::Size2d(i == 0 ? 4 : 1, 1)});
    norms.emplace_back(channels[i + 1], nn::BatchNormOptions{.eps = 0.0010000000474974513});
  }
}

void Crepe::visit_fields(nn::FieldVisitor& visitor) const {
  for (size_t i = 0; i < convs.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1);
    visitor.module(name, convs[i]);
    visitor.module(name + "_BN", norms[i]);
  }
  visitor.module("classifier", classifier);
}

Crepe Crepe::read(const std::string& path, CrepeSize size) {
  return loaded(Crepe(size), path, io::read_torch(path));
}

Tensor Crepe::operator()(const Tensor& windows, Where where) const {
  if (!windows.defined() || windows.rank() != 2 || windows.size(1) != kWindow)
    throw ShapeError("Crepe: needs windows (N, 1024)", where);
  Tensor y = reshape(windows, {windows.size(0), kWindow, 1, 1});
  for (size_t i = 0; i < convs.size(); ++i) {
    const std::pair<int64_t, int64_t> more =
        i == 0 ? std::pair<int64_t, int64_t>{254, 254} : std::pair<int64_t, int64_t>{31, 32};
    y = norms[i](relu(convs[i](pad(y, {{0, 0}, more, {0, 0}, {0, 0}}), where)), where);
    y = max_pool2d(y, {2, 1});
  }
  return sigmoid(classifier(flatten(y, 1), where));
}

Crepe::Pitch Crepe::predict(const Tensor& samples, int64_t hop_length, double fmin, double fmax,
                            PitchDecoder decoder) const {
  const Tensor x = line_of("Crepe", samples);
  if (hop_length < 1) throw ValueError("Crepe: a hop of " + std::to_string(hop_length));
  if (!(fmin > 0 && fmax > fmin))
    throw ValueError("Crepe: from " + std::to_string(fmin) + " to " + std::to_string(fmax) + " Hz");
  const auto first = std::max<int64_t>(
      0, static_cast<int64_t>(std::floor((cents_of(fmin) - kFirstCents) / kCentsPerBin)));
  const auto end = std::min<int64_t>(
      kBins, static_cast<int64_t>(std::ceil((cents_of(fmax) - kFirstCents) / kCentsPerBin)));
  if (first >= end) throw ValueError("Crepe: no bin lies between fmin and fmax");
  const NoGrad no_grad;
  const Tensor windows = unfold(filled_up(x, kWindow / 2, kWindow / 2), 0, kWindow, hop_length);
  constexpr int64_t kTogether = 512;
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < windows.size(0); at += kTogether) {
    Tensor part = slice(windows, 0, {at, std::min(windows.size(0), at + kTogether)});
    part = part - mean(part, {1}, true);
    part = part / maximum(sqrt(var(part, {1}, true)), 1e-10);
    parts.push_back((*this)(part));
    glia::eval(parts.back());
  }
  const Tensor all = concat(parts);
  const int64_t frames = all.size(0);
  const float* p = all.data<float>().data();
  std::vector<int64_t> bins;
  if (decoder == PitchDecoder::kViterbi)
    bins = likeliest_way(p, frames, first, end);
  else
    for (int64_t t = 0; t < frames; ++t)
      bins.push_back(std::max_element(p + t * kBins + first, p + t * kBins + end) - p - t * kBins);
  std::vector<float> frequency, periodicity;
  for (int64_t t = 0; t < frames; ++t) {
    const float* row = p + t * kBins;
    const int64_t reach = decoder == PitchDecoder::kWeightedArgmax ? 4 : 0;
    double sum = 0, weight = 0;
    for (int64_t b = std::max(first, bins[t] - reach); b < std::min(end, bins[t] + reach + 1);
         ++b) {
      const double part = reach > 0 ? row[b] : 1;
      sum += part * (kFirstCents + kCentsPerBin * static_cast<double>(b));
      weight += part;
    }
    frequency.push_back(static_cast<float>(10 * std::exp2(sum / weight / 1200)));
    periodicity.push_back(row[bins[t]]);
  }
  return {from_vector(frequency, {frames}), from_vector(periodicity, {frames})};
}

}  // namespace glia::audio
