// What is done to gradients before an optimizer's step, and means over several batches; penalties.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::optim {

// ---- Clipping ---------------------------------------------------------------------------------
// Undefined gradients stay undefined. Nothing is computed before it is needed.

struct ClippedGradients {
  std::vector<Tensor> gradients;
  Tensor norm;  // of all gradients together, before clipping; rank 0
};
// Scales all gradients by one factor so that their common norm is at most max_norm (Pascanu et al.
// 2013): the norm of the norms of each, of which norm_type may also be 0 or an infinity. Whether it
// is finite is only known when it is computed: error_if_nonfinite does so at once, and throws
// ValueError if it is not, naming the first gradient that is not finite: by its number, or by
// `names`, which has a name for each gradient (as nn::Module::named_parameters() has them).
ClippedGradients clip_grad_norm(const std::vector<Tensor>& gradients, double max_norm,
                                double norm_type = 2, bool error_if_nonfinite = false,
                                const std::vector<std::string>& names = {});
// Clamps every value to [-clip_value, clip_value].
std::vector<Tensor> clip_grad_value(const std::vector<Tensor>& gradients, double clip_value);
// Gradient centralisation (Yong et al. 2020): of more than one axis, each gradient less its mean
// over all axes but the first, so that the weights of each output keep their mean. Others stay.
std::vector<Tensor> centralize_gradients(const std::vector<Tensor>& gradients);

// ---- Penalties and constraints ----------------------------------------------------------------

// lambda times the sum of all magnitudes, or of all squares: to be added to a loss. Rank 0.
Tensor l1_penalty(const ParameterList& parameters, double lambda);
Tensor l2_penalty(const ParameterList& parameters, double lambda);
// After a step: scales down what is longer than max_norm along the other axes of each place of
// `axis`, such as the weights of each output (Srivastava et al. 2014). Parameters of fewer than two
// axes, such as biases, stay. Computed with what is computed next.
void constrain_max_norm(const ParameterList& parameters, double max_norm, int axis = 0,
                        Where where = Where::current());

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

}  // namespace glia::optim
