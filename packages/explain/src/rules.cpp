#include "rules.h"

#include "glia/autodiff.h"

namespace glia::explain {

std::vector<Tensor> inputs_of(const Recorded& one) {
  std::vector<Tensor> in;
  for (int i = 0; i < one.inputs(); ++i) {
    const Tensor t = one.in(i);
    in.push_back(t.defined() ? stop_gradient(t) : t);
  }
  return in;
}

std::vector<int> movers(const Vjp& v) {
  std::vector<int> which;
  for (int i = 0; i < v.inputs(); ++i)
    if (v.needs(i)) which.push_back(i);
  return which;
}

Tensor again(const Recorded& one, const std::vector<Tensor>& inputs) {
  std::vector<Node*> nodes;
  for (const Tensor& t : inputs) nodes.push_back(t.node());
  return record(one.op(), nodes, one.shape(), one.dtype(), one.words(), one.where());
}

std::vector<Tensor> pulled_back(const Recorded& one, std::vector<Tensor> inputs,
                                const std::vector<int>& by, const Tensor& g) {
  const OtherRules own({});
  std::vector<Tensor> marked;
  for (int i : by)
    marked.push_back(inputs[static_cast<size_t>(i)] =
                         trainable(stop_gradient(inputs[static_cast<size_t>(i)])));
  return gradients(again(one, inputs), marked, stop_gradient(g));
}

bool is_named(const Recorded& one, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names)
    if (name == one.op().name) return true;
  return false;
}

}  // namespace glia::explain
