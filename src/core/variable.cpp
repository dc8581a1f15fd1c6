// Variables: places whose value changes while values themselves never do.
#include <mutex>

#include "core/node.h"
#include "core/op.h"
#include "glia/tensor.h"

namespace glia {

struct Variable::Cell {
  Tensor value;
  bool trainable = false;
};

namespace {

// The variables this thread has set to something that is not computed yet.
thread_local std::vector<std::weak_ptr<Variable::Cell>> pending;

void put(const std::shared_ptr<Variable::Cell>& cell, const Tensor& value) {
  cell->value = cell->trainable ? glia::trainable(value) : stop_gradient(value);
  if (!cell->value.node()->is_computed()) pending.push_back(cell);
}

}  // namespace

Variable::Variable(const Tensor& value, bool trainable) : cell_(std::make_shared<Cell>()) {
  if (!value.defined()) throw Error("a variable needs a value");
  cell_->trainable = trainable;
  put(cell_, value);
}

Variable::Variable(const Variable& other) {
  if (other.cell_) *this = Variable(other.tensor(), other.cell_->trainable);
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

bool Variable::trainable() const { return cell_ && cell_->trainable; }

void Variable::set_trainable(bool on) {
  if (!cell_) throw Error("set_trainable: the variable has no value");
  if (cell_->trainable == on) return;
  cell_->trainable = on;
  put(cell_, cell_->value);
}

void Variable::set(const Tensor& value) const {
  const Tensor& old = tensor();
  if (value.shape() != old.shape() || value.dtype() != old.dtype())
    throw ShapeError("a variable of " + std::string(name(old.dtype())) + " " + old.shape().str() +
                     " cannot be set to " + name(value.dtype()) + " " + value.shape().str());
  put(cell_, value);
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
  std::vector<Node*> roots;
  std::vector<Tensor> held;
  for (const auto& weak : std::exchange(pending, {})) {
    if (auto cell = weak.lock(); cell && !cell->value.node()->is_computed()) {
      held.push_back(cell->value);
      roots.push_back(held.back().node());
    }
  }
  if (!roots.empty()) evaluate(roots);
  std::lock_guard hold(graph_lock());
  end_dead_histories();
}

}  // namespace glia
