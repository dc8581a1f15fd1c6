// Functions whose derivative is not that of their recorded graph.
#include <unordered_map>

#include "autodiff/trace.h"
#include "glia/autodiff.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- barrier(x, gradient): x, but not before the gradient is there ----

bool view_barrier(const Recorded&, const Layout& in, Layout* out) {
  *out = in;
  return true;
}
void vjp_barrier(Vjp& v) { v.set(0, v.g()); }
Tensor barrier(const Tensor& x, const Tensor& gradient);
Tensor batch_barrier(const Recorded&, std::span<const Tensor> inputs, std::span<const bool> batched,
                     int64_t size) {
  return barrier(with_batch_axis(inputs[0], batched[0], size), inputs[1]);
}
// Not an alias, so that what is computed behind it is never merged with what was computed before.
const Op kBarrier{.name = "barrier",
                  .kind = Kind::kView,
                  .vjp = vjp_barrier,
                  .view = view_barrier,
                  .batch = batch_barrier};
const RegisterOp registered(kBarrier);
Tensor barrier(const Tensor& x, const Tensor& gradient) {
  return record(kBarrier, {x.node(), gradient.node()}, x.shape(), x.dtype(), {}, {});
}

// What a function recorded: the nodes that depend on tensors from outside which require a
// gradient, inputs first, and those tensors.
struct Recording {
  std::vector<Node*> nodes, outside;

  Recording(const Tensor& result, uint64_t start) {
    Node* const root = result.node();
    std::unordered_map<const Node*, bool> depends;
    const auto from_outside = [&](const Node* in) {
      return in->needs_grad && (in->sequence <= start || in->trainable);
    };
    for (Node* node : recorded_since(start, {&root, 1}, [](Node* n) { return n->trainable; })) {
      if (node->trainable) continue;
      bool inside = false;
      for (Node* in : node->input_span()) {
        if (from_outside(in)) {
          inside = true;
          if (!std::ranges::count(outside, in)) outside.push_back(in);
        } else if (const auto found = depends.find(in); found != depends.end()) {
          inside = true;
        }
      }
      if (!inside) continue;
      depends.emplace(node, true);
      nodes.push_back(node);
    }
  }
};

// The function's operations once more, on other tensors in the place of those from outside.
Tensor replay(const Recording& recording, const std::vector<Tensor>& outside) {
  std::unordered_map<const Node*, Tensor> now;
  for (size_t i = 0; i < outside.size(); ++i) now.emplace(recording.outside[i], outside[i]);
  Tensor last;
  for (Node* node : recording.nodes) {
    std::vector<Tensor> inputs;
    for (Node* in : node->input_span()) {
      const auto found = now.find(in);
      inputs.push_back(found == now.end() ? handle(in) : found->second);
    }
    last = record_again(*node, inputs);
    now.emplace(node, last);
  }
  return last;
}

}  // namespace

Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs, Where where) {
  require_defined("checkpoint", "input", inputs, where);
  const uint64_t start = sequence_now();
  const Tensor y = call("checkpoint", f, inputs, where);
  if (!y.requires_grad() || y.node()->sequence <= start || y.node()->trainable) return y;
  std::vector<Tensor> arguments;
  {
    std::lock_guard hold(graph_lock());
    for (Node* node : Recording(y, start).outside) arguments.push_back(handle(node));
  }
  const auto rule = [y, start](const std::vector<Tensor>& outside, const Tensor&, const Tensor& g) {
    const Grad on(true);
    std::vector<Tensor> again, wanted;
    for (const Tensor& t : outside) again.push_back(barrier(t, g));
    for (size_t i = 0; i < outside.size(); ++i) {
      if (outside[i].requires_grad()) wanted.push_back(again[i]);
    }
    Tensor result;
    {
      std::lock_guard hold(graph_lock());
      result = replay(Recording(y, start), again);
    }
    const std::vector<Tensor> found = gradients_or_zeros(result, wanted, g);
    std::vector<Tensor> grads(outside.size());
    for (size_t i = 0, k = 0; i < outside.size(); ++i) {
      if (outside[i].requires_grad()) grads[i] = found[k++];
    }
    return grads;
  };
  return with_rule(stop_gradient(y), arguments, rule, y.node()->where);
}

TensorFunction custom_function(const TensorFunction& f, const CustomBackward& backward,
                               Where where) {
  if (!backward) throw Error("custom_function: the backward function is empty", where);
  const CustomRule rule = [backward, where](const std::vector<Tensor>& inputs, const Tensor& out,
                                            const Tensor& g) {
    std::vector<Tensor> grads = backward(inputs, out, g);
    for (size_t i = 0; i < std::min(grads.size(), inputs.size()); ++i) {
      if (!grads[i].defined() || !inputs[i].requires_grad()) continue;
      const auto text = [](const Tensor& t) { return name(t.dtype()) + (" " + t.shape().str()); };
      if (grads[i].shape() != inputs[i].shape() || grads[i].dtype() != inputs[i].dtype())
        throw ShapeError("custom_function: the gradient of input " + std::to_string(i) + " is " +
                             text(grads[i]) + ", the input " + text(inputs[i]),
                         where);
    }
    return grads;
  };
  return [f, rule, where](const std::vector<Tensor>& inputs) {
    require_defined("custom_function", "input", inputs, where);
    const Tensor value = [&] {
      const NoGrad off;
      return call("custom_function", f, inputs, where);
    }();
    return with_rule(value, inputs, rule, where);
  };
}

}  // namespace glia
