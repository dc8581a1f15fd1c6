// Truncated SVD, NMF and independent components, and PCA's solvers.
#include "glia/classic/decomposition.h"

#include <gtest/gtest.h>

#include <cmath>

#include "classic_data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;

Tensor normal(int64_t n, int64_t d, uint64_t seed) {
  data::Random random(seed);
  std::vector<double> x;
  for (int64_t i = 0; i < n * d; ++i) x.push_back(test::gaussian(random));
  return from_vector(x, {n, d});
}

TEST(PCA, SolversAgree) {
  for (const auto& [n, d] : {std::pair<int64_t, int64_t>{60, 8}, {8, 60}, {20, 20}}) {
    const Tensor x = matmul(normal(n, 5, 1), normal(5, d, 2)) + 7;  // rank 5
    PCA full({.n_components = 4, .svd_solver = SvdSolver::kFull}), eigh = full, random = full;
    set_params(eigh, {{"svd_solver", "covariance_eigh"}});
    set_params(random, {{"svd_solver", "randomized"}});
    full.fit(x);
    for (PCA* other : {&eigh, &random}) {
      other->fit(x);
      expect_same(other->components, full.components, 1e-10);
      expect_same(other->explained_variance, full.explained_variance, 1e-10);
      expect_same(other->explained_variance_ratio, full.explained_variance_ratio, 1e-10);
    }
    const PCA five = PCA({.n_components = 5}).fit(x);
    expect_same(five.inverse_transform(five.transform(x)), x, 1e-10);
    EXPECT_EQ(PCA({.n_components = 0.9999999}).fit(x).components.size(0), 5);
  }
  EXPECT_THROW(PCA({.n_components = 1.5}), ValueError);
  EXPECT_THROW(PCA({.n_components = 0.5, .svd_solver = SvdSolver::kRandomized}), ValueError);
}

TEST(PCA, DensityIsThatOfAGaussian) {
  const Tensor x = normal(200, 3, 3);
  const PCA pca = PCA({.n_components = 2}).fit(x);
  const Tensor covariance = pca.get_covariance();
  const Tensor rest = x - pca.mean;
  const Tensor square_distance = sum(matmul(rest, linalg::inv(covariance)) * rest, {1});
  const double log_det = linalg::slogdet(covariance).logabsdet.item();
  expect_same(pca.score_samples(x), -0.5 * (square_distance + log_det + 3 * std::log(2 * M_PI)),
              1e-10);
  // All of the variance is in the model.
  const Tensor c = matmul(transpose(rest), rest) / 199.0;
  EXPECT_NEAR(sum(linalg::eigvalsh(covariance)).item(), sum(linalg::eigvalsh(c)).item(), 1e-10);
}

TEST(TruncatedSVD, IsTheSVD) {
  const Tensor x = normal(50, 12, 4);
  const TruncatedSVD exact = TruncatedSVD({.n_components = 3, .randomized = false}).fit(x);
  const TruncatedSVD random = TruncatedSVD({.n_components = 3, .n_iter = 30}).fit(x);
  expect_same(random.components, exact.components, 1e-6);
  expect_same(exact.singular_values, slice(linalg::svdvals(x), 0, Slice{0, 3}), 1e-12);
  expect_same(exact.transform(x), matmul(x, transpose(exact.components)), 1e-12);
  EXPECT_THROW(TruncatedSVD({.n_components = 13}).fit(x), ValueError);
}

TEST(NMF, FindsFactorsOfAProduct) {
  const Tensor w = abs(normal(40, 3, 5)), h = abs(normal(3, 15, 6)), x = matmul(w, h);
  for (const NMFInit init : {NMFInit::kNndsvd, NMFInit::kNndsvda, NMFInit::kRandom}) {
    NMF nmf({.n_components = 3, .init = init, .tol = 1e-9, .max_iter = 5000});
    const Tensor found = nmf.fit_transform(x);
    EXPECT_GE(min(found).item(), 0);
    EXPECT_GE(min(nmf.components).item(), 0);
    EXPECT_LT(nmf.reconstruction_err / std::sqrt(sum(square(x)).item()), 0.02);
    expect_same(nmf.inverse_transform(nmf.transform(x)), matmul(found, nmf.components), 0.1);
  }
  EXPECT_THROW(NMF().fit(x - 1), ValueError);
  EXPECT_THROW(NMF({.n_components = 20}).fit(x), ValueError);
  const NMF zero = NMF({.n_components = 2}).fit(zeros({4, 3}, kF64));
  EXPECT_EQ(zero.reconstruction_err, 0);
}

TEST(FastICA, PartsMixedSignals) {
  std::vector<double> s;
  data::Random random(7);
  for (int i = 0; i < 2000; ++i) {
    s.push_back(std::sin(0.02 * i));
    s.push_back(std::fmod(0.031 * i, 1.0) - 0.5);
    s.push_back(std::sin(0.05 * i) > 0 ? 1 : -1);
  }
  const Tensor sources = from_vector(s, {2000, 3});
  const Tensor x = matmul(sources, tensor({{1., 0.5, 1.5}, {1., 2., 1.}, {1., 1., 2.}})) + 4;
  for (const IcaFunction fun : {IcaFunction::kLogcosh, IcaFunction::kExp, IcaFunction::kCube}) {
    FastICA ica({.fun = fun});
    const Tensor found = ica.fit_transform(x);
    const Tensor centred = sources - mean(sources, {0});
    const Tensor match =
        abs(matmul(transpose(centred / sqrt(var(sources, {0}, true, 0))), found)) / 2000;
    EXPECT_GT(min(max(match, {1})).item(), 0.97);  // each source is one of the components
    expect_same(ica.inverse_transform(found), x, 1e-8);
  }
  EXPECT_THROW(FastICA({.n_components = 4}).fit(x), ValueError);
  EXPECT_THROW(FastICA().fit(concat({x, x}, 1)), ValueError);
}

}  // namespace
}  // namespace glia::classic
