// Functions whose derivative is not that of their recorded graph.
#include <numeric>
#include <optional>
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

// y as the result of what was recorded after `start`, which its derivative records again.
Tensor checkpointed(const Tensor& y, uint64_t start) {
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

// ---- Which functions are computed again ---------------------------------------------------------

// What the functions of a sequence keep.
struct Kept {
  std::vector<int64_t> inputs;  // bytes of each function's input
  std::vector<int64_t> before;  // of all that the functions before the i-th record

  int64_t between(size_t first, size_t last) const { return before[last] - before[first]; }

  // The ends of segments that are computed again, of which the functions behind the last keep all
  // of theirs: as many of these as there can be. Nothing if `bytes` are too few.
  std::optional<std::vector<size_t>> segments(int64_t bytes) const {
    const size_t n = inputs.size();
    // What the segments up to the i-th function keep at least, and where the last one begins.
    std::vector<int64_t> least(n + 1, -1);
    std::vector<size_t> begin(n + 1, 0);
    least[0] = 0;
    for (size_t i = 0; i <= n; ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (least[j] < 0) continue;
        const int64_t kept = least[j] + inputs[j];
        if (kept + between(j, i) <= bytes && (least[i] < 0 || kept < least[i]))
          least[i] = kept, begin[i] = j;
      }
      if (least[i] < 0 || least[i] + between(i, n) > bytes) continue;
      std::vector<size_t> ends;
      for (size_t end = i; end > 0; end = begin[end]) ends.insert(ends.begin(), end);
      return ends;
    }
    return {};
  }

  int64_t least_bytes() const {
    int64_t few = -1,
            enough = before.back() + std::accumulate(inputs.begin(), inputs.end(), int64_t{0});
    while (enough - few > 1) {
      const int64_t middle = few + (enough - few) / 2;
      (segments(middle) ? enough : few) = middle;
    }
    return enough;
  }
};

int64_t bytes_of(const Node& node) {
  return node.shape.numel() * static_cast<int64_t>(size_of(node.dtype));
}

// The bytes of what was recorded for y after `start`; views have none.
int64_t recorded_bytes(const Tensor& y, uint64_t start) {
  std::lock_guard hold(graph_lock());
  Node* const root = y.node();
  int64_t bytes = 0;
  for (const Node* node : recorded_since(start, {&root, 1}, [](Node* n) { return n->trainable; })) {
    if (!node->trainable && node->op->kind != Kind::kView) bytes += bytes_of(*node);
  }
  return bytes;
}

// y, which was recorded after `start`, as a function of `now` instead of `before`.
Tensor on_other_input(const Tensor& y, uint64_t start, const Tensor& before, const Tensor& now) {
  if (y.node() == before.node()) return now;
  if (!y.requires_grad() || y.node()->sequence <= start || y.node()->trainable) return y;
  std::lock_guard hold(graph_lock());
  const Recording recording(y, start);
  std::vector<Tensor> outside;
  for (Node* node : recording.outside)
    outside.push_back(node == before.node() ? now : handle(node));
  return replay(recording, outside);
}

}  // namespace

Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs, Where where) {
  require_defined("checkpoint", "input", inputs, where);
  const uint64_t start = sequence_now();
  return checkpointed(call("checkpoint", f, inputs, where), start);
}

Tensor checkpoint_sequential(const std::vector<TensorFunction>& functions, const Tensor& x,
                             const CheckpointOptions& options, Where where) {
  constexpr const char* kName = "checkpoint_sequential";
  require_defined(kName, "input", {x}, where);
  const auto n = static_cast<int64_t>(functions.size());
  if (n == 0) throw ValueError(std::string(kName) + ": no functions", where);
  if ((options.segments == 0) == (options.bytes == 0) || options.segments < 0 ||
      options.segments > n || options.bytes < 0)
    throw ValueError(std::string(kName) + ": " + std::to_string(options.segments) +
                         " segments and " + std::to_string(options.bytes) + " bytes of " +
                         std::to_string(n) + " functions, not one of both",
                     where);
  std::vector<Tensor> values{x};
  std::vector<uint64_t> starts;
  for (const TensorFunction& f : functions) {
    starts.push_back(sequence_now());
    values.push_back(call(kName, f, {values.back()}, where));
  }
  std::vector<size_t> ends;
  for (int64_t k = 1; k < options.segments; ++k)
    ends.push_back(static_cast<size_t>(k * (n / options.segments)));
  if (options.bytes > 0) {
    Kept kept{.inputs = {}, .before = {0}};
    for (size_t i = 0; i < functions.size(); ++i) {
      kept.inputs.push_back(bytes_of(*values[i].node()));
      kept.before.push_back(kept.before.back() + recorded_bytes(values[i + 1], starts[i]));
    }
    const auto found = kept.segments(options.bytes);
    if (!found)
      throw ValueError(std::string(kName) + ": " + std::to_string(options.bytes) +
                           " bytes are too few, " + std::to_string(kept.least_bytes()) +
                           " are the least",
                       where);
    ends = *found;
  }
  // What a checkpoint gives stands for what was recorded.
  Tensor y = x;
  size_t first = 0;
  for (size_t end : ends) {
    const Tensor& before = values[first];
    const bool same = y.node() == before.node();
    const uint64_t start = same ? starts[first] : sequence_now();
    y = checkpointed(same ? values[end] : on_other_input(values[end], starts[first], before, y),
                     start);
    first = end;
  }
  if (first == functions.size()) return y;
  return y.node() == values[first].node()
             ? values.back()
             : on_other_input(values.back(), starts[first], values[first], y);
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
