// Entropies of probabilities and samples, mutual information by neighbours and by a network.
#include "glia/math/information.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/ops/arrange.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "math/neighbours.h"
#include "tests/support/values.h"

namespace glia::information {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using In = std::vector<Tensor>;

// n pairs of normal numbers with correlation rho, f64.
std::pair<Tensor, Tensor> normal_pairs(int64_t n, double rho) {
  const Tensor x = randn({n}, kF64);
  return {x, rho * x + std::sqrt(1 - rho * rho) * randn({n}, kF64)};
}
double of_normal_pairs(double rho) { return -0.5 * std::log(1 - rho * rho); }

TEST(Information, EntropiesOfKnownProbabilities) {
  const Tensor fair = ones({8}, kF64);
  EXPECT_NEAR(entropy(fair).item(), std::log(8.0), 1e-14);
  EXPECT_NEAR(entropy(fair, 2).item(), 3, 1e-14);
  EXPECT_NEAR(entropy(tensor<double>({0.5, 0.25, 0.25, 0}), 2).item(), 1.5, 1e-14);
  EXPECT_EQ(entropy(tensor<double>({1, 0})).item(), 0);
  // Counts are frequencies, along any axis.
  const Tensor counts = tensor<int64_t>({{1, 3}, {1, 1}});
  expect_values(entropy(counts, 2, 0), {2}, {1, 0.8112781}, 1e-6);
  const Tensor p = tensor<double>({0.5, 0.5}), q = tensor<double>({0.25, 0.75});
  EXPECT_NEAR(kl_divergence(p, q).item(), 0.5 * std::log(4.0 / 3), 1e-14);
  EXPECT_NEAR(information::cross_entropy(p, q).item() - entropy(p).item(),
              kl_divergence(p, q).item(), 1e-14);
  EXPECT_EQ(kl_divergence(tensor<double>({0.5, 0.5}), tensor<double>({1, 0})).item(), INFINITY);
  EXPECT_EQ(information::cross_entropy(tensor<double>({0.5, 0.5}), tensor<double>({1, 0})).item(),
            INFINITY);
  EXPECT_EQ(kl_divergence(tensor<double>({1, 0}), tensor<double>({1, 0})).item(), 0);
  EXPECT_NEAR(js_divergence(tensor<double>({1, 0}), tensor<double>({0, 1}), 2).item(), 1, 1e-14);
  EXPECT_TRUE(std::isnan(entropy(tensor<double>({0.5, -0.5, 1})).item()));
}

TEST(Information, RenyiGoesThroughShannon) {
  const Tensor p = tensor<double>({0.1, 0.2, 0.7, 0}), q = tensor<double>({0.3, 0.3, 0.2, 0.2});
  EXPECT_NEAR(renyi_entropy(p, 0).item(), std::log(3.0), 1e-14);
  EXPECT_NEAR(renyi_entropy(p, 2).item(), -std::log(0.54), 1e-14);
  EXPECT_NEAR(renyi_entropy(p, INFINITY).item(), -std::log(0.7), 1e-14);
  EXPECT_NEAR(renyi_entropy(p, 1 + 1e-7).item(), entropy(p).item(), 1e-6);
  EXPECT_EQ(renyi_entropy(p, 1).item(), entropy(p).item());
  EXPECT_NEAR(renyi_divergence(p, q, 1 - 1e-7).item(), kl_divergence(p, q).item(), 1e-6);
  EXPECT_NEAR(renyi_divergence(p, q, 0.5).item(),
              -2 * std::log(std::sqrt(0.03) + std::sqrt(0.06) + std::sqrt(0.14)), 1e-14);
  EXPECT_NEAR(renyi_divergence(p, q, INFINITY).item(), std::log(3.5), 1e-14);
  EXPECT_EQ(renyi_divergence(q, p, 2).item(), INFINITY);
  double before = INFINITY;
  for (double alpha : {0.0, 0.3, 1.0, 1.7, 5.0}) {  // falls with alpha
    const double h = renyi_entropy(p, alpha).item();
    EXPECT_LT(h, before);
    before = h;
  }
}

TEST(Information, JointProbabilities) {
  const Tensor joint =
      tensor<double>({{0.125, 0.0625, 0.03125, 0.03125},
                      {0.0625, 0.125, 0.03125, 0.03125},
                      {0.0625, 0.0625, 0.0625, 0.0625},
                      {0.25, 0, 0, 0}});  // Cover & Thomas 2006, example 2.2.1: Y, X
  EXPECT_NEAR(joint_entropy(joint, 2).item(), 27.0 / 8, 1e-13);
  EXPECT_NEAR(conditional_entropy(joint, 2).item(), 11.0 / 8, 1e-13);
  EXPECT_NEAR(conditional_entropy(transpose(joint), 2).item(), 13.0 / 8, 1e-13);
  EXPECT_NEAR(mutual_information(joint, 2).item(), 3.0 / 8, 1e-13);
  const Tensor apart = unsqueeze(tensor<double>({0.2, 0.8}), 1) * tensor<double>({0.3, 0.3, 0.4});
  EXPECT_NEAR(mutual_information(apart).item(), 0, 1e-15);
  EXPECT_EQ(mutual_information(ones({5, 2, 3})).shape(), Shape({5}));
}

TEST(Information, Gradients) {
  const Tensor p = glia::test::numbers({2, 4}) * 0.4 + 0.5,
               q = glia::test::numbers({2, 4}, 3) * 0.4 + 0.5;
  EXPECT_EQ(gradcheck([](const In& t) { return entropy(t[0], 2); }, {p}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return information::cross_entropy(t[0], t[1]); }, {p, q}),
            "");
  EXPECT_EQ(gradcheck([](const In& t) { return kl_divergence(t[0], t[1], {}, 0); }, {p, q}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return js_divergence(t[0], t[1]); }, {p, q}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return renyi_entropy(t[0], 0.4); }, {p}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return renyi_divergence(t[0], t[1], 3); }, {p, q}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return mutual_information(t[0]); }, {p}), "");
  EXPECT_EQ(gradcheck([](const In& t) { return conditional_entropy(t[0]); }, {p}), "");
  // With zeros the gradient of the others is that without them.
  const Tensor with_zero = trainable(tensor<double>({0.2, 0.8, 0}));
  const Tensor g = gradients(entropy(with_zero), {with_zero})[0];
  const Tensor without = trainable(tensor<double>({0.2, 0.8}));
  expect_same(index(g, {Slice{0, 2}}), gradients(entropy(without), {without})[0], 1e-14);
}

TEST(Information, Samples) {
  const Tensor x = tensor<int64_t>({0, 0, 1, 1, 2, 2, 2, 2});
  EXPECT_NEAR(estimate_entropy(x, {.base = 2}), 1.5, 1e-14);
  EXPECT_NEAR(estimate_entropy(x, {.miller_madow = true}), 1.5 * std::log(2.0) + 2.0 / 16, 1e-14);
  EXPECT_EQ(estimate_entropy(tensor({3.5, 3.5})), 0);
  // Rows are symbols.
  EXPECT_NEAR(estimate_entropy(tensor({{1, 2}, {1, 3}, {1, 2}, {0, 2}}), {.base = 2}), 1.5, 1e-14);
  const Tensor y = tensor<int64_t>({0, 1, 0, 1, 0, 1, 0, 1});
  EXPECT_NEAR(estimate_mutual_information(x, y), 0, 1e-14);
  EXPECT_NEAR(estimate_joint_entropy(x, y, {.base = 2}), 2.5, 1e-14);
  EXPECT_NEAR(estimate_conditional_entropy(x, y, {.base = 2}), 1, 1e-14);
  EXPECT_NEAR(estimate_mutual_information(x, x), estimate_entropy(x), 1e-14);
  EXPECT_NEAR(estimate_conditional_entropy(x, x), 0, 1e-14);
  // The correction takes most of the bias away.
  manual_seed(3);
  double plain = 0, corrected = 0;
  for (int i = 0; i < 50; ++i) {
    const Tensor draws = randint(0, 32, {200});
    plain += estimate_entropy(draws) / 50;
    corrected += estimate_entropy(draws, {.miller_madow = true}) / 50;
  }
  EXPECT_LT(std::abs(corrected - std::log(32.0)), 0.2 * std::abs(plain - std::log(32.0)));
}

TEST(Information, TreeFindsWhatAllPairsHave) {
  manual_seed(4);
  for (int64_t d : {1, 2, 5}) {
    for (bool ties : {false, true}) {
      const Tensor x = ties ? floor(rand({300, d}, kF64) * 4) : randn({300, d}, kF64);
      const std::vector<double> rows = x.to_vector<double>();
      const KdTree tree(rows, d);
      for (int64_t i = 0; i < 300; i += 7) {
        std::vector<std::pair<double, int64_t>> all;
        for (int64_t j = 0; j < 300; ++j) {
          if (j != i) all.emplace_back(tree.distance(i, j), j);
        }
        std::sort(all.begin(), all.end());
        const std::vector<int64_t> near = tree.nearest(i, 9);
        ASSERT_EQ(near.size(), 9u);
        for (size_t k = 0; k < 9; ++k) EXPECT_EQ(near[k], all[k].second);
        for (double radius : {0.0, all[5].first, 1.0, 100.0}) {
          int64_t open = 0, closed = 0;
          for (const auto& [far, j] : all) open += far < radius, closed += far <= radius;
          EXPECT_EQ(tree.within(i, radius, false), open);
          EXPECT_EQ(tree.within(i, radius, true), closed);
        }
      }
    }
  }
}

TEST(Information, MutualInformationOfNormalNumbers) {
  EXPECT_NEAR(of_normal_pairs(0.9), 0.8304, 5e-5);
  manual_seed(5);
  for (double rho : {0.0, 0.5, 0.9, 0.99}) {
    const auto [x, y] = normal_pairs(4000, rho);
    for (int estimator : {1, 2}) {
      SCOPED_TRACE(rho);
      const double found = ksg_mutual_information(x, y, {.k = 4, .estimator = estimator});
      EXPECT_NEAR(found, of_normal_pairs(rho), 0.05) << estimator;
      // It does not depend on units or on which comes first.
      EXPECT_NEAR(ksg_mutual_information(y, x, {.k = 4, .estimator = estimator}), found, 1e-9);
      EXPECT_NEAR(ksg_mutual_information(x, y, {.k = 4, .base = 2, .estimator = estimator}),
                  found / std::log(2.0), 1e-12);
    }
  }
  // Of vectors: two independent pairs have twice as much.
  const auto [a, b] = normal_pairs(3000, 0.8);
  const auto [c, d] = normal_pairs(3000, 0.8);
  EXPECT_NEAR(ksg_mutual_information(stack({a, c}, 1), stack({b, d}, 1)), 2 * of_normal_pairs(0.8),
              0.1);
}

TEST(Information, EntropyByNeighbours) {
  manual_seed(6);
  EXPECT_NEAR(neighbour_entropy(randn({5000}, kF64)), 0.5 * std::log(2 * M_PI * M_E), 0.05);
  EXPECT_NEAR(neighbour_entropy(rand({5000, 2}, kF64) * 3, {.k = 5}), 2 * std::log(3.0), 0.06);
}

TEST(Information, SameForAnyNumberOfThreads) {
  manual_seed(7);
  const auto [x, y] = normal_pairs(1000, 0.6);
  const int before = num_threads();
  std::vector<double> found;
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    found.push_back(ksg_mutual_information(x, y));
    found.push_back(mine(x, y, {.hidden = 8, .steps = 20, .batch = 32}).mutual_information);
  }
  set_num_threads(before);
  EXPECT_EQ(found[0], found[2]);
  EXPECT_EQ(found[1], found[3]);
}

TEST(Information, ANetworkFindsIt) {
  manual_seed(8);
  const auto [x, y] = normal_pairs(5000, 0.9);
  const RandomState before = random_state();
  const MineResult found = mine(x, y, {.hidden = 32, .steps = 1000, .batch = 256});
  EXPECT_NEAR(found.mutual_information, of_normal_pairs(0.9), 0.1);
  EXPECT_EQ(found.history.size(), 1000u);
  EXPECT_EQ(random_state().calls, before.calls);
  const auto [a, b] = normal_pairs(5000, 0);
  EXPECT_NEAR(mine(a, b, {.hidden = 32, .steps = 500, .batch = 256}).mutual_information, 0, 0.05);
}

TEST(Information, ErrorsSayWhatIsWrong) {
  const auto says = [](const std::string& what, const std::function<void()>& f) {
    const std::string message = message_of(f);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  says("entropy: the base is 1", [] { entropy(ones({3}), 1); });
  says("entropy: the base is -2", [] { entropy(ones({3}), -2); });
  says("kl_divergence: (3,) and (4,) differ along the axis",
       [] { kl_divergence(ones({3}), ones({4})); });
  says("renyi_entropy: alpha is -1", [] { renyi_entropy(ones({3}), -1); });
  says("joint probabilities", [] { mutual_information(ones({3})); });
  says("estimate_entropy: no samples", [] { estimate_entropy(ones({0})); });
  says("estimate_entropy: a sample is nan", [] { estimate_entropy(tensor<double>({1, NAN})); });
  says("3 and 4 samples", [] { estimate_mutual_information(ones({3}), ones({4})); });
  says("k is 3 for 3 samples", [] { ksg_mutual_information(ones({3}), ones({3})); });
  says("estimator is 3", [] { ksg_mutual_information(rand({9}), rand({9}), {.estimator = 3}); });
  says("a sample is inf", [] { neighbour_entropy(tensor<double>({1, INFINITY, 2, 3, 4})); });
  says("mine: steps is 0", [] { mine(rand({9}), rand({9}), {.steps = 0}); });
  says("not (2, 2, 2)", [] { estimate_entropy(ones({2, 2, 2})); });
  says("not defined", [] { entropy(Tensor()); });
}

}  // namespace
}  // namespace glia::information
