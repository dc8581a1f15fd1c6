#include "autodiff/trace.h"

namespace glia {

uint64_t sequence_now() { return host_scalar(0, kF32).node()->sequence; }

Tensor record_again(const Node& node, std::span<const Tensor> inputs, const Shape& shape,
                    AttributeWords attributes) {
  const Grad as_before(grad_enabled() && node.needs_grad && !node.trainable);
  Tensor out =
      record(*node.op, nodes_by_slot(node, inputs), shape, node.dtype, attributes, node.where);
  if (node.custom) out.node()->custom = new CustomRule(*node.custom);
  return out;
}

void require_defined(const char* what, const char* tensors, const std::vector<Tensor>& given,
                     const std::source_location& where) {
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].defined())
      throw Error(std::string(what) + ": " + tensors + " " + std::to_string(i) + " is not defined",
                  where);
  }
}

Tensor call(const char* what, const TensorFunction& f, const std::vector<Tensor>& inputs,
            const std::source_location& where) {
  if (!f) throw Error(std::string(what) + ": the function is empty", where);
  Tensor result = f(inputs);
  if (!result.defined())
    throw Error(std::string(what) + ": the function gave an undefined tensor", where);
  return result;
}

Tensor differentiable(const Tensor& x) {
  if (!x.requires_grad()) return trainable(x);
  return record(kAliasOp, {x.node()}, x.shape(), x.dtype(), {}, {});
}

}  // namespace glia
