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
  const std::vector<Tensor> found = gradients_or_zeros(loss, wanted);
  for (size_t i = 0, k = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined() && inputs[i].requires_grad()) grads[i] = found[k++];
  }
  return grads;
}

std::vector<Tensor> as_gradients_of(const Composition& f, const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& seeds,
                                    const std::vector<Tensor>& grads, const Where& where) {
  std::vector<Tensor> by = inputs, out(grads.size());
  std::vector<bool> given;
  for (const Tensor& seed : seeds) {
    given.push_back(seed.defined());
    if (seed.defined()) by.push_back(seed);
  }
  const size_t count = inputs.size();
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) continue;
    const Composition first = [=](const std::vector<Tensor>& at) {
      const auto end = at.begin() + static_cast<std::ptrdiff_t>(count);
      std::vector<Tensor> its_seeds;
      for (auto next = end; bool has : given) its_seeds.push_back(has ? *next++ : Tensor());
      return std::vector<Tensor>{gradients_of(f, {at.begin(), end}, its_seeds)[i]};
    };
    const CustomRule rule = [first](const std::vector<Tensor>& at, const Tensor&, const Tensor& g) {
      return gradients_of(first, at, {g});
    };
    out[i] = with_rule(grads[i], by, rule, where);
  }
  return out;
}

}  // namespace glia
