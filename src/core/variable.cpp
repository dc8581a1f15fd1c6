// Variables: places whose value changes while values themselves never do.
#include "core/variable.h"

#include <algorithm>
#include <mutex>
#include <ranges>
#include <unordered_map>
#include <unordered_set>

#include "core/op.h"

namespace glia {
namespace {

// A variable whose updates nobody reads is computed when they are so many: a history that is kept
// further up would hold on to all of them.
constexpr uint32_t kMaxUpdates = 1024;

// The variables this thread has set to something that is not computed yet, in the order in which
// they were set last: graphs of equal steps are then equal, whatever was set before them.
class Pending {
 public:
  using Cells = std::vector<std::shared_ptr<Variable::Cell>>;
  void add(const std::shared_ptr<Variable::Cell>& cell) {
    if (cells_.size() >= room_) {
      const Cells waiting = take();
      cells_.assign(waiting.begin(), waiting.end());
      room_ = std::max<size_t>(64, 2 * cells_.size());
    }
    cells_.push_back(cell);
  }
  // Those that are still there and not computed, each once.
  Cells take() {
    Cells out;
    std::unordered_set<Variable::Cell*> seen;
    for (const auto& weak : std::views::reverse(cells_)) {
      auto cell = weak.lock();
      if (cell && !cell->read().node()->is_computed() && seen.insert(cell.get()).second)
        out.push_back(std::move(cell));
    }
    std::ranges::reverse(out);
    cells_.clear();
    return out;
  }

 private:
  std::vector<std::weak_ptr<Variable::Cell>> cells_;
  size_t room_ = 64;
};
thread_local Pending pending;

// Values that this thread reads instead of those in the places.
constinit thread_local std::unordered_map<const Variable::Cell*, Tensor>* substitutes = nullptr;

Tensor* substitute_of(const Variable::Cell* cell) {
  if (!substitutes) [[likely]]
    return nullptr;
  const auto found = substitutes->find(cell);
  return found == substitutes->end() ? nullptr : &found->second;
}

// The value as a leaf to which gradients flow; the same node where nothing else refers to it.
Tensor as_trainable(Tensor value, uint64_t place, Where where) {
  Node* node = value.node();
  if (node->references() != 1 || node->needs_grad || !is_float(node->dtype))
    value = glia::trainable(value, where);
  value.node()->set_trainable(place);
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

void put(const std::shared_ptr<Variable::Cell>& cell, Tensor value, Where where) {
  if (!value.defined())
    throw ShapeError("a variable is set to a tensor that is not defined", where);
  if (Tensor* here = substitute_of(cell.get())) {
    *here = std::move(value);
    return;
  }
  if (symbolic() && differs_by_example(value)) {
    const Tensor old = cell->read();
    if (old.defined() && !differs_by_example(old))
      throw Error("vmap: a variable " + old.shape().str() +
                      " from outside the function is set to a value that differs between examples, "
                      "as what a norm keeps of its batches in training mode",
                  where);
  }
  value = cell->trainable ? as_trainable(std::move(value), cell->place, where)
                          : stop_gradient(value, where);
  Node* const node = value.node();
  if (!node->is_computed() && node->depth > kMaxUpdates && !symbolic()) evaluate({&node, 1});
  if (!node->is_computed()) pending.add(cell);
  std::lock_guard hold(cell->lock);
  if (const Node* old = cell->value.node(); old && old->is_computed()) {
    cell->computed = cell->value.node();
    cell->sequence = old->sequence;
  }
  std::swap(cell->value, value);  // the old one goes when the lock is free
}

// Gives variables whose new value could not be computed the one it was to be made from, if it was
// made from one: then the new value keeps the old one alive.
void restore(const std::vector<std::shared_ptr<Variable::Cell>>& cells) {
  std::lock_guard hold(graph_lock());
  std::vector<Node*> stack;
  std::vector<Tensor> values;
  for (const auto& cell : cells) {
    values.push_back(cell->read());
    stack.push_back(values.back().node());
  }
  std::unordered_set<Node*> alive;
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->in_flight()) {  // what it is made from may be overwritten now
      wait_for(node);
      return restore(cells);
    }
    if (!alive.insert(node).second || node->is_computed()) continue;
    stack.insert(stack.end(), node->inputs, node->inputs + node->input_count);
  }
  for (const auto& cell : cells) {
    std::lock_guard hold_value(cell->lock);
    if (!cell->value.node()->is_computed() && alive.contains(cell->computed) &&
        cell->computed->sequence == cell->sequence)
      values.push_back(std::exchange(cell->value, handle(cell->computed)));
  }
}

// Variables that are about to be copied and share a place with others: what that was, and the place
// that their copies share.
struct Tie {
  std::weak_ptr<Variable::Cell> source, copy;
};
thread_local std::unordered_map<const Variable*, std::shared_ptr<Tie>> ties;

}  // namespace

Tensor substitute(const Variable::Cell* cell, const Tensor& value) {
  Tensor* here = substitute_of(cell);
  const Tensor before = here ? *here : Tensor();
  if (here && value.defined()) {
    *here = value;
  } else if (value.defined()) {
    if (!substitutes) substitutes = new std::unordered_map<const Variable::Cell*, Tensor>;
    substitutes->emplace(cell, value);
  } else if (here) {
    substitutes->erase(cell);
    if (substitutes->empty()) delete std::exchange(substitutes, nullptr);
  }
  return before;
}

void keep_ties(std::span<const Variable* const> variables) {
  std::unordered_map<const Variable::Cell*, std::unordered_set<const Variable*>> places;
  for (const Variable* v : variables) {
    if (v->defined()) places[v->cell()].insert(v);
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

Variable::Variable(const Tensor& value, bool trainable, Where where)
    : cell_(std::make_shared<Cell>()) {
  static std::atomic<uint64_t> places{0};
  cell_->place = places.fetch_add(1, std::memory_order_relaxed) + 1;
  cell_->trainable = trainable;
  put(cell_, value, where);
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
    cell_->trainable = other.cell_->trainable.load();
    put(cell_, other.tensor(), Where::current());
  } else {
    *this = Variable(other);
  }
  return *this;
}

Tensor Variable::tensor(Where where) const {
  if (!cell_) throw Error("a variable is used before it has a value", where);
  return Tensor(*this);
}

Variable::operator Tensor() const {
  if (const Tensor* here = substitute_of(cell_.get())) return *here;
  return cell_ ? cell_->read() : Tensor();
}

bool Variable::trainable() const { return cell_ && cell_->trainable; }

void Variable::set_trainable(bool on) {
  if (!cell_) throw Error("set_trainable: the variable has no value");
  if (cell_->trainable == on) return;
  cell_->trainable = on;
  put(cell_, cell_->read(), Where::current());
}

void Variable::set(Tensor value, Where where) const {
  {
    const Tensor old = tensor(where);
    if (value.defined() && (value.shape() != old.shape() || value.dtype() != old.dtype()))
      throw ShapeError("a variable of " + std::string(name(old.dtype())) + " " + old.shape().str() +
                           " cannot be set to " + name(value.dtype()) + " " + value.shape().str(),
                       where);
  }
  put(cell_, std::move(value), where);
}

void Variable::replace(Tensor value, Where where) const {
  if (!cell_) throw Error("replace: the variable has no value", where);
  put(cell_, std::move(value), where);
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
  const Pending::Cells cells = pending.take();
  std::vector<Tensor> values;
  std::vector<Node*> roots;
  for (const auto& cell : cells) {
    values.push_back(cell->read());
    roots.push_back(values.back().node());
  }
  try {
    if (!roots.empty()) evaluate(roots, History::kOfTrainable);
  } catch (...) {
    restore(cells);
    throw;
  }
  std::lock_guard hold(graph_lock());
  end_dead_histories();
}

}  // namespace glia
