// Derivatives of macro ops by the compositions that define them.
#include "autodiff/trace.h"

namespace glia {

void Vjp::set_composed() {
  std::vector<Tensor> in = inputs_by_slot(node()), by, results;
  {
    const Grad on(true);
    for (int slot = 0; slot < inputs(); ++slot) {
      if (needs(slot)) by.push_back(in[slot] = differentiable(in[slot]));
    }
    results = compose(node(), in);
  }
  const std::vector<Tensor> found = pulled_back(results, grads_, by);
  for (int slot = 0, k = 0; slot < inputs(); ++slot) {
    if (needs(slot)) set(slot, found[k++]);
  }
}

}  // namespace glia
