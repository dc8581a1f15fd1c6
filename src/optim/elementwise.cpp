// Elementwise rules: one graph node for many parameters, or one kernel over their memory.
#include "glia/optim/elementwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "core/variable.h"
#include "glia/ops.h"
#include "ops/foreach.h"
#include "ops/rows.h"
#include "optim/deferred.h"

namespace glia::optim {

// What one node can update: parameters of one group, dtype and number of steps.
struct Elementwise::Batch {
  DType dtype = kF32;
  std::vector<Slot*> slots;
  std::vector<const Tensor*> gradients;
  std::optional<RowSparse> rows;  // of its one gradient, if that is row-sparse
  const InPlace* in_place = nullptr;
  bool done = false;
};

// Keeps other threads from reading and setting parameters, and from forking; states are the
// optimizer's own. Places are locked in their order, so that no two threads wait for each other.
class Elementwise::Exclusive {
 public:
  explicit Exclusive(Slots slots) {
    for (const Slot* slot : slots) cells_.push_back(slot->parameter.cell());
    if (!std::ranges::is_sorted(cells_, {}, &Variable::Cell::place))
      std::ranges::sort(cells_, {}, &Variable::Cell::place);
    {
      std::lock_guard hold(graph_lock());
      let_fork_pass();
      flight_.emplace();
    }
    for (Variable::Cell* cell : cells_) cell->lock.lock();
  }
  ~Exclusive() {
    for (Variable::Cell* cell : cells_) cell->lock.unlock();
    std::lock_guard hold(graph_lock());
    flight_.reset();
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::vector<Variable::Cell*> cells_;
  std::optional<Flight> flight_;
};

std::vector<Optimizer::State> Elementwise::states(const Options& options,
                                                  const Shape& shape) const {
  std::vector<State> out;
  for (const std::string_view name : state_names(options))
    out.push_back({std::string(name), shape, initial_state(options)});
  return out;
}

// As the general one does it, without asking for names and shapes of each parameter, each of which
// takes a lock: whether gradients fit is seen in update().
void Elementwise::prepare(Slots slots, std::span<const Tensor>, const Where&) const {
  constexpr size_t kUnknown = SIZE_MAX;
  std::vector<size_t> counts(group_count(), kUnknown);
  for (Slot* slot : slots) {
    const Options& its = options(*slot);
    size_t& count = counts[slot->group];
    if (count == kUnknown) count = state_names(its).size();
    if (slot->state.size() == count) continue;
    const Tensor value = slot->parameter.tensor();
    slot->state.assign(count, full(value.shape(), initial_state(its), value.dtype()));
    slot->steps = 0;
  }
}

std::vector<Elementwise::Batch> Elementwise::batches(Slots slots, std::span<const Tensor> gradients,
                                                     const Where& where) const {
  std::vector<Batch> out;
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = *slots[i];
    const DType dtype = gradients[i].node()->dtype;
    const SparseRows wanted = sparse_rows(options(slot));
    auto rows = wanted == SparseRows::kDensified ? std::nullopt : row_sparse(gradients[i]);
    if (wanted == SparseRows::kRequired && !rows)
      throw ValueError(fmt::format("{}: the gradient of a parameter {} is dense: it is for "
                                   "embeddings with sparse = true",
                                   name(), gradients[i].shape().str()),
                       where);
    auto batch = std::find_if(out.begin(), out.end(), [&](const Batch& b) {
      const Slot& other = *b.slots[0];
      return !rows && !b.rows && other.group == slot.group && b.dtype == dtype &&
             other.steps == slot.steps;
    });
    if (batch == out.end()) {
      batch = out.emplace(batch);
      batch->dtype = dtype;
      batch->rows = std::move(rows);
    }
    batch->slots.push_back(&slot);
    batch->gradients.push_back(&gradients[i]);
  }
  return out;
}

// Whether there is a way to do the step in place, whoever can see the values.
bool Elementwise::find_in_place(Batch* batch, const Where& where) const {
  const auto computed = [](const Tensor* g) { return g->node()->is_computed(); };
  if (batch->rows || steps_are_deferred() || !std::ranges::all_of(batch->gradients, computed))
    return false;
  const Slot& any = *batch->slots[0];
  const Formula f = formula(options(any), any.steps + 1);
  batch->in_place =
      foreach_in_place(name(), f.rule, batch->dtype, 2 + any.state.size(), f.scalars.size(), where);
  return batch->in_place != nullptr;
}

// With the places locked. False, with nothing done, if somebody else can see a value.
bool Elementwise::apply_in_place(const Batch& batch) const {
  const Slot& any = *batch.slots[0];
  std::vector<Node*> nodes;
  nodes.reserve(batch.slots.size() * (2 + any.state.size()));
  for (size_t j = 0; j < batch.slots.size(); ++j) {
    const Slot& slot = *batch.slots[j];
    nodes.push_back(slot.parameter.cell()->value.node());
    nodes.push_back(batch.gradients[j]->node());
    for (const Variable& state : slot.state) nodes.push_back(state.cell()->value.node());
  }
  return apply(*batch.in_place, nodes, formula(options(any), any.steps + 1).scalars);
}

std::vector<Tensor> Elementwise::results_of(const Batch& batch, const Where& where) const {
  const Slot& any = *batch.slots[0];
  const Formula f = formula(options(any), any.steps + 1);
  const size_t operands = 2 + any.state.size();
  std::vector<Tensor> values;
  std::vector<Node*> nodes;
  values.reserve(batch.slots.size() * operands);
  nodes.reserve(batch.slots.size() * operands);
  const auto add = [&](const Variable& v) {
    values.push_back(v.cell()->read());
    nodes.push_back(values.back().node());
  };
  for (size_t j = 0; j < batch.slots.size(); ++j) {
    const Slot& slot = *batch.slots[j];
    add(slot.parameter);
    nodes.push_back(batch.gradients[j]->node());
    for (const Variable& state : slot.state) add(state);
  }
  return foreach (name(), f.rule, operands, nodes, f.scalars, where);
}

std::vector<Tensor> Elementwise::results_of_rows(const Batch& batch, const Where& where) const {
  const Slot& slot = *batch.slots[0];
  const Formula f = formula(options(slot), slot.steps + 1);
  const std::vector<Tensor> state(slot.state.begin(), slot.state.end());
  return foreach_rows(name(), f.rule, slot.parameter, *batch.rows, state, f.scalars);
}

void Elementwise::update(Slots slots, std::span<const Tensor> gradients, const Where& where) {
  std::vector<Batch> all = batches(slots, gradients, where);
  const auto require_same = [&](size_t i, const Tensor& value) {
    const Node &has = *value.node(), &given = *gradients[i].node();
    if (given.shape != has.shape || given.dtype != has.dtype)
      require_fit(*slots[i], value, gradients[i], where);
  };
  bool any = false;
  for (Batch& batch : all) any |= find_in_place(&batch, where);
  if (any) {
    const Exclusive held(slots);
    for (size_t i = 0; i < slots.size(); ++i) require_same(i, slots[i]->parameter.cell()->value);
    for (Batch& batch : all) batch.done = batch.in_place && apply_in_place(batch);
  } else {
    for (size_t i = 0; i < slots.size(); ++i) require_same(i, slots[i]->parameter.cell()->read());
  }
  std::vector<std::vector<Tensor>> results(all.size());
  for (size_t b = 0; b < all.size(); ++b)
    if (!all[b].done && !all[b].rows) results[b] = results_of(all[b], where);
  for (size_t b = 0; b < all.size(); ++b) {
    if (all[b].rows) results[b] = results_of_rows(all[b], where);
    if (results[b].empty()) continue;
    auto next = results[b].begin();
    for (const Slot* slot : all[b].slots) {
      slot->parameter.set(std::move(*next++), where);
      for (const Variable& state : slot->state) state.set(std::move(*next++), where);
    }
  }
}

}  // namespace glia::optim
