// Classes by a circuit: weights that are learned, or a kernel of states.
#pragma once

#include <string>
#include <vector>

#include "glia/classic/svm.h"
#include "glia/nn.h"
#include "glia/quantum/templates.h"
#include "recipes/src/quantum_data.h"

namespace glia::recipes {

// The settings of a model, as a recipe declares them.
struct QuantumChoice {
  std::string name, embedding;
  int64_t layers = 0;
  double c = 0;

  void declare(Fields& f, const std::string& usual);
};

std::vector<quantum::Operation> embedded(const Tensor& x, const std::string& how);

// The data in each layer, weights behind, and a linear layer on what is measured.
struct QuantumNetwork : nn::Module {
  quantum::QNode circuit;
  nn::Linear head;
  QuantumNetwork(const QuantumChoice& s, int64_t wires, int64_t classes);
  Tensor operator()(const Tensor& x) const { return head(circuit(x)); }  // (N, wires)
  GLIA_FIELDS(circuit, head)
};

class QuantumClassifier {
 public:
  QuantumClassifier(const QuantumChoice& choice, int64_t wires, int64_t classes);
  bool is_kernel() const { return choice_.name == "kernel"; }
  void fit_kernel(const QuantumSamples& samples);
  Tensor operator()(const Tensor& x) const;  // (N) i64
  double accuracy(const QuantumSamples& samples) const;
  StateDict state_dict() const;
  void load(const io::NamedTensors& weights, const std::string& path);  // throws IoError

  QuantumNetwork network;

 private:
  Complex states(const Tensor& x) const;

  const QuantumChoice choice_;
  classic::SVC svm_;
  Tensor samples_;  // that the machine learned from
};

}  // namespace glia::recipes
