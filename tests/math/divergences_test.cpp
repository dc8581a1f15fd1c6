// Divergences and fits of distributions: beside samples and their likelihood.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glia/linalg.h"
#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "glia/random.h"
#include "tests/math/known_distributions.h"
#include "tests/support/values.h"

namespace glia::distributions {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

// ---- Divergences ----

TEST(Distributions, DivergencesAreThoseOfSamples) {
  manual_seed(16);
  std::vector<Distribution> all;
  for (const Known& known : kContinuous) all.push_back(known.make(parameters_of(known)));
  for (const Known& known : kContinuous) {
    In near = parameters_of(known);
    for (Tensor& p : near) p = p * 1.15;
    if (std::string(known.name) == "Uniform") near = {f64(-2), f64(3)};
    if (std::string(known.name) == "Pareto") near[0] = f64(1.1);
    all.push_back(known.make(near));
  }
  int pairs = 0, infinite = 0;
  const Tensor grid = linspace(-80, 80, 160001, kF64);
  for (const Distribution& p : all) {
    const Tensor x = middle_of(p, 4000);
    const Tensor log_p = p.log_prob(x);
    for (const Distribution& q : all) {
      Tensor kl;
      try {
        kl = kl_divergence(p, q);
      } catch (const Error&) {
        continue;
      }
      ++pairs;
      if (&p == &q) {
        EXPECT_NEAR(kl.item(), 0, 1e-9) << p.name();
        continue;
      }
      double sampled = mean(log_p - q.log_prob(x)).item();
      const double formula = kl.item();
      if (q.name() == "Gumbel" && std::isfinite(formula)) {  // E e^(-x / s) is far out in p's tail
        const Tensor l = p.log_prob(grid), here = l > -INFINITY, safe = where(here, l, 0);
        sampled = sum(where(here, exp(safe) * (safe - q.log_prob(grid)), 0)).item() * 1e-3;
      }
      if (std::isinf(formula)) {
        ++infinite;
        EXPECT_TRUE(std::isinf(sampled) || sampled > 0.4) << p.name() << " " << q.name();
        continue;
      }
      // Tails of q that fall faster than p's are not in the samples.
      EXPECT_NEAR(formula, sampled, 0.02 * (std::abs(sampled) + 1)) << p.name() << " " << q.name();
      EXPECT_GE(formula, -1e-9);
    }
  }
  EXPECT_GT(pairs, 300);
  EXPECT_GT(infinite, 50);
}

TEST(Distributions, DivergencesOfDiscreteOnesAndVectors) {
  const Tensor k = arange(0, 2000, 1, kF64);
  const auto check = [&](const Distribution& p, const Distribution& q) {
    const Tensor log_p = p.log_prob(k), here = log_p > -INFINITY;
    const Tensor gap = where(here, exp(log_p) * (log_p - q.log_prob(k)), 0);
    EXPECT_NEAR(kl_divergence(p, q).item(), sum(gap).item(), 1e-10) << p.name() << " " << q.name();
  };
  check(Bernoulli(f64(0.3)), Bernoulli(f64(0.6)));
  check(Bernoulli(f64(0.0)), Bernoulli(f64(0.6)));
  check(Bernoulli(f64(0.3)), Poisson(f64(0.8)));
  check(Binomial(f64(20), f64(0.3)), Binomial(f64(20), f64(0.4)));
  check(NegativeBinomial(f64(4), f64(0.3)), NegativeBinomial(f64(4), f64(0.5)));
  check(Geometric(f64(0.3)), Geometric(f64(0.2)));
  check(Poisson(f64(7)), Poisson(f64(9)));
  const Categorical a(tensor<double>({0.2, 0, 0.8})), b(tensor<double>({0.3, 0.3, 0.4}));
  EXPECT_NEAR(kl_divergence(a, b).item(), 0.2 * std::log(2.0 / 3) + 0.8 * std::log(2.0), 1e-12);
  EXPECT_EQ(kl_divergence(b, a).item(), INFINITY);
  EXPECT_EQ(kl_divergence(Poisson(2.0), Bernoulli(0.5)).item(), INFINITY);
  EXPECT_EQ(kl_divergence(Binomial(5.0, 0.5), Binomial(4.0, 0.5)).item(), INFINITY);
  // A low rank one is a full one.
  manual_seed(17);
  const Tensor w = randn({3, 4, 2}, kF64), d = rand({3, 4}, kF64) + 0.3, m = randn({4}, kF64);
  const LowRankMultivariateNormal low(m, w, d);
  const MultivariateNormal full_p(m, matmul(w, transpose(w, -2, -1)) + diag_embed(d));
  const MultivariateNormal q(m + 0.3, eye(4, kF64) * 1.7);
  const LowRankMultivariateNormal low_q(m - 0.2, w * 0.5, d * 2);
  const MultivariateNormal full_q(m - 0.2,
                                  matmul(w, transpose(w, -2, -1)) * 0.25 + diag_embed(d * 2));
  const Tensor x = randn({5, 3, 4}, kF64);
  expect_same(low.log_prob(x), full_p.log_prob(x), 1e-11);
  expect_same(low.entropy(), full_p.entropy(), 1e-12);
  expect_same(kl_divergence(low, q), kl_divergence(full_p, q), 1e-11);
  expect_same(kl_divergence(q, low), kl_divergence(q, full_p), 1e-11);
  expect_same(kl_divergence(low, low_q), kl_divergence(full_p, full_q), 1e-11);
  // And one of independent numbers the sum of theirs.
  const Independent numbers(Normal(m, sqrt(ones({4}, kF64) * 1.7)), 1);
  const Independent others(Normal(m + 0.3, ones({4}, kF64)), 1);
  expect_same(kl_divergence(numbers, others),
              kl_divergence(MultivariateNormal(m, eye(4, kF64) * 1.7),
                            MultivariateNormal(m + 0.3, eye(4, kF64))),
              1e-12);
  EXPECT_NEAR(kl_estimate(Normal(0.0, 1.0), Normal(0.5, 1.3), 200000).item(),
              kl_divergence(Normal(0.0, 1.0), Normal(0.5, 1.3)).item(), 0.01);
}

// ---- Fits ----

TEST(Distributions, FitsFindTheLargestLikelihood) {
  manual_seed(18);
  const auto check = [](const Distribution& truth, const Distribution& fit, const Tensor& x) {
    SCOPED_TRACE(truth.name());
    // Above the true parameters' likelihood, and by not more than a few units.
    const double gain = sum(fit.log_prob(x)).item() - sum(truth.log_prob(x)).item();
    EXPECT_GE(gain, 0);
    EXPECT_LT(gain, 12);
  };
  const int64_t n = 4000;
#define FIT(family, ...)                \
  {                                     \
    const family truth(__VA_ARGS__);    \
    const Tensor x = truth.sample({n}); \
    check(truth, family::fit(x), x);    \
  }
  FIT(Normal, f64(3), f64(0.2))
  FIT(Laplace, f64(-1), f64(2))
  FIT(Cauchy, f64(1), f64(3))
  FIT(Gumbel, f64(100), f64(4))
  FIT(Logistic, f64(-5), f64(0.7))
  FIT(StudentT, f64(4), f64(1), f64(2))
  FIT(VonMises, f64(1), f64(3))
  FIT(Exponential, f64(0.01))
  FIT(Gamma, f64(0.3), f64(5))
  FIT(Gamma, f64(200), f64(5))
  FIT(InverseGamma, f64(3), f64(2))
  FIT(HalfNormal, f64(2))
  FIT(LogNormal, f64(1), f64(0.4))
  FIT(Weibull, f64(30), f64(0.7))
  FIT(Pareto, f64(2), f64(1.3))
  FIT(Uniform, f64(-1), f64(5))
  FIT(Beta, f64(0.4), f64(3))
  FIT(Beta, f64(30), f64(80))
  FIT(Bernoulli, f64(0.2))
  FIT(Geometric, f64(0.1))
  FIT(Poisson, f64(6))
  FIT(NegativeBinomial, f64(3), f64(0.6))
  FIT(Dirichlet, tensor<double>({0.8, 3, 1.5}))
  FIT(MultivariateNormal, tensor<double>({1, 2}), tensor<double>({{2, 0.3}, {0.3, 1}}))
#undef FIT
  expect_values(Categorical::fit(tensor<int64_t>({0, 2, 2, 2}), 4).parameter("probs"), {4},
                {1, 0, 3, 0});
  EXPECT_NE(message_of<ValueError>([] { Normal::fit(ones({5})); }), "");
  EXPECT_NE(message_of<ValueError>([] {
              Gamma::fit(tensor({1.0, -1.0}));
            }).find("-1"),
            std::string::npos);
  EXPECT_NE(message_of<ValueError>([] { Poisson::fit(tensor({1.0, 1.5})); }), "");
  EXPECT_NE(message_of<ValueError>([] { Normal::fit(tensor<double>({1, NAN})); }), "");
  EXPECT_NE(message_of<ValueError>([] { Beta::fit(tensor({0.5})); }), "");
  EXPECT_NE(message_of<ShapeError>([] { Dirichlet::fit(ones({5})); }), "");
}

}  // namespace
}  // namespace glia::distributions
