// PyTorch's schedules in closed form.
#include "glia/optim/lr_schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "glia/error.h"

namespace glia::optim {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw ValueError(what);
}

double between(double from, double to, double part) { return from + (to - from) * part; }

double half_cosine(double from, double to, double part) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * part)) / 2;
}

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

Schedule step_lr(double lr, int64_t step_size, double gamma) {
  require(step_size > 0, "step_lr: step_size must be positive");
  return [=](int64_t t) { return lr * std::pow(gamma, t / step_size); };
}

Schedule multi_step_lr(double lr, std::vector<int64_t> milestones, double gamma) {
  std::ranges::sort(milestones);
  return [=, all = std::move(milestones)](int64_t t) {
    return lr * std::pow(gamma, std::ranges::upper_bound(all, t) - all.begin());
  };
}

Schedule constant_lr(double lr, double factor, int64_t total_iters) {
  require(factor >= 0 && factor <= 1, "constant_lr: factor is not in [0, 1]");
  return [=](int64_t t) { return t < total_iters ? lr * factor : lr; };
}

Schedule linear_lr(double lr, double start_factor, double end_factor, int64_t total_iters) {
  require(start_factor > 0 && start_factor <= 1, "linear_lr: start_factor is not in (0, 1]");
  require(end_factor >= 0 && end_factor <= 1, "linear_lr: end_factor is not in [0, 1]");
  require(total_iters > 0, "linear_lr: total_iters must be positive");
  return [=](int64_t t) {
    return lr * between(start_factor, end_factor, ratio(std::min(t, total_iters), total_iters));
  };
}

Schedule exponential_lr(double lr, double gamma) {
  return [=](int64_t t) { return lr * std::pow(gamma, t); };
}

Schedule polynomial_lr(double lr, int64_t total_iters, double power) {
  require(total_iters > 0, "polynomial_lr: total_iters must be positive");
  return [=](int64_t t) {
    return lr * std::pow(1 - ratio(std::min(t, total_iters), total_iters), power);
  };
}

Schedule cosine_annealing_lr(double lr, int64_t t_max, double eta_min) {
  require(t_max > 0, "cosine_annealing_lr: t_max must be positive");
  return [=](int64_t t) { return half_cosine(lr, eta_min, ratio(t, t_max)); };
}

Schedule cosine_annealing_warm_restarts(double lr, int64_t t_0, int64_t t_mult, double eta_min) {
  require(t_0 > 0 && t_mult > 0, "cosine_annealing_warm_restarts: t_0 and t_mult must be positive");
  return [=](int64_t t) {
    if (t_mult == 1) return half_cosine(lr, eta_min, ratio(t % t_0, t_0));
    int64_t length = t_0;
    while (t >= length) {
      t -= length;
      if (length > INT64_MAX / t_mult) break;
      length *= t_mult;
    }
    return half_cosine(lr, eta_min, ratio(t, length));
  };
}

Schedule cyclic_lr(double base_lr, double max_lr, const CyclicOptions& o) {
  require(o.step_size_up > 0 && o.step_size_down >= 0, "cyclic_lr: step sizes must be positive");
  const double up = static_cast<double>(o.step_size_up);
  const double total = up + (o.step_size_down > 0 ? static_cast<double>(o.step_size_down) : up);
  return [=](int64_t t) {
    const double cycles = std::floor(static_cast<double>(t) / total);
    const double at = static_cast<double>(t) / total - cycles, top = up / total;
    double height = (max_lr - base_lr) * (at <= top ? at / top : (at - 1) / (top - 1));
    if (o.mode == CyclicMode::kTriangular2) height *= std::pow(0.5, cycles);
    if (o.mode == CyclicMode::kExpRange) height *= std::pow(o.gamma, t);
    return base_lr + height;
  };
}

Schedule lambda_lr(double lr, std::function<double(int64_t)> lr_lambda) {
  require(lr_lambda != nullptr, "lambda_lr: no function");
  return [=, f = std::move(lr_lambda)](int64_t t) { return lr * f(t); };
}

Schedule multiplicative_lr(double lr, std::function<double(int64_t)> lr_lambda) {
  require(lr_lambda != nullptr, "multiplicative_lr: no function");
  return [=, f = std::move(lr_lambda)](int64_t t) {
    double rate = lr;
    for (int64_t i = 1; i <= t; ++i) rate *= f(i);
    return rate;
  };
}

Schedule sequential_lr(std::vector<Schedule> schedules, std::vector<int64_t> milestones) {
  require(!schedules.empty() && milestones.size() + 1 == schedules.size(),
          "sequential_lr: one milestone less than schedules is needed");
  require(std::ranges::all_of(schedules, [](const Schedule& s) { return s != nullptr; }),
          "sequential_lr: a schedule is empty");
  require(std::ranges::is_sorted(milestones) && (milestones.empty() || milestones[0] >= 0),
          "sequential_lr: milestones must rise from 0");
  return [all = std::move(schedules), at = std::move(milestones)](int64_t t) {
    const auto i = std::ranges::upper_bound(at, t) - at.begin();
    return all[i](i == 0 ? t : t - at[i - 1]);
  };
}

Schedule chained_scheduler(double lr, std::vector<Schedule> factors) {
  require(std::ranges::all_of(factors, [](const Schedule& s) { return s != nullptr; }),
          "chained_scheduler: a schedule is empty");
  return [=, all = std::move(factors)](int64_t t) {
    double rate = lr;
    for (const Schedule& factor : all) rate *= factor(t);
    return rate;
  };
}

Schedule swa_lr(double lr, double swa_lr, int64_t anneal_epochs, Anneal anneal_strategy) {
  require(anneal_epochs >= 0, "swa_lr: anneal_epochs must not be negative");
  return [=](int64_t t) {
    const double part = std::min(1.0, ratio(t, std::max<int64_t>(1, anneal_epochs)));
    return anneal_strategy == Anneal::kCos ? half_cosine(lr, swa_lr, part)
                                           : between(lr, swa_lr, part);
  };
}

Schedule inverse_sqrt_lr(double lr, int64_t warmup) {
  require(warmup > 0, "inverse_sqrt_lr: warmup must be positive");
  return [=](int64_t t) {
    return lr * (t < warmup ? ratio(t, warmup) : 1 / std::sqrt(ratio(t, warmup)));
  };
}

Schedule wsd_lr(double lr, int64_t warmup, int64_t stable, int64_t decay, double final_lr) {
  require(warmup >= 0 && stable >= 0 && decay >= 0, "wsd_lr: lengths must not be negative");
  return [=](int64_t t) {
    if (t < warmup) return lr * ratio(t, warmup);
    if (t - warmup < stable) return lr;
    const int64_t falling = t - warmup - stable;
    return falling < decay ? between(lr, final_lr, ratio(falling, decay)) : final_lr;
  };
}

}  // namespace glia::optim
