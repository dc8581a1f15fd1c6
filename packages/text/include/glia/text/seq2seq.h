// Sequence to sequence with attention (Bahdanau, Cho, Bengio, "Neural machine translation by
// jointly learning to align and translate", 2015): a GRU in both directions reads, another one
// writes.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn.h"

namespace glia::text {

// Tokens are numbered as a Vocabulary numbers them.
struct Seq2SeqOptions {
  int64_t embedding = 32, hidden = 128;
  double dropout = 0;  // on embeddings and on what is written from, in training mode
};

class Seq2Seq : public nn::Module {
 public:
  Seq2Seq(int64_t source_tokens, int64_t target_tokens, const Seq2SeqOptions& options = {});

  // What the encoder makes of sentences (N, L) i64, filled up behind their lengths (N).
  struct Memory {
    Tensor states;  // (N, L, 2 H)
    Tensor keys;    // (N, L, H), what the decoder's state is compared with
    Tensor mask;    // (N, L) bool, false where a sentence was filled up
    Tensor start;   // (N, H), the decoder's first state
  };
  Memory encode(const Tensor& source, const Tensor& lengths) const;

  struct Step {
    Tensor logits;     // (N, V), of the next token
    Tensor state;      // (N, H)
    Tensor attention;  // (N, L), to each of the source's tokens
  };
  // After `token` (N) in that state.
  Step step(const Memory& memory, const Tensor& token, const Tensor& state) const;

  // The next token's logits (N, T, V) behind each of the targets' (N, T), the first of which is the
  // start: teacher forcing.
  Tensor operator()(const Tensor& source, const Tensor& lengths, const Tensor& target) const;

  nn::Embedding source_embedding, target_embedding;
  nn::GRU forward, backward;  // of the encoder
  nn::Linear key, query, score, start;
  nn::GRU decoder;
  nn::Linear readout, out;
  nn::Dropout dropout;
  GLIA_FIELDS(source_embedding, target_embedding, forward, backward, key, query, score, start,
              decoder, readout, out, dropout)
};

struct Translation {
  std::vector<int64_t> tokens;  // without start and end
  double log_probability = 0;
  Tensor attention;  // f32 (T, L): of each token, and of the end if it was written
};
// The likeliest token at each step, of at most `most`.
std::vector<Translation> greedy(const Seq2Seq& model, const Tensor& source, const Tensor& lengths,
                                int64_t most);
// The likeliest `width` translations of one sentence (L) that a search keeping so many finds, best
// first: sums of logarithms, without a correction for their lengths. What has not ended after
// `most` tokens is cut there.
std::vector<Translation> beam(const Seq2Seq& model, const Tensor& source, int64_t width,
                              int64_t most);

}  // namespace glia::text
