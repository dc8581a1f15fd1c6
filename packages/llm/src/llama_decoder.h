// The weights of a LlamaDecoder, and one text that is read with them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "glia/llm/llama.h"
#include "kernels.h"

namespace glia::llm {

struct LlamaDecoder::Weights {
  explicit Weights(const Gguf& file);
  struct Layer {
    std::vector<float> attention_norm, feed_norm;
    Packed q, k, v, o, gate, up, down;
  };
  LlamaConfig config;
  QuantizedTensor table;  // of tokens, in the file
  std::vector<Layer> layers;
  std::vector<float> norm;
  Packed output;
};

class LlamaReader : public LlamaDecoder::Reader {
 public:
  explicit LlamaReader(std::shared_ptr<const LlamaDecoder::Weights> weights);
  Tensor next(int64_t token) override { return read({token}); }
  Tensor read(const std::vector<int64_t>& tokens) override;
  void rewind(int64_t length) override;
  // Reads on and gives logits (T, V) of all tokens.
  Tensor read_all(std::span<const int64_t> tokens);

 private:
  struct Job {
    const Packed* weights;
    float* to;
  };
  void check(std::span<const int64_t> tokens) const;
  // Reads on; what comes out of the last layer for each token is in x_.
  void pass(std::span<const int64_t> tokens);
  void look_up(std::span<const int64_t> tokens);
  void multiply(std::span<const Job> jobs, const float* x, int64_t rows, int64_t columns);
  void multiply(std::initializer_list<Job> jobs, const float* x, int64_t rows, int64_t columns) {
    multiply(std::span(jobs.begin(), jobs.size()), x, rows, columns);
  }
  void normalize(const std::vector<float>& weight, int64_t rows);
  void turn(int64_t rows);
  void keep(int64_t layer, int64_t rows);
  void attend(int64_t layer, int64_t rows);
  Tensor logits(const float* x, int64_t rows);

  std::shared_ptr<const LlamaDecoder::Weights> w_;
  int64_t length_ = 0, head_,
          padded_;  // tokens read; features of a head, and the same as whole 16s
  struct Head {
    std::vector<uint16_t> keys, values;
  };
  std::vector<Head> kept_;          // of each layer and head of keys
  std::vector<float> frequencies_;  // by which pairs of features turn from token to token
  std::vector<float> x_, normed_, q_, k_, v_, gate_, up_, added_, cosines_, sines_;
  Activations bytes_;
};

}  // namespace glia::llm
