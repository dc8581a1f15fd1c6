// Loss scaling for f16, as torch.amp.GradScaler does it.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/optim/optimizer.h"

namespace glia::optim {

struct GradScalerOptions {
  double init_scale = 65536, growth_factor = 2, backoff_factor = 0.5;
  int64_t growth_interval = 2000;  // steps in a row without an infinity until the scale grows
  bool enabled = true;             // false: all is passed on as it is
};
// Multiplies a loss before its gradients are taken, so that these are not too small for f16
// (Micikevicius et al. 2018). The scale grows as long as no gradient is infinite or NaN; a step
// with such a gradient is left out, and the scale shrinks.
//
//   auto g = scaler.unscale(gradients(scaler.scale(loss), net.parameters()));
//   scaler.step(optimizer, clip_grad_norm(g, 1).gradients);
//   scaler.update();
class GradScaler {
 public:
  // Throws ValueError for options out of range.
  explicit GradScaler(const GradScalerOptions& options = {});

  // The loss times the scale, in f32 at least.
  Tensor scale(const Tensor& loss, Where where = Where::current()) const;
  // Gradients divided by the scale. What is infinite becomes NaN, which no clipping hides.
  // Computes nothing; undefined gradients stay so.
  std::vector<Tensor> unscale(const std::vector<Tensor>& gradients,
                              Where where = Where::current()) const;
  // A step of the optimizer with unscaled gradients, if all are finite, for which it computes them.
  // Whether there was one. Throws Error for an optimizer that needs the loss itself.
  bool step(Optimizer& optimizer, std::vector<Tensor> gradients, Where where = Where::current());
  // After the steps of all optimizers: another scale for the next. Throws Error if there was none.
  void update();

  double get_scale() const { return options_.enabled ? scale_ : 1; }
  bool is_enabled() const { return options_.enabled; }
  // "scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"; nothing if it
  // is not enabled.
  StateDict state_dict() const;
  // Throws Error for another state; then nothing has changed.
  void load_state_dict(const StateDict& values);

 private:
  GradScalerOptions options_;
  double scale_;
  int64_t tracker_ = 0;                   // steps since the scale has changed
  bool stepped_ = false, found_ = false;  // since the last update(): a step, and one left out
};

}  // namespace glia::optim
