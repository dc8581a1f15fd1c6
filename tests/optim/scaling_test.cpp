// What is done to gradients, rates and weights around a step: loss scaling, plateaus, one cycle,
// penalties and constraints.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "tests/support/values.h"

namespace glia::optim {
namespace {

using Numbers = std::vector<double>;
using test::expect_values;
using test::message_of;

ParameterList list_of(const Parameter& p) {
  ParameterList list;
  list.push_back(p);
  return list;
}

// ---- Loss scaling -------------------------------------------------------------------------------

TEST(GradScaling, LeavesOutWhatIsNotFinite) {
  const Parameter p(tensor({1.0, 2.0}));
  SGD sgd(list_of(p), {.lr = 0.5});
  GradScaler scaler({.init_scale = 8, .growth_interval = 2});
  const auto step = [&](double factor) {
    const Tensor loss = sum(p.tensor()) * factor;
    const bool stepped =
        scaler.step(sgd, scaler.unscale(gradients(scaler.scale(loss), list_of(p))));
    scaler.update();
    return stepped;
  };
  EXPECT_TRUE(step(1));
  expect_values(p, {2}, {0.5, 1.5});
  EXPECT_FALSE(step(INFINITY));
  EXPECT_FALSE(step(NAN));
  expect_values(p, {2}, {0.5, 1.5});
  EXPECT_EQ(sgd.steps(), 1);
  EXPECT_EQ(scaler.get_scale(), 2);
  EXPECT_TRUE(step(1));
  EXPECT_EQ(scaler.get_scale(), 2);
  EXPECT_TRUE(step(1));
  EXPECT_EQ(scaler.get_scale(), 4);
  EXPECT_EQ(message_of<Error>([&] { scaler.update(); }),
            "GradScaler: update() without a step before it");
}

TEST(GradScaling, NoClippingHidesAnInfinity) {
  const Parameter p(tensor({1.0f, 2.0f}));
  SGD sgd(list_of(p), {.lr = 0.5});
  GradScaler scaler;
  for (const double bad : {INFINITY, -INFINITY, NAN}) {
    const auto g = scaler.unscale({tensor({static_cast<float>(bad), 1.0f})});
    EXPECT_TRUE(std::isnan(g[0].to_vector<double>()[0]));
    EXPECT_FALSE(scaler.step(sgd, clip_grad_value(g, 1)));
    EXPECT_FALSE(scaler.step(sgd, clip_grad_norm(g, 1).gradients));
  }
  expect_values(p, {2}, {1, 2});
}

// Gradients of f16 that would all be zero, and are found with a scale.
TEST(GradScaling, KeepsSmallGradientsOfF16) {
  const Parameter w(tensor({1e-4f, 2e-4f}));
  const auto gradient = [&](const GradScaler& scaler) {
    const Tensor y = cast(w.tensor(), kF16) * 3e-4;  // products below what f16 has
    const Tensor loss = mean(cast(y * 1e-4, kF32));
    return scaler.unscale(gradients(scaler.scale(loss), list_of(w)))[0].to_vector<double>();
  };
  EXPECT_EQ(gradient(GradScaler({.enabled = false}))[0], 0);
  EXPECT_NEAR(gradient(GradScaler())[0], 1.5e-8, 3e-10);
}

TEST(GradScaling, SavesItselfAndRefusesOthers) {
  GradScaler a({.init_scale = 4, .growth_factor = 3, .growth_interval = 2}), b;
  const Parameter p(ones({1}));
  SGD sgd(list_of(p));
  a.step(sgd, {ones({1})});
  a.update();
  StateDict state = a.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, value] : state) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"scale", "growth_factor", "backoff_factor",
                                             "growth_interval", "_growth_tracker"}));
  b.load_state_dict(state);
  b.step(sgd, {ones({1})});
  b.update();
  EXPECT_EQ(b.get_scale(), 12);
  state[0].second = tensor(-1.0);
  EXPECT_THROW(b.load_state_dict(state), ValueError);
  state.pop_back();
  EXPECT_THROW(b.load_state_dict(state), Error);
  EXPECT_EQ(b.get_scale(), 12);
  EXPECT_TRUE(GradScaler({.enabled = false}).state_dict().empty());
  EXPECT_EQ(GradScaler({.enabled = false}).get_scale(), 1);
  EXPECT_EQ(message_of([] { GradScaler({.growth_factor = 1}); }),
            "GradScaler: growth_factor = 1 is out of range");
  EXPECT_THROW(GradScaler({.growth_interval = 0}), ValueError);
  EXPECT_THROW(GradScaler().scale(tensor(3)), ShapeError);
  LBFGS lbfgs(list_of(p));
  EXPECT_THROW(b.step(lbfgs, {ones({1})}), Error);
}

// ---- Rates --------------------------------------------------------------------------------------

TEST(Plateaus, LowerTheRateOfEveryGroup) {
  const Parameter p(ones({1})), q(ones({1}));
  SGD sgd(list_of(p), {.lr = 1});
  sgd.add_param_group(list_of(q), {.lr = 0.1});
  ReduceLROnPlateau plateau(sgd, {.factor = 0.5, .patience = 1, .cooldown = 1, .min_lr = 0.04});
  const auto step = [&](double metric) {
    plateau.step(metric);
    return Numbers{sgd.lr(0), sgd.lr(1)};
  };
  EXPECT_EQ(step(1), (Numbers{1, 0.1}));
  EXPECT_EQ(step(0.99999), (Numbers{1, 0.1}));  // not by as much as counts
  EXPECT_EQ(step(NAN), (Numbers{0.5, 0.05}));   // two in a row
  EXPECT_EQ(step(2), (Numbers{0.5, 0.05}));     // cools down
  EXPECT_EQ(step(2), (Numbers{0.5, 0.05}));
  ReduceLROnPlateau other(sgd, {.factor = 0.5, .patience = 1, .cooldown = 1, .min_lr = 0.04});
  other.load_state_dict(plateau.state_dict());
  EXPECT_EQ(other.best(), 1);
  EXPECT_EQ(other.num_bad_epochs(), 1);
  EXPECT_TRUE(other.step(2));
  EXPECT_EQ(sgd.lr(0), 0.25);
  EXPECT_EQ(sgd.lr(1), 0.04);
  StateDict state = other.state_dict();
  state[1].second = tensor(int64_t{-1});
  EXPECT_THROW(other.load_state_dict(state), Error);
  EXPECT_THROW(ReduceLROnPlateau(sgd, {.factor = 1}), ValueError);
  EXPECT_THROW(ReduceLROnPlateau(sgd, {.patience = -1}), ValueError);
  sgd.set_schedule(constant(1), 1);
  EXPECT_EQ(message_of([&] { ReduceLROnPlateau other(sgd); }),
            "ReduceLROnPlateau: the optimizer's rate follows a schedule");
}

TEST(OptionSchedules, SetAnyOption) {
  const Parameter p(ones({1})), q(ones({1}));
  SGD sgd(list_of(p), {.lr = 0.1, .momentum = 0.5});
  sgd.add_param_group(list_of(q), {.lr = 0.1, .momentum = 0.5});
  sgd.set_schedule(one_cycle(0.3, 10));
  sgd.set_option_schedule("momentum", one_cycle_momentum(10));
  sgd.set_option_schedule("momentum", {}, 1);
  EXPECT_TRUE(sgd.schedule("momentum"));
  EXPECT_FALSE(sgd.schedule("momentum", 1));
  EXPECT_TRUE(sgd.schedule("lr", 1));
  for (int i = 0; i < 3; ++i) sgd.step({ones({1}), ones({1})});
  EXPECT_EQ(sgd.option("lr", 1), one_cycle(0.3, 10)(2));
  EXPECT_EQ(sgd.option("momentum", 0), 0.85);  // as low as the rate is high
  EXPECT_EQ(sgd.option("momentum", 1), 0.5);
  EXPECT_THROW(sgd.set_option_schedule("betas.0", constant(1)), ValueError);
  EXPECT_THROW(sgd.set_option_schedule("lr", constant(1), 2), ValueError);
  EXPECT_THROW(sgd.schedule("rate"), ValueError);
}

TEST(OptionSchedules, OneCycleOfThreePhases) {
  // torch.optim.lr_scheduler.OneCycleLR(..., max_lr=1, total_steps=10, pct_start=0.3,
  // anneal_strategy="linear", three_phase=True).
  const Schedule lr = one_cycle(1, 10, {.anneal_strategy = Anneal::kLinear, .three_phase = true});
  for (const auto& [step, rate] : std::vector<std::pair<int64_t, double>>{
           {0, 0.04}, {1, 0.52}, {2, 1}, {3, 0.52}, {4, 0.04}, {9, 4e-6}, {20, 4e-6}})
    EXPECT_NEAR(lr(step), rate, 1e-12) << step;
  EXPECT_THROW(one_cycle(1, 10, {.pct_start = 0.6, .three_phase = true}), ValueError);
  EXPECT_THROW(one_cycle_momentum(10, {.base_momentum = 0.9, .max_momentum = 0.8}), ValueError);
  EXPECT_THROW(one_cycle_momentum(0), ValueError);
}

// ---- Gradients and weights ----------------------------------------------------------------------

TEST(Gradients, AreCentralised) {
  const Tensor g = tensor({1.0, 2.0, 6.0, -1.0, 0.0, 4.0});
  const auto c = centralize_gradients({reshape(g, {2, 3}), g, Tensor(), reshape(g, {2, 3, 1})});
  expect_values(c[0], {2, 3}, {-2, -1, 3, -2, -1, 3});
  expect_values(c[1], {6}, {1, 2, 6, -1, 0, 4});
  EXPECT_FALSE(c[2].defined());
  expect_values(c[3], {2, 3, 1}, {-2, -1, 3, -2, -1, 3});
  // Row-sparse ones as dense ones.
  nn::Embedding table(4, 3, {.sparse = true}), dense(4, 3);
  dense.weight = table.weight.tensor();
  const auto of = [](const nn::Embedding& e) {
    const Tensor y = e(tensor<int64_t>({1, 3, 1}));
    return centralize_gradients(gradients(sum(y * y * y), e.parameters()))[0];
  };
  test::expect_same(of(table), of(dense), 1e-6);
}

TEST(Gradients, WhatIsNotFiniteIsNamed) {
  const std::vector<Tensor> g{ones({2}), Tensor(), tensor({1.0f, NAN}), full({3, 1}, INFINITY)};
  EXPECT_EQ(message_of([&] { clip_grad_norm(g, 1, 2, true); }),
            "clip_grad_norm: the norm of the gradients is nan: gradient 2 (2,) is not finite");
  EXPECT_EQ(message_of([&] {
              clip_grad_norm(g, 1, 2, true, {"a", "b", "fc.weight", "d"});
            }),
            "clip_grad_norm: the norm of the gradients is nan: gradient fc.weight (2,) is not "
            "finite");
  EXPECT_EQ(message_of([&] { clip_grad_norm({full({2}, 1e30)}, 1, 2, true); }),
            "clip_grad_norm: the norm of the gradients is inf: all are finite, and too large");
  EXPECT_THROW(clip_grad_norm(g, 1, 2, false, {"a"}), ValueError);
}

TEST(Weights, PenaltiesAreSums) {
  const Parameter a(tensor({1.0, -2.0})), b(tensor({{3.0f}, {-4.0f}}));
  ParameterList list = list_of(a);
  list.push_back(b);
  EXPECT_DOUBLE_EQ(l1_penalty(list, 0.1).item(), 1);
  EXPECT_DOUBLE_EQ(l2_penalty(list, 0.1).item(), 3);
  EXPECT_EQ(l1_penalty({}, 1).item(), 0);
  const auto g = gradients(l1_penalty(list, 0.5) + l2_penalty(list, 0.25), list);
  expect_values(g[0], {2}, {1, -1.5}, 1e-15);
  expect_values(g[1], {2, 1}, {2, -2.5}, 1e-6);
  EXPECT_THROW(l1_penalty(list, -1), ValueError);
  EXPECT_THROW(l2_penalty(list, NAN), ValueError);
}

TEST(Weights, AreHeldWithinANorm) {
  const Parameter a(from_vector(Numbers{3, 4, 0.3, 0.4}, {2, 2})), bias(tensor({30.0, 40.0}));
  ParameterList list = list_of(a);
  list.push_back(bias);
  constrain_max_norm(list, 1);
  expect_values(a, {2, 2}, {0.6, 0.8, 0.3, 0.4}, 1e-6);
  expect_values(bias, {2}, {30, 40});
  constrain_max_norm(list, 0.5, 1);
  expect_values(sum(square(a.tensor()), {0}), {2}, {0.25, 0.25}, 1e-6);
  EXPECT_THROW(constrain_max_norm(list, -1), ValueError);
  EXPECT_THROW(constrain_max_norm(list, 1, 2), Error);
}

}  // namespace
}  // namespace glia::optim
