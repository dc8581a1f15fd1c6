// What gradients count, beside the equations of each paper and what a search over a grid finds.
#include "glia/multitask/balance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "glia/error.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::multitask {
namespace {

using data::Random;
using Numbers = std::vector<double>;

// Gradients of some tasks, drawn, and what the functions are given of them.
struct Drawn {
  int64_t tasks, size;
  Numbers g;

  Drawn(int64_t tasks, int64_t size, uint64_t seed) : tasks(tasks), size(size) {
    Random random(seed);
    for (int64_t i = 0; i < tasks * size; ++i)
      g.push_back((2 * random.uniform() - 1) * (1 + 5 * static_cast<double>(i / size)));
  }
  Drawn(int64_t tasks, const Numbers& g)
      : tasks(tasks), size(static_cast<int64_t>(g.size()) / tasks), g(g) {}

  Tensor gram() const {
    const Tensor x = from_vector(g, {tasks, size});
    return matmul(x, transpose(x));
  }
  Numbers of(int64_t k) const { return {g.begin() + k * size, g.begin() + (k + 1) * size}; }
  Numbers combined(const Numbers& w) const {
    Numbers out(static_cast<size_t>(size));
    for (int64_t k = 0; k < tasks; ++k)
      for (int64_t i = 0; i < size; ++i) out[i] += w[k] * g[k * size + i];
    return out;
  }
};
double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double total(const Numbers& w) { return std::accumulate(w.begin(), w.end(), 0.0); }

// The least of f over weights of two or three tasks on a grid.
double least_on_grid(int64_t tasks, const std::function<double(const Numbers&)>& f) {
  constexpr int kSteps = 400;
  double least = INFINITY;
  for (int i = 0; i <= kSteps; ++i)
    for (int j = 0; j <= (tasks == 3 ? kSteps - i : 0); ++j) {
      const double a = i / double{kSteps}, b = j / double{kSteps};
      least = std::min(least, f(tasks == 3 ? Numbers{a, b, 1 - a - b} : Numbers{a, 1 - a}));
    }
  return least;
}

TEST(MinNorm, TwoTasksInClosedForm) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Drawn d(2, 4, seed);
    const Numbers a = d.of(0), b = d.of(1);
    const double over = dot(a, a) - 2 * dot(a, b) + dot(b, b);
    const double wanted = std::clamp((dot(b, b) - dot(a, b)) / over, 0.0, 1.0);
    const Numbers w = min_norm_weights(d.gram());
    EXPECT_NEAR(w[0], wanted, 1e-9) << seed;
    EXPECT_NEAR(w[1], 1 - wanted, 1e-9);
  }
}

TEST(MinNorm, IsTheLeastOfAll) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Drawn d(3, 5, seed);
    const Numbers w = min_norm_weights(d.gram());
    EXPECT_NEAR(total(w), 1, 1e-12);
    for (const double v : w) EXPECT_GE(v, 0);
    const auto square = [&](const Numbers& at) {
      const Numbers g = d.combined(at);
      return dot(g, g);
    };
    const double found = square(w), grid = least_on_grid(3, square);
    EXPECT_LE(found, grid + 1e-12) << seed;
    EXPECT_GE(found, grid - 0.02 * grid - 0.05) << seed;
    // No loss rises along the opposite.
    for (int64_t k = 0; k < 3; ++k) EXPECT_GE(dot(d.combined(w), d.of(k)), found - 1e-9) << seed;
  }
  // Many tasks: the condition is the same.
  const Drawn d(20, 15, 1);
  const Numbers g = d.combined(min_norm_weights(d.gram(), {.max_iter = 10000}));
  for (int64_t k = 0; k < 20; ++k) EXPECT_GE(dot(g, d.of(k)), dot(g, g) - 1e-6);
}

TEST(MinNorm, Edges) {
  EXPECT_EQ(min_norm_weights(ones({1, 1}, kF64)), Numbers{1});
  EXPECT_NEAR(total(min_norm_weights(ones({3, 3}, kF64))), 1, 1e-12);
  EXPECT_NEAR(total(min_norm_weights(zeros({3, 3}, kF64))), 1, 1e-12);
  // Opposite gradients: a mean that is zero.
  const Numbers w = min_norm_weights(Drawn(2, {1, 0, -3, 0}).gram());
  EXPECT_NEAR(w[0], 0.75, 1e-12);
  // Huge and tiny ones.
  EXPECT_NEAR(min_norm_weights(Drawn(2, {1e100, 0, 0, 1e100}).gram())[0], 0.5, 1e-9);
  EXPECT_NEAR(min_norm_weights(Drawn(2, {1e-100, 0, 0, 1e-100}).gram())[0], 0.5, 1e-9);
}

TEST(PCGrad, TwoTasksAreWithoutConflict) {
  int conflicts = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Drawn d(2, 4, seed);
    const Numbers a = d.of(0), b = d.of(1);
    Random random(seed);
    const Numbers w = pcgrad_weights(d.gram(), random);
    const double product = dot(a, b);
    if (product >= 0) {
      EXPECT_EQ(w, (Numbers{1, 1}));
      continue;
    }
    ++conflicts;
    // a - (a b / b b) b, and the other way round.
    EXPECT_NEAR(w[0], 1 - product / dot(a, a), 1e-12);
    EXPECT_NEAR(w[1], 1 - product / dot(b, b), 1e-12);
    EXPECT_GE(dot(d.combined(w), a), -1e-9);
    EXPECT_GE(dot(d.combined(w), b), -1e-9);
  }
  EXPECT_GT(conflicts, 10);
}

TEST(PCGrad, ProjectsInTheOrderThatIsDrawn) {
  // Against every order that three tasks may have, by vectors.
  const Drawn d(3, {1, 0, 0, -1, 0.5, 0, -0.2, -1, 0.3});
  const auto project = [&](int64_t i, std::vector<int64_t> order) {
    Numbers g = d.of(i);
    for (const int64_t j : order) {
      const Numbers other = d.of(j);
      const double product = dot(g, other);
      if (product < 0)
        for (size_t k = 0; k < g.size(); ++k) g[k] -= product / dot(other, other) * other[k];
    }
    return g;
  };
  int seen = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const Numbers found = d.combined(pcgrad_weights(d.gram(), random));
    for (int bits = 0; bits < 8; ++bits) {
      Numbers sum(3);
      for (int64_t i = 0; i < 3; ++i) {
        std::vector<int64_t> order = {(i + 1) % 3, (i + 2) % 3};
        if (bits >> i & 1) std::swap(order[0], order[1]);
        const Numbers g = project(i, order);
        for (int k = 0; k < 3; ++k) sum[k] += g[k];
      }
      double apart = 0;
      for (int k = 0; k < 3; ++k) apart = std::max(apart, std::abs(sum[k] - found[k]));
      if (apart < 1e-12) {
        ++seen;
        break;
      }
    }
  }
  EXPECT_EQ(seen, 40);
  Random random(0);
  EXPECT_EQ(pcgrad_weights(zeros({2, 2}, kF64), random), (Numbers{1, 1}));
}

TEST(CAGrad, IsTheLeastOfItsObjective) {
  for (const int64_t tasks : {2, 3})
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const Drawn d(tasks, 6, seed);
      const Numbers mean = d.combined(Numbers(static_cast<size_t>(tasks), 1.0 / tasks));
      const double length = std::sqrt(dot(mean, mean));
      for (const double c : {0.2, 0.5, 0.9}) {
        const auto objective = [&](const Numbers& w) {
          const Numbers g = d.combined(w);
          return dot(g, mean) + c * length * std::sqrt(dot(g, g));
        };
        const Numbers found = d.combined(cagrad_weights(d.gram(), {.c = c}));
        // On the ball's edge, and the least improvement there is the objective's minimum.
        Numbers off = found;
        for (size_t k = 0; k < off.size(); ++k) off[k] -= mean[k];
        EXPECT_NEAR(std::sqrt(dot(off, off)), c * length, 1e-9 * length);
        double least = INFINITY;
        for (int64_t k = 0; k < tasks; ++k) least = std::min(least, dot(found, d.of(k)));
        const double grid = least_on_grid(tasks, objective);
        EXPECT_LE(least, grid + 1e-9) << seed;
        EXPECT_GE(least, grid - 0.02 * std::abs(grid) - 0.02) << seed;
      }
    }
}

TEST(CAGrad, Edges) {
  const Drawn d(2, 3, 4);
  EXPECT_EQ(cagrad_weights(d.gram(), {.c = 0}), (Numbers{0.5, 0.5}));
  const Numbers w = cagrad_weights(d.gram()), scaled = cagrad_weights(d.gram(), {.rescale = true});
  for (int k = 0; k < 2; ++k) EXPECT_NEAR(scaled[k], w[k] / 1.25, 1e-12);
  // Gradients that cancel each other, or are nothing: no direction is better.
  EXPECT_EQ(cagrad_weights(Drawn(2, {1, -1}).gram()), (Numbers{0.5, 0.5}));
  EXPECT_EQ(cagrad_weights(zeros({2, 2}, kF64)), (Numbers{0.5, 0.5}));
  EXPECT_NEAR(cagrad_weights(ones({1, 1}, kF64))[0], 1.5, 1e-12);
  for (const double v : cagrad_weights(Drawn(2, {1e60, 0, -1e59, 1e60}).gram()))
    EXPECT_TRUE(std::isfinite(v) && v > 0);
}

TEST(Dwa, Formula) {
  const Numbers w = dwa_weights({0.5, 0.9}, {1, 1});
  const double a = std::exp(0.25), b = std::exp(0.45);
  EXPECT_NEAR(w[0], 2 * a / (a + b), 1e-12);
  EXPECT_NEAR(w[1], 2 * b / (a + b), 1e-12);
  EXPECT_EQ(dwa_weights({1e9, 1}, {1, 1}), (Numbers{2, 0}));
  EXPECT_EQ(dwa_weights({3}, {4}), Numbers{1});
}

TEST(GradNorm, Formula) {
  // Norms 2 and 6, equal progress: the mean is 4, so the first weight rises and the second falls.
  const Numbers w = gradnorm_weights({1, 1}, {2, 6}, {0.5, 0.5}, {.lr = 0.1});
  EXPECT_NEAR(w[0], 2 * 1.2 / 1.6, 1e-12);
  EXPECT_NEAR(w[1], 2 * 0.4 / 1.6, 1e-12);
  // Slow tasks shall have longer gradients: (0.9 / 0.6)^1.5 and (0.3 / 0.6)^1.5 of the mean.
  const Numbers slow = gradnorm_weights({1, 1}, {3, 3}, {0.9, 0.3}, {.lr = 0.1});
  EXPECT_NEAR(slow[0], 2 * 1.3 / 2, 1e-12);
  EXPECT_NEAR(slow[1], 2 * 0.7 / 2, 1e-12);
  // At the target nothing changes; weights stay above 0.
  EXPECT_EQ(gradnorm_weights({1.5, 0.5}, {1, 3}, {1, 1}), (Numbers{1.5, 0.5}));
  for (const double v : gradnorm_weights({1, 1}, {1, 1e6}, {1, 1})) EXPECT_GT(v, 0);
}

TEST(Balance, BadArgumentsAreNamed) {
  Random random(0);
  const double nan = std::nan("");
  for (const Tensor& bad :
       {Tensor(), zeros({2, 3}, kF64), zeros({2, 2}), zeros({0, 0}, kF64), zeros({2}, kF64)}) {
    EXPECT_THROW(min_norm_weights(bad), ShapeError);
    EXPECT_THROW(pcgrad_weights(bad, random), ShapeError);
    EXPECT_THROW(cagrad_weights(bad), ShapeError);
  }
  const Tensor broken = full({2, 2}, nan, kF64);
  EXPECT_THROW(min_norm_weights(broken), ValueError);
  EXPECT_THROW(pcgrad_weights(broken, random), ValueError);
  EXPECT_THROW(cagrad_weights(full({2, 2}, INFINITY, kF64)), ValueError);
  EXPECT_THROW(min_norm_weights(ones({1, 1}, kF64), {.max_iter = 0}), ValueError);
  EXPECT_THROW(min_norm_weights(ones({1, 1}, kF64), {.tol = nan}), ValueError);
  for (const double c : {-0.1, 1.0, nan})
    EXPECT_THROW(cagrad_weights(ones({1, 1}, kF64), {.c = c}), ValueError);
  EXPECT_THROW(dwa_weights({1}, {1, 2}), ShapeError);
  EXPECT_THROW(dwa_weights({}, {}), ShapeError);
  EXPECT_THROW(dwa_weights({1}, {0}), ValueError);
  EXPECT_THROW(dwa_weights({nan}, {1}), ValueError);
  EXPECT_THROW(dwa_weights({1}, {1}, 0), ValueError);
  EXPECT_THROW(gradnorm_weights({1, 1}, {1}, {1, 1}), ShapeError);
  EXPECT_THROW(gradnorm_weights({1, 1}, {1, nan}, {1, 1}), ValueError);
  EXPECT_THROW(gradnorm_weights({1, 1}, {1, 1}, {0, 0}), ValueError);
}

}  // namespace
}  // namespace glia::multitask
