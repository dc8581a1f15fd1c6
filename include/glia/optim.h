// Optimizers, gradient clipping and learning-rate schedules, with PyTorch's formulas and defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::optim {

// The learning rate as a function of the steps taken before; see Schedules below.
using Schedule = std::function<double(int64_t step)>;

// The base of every optimizer: groups of parameters with options of their own, and the state that
// belongs to each parameter. An optimizer refers to the model's parameters; the model may be moved
// or copied from meanwhile.
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

  // The parameters that are trainable now, group after group.
  ParameterList parameters() const;
  size_t group_count() const { return groups_.size(); }
  int64_t steps() const { return steps_; }  // taken so far: what a schedule is a function of

  double lr(size_t group = 0) const { return option("lr", group); }
  void set_lr(double lr);  // of every group
  void set_lr(double lr, size_t group) { set_option("lr", lr, group); }
  // From now on each step begins by setting the rate to schedule(steps()): of every group, or of
  // one. It is no part of the state; empty: the rate stays.
  void set_schedule(const Schedule& schedule);
  void set_schedule(const Schedule& schedule, size_t group);
  // Any option under PyTorch's name, flags as 0 or 1; "betas.0" and "betas.1" are a pair's parts.
  double option(std::string_view name, size_t group = 0) const;
  void set_option(std::string_view name, double value, size_t group = 0);

  // "step"; "state.I.step" and "state.I.NAME" of each parameter that has been updated, counted
  // over all groups; "param_groups.G.OPTION" of each group.
  StateDict state_dict() const;
  // For an optimizer of the same parameters in the same groups. Throws Error naming the keys that
  // are missing, unexpected or unfit; then nothing has changed.
  void load_state_dict(const StateDict& values);

 protected:
  // An elementwise rule: {parameter, gradient, state...} and rank-0 scalars -> {parameter,
  // state...}, which all have the parameter's shape. One node applies it to many parameters.
  using Rule = std::vector<Tensor> (*)(const std::vector<Tensor>& operands,
                                       const std::vector<Tensor>& scalars);
  struct Update {
    Rule rule;
    std::vector<double> scalars;  // arguments of the plan: changing them plans nothing anew
  };
  // A group's options in the order of the names given to the constructor.
  using Options = std::vector<double>;

  Optimizer(const char* name, std::vector<std::string_view> option_names)
      : name_(name), option_names_(std::move(option_names)) {}
  void add_group(const ParameterList& parameters, Options options);
  // Throws ValueError unless option i is at least `low` and below `high`.
  void check_range(const Options& options, int i, double low, double high) const;

  // Throws ValueError for options out of range.
  virtual void check(const Options& options) const = 0;
  // The state that belongs to each parameter: of its shape, zero at first.
  virtual std::vector<std::string_view> state_names(const Options& options) const = 0;
  // What to do in a parameter's update number `step`, counted from 1.
  virtual Update update(const Options& options, int64_t step) const = 0;
  // What each number of the state is at first.
  virtual double initial_state(const Options&) const { return 0; }
  // Row-sparse gradients (glia/sparse.h): an update that leaves rows without a gradient as they are
  // may go over the others alone.
  enum class SparseRows {
    kDensified,  // every row changes
    kUpdated,    // only rows with a gradient change
    kRequired    // only rows with a gradient shall change: a dense one is an error
  };
  virtual SparseRows sparse_rows(const Options&) const { return SparseRows::kDensified; }

 private:
  struct Slot {
    size_t group;
    Variable parameter;
    std::vector<Buffer> state = {};
    int64_t steps = 0;  // updates that made this state
  };
  struct Batch;
  class Exclusive;

  void follow_schedules();
  std::vector<Batch> batches(const std::vector<Tensor>& gradients, const Where& where);
  bool record(const Batch& batch, const Where& where);
  size_t option_index(std::string_view name, size_t group) const;

  const char* name_;
  std::vector<std::string_view> option_names_;
  std::vector<Options> groups_;
  std::vector<Schedule> schedules_;  // of each group
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

struct SGDOptions {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
};
// Gradient descent with momentum, or Nesterov's (Sutskever et al. 2013).
class SGD final : public Optimizer {
 public:
  explicit SGD(const ParameterList& parameters, const SGDOptions& options = {});
  void add_param_group(const ParameterList& parameters, const SGDOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Update update(const Options& options, int64_t step) const override;
  SparseRows sparse_rows(const Options& options) const override;
};

struct AdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0;
  bool amsgrad = false, maximize = false;
};
// Kingma & Ba 2015; weight decay is added to the gradient. AMSGrad: Reddi et al. 2018.
class Adam : public Optimizer {
 public:
  explicit Adam(const ParameterList& parameters, const AdamOptions& options = {})
      : Adam("adam", parameters, options) {}
  void add_param_group(const ParameterList& parameters, const AdamOptions& options);

 protected:
  Adam(const char* name, const ParameterList& parameters, const AdamOptions& options);
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Update update(const Options& options, int64_t step) const override;
};

struct AdamWOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0.01;
  bool amsgrad = false, maximize = false;
};
// Adam whose weight decay shrinks the parameters themselves (Loshchilov & Hutter 2019).
class AdamW final : public Adam {
 public:
  explicit AdamW(const ParameterList& parameters, const AdamWOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdamWOptions& options);

 private:
  Update update(const Options& options, int64_t step) const override;
};

struct AdagradOptions {
  double lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10;
  bool maximize = false;
};
// Steps divided by the root of the sum of all squared gradients (Duchi et al. 2011).
class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(const ParameterList& parameters, const AdagradOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdagradOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Update update(const Options& options, int64_t step) const override;
  double initial_state(const Options& options) const override;
  SparseRows sparse_rows(const Options& options) const override;
};

struct SparseAdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8;
  bool maximize = false;
};
// Adam for row-sparse gradients: moments and parameters change only in the rows that have one.
class SparseAdam final : public Optimizer {
 public:
  explicit SparseAdam(const ParameterList& parameters, const SparseAdamOptions& options = {});
  void add_param_group(const ParameterList& parameters, const SparseAdamOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Update update(const Options& options, int64_t step) const override;
  SparseRows sparse_rows(const Options&) const override { return SparseRows::kRequired; }
};

// ---- Clipping ---------------------------------------------------------------------------------
// Undefined gradients stay undefined. Nothing is computed before it is needed.

struct ClippedGradients {
  std::vector<Tensor> gradients;
  Tensor norm;  // of all gradients together, before clipping; rank 0
};
// Scales all gradients by one factor so that their common norm is at most max_norm (Pascanu et al.
// 2013): the norm of the norms of each, of which norm_type may also be 0 or an infinity. Whether it
// is finite is only known when it is computed: error_if_nonfinite does so at once, and throws
// ValueError if it is not.
ClippedGradients clip_grad_norm(const std::vector<Tensor>& gradients, double max_norm,
                                double norm_type = 2, bool error_if_nonfinite = false);
// Clamps every value to [-clip_value, clip_value].
std::vector<Tensor> clip_grad_value(const std::vector<Tensor>& gradients, double clip_value);

// ---- Accumulation -----------------------------------------------------------------------------

// The gradients of several batches, for a step on their mean: what has been added so far is state.
class GradientMean {
 public:
  // Computes nothing by itself: sums are variables. Undefined gradients count as zeros. Throws
  // ShapeError where gradients do not fit those before.
  void add(const std::vector<Tensor>& gradients, Where where = Where::current());
  int64_t count() const { return count_; }  // added since the last take()
  // The mean of what has been added, which is forgotten. Throws Error if nothing was.
  std::vector<Tensor> take();

  // "count", "defined" for each gradient, and "sum.I" of those that are.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  std::vector<Buffer> sums_;
  int64_t count_ = 0;
};

// ---- Schedules --------------------------------------------------------------------------------
// Functions of the steps taken before, for Optimizer::set_schedule. They throw ValueError for
// arguments out of range.

Schedule constant(double lr);
// Times gamma after every `every` steps.
Schedule step_decay(double lr, int64_t every, double gamma = 0.1);
// Half a cosine from lr down to final_lr at step `total`, where it stays (Loshchilov & Hutter
// 2017).
Schedule cosine(double lr, int64_t total, double final_lr = 0);
// Rises in equal steps towards then(0), which follows after `steps` steps, and goes on with `then`.
Schedule linear_warmup(int64_t steps, Schedule then);

struct OneCycleOptions {
  double pct_start = 0.3;  // the part of the steps that rises
  double div_factor = 25, final_div_factor = 1e4;
};
// From max_lr / div_factor up to max_lr, then down to the initial rate / final_div_factor at step
// total - 1, where it stays; each way along half a cosine (Smith & Topin 2018), as PyTorch's
// OneCycleLR.
Schedule one_cycle(double max_lr, int64_t total, const OneCycleOptions& options = {});

}  // namespace glia::optim
