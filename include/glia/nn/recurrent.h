// Recurrent layers and cells.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "glia/nn/module.h"
#include "glia/nn/packed.h"
#include "glia/ops.h"

namespace glia::nn {

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true, batch_first = false;
  double dropout = 0;  // on the states of every layer but the last, in training mode
  bool bidirectional = false;
  // Of an LSTM: states are products of so many features (Sak et al. 2014); 0: none.
  int64_t proj_size = 0;
  // Of an LSTM: what the forget gate's bias starts with, such as 1 (Jozefowicz et al. 2015); unset:
  // it is drawn like the others.
  std::optional<double> forget_bias = {};
};
// What a layer makes of a packed sequence; c is an LSTM's.
struct PackedResult {
  PackedSequence out;
  Tensor h, c;
};
// What LSTM, GRU and RNN share: layers, directions and their weights, which state dicts name as
// PyTorch does: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...
//
// x (T, N, in), or (N, T, in) if batch_first, or (T, in) without a batch -> out, the same with D H
// features; states (L D, N, H) or (L D, H), zero where undefined. D is 2 if bidirectional, else 1.
//
// With lengths (N), integers from 0 to T, sequences end earlier: `out` is zero behind their ends,
// last states are those of each one's last step, and the reverse direction begins there. Packed
// sequences (glia/nn/packed.h) are another way to say so. Lengths are read.
class Recurrent : public Module {
 public:
  // One layer in one direction.
  struct Weights {
    Parameter weight_ih, weight_hh;  // (G H, in), (G H, H or P)
    Parameter bias_ih, bias_hh;      // (G H), or undefined
    Parameter weight_hr;             // (P, H), or undefined
  };

  void visit_fields(FieldVisitor& visitor) const override;
  // The features of states: proj_size, or hidden_size.
  int64_t state_size() const { return options.proj_size ? options.proj_size : hidden_size; }

  int64_t input_size, hidden_size;
  RecurrentOptions options;
  std::vector<Weights> weights;  // layer after layer, of each both directions

 protected:
  Recurrent(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
            const RecurrentOptions& options);
  struct Input {
    Tensor x, h0 = {}, c0 = {}, lengths = {};
  };
  // Runs the layer and direction of weights[i] over x (T, N, in), from h0 and c0 (N, H).
  using Step = std::function<LSTMResult(size_t i, const Input& in)>;
  LSTMResult run(const Input& in, const Where& where, const Step& step) const;
  PackedResult run(const PackedSequence& x, const Tensor& h0, const Tensor& c0, const Where& where,
                   const Step& step) const;
  // "_l0", "_l0_reverse", ...
  std::string suffix(size_t i) const;

 private:
  LSTMResult run(const Input& in, bool batch_first, const Where& where, const Step& step) const;
  const char* name_;
};

struct LSTM : Recurrent {
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("LSTM", 4, input_size, hidden_size, options) {}
  LSTMResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                        const Tensor& lengths = {}, Where where = Where::current()) const;
  PackedResult operator()(const PackedSequence& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                          Where where = Where::current()) const;

 private:
  Step step(const Where& where) const;
};
struct GRU : Recurrent {
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("GRU", 3, input_size, hidden_size, options) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& lengths = {},
                       Where where = Where::current()) const;
  PackedResult operator()(const PackedSequence& x, const Tensor& h0 = {},
                          Where where = Where::current()) const;

 private:
  Step step(const Where& where) const;
};
struct RNN : Recurrent {
  RNN(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
      RNNNonlinearity nonlinearity = RNNNonlinearity::kTanh)
      : Recurrent("RNN", 1, input_size, hidden_size, options), nonlinearity(nonlinearity) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& lengths = {},
                       Where where = Where::current()) const;
  PackedResult operator()(const PackedSequence& x, const Tensor& h0 = {},
                          Where where = Where::current()) const;
  RNNNonlinearity nonlinearity;

 private:
  Step step(const Where& where) const;
};

// ---- Variants -----------------------------------------------------------------------------------
// Their steps are composed of elementwise operations and products, without a kernel of their own.

enum class PeepholeForm {
  kGraves,   // weights (H) for each cell by itself; the output gate sees the new cell (Graves 2013)
  kArticle,  // weights (H, H), and the output gate sees the old cell, as the others
};
// An LSTM whose gates see the cell: i = s(.. + w_ci c), f = s(.. + w_cf c), o = s(.. + w_co c')
// (Gers & Schmidhuber 2000). Beside the LSTM's weights it has weight_ci_l0, weight_cf_l0,
// weight_co_l0, ...
struct PeepholeLSTM : Recurrent {
  struct Peepholes {
    Parameter weight_ci, weight_cf, weight_co;
  };
  PeepholeLSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
               PeepholeForm form = PeepholeForm::kGraves);
  LSTMResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                        const Tensor& lengths = {}, Where where = Where::current()) const;
  void visit_fields(FieldVisitor& visitor) const override;

  PeepholeForm form;
  std::vector<Peepholes> peepholes;  // beside `weights`
};

// An LSTM with a layer norm on the input's and on the state's part of the gates, and on the cell
// that the output gate lets through (Ba et al. 2016). Beside the LSTM's weights it has
// norm_ih_weight_l0 and norm_hh_weight_l0 (4 H), norm_c_weight_l0 and norm_c_bias_l0 (H), ...; the
// LSTM's biases shift both norms.
struct LayerNormLSTM : Recurrent {
  struct Norms {
    Parameter norm_ih_weight, norm_hh_weight, norm_c_weight, norm_c_bias;
  };
  LayerNormLSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
                double eps = 1e-5);
  LSTMResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                        const Tensor& lengths = {}, Where where = Where::current()) const;
  void visit_fields(FieldVisitor& visitor) const override;

  double eps;
  std::vector<Norms> norms;  // beside `weights`
};

// ---- Cells --------------------------------------------------------------------------------------
// One step: x (N, in) or (in), states (N, H) or (H), zero where undefined.

struct LSTMState {
  Tensor h, c;
};
struct CellOptions {
  bool bias = true;
};
// The weights of a cell, under PyTorch's names.
struct RecurrentCell : Module {
  Parameter weight_ih, weight_hh;  // (G H, in), (G H, H)
  Parameter bias_ih, bias_hh;      // (G H), or undefined
  GLIA_FIELDS(weight_ih, weight_hh, bias_ih, bias_hh)

 protected:
  RecurrentCell(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
                const CellOptions& options);
};
struct LSTMCell : RecurrentCell {
  LSTMCell(int64_t input_size, int64_t hidden_size, const CellOptions& options = {})
      : RecurrentCell("LSTMCell", 4, input_size, hidden_size, options) {}
  LSTMState operator()(const Tensor& x, const LSTMState& state = {},
                       Where where = Where::current()) const;
};
struct GRUCell : RecurrentCell {
  GRUCell(int64_t input_size, int64_t hidden_size, const CellOptions& options = {})
      : RecurrentCell("GRUCell", 3, input_size, hidden_size, options) {}
  Tensor operator()(const Tensor& x, const Tensor& h = {}, Where where = Where::current()) const;
};
struct RNNCell : RecurrentCell {
  RNNCell(int64_t input_size, int64_t hidden_size, const CellOptions& options = {},
          RNNNonlinearity nonlinearity = RNNNonlinearity::kTanh)
      : RecurrentCell("RNNCell", 1, input_size, hidden_size, options), nonlinearity(nonlinearity) {}
  Tensor operator()(const Tensor& x, const Tensor& h = {}, Where where = Where::current()) const;
  RNNNonlinearity nonlinearity;
};

// The last states without their history, from which the next part of a long sequence begins:
// gradients end here (truncated back-propagation through time, Williams & Peng 1990).
LSTMState detach(const LSTMResult& result, Where where = Where::current());
Tensor detach(const RNNResult& result, Where where = Where::current());

}  // namespace glia::nn
