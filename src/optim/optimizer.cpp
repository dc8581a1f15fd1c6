// What all optimizers share: groups, state, one graph node for many parameters, saving.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/variable.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "ops/autocast.h"
#include "ops/foreach.h"
#include "ops/rows.h"

namespace glia::optim {

// ---- Groups and options -------------------------------------------------------------------------

void Optimizer::add_group(const ParameterList& parameters, Options options) {
  check(options);
  if (parameters.empty()) throw ValueError(fmt::format("{}: no parameters", name_));
  std::unordered_set<const Variable::Cell*> known;
  for (const Slot& slot : slots_) known.insert(slot.parameter.cell());
  for (const Variable& p : parameters) {
    if (p.dtype() != kF32 && p.dtype() != kF64)
      throw ShapeError(fmt::format("{}: a parameter {} is {}, not f32 or f64", name_,
                                   p.shape().str(), name(p.dtype())));
    if (!known.insert(p.cell()).second)
      throw ValueError(fmt::format("{}: a parameter {} is given twice", name_, p.shape().str()));
  }
  for (const Variable& p : parameters) slots_.push_back({groups_.size(), p.alias()});
  groups_.push_back(std::move(options));
  schedules_.emplace_back();
}

ParameterList Optimizer::parameters() const {
  ParameterList out;
  for (const Slot& slot : slots_) {
    if (slot.parameter.trainable()) out.push_back(slot.parameter);
  }
  return out;
}

size_t Optimizer::option_index(std::string_view option, size_t group) const {
  if (group >= groups_.size())
    throw ValueError(fmt::format("{}: no group {} among {}", name_, group, groups_.size()));
  const auto at = std::find(option_names_.begin(), option_names_.end(), option);
  if (at == option_names_.end())
    throw ValueError(fmt::format("{}: no option \"{}\"", name_, option));
  return at - option_names_.begin();
}

void Optimizer::check_range(const Options& options, int i, double low, double high) const {
  if (!(options[i] >= low && options[i] < high))
    throw ValueError(
        fmt::format("{}: {} = {} is out of range", name_, option_names_[i], options[i]));
}

double Optimizer::option(std::string_view name, size_t group) const {
  const size_t i = option_index(name, group);
  return groups_[group][i];
}

void Optimizer::set_option(std::string_view name, double value, size_t group) {
  const size_t i = option_index(name, group);
  Options changed = groups_[group];
  changed[i] = value;
  check(changed);
  groups_[group] = std::move(changed);
}

void Optimizer::set_lr(double lr) {
  for (size_t g = 0; g < groups_.size(); ++g) set_lr(lr, g);
}

void Optimizer::set_schedule(const Schedule& schedule) { std::ranges::fill(schedules_, schedule); }

void Optimizer::set_schedule(const Schedule& schedule, size_t group) {
  option_index("lr", group);
  schedules_[group] = schedule;
}

void Optimizer::follow_schedules() {
  for (size_t g = 0; g < schedules_.size(); ++g)
    if (schedules_[g]) set_lr(schedules_[g](steps_), g);
}

// ---- Steps together -----------------------------------------------------------------------------

namespace {
thread_local DeferredSteps* deferred = nullptr;
}

DeferredSteps::DeferredSteps() : outer_(std::exchange(deferred, this)) {}
DeferredSteps::~DeferredSteps() { deferred = outer_; }

void DeferredSteps::finish() {
  if (outer_) {
    std::ranges::move(undo_, std::back_inserter(outer_->undo_));
    undo_.clear();
    return;
  }
  const std::vector<std::function<void()>> undo = std::exchange(undo_, {});
  try {
    eval_variables();
  } catch (...) {
    for (const auto& f : undo) f();
    throw;
  }
}

// ---- A step -------------------------------------------------------------------------------------

// What one node can update: parameters of one group, dtype and number of steps.
struct Optimizer::Batch {
  DType dtype = kF32;
  std::vector<Slot*> slots;
  std::vector<const Tensor*> gradients;
  std::optional<RowSparse> rows;  // of its one gradient, if that is row-sparse
};

// Keeps other threads from reading and setting a batch's parameters; its states are the
// optimizer's own. Whoever holds several holds the graph's lock before, so that no two wait for
// each other.
class Optimizer::Exclusive {
 public:
  explicit Exclusive(const Batch& batch) : graph_(graph_lock()) {
    cells_.reserve(batch.slots.size());
    for (const Slot* slot : batch.slots) {
      cells_.push_back(slot->parameter.cell());
      cells_.back()->lock.lock();
    }
  }
  ~Exclusive() {
    for (Variable::Cell* cell : cells_) cell->lock.unlock();
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::lock_guard<std::recursive_mutex> graph_;
  std::vector<Variable::Cell*> cells_;
};

std::vector<Optimizer::Batch> Optimizer::batches(const std::vector<Tensor>& gradients,
                                                 const Where& where) {
  const size_t trainable = std::count_if(slots_.begin(), slots_.end(),
                                         [](const Slot& s) { return s.parameter.trainable(); });
  const bool for_all = gradients.size() == slots_.size();
  if (!for_all && gradients.size() != trainable)
    throw ShapeError(fmt::format("{}: {} gradients for {} parameters, of which {} are trainable",
                                 name_, gradients.size(), slots_.size(), trainable),
                     where);
  std::vector<size_t> state_counts;
  for (const Options& options : groups_) state_counts.push_back(state_names(options).size());

  std::vector<Batch> out;
  size_t next = 0;
  for (Slot& slot : slots_) {
    const Variable& p = slot.parameter;
    if (!p.trainable()) {
      next += for_all;
      continue;
    }
    const Tensor& gradient = gradients[next++];
    if (!gradient.defined()) continue;
    const Tensor value = p.tensor(where);
    const DType dtype = value.dtype();
    if (gradient.shape() != value.shape() || gradient.dtype() != dtype)
      throw ShapeError(fmt::format("{}: gradient {} is {} {}, its parameter {} {}", name_, next - 1,
                                   name(gradient.dtype()), gradient.shape().str(), name(dtype),
                                   value.shape().str()),
                       where);
    if (const size_t count = state_counts[slot.group]; slot.state.size() != count) {
      slot.state.assign(count, full(value.shape(), initial_state(groups_[slot.group]), dtype));
      slot.steps = 0;
    }
    const SparseRows wanted = sparse_rows(groups_[slot.group]);
    auto rows = wanted == SparseRows::kDensified ? std::nullopt : row_sparse(gradient);
    if (wanted == SparseRows::kRequired && !rows)
      throw ValueError(fmt::format("{}: gradient {} is dense: it is for embeddings with sparse = "
                                   "true",
                                   name_, next - 1),
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
    batch->gradients.push_back(&gradient);
  }
  return out;
}

// Whether it is done at once, in place.
bool Optimizer::record(const Batch& batch, const Where& where) {
  const Slot& any = *batch.slots[0];
  const Update u = update(groups_[any.group], any.steps + 1);
  const size_t operands = 2 + any.state.size();
  std::vector<Tensor> results;
  if (batch.rows) {
    const std::vector<Tensor> state(any.state.begin(), any.state.end());
    results = foreach_rows(name_, u.rule, any.parameter, *batch.rows, state, u.scalars);
  } else {
    const Exclusive held(batch);
    std::vector<Node*> nodes;
    nodes.reserve(batch.slots.size() * operands);
    for (size_t j = 0; j < batch.slots.size(); ++j) {
      const Slot& slot = *batch.slots[j];
      nodes.push_back(slot.parameter.cell()->value.node());
      nodes.push_back(batch.gradients[j]->node());
      for (const Variable& state : slot.state) nodes.push_back(state.cell()->value.node());
    }
    if (foreach_in_place(name_, u.rule, operands, nodes, u.scalars, where)) return true;
    results = foreach (name_, u.rule, operands, nodes, u.scalars, where);
  }
  auto next = results.begin();
  for (const Slot* slot : batch.slots) {
    slot->parameter.set(std::move(*next++), where);
    for (const Variable& state : slot->state) state.set(std::move(*next++), where);
  }
  return false;
}

void Optimizer::step(std::vector<Tensor> gradients, Where where) {
  const NoGrad off;
  follow_schedules();
  std::vector<Batch> all = batches(gradients, where);
  std::vector<Slot*> done, recorded;
  for (const Batch& batch : all) {
    auto& slots = record(batch, where) ? done : recorded;
    slots.insert(slots.end(), batch.slots.begin(), batch.slots.end());
  }
  forget_cast_parameters();
  // Values that nobody holds any more give their memory to the new ones.
  all.clear();
  gradients.clear();
  if (!deferred) eval_variables();
  for (Slot* slot : done) ++slot->steps;
  for (Slot* slot : recorded) ++slot->steps;
  ++steps_;
  if (deferred && !recorded.empty())
    deferred->undo_.push_back([this, slots = std::move(recorded)] {
      for (Slot* slot : slots) --slot->steps;
      --steps_;
    });
}

// ---- Saving -------------------------------------------------------------------------------------

StateDict Optimizer::state_dict() const {
  StateDict out{{"step", tensor(steps_)}};
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.steps == 0) continue;
    const std::string prefix = fmt::format("state.{}.", i);
    out.emplace_back(prefix + "step", tensor(slot.steps));
    const auto names = state_names(groups_[slot.group]);
    for (size_t k = 0; k < slot.state.size(); ++k)
      out.emplace_back(prefix + std::string(names[k]), slot.state[k]);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < option_names_.size(); ++i)
      out.emplace_back(fmt::format("param_groups.{}.{}", g, option_names_[i]),
                       tensor(groups_[g][i]));
  }
  return out;
}

void Optimizer::load_state_dict(const StateDict& values) {
  std::unordered_map<std::string, Tensor> given;
  std::vector<std::string> faults;
  for (const auto& [key, value] : values) {
    if (!value.defined()) throw Error(fmt::format("{}: {} has no value", name_, key));
    if (!given.emplace(key, value).second) faults.push_back(key + " is given twice");
  }
  // Takes a value out of `given`; of the right shape in any case.
  const auto take = [&](const std::string& key, const Shape& shape) -> Tensor {
    const auto node = given.extract(key);
    if (node.empty()) {
      faults.push_back("no " + key);
    } else if (node.mapped().shape() != shape) {
      faults.push_back(
          fmt::format("{} is {}, not {}", key, node.mapped().shape().str(), shape.str()));
    } else {
      return node.mapped();
    }
    return zeros(shape);
  };

  const int64_t steps = take("step", {}).item<int64_t>();
  std::vector<Options> groups(groups_.size(), Options(option_names_.size()));
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t i = 0; i < option_names_.size(); ++i)
      groups[g][i] = take(fmt::format("param_groups.{}.{}", g, option_names_[i]), {}).item();
    if (faults.empty()) check(groups[g]);
  }
  std::vector<std::pair<int64_t, std::vector<Tensor>>> states(slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const std::string prefix = fmt::format("state.{}.", i);
    if (!given.contains(prefix + "step")) continue;
    states[i].first = take(prefix + "step", {}).item<int64_t>();
    for (std::string_view name : state_names(groups[slot.group])) {
      const Tensor value = take(prefix + std::string(name), slot.parameter.shape());
      states[i].second.push_back(cast(value, slot.parameter.dtype()));
    }
  }
  for (const auto& [key, value] : values) {
    if (given.contains(key)) faults.push_back(key + " belongs to nothing here");
  }
  if (!faults.empty())
    throw Error(fmt::format("{}: the state does not fit: {}", name_, fmt::join(faults, "; ")));

  steps_ = steps;
  groups_ = std::move(groups);
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].steps = states[i].first;
    slots_[i].state.assign(states[i].second.begin(), states[i].second.end());
  }
}

}  // namespace glia::optim
