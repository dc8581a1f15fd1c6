// Distributions: densities of total 1, inverses, moments, samples by tests of fit, gradients
// against differences, divergences, errors, bits.
#include "glia/math/distributions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "glia/autodiff.h"
#include "glia/linalg.h"
#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/math/known_distributions.h"
#include "tests/support/values.h"

namespace glia::distributions {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

TEST(Distributions, DensityIsTheSlopeOfTheCumulativeFunction) {
  for (const Known& known : kContinuous) {
    SCOPED_TRACE(known.name);
    const Distribution d = known.make(parameters_of(known));
    const Tensor x = middle_of(d), h = abs(x) * 1e-5 + 1e-9;
    const Tensor slope = (d.cdf(x + h) - d.cdf(x - h)) / (2 * h), density = exp(d.log_prob(x));
    expect_same(slope / density, ones_like(x), 1e-6);
  }
}

TEST(Distributions, InversesGiveBackProbabilities) {
  const Tensor p = tensor<double>({1e-9, 1e-4, 0.05, 0.2, 0.49, 0.51, 0.8, 0.99, 0.99999});
  for (const Known& known : kContinuous) {
    if (std::string(known.name) == "Mixture") continue;
    SCOPED_TRACE(known.name);
    const Distribution d = known.make(parameters_of(known));
    expect_same(d.cdf(d.icdf(p)) / p, ones_like(p), 1e-7);
    EXPECT_TRUE(std::isnan(d.icdf(-0.1).item()) && std::isnan(d.icdf(1.5).item()));
  }
}

TEST(Distributions, DiscreteProbabilitiesAddUp) {
  for (const Known& known : kDiscrete) {
    SCOPED_TRACE(known.name);
    const Distribution d = known.make(parameters_of(known));
    const Tensor k = arange(-60, 500, 1, kF64);
    const Tensor p = exp(d.log_prob(k));
    EXPECT_NEAR(sum(p).item(), 1, 1e-12);
    expect_same(d.cdf(k), cumsum(p, 0), 1e-12);
    EXPECT_EQ(d.log_prob(0.5).item(), -INFINITY);
    // The smallest whose probability is reached.
    const Tensor q = tensor<double>({0.001, 0.3, 0.5, 0.77, 0.999});
    const Tensor at = cast(d.icdf(q), kF64);
    EXPECT_TRUE(all(d.cdf(at) >= q).item<bool>());
    EXPECT_TRUE(all(d.cdf(at - 1) < q).item<bool>());
    if (std::string(known.name) == "Categorical") continue;
    const double m = sum(p * k).item();
    EXPECT_NEAR(d.mean().item() / m, 1, 1e-10);
    EXPECT_NEAR(d.variance().item() / sum(p * square(k - m)).item(), 1, 1e-10);
    if (std::string(known.name) == "Skellam") continue;
    EXPECT_NEAR(d.entropy().item() / -nansum(p * log(p)).item(), 1, 1e-10);
  }
}

// By the rule of the middle over the probabilities, which is exact enough but for heavy tails.
TEST(Distributions, MomentsAndEntropyAreThoseOfTheDensity) {
  for (const Known& known : kContinuous) {
    const std::string name = known.name;
    if (name == "Cauchy" || name == "HalfCauchy" || name == "Mixture" || name == "VonMises")
      continue;
    SCOPED_TRACE(name);
    const Distribution d = known.make(parameters_of(known));
    const Tensor x = middle_of(d, 20000);
    if (name == "Transformed" || name == "RelaxedBernoulli") continue;  // have none
    const double m = mean(x).item();
    EXPECT_NEAR(d.mean().item(), m, 2e-3 * (std::abs(m) + 1));
    EXPECT_NEAR(d.entropy().item(), -mean(d.log_prob(x)).item(), 2e-3);
    const bool heavy = name == "FisherSnedecor" || name == "StudentT" || name == "Pareto" ||
                       name == "InverseGamma";
    if (!heavy) {
      EXPECT_NEAR(d.variance().item() / var(x, {}, false, 0).item(), 1, 2e-2);
    }
  }
}

TEST(Distributions, ModesHaveTheLargestDensity) {
  for (const Known& known : kContinuous) {
    const std::string name = known.name;
    const Distribution d = known.make(parameters_of(known));
    double mode = 0;
    try {
      mode = d.mode().item();
    } catch (const Error&) {
      continue;
    }
    if (std::isnan(mode)) continue;
    SCOPED_TRACE(name);
    EXPECT_GE(d.log_prob(mode).item() + 1e-9, max(d.log_prob(middle_of(d, 999))).item());
  }
}

// ---- Samples ----

// The largest distance of the empirical function from the true one; beyond 1.63 / sqrt(n) with
// probability 0.01, here beyond 2.3 with 5e-5.
TEST(Distributions, SamplesOfContinuousOnesFit) {
  manual_seed(7);
  for (const Known& known : kContinuous) {
    SCOPED_TRACE(known.name);
    for (DType dtype : {kF64, kF32}) {
      In p = parameters_of(known);
      for (Tensor& one : p) one = cast(one, dtype);
      const Distribution d = known.make(p);
      const int64_t n = 20000;
      const Tensor x = sort(cast(d.sample({n}), kF64)).first;
      const Tensor u = d.cdf(x), i = arange(0, n, 1, kF64);
      const double far =
          max(maximum(u - i / static_cast<double>(n), (i + 1) / static_cast<double>(n) - u)).item();
      EXPECT_LT(far * std::sqrt(static_cast<double>(n)), 2.3) << name(dtype);
      EXPECT_EQ(d.sample({3}).dtype(), dtype);
      EXPECT_FALSE(d.sample({3}).requires_grad());
    }
  }
}

// Pearson's statistic of kinds that are expected 10 times or more; each sum of the rest is one.
TEST(Distributions, SamplesOfDiscreteOnesFit) {
  manual_seed(8);
  for (const Known& known : kDiscrete) {
    SCOPED_TRACE(known.name);
    const Distribution d = known.make(parameters_of(known));
    const int64_t n = 50000;
    std::map<double, double> counts;
    for (double v : d.sample({n}).to_vector<double>()) ++counts[v];
    double statistic = 0, kinds = 0, rest = 0, rest_expected = static_cast<double>(n);
    for (double k = -60; k < 500; ++k) {
      const double expected = static_cast<double>(n) * std::exp(d.log_prob(k).item());
      if (expected >= 10) {
        statistic += std::pow(counts[k] - expected, 2) / expected;
        rest_expected -= expected;
        ++kinds;
      } else {
        rest += counts[k];
      }
    }
    if (rest_expected > 5) statistic += std::pow(rest - rest_expected, 2) / rest_expected;
    const double freedom = std::max(kinds - 1, 1.0);
    EXPECT_LT(statistic, freedom + 4.5 * std::sqrt(2 * freedom) + 8) << kinds;
  }
}

TEST(Distributions, SmallAndLargeShapesOfGamma) {
  manual_seed(9);
  for (double a : {1e-3, 0.05, 1.0, 1e4, 1e7}) {
    SCOPED_TRACE(a);
    const int64_t n = 20000;
    const Gamma d(f64(a), f64(1));
    const Tensor x = d.sample({n});
    // The mean within 5 of its deviations.
    EXPECT_LT(std::abs(mean(x).item() - a), 5 * std::sqrt(a / static_cast<double>(n)));
    EXPECT_TRUE(all(x >= 0).item<bool>());
  }
  // Values of a Dirichlet that all but vanish are still a row of sum 1.
  const Tensor rows = Dirichlet(full({3}, 1e-3, kF64)).sample({1000});
  expect_same(sum(rows, {1}), ones({1000}, kF64), 1e-12);
  EXPECT_TRUE(all(isfinite(rows)).item<bool>());
}

TEST(Distributions, CategoriesOfNoProbabilityAreNeverDrawn) {
  manual_seed(10);
  const Categorical d(tensor({0.0, 2.0, 0.0, 1.0, 0.0}));
  const Tensor x = d.sample({5000});
  EXPECT_EQ(x.dtype(), kI64);
  EXPECT_TRUE(all((x == 1) | (x == 3)).item<bool>());
  expect_values(exp(d.log_prob(tensor<int64_t>({0, 1, 3, 5, -1}))), {5},
                {0, 2.0 / 3, 1.0 / 3, 0, 0}, 1e-7);
  const Tensor counts = Multinomial(100, tensor<double>({0.2, 0, 0.8})).sample({200});
  expect_same(sum(counts, {1}), full({200}, 100, kF64));
  EXPECT_EQ(max(index(counts, {Slice{}, 1})).item(), 0);
  EXPECT_NEAR(mean(index(counts, {Slice{}, 0})).item(), 20, 5 * 4 / std::sqrt(200.0));
}

TEST(Distributions, SamplesOfVectorsHaveTheirMoments) {
  manual_seed(11);
  const Tensor covariance = tensor<double>({{2.0, 0.6}, {0.6, 0.5}}), loc = tensor<double>({1, -1});
  const int64_t n = 40000;
  const Tensor factor = tensor<double>({{1.2}, {0.5}}), diagonal = tensor<double>({0.56, 0.25});
  for (const Distribution& d : std::vector<Distribution>{
           MultivariateNormal(loc, covariance), LowRankMultivariateNormal(loc, factor, diagonal),
           MultivariateNormal::from_precision(loc, linalg::inv(covariance))}) {
    SCOPED_TRACE(d.name());
    const Tensor x = d.sample({n});
    expect_same(mean(x, {0}), loc, 0.03);
    expect_same(cov(transpose(x)), covariance, 0.06);
    expect_values(d.variance(), {2}, {2, 0.5}, 1e-12);
  }
  const Wishart w(f64(5), covariance);
  const Tensor matrices = w.sample({n});
  expect_same(mean(matrices, {0}), 5 * covariance, 0.15);
  expect_same(w.mean(), 5 * covariance, 1e-12);
  expect_same(var(matrices, {0}) / w.variance(), ones({2, 2}, kF64), 0.06);
  // Correlations of an LKJ are (beta - 1/2) 2 of Beta(c + (dim - 2) / 2, same).
  const Tensor factors = LKJCholesky(4, f64(1.5)).sample({n});
  const Tensor correlation = matmul(factors, transpose(factors, -2, -1));
  expect_same(index(correlation, {Ellipsis, 2, 2}), ones({n}, kF64), 1e-12);
  const double b = 1.5 + 1;
  EXPECT_NEAR(mean(square(index(correlation, {Ellipsis, 3, 1}))).item(), 1 / (2 * b + 1), 0.01);
  EXPECT_NEAR(mean(square(index(correlation, {Ellipsis, 1, 0}))).item(), 1 / (2 * b + 1), 0.01);
}

TEST(Distributions, SameSamplesForAnyNumberOfThreads) {
  const int before = num_threads();
  std::vector<std::vector<double>> found;
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    manual_seed(12);
    std::vector<double> all;
    for (const auto* families : {&kContinuous, &kDiscrete}) {
      for (const Known& known : *families) {
        for (double v : known.make(parameters_of(known)).sample({3000}).to_vector<double>())
          all.push_back(v);
      }
    }
    found.push_back(all);
  }
  set_num_threads(before);
  EXPECT_TRUE(found[0] == found[1]);
}

// ---- Gradients ----

TEST(Distributions, GradientsOfDensitiesAndProbabilities) {
  for (const Known& known : kContinuous) {
    SCOPED_TRACE(known.name);
    const Distribution d = known.make(parameters_of(known));
    In in = parameters_of(known);
    const size_t n = in.size();
    in.push_back(middle_of(d, 7) + 1e-3);
    const auto split = [&](const In& t) {
      return known.make(In(t.begin(), t.begin() + static_cast<int64_t>(n)));
    };
    EXPECT_EQ(gradcheck([&](const In& t) { return split(t).log_prob(t.back()); }, in), "");
    if (std::string(known.name) == "VonMises") continue;
    EXPECT_EQ(gradcheck([&](const In& t) { return split(t).cdf(t.back()); }, in), "");
    if (std::string(known.name) == "Mixture") continue;
    in.back() = linspace(0.07, 0.93, 5, kF64);
    EXPECT_EQ(gradcheck([&](const In& t) { return split(t).icdf(t.back()); }, in), "");
  }
  for (const Known& known : kDiscrete) {
    const std::string name = known.name;
    if (name == "Categorical") continue;
    SCOPED_TRACE(name);
    // Not by counts, which are whole.
    In in = parameters_of(known), fixed;
    if (name == "Binomial" || name == "BetaBinomial") {
      fixed.push_back(in[0]);
      in.erase(in.begin());
    }
    const auto with = [&](const In& t) {
      In all = fixed;
      all.insert(all.end(), t.begin(), t.end());
      return known.make(all);
    };
    const Tensor k = name == "Bernoulli" ? tensor<double>({0, 1}) : tensor<double>({0, 1, 3, 7});
    EXPECT_EQ(gradcheck([&](const In& t) { return with(t).log_prob(k); }, in), "");
    if (name == "Skellam") continue;
    EXPECT_EQ(gradcheck([&](const In& t) { return with(t).cdf(k); }, in), "");
  }
}

// d E f(x) / d parameter by samples, against differences of E f by the rule of the middle.
TEST(Distributions, ReparameterisedGradients) {
  manual_seed(13);
  const auto f = [](const Tensor& x) { return tanh(x / 2); };
  for (const Known& known : kContinuous) {
    const Distribution d = known.make(parameters_of(known));
    if (!d.has_rsample()) continue;
    SCOPED_TRACE(known.name);
    In in = parameters_of(known);
    for (Tensor& p : in) p = trainable(p);
    const In g = gradients(mean(f(known.make(in).rsample({100000}))), in);
    for (size_t i = 0; i < in.size(); ++i) {
      const double h = 1e-4;
      In up = parameters_of(known), down = up;
      up[i] = up[i] + h, down[i] = down[i] - h;
      const auto expected = [&](const In& p) {
        return mean(f(middle_of(known.make(p), 4000))).item();
      };
      EXPECT_NEAR(g[i].item(), (expected(up) - expected(down)) / (2 * h), 0.01) << i;
    }
  }
}

TEST(Distributions, ImplicitGradientOfGammaIsExact) {
  // x(a) at a fixed probability: differences of the inverse.
  manual_seed(14);
  for (double a : {0.05, 0.7, 1.0, 4.0, 60.0, 2000.0}) {
    SCOPED_TRACE(a);
    const Tensor shape = trainable(full({50}, a, kF64));
    const Tensor x = Gamma(shape, f64(1)).rsample();
    const Tensor g = gradients(sum(x), {shape})[0];
    const Tensor p = Gamma(stop_gradient(shape), f64(1)).cdf(stop_gradient(x));
    const double h = a * 1e-5;
    const Tensor up = Gamma(full({50}, a + h, kF64), f64(1)).icdf(p);
    const Tensor down = Gamma(full({50}, a - h, kF64), f64(1)).icdf(p);
    const Tensor slope = (up - down) / (2 * h);
    const Tensor seen = where(p > 1 - 1e-6, 1, g / slope);  // p is too near to 1 for its inverse
    expect_same(seen, ones({50}, kF64), 1e-5);
  }
}

TEST(Distributions, StraightThroughAndRelaxed) {
  manual_seed(15);
  const Tensor logits = trainable(tensor<double>({0.2, -1.0, 0.7}));
  const auto hard = OneHotCategoricalStraightThrough::from_logits(logits);
  const Tensor x = hard.rsample({10});
  expect_same(sum(x, {1}), ones({10}, kF64), 1e-15);
  const Tensor weight = tensor<double>({1, 2, 4});
  const Tensor g = gradients(sum(x * weight), {logits})[0];
  const Tensor expected = gradients(10 * sum(softmax(logits) * weight), {logits})[0];
  expect_same(g, expected, 1e-12);
  // At a low temperature a relaxed sample is all but one.
  const auto soft = RelaxedOneHotCategorical::from_logits(0.02, logits);
  const Tensor y = soft.rsample({4000});
  expect_same(sum(y, {1}), ones({4000}, kF64), 1e-12);
  expect_same(mean(y, {0}), softmax(logits), 0.03);
  EXPECT_TRUE(y.requires_grad());
}

// ---- Transforms ----

TEST(Distributions, TransformsAndTheirSlopes) {
  const Tensor x = tensor<double>({-1.3, -0.2, 0.4, 1.7});
  for (const Transform& t :
       std::vector<Transform>{AffineTransform(f64(2), f64(-3)), ExpTransform(), SigmoidTransform(),
                              TanhTransform(), SoftplusTransform(), ExpTransform().inv().inv(),
                              ComposeTransform({ExpTransform(), PowerTransform(f64(1.7)),
                                                AffineTransform(1.0, 2.0)})}) {
    SCOPED_TRACE(t.name());
    const Tensor y = t(x);
    expect_same(t.inverse(y), x, 1e-12);
    expect_same(t.inv()(y), x, 1e-12);
    const Tensor h = full({}, 1e-6, kF64), slope = (t(x + h) - t(x - h)) / (2 * h);
    expect_same(t.log_abs_det_jacobian(x, y), log(abs(slope)), 1e-8);
    expect_same(t.inv().log_abs_det_jacobian(y, x), -log(abs(slope)), 1e-8);
  }
  const StickBreakingTransform stick;
  const Tensor rows = glia::test::numbers({3, 4}), broken = stick(rows);
  EXPECT_EQ(broken.shape(), Shape({3, 5}));
  expect_same(sum(broken, {1}), ones({3}, kF64), 1e-14);
  expect_same(stick.inverse(broken), rows, 1e-12);
  // The determinant of the first four rows of the derivative.
  const Tensor j = jacobian(
      [&](const In& t) {
        return slice(stick(t[0]), -1, {0, 4});
      },
      {index(rows, {0})})[0];
  EXPECT_NEAR(index(stick.log_abs_det_jacobian(rows, broken), {0}).item(),
              linalg::slogdet(j).logabsdet.item(), 1e-10);
  const LowerCholeskyTransform lower;
  const Tensor m = glia::test::numbers({3, 3}), l = lower(m);
  EXPECT_EQ(max(abs(triu(l, 1))).item(), 0);
  expect_same(lower.inverse(l), tril(m), 1e-14);
  EXPECT_NEAR(lower.log_abs_det_jacobian(m, l).item(), trace(m).item(), 1e-14);
}

TEST(Distributions, MadeOnes) {
  // The sum of the numbers' densities.
  const Normal base(zeros({3, 4}, kF64), ones({4}, kF64));
  const Independent rows(base, 1);
  EXPECT_EQ(rows.batch_shape(), Shape({3}));
  EXPECT_EQ(rows.event_shape(), Shape({4}));
  const Tensor x = glia::test::numbers({5, 3, 4});
  expect_same(rows.log_prob(x), sum(base.log_prob(x), {-1}), 1e-14);
  EXPECT_EQ(rows.sample({2, 7}).shape(), Shape({2, 7, 3, 4}));
  expect_same(rows.entropy(), sum(base.entropy(), {-1}), 1e-14);
  // A transform that takes the last axis makes it the event.
  const LogisticNormal simplex(zeros({2, 3}, kF64), ones({2, 3}, kF64));
  EXPECT_EQ(simplex.batch_shape(), Shape({2}));
  EXPECT_EQ(simplex.event_shape(), Shape({4}));
  const Tensor y = simplex.sample({6});
  EXPECT_EQ(y.shape(), Shape({6, 2, 4}));
  EXPECT_EQ(simplex.log_prob(y).shape(), Shape({6, 2}));
  // e^normal both ways.
  const TransformedDistribution by_transform(Normal(f64(0.3), f64(0.7)), {ExpTransform()});
  const LogNormal own(f64(0.3), f64(0.7));
  const Tensor at = tensor<double>({0.2, 1, 5});
  expect_same(by_transform.log_prob(at), own.log_prob(at), 1e-13);
  expect_same(by_transform.cdf(at), own.cdf(at), 1e-14);
  expect_same(kl_divergence(by_transform,
                            TransformedDistribution(Normal(f64(0), f64(1)), {ExpTransform()})),
              kl_divergence(own, LogNormal(f64(0), f64(1))), 1e-14);
  // Mixtures of vectors.
  const MixtureSameFamily mixture(
      Categorical(tensor<double>({1, 3})),
      Independent(Normal(tensor<double>({{0, 0}, {2, 1}}), f64(0.5)), 1));
  EXPECT_EQ(mixture.event_shape(), Shape({2}));
  expect_values(mixture.mean(), {2}, {1.5, 0.75}, 1e-14);
  expect_values(mixture.variance(), {2}, {0.25 + 0.75, 0.25 + 0.1875}, 1e-14);
  const Tensor draws = mixture.sample({20000});
  expect_same(mean(draws, {0}), mixture.mean(), 0.04);
  EXPECT_EQ(mixture.log_prob(draws).shape(), Shape({20000}));
}

// ---- Edges ----

TEST(Distributions, ShapesBroadcast) {
  const Normal d(zeros({3, 1}), ones({4}));
  EXPECT_EQ(d.batch_shape(), Shape({3, 4}));
  EXPECT_EQ(d.mean().shape(), Shape({3, 4}));
  EXPECT_EQ(d.entropy().shape(), Shape({3, 4}));
  EXPECT_EQ(d.sample({2}).shape(), Shape({2, 3, 4}));
  EXPECT_EQ(d.log_prob(0).shape(), Shape({3, 4}));
  EXPECT_EQ(d.log_prob(zeros({5, 1, 1})).shape(), Shape({5, 3, 4}));
  EXPECT_EQ(d.log_prob(zeros({5, 1, 1}, kF64)).dtype(), kF64);
  EXPECT_EQ(Uniform(zeros({3}), 2.0).log_prob(ones({2, 1})).shape(), Shape({2, 3}));
  EXPECT_EQ(Normal(zeros({0}), 1.0).sample({3}).shape(), Shape({3, 0}));
  EXPECT_EQ(Normal(0, 1).sample().shape(), Shape());
  EXPECT_EQ(Categorical(ones({2, 5})).sample({3}).shape(), Shape({3, 2}));
  EXPECT_EQ(Dirichlet(ones({2, 5})).rsample({3}).shape(), Shape({3, 2, 5}));
  EXPECT_EQ(Multinomial(4, ones({2, 5})).sample({3}).shape(), Shape({3, 2, 5}));
  EXPECT_EQ(kl_divergence(Normal(zeros({3, 1}), 1.0), Normal(zeros({4}), 1.0)).shape(),
            Shape({3, 4}));
}

TEST(Distributions, OutsideTheSupportThereIsNoProbability) {
  for (const Distribution& d : std::vector<Distribution>{
           Exponential(1.0), Gamma(2.0, 1.0), LogNormal(0.0, 1.0), Weibull(1.0, 2.0),
           InverseGamma(1.0, 1.0), HalfNormal(1.0), Pareto(1.0, 1.0), Uniform(0.0, 1.0),
           Beta(2.0, 2.0), Poisson(3.0), Binomial(4.0, 0.5), Geometric(0.5)}) {
    SCOPED_TRACE(d.name());
    EXPECT_EQ(d.log_prob(-0.5).item(), -INFINITY);
    EXPECT_EQ(d.cdf(-0.5).item(), 0);
    EXPECT_TRUE(std::isnan(d.log_prob(NAN).item()));
    EXPECT_NEAR(d.cdf(INFINITY).item(), 1, 1e-12);
    EXPECT_NO_THROW(d.validate());
  }
  // And the gradient there is 0, not NaN.
  const Tensor rate = trainable(f64(2));
  const Tensor l = Exponential(rate).log_prob(tensor<double>({-1, 1}));
  EXPECT_NEAR(gradients(sum(where(isfinite(l), l, 0)), {rate})[0].item(), 0.5 - 1, 1e-14);
}

TEST(Distributions, ErrorsSayWhatIsWrong) {
  const auto says = [](const std::string& what, const std::function<void()>& f) {
    const std::string message = message_of(f);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  says("Normal: scale is -1, not positive", [] { Normal(0, -1); });
  says("Normal: loc is nan", [] { Normal(NAN, 1); });
  says("Bernoulli: probs is 1.5, not in [0, 1]", [] { Bernoulli(1.5); });
  says("Uniform: low 2 is not below high 1", [] { Uniform(2, 1); });
  says("Normal: scale:", [] { Normal(zeros({3}), ones({4})); });
  says("Normal.log_prob", [] { Normal(zeros({3}), 1.0).log_prob(zeros({4})); });
  says("Cauchy: has no parameter 'mean'", [] { Cauchy(0, 1).parameter("mean"); });
  says("Poisson: has no reparameterised sample", [] { Poisson(3.0).rsample(); });
  says("Dirichlet: has no cdf", [] { Dirichlet(ones({3})).cdf(ones({3}) / 3); });
  says("kl_divergence: no formula for Cauchy and Normal",
       [] { kl_divergence(Cauchy(0, 1), Normal(0, 1)); });
  says("Normal: scale is -2, not positive", [] { Normal(0, tensor({1.0, -2.0})).validate(); });
  says("Wishart: df is 1", [] { Wishart(1, eye(2)); });
  says("Dirichlet.log_prob", [] { Dirichlet(ones({3})).log_prob(ones({4}) / 4); });
  says("MixtureSameFamily: 2 categories for the batch (3,)",
       [] { MixtureSameFamily(Categorical(ones({2})), Normal(zeros({3}), 1)); });
  says("not defined", [] { Normal(Tensor(), 1); });
  says("LKJCholesky: dim is 1", [] { LKJCholesky(1); });
  says("positive definite", [] {
    MultivariateNormal(zeros({2}), tensor({{1.0f, 2.0f}, {2.0f, 1.0f}})).entropy().item();
  });
  EXPECT_TRUE(std::isnan(Normal(0, tensor({-2.0})).log_prob(0.0).item()));
}

TEST(Distributions, WhatEachIs) {
  const Gamma d(f64(2), f64(3));
  EXPECT_EQ(d.name(), "Gamma");
  EXPECT_EQ(d.support(), Support::kPositive);
  EXPECT_FALSE(d.is_discrete());
  EXPECT_EQ(d.parameters().size(), 2u);
  EXPECT_EQ(d.parameter("rate").item(), 3);
  EXPECT_NEAR(d.stddev().item(), std::sqrt(2.0) / 3, 1e-14);
  EXPECT_TRUE(Poisson(1.0).is_discrete());
  EXPECT_EQ(Chi2(f64(4)).parameter("df").item(), 4);
}

}  // namespace
}  // namespace glia::distributions
