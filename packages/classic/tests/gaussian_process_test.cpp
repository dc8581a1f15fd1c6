// Gaussian processes: closed forms, slopes by differences, texts of kernels. Beside scikit-learn:
// parity/bayes.py.
#include "glia/classic/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "classic_data.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

class GaussianProcessFiles : public glia::test::Scratch {};

const std::vector<std::string> kKernels = {
    "ConstantKernel(constant_value=2) * RBF(length_scale=1.5)",
    "RBF(length_scale=[1, 2])",
    "Matern(length_scale=1.25, nu=0.5) + WhiteKernel(noise_level=0.25)",
    "Matern(length_scale=[1, 3], nu=1.5)",
    "Matern(length_scale=0.75, nu=2.5)",
    "Matern(length_scale=0.75, nu=inf)",
    "Matern(length_scale=2, nu=3.5)",
    "RationalQuadratic(alpha=0.75, length_scale=1.5)",
    "ExpSineSquared(length_scale=1.5, periodicity=2.25) * RBF(length_scale=4)",
    "(DotProduct(sigma_0=0.5)) ** 2 + ConstantKernel(constant_value=0.5, "
    "constant_value_bounds=fixed)",
    "ConstantKernel(constant_value=1.5) * (RBF(length_scale=2, length_scale_bounds=(0.1, 10)) + "
    "DotProduct(sigma_0=1))"};

TEST(Kernels, AreTheirTexts) {
  for (const std::string& text : kKernels) {
    const Kernel kernel = parse_kernel(text);
    EXPECT_EQ(to_text(kernel), text);
    EXPECT_EQ(kernel.theta().size(), kernel.bounds().size());
    EXPECT_EQ(kernel.theta().size(), kernel.names().size());
  }
  EXPECT_EQ(to_text(parse_kernel("2**2*RBF( length_scale = 1 )")),
            "ConstantKernel(constant_value=4) * RBF(length_scale=1)");
  EXPECT_EQ(
      to_text(2 * RBF({1, 2}) + WhiteKernel()),
      "ConstantKernel(constant_value=2) * RBF(length_scale=[1, 2]) + WhiteKernel(noise_level=1)");
  EXPECT_EQ(
      parse_kernel(kKernels[10]).names(),
      (std::vector<std::string>{"k1__constant_value", "k2__k1__length_scale", "k2__k2__sigma_0"}));
  for (const char* wrong :
       {"", "RBF", "RBF(", "RBF()x", "RBF(length_scale=0)", "RBF(length_scale=-1)", "RBF(l=1)",
        "Poly()", "RBF(length_scale=[1,)", "1 +", "Matern(nu=0)", "Matern(nu=99)",
        "RBF(length_scale_bounds=(2, 1))", "RationalQuadratic(length_scale=[1, 2])",
        "ConstantKernel(constant_value=nan)"})
    EXPECT_THROW(parse_kernel(wrong), ValueError) << wrong;
  EXPECT_THROW(parse_kernel(std::string(10000, '(')), ValueError);
}

// Each derivative by differences, and the diagonal, the symmetry, and that it is a covariance.
TEST(Kernels, HaveTheirDerivatives) {
  const Tensor x = blobs(7, 2, 1, 0).x;
  for (const std::string& text : kKernels) {
    SCOPED_TRACE(text);
    const Kernel kernel = parse_kernel(text);
    const Kernel::Gradient g = kernel.gradient(x);
    expect_same(g.value, kernel(x), 1e-14);
    expect_same(transpose(g.value), g.value, 1e-12);
    expect_same(sum(g.value * eye(7, kF64), {1}), kernel.diag(x), 1e-12);
    ASSERT_EQ(g.by_theta.size(), kernel.theta().size());
    const double h = 1e-5;
    for (size_t i = 0; i < g.by_theta.size(); ++i) {
      std::vector<double> up = kernel.theta(), down = up;
      up[i] += h, down[i] -= h;
      expect_same((kernel.with_theta(up)(x) - kernel.with_theta(down)(x)) / (2 * h), g.by_theta[i],
                  1e-7);
    }
  }
  EXPECT_THROW(RBF({1, 2, 3})(x), ShapeError);
  EXPECT_THROW(RBF()(x, ones({3, 5})), ShapeError);
  EXPECT_THROW(RBF()(x * NAN), ValueError);
  EXPECT_THROW(RBF().with_theta({1, 2}), ValueError);
  EXPECT_FALSE(parse_kernel(kKernels[10]).is_stationary());
}

TEST(GaussianProcessRegressor, OfOneSample) {
  // k = 2, noise 0.5, y = 3: mean k/(k + noise) y where it was, variance k - k^2/(k + noise).
  GaussianProcessRegressor gp(
      {.kernel = 2 * RBF(), .alpha = 0.5, .optimizer = KernelOptimizer::kNone});
  gp.fit(tensor({{1.}}), tensor({3.}));
  const auto at = gp.predict_std(tensor({{1.}, {2.}, {1e9}}));
  const double k = 2 * std::exp(-0.5);
  expect_same(at.mean, tensor({2 / 2.5 * 3, k / 2.5 * 3, 0.}), 1e-14);
  expect_same(square(at.std), tensor({2 - 4 / 2.5, 2 - k * k / 2.5, 2.}), 1e-13);
  EXPECT_NEAR(gp.log_marginal_likelihood_value,
              -0.5 * 9 / 2.5 - 0.5 * std::log(2.5) - 0.5 * std::log(2 * std::numbers::pi), 1e-14);
}

TEST(GaussianProcessRegressor, FindsWhatMadeTheData) {
  std::vector<double> xs, ys;
  data::Random random(3);
  for (int i = 0; i < 80; ++i) {
    xs.push_back(10 * random.uniform());
    ys.push_back(std::sin(xs.back()) + 0.1 * test::gaussian(random));
  }
  const Tensor x = from_vector(xs, {80, 1}), y = from_vector(ys, {80});
  GaussianProcessRegressor gp({.kernel = 1 * RBF() + WhiteKernel(0.5), .n_restarts_optimizer = 2});
  gp.fit(x, y);
  // At the top nothing leads up.
  const auto top = gp.log_marginal_likelihood(gp.theta.to_vector<double>());
  EXPECT_NEAR(top.value, gp.log_marginal_likelihood_value, 1e-9);
  for (const double slope : top.gradient) EXPECT_NEAR(slope, 0, 2e-3);
  const double noise = std::exp(gp.theta.to_vector<double>().back());
  EXPECT_GT(noise, 0.005);
  EXPECT_LT(noise, 0.02);  // 0.1^2
  // 95 % of new samples lie within 1.96 deviations.
  std::vector<double> more, truth;
  for (int i = 0; i < 400; ++i) {
    more.push_back(10 * random.uniform());
    truth.push_back(std::sin(more.back()) + 0.1 * test::gaussian(random));
  }
  const auto says = gp.predict_std(from_vector(more, {400, 1}));
  const Tensor in = abs(from_vector(truth, {400}) - says.mean) <= 1.96 * says.std;
  EXPECT_NEAR(mean(cast(in, kF64)).item(), 0.95, 0.04);
  // Draws have the mean and the covariance that are said.
  const Tensor where = tensor({{1.}, {2.}, {12.}});
  const auto known = gp.predict_cov(where);
  const Tensor draws = gp.sample_y(where, 20000, 1);
  EXPECT_EQ(draws.shape(), (Shape{3, 20000}));
  expect_same(mean(draws, {1}), known.mean, 0.03);
  const Tensor rest = draws - mean(draws, {1}, true);
  expect_same(matmul(rest, transpose(rest)) / 20000.0, known.cov, 0.03);
}

TEST(GaussianProcessRegressor, SeveralOutputsAndScales) {
  const auto b = blobs(30, 2, 1, 0);
  const Tensor y = stack({index(b.x, {Slice{}, 0}) * 1000 + 5, index(b.x, {Slice{}, 1})}, 1);
  GaussianProcessRegressor gp({.alpha = 1e-6, .normalize_y = true});
  gp.fit(b.x, y);
  expect_same(gp.predict(b.x), y, 1e-1);
  EXPECT_EQ(gp.predict_std(b.x).std.shape(), (Shape{30, 2}));
  EXPECT_EQ(gp.predict_cov(b.x).cov.shape(), (Shape{30, 30, 2}));
  EXPECT_EQ(gp.sample_y(b.x, 3).shape(), (Shape{30, 2, 3}));
  EXPECT_TRUE(message_of<ValueError>([&] {
                GaussianProcessRegressor none({.kernel = DotProduct(), .alpha = 0});
                none.fit(b.x, y);
              }).find("alpha") != std::string::npos);
  EXPECT_THROW(gp.fit(b.x, y, ones({30})), Error);
  EXPECT_THROW(GaussianProcessRegressor({.alphas = ones({3})}).fit(b.x, y), ShapeError);
}

TEST_F(GaussianProcessFiles, KeepTheirKernel) {
  const auto b = blobs(40, 2, 3, 3);
  const Tensor y = from_vector(b.of, {40});
  GaussianProcessClassifier gp({.kernel = 1 * Matern({1, 1})});
  gp.fit(b.x, y);
  EXPECT_GT(gp.score(b.x, y), 0.9);
  expect_same(sum(gp.predict_proba(b.x), {1}), ones({40}, kF64), 1e-12);
  write_estimator(file("gp.safetensors"), gp);
  const auto again = read_estimator(file("gp.safetensors"));
  expect_same(again->predict_proba(b.x), gp.predict_proba(b.x), 1e-14);
  EXPECT_EQ(gp.kernels().size(), 3);
  EXPECT_THROW(gp.latent_mean_and_variance(b.x), Error);
  EXPECT_THROW(GaussianProcessClassifier().fit(b.x, zeros({40}, kI64)), ValueError);
}

}  // namespace
}  // namespace glia::classic
