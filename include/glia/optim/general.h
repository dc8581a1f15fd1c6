// Optimizers whose rule is not elementwise.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/optim/optimizer.h"

namespace glia::optim {

// By what the rate of a matrix (A, B) is multiplied in Muon.
enum class AdjustLr {
  kOriginal,       // sqrt(max(1, A / B))
  kMatchRmsAdamW,  // 0.2 sqrt(max(A, B)): rates and decays of AdamW fit
};
struct MuonOptions {
  double lr = 1e-3, weight_decay = 0.1, momentum = 0.95;
  bool nesterov = true;
  std::array<double, 3> ns_coefficients{3.4445, -4.7750, 2.0315};
  double eps = 1e-7;
  int64_t ns_steps = 5;
  AdjustLr adjust_lr_fn = AdjustLr::kOriginal;
};
// Momentum whose matrix is made nearly orthogonal by iterations of Newton and Schulz (Jordan et al.
// 2024; Liu et al. 2025), for weights of rank 2; others throw ValueError and need another
// optimizer. It multiplies in the parameters' dtype, or under Autocast(kBF16) in bf16, as PyTorch
// always does.
class Muon final : public Optimizer {
 public:
  explicit Muon(const ParameterList& parameters, const MuonOptions& options = {});
  void add_param_group(const ParameterList& parameters, const MuonOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

struct AdafactorOptions {
  double lr = 1e-2, beta2_decay = -0.8;
  std::pair<std::optional<double>, double> eps{{}, 1e-3};  // the first unset: the dtype's epsilon
  double d = 1, weight_decay = 0;
  bool maximize = false;
};
// Adam's second moments by the means of rows and of columns, so that a matrix needs their sum and
// not their product of numbers (Shazeer & Stern 2018), with rates relative to the parameters.
class Adafactor final : public Optimizer {
 public:
  explicit Adafactor(const ParameterList& parameters, const AdafactorOptions& options = {});
  void add_param_group(const ParameterList& parameters, const AdafactorOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

enum class LineSearch { kNone, kStrongWolfe };
struct LBFGSOptions {
  double lr = 1;
  int64_t max_iter = 20;
  std::optional<int64_t> max_eval = {};  // of the loss in a step; unset: max_iter * 5 / 4
  double tolerance_grad = 1e-7, tolerance_change = 1e-9;
  int64_t history_size = 100;
  LineSearch line_search_fn = LineSearch::kNone;
};
// The quasi-Newton method of limited memory (Liu & Nocedal 1989): up to max_iter iterations in a
// step, along directions found from the last history_size changes of the gradient; the rate is the
// length of a step, or where the search for one that meets the strong Wolfe conditions begins
// (Nocedal & Wright 2006, algorithm 3.5). One group, one dtype; for losses without noise.
class LBFGS final : public Optimizer {
 public:
  explicit LBFGS(const ParameterList& parameters, const LBFGSOptions& options = {});
  ~LBFGS() override;
  bool needs_loss() const override { return true; }

 private:
  struct Memory;
  class Iteration;
  void check(const Options& options) const override;
  Tensor update(const Loss& loss, const Where& where) override;
  std::string_view extra_prefix() const override { return "lbfgs."; }
  StateDict extra_state() const override;
  void load_extra_state(const StateDict& values) override;

  std::unique_ptr<Memory> memory_;
};

}  // namespace glia::optim
