// Glia's side of the comparison of optimizers and schedules with PyTorch and timm.
//   optim IN OUT   reads the start "p.0", "p.1", "p.2" in f64 and the values "metrics"; writes for
//                  each case its trajectory: parameters, rates, scales after each step
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "glia/autodiff.h"
#include "glia/glia.h"
#include "glia/io.h"

using namespace glia;
using namespace glia::optim;

namespace {

constexpr int kSteps = 100;

// Steps on two matrices and a vector by a loss that changes with the step: (steps, numbers).
template <class O, class Options>
Tensor trajectory(const std::vector<Tensor>& start, const Options& options) {
  std::vector<Parameter> p(start.begin(), start.end());
  ParameterList list;
  for (const Parameter& each : p)
    if (!std::is_same_v<O, Muon> || each.shape().rank() == 2) list.push_back(each);
  O optimizer(list, options);
  std::vector<Tensor> out;
  for (int i = 0; i < kSteps; ++i) {
    const Tensor hidden = tanh(matmul(p[0], p[1]) + p[2]);
    const Tensor loss = mean(square(hidden - 0.3 * std::cos(0.1 * i))) + 0.01 * sum(square(p[0]));
    optimizer.step(gradients(loss, list));
    std::vector<Tensor> flat;
    for (const Parameter& each : p) flat.push_back(reshape(stop_gradient(each), {-1}));
    out.push_back(concat(flat));
    eval(out.back());
  }
  return stack(out);
}

Tensor rates(const Schedule& schedule) {
  std::vector<double> out;
  for (int i = 0; i < kSteps; ++i) out.push_back(schedule(i));
  return from_vector(out, {kSteps});
}

// Rates, and counts that are state, while metrics come.
Tensor plateau(const Tensor& metrics, const ReduceLROnPlateauOptions& options) {
  const Parameter p(zeros({1}));
  ParameterList list;
  list.push_back(p);
  SGD optimizer(list, {.lr = 0.5});
  ReduceLROnPlateau scheduler(optimizer, options);
  std::vector<double> out;
  for (const double metric : metrics.to_vector<double>()) {
    scheduler.step(metric);
    out.insert(out.end(),
               {optimizer.lr(), scheduler.best(), static_cast<double>(scheduler.num_bad_epochs())});
  }
  return from_vector(out, {static_cast<int64_t>(out.size())});
}

// Scale and parameter while every seventh gradient, and a few in a row, are infinite.
Tensor scaled() {
  const Parameter p(ones({3}, kF64));
  ParameterList list;
  list.push_back(p);
  SGD optimizer(list, {.lr = 0.1, .momentum = 0.9});
  GradScaler scaler({.init_scale = 1024, .growth_interval = 3});
  std::vector<double> out;
  for (int i = 0; i < kSteps; ++i) {
    const bool bad = i % 7 == 3 || (i > 40 && i < 45);
    const Tensor loss = sum(square(p)) * (bad ? INFINITY : 1);
    const auto g = scaler.unscale(gradients(scaler.scale(loss), list));
    scaler.step(optimizer, clip_grad_norm(g, 1).gradients);
    scaler.update();
    out.insert(out.end(), {scaler.get_scale(), p.tensor().to_vector<double>()[0]});
  }
  return from_vector(out, {static_cast<int64_t>(out.size())});
}

using Function = std::function<Tensor(const std::vector<Tensor>& start, const Tensor& metrics)>;

std::map<std::string, Function> cases() {
#define OPTIMIZER(O, ...) \
  [](const auto& start, const auto&) { return trajectory<O>(start, O##Options{__VA_ARGS__}); }
#define SCHEDULE(...) [](const auto&, const auto&) { return rates(__VA_ARGS__); }
#define PLATEAU(...) \
  [](const auto&, const auto& metrics) { return plateau(metrics, {__VA_ARGS__}); }
  const auto steep = [](int64_t t) { return std::pow(0.97, static_cast<double>(t)); };
  const auto each = [](int64_t t) { return t % 10 == 0 ? 0.8 : 1.0; };
  return {
      {"sgd", OPTIMIZER(SGD, .lr = 0.3)},
      {"sgd_momentum",
       OPTIMIZER(SGD, .lr = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.01)},
      {"sgd_nesterov", OPTIMIZER(SGD, .lr = 0.1, .momentum = 0.9, .nesterov = true)},
      {"sgd_maximize", OPTIMIZER(SGD, .lr = 0.01, .weight_decay = 0.1, .maximize = true)},
      {"adam", OPTIMIZER(Adam, .lr = 0.02)},
      {"adam_amsgrad", OPTIMIZER(Adam, .lr = 0.02, .weight_decay = 0.05, .amsgrad = true)},
      {"adamw", OPTIMIZER(AdamW, .lr = 0.02, .betas = {0.8, 0.95}, .weight_decay = 0.1)},
      {"adamw_amsgrad", OPTIMIZER(AdamW, .lr = 0.02, .amsgrad = true)},
      {"adagrad", OPTIMIZER(Adagrad, .lr = 0.1, .lr_decay = 0.02, .weight_decay = 0.01,
                            .initial_accumulator_value = 0.1)},
      {"adadelta", OPTIMIZER(Adadelta, .weight_decay = 0.01)},
      {"adamax", OPTIMIZER(Adamax, .lr = 0.02, .weight_decay = 0.01)},
      {"nadam", OPTIMIZER(NAdam, .lr = 0.02)},
      {"nadam_decoupled",
       OPTIMIZER(NAdam, .lr = 0.02, .weight_decay = 0.1, .decoupled_weight_decay = true)},
      {"radam", OPTIMIZER(RAdam, .lr = 0.02, .weight_decay = 0.01)},
      {"radam_decoupled", OPTIMIZER(RAdam, .lr = 0.02, .betas = {0.9, 0.98}, .weight_decay = 0.1,
                                    .decoupled_weight_decay = true)},
      {"rmsprop", OPTIMIZER(RMSprop, .lr = 0.01, .weight_decay = 0.01)},
      {"rmsprop_centered", OPTIMIZER(RMSprop, .lr = 0.005, .momentum = 0.5, .centered = true)},
      {"rprop", OPTIMIZER(Rprop, .lr = 0.01)},
      {"asgd", OPTIMIZER(ASGD, .lr = 0.3)},
      {"asgd_decay",
       OPTIMIZER(ASGD, .lr = 0.2, .lambd = 0.1, .alpha = 0.6, .t0 = 20, .weight_decay = 0.01)},
      {"adafactor", OPTIMIZER(Adafactor, .lr = 0.05)},
      {"muon", OPTIMIZER(Muon, .lr = 0.02)},
      {"lion", OPTIMIZER(Lion, .lr = 1e-3, .weight_decay = 0.1)},
      {"lars",
       OPTIMIZER(LARS, .lr = 1, .momentum = 0.9, .weight_decay = 0.01, .trust_coeff = 0.02)},
      {"lars_nesterov", OPTIMIZER(LARS, .lr = 0.05, .momentum = 0.8, .nesterov = true,
                                  .trust_clip = true, .always_adapt = true)},
      {"lamb", OPTIMIZER(LAMB, .lr = 0.02)},
      {"lamb_plain", OPTIMIZER(LAMB, .lr = 1e-3, .weight_decay = 0, .bias_correction = false,
                               .grad_averaging = false, .max_grad_norm = 0.05)},
      {"lamb_clip",
       OPTIMIZER(LAMB, .lr = 0.05, .max_grad_norm = 0, .trust_clip = true, .always_adapt = true)},
      {"shampoo", OPTIMIZER(Shampoo, .lr = 0.1)},
      {"shampoo_mean", OPTIMIZER(Shampoo, .lr = 0.02, .momentum = 0.9, .weight_decay = 0.01,
                                 .eps = 1e-6, .beta2 = 0.95, .update_freq = 3)},
      {"constant", SCHEDULE(constant(0.3))},
      {"step_lr", SCHEDULE(step_lr(0.3, 7, 0.5))},
      {"multi_step_lr", SCHEDULE(multi_step_lr(0.3, {10, 40, 40, 70}, 0.3))},
      {"constant_lr", SCHEDULE(constant_lr(0.3, 0.25, 20))},
      {"linear_lr", SCHEDULE(linear_lr(0.3, 0.1, 0.9, 30))},
      {"exponential_lr", SCHEDULE(exponential_lr(0.3, 0.95))},
      {"polynomial_lr", SCHEDULE(polynomial_lr(0.3, 80, 1.7))},
      {"cosine_annealing_lr", SCHEDULE(cosine_annealing_lr(0.3, 30, 0.02))},
      {"cosine", SCHEDULE(cosine(0.3, 99, 0.02))},
      {"cosine_annealing_warm_restarts",
       SCHEDULE(cosine_annealing_warm_restarts(0.3, 13, 1, 0.01))},
      {"cosine_annealing_warm_restarts_longer",
       SCHEDULE(cosine_annealing_warm_restarts(0.3, 9, 2, 0.01))},
      {"cyclic_lr", SCHEDULE(cyclic_lr(0.01, 0.3, {.step_size_up = 8, .step_size_down = 13}))},
      {"cyclic_lr_triangular2",
       SCHEDULE(cyclic_lr(0.01, 0.3, {.step_size_up = 8, .mode = CyclicMode::kTriangular2}))},
      {"cyclic_lr_exp_range",
       SCHEDULE(cyclic_lr(0.01, 0.3,
                          {.step_size_up = 8, .mode = CyclicMode::kExpRange, .gamma = 0.98}))},
      {"lambda_lr", [=](const auto&, const auto&) { return rates(lambda_lr(0.3, steep)); }},
      {"multiplicative_lr",
       [=](const auto&, const auto&) { return rates(multiplicative_lr(0.3, each)); }},
      {"sequential_lr",
       SCHEDULE(sequential_lr({constant_lr(0.3, 0.1, 20), exponential_lr(0.3, 0.9)}, {20}))},
      {"chained_scheduler",
       SCHEDULE(chained_scheduler(0.3, {constant_lr(1, 0.1, 20), exponential_lr(1, 0.95)}))},
      {"swa_lr", SCHEDULE(swa_lr(0.3, 0.05, 30))},
      {"swa_lr_linear", SCHEDULE(swa_lr(0.3, 0.05, 30, Anneal::kLinear))},
      {"linear_warmup", SCHEDULE(linear_warmup(9, exponential_lr(0.3, 0.95)))},
      {"inverse_sqrt_lr", SCHEDULE(inverse_sqrt_lr(0.3, 10))},
      {"wsd_lr", SCHEDULE(wsd_lr(0.3, 10, 50, 30, 0.01))},
      {"one_cycle", SCHEDULE(one_cycle(0.3, kSteps))},
      {"one_cycle_linear",
       SCHEDULE(one_cycle(0.3, kSteps, {.pct_start = 0.4, .anneal_strategy = Anneal::kLinear}))},
      {"one_cycle_three", SCHEDULE(one_cycle(0.3, kSteps, {.three_phase = true}))},
      {"one_cycle_momentum", SCHEDULE(one_cycle_momentum(kSteps))},
      {"one_cycle_momentum_three",
       SCHEDULE(one_cycle_momentum(kSteps, {.anneal_strategy = Anneal::kLinear,
                                            .three_phase = true,
                                            .base_momentum = 0.8,
                                            .max_momentum = 0.9}))},
      {"plateau", PLATEAU()},
      {"plateau_patient",
       PLATEAU(.factor = 0.5, .patience = 2, .threshold = 0.01, .cooldown = 3, .min_lr = 1e-3)},
      {"plateau_max", PLATEAU(.mode = PlateauMode::kMax, .factor = 0.7, .patience = 1,
                              .threshold = 0.05, .threshold_mode = ThresholdMode::kAbs)},
      {"scaled", [](const auto&, const auto&) { return scaled(); }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: optim IN OUT\n", stderr), 2;
  std::map<std::string, Tensor> in;
  for (const auto& [name, value] : io::read_safetensors(argv[1])) in[name] = value;
  const std::vector<Tensor> start{in.at("p.0"), in.at("p.1"), in.at("p.2")};
  std::vector<Tensor> single;
  for (const Tensor& t : start) single.push_back(cast(t, kF32));
  io::NamedTensors out;
  for (const auto& [name, run] : cases()) {
    out.emplace_back(name, run(start, in.at("metrics")));
    const Tensor again = run(single, in.at("metrics"));
    if (again.dtype() == kF32) out.emplace_back(name + ".f32", again);
  }
  io::write_safetensors(argv[2], out);
}
