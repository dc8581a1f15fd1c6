// What is done to gradients before an optimizer's step: clipping, and means over several batches.
#pragma once

#include <cstdint>
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

}  // namespace glia::optim
