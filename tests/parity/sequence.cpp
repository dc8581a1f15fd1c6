// Glia's side of sequence.py: layers by name, with the weights and inputs of a file.
//   parity_sequence FOLDER    inputs.safetensors -> outputs.safetensors
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/nn/recurrent.h"
#include "glia/nn/transformer.h"

namespace glia {
namespace {

using Tensors = std::vector<Tensor>;
// A layer, and what it makes of inputs.
struct Case {
  std::shared_ptr<nn::Module> module;
  std::function<Tensors(const Tensors&)> run;
};

template <class Layer, class F>
Case of(Layer layer, F run) {
  auto module = std::make_shared<Layer>(std::move(layer));
  return {module, [module, run](const Tensors& t) { return run(*module, t); }};
}

template <class Layer>
Case lstm(Layer layer) {
  return of(std::move(layer), [](const Layer& l, const Tensors& t) -> Tensors {
    const LSTMResult r = l(t[0], t[1], t[2]);
    return {r.out, r.h, r.c};
  });
}
template <class Layer>
Case gru(Layer layer) {
  return of(std::move(layer), [](const Layer& l, const Tensors& t) -> Tensors {
    const RNNResult r = l(t[0], t[1]);
    return {r.out, r.h};
  });
}
// From lengths, the last of the inputs.
template <class Layer>
Case packed(Layer layer) {
  return of(std::move(layer), [](const Layer& l, const Tensors& t) -> Tensors {
    const nn::PackedResult r = l(nn::pack_padded_sequence(t[0], t.back(), false, false), t[1]);
    return {nn::pad_packed_sequence(r.out, false, 0.5, t[0].size(0)).out, r.h};
  });
}
Case heads(const nn::MultiheadAttentionOptions& options, nn::MultiheadAttentionInputs in) {
  return of(nn::MultiheadAttention(12, 3, options),
            [in](const nn::MultiheadAttention& l, const Tensors& t) -> Tensors {
              nn::MultiheadAttentionInputs given = in;
              if (t.size() > 3) given.key_padding_mask = t[3];
              if (t.size() > 4) given.attn_mask = t[4];
              const auto r = l(t[0], t[1], t[2], given);
              return {r.out, r.weights};
            });
}
nn::TransformerLayerOptions layer_options(nn::UnaryFunction activation, bool norm_first,
                                          bool bias) {
  return {.dim_feedforward = 20,
          .dropout = 0,
          .activation = activation,
          .layer_norm_eps = 1e-3,
          .norm_first = norm_first,
          .bias = bias};
}

Case make(const std::string& name) {
  const nn::RecurrentOptions both{.num_layers = 2, .bidirectional = true};
  const nn::RecurrentOptions bare{.bias = false, .batch_first = true};
  static const std::map<std::string, std::function<Case()>> all{
      {"lstm", [&] { return lstm(nn::LSTM(5, 6, both)); }},
      {"lstm_bare", [&] { return lstm(nn::LSTM(5, 6, bare)); }},
      {"lstm_projected",
       [] {
         return lstm(nn::LSTM(5, 6, {.num_layers = 2, .bidirectional = true, .proj_size = 4}));
       }},
      {"gru", [&] { return gru(nn::GRU(5, 6, both)); }},
      {"rnn", [&] { return gru(nn::RNN(5, 6, both)); }},
      {"rnn_relu", [&] { return gru(nn::RNN(5, 6, bare, RNNNonlinearity::kReLU)); }},
      {"gru_packed", [&] { return packed(nn::GRU(5, 6, both)); }},
      {"rnn_packed", [&] { return packed(nn::RNN(5, 6, both)); }},
      {"lstm_packed",
       [&] {
         return of(nn::LSTM(5, 6, both), [](const nn::LSTM& l, const Tensors& t) -> Tensors {
           const auto r = l(nn::pack_padded_sequence(t[0], t[3], false, false), t[1], t[2]);
           return {nn::pad_packed_sequence(r.out, true).out, r.h, r.c};
         });
       }},
      {"lstm_cell",
       [] {
         return of(nn::LSTMCell(5, 6), [](const nn::LSTMCell& l, const Tensors& t) -> Tensors {
           const auto r = l(t[0], {t[1], t[2]});
           return {r.h, r.c};
         });
       }},
      {"gru_cell",
       [] {
         return of(
             nn::GRUCell(5, 6, {.bias = false}),
             [](const nn::GRUCell& l, const Tensors& t) -> Tensors { return {l(t[0], t[1])}; });
       }},
      {"rnn_cell",
       [] {
         return of(
             nn::RNNCell(5, 6, {}, RNNNonlinearity::kReLU),
             [](const nn::RNNCell& l, const Tensors& t) -> Tensors { return {l(t[0], t[1])}; });
       }},
      {"heads", [] { return heads({}, {}); }},
      {"heads_each", [] { return heads({.bias = false}, {.average_attn_weights = false}); }},
      {"heads_masks", [] { return heads({.batch_first = false}, {}); }},
      {"heads_added",
       [] {
         return heads({.add_bias_kv = true, .add_zero_attn = true, .kdim = 5, .vdim = 7}, {});
       }},
      {"encoder",
       [] {
         return of(nn::TransformerEncoder(
                       nn::TransformerEncoderLayer(12, 3, layer_options(gelu, true, true)), 2,
                       nn::LayerNorm(12)),
                   [](const nn::TransformerEncoder& l, const Tensors& t) -> Tensors {
                     return {l(t[0], {}, t[1])};
                   });
       }},
      {"encoder_layer",
       [] {
         return of(nn::TransformerEncoderLayer(12, 3, layer_options(relu, false, false)),
                   [](const nn::TransformerEncoderLayer& l, const Tensors& t) -> Tensors {
                     return {l(t[0], t[1])};
                   });
       }},
      {"decoder_layer",
       [] {
         return of(nn::TransformerDecoderLayer(12, 3, layer_options(relu, true, true)),
                   [](const nn::TransformerDecoderLayer& l, const Tensors& t) -> Tensors {
                     return {l(t[0], t[1], {.tgt_mask = t[2]})};
                   });
       }},
      {"transformer", [] {
         const nn::TransformerOptions options{.d_model = 12,
                                              .nhead = 3,
                                              .num_encoder_layers = 2,
                                              .num_decoder_layers = 2,
                                              .dim_feedforward = 20,
                                              .dropout = 0};
         return of(nn::Transformer(options),
                   [](const nn::Transformer& l, const Tensors& t) -> Tensors {
                     return {l(t[0], t[1],
                               {.tgt_mask = nn::generate_square_subsequent_mask(t[1].size(1)),
                                .src_key_padding_mask = t[2],
                                .memory_key_padding_mask = t[2]})};
                   });
       }}};
  const auto found = all.find(name);
  if (found == all.end()) throw Error("no layer " + name);
  return found->second();
}

// Of "NAME.DTYPE": "state/KEY", "in/0", "in/1", ..., and "weight/0", ..., the gradients of results.
void compute(const std::string& folder) {
  struct Given {
    StateDict state;
    Tensors in, weights;
  };
  std::map<std::string, Given> cases;
  for (const auto& [key, value] : io::read_safetensors(folder + "/inputs.safetensors")) {
    const size_t first = key.find('/'), second = key.find('/', first + 1);
    Given& c = cases[key.substr(0, first)];
    const std::string kind = key.substr(first + 1, second - first - 1);
    if (kind == "state")
      c.state.emplace_back(key.substr(second + 1), value);
    else
      (kind == "in" ? c.in : c.weights).push_back(value);
  }
  io::NamedTensors results;
  for (const auto& [name, given] : cases) {
    const Case c = make(name.substr(0, name.find('.')));
    c.module->to(given.state.at(0).second.dtype());
    c.module->load_state_dict(given.state);
    Tensors in, by;
    for (const Tensor& t : given.in) {
      in.push_back(is_float(t.dtype()) ? trainable(t) : t);
      if (is_float(t.dtype())) by.push_back(in.back());
    }
    const size_t inputs = by.size();
    const auto named = c.module->named_parameters();
    for (const nn::NamedVariable& p : named) by.push_back(p.variable.tensor());
    const Tensors out = c.run(in);
    Tensor loss;
    for (size_t i = 0; i < out.size(); ++i) {
      results.emplace_back(name + "/out/" + std::to_string(i), out[i]);
      const Tensor part = sum(out[i] * given.weights.at(i));
      loss = loss.defined() ? loss + part : part;
    }
    const Tensors g = gradients(loss, by);
    for (size_t i = 0; i < g.size(); ++i)
      results.emplace_back(
          name + "/grad/" + (i < inputs ? std::to_string(i) : named[i - inputs].name), g[i]);
    for (const auto& [key, value] : c.module->state_dict())
      results.emplace_back(name + "/state/" + key, value);
  }
  io::write_safetensors(folder + "/outputs.safetensors", results);
}

}  // namespace
}  // namespace glia

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw glia::Error("usage: parity_sequence FOLDER");
    glia::compute(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parity_sequence: %s\n", error.what());
    return 2;
  }
  return 0;
}
