// Functions made from functions: directional derivatives, Jacobians, and batching.
#include <unordered_map>
#include <unordered_set>

#include "autodiff/trace.h"
#include "glia/autodiff.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- Batching: a function is recorded on placeholders of one example, and each recorded
// operation is recorded again for all examples.

Tensor placeholder(const Shape& shape, DType dtype, bool needs_grad) {
  const Symbolic recording;
  Tensor t = record(kPlaceholderOp, {}, shape, dtype, {}, {});
  t.node()->needs_grad = needs_grad;
  return t;
}

Shape with_size(int64_t size, const Shape& shape) {
  Shape out = shape;
  out.insert(0, size);
  return out;
}

// What a recorded node becomes: one tensor for all examples, batched if it has their axis in front.
struct Batched {
  Tensor tensor;
  bool batched = false;
  std::vector<Batched> results = {};  // instead: of a macro op that has several
};

class Batch {
 public:
  explicit Batch(int64_t size, Randomness randomness = Randomness::kDifferent)
      : size_(size), randomness_(randomness), start_(sequence_now()) {}

  void bind(const Tensor& node, Batched value) {
    bound_.push_back(node);
    values_[node.node()] = std::move(value);
  }

  // The values of tensors recorded since this was made, for all examples.
  std::vector<Batched> run(std::span<const Tensor> recorded) {
    std::lock_guard hold(graph_lock());
    const std::vector<Node*> roots = nodes_of(recorded);
    settle(roots, UINT64_MAX);
    std::vector<Batched> out;
    for (Node* root : roots) out.push_back(value(root));
    return out;
  }

  // The same with the examples' axis in front, whether the value depends on them or not.
  std::vector<Tensor> stacked(std::span<const Tensor> recorded) {
    std::vector<Tensor> out;
    for (const Batched& v : run(recorded))
      out.push_back(with_batch_axis(v.tensor, v.batched, size_));
    return out;
  }

 private:
  static std::vector<Node*> nodes_of(std::span<const Tensor> tensors) {
    std::vector<Node*> nodes;
    for (const Tensor& t : tensors) nodes.push_back(t.node());
    return nodes;
  }

  // Gives values to what the roots need of the nodes recorded up to `last`.
  void settle(std::span<Node* const> roots, uint64_t last) {
    const auto known = [&](Node* n) { return values_.contains(n); };
    for (Node* node : recorded_since(start_, roots, known)) {
      if (node->sequence <= last && !known(node)) values_.emplace(node, again(*node));
    }
  }

  Batched value(Node* node) const {
    const auto found = values_.find(node);
    return found == values_.end() ? Batched{handle(node)} : found->second;
  }

  // What tensors recorded after `since` need of the nodes recorded before, as far as it is
  // batched.
  std::vector<std::pair<Tensor, Batched>> captured(std::span<const Tensor> recorded,
                                                   uint64_t since) {
    std::lock_guard hold(graph_lock());
    const std::vector<Node*> roots = nodes_of(recorded);
    settle(roots, since);
    std::vector<std::pair<Tensor, Batched>> out;
    std::unordered_set<Node*> seen;
    const auto look = [&](Node* node) {
      const auto found = values_.find(node);
      if (found != values_.end() && found->second.batched && seen.insert(node).second)
        out.emplace_back(handle(node), found->second);
    };
    for (Node* root : roots) look(root);
    for (Node* node : recorded_since(since, roots, [](Node*) { return false; })) {
      for (Node* in : node->input_span()) look(in);
    }
    return out;
  }

  Batched again(Node& node) {
    if (node.op->kind == Kind::kOutput) {
      const Batched tuple = value(node.inputs[0]);
      if (!tuple.results.empty()) return tuple.results[node.attributes<OutputAttributes>().which];
    }
    std::vector<Batched> in;
    bool any = false, same = true;
    for (Node* input : node.input_span()) {
      in.push_back(value(input));
      any |= in.back().batched;
      same &= in.back().tensor.node() == input;
    }
    if (node.op->draws && randomness_ == Randomness::kError)
      throw Error("vmap: the function draws random numbers", node.where);
    if (node.op->draws && !any && randomness_ == Randomness::kDifferent)
      return {record_again(node, {&in[0].tensor, 1}, with_size(size_, node.shape), node.words()),
              true};
    if (!any && same) return {handle(&node)};
    if (any && size_ == 0) return {zeros(with_size(0, node.shape), node.dtype), true};
    if (node.custom && any) return {with_rule_of(node, in[0], std::span(in).subspan(1)), true};
    std::vector<Tensor> tensors;
    const auto batched = std::make_unique<bool[]>(in.size());
    for (size_t i = 0; i < in.size(); ++i) {
      tensors.push_back(in[i].tensor);
      batched[i] = in[i].batched;
    }
    if (!any) return {record_again(node, tensors)};
    return for_all(node, tensors, {batched.get(), in.size()});
  }

  // One operation, of whose inputs some are batched.
  Batched for_all(const Node& node, std::span<Tensor> in, std::span<const bool> batched) {
    const Grad as_before(grad_enabled() && node.needs_grad && !node.trainable);
    // A view is of its first input; any others only say what belongs together.
    if (node.op->kind == Kind::kView && !batched[0]) return {record_again(node, in.first(1))};
    if (node.op->batch) {
      const Tensor out = node.absent ? batch_with_absent(node, in, batched)
                                     : node.op->batch(node, in, batched, size_);
      if (out.defined()) return {out, true};
    }
    if (node.op->compose) return composed(node, in, batched);
    switch (node.op->kind) {
      case Kind::kElementwise:
        // Broadcasting aligns the last axes; the examples' must stay in front.
        if (node.op->draws) break;
        for (size_t i = 0; i < in.size(); ++i) {
          if (batched[i]) in[i] = with_axes_behind_first(in[i], node.shape.rank());
        }
        return {record_again(node, in, with_size(size_, node.shape), {}), true};
      case Kind::kReduce: {
        const WordsOf moved(ReduceAttributes{node.attributes<ReduceAttributes>().axes << 1});
        return {record_again(node, in, with_size(size_, node.shape), moved.words()), true};
      }
      case Kind::kOutput:
        return {record_again(node, in, with_size(size_, node.shape), node.words()), true};
      default:
        break;
    }
    return each(node, in, batched);
  }

  Tensor batch_with_absent(const Node& node, std::span<const Tensor> in,
                           std::span<const bool> batched) const {
    const auto all = std::make_unique<bool[]>(node.slots());
    for (int slot = 0; slot < node.slots(); ++slot)
      all[slot] = node.place_of(slot) >= 0 && batched[node.place_of(slot)];
    return node.op->batch(node, by_slot(node, in), {all.get(), size_t(node.slots())}, size_);
  }

  // Each example apart.
  Batched each(const Node& node, std::span<const Tensor> in, std::span<const bool> batched) const {
    if (node.op->outputs > 1)
      throw Error("vmap: " + std::string(node.op->name) + " has no batch rule", node.where);
    std::vector<Tensor> results;
    for (int64_t e = 0; e < size_; ++e) {
      std::vector<Tensor> example(in.begin(), in.end());
      for (size_t i = 0; i < in.size(); ++i) {
        if (batched[i]) example[i] = index(in[i], {e}, node.where);
      }
      results.push_back(record_again(node, example));
    }
    return {stack(results), true};
  }

  // A macro op by the operations that it stands for, recorded for one example. If it has a gradient
  // rule, that is the one that counts.
  Batched composed(const Node& node, std::span<const Tensor> in, std::span<const bool> batched) {
    const bool ruled = node.op->vjp && node.op->outputs == 1 && grad_enabled();
    std::vector<Batched> results;
    {
      const Grad as_before(grad_enabled() && !ruled);
      const std::vector<Tensor> example = [&] {
        const Symbolic recording;
        return compose(node, inputs_by_slot(node));
      }();
      std::vector<Node*> roots = nodes_of(example);
      std::erase(roots, nullptr);
      settle(roots, UINT64_MAX);
      for (const Tensor& t : example) results.push_back(t.defined() ? value(t.node()) : Batched());
      bound_.insert(bound_.end(), example.begin(), example.end());
    }
    if (node.op->outputs > 1) return {{}, true, std::move(results)};
    if (!ruled) return results[0];
    std::vector<Batched> arguments;
    for (size_t i = 0; i < in.size(); ++i) arguments.push_back({in[i], batched[i]});
    return {with_rule_of(node, results[0], arguments), true};
  }

  // What has its own derivative gets the batched derivative: its rule is recorded for one example
  // now, and again for all when it is asked for. An alias (its arguments are behind its value), or
  // a macro op.
  Tensor with_rule_of(const Node& node, const Batched& result,
                      std::span<const Batched> arguments_in) {
    const Tensor all = with_batch_axis(result.tensor, result.batched, size_);
    std::vector<Tensor> arguments;
    for (const Batched& b : arguments_in) arguments.push_back(b.tensor);
    const size_t first = node.custom ? 1 : 0;  // of the arguments, among the node's inputs
    const auto needs = [](const Tensor& t) { return t.requires_grad(); };
    if (!node.needs_grad || !grad_enabled() || std::ranges::none_of(arguments, needs)) return all;

    const uint64_t since = sequence_now();
    auto rule = std::make_shared<ExampleRule>();
    std::vector<Tensor> wanted;
    {
      const Symbolic recording;
      const Grad on(true);
      for (size_t i = 0; i < arguments.size(); ++i) {
        const Node& argument = *node.inputs[i + first];
        rule->arguments.push_back(placeholder(argument.shape, argument.dtype, needs(arguments[i])));
        rule->batched.push_back(arguments_in[i].batched);
        if (needs(arguments[i])) wanted.push_back(rule->arguments.back());
      }
      rule->out = node.custom ? with_rule(placeholder(node.shape, node.dtype, false),
                                          rule->arguments, *node.custom, node.where)
                              : record_again(node, rule->arguments);
      rule->gradient = placeholder(node.shape, node.dtype, true);
      rule->results = gradients(rule->out, wanted, rule->gradient, node.where);
    }
    rule->captured = captured(rule->results, since);
    rule->since = since;
    return with_rule(
        all, arguments,
        [rule, size = size_, randomness = randomness_](const std::vector<Tensor>& now,
                                                       const Tensor& out, const Tensor& g) {
          return rule->batch(size, randomness, now, out, g);
        },
        node.where);
  }

  struct ExampleRule {
    std::vector<Tensor> arguments, results;  // one result for each argument that needs it
    std::vector<bool> batched;
    Tensor out, gradient;
    std::vector<std::pair<Tensor, Batched>> captured;
    uint64_t since = 0;

    std::vector<Tensor> batch(int64_t size, Randomness randomness, const std::vector<Tensor>& now,
                              const Tensor& y, const Tensor& g) const {
      Batch all(size, randomness);
      all.start_ = since;
      for (const auto& [node, value] : captured) all.bind(node, value);
      for (size_t i = 0; i < now.size(); ++i) all.bind(arguments[i], {now[i], batched[i]});
      all.bind(out, {y, true});
      all.bind(gradient, {g, true});
      const std::vector<Tensor> stacks = all.stacked(results);
      std::vector<Tensor> grads(now.size());
      for (size_t i = 0, k = 0; i < now.size(); ++i) {
        if (!arguments[i].requires_grad()) continue;
        // All examples share an argument that is not batched.
        grads[i] = batched[i] ? stacks[k] : sum(stacks[k], {0});
        ++k;
      }
      return grads;
    }
  };

  int64_t size_;
  Randomness randomness_;
  uint64_t start_;
  std::unordered_map<const Node*, Batched> values_;
  std::vector<Tensor> bound_;  // keeps the bound nodes
};

// ---- Derivatives ----

// f at `inputs`, differentiable by those of floating point.
struct Applied {
  std::vector<Tensor> inputs, by;
  Tensor value;

  Applied(const char* what, const TensorFunction& f, const std::vector<Tensor>& at,
          const Where& where)
      : inputs(at) {
    require_defined(what, "input", inputs, where);
    for (Tensor& x : inputs) {
      if (is_float(x.dtype())) by.push_back(x = differentiable(x));
    }
    value = call(what, f, inputs, where);
  }

  // One of a kind `by` for each input: zeros where there is none.
  std::vector<Tensor> for_inputs(const std::vector<Tensor>& found, const Shape& leading) const {
    std::vector<Tensor> out;
    size_t k = 0;
    for (const Tensor& x : inputs) {
      Shape shape = leading;
      for (int64_t size : x.shape()) shape.push_back(size);
      out.push_back(is_float(x.dtype()) ? reshape(found[k++], shape) : zeros(shape, x.dtype()));
    }
    return out;
  }
};

// What is recorded to differentiate leaves no trace where the caller wants no gradients.
Tensor as_asked(const Tensor& t, bool grad) { return grad ? t : stop_gradient(t); }

}  // namespace

std::pair<Tensor, std::vector<Tensor>> vjp(const TensorFunction& f,
                                           const std::vector<Tensor>& inputs,
                                           const Tensor& cotangent, Where where) {
  if (!cotangent.defined()) throw Error("vjp: the cotangent is not defined", where);
  const bool grad = grad_enabled();
  const Grad on(true);
  const Applied applied("vjp", f, inputs, where);
  if (cotangent.shape() != applied.value.shape())
    throw ShapeError("vjp: the cotangent has shape " + cotangent.shape().str() + ", the value " +
                         applied.value.shape().str(),
                     where);
  std::vector<Tensor> out =
      applied.for_inputs(gradients_or_zeros(applied.value, applied.by, cotangent, where), {});
  for (Tensor& t : out) t = as_asked(t, grad);
  return {as_asked(applied.value, grad), out};
}

// The vector-Jacobian product is linear in its cotangent u: its derivative by u along the tangents
// is the Jacobian-vector product.
std::pair<Tensor, Tensor> jvp(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              const std::vector<Tensor>& tangents, Where where) {
  require_defined("jvp", "input", inputs, where);
  require_defined("jvp", "tangent", tangents, where);
  if (tangents.size() != inputs.size())
    throw ShapeError("jvp: " + std::to_string(tangents.size()) + " tangents for " +
                         std::to_string(inputs.size()) + " inputs",
                     where);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (tangents[i].shape() != inputs[i].shape())
      throw ShapeError("jvp: tangent " + std::to_string(i) + " has shape " +
                           tangents[i].shape().str() + ", its input " + inputs[i].shape().str(),
                       where);
  }
  const bool grad = grad_enabled();
  const Grad on(true);
  const Applied applied("jvp", f, inputs, where);
  const Tensor u = trainable(zeros_like(applied.value));
  const std::vector<Tensor> products =
      applied.for_inputs(gradients_or_zeros(applied.value, applied.by, u), {});
  Tensor along = zeros({}, applied.value.dtype());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (is_float(inputs[i].dtype())) along = along + sum(products[i] * tangents[i]);
  }
  const Tensor tangent = gradients(along, {u})[0];
  return {as_asked(applied.value, grad), as_asked(tangent, grad)};
}

std::vector<Tensor> jacobian(const TensorFunction& f, const std::vector<Tensor>& inputs,
                             Where where) {
  const bool grad = grad_enabled();
  const Grad on(true);
  const Applied applied("jacobian", f, inputs, where);
  const Tensor& y = applied.value;
  const int64_t n = y.numel();
  Batch batch(n);
  const Tensor row = placeholder(y.shape(), y.dtype(), false);
  batch.bind(row, {reshape(eye(n, y.dtype()), with_size(n, y.shape())), true});
  std::vector<Tensor> rows;
  {
    const Symbolic recording;
    rows = gradients_or_zeros(y, applied.by, row);
  }
  std::vector<Tensor> out = applied.for_inputs(batch.stacked(rows), y.shape());
  for (Tensor& t : out) t = as_asked(t, grad);
  return out;
}

TensorFunction vmap(const TensorFunction& f, const std::vector<int>& in_axes, Randomness randomness,
                    Where where) {
  return [f, in_axes, randomness, where](const std::vector<Tensor>& inputs) {
    require_defined("vmap", "input", inputs, where);
    if (!in_axes.empty() && in_axes.size() != inputs.size())
      throw ShapeError("vmap: " + std::to_string(in_axes.size()) + " axes for " +
                           std::to_string(inputs.size()) + " inputs",
                       where);
    int64_t size = -1;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int axis = in_axes.empty() ? 0 : in_axes[i];
      if (axis == -1) continue;
      if (axis != 0)
        throw ShapeError("vmap: axis " + std::to_string(axis) + " is not 0 or -1", where);
      const Shape& shape = inputs[i].shape();
      if (shape.rank() == 0)
        throw ShapeError("vmap: input " + std::to_string(i) + " has no axis of examples", where);
      if (size >= 0 && shape[0] != size)
        throw ShapeError("vmap: input " + std::to_string(i) + " has " + std::to_string(shape[0]) +
                             " examples, others have " + std::to_string(size),
                         where);
      size = shape[0];
    }
    if (size < 0) throw ShapeError("vmap: no input has an axis of examples", where);

    Batch batch(size, randomness);
    std::vector<Tensor> example = inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!in_axes.empty() && in_axes[i] != 0) continue;
      Shape shape = inputs[i].shape();
      shape.erase(0);
      example[i] = placeholder(shape, inputs[i].dtype(), inputs[i].requires_grad());
      batch.bind(example[i], {inputs[i], true});
    }
    const Tensor result = [&] {
      const Symbolic recording;
      return call("vmap", f, example, where);
    }();
    return batch.stacked({&result, 1})[0];
  };
}

}  // namespace glia
