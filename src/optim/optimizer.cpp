// What all optimizers share: groups, steps, saving.
#include "glia/optim/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "ops/autocast.h"
#include "optim/deferred.h"

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
                                   p.shape().str(), glia::name(p.dtype())));
    if (!known.insert(p.cell()).second)
      throw ValueError(fmt::format("{}: a parameter {} is given twice", name_, p.shape().str()));
  }
  for (const Variable& p : parameters) slots_.push_back({groups_.size(), p.alias()});
  groups_.push_back(std::move(options));
}

ParameterList Optimizer::parameters() const {
  ParameterList out;
  for (const Slot& slot : slots_) {
    if (slot.parameter.trainable()) out.push_back(slot.parameter);
  }
  return out;
}

ParameterList Optimizer::parameters(size_t group) const {
  if (group >= groups_.size())
    throw ValueError(fmt::format("{}: no group {} among {}", name_, group, groups_.size()));
  ParameterList out;
  for (const Slot& slot : slots_)
    if (slot.group == group) out.push_back(slot.parameter);
  return out;
}

bool Optimizer::has_option(std::string_view option) const {
  return std::ranges::find(option_names_, option) != option_names_.end();
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

void Optimizer::set_option_schedule(std::string_view name, const Schedule& schedule) {
  for (size_t g = 0; g < groups_.size(); ++g) set_option_schedule(name, schedule, g);
}

void Optimizer::set_option_schedule(std::string_view name, const Schedule& schedule, size_t group) {
  option(name, group);  // or an error
  std::erase_if(schedules_,
                [&](const Scheduled& s) { return s.group == group && s.option == name; });
  if (schedule) schedules_.push_back({group, std::string(name), schedule});
}

Schedule Optimizer::schedule(std::string_view name, size_t group) const {
  option(name, group);  // or an error
  for (const Scheduled& s : schedules_)
    if (s.group == group && s.option == name) return s.schedule;
  return {};
}

void Optimizer::follow_schedules() {
  for (const auto& [group, option, schedule] : schedules_)
    set_option(option, schedule(steps_), group);
}

// ---- Steps together -----------------------------------------------------------------------------

namespace {
thread_local DeferredSteps* deferred = nullptr;
}

bool steps_are_deferred() { return deferred != nullptr; }

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

std::vector<Optimizer::State> Optimizer::states(const Options&, const Shape&) const { return {}; }

void Optimizer::update(Slots, std::span<const Tensor>, const Where& where) {
  throw Error(
      fmt::format("{}: gradients are not enough: step(loss) with the loss as a function", name_),
      where);
}

Tensor Optimizer::update(const Loss&, const Where& where) {
  throw Error(fmt::format("{}: has no update by the loss", name_), where);
}

void Optimizer::require_fit(const Slot& slot, const Tensor& value, const Tensor& gradient,
                            const Where& where) const {
  if (gradient.shape() == value.shape() && gradient.dtype() == value.dtype()) return;
  throw ShapeError(
      fmt::format("{}: the gradient of parameter {} is {} {}, not {} {}", name_,
                  &slot - slots_.data(), glia::name(gradient.dtype()), gradient.shape().str(),
                  glia::name(value.dtype()), value.shape().str()),
      where);
}

void Optimizer::prepare(Slots slots, std::span<const Tensor> gradients, const Where& where) const {
  for (size_t i = 0; i < slots.size(); ++i)
    require_fit(*slots[i], slots[i]->parameter.tensor(where), gradients[i], where);
  for (Slot* slot : slots) {
    const Tensor value = slot->parameter.tensor();
    const std::vector<State> wanted = states(groups_[slot->group], value.shape());
    if (std::ranges::equal(slot->state, wanted, [](const Buffer& has, const State& shall) {
          return has.shape() == shall.shape;
        }))
      continue;
    slot->state.clear();
    for (const State& s : wanted) slot->state.emplace_back(full(s.shape, s.initial, value.dtype()));
    slot->steps = 0;
  }
}

// The slots that have a gradient; of `gradients` theirs are left.
std::vector<Optimizer::Slot*> Optimizer::slots_of(std::vector<Tensor>* gradients,
                                                  const Where& where) {
  const size_t trainable = std::count_if(slots_.begin(), slots_.end(),
                                         [](const Slot& s) { return s.parameter.trainable(); });
  const size_t given = gradients->size();
  const bool for_all = given == slots_.size();
  if (!for_all && given != trainable)
    throw ShapeError(fmt::format("{}: {} gradients for {} parameters, of which {} are trainable",
                                 name_, given, slots_.size(), trainable),
                     where);
  std::vector<Slot*> out;
  out.reserve(trainable);
  size_t next = 0;
  for (Slot& slot : slots_) {
    if (!slot.parameter.trainable()) {
      next += for_all;
      continue;
    }
    Tensor& gradient = (*gradients)[next++];
    if (!gradient.defined()) continue;
    if (&(*gradients)[out.size()] != &gradient) (*gradients)[out.size()] = std::move(gradient);
    out.push_back(&slot);
  }
  gradients->resize(out.size());
  return out;
}

void Optimizer::step(std::vector<Tensor> gradients, Where where) {
  const NoGrad off;
  follow_schedules();
  std::vector<Slot*> changing = slots_of(&gradients, where);
  prepare(changing, gradients, where);
  update(changing, gradients, where);
  forget_cast_parameters();
  gradients.clear();  // values that nobody holds any more give their memory to the new ones
  if (!deferred) eval_variables();
  for (Slot* slot : changing) ++slot->steps;
  ++steps_;
  if (deferred)
    deferred->undo_.push_back([this, changing = std::move(changing)] {
      for (Slot* slot : changing) --slot->steps;
      --steps_;
    });
}

Tensor Optimizer::step(const Loss& loss, Where where) {
  if (!loss) throw Error(fmt::format("{}: the loss is no function", name_), where);
  if (!needs_loss()) {
    const Tensor value = loss();
    const Buffer before(stop_gradient(value, where), where);  // computed along with the step
    step(gradients(value, parameters()), where);
    return before;
  }
  follow_schedules();
  const Tensor before = update(loss, where);
  forget_cast_parameters();
  if (!deferred) eval_variables();
  ++steps_;
  if (deferred) deferred->undo_.push_back([this] { --steps_; });
  return before;
}

// ---- Saving -------------------------------------------------------------------------------------

StateDict Optimizer::state_dict() const {
  StateDict out{{"step", tensor(steps_)}};
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.steps == 0) continue;
    const std::string prefix = fmt::format("state.{}.", i);
    out.emplace_back(prefix + "step", tensor(slot.steps));
    const auto its = states(groups_[slot.group], slot.parameter.shape());
    for (size_t k = 0; k < slot.state.size(); ++k)
      out.emplace_back(prefix + its.at(k).name, slot.state[k]);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < option_names_.size(); ++i)
      out.emplace_back(fmt::format("param_groups.{}.{}", g, option_names_[i]),
                       tensor(groups_[g][i]));
  }
  for (auto& [key, value] : extra_state())
    out.emplace_back(std::string(extra_prefix()) + key, std::move(value));
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
  std::vector<std::pair<int64_t, std::vector<Tensor>>> loaded(slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const std::string prefix = fmt::format("state.{}.", i);
    if (!given.contains(prefix + "step")) continue;
    loaded[i].first = take(prefix + "step", {}).item<int64_t>();
    for (const State& s : states(groups[slot.group], slot.parameter.shape()))
      loaded[i].second.push_back(cast(take(prefix + s.name, s.shape), slot.parameter.dtype()));
  }
  StateDict extra;
  const std::string_view prefix = extra_prefix();
  for (const auto& [key, value] : values) {
    if (!given.contains(key)) continue;
    if (!prefix.empty() && key.starts_with(prefix))
      extra.emplace_back(key.substr(prefix.size()), value);
    else
      faults.push_back(key + " belongs to nothing here");
  }
  if (!faults.empty())
    throw Error(fmt::format("{}: the state does not fit: {}", name_, fmt::join(faults, "; ")));
  load_extra_state(extra);

  steps_ = steps;
  groups_ = std::move(groups);
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].steps = loaded[i].first;
    slots_[i].state.assign(loaded[i].second.begin(), loaded[i].second.end());
  }
}

}  // namespace glia::optim
