// Variational autoencoders of sequences: one z for a whole sentence (Bowman et al. 2016) or curve
// (Fabius & van Amersfoort 2014, VRAE), or one for each step (Chung et al. 2015, VRNN). Losses are
// in nats for each sequence; see vae.h for what is made large.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"
#include "glia/nn/recurrent.h"

namespace glia::generative {

// How much the divergence counts at a step: 0 before `from`, rising in a line to 1 at `to`. A
// decoder that could ignore z learns to use it meanwhile.
double kl_weight(int64_t step, int64_t from, int64_t to);

// Means over sequences of -log p(x|z), of the divergence, and of both, the latter by its weight.
struct SequenceLoss {
  Tensor loss, reconstruction, kl;
};
struct Gaussian {
  Tensor mean, log_var;
};

// ---- Sentences ----------------------------------------------------------------------------------

struct SentenceVaeOptions {
  int64_t vocabulary = 0;  // words, with those below
  int64_t embedding = 128, hidden = 256, latent = 16;
  double word_dropout = 0.25;  // part of the words that the decoder does not see in training
  double dropout = 0;          // of what the decoder's states say
};

// LSTMs: what the encoder ends with gives z; the decoder begins with it, and sees it at each word.
struct SentenceVae : nn::Module {
  // What is no word, as text::Vocabulary has it; words begin behind it.
  static constexpr int64_t kStart = 1, kEnd = 2, kUnknown = 3, kSpecial = 4;

  // Throws ValueError for options out of range.
  explicit SentenceVae(const SentenceVaeOptions& options);
  // Words (N, T) i64 of sentences of these lengths (N); what is behind them does not count.
  Gaussian encode(const Tensor& words, const Tensor& lengths, Where where = Where::current()) const;
  // Logits of each word and of the end (N, T + 1, V), given z (N, latent) and the words before.
  Tensor decode(const Tensor& z, const Tensor& words, Where where = Where::current()) const;
  SequenceLoss loss(const Tensor& words, const Tensor& lengths, double kl_weight = 1) const;
  // log p of sentences, by so many importance samples: (N), without gradients.
  Tensor log_marginal(const Tensor& words, const Tensor& lengths, int64_t samples) const;
  // The likeliest word after the other, or drawn ones, of z (N, latent), up to the end or `most`.
  std::vector<std::vector<int64_t>> write(const Tensor& z, int64_t most, bool draw = false) const;

  SentenceVaeOptions options;
  nn::Embedding embedding;
  nn::LSTM encoder;
  nn::Linear posterior, start;
  nn::LSTM decoder;
  nn::Dropout dropout;
  nn::Linear out;
  GLIA_FIELDS(embedding, encoder, posterior, start, decoder, dropout, out)

 private:
  Tensor log_likelihood(const Tensor& z, const Tensor& words, const Tensor& lengths) const;
};

// ---- Curves -------------------------------------------------------------------------------------

struct CurveVaeOptions {
  int64_t features = 2, hidden = 64, latent = 4;
};
// A GRU reads a curve (N, T, features), another one draws it of z alone; the variance is learnt.
struct CurveVae : nn::Module {
  explicit CurveVae(const CurveVaeOptions& options = {});
  Gaussian encode(const Tensor& x, Where where = Where::current()) const;
  Tensor decode(const Tensor& z, int64_t length) const;  // (N, length, features)
  SequenceLoss loss(const Tensor& x, double kl_weight = 1) const;

  CurveVaeOptions options;
  nn::GRU encoder;
  nn::Linear posterior;
  nn::GRU decoder;
  nn::Linear out;
  Parameter log_var;  // ()
  GLIA_FIELDS(encoder, posterior, decoder, out, log_var)
};

struct VrnnOptions {
  int64_t features = 2, hidden = 64, latent = 8;
};
// At each step the state gives a prior of z, state and x the posterior, state and z the mean and
// variance of x; the state then takes in both.
struct Vrnn : nn::Module {
  explicit Vrnn(const VrnnOptions& options = {});
  // Of sequences (N, T, features).
  SequenceLoss loss(const Tensor& x, double kl_weight = 1) const;
  // The bound of log p by so many importance samples: (N), without gradients.
  Tensor log_marginal(const Tensor& x, int64_t samples) const;
  // (n, length, features), without gradients; `begin` (n, B, features) are first steps that stay.
  Tensor sample(int64_t n, int64_t length, const Tensor& begin = {}) const;

  VrnnOptions options;
  nn::Linear of_x, of_z, prior_hidden, prior, posterior_hidden, posterior, out_hidden, out;
  nn::GRUCell cell;
  GLIA_FIELDS(of_x, of_z, prior_hidden, prior, posterior_hidden, posterior, out_hidden, out, cell)

 private:
  struct Step {
    Gaussian prior, posterior, x;
    Tensor z, h;
  };
  Step step(const Tensor& x, const Tensor& h) const;  // x undefined: drawn
};

}  // namespace glia::generative
