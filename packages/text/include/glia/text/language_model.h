// Models that say which token comes next, and texts that are drawn from them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/nn/recurrent.h"
#include "glia/nn/transformer.h"

namespace glia::text {

// A recurrent network by name: "rnn", "lstm", "gru", "peephole-lstm" or "layer-norm-lstm". x (N, T,
// in), batch first -> out (N, T, H) and the last states.
struct RecurrentNet : nn::Module {
  // Throws ValueError for another name.
  RecurrentNet(const std::string& kind, int64_t input_size, int64_t hidden_size,
               nn::RecurrentOptions options = {});
  LSTMResult operator()(const Tensor& x, const nn::LSTMState& state = {},
                        Where where = Where::current()) const;

  std::optional<nn::RNN> rnn;
  std::optional<nn::LSTM> lstm;
  std::optional<nn::GRU> gru;
  std::optional<nn::PeepholeLSTM> peephole;
  std::optional<nn::LayerNormLSTM> normed;
  GLIA_FIELDS(rnn, lstm, gru, peephole, normed)
};

// The defaults are those of nanoGPT on a CPU.
struct LanguageModelOptions {
  int64_t layers = 4, heads = 4, width = 128;
  int64_t block = 64;  // tokens that a transformer sees at most
  double dropout = 0;
  bool bias = false;  // of linear layers and norms of a transformer
};

class LanguageModel : public nn::Module {
 public:
  // Of tokens (N, T) i64 the logits (N, T, V) of each next one.
  virtual Tensor operator()(const Tensor& tokens) const = 0;
  // Reads one token after the other and gives the logits (V) of the next; it refers to the model.
  class Reader {
   public:
    virtual ~Reader() = default;
    virtual Tensor next(int64_t token) = 0;
    // Reads all of these, at least one, and gives the logits (V) behind the last.
    virtual Tensor read(const std::vector<int64_t>& tokens);
    // Forgets all but the first `length` tokens. Throws Error where that cannot be.
    virtual void rewind(int64_t length);
  };
  virtual std::unique_ptr<Reader> reader() const = 0;
};
// "gpt", or a RecurrentNet. Throws ValueError for another name.
std::unique_ptr<LanguageModel> make_language_model(const std::string& kind, int64_t vocabulary,
                                                   const LanguageModelOptions& options = {});

// A decoder alone, with norms before attention and feed-forward and one table for tokens coming in
// and going out (Radford et al., "Language models are unsupervised multitask learners", 2019).
class Gpt : public LanguageModel {
 public:
  struct Block : nn::Module {
    Block(const LanguageModelOptions& options);
    Tensor operator()(const Tensor& x, nn::KVCache* cache = nullptr) const;
    nn::LayerNorm ln_1;
    nn::MultiheadAttention attn;
    nn::LayerNorm ln_2;
    nn::Linear c_fc, c_proj;
    nn::Dropout dropout;
    GLIA_FIELDS(ln_1, attn, ln_2, c_fc, c_proj, dropout)
  };
  Gpt(int64_t vocabulary, const LanguageModelOptions& options = {});
  Tensor operator()(const Tensor& tokens) const override;
  std::unique_ptr<Reader> reader() const override;

  int64_t block;
  nn::Embedding wte;
  nn::LearnedPositions wpe;
  nn::Dropout dropout;
  std::vector<Block> h;
  nn::LayerNorm ln_f;
  GLIA_FIELDS(wte, wpe, dropout, h, ln_f)

 private:
  class CachedReader;
};

// An embedding, a recurrent network and a layer for the next token.
class RecurrentLanguageModel : public LanguageModel {
 public:
  RecurrentLanguageModel(const std::string& kind, int64_t vocabulary,
                         const LanguageModelOptions& options = {});
  Tensor operator()(const Tensor& tokens) const override;
  std::unique_ptr<Reader> reader() const override;

  nn::Embedding embedding;
  RecurrentNet net;
  nn::Dropout dropout;
  nn::Linear out;
  GLIA_FIELDS(embedding, net, dropout, out)

 private:
  class StateReader;
};

struct SamplingOptions {
  double temperature = 1;  // 0: the likeliest token
  int64_t top_k = 0;       // only so many of the likeliest; 0: all
  double top_p = 1;        // only the likeliest that have this probability together (Holtzman 2020)
  // Only those that have this share of the likeliest one's probability (Nguyen et al. 2024).
  double min_p = 0;
  // Logits of tokens that were there are divided by it, or multiplied where they are below 0
  // (Keskar et al. 2019).
  double repetition_penalty = 1;
};
// A token drawn by these logits, behind those that were `seen`. Throws ValueError for options out
// of range and logits that are no numbers.
int64_t sample(const std::vector<double>& logits, const SamplingOptions& options,
               data::Random& random, const std::vector<int64_t>& seen = {});
// `count` tokens that follow the prompt, which is not empty. The model should be in evaluation
// mode.
std::vector<int64_t> generate(const LanguageModel& model, const std::vector<int64_t>& prompt,
                              int64_t count, const SamplingOptions& options = {},
                              uint64_t seed = 0);
// At most `count` tokens that follow the prompt, which a reader reads behind what it has read
// (`before`). Each is shown to `each` as it is drawn; one for which that says false is the end, and
// not among them.
std::vector<int64_t> generate(LanguageModel::Reader& reader, const std::vector<int64_t>& prompt,
                              int64_t count, const SamplingOptions& options, data::Random& random,
                              const std::function<bool(int64_t token)>& each,
                              const std::vector<int64_t>& before = {});

}  // namespace glia::text
