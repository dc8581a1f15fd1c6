// What all optimizers are: groups of parameters, options, state, and a step.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/optim/schedules.h"
#include "glia/tensor.h"

namespace glia::optim {

// The loss, computed anew each time it is called.
using Loss = std::function<Tensor()>;

// The base of every optimizer: groups of parameters with options of their own, and the state that
// belongs to each parameter. An optimizer refers to the model's parameters; the model may be moved
// or copied from meanwhile.
//
// A new one derives from Elementwise (glia/optim/elementwise.h) if its rule is that, else from this
// class: it says what state a parameter has, and update() sets parameters and states, in lazy
// operations on whole tensors.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One update. The gradients are in the order of the parameters: those of all groups, or of
  // those that are trainable now, as parameters() gives them. Frozen parameters and undefined
  // gradients are skipped. Throws ShapeError when counts, shapes or dtypes do not fit, and what
  // computing the gradients throws; then the parameters are what they were.
  void step(std::vector<Tensor> gradients, Where where = Where::current());
  // One update by the loss, of one element, whose gradients are taken here: once, or as often as
  // the optimizer needs_loss(). The loss before the update.
  Tensor step(const Loss& loss, Where where = Where::current());
  // Whether gradients are not enough: it computes the loss several times in a step.
  virtual bool needs_loss() const { return false; }

  // The parameters that are trainable now, group after group.
  ParameterList parameters() const;
  // Those of one group, frozen ones too.
  ParameterList parameters(size_t group) const;
  size_t group_count() const { return groups_.size(); }
  int64_t steps() const { return steps_; }  // taken so far: what a schedule is a function of

  double lr(size_t group = 0) const { return option("lr", group); }
  void set_lr(double lr);  // of every group
  void set_lr(double lr, size_t group) { set_option("lr", lr, group); }
  // From now on each step begins by setting the rate to schedule(steps()): of every group, or of
  // one. It is no part of the state; empty: the rate stays.
  void set_schedule(const Schedule& schedule) { set_option_schedule("lr", schedule); }
  void set_schedule(const Schedule& schedule, size_t group) {
    set_option_schedule("lr", schedule, group);
  }
  // The same for any option, such as "momentum".
  void set_option_schedule(std::string_view name, const Schedule& schedule);
  void set_option_schedule(std::string_view name, const Schedule& schedule, size_t group);
  Schedule schedule(std::string_view name = "lr", size_t group = 0) const;  // empty: none
  // Any option under PyTorch's name, flags as 0 or 1; "betas.0" and "betas.1" are a pair's parts.
  virtual bool has_option(std::string_view name) const;
  virtual double option(std::string_view name, size_t group = 0) const;
  virtual void set_option(std::string_view name, double value, size_t group = 0);

  // "step"; "state.I.step" and "state.I.NAME" of each parameter that has been updated, counted
  // over all groups; "param_groups.G.OPTION" of each group; what else the optimizer has.
  StateDict state_dict() const;
  // For an optimizer of the same parameters in the same groups. Throws Error naming the keys that
  // are missing, unexpected or unfit; then nothing has changed.
  void load_state_dict(const StateDict& values);

 protected:
  // A group's options in the order of the names given to the constructor.
  using Options = std::vector<double>;
  // A parameter with what belongs to it.
  struct Slot {
    size_t group;
    Variable parameter;
    std::vector<Buffer> state = {};
    int64_t steps = 0;  // updates that made this state
  };
  using Slots = std::span<Slot* const>;
  // One part of the state, in the parameter's dtype.
  struct State {
    std::string name;
    Shape shape;
    double initial = 0;  // each number
  };

  Optimizer(const char* name, std::vector<std::string_view> option_names)
      : name_(name), option_names_(std::move(option_names)) {}
  void add_group(const ParameterList& parameters, Options options);
  // Throws ValueError unless option i is at least `low` and below `high`.
  void check_range(const Options& options, int i, double low, double high) const;

  // Throws ValueError for options out of range.
  virtual void check(const Options& options) const = 0;
  // The state of a parameter of that shape.
  virtual std::vector<State> states(const Options& options, const Shape& shape) const;
  // One update, number slot.steps + 1, of parameters and their states by gradients that fit them.
  virtual void update(Slots slots, std::span<const Tensor> gradients, const Where& where);
  // The same for one that needs_loss(): the loss before.
  virtual Tensor update(const Loss& loss, const Where& where);
  // State that belongs to no parameter alone, whose names begin with the prefix in a state dict.
  // Loading throws Error, and changes nothing, where it does not fit.
  virtual std::string_view extra_prefix() const { return {}; }
  virtual StateDict extra_state() const { return {}; }
  virtual void load_extra_state(const StateDict&) {}

  const char* name() const { return name_; }
  std::span<Slot> slots() { return slots_; }
  const Options& options(const Slot& slot) const { return groups_[slot.group]; }
  // Before an update: gives each slot the state that it shall have, if it has another one. Throws
  // ShapeError where a gradient does not fit.
  virtual void prepare(Slots slots, std::span<const Tensor> gradients, const Where& where) const;
  void require_fit(const Slot& slot, const Tensor& value, const Tensor& gradient,
                   const Where& where) const;

 private:
  void follow_schedules();
  size_t option_index(std::string_view name, size_t group) const;
  std::vector<Slot*> slots_of(std::vector<Tensor>* gradients, const Where& where);

  const char* name_;
  std::vector<std::string_view> option_names_;
  std::vector<Options> groups_;
  struct Scheduled {
    size_t group;
    std::string option;
    Schedule schedule;
  };
  std::vector<Scheduled> schedules_;  // at most one of each option of a group
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

// While one lives, steps of optimizers on this thread only record what they do, and finish()
// computes it: steps of several optimizers, and what else has been set, are then one plan.
class DeferredSteps {
 public:
  DeferredSteps();
  ~DeferredSteps();
  DeferredSteps(const DeferredSteps&) = delete;
  DeferredSteps& operator=(const DeferredSteps&) = delete;
  // Of the outermost one: computes all variables that have been set. When that throws, the
  // optimizers and their parameters are what they were before the first step that was recorded.
  void finish();

 private:
  friend class Optimizer;
  DeferredSteps* const outer_;
  std::vector<std::function<void()>> undo_;  // the counts of what has been recorded
};

}  // namespace glia::optim
