// Truncated SVD, NMF and independent components, and PCA's solvers.
#include "glia/classic/decomposition.h"

#include <gtest/gtest.h>

#include <cmath>

#include "classic_data.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/classic/random_projection.h"
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

TEST(IncrementalPCA, BatchesAreOne) {
  const Tensor x = normal(230, 7, 11) * tensor({7., 6., 5., 4., 3., 2., 1.}) + 100;
  const PCA whole = PCA().fit(x);
  const IncrementalPCA all = IncrementalPCA({.batch_size = 50}).fit(x);  // nothing is left out
  expect_same(all.components, whole.components, 1e-8);
  expect_same(all.explained_variance, whole.explained_variance, 1e-10);
  expect_same(all.explained_variance_ratio, whole.explained_variance_ratio, 1e-10);
  expect_same(all.mean, mean(x, {0}), 1e-12);
  expect_same(all.var, var(x, {0}, false, 0), 1e-10);
  EXPECT_EQ(all.n_samples_seen, 230);
  IncrementalPCA parts({.n_components = 3, .whiten = true});
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 10}, {10, 11}, {11, 230}})
    parts.partial_fit(slice(x, 0, Slice{begin, end}));
  EXPECT_EQ(parts.n_samples_seen, 230);
  expect_same(parts.explained_variance, slice(whole.explained_variance, 0, Slice{0, 3}), 0.5);
  expect_same(var(parts.transform(x), {0}), ones({3}, kF64), 0.1);
  expect_same(all.inverse_transform(all.transform(x)), x, 1e-10);
  EXPECT_THROW(IncrementalPCA({.n_components = 3}).partial_fit(slice(x, 0, Slice{0, 2})),
               ValueError);
  EXPECT_THROW(IncrementalPCA({.n_components = 8}).fit(x), ValueError);
  EXPECT_THROW(parts.partial_fit(normal(5, 6, 1)), ShapeError);
}

TEST(KernelPCA, LinearIsPca) {
  const Tensor x = normal(90, 6, 12) + 5;
  PCA pca({.n_components = 4});
  KernelPCA linear({.n_components = 4});
  const Tensor of = pca.fit_transform(x), map = linear.fit_transform(x);
  expect_same(abs(map), abs(of), 1e-9);  // signs are those of samples, not of features
  expect_same(linear.transform(x), map, 1e-9);
  KernelPCA all;
  EXPECT_EQ(all.fit_transform(x).size(1), 6);  // the rank
  const Tensor new_rows = normal(7, 6, 13) + 5;
  for (const PcaKernel kernel :
       {PcaKernel::kPoly, PcaKernel::kRbf, PcaKernel::kSigmoid, PcaKernel::kCosine}) {
    KernelPCA own({.n_components = 3, .kernel = kernel, .gamma = 0.01});
    const Tensor places = own.fit_transform(x);
    expect_same(own.transform(x), places, 1e-9);
  }
  KernelPCA rbf({.n_components = 3, .kernel = PcaKernel::kRbf, .gamma = 0.02}),
      given({.n_components = 3, .kernel = PcaKernel::kPrecomputed});
  rbf.fit(x);
  given.fit(rbf_kernel(x, {}, 0.02));
  expect_same(given.eigenvalues, rbf.eigenvalues, 1e-12);
  expect_same(given.transform(rbf_kernel(new_rows, x, 0.02)), rbf.transform(new_rows), 1e-10);
  EXPECT_THROW(given.inverse_transform(map), Error);
  EXPECT_THROW(KernelPCA({.kernel = PcaKernel::kPrecomputed}).fit(x), ShapeError);
  EXPECT_THROW(KernelPCA({.kernel = PcaKernel::kPrecomputed}).fit(-eye(5, kF64)), ValueError);
  EXPECT_THROW(KernelPCA().fit(ones({5, 2})), ValueError);
}

TEST(KernelPCA, ComponentsComeBack) {
  const Tensor x = normal(200, 3, 14);
  KernelPCA pca({.n_components = 40,
                 .kernel = PcaKernel::kRbf,
                 .gamma = 0.1,
                 .alpha = 1e-3,
                 .fit_inverse_transform = true});
  expect_same(pca.inverse_transform(pca.fit_transform(x)), x, 0.1);
}

TEST(FactorAnalysis, FindsFactorsAndNoise) {
  const Tensor w = normal(2, 6, 15), noise = tensor({0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  const Tensor x = matmul(normal(5000, 2, 16), w) + normal(5000, 6, 17) * sqrt(noise) + 3;
  for (const FactorSvd method : {FactorSvd::kLapack, FactorSvd::kRandomized}) {
    const FactorAnalysis f =
        FactorAnalysis({.n_components = 2, .tol = 1e-8, .svd_method = method}).fit(x);
    expect_same(f.noise_variance, noise, 0.1);
    const Tensor truth = matmul(transpose(w), w) + eye(6, kF64) * noise;
    expect_same(f.get_covariance(), truth, 0.3);
    const auto likelihood = f.loglike.to_vector<double>();
    for (size_t i = 1; i < likelihood.size(); ++i)
      EXPECT_GE(likelihood[i], likelihood[i - 1] - 1e-6);
    EXPECT_NEAR(f.score(x), likelihood.back() / 5000, 1e-6);
    expect_same(mean(f.transform(x), {0}), zeros({2}, kF64), 1e-10);
    // A rotation leaves the covariance.
    const FactorAnalysis turned = FactorAnalysis({.n_components = 2,
                                                  .tol = 1e-8,
                                                  .svd_method = method,
                                                  .rotation = FactorRotation::kVarimax})
                                      .fit(x);
    expect_same(turned.get_covariance(), f.get_covariance(), 1e-8);
  }
  EXPECT_THROW(FactorAnalysis({.n_components = 7}).fit(x), ValueError);
  EXPECT_THROW(FactorAnalysis().fit(zeros({5, 2})), ValueError);
}

TEST(RandomProjection, KeepsDistances) {
  EXPECT_EQ(johnson_lindenstrauss_min_dim(1000000, 0.5), 663);  // scikit-learn's documentation
  EXPECT_EQ(johnson_lindenstrauss_min_dim(1000000, 0.1), 11841);
  EXPECT_EQ(johnson_lindenstrauss_min_dim(1000000, 0.01), 1112658);
  const Tensor x = normal(30, 1000, 18);
  for (const char* name : {"GaussianRandomProjection", "SparseRandomProjection"}) {
    const auto projection = make_estimator(name);
    set_params(*projection, {{"eps", 0.3}});
    const Tensor y = projection->fit_transform(x);
    EXPECT_EQ(y.size(1), johnson_lindenstrauss_min_dim(30, 0.3));
    const Tensor ratio =
        square(euclidean_distances(y)) / (square(euclidean_distances(x)) + eye(30, kF64));
    EXPECT_LT(max(ratio).item(), 1.3);
    EXPECT_GT(min(ratio + eye(30, kF64)).item(), 0.7);
    // Back is to the nearest of all that have this projection.
    expect_same(projection->transform(projection->inverse_transform(y)), y, 1e-8);
    EXPECT_THROW(projection->fit(normal(30, 10, 1)), ValueError);
  }
  EXPECT_THROW(SparseRandomProjection({{.n_components = 2}, 1.5}), ValueError);
  EXPECT_THROW(johnson_lindenstrauss_min_dim(10, 0), ValueError);
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
