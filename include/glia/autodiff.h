// Derivatives of any order. All are graph to graph: they record nodes and compute nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "glia/tensor.h"

namespace glia {

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

// d loss / d each of `with_respect_to`, of their shapes; zeros for a trainable tensor or variable
// on which the loss does not depend. `loss` has one element, or `seed` has its shape. Throws Error
// when a tensor requires no gradient, when one was made from others and the loss not from it (such
// as a view of a parameter that was taken afterwards), when a variable was set since the loss was
// made from it, and when an optimizer step has ended the history that is needed.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& with_respect_to,
                              const Tensor& seed = {},
                              std::source_location where = std::source_location::current());
// The same for a model's parameters. Holds on to none of their values, so that an optimizer's step
// in the same expression can put the new ones in their place.
inline std::vector<Tensor> gradients(const Tensor& loss, const ParameterList& with_respect_to,
                                     const Tensor& seed = {},
                                     std::source_location where = std::source_location::current()) {
  return gradients(loss, with_respect_to.tensors(), seed, where);
}

// f's value and the directional derivative of f at `inputs` along `tangents` (forward mode).
std::pair<Tensor, Tensor> jvp(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              const std::vector<Tensor>& tangents,
                              std::source_location where = std::source_location::current());
// f's value and the product of `cotangent` with f's Jacobian, one for each input.
std::pair<Tensor, std::vector<Tensor>> vjp(
    const TensorFunction& f, const std::vector<Tensor>& inputs, const Tensor& cotangent,
    std::source_location where = std::source_location::current());
// All d f / d inputs[i]: f's shape followed by the input's.
std::vector<Tensor> jacobian(const TensorFunction& f, const std::vector<Tensor>& inputs,
                             std::source_location where = std::source_location::current());

// What the examples of a vmap draw: numbers of their own, the same ones, or none (an error).
enum class Randomness { kDifferent, kSame, kError };
// f, written for one example, over axis 0 of every input with in_axes[i] == 0 (default: all); an
// input with in_axes[i] == -1 is shared. The results are stacked along axis 0. A variable from
// outside may not be set to what differs between examples, as a batch norm in training mode does.
TensorFunction vmap(const TensorFunction& f, const std::vector<int>& in_axes = {},
                    Randomness randomness = Randomness::kDifferent,
                    std::source_location where = std::source_location::current());

// f(inputs), whose intermediate values are computed again in the backward pass instead of being
// kept (Chen et al. 2016). Captured parameters get their gradients as usual.
Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs,
                  std::source_location where = std::source_location::current());

struct CheckpointOptions {
  // So many, of equally many functions, of which all but the last are checkpoints: as PyTorch's.
  int64_t segments = 0;
  // Or, instead: what functions record to keep, all of it counted, at most so much at any time.
  int64_t bytes = 0;
};
// functions[n - 1](... functions[0](x)) in segments whose intermediate values are computed again in
// the backward pass. Of `bytes` the segments are found that compute least again: the last functions
// keep their values, all of them if they may; a ValueError names the least that it takes. Functions
// are called once.
Tensor checkpoint_sequential(const std::vector<TensorFunction>& functions, const Tensor& x,
                             const CheckpointOptions& options,
                             std::source_location where = std::source_location::current());

// backward(inputs, output, gradient of output) -> one gradient for each input (undefined: none).
using CustomBackward = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs,
                                                         const Tensor& out, const Tensor& grad)>;
// f with its own derivative. Written with Glia's operations, `backward` is itself differentiable.
// What it gives must have the inputs' shapes and dtypes.
TensorFunction custom_function(const TensorFunction& f, const CustomBackward& backward,
                               std::source_location where = std::source_location::current());

// While one lives, this thread computes each operation when it is recorded, and throws where one
// makes NaN of inputs without: the error names the operation, whether it was recorded for a
// gradient, the line, and the nearest parameter of `model` that it is made from. For debugging: it
// is slow.
class AnomalyMode {
 public:
  AnomalyMode();
  template <class M>
  explicit AnomalyMode(const M& model) : AnomalyMode() {
    for (const auto& p : model.named_parameters()) name(p.name, p.variable);
  }
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;

 private:
  void name(const std::string& name, const Variable& parameter);
  struct Watch;  // private: src/autodiff/anomaly.cpp
  std::unique_ptr<Watch> watch_;
};

struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3;  // PyTorch's
};
// Compares gradients() of sum(f * fixed weights) with central differences at f64 `inputs`; the
// text says the first element that differs, and is empty when all agree.
std::string gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                      const GradcheckOptions& options = {},
                      std::source_location where = std::source_location::current());
// The same for the gradients themselves: second derivatives.
std::string gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {},
                          std::source_location where = std::source_location::current());

}  // namespace glia
