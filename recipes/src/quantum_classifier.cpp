#include "recipes/src/quantum_classifier.h"

#include "glia/ops.h"

namespace glia::recipes {

void QuantumChoice::declare(Fields& f, const std::string& usual) {
  f(name, "model", usual, "Weights that are learned, or a kernel for a support vector machine.",
    {{"variational", "kernel"}});
  f(embedding, "embedding", name == "kernel" ? "zz" : "angle", "How data become states.",
    {{"angle", "iqp", "zz"}});
  f(layers, "layers", 3, "Layers of the circuit.", {1, 100});
  f(c, "C", 10, "What a wrong side costs, of the kernel's machine.", {1e-9, 1e9});
}

std::vector<quantum::Operation> embedded(const Tensor& x, const std::string& how) {
  const quantum::Wires wires = quantum::range(x.size(-1));
  if (how == "iqp") return quantum::IQPEmbedding(x, wires);
  return how == "zz" ? quantum::ZZFeatureMap(x, wires) : quantum::AngleEmbedding(x, wires, 'Y');
}

QuantumNetwork::QuantumNetwork(const QuantumChoice& s, int64_t wires, int64_t classes)
    : circuit(wires, {s.layers, wires, 3},
              [how = s.embedding](quantum::Circuit& c, const Tensor& x, const Tensor& w) {
                std::vector<quantum::Observable> z;
                for (int64_t i = 0; i < c.wires(); ++i) z.push_back(quantum::Z(i));
                for (int64_t layer = 0; layer < w.size(0); ++layer) {
                  c.add(embedded(x, how));
                  c.add(quantum::StronglyEntanglingLayers(slice(w, 0, Slice{layer, layer + 1}),
                                                          quantum::range(c.wires())));
                }
                return c.expval(z);
              }),
      head(wires, classes) {}

QuantumClassifier::QuantumClassifier(const QuantumChoice& choice, int64_t wires, int64_t classes)
    : network(choice, wires, classes),
      choice_(choice),
      svm_({{.kernel = classic::SvmKernel::kPrecomputed}, choice.c}) {}

Complex QuantumClassifier::states(const Tensor& x) const {
  quantum::Circuit c(x.size(1));
  c.add(embedded(cast(x, kF64), choice_.embedding));
  return c.state();
}
void QuantumClassifier::fit_kernel(const QuantumSamples& samples) {
  samples_ = samples.x;
  const Complex own = states(samples.x);
  svm_.fit(quantum::kernel_matrix(own, own), samples.y);
}
Tensor QuantumClassifier::operator()(const Tensor& x) const {
  if (!is_kernel()) return argmax(network(x), 1);
  return svm_.predict(quantum::kernel_matrix(states(x), states(samples_)));
}
double QuantumClassifier::accuracy(const QuantumSamples& samples) const {
  return mean(cast((*this)(samples.x) == samples.y, kF64)).item();
}
StateDict QuantumClassifier::state_dict() const {
  if (!is_kernel()) return network.state_dict();
  StateDict out = svm_.state_dict();
  out.emplace_back("samples", samples_);
  return out;
}
void QuantumClassifier::load(const io::NamedTensors& weights, const std::string& path) {
  try {
    if (!is_kernel()) {
      network.load_state_dict(weights);
      return;
    }
    StateDict rest;
    for (const auto& [name, value] : weights)
      if (name == "samples")
        samples_ = value;
      else
        rest.emplace_back(name, value);
    const bool fits = samples_.defined() && samples_.rank() == 2 && samples_.dtype() == kF64 &&
                      samples_.size(1) == network.head.weight.shape()[1];
    if (!fits) throw Error("no samples that a kernel could be made with");
    svm_.load_state_dict(rest);
  } catch (const Error& fault) {
    throw IoError(path + ": " + fault.what());
  }
}

}  // namespace glia::recipes
