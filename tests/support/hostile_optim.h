// Calls of optimizers, what is done to gradients and weights, and schedules with numbers from
// outside; see hostile.h.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <type_traits>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "tests/support/hostile.h"

namespace glia::test {

using HostileCalls = std::map<std::string, std::function<void(Hostile&)>>;

#define DO(...) [](Hostile& h) { __VA_ARGS__; }
#define USE(...) [](Hostile& h) { h.use(__VA_ARGS__); }

// Two steps with such options, and a third with a changed one.
template <class Optimizer, class Options>
void optimize(Hostile& h, const Options& options) {
  const nn::Embedding model(3, 2, {.sparse = std::is_same_v<Optimizer, optim::SparseAdam>});
  Optimizer optimizer(model.parameters(), options);
  for (int i = 0; i < 3; ++i) {
    optimizer.step(gradients(sum(model(tensor({0, 2}))), model.parameters()));
    optimizer.set_lr(h.real());
  }
  h.use(model.parameters());
}

// The same by steps that ask for the loss themselves.
inline void minimize(Hostile& h, const optim::LBFGSOptions& options) {
  const nn::Linear model(3, 2);
  optim::LBFGS optimizer(model.parameters(), options);
  for (int i = 0; i < 2; ++i) optimizer.step([&] { return mean(square(model(ones({4, 3})) - 1)); });
  h.use(model.parameters());
}

inline HostileCalls hostile_optimizers() {
  return {
      {"SGD", DO(optimize<optim::SGD>(h, optim::SGDOptions{.lr = h.rate(),
                                                           .momentum = h.rate(),
                                                           .dampening = h.rate(),
                                                           .weight_decay = h.rate(),
                                                           .nesterov = h.yes()}))},
      {"Adam", DO(optimize<optim::Adam>(h, optim::AdamOptions{.lr = h.rate(),
                                                              .betas = {h.rate(), h.rate()},
                                                              .eps = h.rate(),
                                                              .weight_decay = h.rate(),
                                                              .amsgrad = h.yes()}))},
      {"AdamW", DO(optimize<optim::AdamW>(h, optim::AdamWOptions{.lr = h.rate(),
                                                                 .betas = {h.rate(), h.rate()},
                                                                 .eps = h.rate(),
                                                                 .weight_decay = h.rate()}))},
      {"Adagrad",
       DO(optimize<optim::Adagrad>(h, optim::AdagradOptions{.lr = h.rate(),
                                                            .lr_decay = h.rate(),
                                                            .weight_decay = h.rate(),
                                                            .initial_accumulator_value = h.rate(),
                                                            .eps = h.rate()}))},
      {"SparseAdam",
       DO(optimize<optim::SparseAdam>(h, optim::SparseAdamOptions{.lr = h.rate(),
                                                                  .betas = {h.rate(), h.rate()},
                                                                  .eps = h.rate()}))},
      {"Muon", DO(optimize<optim::Muon>(
                   h, optim::MuonOptions{.lr = h.rate(),
                                         .weight_decay = h.rate(),
                                         .momentum = h.rate(),
                                         .ns_coefficients = {h.rate(), h.rate(), h.rate()},
                                         .eps = h.rate(),
                                         .ns_steps = h.count()}))},
      {"Adafactor",
       DO(optimize<optim::Adafactor>(h, optim::AdafactorOptions{.lr = h.rate(),
                                                                .beta2_decay = -h.rate(),
                                                                .eps = {h.rate(), h.rate()},
                                                                .d = h.rate(),
                                                                .weight_decay = h.rate()}))},
      {"ASGD", DO(optimize<optim::ASGD>(h, optim::ASGDOptions{.lr = h.rate(),
                                                              .lambd = h.rate(),
                                                              .alpha = h.real(),
                                                              .t0 = h.rate(),
                                                              .weight_decay = h.rate()}))},
      {"LARS", DO(optimize<optim::LARS>(h, optim::LARSOptions{.lr = h.rate(),
                                                              .momentum = h.rate(),
                                                              .dampening = h.rate(),
                                                              .weight_decay = h.rate(),
                                                              .nesterov = h.yes(),
                                                              .trust_coeff = h.rate(),
                                                              .eps = h.rate(),
                                                              .trust_clip = h.yes()}))},
      {"LAMB", DO(optimize<optim::LAMB>(h, optim::LAMBOptions{.lr = h.rate(),
                                                              .betas = {h.rate(), h.rate()},
                                                              .eps = h.rate(),
                                                              .weight_decay = h.rate(),
                                                              .max_grad_norm = h.rate()}))},
      {"Shampoo", DO(optimize<optim::Shampoo>(h, optim::ShampooOptions{.lr = h.rate(),
                                                                       .momentum = h.rate(),
                                                                       .eps = h.rate(),
                                                                       .beta2 = h.rate(),
                                                                       .update_freq = h.integer(),
                                                                       .max_dim = h.integer()}))},
      {"GradScaler", DO(optim::GradScaler scaler({.init_scale = h.real(),
                                                  .growth_factor = h.real(),
                                                  .backoff_factor = h.rate(),
                                                  .growth_interval = h.integer()});
                        h.use(scaler.unscale({h.tensor()})); h.use(scaler.scale(h.tensor())))},
      {"ReduceLROnPlateau", DO(const nn::Linear model(1, 1); optim::SGD sgd(model.parameters());
                               optim::ReduceLROnPlateau plateau(sgd, {.factor = h.rate(),
                                                                      .patience = h.integer(),
                                                                      .threshold = h.real(),
                                                                      .cooldown = h.integer(),
                                                                      .min_lr = h.real(),
                                                                      .eps = h.real()});
                               for (int i = 0; i < 4; ++i) plateau.step(h.real()))},
      {"centralize_gradients", USE(optim::centralize_gradients({h.tensor()}))},
      {"l1_penalty",
       DO(const nn::Linear model(2, 1); h.use(optim::l1_penalty(model.parameters(), h.real())))},
      {"l2_penalty",
       DO(const nn::Linear model(2, 1); h.use(optim::l2_penalty(model.parameters(), h.real())))},
      {"constrain_max_norm", DO(const nn::Linear model(2, 1); optim::constrain_max_norm(
                                    model.parameters(), h.real(), static_cast<int>(h.axis()));
                                h.use(model.parameters()))},
      {"LBFGS",
       DO(minimize(
           h, optim::LBFGSOptions{.lr = h.rate(),
                                  .max_iter = h.count(),
                                  .max_eval = h.count(),
                                  .tolerance_grad = h.rate(),
                                  .tolerance_change = h.rate(),
                                  .history_size = h.count(),
                                  .line_search_fn = h.yes() ? optim::LineSearch::kNone
                                                            : optim::LineSearch::kStrongWolfe}))},
      {"clip_grad_norm",
       USE(optim::clip_grad_norm({h.tensor(), h.tensor()}, h.real(), h.real()).gradients)},
      {"clip_grad_value", USE(optim::clip_grad_value({h.tensor()}, h.real()))},
      {"constant", DO(optim::constant(h.real())(h.integer()))},
      {"step_lr", DO(optim::step_lr(h.real(), h.integer(), h.real())(h.integer()))},
      {"cosine", DO(optim::cosine(h.real(), h.integer(), h.real())(h.integer()))},
      {"linear_warmup",
       DO(optim::linear_warmup(h.integer(), optim::constant(h.real()))(h.integer()))},
      {"one_cycle", DO(optim::one_cycle(h.real(), h.integer(),
                                        {.pct_start = h.real(),
                                         .div_factor = h.real(),
                                         .final_div_factor = h.real(),
                                         .three_phase = h.yes()})(h.integer()))},
  };
}

inline HostileCalls hostile_schedules() {
  using namespace optim;
  return {
      {"multi_step_lr",
       DO(multi_step_lr(h.real(), {h.integer(), h.integer()}, h.real())(h.integer()))},
      {"constant_lr", DO(constant_lr(h.real(), h.real(), h.integer())(h.integer()))},
      {"linear_lr", DO(linear_lr(h.real(), h.real(), h.real(), h.integer())(h.integer()))},
      {"exponential_lr", DO(exponential_lr(h.real(), h.real())(h.integer()))},
      {"polynomial_lr", DO(polynomial_lr(h.real(), h.integer(), h.real())(h.integer()))},
      {"cosine_annealing_lr",
       DO(cosine_annealing_lr(h.real(), h.integer(), h.real())(h.integer()))},
      {"cosine_annealing_warm_restarts",
       DO(cosine_annealing_warm_restarts(h.real(), h.integer(), h.integer(),
                                         h.real())(h.integer()))},
      {"cyclic_lr", DO(cyclic_lr(h.real(), h.real(),
                                 {.step_size_up = h.integer(),
                                  .step_size_down = h.integer(),
                                  .gamma = h.real()})(h.integer()))},
      {"lambda_lr", DO(lambda_lr(h.real(), [](int64_t) { return 0.5; })(h.integer()))},
      // As many factors as steps.
      {"multiplicative_lr",
       DO(multiplicative_lr(h.real(), [](int64_t) { return 0.5; })(h.count() % 100))},
      {"sequential_lr",
       DO(sequential_lr({optim::constant(1), optim::constant(2)}, {h.integer()})(h.integer()))},
      {"chained_scheduler", DO(chained_scheduler(h.real(), {optim::constant(1)})(h.integer()))},
      {"one_cycle_momentum",
       DO(one_cycle_momentum(h.integer(), {.pct_start = h.real(),
                                           .anneal_strategy = Anneal::kLinear,
                                           .three_phase = h.yes(),
                                           .base_momentum = h.rate(),
                                           .max_momentum = h.rate()})(h.integer()))},
      {"swa_lr", DO(swa_lr(h.real(), h.real(), h.integer())(h.integer()))},
      {"inverse_sqrt_lr", DO(inverse_sqrt_lr(h.real(), h.integer())(h.integer()))},
      {"wsd_lr",
       DO(wsd_lr(h.real(), h.integer(), h.integer(), h.integer(), h.real())(h.integer()))},
  };
}

#undef DO
#undef USE

}  // namespace glia::test
