// Recorded graphs as material: functions are recorded once and their operations recorded again on
// other inputs.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "core/node.h"
#include "core/op.h"
#include "glia/autodiff.h"

namespace glia {

// While one lives, this thread's records require gradients, or not.
class Grad {
 public:
  explicit Grad(bool on) : previous_(set_grad_enabled(on)) {}
  ~Grad() { set_grad_enabled(previous_); }
  Grad(const Grad&) = delete;
  Grad& operator=(const Grad&) = delete;

 private:
  bool previous_;
};

// Nodes that this thread records from now on have a larger Node::sequence.
uint64_t sequence_now();

// The nodes below the roots that were recorded after `start`, inputs first. Goes no further down
// from nodes where stop(node) holds. Under graph_lock(), which others may have in between.
template <class Stop>
std::vector<Node*> recorded_since(uint64_t start, std::span<Node* const> roots, Stop&& stop) {
  const uint64_t mark = next_mark();
  std::vector<Node*> found, stack;
  const auto enter = [&](Node* node) {
    if (node->mark == mark || node->sequence <= start) return;
    node->mark = mark;
    found.push_back(node);
    if (!stop(node)) stack.push_back(node);
  };
  for (Node* root : roots) enter(root);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->in_flight()) {
      wait_for(node);
      return recorded_since(start, roots, stop);
    }
    for (Node* in : node->input_span()) enter(in);
  }
  std::ranges::sort(found, {}, &Node::sequence);
  return found;
}

// The node's operation, with its own derivative if it has one, on other inputs. It requires a
// gradient only if the node did.
Tensor record_again(const Node& node, std::span<const Tensor> inputs, const Shape& shape,
                    AttributeWords attributes);
inline Tensor record_again(const Node& node, std::span<const Tensor> inputs) {
  return record_again(node, inputs, node.shape, node.words());
}

// gradients() for functions that may ignore what they are given: zeros for any tensor on which the
// loss does not depend.
std::vector<Tensor> gradients_or_zeros(const Tensor& loss,
                                       const std::vector<Tensor>& with_respect_to,
                                       const Tensor& seed = {},
                                       const Where& where = Where::current());
// The sums over all results of their seed times their derivative by each of `by`; undefined where
// no result depends on it. Seeds may be undefined.
std::vector<Tensor> pulled_back(std::span<const Tensor> results, std::span<const Tensor> seeds,
                                const std::vector<Tensor>& by);
// f(inputs). Throws an Error of `what` where f is empty or an input or the result is undefined.
Tensor call(const char* what, const TensorFunction& f, const std::vector<Tensor>& inputs,
            const std::source_location& where);
void require_defined(const char* what, const char* tensors, const std::vector<Tensor>& given,
                     const std::source_location& where);

// x as something to differentiate by. Gradients flow on to x if it requires them.
Tensor differentiable(const Tensor& x);

}  // namespace glia
