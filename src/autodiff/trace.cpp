#include "autodiff/trace.h"

namespace glia {

uint64_t sequence_now() { return host_scalar(0, kF32).node()->sequence; }

Tensor record_again(const Node& node, std::span<const Tensor> inputs, const Shape& shape,
                    std::span<const int64_t> attributes) {
  const Grad as_before(grad_enabled() && node.needs_grad && !node.trainable);
  std::vector<Node*> nodes;
  for (const Tensor& t : inputs) nodes.push_back(t.node());
  Tensor out = record(*node.op, nodes, shape, node.dtype, attributes, node.where);
  if (node.custom) out.node()->custom = new CustomRule(*node.custom);
  return out;
}

Tensor differentiable(const Tensor& x) {
  if (!x.requires_grad()) return trainable(x);
  return record(kAliasOp, {x.node()}, x.shape(), x.dtype(), {}, {});
}

}  // namespace glia
