// Optimizers whose rule is elementwise: gradient descent, the Adam family, Adagrad.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/optim/optimizer.h"

namespace glia::optim {

// The base of optimizers that change each number of a parameter by its gradient and the numbers of
// its state that stand in the same place.
class Elementwise : public Optimizer {
 protected:
  // {parameter, gradient, state...} and rank-0 scalars -> {parameter, state...}, which all have the
  // parameter's shape. One node applies it to many parameters.
  using Rule = std::vector<Tensor> (*)(const std::vector<Tensor>& operands,
                                       const std::vector<Tensor>& scalars);
  struct Formula {
    Rule rule;
    std::vector<double> scalars;  // arguments of the plan: changing them plans nothing anew
  };
  using Optimizer::Optimizer;

  // The state that belongs to each parameter: of its shape, zero at first.
  virtual std::vector<std::string_view> state_names(const Options& options) const = 0;
  // What to do in a parameter's update number `step`, counted from 1.
  virtual Formula formula(const Options& options, int64_t step) const = 0;
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
  struct Batch;
  class Exclusive;

  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void prepare(Slots slots, std::span<const Tensor> gradients, const Where& where) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
  std::vector<Batch> batches(Slots slots, std::span<const Tensor> gradients,
                             const Where& where) const;
  bool find_in_place(Batch* batch, const Where& where) const;
  bool apply_in_place(const Batch& batch) const;
  std::vector<Tensor> results_of(const Batch& batch, const Where& where) const;
  std::vector<Tensor> results_of_rows(const Batch& batch, const Where& where) const;
};

struct SGDOptions {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
};
// Gradient descent with momentum, or Nesterov's (Sutskever et al. 2013).
class SGD final : public Elementwise {
 public:
  explicit SGD(const ParameterList& parameters, const SGDOptions& options = {});
  void add_param_group(const ParameterList& parameters, const SGDOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
  SparseRows sparse_rows(const Options& options) const override;
};

struct AdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0;
  bool amsgrad = false, maximize = false;
};
// Kingma & Ba 2015; weight decay is added to the gradient. AMSGrad: Reddi et al. 2018.
class Adam : public Elementwise {
 public:
  explicit Adam(const ParameterList& parameters, const AdamOptions& options = {})
      : Adam("adam", parameters, options) {}
  void add_param_group(const ParameterList& parameters, const AdamOptions& options);

 protected:
  Adam(const char* name, const ParameterList& parameters, const AdamOptions& options);
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
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
  Formula formula(const Options& options, int64_t step) const override;
};

struct AdagradOptions {
  double lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10;
  bool maximize = false;
};
// Steps divided by the root of the sum of all squared gradients (Duchi et al. 2011).
class Adagrad final : public Elementwise {
 public:
  explicit Adagrad(const ParameterList& parameters, const AdagradOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdagradOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
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
class SparseAdam final : public Elementwise {
 public:
  explicit SparseAdam(const ParameterList& parameters, const SparseAdamOptions& options = {});
  void add_param_group(const ParameterList& parameters, const SparseAdamOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
  SparseRows sparse_rows(const Options&) const override { return SparseRows::kRequired; }
};

}  // namespace glia::optim
