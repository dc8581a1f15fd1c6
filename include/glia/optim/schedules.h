// Learning rates as functions of the steps taken before, for Optimizer::set_schedule. They throw
// ValueError for arguments out of range.
#pragma once

#include <cstdint>
#include <functional>

namespace glia::optim {

using Schedule = std::function<double(int64_t step)>;

Schedule constant(double lr);
// Half a cosine from lr down to final_lr at step `total`, where it stays (Loshchilov & Hutter
// 2017).
Schedule cosine(double lr, int64_t total, double final_lr = 0);
// Rises in equal steps towards then(0), which follows after `steps` steps, and goes on with `then`.
Schedule linear_warmup(int64_t steps, Schedule then);

enum class Anneal { kCos, kLinear };
struct OneCycleOptions {
  double pct_start = 0.3;  // the part of the steps that rises
  double div_factor = 25, final_div_factor = 1e4;
  Anneal anneal_strategy = Anneal::kCos;
  // Down to the initial rate as fast as up, and then to the last one; else straight to the last.
  bool three_phase = false;
  double base_momentum = 0.85, max_momentum = 0.95;  // of one_cycle_momentum()
};
// From max_lr / div_factor up to max_lr, then down to the initial rate / final_div_factor at step
// total - 1, where it stays; each way along half a cosine or a line (Smith & Topin 2018), as
// PyTorch's OneCycleLR.
Schedule one_cycle(double max_lr, int64_t total, const OneCycleOptions& options = {});
// The momentum that goes with it, from the highest down and up again while the rate rises and
// falls: optimizer.set_option_schedule("momentum", one_cycle_momentum(total)), of Adam "betas.0".
Schedule one_cycle_momentum(int64_t total, const OneCycleOptions& options = {});

}  // namespace glia::optim
