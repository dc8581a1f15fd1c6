// Layers of gates with PennyLane's names: data into circuits, and weights. And QNode, a layer of a
// model that is a circuit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/nn.h"
#include "glia/quantum/circuit.h"

namespace glia::quantum {

// The wires 0, 1, ... n - 1.
Wires range(int64_t n);

// ---- Embeddings: features (F), or (B, F) for B samples at once ----------------------------------

// A rotation about 'X', 'Y' or 'Z' by each feature, at most one for each wire.
std::vector<Operation> AngleEmbedding(const Tensor& features, const Wires& wires,
                                      char rotation = 'X', Where where = Where::current());
// Amplitudes for Circuit::set_state(): padded behind with `pad_with` to a power of two, and scaled
// to norm 1 if `normalize`.
Complex AmplitudeEmbedding(const Tensor& features, int64_t wires, double pad_with = 0,
                           bool normalize = true, Where where = Where::current());
// X on each wire whose bit is 1.
std::vector<Operation> BasisEmbedding(const std::vector<bool>& bits, const Wires& wires,
                                      Where where = Where::current());
// Hadamard, RZ(x_i), exp(-i x_i x_j/2 ZZ) for each pair, `repeats` times (Havlicek et al. 2019).
std::vector<Operation> IQPEmbedding(const Tensor& features, const Wires& wires, int64_t repeats = 1,
                                    Where where = Where::current());
// Qiskit's ZZFeatureMap: Hadamard, P(2 x_i), and P(2 (pi - x_i)(pi - x_j)) between two CNOTs for
// each pair, `repeats` times (Havlicek et al. 2019).
std::vector<Operation> ZZFeatureMap(const Tensor& features, const Wires& wires, int64_t repeats = 2,
                                    Where where = Where::current());

// ---- Layers of weights
// ----------------------------------------------------------------------------

// weights (L, wires): RX (or 'Y', 'Z') on each wire, then CNOTs in a ring.
std::vector<Operation> BasicEntanglerLayers(const Tensor& weights, const Wires& wires,
                                            char rotation = 'X', Where where = Where::current());
// weights (L, wires, 3): Rot on each wire, then CNOTs to the wire `range` further on, which is 1,
// 2,
// ... from layer to layer (Schuld et al. 2020).
std::vector<Operation> StronglyEntanglingLayers(const Tensor& weights, const Wires& wires,
                                                Where where = Where::current());
// initial (wires), weights (L, wires - 1, 2): RY, then CZ and two RY on neighbours, even pairs and
// odd (Cerezo et al. 2021).
std::vector<Operation> SimplifiedTwoDesign(const Tensor& initial, const Tensor& weights,
                                           const Wires& wires, Where where = Where::current());
// exp(-i gamma C) of a sum C of products of Z, and exp(-i beta X) on each wire: a layer of QAOA
// (Farhi et al. 2014). Throws ValueError for a term with X or Y.
std::vector<Operation> QAOALayer(const Angle& gamma, const Angle& beta, const Observable& cost,
                                 const Wires& wires, Where where = Where::current());
// C = the sum over edges of w/2 (Z_i Z_j - 1), whose minimum is minus the largest cut of the graph.
// `weights` is empty, all 1, or one for each edge.
Observable maxcut(const std::vector<std::pair<int64_t, int64_t>>& edges,
                  const std::vector<double>& weights = {}, Where where = Where::current());

// ---- A circuit in a model
// -------------------------------------------------------------------------

// A layer whose values are measured: PennyLane's qnn.TorchLayer.
//
//   quantum::QNode node(4, {2, 4, 3}, [](quantum::Circuit& c, const Tensor& x, const Tensor& w) {
//     c.add(quantum::AngleEmbedding(x, quantum::range(4)));
//     c.add(quantum::StronglyEntanglingLayers(w, quantum::range(4)));
//     return c.expval({quantum::Z(0), quantum::Z(1)});
//   });
//   const Tensor y = node(x);  // (B, 4) -> (B, 2)
class QNode : public nn::Module {
 public:
  // What is measured of a circuit, for inputs (B, F) and weights.
  using Function =
      std::function<Tensor(Circuit& circuit, const Tensor& inputs, const Tensor& weights)>;

  // Weights of that shape, uniform in [0, 2 pi).
  QNode(int64_t wires, const Shape& weight_shape, Function function,
        const CircuitOptions& options = {});
  // x (F) or (B, F); the result has the dtype of x.
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Parameter weights;
  GLIA_FIELDS(weights)

 private:
  int64_t wires_;
  Function function_;
  CircuitOptions options_;
};

}  // namespace glia::quantum
