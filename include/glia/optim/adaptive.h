// More optimizers whose rule is elementwise: the rest of PyTorch's, and Lion.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/optim/elementwise.h"

namespace glia::optim {

struct NAdamOptions {
  double lr = 2e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0, momentum_decay = 4e-3;
  bool decoupled_weight_decay = false, maximize = false;
};
// Adam with Nesterov's momentum (Dozat 2016).
class NAdam final : public Elementwise {
 public:
  explicit NAdam(const ParameterList& parameters, const NAdamOptions& options = {});
  void add_param_group(const ParameterList& parameters, const NAdamOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct RAdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0;
  bool decoupled_weight_decay = false, maximize = false;
};
// Adam whose first steps, while the second moment is uncertain, are those of momentum (Liu et al.
// 2020).
class RAdam final : public Elementwise {
 public:
  explicit RAdam(const ParameterList& parameters, const RAdamOptions& options = {});
  void add_param_group(const ParameterList& parameters, const RAdamOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct AdamaxOptions {
  double lr = 2e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0;
  bool maximize = false;
};
// Adam by the infinity norm (Kingma & Ba 2015).
class Adamax final : public Elementwise {
 public:
  explicit Adamax(const ParameterList& parameters, const AdamaxOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdamaxOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct AdadeltaOptions {
  double lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0;
  bool maximize = false;
};
// Steps by the ratio of the roots of mean squared changes and gradients (Zeiler 2012).
class Adadelta final : public Elementwise {
 public:
  explicit Adadelta(const ParameterList& parameters, const AdadeltaOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdadeltaOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct RMSpropOptions {
  double lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
  bool centered = false, maximize = false;
};
// Steps divided by the root of the mean square of gradients (Tieleman & Hinton 2012), centered: by
// their deviation (Graves 2013).
class RMSprop final : public Elementwise {
 public:
  explicit RMSprop(const ParameterList& parameters, const RMSpropOptions& options = {});
  void add_param_group(const ParameterList& parameters, const RMSpropOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct RpropOptions {
  double lr = 1e-2;
  std::pair<double, double> etas{0.5, 1.2}, step_sizes{1e-6, 50};
  bool maximize = false;
};
// Steps by the gradient's sign, each number's longer while it stays the same (Riedmiller & Braun
// 1993): for gradients of all data.
class Rprop final : public Elementwise {
 public:
  explicit Rprop(const ParameterList& parameters, const RpropOptions& options = {});
  void add_param_group(const ParameterList& parameters, const RpropOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct LionOptions {
  double lr = 1e-4;
  std::pair<double, double> betas{0.9, 0.99};
  double weight_decay = 0;
  bool maximize = false;
};
// Steps by the sign of a momentum, with decoupled weight decay (Chen et al. 2023).
class Lion final : public Elementwise {
 public:
  explicit Lion(const ParameterList& parameters, const LionOptions& options = {});
  void add_param_group(const ParameterList& parameters, const LionOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

struct ASGDOptions {
  double lr = 1e-2, lambd = 1e-4, alpha = 0.75, t0 = 1e6, weight_decay = 0;
  bool maximize = false;
};
// Gradient descent whose weights are averaged from step t0 on (Polyak & Juditsky 1992): step t goes
// by lr / (1 + lambd lr (t - 1))^alpha, after a decay of lambd times that. Where the rate follows a
// schedule, it is that of this step; in PyTorch that of the one before.
class ASGD final : public Elementwise {
 public:
  explicit ASGD(const ParameterList& parameters, const ASGDOptions& options = {});
  void add_param_group(const ParameterList& parameters, const ASGDOptions& options);
  // The averages, in the order of all parameters: "ax" of the state. Before step t0, and of a
  // parameter without a step, its value.
  std::vector<Tensor> averages();

 private:
  void check(const Options& options) const override;
  std::vector<std::string_view> state_names(const Options& options) const override;
  Formula formula(const Options& options, int64_t step) const override;
};

}  // namespace glia::optim
