// Optimizers against their published formulas in plain loops; clipping; schedules.
#include "glia/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::message_of;

using Numbers = std::vector<double>;

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

ParameterList list_of(const std::vector<Parameter>& parameters) {
  ParameterList list;
  for (const Parameter& p : parameters) list.push_back(p);
  return list;
}

// ---- The formulas -------------------------------------------------------------------------------

// One number's history under gradient descent.
struct SgdReference {
  optim::SGDOptions o;
  bool started = false;
  double velocity = 0;

  double step(double p, double g) {
    if (o.maximize) g = -g;
    if (o.weight_decay != 0) g += o.weight_decay * p;
    if (o.momentum != 0) {
      velocity = started ? o.momentum * velocity + (1 - o.dampening) * g : g;
      started = true;
      g = o.nesterov ? g + o.momentum * velocity : velocity;
    }
    return p - o.lr * g;
  }
};

struct AdamReference {
  optim::AdamOptions o;
  bool decoupled = false;
  int t = 0;
  double m = 0, v = 0, largest = 0;

  double step(double p, double g) {
    ++t;
    if (o.maximize) g = -g;
    if (decoupled)
      p -= o.lr * o.weight_decay * p;
    else
      g += o.weight_decay * p;
    m = o.betas.first * m + (1 - o.betas.first) * g;
    v = o.betas.second * v + (1 - o.betas.second) * g * g;
    largest = std::max(largest, v);
    const double mean = m / (1 - std::pow(o.betas.first, t));
    const double square = (o.amsgrad ? largest : v) / (1 - std::pow(o.betas.second, t));
    return p - o.lr * mean / (std::sqrt(square) + o.eps);
  }
};

double gradient_at(double p, int step) { return 0.7 * p + std::sin(3.0 * step + p); }

// 20 steps of both on a vector and a matrix; the learning rate halves after 10.
template <class Optimizer, class Options, class Reference>
void compare(const Options& options, Reference reference, DType dtype) {
  const double tolerance = dtype == kF64 ? 1e-12 : 2e-5;
  std::vector<Numbers> values{{0.5, -1.25, 2, 0}, {1, -0.1, 0.3, 4, -3, 0.01}};
  std::vector<std::vector<Reference>> references{{4, reference}, {6, reference}};
  std::vector<Parameter> parameters{cast(from_vector(values[0], {4}), dtype),
                                    cast(from_vector(values[1], {2, 3}), dtype)};
  Optimizer optimizer(list_of(parameters), options);
  for (int step = 0; step < 20; ++step) {
    if (step == 10) optimizer.set_lr(options.lr / 2);
    std::vector<Tensor> gradients;
    for (const Parameter& p : parameters)
      gradients.push_back(0.7 * p + sin(Operand(3.0 * step) + p));
    optimizer.step(gradients);
    for (size_t i = 0; i < values.size(); ++i) {
      for (size_t j = 0; j < values[i].size(); ++j) {
        if (step == 10) references[i][j].o.lr = options.lr / 2;
        double& p = values[i][j];
        p = references[i][j].step(p, gradient_at(p, step));
      }
    }
  }
  EXPECT_EQ(optimizer.steps(), 20);
  for (size_t i = 0; i < values.size(); ++i) {
    const Numbers actual = numbers(parameters[i]);
    for (size_t j = 0; j < actual.size(); ++j)
      EXPECT_NEAR(actual[j], values[i][j], tolerance * std::max(1.0, std::abs(values[i][j])));
  }
}

TEST(Optimizers, SgdIsItsFormula) {
  for (double momentum : {0.0, 0.9}) {
    for (double dampening : {0.0, 0.2}) {
      for (double decay : {0.0, 0.1}) {
        for (bool nesterov : {false, true}) {
          if (nesterov && (momentum == 0 || dampening != 0)) continue;
          for (bool maximize : {false, true}) {
            for (DType dtype : {kF32, kF64}) {
              SCOPED_TRACE(testing::Message() << momentum << ' ' << dampening << ' ' << decay << ' '
                                              << nesterov << maximize << ' ' << name(dtype));
              const optim::SGDOptions o{0.05, momentum, dampening, decay, nesterov, maximize};
              compare<optim::SGD>(o, SgdReference{o}, dtype);
            }
          }
        }
      }
    }
  }
}

TEST(Optimizers, AdamAndAdamWAreTheirFormulas) {
  for (double decay : {0.0, 0.1}) {
    for (bool amsgrad : {false, true}) {
      for (bool maximize : {false, true}) {
        for (DType dtype : {kF32, kF64}) {
          SCOPED_TRACE(testing::Message()
                       << decay << ' ' << amsgrad << maximize << ' ' << name(dtype));
          const optim::AdamOptions o{0.05, {0.8, 0.95}, 1e-6, decay, amsgrad, maximize};
          compare<optim::Adam>(o, AdamReference{o}, dtype);
          const optim::AdamWOptions w{0.05, {0.8, 0.95}, 1e-6, decay, amsgrad, maximize};
          compare<optim::AdamW>(w, AdamReference{o, true}, dtype);
        }
      }
    }
  }
}

TEST(Optimizers, DefaultsAreThoseOfPyTorch) {
  const Parameter p{zeros({1})};
  const ParameterList list = list_of({p});
  const auto options = [](const optim::Optimizer& o) {
    std::map<std::string, double> out;
    for (const auto& [name, value] : o.state_dict())
      if (name.starts_with("param_groups.0.")) out[name.substr(15)] = value.item();
    return out;
  };
  using Options = std::map<std::string, double>;
  EXPECT_EQ(options(optim::SGD(list)), (Options{{"lr", 1e-3},
                                                {"momentum", 0},
                                                {"dampening", 0},
                                                {"weight_decay", 0},
                                                {"nesterov", 0},
                                                {"maximize", 0}}));
  Options adam{{"lr", 1e-3},        {"betas.0", 0.9}, {"betas.1", 0.999}, {"eps", 1e-8},
               {"weight_decay", 0}, {"amsgrad", 0},   {"maximize", 0}};
  EXPECT_EQ(options(optim::Adam(list)), adam);
  adam["weight_decay"] = 0.01;
  EXPECT_EQ(options(optim::AdamW(list)), adam);
}

// ---- Groups, frozen parameters, missing gradients -----------------------------------------------

TEST(Optimizers, GroupsHaveTheirOwnOptions) {
  const std::vector<Parameter> p{ones({1}), ones({1}), ones({1})};
  ParameterList first, second;
  first.push_back(p[0]);
  second.push_back(p[1]);
  second.push_back(p[2]);
  optim::SGD sgd(first, {.lr = 0.5});
  sgd.add_param_group(second, {.lr = 0.25, .weight_decay = 1});
  EXPECT_EQ(sgd.group_count(), 2u);
  EXPECT_EQ(sgd.parameters().size(), 3u);
  sgd.step({ones({1}), ones({1}), zeros({1})});
  EXPECT_EQ(p[0].tensor().item(), 0.5);
  EXPECT_EQ(p[1].tensor().item(), 0.5);
  EXPECT_EQ(p[2].tensor().item(), 0.75);
  sgd.set_lr(0, 1);
  EXPECT_EQ(sgd.lr(0), 0.5);
  EXPECT_EQ(sgd.option("weight_decay", 1), 1);
  sgd.set_option("momentum", 0.9);
  EXPECT_EQ(sgd.option("momentum"), 0.9);
  EXPECT_THROW(sgd.lr(2), ValueError);
}

TEST(Optimizers, FrozenParametersAndMissingGradientsAreSkipped) {
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 1));
  const ParameterList all = net.parameters();
  optim::Adam adam(all, {.lr = 0.1});
  net[0].freeze();
  const Numbers frozen = numbers(all[0]);
  const Numbers free = numbers(all[2]);
  const Tensor x = ones({3, 2});
  adam.step(gradients(sum(net(x)), net.parameters()));  // two gradients for four parameters
  EXPECT_EQ(numbers(all[0]), frozen);
  EXPECT_NE(numbers(all[2]), free);

  net[0].unfreeze();
  const Numbers before = numbers(all[3]);
  auto g = gradients(sum(net(x)), adam.parameters());
  g[3] = Tensor();
  adam.step(g);
  EXPECT_NE(numbers(all[0]), frozen);
  EXPECT_EQ(numbers(all[3]), before);

  // Parameter 0 has made one step, parameter 2 two: the bias corrections differ.
  const StateDict state = adam.state_dict();
  std::map<std::string, double> steps;
  for (const auto& [name, value] : state)
    if (name.ends_with("step")) steps[name] = value.item();
  EXPECT_EQ(steps, (std::map<std::string, double>{{"step", 2},
                                                  {"state.0.step", 1},
                                                  {"state.1.step", 1},
                                                  {"state.2.step", 2},
                                                  {"state.3.step", 1}}));
}

TEST(Optimizers, UnevenStepsStillFollowTheFormula) {
  const std::vector<Parameter> p{zeros({1}, kF64), zeros({1}, kF64)};
  optim::Adam adam(list_of(p), {.lr = 0.1});
  AdamReference a{{.lr = 0.1}}, b{{.lr = 0.1}};
  double x = 0, y = 0;
  for (int step = 0; step < 6; ++step) {
    const bool both = step % 2 == 0;
    adam.step({full({1}, step + 1, kF64), both ? full({1}, -3, kF64) : Tensor()});
    x = a.step(x, step + 1);
    if (both) y = b.step(y, -3);
  }
  EXPECT_NEAR(p[0].tensor().item(), x, 1e-12);
  EXPECT_NEAR(p[1].tensor().item(), y, 1e-12);
}

TEST(Optimizers, SizesOfEveryKind) {
  const std::vector<Parameter> p{ones({}), ones({0}), ones({3, 0, 2}), ones({1000}),
                                 ones({2, 2}, kF64)};
  optim::AdamW adam(list_of(p), {.lr = 0.5, .weight_decay = 0});
  std::vector<Tensor> g;
  for (const Parameter& each : p) g.push_back(full(each.shape(), 3, each.dtype()));
  adam.step(g);
  EXPECT_NEAR(p[0].tensor().item(), 0.5, 1e-6);
  EXPECT_EQ(p[2].tensor().numel(), 0);
  for (double v : numbers(p[3])) EXPECT_NEAR(v, 0.5, 1e-6);
  EXPECT_NEAR(numbers(p[4])[3], 0.5, 1e-6);
}

// ---- Faults -------------------------------------------------------------------------------------

TEST(Optimizers, WhatDoesNotFitIsRefused) {
  const std::vector<Parameter> p{ones({2}), ones({3})};
  const ParameterList list = list_of(p);
  optim::SGD sgd(list, {.lr = 1});
  const auto refused = [&](std::vector<Tensor> gradients, const std::string& why) {
    const std::string text = message_of<ShapeError>([&] { sgd.step(gradients); });
    EXPECT_TRUE(text.starts_with(why + " at optim_test.cpp:")) << text;
  };
  refused({ones({2})}, "sgd: 1 gradients for 2 parameters, of which 2 are trainable");
  refused({ones({2}), ones({2})}, "sgd: the gradient of parameter 1 is f32 (2,), not f32 (3,)");
  refused({ones({2}), ones({3}, kF64)},
          "sgd: the gradient of parameter 1 is f64 (3,), not f32 (3,)");
  EXPECT_EQ(numbers(p[0]), (Numbers{1, 1}));
  EXPECT_EQ(sgd.steps(), 0);

  EXPECT_EQ(message_of<ValueError>([&] { sgd.set_lr(-1); }), "sgd: lr = -1 is out of range");
  EXPECT_THROW(sgd.set_lr(std::nan("")), ValueError);
  EXPECT_EQ(sgd.lr(), 1);
  EXPECT_EQ(message_of<ValueError>([&] { sgd.set_option("beta", 1); }), "sgd: no option \"beta\"");
  EXPECT_THROW(optim::SGD(list, {.nesterov = true}), ValueError);
  EXPECT_THROW(optim::SGD(list, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);
  EXPECT_THROW(optim::Adam(list, {.betas = {0.9, 1}}), ValueError);
  EXPECT_THROW(optim::Adam(list, {.eps = -1}), ValueError);
  EXPECT_THROW(optim::AdamW(list, {.weight_decay = -0.1}), ValueError);
  EXPECT_THROW(optim::Adam{ParameterList()}, ValueError);
  EXPECT_THROW(sgd.add_param_group(list, {}), ValueError);  // a second time
  EXPECT_EQ(sgd.group_count(), 1u);
  EXPECT_THROW(optim::Adam(list_of({Parameter(ones({1}, kBF16))})), ShapeError);
}

TEST(Optimizers, WithoutADecayAnInfiniteParameterStaysInfinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto after = [](const auto& make) {
    const std::vector<Parameter> p{tensor({kInfinity, -kInfinity, 1.0})};
    auto optimizer = make(list_of(p));
    for (int i = 0; i < 2; ++i) optimizer.step({tensor({1.0, 0.0, 1.0})});
    return numbers(p[0]);
  };
  const auto stays = [&](const char* what, const auto& make) {
    const Numbers p = after(make);
    EXPECT_EQ(p[0], kInfinity) << what;
    EXPECT_EQ(p[1], -kInfinity) << what;
    EXPECT_LT(p[2], 1) << what;
  };
  using namespace optim;
  stays("sgd", [](const auto& p) { return SGD(p, {.lr = 0.1}); });
  stays("momentum", [](const auto& p) { return SGD(p, {.lr = 0.1, .momentum = 0.9}); });
  stays("nesterov",
        [](const auto& p) { return SGD(p, {.lr = 0.1, .momentum = 0.9, .nesterov = true}); });
  stays("adam", [](const auto& p) { return Adam(p, {.lr = 0.1}); });
  stays("amsgrad", [](const auto& p) { return Adam(p, {.lr = 0.1, .amsgrad = true}); });
  stays("adamw", [](const auto& p) { return AdamW(p, {.lr = 0.1}); });
  stays("adagrad", [](const auto& p) { return Adagrad(p, {.lr = 0.1}); });
  // With one, PyTorch's formula: the gradient is infinite.
  EXPECT_EQ(after([](const auto& p) { return SGD(p, {.lr = 0.1, .weight_decay = 0.1}); })[2] < 1,
            true);
}

// A decay that comes or goes in between is another formula, not a stale one.
TEST(Optimizers, ADecayMayBeSetLater) {
  Numbers expected{0.5, -1.25};
  const std::vector<Parameter> p{from_vector(expected, {2})};
  optim::SGD sgd(list_of(p), {.lr = 0.1});
  for (double decay : {0.0, 0.5, 0.0, 0.25}) {
    sgd.set_option("weight_decay", decay);
    sgd.step({tensor({1.0, 2.0})});
    for (size_t i = 0; i < 2; ++i) {
      expected[i] -= 0.1 * (static_cast<double>(i + 1) + decay * expected[i]);
      EXPECT_NEAR(numbers(p[0])[i], expected[i], 1e-12);
    }
  }
}

TEST(Optimizers, AStepThatCannotBeComputedChangesNothing) {
  nn::Embedding embedding(4, 2);
  const ParameterList list = embedding.parameters();
  optim::Adam adam(list, {.lr = 0.1});
  const auto step = [&](int64_t index) {
    adam.step(gradients(sum(square(embedding(tensor<int64_t>({index})))), list));
  };
  step(1);
  const Numbers before = numbers(list[0]);
  const StateDict saved = adam.state_dict();
  EXPECT_THROW(step(9), ValueError);
  EXPECT_EQ(numbers(list[0]), before);
  EXPECT_EQ(adam.steps(), 1);
  const StateDict now = adam.state_dict();
  ASSERT_EQ(now.size(), saved.size());
  for (size_t i = 0; i < now.size(); ++i)
    EXPECT_EQ(numbers(now[i].second), numbers(saved[i].second)) << now[i].first;
  step(1);
  EXPECT_NE(numbers(list[0]), before);
}

// ---- Saving -------------------------------------------------------------------------------------

template <class Optimizer, class Options>
void expect_resumes(const Options& options) {
  manual_seed(1);
  const auto step = [](optim::Optimizer& o, const nn::Linear& net, int i) {
    o.step(gradients(mean(square(net(full({2, 3}, i + 1)))), net.parameters()));
  };
  nn::Linear a(3, 2);
  Optimizer first(a.parameters(), options);
  for (int i = 0; i < 3; ++i) step(first, a, i);
  first.set_lr(0.02);

  nn::Linear b = a;
  Optimizer second(b.parameters(), Options{.lr = 7});
  second.load_state_dict(first.state_dict());
  EXPECT_EQ(second.lr(), 0.02);
  EXPECT_EQ(second.steps(), 3);
  for (int i = 3; i < 6; ++i) {
    step(first, a, i);
    step(second, b, i);
  }
  EXPECT_EQ(numbers(a.weight), numbers(b.weight));
  EXPECT_EQ(numbers(a.bias), numbers(b.bias));
}

TEST(Optimizers, ALoadedStateGoesOnToTheSameBits) {
  expect_resumes<optim::SGD>(optim::SGDOptions{.lr = 0.1});
  expect_resumes<optim::SGD>(optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5});
  expect_resumes<optim::Adam>(optim::AdamOptions{.lr = 0.1});
  expect_resumes<optim::AdamW>(optim::AdamWOptions{.lr = 0.1, .amsgrad = true});
}

TEST(Optimizers, StatesThatDoNotFitAreNamedAndChangeNothing) {
  const std::vector<Parameter> p{ones({2})};
  optim::Adam adam(list_of(p), {.lr = 0.1});
  adam.step({ones({2})});
  StateDict state = adam.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, value] : state) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"step", "state.0.step", "state.0.exp_avg",
                                             "state.0.exp_avg_sq", "param_groups.0.lr",
                                             "param_groups.0.betas.0", "param_groups.0.betas.1",
                                             "param_groups.0.eps", "param_groups.0.weight_decay",
                                             "param_groups.0.amsgrad", "param_groups.0.maximize"}));
  state[2].second = zeros({3});
  state[4] = {"param_groups.1.lr", tensor(0.5)};
  EXPECT_EQ(message_of<Error>([&] { adam.load_state_dict(state); }),
            "adam: the state does not fit: no param_groups.0.lr; state.0.exp_avg is (3,), not "
            "(2,); param_groups.1.lr belongs to nothing here");
  EXPECT_EQ(adam.lr(), 0.1);
  state = adam.state_dict();
  state[4].second = tensor(-1.0);
  EXPECT_THROW(adam.load_state_dict(state), ValueError);
  EXPECT_EQ(adam.lr(), 0.1);
  EXPECT_EQ(numbers(adam.state_dict()[2].second), numbers(state[2].second));
}

// ---- Plans and memory ---------------------------------------------------------------------------

TEST(Optimizers, ASchedulePlansNothingAnew) {
  nn::Sequential net(nn::Linear(4, 8), relu, nn::Linear(8, 1));
  optim::AdamW adam(net.parameters());
  const auto schedule = optim::one_cycle(0.01, 50);
  const Tensor x = randn({16, 4});
  const auto step = [&] {
    adam.set_lr(schedule(adam.steps()));
    const Tensor loss = mean(square(net(x)));
    adam.step(gradients(loss, net.parameters()));
    return loss.item();
  };
  for (int i = 0; i < 3; ++i) step();
  const int64_t planned = graph_stats().plans_built;
  for (int i = 0; i < 20; ++i) step();
  EXPECT_EQ(graph_stats().plans_built, planned);
}

TEST(Optimizers, LossesThatAreKeptDoNotKeepOldParameters) {
  const Parameter p{zeros({1 << 16})};
  ParameterList list;
  list.push_back(p);
  optim::SGD sgd(list, {.lr = 0.1, .momentum = 0.9});
  std::vector<Tensor> losses;
  const auto step = [&] {
    losses.push_back(sum(square(p - 1)));
    sgd.step(gradients(losses.back(), list));
    eval(losses.back());
  };
  for (int i = 0; i < 5; ++i) step();
  const int64_t before = memory_stats().in_use;
  for (int i = 0; i < 50; ++i) step();
  EXPECT_LT(memory_stats().in_use - before, 2 * p.shape().numel() * 4);
  EXPECT_LT(losses.back().item(), losses.front().item());
}

// ---- Clipping -----------------------------------------------------------------------------------

TEST(Clipping, ByNorm) {
  const std::vector<Tensor> g{tensor({3.0, 0.0}), Tensor(), tensor({{0.0}, {-4.0}})};
  const auto [clipped, norm] = optim::clip_grad_norm(g, 1);
  EXPECT_DOUBLE_EQ(norm.item(), 5);
  EXPECT_NEAR(numbers(clipped[0])[0], 3 / (5 + 1e-6), 1e-12);
  EXPECT_NEAR(numbers(clipped[2])[1], -4 / (5 + 1e-6), 1e-12);
  EXPECT_FALSE(clipped[1].defined());
  EXPECT_EQ(clipped[2].shape(), (Shape{2, 1}));

  EXPECT_EQ(numbers(optim::clip_grad_norm(g, 10).gradients[0]), (Numbers{3, 0}));
  EXPECT_DOUBLE_EQ(optim::clip_grad_norm(g, 1, 1).norm.item(), 7);
  EXPECT_NEAR(optim::clip_grad_norm(g, 1, 3).norm.item(), std::cbrt(27.0 + 64), 1e-12);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_DOUBLE_EQ(optim::clip_grad_norm(g, 1, infinity).norm.item(), 4);
  EXPECT_EQ(optim::clip_grad_norm({}, 1).norm.item(), 0);
  EXPECT_TRUE(
      std::isnan(numbers(optim::clip_grad_norm({tensor({1.0, std::nan("")})}, 1).gradients[0])[0]));
  EXPECT_THROW(optim::clip_grad_norm(g, -1), ValueError);
  EXPECT_EQ(optim::clip_grad_norm({ones({2})}, 1).gradients[0].dtype(), kF32);
}

TEST(Clipping, ByNormsOfEachOrder) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Tensor> g{tensor({0.0, 3.0, -4.0, 1.0}), tensor({2.0, 2.0}), zeros({3}, kF64)};
  const auto norm = [&](double order) { return optim::clip_grad_norm(g, 1, order).norm.item(); };
  EXPECT_EQ(norm(0), 2);  // PyTorch's: the norm of norms, which are two that are not 0
  EXPECT_EQ(norm(-infinity), 0);
  EXPECT_EQ(norm(-1), 0);
  EXPECT_EQ(norm(infinity), 4);
  EXPECT_EQ(optim::clip_grad_norm({g[1]}, 1, -infinity).norm.item(), 2);
  EXPECT_DOUBLE_EQ(optim::clip_grad_norm({g[1]}, 1, -1).norm.item(), 1);
  EXPECT_EQ(optim::clip_grad_norm({}, 1, 0).norm.item(), 0);
  EXPECT_EQ(optim::clip_grad_norm({zeros({0})}, 1, infinity).norm.item(), 0);
  EXPECT_THROW(optim::clip_grad_norm(g, 1, std::nan("")), ValueError);
}

TEST(Clipping, MayRefuseWhatIsNotFinite) {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::vector<Tensor> g{tensor({1.0, bad})};
    EXPECT_NO_THROW(optim::clip_grad_norm(g, 1));
    EXPECT_THROW(optim::clip_grad_norm(g, 1, 2, true), ValueError);
  }
  EXPECT_DOUBLE_EQ(optim::clip_grad_norm({tensor({3.0, 4.0})}, 1, 2, true).norm.item(), 5);
}

TEST(Clipping, ByValue) {
  const auto clipped = optim::clip_grad_value({tensor({-3.0, 0.5, 2.0}), Tensor()}, 1);
  EXPECT_EQ(numbers(clipped[0]), (Numbers{-1, 0.5, 1}));
  EXPECT_FALSE(clipped[1].defined());
  EXPECT_THROW(optim::clip_grad_value({}, -1), ValueError);
}

// ---- Schedules ----------------------------------------------------------------------------------

TEST(Schedules, AreTheirClosedForms) {
  EXPECT_EQ(optim::constant(0.3)(12345), 0.3);

  const auto steps = optim::step_lr(8, 10, 0.5);
  EXPECT_EQ(steps(0), 8);
  EXPECT_EQ(steps(9), 8);
  EXPECT_EQ(steps(10), 4);
  EXPECT_EQ(steps(35), 1);

  const auto cosine = optim::cosine(1, 100, 0.2);
  EXPECT_DOUBLE_EQ(cosine(0), 1);
  EXPECT_DOUBLE_EQ(cosine(50), 0.6);
  EXPECT_NEAR(cosine(25), 0.2 + 0.4 * (1 + std::sqrt(0.5)), 1e-15);
  EXPECT_DOUBLE_EQ(cosine(100), 0.2);
  EXPECT_DOUBLE_EQ(cosine(1000), 0.2);

  const auto warm = optim::linear_warmup(4, optim::step_lr(1, 2, 0.1));
  EXPECT_DOUBLE_EQ(warm(0), 0.2);
  EXPECT_DOUBLE_EQ(warm(3), 0.8);
  EXPECT_DOUBLE_EQ(warm(4), 1);
  EXPECT_DOUBLE_EQ(warm(5), 1);
  EXPECT_DOUBLE_EQ(warm(6), 0.1);
}

TEST(Schedules, OneCycleIsThatOfPyTorch) {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=10), rounded to 12 digits.
  const Numbers expected{0.004,
                         0.052,
                         0.1,
                         0.0950484632013,
                         0.081174565395,
                         0.0611262021936,
                         0.0388741978064,
                         0.018825834605,
                         0.00495193679865,
                         4e-07};
  const auto schedule = optim::one_cycle(0.1, 10);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(schedule(i), expected[i], 1e-12) << i;
  EXPECT_EQ(schedule(50), schedule(9));

  // With pct_start=0.25, div_factor=10, final_div_factor=100 and 7 steps.
  const Numbers uneven{
      0.1, 0.994420997699, 0.866659409979, 0.611649206511, 0.318012158329, 0.0877937322292, 0.001};
  const auto other =
      optim::one_cycle(1, 7, {.pct_start = 0.25, .div_factor = 10, .final_div_factor = 100});
  for (size_t i = 0; i < uneven.size(); ++i) EXPECT_NEAR(other(i), uneven[i], 1e-12) << i;
  for (int64_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isfinite(optim::one_cycle(1, 1)(i)));
}

TEST(Schedules, ArgumentsOutOfRangeAreRefused) {
  EXPECT_THROW(optim::step_lr(1, 0), ValueError);
  EXPECT_THROW(optim::cosine(1, 0), ValueError);
  EXPECT_THROW(optim::linear_warmup(-1, optim::constant(1)), ValueError);
  EXPECT_THROW(optim::linear_warmup(1, nullptr), ValueError);
  EXPECT_THROW(optim::one_cycle(1, 0), ValueError);
  EXPECT_THROW(optim::one_cycle(1, 10, {.pct_start = 1.5}), ValueError);
}

// Gradients that are already computed: the step runs over the parameters' own memory, unless
// somebody else can see it.
TEST(Steps, ComputedGradientsUpdateInPlaceAndSpareWhatIsHeld) {
  const auto train = [](bool hold, bool computed) {
    Parameter a = tensor({1.0, 2.0, 3.0}), b = tensor({{4.0f, 5.0f}});
    ParameterList list;
    list.push_back(a);
    list.push_back(b);
    optim::AdamW optimizer(list, {.lr = 0.1});
    std::vector<std::vector<double>> seen;
    for (int step = 0; step < 4; ++step) {
      const Tensor old = hold ? a.tensor() : Tensor();
      const Tensor view = hold ? reshape(b.tensor(), {2}) : Tensor();
      std::vector<Tensor> g{sin(a.tensor() * (step + 1)), cos(b.tensor())};
      for (Tensor& t : g) t = stop_gradient(t);
      if (computed) eval(g);
      const auto before = a.tensor().to_vector<double>();
      optimizer.step(std::move(g));
      EXPECT_NE(a.tensor().to_vector<double>(), before);
      if (hold) {
        EXPECT_EQ(old.to_vector<double>(), before);
      }
      seen.push_back(a.tensor().to_vector<double>());
      seen.push_back(b.tensor().to_vector<double>());
    }
    return seen;
  };
  const auto plain = train(false, false);
  EXPECT_EQ(train(false, true), plain);
  EXPECT_EQ(train(true, true), plain);
  EXPECT_EQ(train(true, false), plain);
}

}  // namespace
}  // namespace glia
