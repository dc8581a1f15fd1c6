// Derivatives of macro ops by the compositions that define them.
#include "autodiff/trace.h"
#include "glia/autodiff.h"
#include "ops/private.h"

namespace glia {

std::vector<Tensor> gradients_of(const Composition& f, const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& seeds) {
  const Grad on(true);
  std::vector<Tensor> own, wanted;
  for (const Tensor& t : inputs) {
    own.push_back(t.defined() && t.requires_grad() ? differentiable(t) : t);
    if (t.defined() && t.requires_grad()) wanted.push_back(own.back());
  }
  const std::vector<Tensor> results = f(own);
  Tensor loss;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!seeds[i].defined() || !results[i].defined()) continue;
    const Tensor part = sum(results[i] * seeds[i]);
    loss = loss.defined() ? loss + part : part;
  }
  std::vector<Tensor> grads(inputs.size());
  if (!loss.defined() || wanted.empty()) return grads;
  const std::vector<Tensor> found = gradients(loss, wanted);
  for (size_t i = 0, k = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined() && inputs[i].requires_grad()) grads[i] = found[k++];
  }
  return grads;
}

}  // namespace glia
