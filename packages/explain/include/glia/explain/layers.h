// What layers see: heat maps of convolutions, concepts, what a layer knows, and where attention
// goes.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/explain/attribution.h"
#include "glia/nn/module.h"

namespace glia::explain {

// ---- Heat maps ----------------------------------------------------------------------------------

struct GradCamOptions {
  Target target = {};
  // The layer: a parameter that it reads, such as net.layer3[2].conv2.weight; its map is what the
  // operation with that parameter gives. Undefined: the last map of the model, what its pooling
  // sees.
  Tensor layer = {};
  bool relu_attributions = false;  // what speaks against the target counts as nothing
  bool upsample = false;           // to the size of the input, bilinearly
};
// Grad-CAM (Selvaraju et al. 2017): channels of a map (N, H, W, C), each by the mean of its
// gradient. x (N, H, W, channels) -> (N, H, W) of the map, or of the input. Throws Error for a
// model without maps, or one that does not use the layer.
Tensor grad_cam(const Forward& f, const Tensor& x, const GradCamOptions& options = {},
                Where where = Where::current());
// Grad-CAM++ (Chattopadhay et al. 2018): gradients count more where they are rare, so that all of
// several things are found. Never negative.
Tensor grad_cam_plus_plus(const Forward& f, const Tensor& x, const GradCamOptions& options = {},
                          Where where = Where::current());
// Guided backpropagation times what of Grad-CAM is positive, at the size of the input: of its
// shape.
Tensor guided_grad_cam(const Forward& f, const Tensor& x, const GradCamOptions& options = {},
                       Where where = Where::current());

// The map (N, H, W, C) that the model makes of x, as chosen by GradCamOptions::layer; and any value
// that an operation with this parameter gives, of any shape. Without gradients.
Tensor layer_activation(const Forward& f, const Tensor& x, const Tensor& layer = {},
                        Where where = Where::current());

// ---- Words --------------------------------------------------------------------------------------

struct EmbeddingGradientsOptions {
  Target target = {};
  Tensor baseline = {};  // (D): the row that stands for no word; undefined: zeros
  int64_t n_steps = 50;
};
// Integrated gradients of what an embedding looks up, position by position: what each word adds to
// the score. `embedding` is the module that has the table (count, D), its only parameter, and f()
// the model's outputs (N, outputs) for texts of its own. Attributions are (N, T), summed over D.
// All rows go from the baseline to their values at once. Captum's LayerIntegratedGradients.
Attributed embedding_gradients(const nn::Module& embedding, const std::function<Tensor()>& f,
                               const EmbeddingGradientsOptions& options = {},
                               Where where = Where::current());

// ---- Concepts -----------------------------------------------------------------------------------

struct Tcav {
  Tensor cav;            // (features): the direction from the random examples to the concept
  double accuracy = 0;   // of telling them apart, on a third that was held out
  double score = 0;      // the share of inputs whose score rises along it
  double magnitude = 0;  // by how much, as a share of all change
};
struct TcavOptions {
  Target target = {};
  double C = 1;  // of the logistic regression
  uint64_t seed = 0;
};
// Testing with concept activation vectors (Kim et al. 2018): of a layer that gives (N, ...), which
// `head` makes scores of. Activations of a concept's examples, of random ones, and of the inputs.
Tcav tcav(const Forward& head, const Tensor& concept_activations, const Tensor& random_activations,
          const Tensor& activations, const TcavOptions& options = {},
          Where where = Where::current());

struct Probe {
  double accuracy = 0;          // of held-out examples
  double control_accuracy = 0;  // with labels that are drawn for each distinct one of `control`
  double selectivity() const { return accuracy - control_accuracy; }
};
struct ProbeOptions {
  double C = 1;
  double test_size = 0.3;
  uint64_t seed = 0;
};
// A linear classifier of activations (N, features) into labels (N): what a layer says of them
// (Alain & Bengio 2016). `control` (N) i64 are identities, such as words: their random labels can
// be learnt by heart only (Hewitt & Liang 2019); undefined: each example is its own.
Probe probe(const Tensor& activations, const Tensor& labels, const Tensor& control = {},
            const ProbeOptions& options = {}, Where where = Where::current());

// ---- Attention ----------------------------------------------------------------------------------

struct RolloutOptions {
  double residual = 0.5;     // the share of what passes by the attention
  double discard_ratio = 0;  // of each row the smallest weights that count as none
};
// Attention roll-out (Abnar & Zuidema 2020): how much each output position (T) rests on each input
// position (T), through layers of weights (heads, T, T) or (N, heads, T, T): (T, T) or (N, T, T).
Tensor attention_rollout(const std::vector<Tensor>& layers, const RolloutOptions& options = {},
                         Where where = Where::current());

}  // namespace glia::explain
