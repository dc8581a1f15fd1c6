// What stands around an optimizer or beside it: look-ahead, sharpness-aware steps, averages.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/optim/optimizer.h"

namespace glia::optim {

// The base of optimizers that leave the update to another one, whose parameters, groups and options
// they have beside their own; it must outlive them. Its state is part of theirs, as "base.NAME".
class Wrapper : public Optimizer {
 public:
  bool has_option(std::string_view name) const override;
  double option(std::string_view name, size_t group = 0) const override;
  void set_option(std::string_view name, double value, size_t group = 0) override;

 protected:
  // Throws ValueError for an optimizer that needs the loss itself.
  Wrapper(const char* name, std::vector<std::string_view> option_names, Optimizer& base);
  // The groups of the base, each with these options of its own.
  void add_groups(const Options& options);
  std::string_view extra_prefix() const override { return "base."; }
  StateDict extra_state() const override { return base_.state_dict(); }
  void load_extra_state(const StateDict& values) override { base_.load_state_dict(values); }

  Optimizer& base_;
};

struct LookaheadOptions {
  double alpha = 0.5;  // the part of the way that the slow weights go
  int64_t k = 5;       // steps of the base until they do
};
// After every k steps the weights go back to alpha of the way from where they were before these
// (Zhang et al. 2019).
class Lookahead final : public Wrapper {
 public:
  explicit Lookahead(Optimizer& base, const LookaheadOptions& options = {});

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

struct SAMOptions {
  double rho = 0.05;      // how far away, by the norm over all parameters
  bool adaptive = false;  // relative to each weight (Kwon et al. 2021)
};
// Steps by the gradients at the worst place near the weights (Foret et al. 2021): the loss is
// computed twice, which running statistics of norms see.
class SAM final : public Wrapper {
 public:
  explicit SAM(Optimizer& base, const SAMOptions& options = {});
  bool needs_loss() const override { return true; }

 private:
  void check(const Options& options) const override;
  Tensor update(const Loss& loss, const Where& where) override;
};

struct AverageOptions {
  std::optional<double> decay = 0.999;  // of an exponential average; unset: all count alike
};
// An average of parameters over time: exponential (EMA), or with equal weights (SWA, Izmailov et
// al. 2018), as torch.optim.swa_utils.AveragedModel has it. The first update() copies.
class AveragedParameters {
 public:
  // Throws ValueError unless the decay is in [0, 1].
  explicit AveragedParameters(const ParameterList& parameters, const AverageOptions& options = {});

  // Takes in the values that the parameters have now; computed with what is computed next.
  void update(Where where = Where::current());
  int64_t n_averaged() const { return n_averaged_; }
  // In the order of the parameters; what these had when it was made, before the first update.
  std::vector<Tensor> values() const;
  // Gives the parameters the average and keeps theirs, until it is called again: to evaluate.
  void swap(Where where = Where::current());

  // "n_averaged" and "values.I". Throws Error while swapped, and for what does not fit.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  ParameterList parameters_;
  std::vector<Buffer> values_;
  AverageOptions options_;
  int64_t n_averaged_ = 0;
  bool swapped_ = false;
};

}  // namespace glia::optim
