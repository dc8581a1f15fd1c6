// Recurrent layers.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "glia/nn/module.h"
#include "glia/ops.h"

namespace glia::nn {

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true, batch_first = false;
  double dropout = 0;  // on the states of every layer but the last, in training mode
  bool bidirectional = false;
};
// What LSTM, GRU and RNN share: layers, directions and their weights, which state dicts name as
// PyTorch does: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...
//
// x (T, N, in), or (N, T, in) if batch_first, or (T, in) without a batch -> out, the same with D H
// features; states (L D, N, H) or (L D, H), zero where undefined. D is 2 if bidirectional, else 1.
class Recurrent : public Module {
 public:
  // One layer in one direction.
  struct Weights {
    Parameter weight_ih, weight_hh;  // (G H, in), (G H, H)
    Parameter bias_ih, bias_hh;      // (G H), or undefined
  };

  void visit_fields(FieldVisitor& visitor) const override;

  int64_t input_size, hidden_size;
  RecurrentOptions options;
  std::vector<Weights> weights;  // layer after layer, of each both directions

 protected:
  Recurrent(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
            const RecurrentOptions& options);
  // Runs one layer in one direction.
  using Step = std::function<LSTMResult(const Tensor& x, const Weights& weights, const Tensor& h0,
                                        const Tensor& c0)>;
  LSTMResult run(const Tensor& x, const Tensor& h0, const Tensor& c0, const Where& where,
                 const Step& step) const;

 private:
  const char* name_;
};

struct LSTM : Recurrent {
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("LSTM", 4, input_size, hidden_size, options) {}
  LSTMResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                        Where where = Where::current()) const;
};
struct GRU : Recurrent {
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("GRU", 3, input_size, hidden_size, options) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {},
                       Where where = Where::current()) const;
};
struct RNN : Recurrent {
  RNN(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
      RNNNonlinearity nonlinearity = RNNNonlinearity::kTanh)
      : Recurrent("RNN", 1, input_size, hidden_size, options), nonlinearity(nonlinearity) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {},
                       Where where = Where::current()) const;
  RNNNonlinearity nonlinearity;
};

}  // namespace glia::nn
