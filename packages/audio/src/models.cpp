#include "glia/audio/models.h"

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/ops/activation.h"
#include "glia/ops/arrange.h"
#include "glia/ops/conv.h"

namespace glia::audio {
namespace {

void check_features(const char* op, const Tensor& x, Where where) {
  if (!x.defined() || !is_float(x.dtype()) || x.rank() != 3 || x.numel() == 0)
    throw ShapeError(std::string(op) + ": needs features (N, T, F), not " +
                         (x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "nothing"),
                     where);
}

// (N) lengths -> (N, T) bool.
Tensor frames_there(const Tensor& lengths, int64_t frames) {
  return arange(frames) < unsqueeze(lengths, 1);
}

EncoderOptions checked(const EncoderOptions& o) {
  const bool known = o.kind == "bilstm" || o.kind == "lstm" || o.kind == "gru" || o.kind == "rnn" ||
                     o.kind == "conformer";
  if (!known) throw ValueError("SpeechEncoder: there is no network '" + o.kind + "'");
  if (o.stride != 1 && o.stride != 2 && o.stride != 4)
    throw ValueError("SpeechEncoder: a stride of " + std::to_string(o.stride));
  if (o.width < 1 || o.layers < 1 || o.channels < 1 || o.kernel < 1 || o.kernel % 2 == 0)
    throw ValueError("SpeechEncoder: a width of " + std::to_string(o.width) + ", " +
                     std::to_string(o.layers) + " layers, a kernel of " + std::to_string(o.kernel));
  return o;
}

}  // namespace

// ---- What networks are given ------------------------------------------------------------------

namespace {

// Of waveforms as loud as each other: what lies 50 dB below the loudest parts of speech counts as
// silence; log energies are then about 3 on average and 3 off it.
constexpr double kFloor = 0.1, kMean = 3, kDeviation = 3;

FbankOptions fbank_options(const FrontEnd& f) {
  return {.frames = {.sample_rate = f.sample_rate}, .num_bins = f.num_bins, .floor = kFloor};
}

}  // namespace

Tensor FrontEnd::normalized(const Tensor& waveform) {
  const auto in = waveform.data<float>();
  double mean = 0, square = 0;
  for (const float v : in) mean += double{v};
  mean /= static_cast<double>(std::max<size_t>(in.size(), 1));
  for (const float v : in) square += (double{v} - mean) * (double{v} - mean);
  const double power = square / static_cast<double>(std::max<size_t>(in.size(), 1));
  const double scale = power > 1e-12 ? 1 / std::sqrt(power) : 0;
  std::vector<float> out;
  out.reserve(in.size());
  for (const float v : in) out.push_back(static_cast<float>((double{v} - mean) * scale));
  return from_vector(out, waveform.shape());
}

Tensor FrontEnd::operator()(const Tensor& waveforms) const {
  const int64_t least = samples(1), length = waveforms.size(-1);
  const Tensor x = length < least ? pad(waveforms, {{0, 0}, {0, least - length}}) : waveforms;
  return (fbank(x, fbank_options(*this)) - kMean) / kDeviation;
}

int64_t FrontEnd::frames(int64_t samples) const {
  const FrameOptions f = fbank_options(*this).frames;
  return samples < f.length() ? 1 : 1 + (samples - f.length()) / f.shift();
}

int64_t FrontEnd::samples(int64_t frames) const {
  const FrameOptions f = fbank_options(*this).frames;
  return f.length() + (std::max<int64_t>(frames, 1) - 1) * f.shift();
}

// ---- Single words -----------------------------------------------------------------------------

WordNet::WordNet(int64_t features, int64_t classes, const WordNetOptions& o)
    : dropout(o.dropout), out(4 * o.width * ((features + 15) / 16), classes) {
  const int64_t channels[] = {1, o.width, 2 * o.width, 4 * o.width, 4 * o.width};
  for (size_t i = 0; i < 4; ++i) {
    convs.emplace_back(channels[i], channels[i + 1],
                       nn::ConvOptions{.kernel = i == 0 ? 5 : 3,
                                       .stride = i == 0 ? 2 : 1,
                                       .padding = i == 0 ? 2 : 1,
                                       .bias = false});
    norms.emplace_back(channels[i + 1]);
  }
}

Tensor WordNet::operator()(const Tensor& x, Where where) const {
  check_features("WordNet", x, where);
  Tensor y = unsqueeze(x, -1);
  for (size_t i = 0; i < convs.size(); ++i) {
    y = relu(norms[i](convs[i](y, where), where));
    // Halves of what is there, the last row and column alone if they are odd.
    if (i > 0) y = max_pool2d(pad(y, {{0, 0}, {0, y.size(1) % 2}, {0, y.size(2) % 2}, {0, 0}}), 2);
  }
  return out(dropout(flatten(mean(y, {1}), 1)), where);
}

Tensor splice(const Tensor& x, int64_t context, Where where) {
  if (!x.defined() || x.rank() < 2 || x.numel() == 0 || context < 0)
    throw ShapeError("splice: needs features (..., T, F) and a context of 0 or more", where);
  std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
  pads[pads.size() - 2] = {context, context};
  const int64_t frames = x.size(-2);
  const Tensor wide = pad(x, pads, PadMode::kReplicate);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i <= 2 * context; ++i) parts.push_back(slice(wide, -2, {i, i + frames}));
  return concat(parts, -1);
}

FrameNet::FrameNet(int64_t features, int64_t states, int64_t its_context, int64_t hidden,
                   int64_t layers, double its_dropout)
    : context(its_context), dropout(its_dropout), out(hidden, states) {
  for (int64_t i = 0; i < layers; ++i)
    linears.emplace_back(i == 0 ? features * (2 * context + 1) : hidden, hidden);
}

Tensor FrameNet::operator()(const Tensor& x, Where where) const {
  Tensor y = splice(x, context, where);
  for (const nn::Linear& linear : linears) y = dropout(relu(linear(y, where)));
  return out(y, where);
}

// ---- Utterances -------------------------------------------------------------------------------

ConformerLayer::FeedForward::FeedForward(int64_t width, double its_dropout)
    : norm(width), linear1(width, 4 * width), linear2(4 * width, width), dropout(its_dropout) {}

Tensor ConformerLayer::FeedForward::operator()(const Tensor& x, Where where) const {
  return dropout(linear2(dropout(silu(linear1(norm(x, where), where))), where));
}

ConformerLayer::ConformerLayer(const EncoderOptions& o)
    : feed_forward1(o.width, o.dropout),
      attention_norm(o.width),
      attention(o.width, o.heads, {.dropout = o.dropout, .rotary = nn::RotaryOptions{}}),
      convolution_norm(o.width),
      pointwise1(o.width, 2 * o.width),
      depthwise(o.width, o.width, {.kernel = o.kernel, .padding = o.kernel / 2, .groups = o.width}),
      depthwise_norm(o.width),
      pointwise2(o.width, o.width),
      feed_forward2(o.width, o.dropout),
      norm(o.width),
      dropout(o.dropout) {}

Tensor ConformerLayer::operator()(const Tensor& x, const Tensor& there, Where where) const {
  Tensor y = x + 0.5 * feed_forward1(x, where);
  const Tensor heard = attention_norm(y, where);
  y = y + dropout(attention(heard, heard, heard,
                            {.key_padding_mask = logical_not(there), .need_weights = false}, where)
                      .out);
  const Tensor gated =
      glu(pointwise1(convolution_norm(y, where), where)) * unsqueeze(cast(there, y.dtype()), -1);
  y = y + dropout(pointwise2(silu(depthwise_norm(depthwise(gated, where), where)), where));
  return norm(y + 0.5 * feed_forward2(y, where), where);
}

SpeechEncoder::SpeechEncoder(int64_t features, const EncoderOptions& its_options)
    : options(checked(its_options)),
      linear(options.channels * ((features + 3) / 4), options.width),
      dropout(options.dropout) {
  const EncoderOptions& o = options;
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t stride = o.stride > 2 * i + 1 ? 2 : 1;
    convs.emplace_back(
        i == 0 ? 1 : o.channels, o.channels,
        nn::ConvOptions{.kernel = 3, .stride = nn::Size2d(stride, 2), .padding = 1, .bias = false});
    norms.emplace_back(o.channels);
  }
  const nn::RecurrentOptions recurrent{.num_layers = o.layers,
                                       .batch_first = true,
                                       .dropout = o.layers > 1 ? o.dropout : 0,
                                       .bidirectional = o.kind == "bilstm"};
  if (o.kind == "bilstm" || o.kind == "lstm") lstm.emplace(o.width, o.width, recurrent);
  if (o.kind == "gru") gru.emplace(o.width, o.width, recurrent);
  if (o.kind == "rnn") rnn.emplace(o.width, o.width, recurrent);
  if (o.kind == "conformer")
    for (int64_t i = 0; i < o.layers; ++i) conformer.emplace_back(o);
}

int64_t SpeechEncoder::size() const {
  return options.kind == "bilstm" ? 2 * options.width : options.width;
}

Encoded SpeechEncoder::operator()(const Tensor& x, const Tensor& lengths, Where where) const {
  check_features("SpeechEncoder", x, where);
  Encoded y{unsqueeze(x, -1), lengths};
  for (size_t i = 0; i < convs.size(); ++i) {
    // What lies behind the end of an utterance is not heard by its last frames.
    const Tensor there = frames_there(y.lengths, y.states.size(1));
    const Tensor heard = y.states * reshape(cast(there, x.dtype()), {x.size(0), -1, 1, 1});
    y.states = relu(norms[i](convs[i](heard, where), where));
    const int64_t stride = convs[i].options.stride.first;
    y.lengths = floor_divide(y.lengths + (stride - 1), stride);
  }
  y.states = dropout(linear(flatten(y.states, 2), where));
  if (lstm) y.states = (*lstm)(y.states, {}, {}, y.lengths, where).out;
  if (gru) y.states = (*gru)(y.states, {}, y.lengths, where).out;
  if (rnn) y.states = (*rnn)(y.states, {}, y.lengths, where).out;
  if (!conformer.empty()) {
    const Tensor there = frames_there(y.lengths, y.states.size(1));
    for (const ConformerLayer& layer : conformer) y.states = layer(y.states, there, where);
  }
  return y;
}

CtcNet::CtcNet(int64_t features, int64_t classes, const EncoderOptions& options)
    : encoder(features, options), out(encoder.size(), classes) {}

Encoded CtcNet::operator()(const Tensor& x, const Tensor& lengths, Where where) const {
  const Encoded y = encoder(x, lengths, where);
  return {log_softmax(out(y.states, where)), y.lengths};
}

Transducer::Transducer(int64_t features, int64_t classes, const TransducerOptions& o)
    : encoder(features, o.encoder),
      embedding(classes, o.embedding),
      prediction(o.embedding, o.prediction, {.batch_first = true}),
      join_encoder(encoder.size(), o.joint),
      join_prediction(o.prediction, o.joint),
      out(o.joint, classes) {}

Encoded Transducer::operator()(const Tensor& x, const Tensor& lengths, const Tensor& labels,
                               Where where) const {
  const Encoded heard = encoder(x, lengths, where);
  // The blank stands for the beginning.
  const Tensor said = pad(labels, {{0, 0}, {1, 0}});
  const Tensor states = prediction(embedding(said, where), {}, {}, {}, where).out;
  const Tensor joined = tanh(unsqueeze(join_encoder(heard.states, where), 2) +
                             unsqueeze(join_prediction(states, where), 1));
  return {out(joined, where), heard.lengths};
}

std::vector<std::vector<int64_t>> Transducer::decode(const Tensor& x, const Tensor& lengths,
                                                     int64_t most) const {
  const NoGrad no_grad;
  const Encoded heard = encoder(x, lengths);
  const Tensor states = join_encoder(heard.states);
  glia::eval({states, heard.lengths});
  std::vector<std::vector<int64_t>> all;
  const auto counts = heard.lengths.to_vector<int64_t>();
  for (size_t n = 0; n < counts.size(); ++n) {
    std::vector<int64_t> labels;
    LSTMResult state;
    Tensor joined;
    const auto say = [&](int64_t label) {
      const Tensor token = from_vector(std::vector<int64_t>{label}, {1, 1});
      state = prediction(embedding(token), state.h, state.c);
      joined = reshape(join_prediction(state.out), {-1});
      glia::eval({joined, state.h, state.c});
    };
    say(0);
    for (int64_t t = 0; t < counts[n]; ++t)
      for (int64_t given = 0; given < most; ++given) {
        const Tensor here = index(states, {static_cast<int64_t>(n), t});
        const auto label = argmax(out(tanh(here + joined))).item<int64_t>();
        if (label == 0) break;
        labels.push_back(label);
        say(label);
      }
    all.push_back(std::move(labels));
  }
  return all;
}

}  // namespace glia::audio
