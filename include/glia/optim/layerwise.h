// Optimizers whose steps depend on a parameter as a whole: on its norm, or on what its gradients
// have along each of its axes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "glia/optim/optimizer.h"

namespace glia::optim {

struct LARSOptions {
  double lr = 1, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  double trust_coeff = 1e-3, eps = 1e-8;
  bool trust_clip = false;    // the rate of a parameter is lr at most
  bool always_adapt = false;  // parameters without a decay, such as biases, too
  bool maximize = false;
};
// Gradient descent for large batches, the rate of each parameter times trust_coeff and the ratio of
// its norm to that of its gradient with decay (You et al. 2017). Where a norm is 0, the ratio is 1.
// Options and defaults are those of timm.
class LARS final : public Optimizer {
 public:
  explicit LARS(const ParameterList& parameters, const LARSOptions& options = {});
  void add_param_group(const ParameterList& parameters, const LARSOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

struct LAMBOptions {
  double lr = 1e-3;
  std::pair<double, double> betas{0.9, 0.999};
  double eps = 1e-6, weight_decay = 0.01;
  bool bias_correction = true;
  bool grad_averaging = true;  // a new gradient counts 1 - betas.0 in the mean; else 1
  double max_grad_norm = 1;    // of all gradients together, which are scaled down to it; 0: any
  bool trust_clip = false;     // the ratio is 1 at most
  bool always_adapt = false;   // parameters without a decay, such as biases, too
  bool maximize = false;
};
// AdamW for large batches, each parameter's step times the ratio of its norm to that of the step
// (You et al. 2020). Where a norm is 0, the ratio is 1. Options and defaults are those of timm.
class LAMB final : public Optimizer {
 public:
  explicit LAMB(const ParameterList& parameters, const LAMBOptions& options = {});
  void add_param_group(const ParameterList& parameters, const LAMBOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

struct ShampooOptions {
  double lr = 0.1, momentum = 0, weight_decay = 0;
  double eps = 1e-4;        // added to the diagonals
  double beta2 = 1;         // of averages of the gradients' products; 1: sums
  int64_t update_freq = 1;  // steps between roots, which cost the most
  int64_t max_dim = 1024;   // longer axes are left as they are; if all are: Adagrad
  bool maximize = false;
};
// The gradient (n1, ..., nk) times the inverse 2k-th root of the products (ni, ni) that gradients
// had with themselves along each axis i (Gupta et al. 2018): of a vector full-matrix Adagrad, of a
// matrix the first step is orthogonal. The roots are found by Newton's coupled iteration in f64
// (Anil et al. 2020), which computes the gradients at once.
class Shampoo final : public Optimizer {
 public:
  explicit Shampoo(const ParameterList& parameters, const ShampooOptions& options = {});
  void add_param_group(const ParameterList& parameters, const ShampooOptions& options);

 private:
  void check(const Options& options) const override;
  std::vector<State> states(const Options& options, const Shape& shape) const override;
  void update(Slots slots, std::span<const Tensor> gradients, const Where& where) override;
};

}  // namespace glia::optim
