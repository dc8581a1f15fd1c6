// A module as a function of its parameters: ensembles, per-sample gradients, meta-learning.
#pragma once

#include <vector>

#include "glia/autodiff.h"
#include "glia/nn/module.h"

namespace glia::nn {

// While it lives, the parameters of a module (frozen ones too, in the order of all_parameters())
// have other values on this thread: whoever reads them there gets these, and gradients flow through
// them. What the module sets meanwhile is gone with it. ShapeError if shapes or their number
// differ.
class Substituted {
 public:
  Substituted(const Module& module, const std::vector<Tensor>& values,
              Where where = Where::current());
  ~Substituted();
  Substituted(const Substituted&) = delete;
  Substituted& operator=(const Substituted&) = delete;

 private:
  ParameterList parameters_;
  std::vector<Tensor> before_;
};

// f() with the module's parameters at these values, as torch.func.functional_call.
template <class F>
auto functional_call(const Module& module, const std::vector<Tensor>& values, F&& f,
                     Where where = Where::current()) {
  const Substituted values_here(module, values, where);
  return f();
}

// The parameters of models of one structure, each as (models, ...): with vmap and functional_call
// they run as one, as torch.func.stack_module_state.
std::vector<Tensor> stack_parameters(const std::vector<const Module*>& models,
                                     Where where = Where::current());
template <class M>
std::vector<Tensor> stack_parameters(const std::vector<M>& models, Where where = Where::current()) {
  std::vector<const Module*> all;
  for (const M& model : models) all.push_back(&model);
  return stack_parameters(all, where);
}

// loss(example) is a scalar made with the module; `batch` has the examples along axis 0. Returns
// the gradient of each example's loss by each trainable parameter: (N, ...), as DP-SGD wants them.
std::vector<Tensor> per_sample_gradients(const Module& module, const TensorFunction& loss,
                                         const std::vector<Tensor>& batch,
                                         Where where = Where::current());

}  // namespace glia::nn
