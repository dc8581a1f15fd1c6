// Networks that hear: a convolutional one for single words, and encoders of whole utterances with
// CTC or as transducers.
//
// Features are f32 (N, T, F), frames in rows as fbank() gives them; lengths (N) i64 say how many
// frames of each count. What lies behind is not heard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/audio/features.h"
#include "glia/nn/conv.h"
#include "glia/nn/recurrent.h"
#include "glia/nn/transformer.h"

namespace glia::audio {

// ---- What networks are given ------------------------------------------------------------------

// Log-mel features of waveforms as loud as each other, whose logarithm has a floor that hides both
// what is far quieter than speech and silence that fills up a batch.
struct FrontEnd {
  int64_t sample_rate = 16000;
  int64_t num_bins = 40;

  // A waveform (T) with a mean of 0 and a mean square of 1; silence stays silence.
  static Tensor normalized(const Tensor& waveform);
  // Normalized waveforms (N, T) -> (N, frames, num_bins), a mean of about 0 and a deviation of 1.
  Tensor operator()(const Tensor& waveforms) const;
  // How many frames so many samples have: at least one.
  int64_t frames(int64_t samples) const;
  int64_t samples(int64_t frames) const;  // that the last of them ends with
};

// ---- Single words -----------------------------------------------------------------------------

struct WordNetOptions {
  int64_t width = 16;  // channels of the first layer; the last have four times as many
  double dropout = 0.3;
};
// Four convolutions with batch normalisation, the mean over time, and a linear layer: (N, T, F) ->
// logits (N, classes).
struct WordNet : nn::Module {
  WordNet(int64_t features, int64_t classes, const WordNetOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  std::vector<nn::Conv2d> convs;
  std::vector<nn::BatchNorm2d> norms;
  nn::Dropout dropout;
  nn::Linear out;
  GLIA_FIELDS(convs, norms, dropout, out)
};

// Frames around each frame beside each other: (..., T, F) -> (..., T, (2 context + 1) F), the ends
// repeated.
Tensor splice(const Tensor& x, int64_t context, Where where = Where::current());

// A perceptron on spliced frames: (..., T, F) -> logits (..., T, states), the network of a hybrid
// (Hinton et al. 2012).
struct FrameNet : nn::Module {
  FrameNet(int64_t features, int64_t states, int64_t context = 5, int64_t hidden = 256,
           int64_t layers = 3, double dropout = 0.2);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  int64_t context;
  std::vector<nn::Linear> linears;
  nn::Dropout dropout;
  nn::Linear out;
  GLIA_FIELDS(linears, dropout, out)
};

// ---- Utterances -------------------------------------------------------------------------------

struct EncoderOptions {
  std::string kind = "bilstm";  // "rnn", "gru" and "lstm" hear no later frames; or "conformer"
  int64_t width = 96;           // features of each state, of a bilstm to each side
  int64_t layers = 2;
  int64_t stride = 4;              // frames to a state: 1, 2 or 4
  int64_t channels = 24;           // of the convolutions in front
  int64_t heads = 4, kernel = 15;  // of a conformer
  double dropout = 0.1;
};

struct Encoded {
  Tensor states;   // (N, T', D)
  Tensor lengths;  // (N) i64
};

// Half a feed-forward network, attention of turned queries and keys, a convolution, and another
// half (Gulati et al., "Conformer", 2020); layer norms take the place of batch normalisation.
struct ConformerLayer : nn::Module {
  explicit ConformerLayer(const EncoderOptions& options = {});
  // `there` (N, T) bool: which frames count.
  Tensor operator()(const Tensor& x, const Tensor& there, Where where = Where::current()) const;

  struct FeedForward : nn::Module {
    FeedForward(int64_t width, double dropout);
    Tensor operator()(const Tensor& x, Where where = Where::current()) const;
    nn::LayerNorm norm;
    nn::Linear linear1, linear2;
    nn::Dropout dropout;
    GLIA_FIELDS(norm, linear1, linear2, dropout)
  };
  FeedForward feed_forward1;
  nn::LayerNorm attention_norm;
  nn::MultiheadAttention attention;
  nn::LayerNorm convolution_norm;
  nn::Linear pointwise1;
  nn::Conv1d depthwise;
  nn::LayerNorm depthwise_norm;
  nn::Linear pointwise2;
  FeedForward feed_forward2;
  nn::LayerNorm norm;
  nn::Dropout dropout;
  GLIA_FIELDS(feed_forward1, attention_norm, attention, convolution_norm, pointwise1, depthwise,
              depthwise_norm, pointwise2, feed_forward2, norm, dropout)
};

// Two convolutions over frames and frequencies, which thin out both, a linear layer, then recurrent
// layers or those of a conformer.
struct SpeechEncoder : nn::Module {
  SpeechEncoder(int64_t features, const EncoderOptions& options = {});
  Encoded operator()(const Tensor& x, const Tensor& lengths, Where where = Where::current()) const;
  int64_t size() const;  // D

  EncoderOptions options;
  std::vector<nn::Conv2d> convs;
  std::vector<nn::BatchNorm2d> norms;
  nn::Linear linear;
  nn::Dropout dropout;
  std::optional<nn::LSTM> lstm;
  std::optional<nn::GRU> gru;
  std::optional<nn::RNN> rnn;
  std::vector<ConformerLayer> conformer;
  GLIA_FIELDS(convs, norms, linear, dropout, lstm, gru, rnn, conformer)
};

// An encoder, and a class for each state: log-probabilities (N, T', classes) for ctc_loss(), class
// 0 being the blank.
struct CtcNet : nn::Module {
  CtcNet(int64_t features, int64_t classes, const EncoderOptions& options = {});
  Encoded operator()(const Tensor& x, const Tensor& lengths, Where where = Where::current()) const;

  SpeechEncoder encoder;
  nn::Linear out;
  GLIA_FIELDS(encoder, out)
};

struct TransducerOptions {
  EncoderOptions encoder = {};
  int64_t embedding = 32, prediction = 64;  // widths of the network that hears its own labels
  int64_t joint = 96;
};
// An encoder, a recurrent network over the labels given so far, and a layer that joins each state
// of both (Graves 2012). Class 0 is the blank.
struct Transducer : nn::Module {
  Transducer(int64_t features, int64_t classes, const TransducerOptions& options = {});
  // Logits (N, T', U + 1, classes) for rnnt_loss() with blank 0, of labels (N, U); and lengths.
  Encoded operator()(const Tensor& x, const Tensor& lengths, const Tensor& labels,
                     Where where = Where::current()) const;
  // The likeliest label of each frame, at most `most` of them for one, until it is the blank:
  // labels of each example.
  std::vector<std::vector<int64_t>> decode(const Tensor& x, const Tensor& lengths,
                                           int64_t most = 3) const;

  SpeechEncoder encoder;
  nn::Embedding embedding;
  nn::LSTM prediction;
  nn::Linear join_encoder, join_prediction, out;
  GLIA_FIELDS(encoder, embedding, prediction, join_encoder, join_prediction, out)
};

}  // namespace glia::audio
