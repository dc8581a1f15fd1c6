// LARS, LAMB, Shampoo and ASGD against their formulas in plain loops; tests/parity compares them
// with timm and PyTorch, and general_test holds what all optimizers must do.
#include "glia/optim/layerwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/ops.h"
#include "glia/optim/adaptive.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::optim {
namespace {

using Numbers = std::vector<double>;
using test::expect_values;
using test::message_of;

double norm_of(const Numbers& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

Numbers gradient_of(const Numbers& p, int step) {
  Numbers g;
  for (size_t i = 0; i < p.size(); ++i)
    g.push_back(0.4 * p[i] + std::cos(2.3 * static_cast<double>(i) + step));
  return g;
}

// A parameter with its optimizer.
template <class O>
struct One {
  template <class Options>
  One(const Tensor& start, const Options& options)
      : p(start), list(list_of(p)), optimizer(list, options) {}
  static ParameterList list_of(const Parameter& p) {
    ParameterList list;
    list.push_back(p);
    return list;
  }
  Numbers values() const { return p.tensor().template to_vector<double>(); }

  Parameter p;
  ParameterList list;
  O optimizer;
};

TEST(LayerwiseOptimizers, LarsIsItsFormula) {
  Numbers p{0.5, -1.25, 2.0, 0.1}, v(4);
  One<LARS> one(from_vector(p, {2, 2}),
                LARSOptions{.lr = 0.8, .momentum = 0.9, .weight_decay = 0.1, .trust_coeff = 0.05});
  for (int step = 0; step < 6; ++step) {
    Numbers g = gradient_of(p, step);
    one.optimizer.step({from_vector(g, {2, 2})});
    const double ratio = 0.05 * norm_of(p) / (norm_of(g) + 0.1 * norm_of(p) + 1e-8);
    for (size_t i = 0; i < 4; ++i) {
      v[i] = 0.9 * v[i] + ratio * (g[i] + 0.1 * p[i]);
      p[i] -= 0.8 * v[i];
    }
    expect_values(one.p, {2, 2}, p, 1e-14);
  }
}

TEST(LayerwiseOptimizers, LambIsItsFormula) {
  Numbers p{0.5, -1.25, 2.0}, mean(3), square(3);
  One<LAMB> one(from_vector(p, {3}), LAMBOptions{.lr = 0.1, .max_grad_norm = 0});
  for (int step = 0; step < 6; ++step) {
    const Numbers g = gradient_of(p, step);
    one.optimizer.step({from_vector(g, {3})});
    Numbers way(3);
    for (size_t i = 0; i < 3; ++i) {
      mean[i] = 0.9 * mean[i] + 0.1 * g[i];
      square[i] = 0.999 * square[i] + 0.001 * g[i] * g[i];
      way[i] = mean[i] / (1 - std::pow(0.9, step + 1)) /
                   (std::sqrt(square[i] / (1 - std::pow(0.999, step + 1))) + 1e-6) +
               0.01 * p[i];
    }
    const double ratio = norm_of(p) / norm_of(way);
    for (size_t i = 0; i < 3; ++i) p[i] -= 0.1 * ratio * way[i];
    expect_values(one.p, {3}, p, 1e-12);
  }
}

TEST(LayerwiseOptimizers, ANormOfZeroAdaptsNothing) {
  One<LARS> lars(zeros({2}, kF64), LARSOptions{.lr = 0.5, .weight_decay = 0.1});
  lars.optimizer.step({tensor({1.0, -2.0})});
  expect_values(lars.p, {2}, {-0.5, 1});
  lars.optimizer.step({zeros({2}, kF64)});
  expect_values(lars.p, {2}, {-0.475, 0.95}, 1e-15);
  One<LAMB> lamb(zeros({2}, kF64), LAMBOptions{.lr = 0.5, .max_grad_norm = 0});
  lamb.optimizer.step({tensor({1.0, -2.0})});
  expect_values(lamb.p, {2}, {-0.5, 0.5}, 1e-5);
  One<LAMB> still(ones({2}, kF64), LAMBOptions{.weight_decay = 0});
  still.optimizer.step({zeros({2}, kF64)});
  expect_values(still.p, {2}, {1, 1});
}

TEST(LayerwiseOptimizers, LambClipsTheNormOfAllGradients) {
  const Parameter a(tensor({1.0, 2.0})), b(tensor({3.0}));
  ParameterList list;
  list.push_back(a);
  list.push_back(b);
  LAMB lamb(list, {.max_grad_norm = 1});
  lamb.step({tensor({3.0, 0.0}), tensor({4.0})});
  for (const auto& [name, value] : lamb.state_dict()) {
    if (name == "state.0.exp_avg") expect_values(value, {2}, {0.06, 0}, 1e-15);
    if (name == "state.1.exp_avg") expect_values(value, {1}, {0.08}, 1e-15);
  }
}

// The first step of a matrix, without what is added to the diagonals, is its orthogonal factor.
TEST(LayerwiseOptimizers, ShampoosFirstStepIsOrthogonal) {
  const Tensor g = tensor({3.0, 1.0, -2.0, 0.5, 1.0, 4.0, -1.0, 2.0, 0.3});
  One<Shampoo> one(zeros({3, 3}, kF64), ShampooOptions{.lr = 1, .eps = 1e-13});
  one.optimizer.step({reshape(g, {3, 3})});
  const Tensor q = one.p.tensor();
  expect_values(matmul(q, transpose(q)), {3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 1e-6);
  // Of a vector it is Adagrad of the whole matrix: here one direction.
  One<Shampoo> vector(zeros({2}, kF64), ShampooOptions{.lr = 1, .eps = 1e-12});
  vector.optimizer.step({tensor({3.0, 4.0})});
  expect_values(vector.p, {2}, {-0.6, -0.8}, 1e-6);
  // Gradients along axes: each number by the root of its own sum.
  One<Shampoo> axes(zeros({2}, kF64), ShampooOptions{.lr = 1, .eps = 1e-14});
  axes.optimizer.step({tensor({3.0, 0.0})});
  axes.optimizer.step({tensor({0.0, 5.0})});
  axes.optimizer.step({tensor({4.0, 0.0})});
  expect_values(axes.p, {2}, {-1.8, -1}, 1e-6);
}

TEST(LayerwiseOptimizers, ShampooLeavesLongAxesAndTakesNumbersByAdagrad) {
  const ShampooOptions options{.lr = 1, .eps = 1e-12, .max_dim = 2};
  // Only the rows' products (2, 2): the inverse root of order 2.
  One<Shampoo> one(zeros({2, 3}, kF64), options);
  one.optimizer.step({from_vector(Numbers{3, 0, 4, 0, 0, 0}, {2, 3})});
  expect_values(one.p, {2, 3}, {-0.6, 0, -0.8, 0, 0, 0}, 1e-6);
  for (const Shape& shape : {Shape{3}, Shape{}}) {
    One<Shampoo> adagrad(zeros(shape, kF64), options);
    for (int i = 0; i < 2; ++i) adagrad.optimizer.step({full(shape, 2.0, kF64)});
    for (const double v : adagrad.values()) EXPECT_NEAR(v, -1 - std::sqrt(0.5), 1e-9);
  }
  One<Shampoo> none(zeros({0, 4}), ShampooOptions{});
  EXPECT_NO_THROW(none.optimizer.step({zeros({0, 4})}));
}

// Gradients of one direction only: what is not seen has an eigenvalue of eps, 1e10 times smaller.
TEST(LayerwiseOptimizers, ShampooStaysFiniteWhereProductsAreSingular) {
  for (const DType dtype : {kF32, kF64}) {
    One<Shampoo> one(zeros({16, 16}, dtype), ShampooOptions{.lr = 0.1, .eps = 1e-6});
    const Tensor g = full({16, 16}, 100, dtype);
    for (int i = 0; i < 5; ++i) one.optimizer.step({g});
    const Numbers p = one.values();
    for (const double v : p) {
      EXPECT_TRUE(std::isfinite(v));
      EXPECT_NEAR(v, p[0], 1e-3 * std::abs(p[0]));
    }
    EXPECT_NEAR(
        p[0], -0.1 / 16 * (1 + 1 / std::sqrt(2) + 1 / std::sqrt(3) + 0.5 + 1 / std::sqrt(5)), 1e-5);
  }
  One<Shampoo> lost(zeros({2, 2}), ShampooOptions{});
  lost.optimizer.step({full({2, 2}, NAN)});
  for (const double v : lost.values()) EXPECT_TRUE(std::isnan(v));
}

TEST(LayerwiseOptimizers, OfAnyNumberOfThreadsAreTheSame) {
  const auto run = [](int threads) {
    set_num_threads(threads);
    One<Shampoo> one(test::numbers({40, 24}), ShampooOptions{.lr = 0.1});
    One<LAMB> two(test::numbers({40, 24}), LAMBOptions{.lr = 0.1});
    for (int i = 0; i < 3; ++i) {
      one.optimizer.step({test::numbers({40, 24}, i + 1)});
      two.optimizer.step({test::numbers({40, 24}, i + 1)});
    }
    Numbers all = one.values();
    for (const double v : two.values()) all.push_back(v);
    return all;
  };
  const int before = num_threads();
  const Numbers alone = run(1), together = run(2);
  set_num_threads(before);
  EXPECT_EQ(alone, together);
}

TEST(LayerwiseOptimizers, AsgdAveragesFromItsStep) {
  const ASGDOptions o{.lr = 0.2, .lambd = 0.1, .alpha = 0.6, .t0 = 3, .weight_decay = 0.01};
  Numbers p{0.5, -1.25}, average(2);
  One<ASGD> one(from_vector(p, {2}), o);
  expect_values(one.optimizer.averages()[0], {2}, p);
  for (int step = 1; step <= 8; ++step) {
    const Numbers g = gradient_of(p, step);
    one.optimizer.step({from_vector(g, {2})});
    const double rate = 0.2 / std::pow(1 + 0.1 * 0.2 * (step - 1), 0.6);
    const double part = 1 / std::max(1.0, step - 1 - 3.0);
    for (size_t i = 0; i < 2; ++i) {
      p[i] = p[i] * (1 - 0.1 * rate) - rate * (g[i] + 0.01 * p[i]);
      average[i] += (p[i] - average[i]) * part;
    }
    expect_values(one.p, {2}, p, 1e-14);
    expect_values(one.optimizer.averages()[0], {2}, average, 1e-14);
  }
}

TEST(LayerwiseOptimizers, OptionsOutOfRangeAreRefused) {
  ParameterList list;
  list.push_back(Parameter(ones({2})));
  EXPECT_EQ(message_of([&] { LARS(list, {.lr = -1}); }), "lars: lr = -1 is out of range");
  EXPECT_EQ(message_of([&] { LARS(list, {.nesterov = true}); }),
            "lars: nesterov needs momentum and no dampening");
  EXPECT_EQ(message_of([&] {
              LAMB(list, {.betas = {0.9, 1}});
            }),
            "lamb: betas.1 = 1 is out of range");
  EXPECT_EQ(message_of([&] { Shampoo(list, {.eps = 0}); }), "shampoo: eps = 0 is out of range");
  EXPECT_EQ(message_of([&] { Shampoo(list, {.update_freq = 0}); }),
            "shampoo: update_freq = 0 is out of range");
  EXPECT_EQ(message_of([&] { ASGD(list, {.t0 = NAN}); }), "asgd: t0 = nan is out of range");
}

}  // namespace
}  // namespace glia::optim
