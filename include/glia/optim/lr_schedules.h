// PyTorch's schedules under its names, in its closed forms: functions of the steps taken before.
// All throw ValueError for arguments out of range.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/optim/schedules.h"

namespace glia::optim {

// Times gamma after every step_size steps.
Schedule step_lr(double lr, int64_t step_size, double gamma = 0.1);
// Times gamma at each milestone.
Schedule multi_step_lr(double lr, std::vector<int64_t> milestones, double gamma = 0.1);
// Times factor, until total_iters steps are done.
Schedule constant_lr(double lr, double factor = 1.0 / 3, int64_t total_iters = 5);
// The factor goes from start_factor to end_factor in total_iters equal steps, and stays.
Schedule linear_lr(double lr, double start_factor = 1.0 / 3, double end_factor = 1,
                   int64_t total_iters = 5);
Schedule exponential_lr(double lr, double gamma);
// Down to nothing at step total_iters.
Schedule polynomial_lr(double lr, int64_t total_iters = 5, double power = 1);
// Half a cosine down to eta_min at step t_max, and up again (Loshchilov & Hutter 2017).
Schedule cosine_annealing_lr(double lr, int64_t t_max, double eta_min = 0);
// Half cosines, each t_mult times as long as the last.
Schedule cosine_annealing_warm_restarts(double lr, int64_t t_0, int64_t t_mult = 1,
                                        double eta_min = 0);

enum class CyclicMode { kTriangular, kTriangular2, kExpRange };
struct CyclicOptions {
  int64_t step_size_up = 2000, step_size_down = 0;  // down: 0 as long as up
  CyclicMode mode = CyclicMode::kTriangular;
  double gamma = 1;  // of kExpRange, by step
};
// Up and down between the two (Smith 2017).
Schedule cyclic_lr(double base_lr, double max_lr, const CyclicOptions& options = {});

Schedule lambda_lr(double lr, std::function<double(int64_t step)> lr_lambda);
// Times lr_lambda(1) ... lr_lambda(step): what was multiplied before is multiplied again.
Schedule multiplicative_lr(double lr, std::function<double(int64_t step)> lr_lambda);
// Schedule i begins with its step 0 at milestone i - 1; one milestone less than schedules.
Schedule sequential_lr(std::vector<Schedule> schedules, std::vector<int64_t> milestones);
// The product of schedules as factors: of those for the rate 1, times lr.
Schedule chained_scheduler(double lr, std::vector<Schedule> factors);

// From lr to swa_lr within anneal_epochs steps, where it stays (Izmailov et al. 2018).
Schedule swa_lr(double lr, double swa_lr, int64_t anneal_epochs = 10,
                Anneal anneal_strategy = Anneal::kCos);

// Rises in equal steps to lr at step `warmup`, then falls as 1 / sqrt(step) (Vaswani et al. 2017).
Schedule inverse_sqrt_lr(double lr, int64_t warmup);
// Rises linearly in `warmup` steps, stays for `stable`, falls linearly to final_lr in `decay` (Hu
// et al. 2024).
Schedule wsd_lr(double lr, int64_t warmup, int64_t stable, int64_t decay, double final_lr = 0);

}  // namespace glia::optim
