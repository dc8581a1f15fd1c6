// Variables: places whose value changes while values themselves never do.
#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/node.h"
#include "core/op.h"
#include "core/variable.h"
#include "glia/tensor.h"

namespace glia {

struct Variable::Cell {
  Tensor value;
  bool trainable = false;
  // The last value that was computed, not owned, and its Node::sequence: see restore().
  Node* computed = nullptr;
  uint64_t sequence = 0;
};

namespace {

// The variables this thread has set to something that is not computed yet.
thread_local std::vector<std::weak_ptr<Variable::Cell>> pending;

// The value as a leaf to which gradients flow; the same node where nothing else refers to it.
Tensor as_trainable(Tensor value) {
  Node* node = value.node();
  if (node->references() != 1 || node->needs_grad || !is_float(node->dtype))
    return glia::trainable(value);
  node->trainable = node->needs_grad = true;
  return value;
}

// Whether the value is made of one that stands for many examples.
bool differs_by_example(const Tensor& value) {
  std::lock_guard hold(graph_lock());
  std::vector<Node*> stack{value.node()};
  std::unordered_set<Node*> seen;
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->is_computed() || !seen.insert(node).second) continue;
    if (node->op == &kPlaceholderOp) return true;
    stack.insert(stack.end(), node->inputs, node->inputs + node->input_count);
  }
  return false;
}

void put(const std::shared_ptr<Variable::Cell>& cell, Tensor value) {
  if (symbolic() && cell->value.defined() && differs_by_example(value) &&
      !differs_by_example(cell->value))
    throw Error("vmap: a variable " + cell->value.shape().str() +
                " from outside the function is set to a value that differs between examples, as "
                "what a norm keeps of its batches in training mode");
  if (Node* old = cell->value.node(); old && old->is_computed()) {
    cell->computed = old;
    cell->sequence = old->sequence;
  }
  cell->value = cell->trainable ? as_trainable(std::move(value)) : stop_gradient(value);
  if (!cell->value.node()->is_computed()) pending.push_back(cell);
}

// Gives variables whose new value could not be computed the one it was to be made from, if it was
// made from one: then the new value keeps the old one alive.
void restore(const std::vector<std::shared_ptr<Variable::Cell>>& cells) {
  std::lock_guard hold(graph_lock());
  std::vector<Node*> stack;
  for (const auto& cell : cells) stack.push_back(cell->value.node());
  std::unordered_set<Node*> alive;
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (!alive.insert(node).second || node->is_computed()) continue;
    stack.insert(stack.end(), node->inputs, node->inputs + node->input_count);
  }
  std::vector<Tensor> dropped;
  for (const auto& cell : cells) {
    if (!cell->value.node()->is_computed() && alive.contains(cell->computed) &&
        cell->computed->sequence == cell->sequence)
      dropped.push_back(std::exchange(cell->value, handle(cell->computed)));
  }
}

// Variables that are about to be copied and share a place with others: what that was, and the place
// that their copies share.
struct Tie {
  std::weak_ptr<Variable::Cell> source, copy;
};
thread_local std::unordered_map<const Variable*, std::shared_ptr<Tie>> ties;

}  // namespace

void keep_ties(std::span<const Variable* const> variables) {
  std::unordered_map<const Tensor*, std::unordered_set<const Variable*>> places;
  for (const Variable* v : variables) {
    if (v->defined()) places[&v->tensor()].insert(v);
  }
  for (const auto& [place, sharing] : places) {
    if (sharing.size() == 1) continue;
    // Those of a module inside one that is being copied are known already.
    const auto known = ties.find(*sharing.begin());
    if (known != ties.end() && std::ranges::all_of(sharing, [&](const Variable* v) {
          const auto at = ties.find(v);
          return at != ties.end() && at->second == known->second;
        }))
      continue;
    const auto tie = std::make_shared<Tie>();
    for (const Variable* v : sharing) ties[v] = tie;
  }
}

Variable::Variable(const Tensor& value, bool trainable) : cell_(std::make_shared<Cell>()) {
  if (!value.defined()) throw Error("a variable needs a value");
  cell_->trainable = trainable;
  put(cell_, value);
}

Variable::Variable(const Variable& other) {
  if (!other.cell_) return;
  const auto tied = ties.empty() ? decltype(ties)::node_type() : ties.extract(&other);
  Tie* const tie = tied.empty() ? nullptr : tied.mapped().get();
  const bool first = tie && !tie->source.lock();
  if (tie && tie->source.lock() == other.cell_) cell_ = tie->copy.lock();
  if (!cell_) *this = Variable(other.tensor(), other.cell_->trainable);
  if (first) *tie = {other.cell_, cell_};  // not where a copy that threw has left this
}

Variable& Variable::operator=(const Variable& other) {
  if (this == &other) return *this;
  if (cell_ && other.cell_ && shape() == other.shape() && dtype() == other.dtype()) {
    cell_->trainable = other.cell_->trainable;
    put(cell_, other.tensor());
  } else {
    *this = Variable(other);
  }
  return *this;
}

const Tensor& Variable::tensor() const {
  if (!cell_) throw Error("a variable is used before it has a value");
  return cell_->value;
}

Variable::operator const Tensor&() const {
  static const Tensor none;
  return cell_ ? cell_->value : none;
}

bool Variable::trainable() const { return cell_ && cell_->trainable; }

void Variable::set_trainable(bool on) {
  if (!cell_) throw Error("set_trainable: the variable has no value");
  if (cell_->trainable == on) return;
  cell_->trainable = on;
  put(cell_, cell_->value);
}

void Variable::set(Tensor value) const {
  const Tensor& old = tensor();
  if (value.shape() != old.shape() || value.dtype() != old.dtype())
    throw ShapeError("a variable of " + std::string(name(old.dtype())) + " " + old.shape().str() +
                     " cannot be set to " + name(value.dtype()) + " " + value.shape().str());
  put(cell_, std::move(value));
}

void Variable::replace(Tensor value) const {
  if (!cell_) throw Error("replace: the variable has no value");
  put(cell_, std::move(value));
}

Variable Variable::alias() const {
  Variable v;
  v.cell_ = cell_;
  return v;
}

ParameterList::ParameterList(const ParameterList& other) { *this = other; }

ParameterList& ParameterList::operator=(const ParameterList& other) {
  std::vector<Variable> places;
  for (const Variable& v : other.places_) places.push_back(v.alias());
  places_ = std::move(places);
  return *this;
}

std::vector<Tensor> ParameterList::tensors() const {
  std::vector<Tensor> out;
  out.reserve(places_.size());
  for (const Variable& v : places_) out.push_back(v.tensor());
  return out;
}

void eval_variables() {
  std::vector<std::shared_ptr<Variable::Cell>> cells;
  std::vector<Node*> roots;
  for (const auto& weak : std::exchange(pending, {})) {
    if (auto cell = weak.lock(); cell && !cell->value.node()->is_computed()) {
      roots.push_back(cell->value.node());
      cells.push_back(std::move(cell));
    }
  }
  try {
    if (!roots.empty()) evaluate(roots);
  } catch (...) {
    restore(cells);
    throw;
  }
  std::lock_guard hold(graph_lock());
  end_dead_histories();
}

}  // namespace glia
