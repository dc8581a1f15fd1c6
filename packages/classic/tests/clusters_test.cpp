// Hierarchies, mixtures, spectral clusters, k-means by batches, and labels that spread.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "classic_data.h"
#include "glia/classic/cluster.h"
#include "glia/classic/hierarchy.h"
#include "glia/classic/metrics.h"
#include "glia/classic/mixture.h"
#include "glia/classic/semi_supervised.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::Blobs;
using test::blobs;

double agreement(const Blobs& b, const Tensor& labels) {
  return clustering_scores(from_vector(b.of, {static_cast<int64_t>(b.of.size())}), labels)
      .adjusted_rand;
}

// Two moons, which no centers part.
Tensor moons(int64_t n) {
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i) {
    const double t = M_PI * static_cast<double>(i / 2) / static_cast<double>(n / 2 - 1);
    x.push_back(i % 2 == 0 ? std::cos(t) : 1 - std::cos(t));
    x.push_back(i % 2 == 0 ? std::sin(t) : 0.5 - std::sin(t));
  }
  return from_vector(x, {n, 2});
}

TEST(Linkage, SmallTreesByHand) {
  const Tensor x = tensor({{0.}, {1.}, {4.}, {6.}});
  expect_same(linkage(x), tensor({{0., 1., 1., 2.}, {2., 3., 2., 2.}, {4., 5., 3., 4.}}));
  expect_same(linkage(x, LinkageMethod::kComplete),
              tensor({{0., 1., 1., 2.}, {2., 3., 2., 2.}, {4., 5., 6., 4.}}));
  expect_same(linkage(x, LinkageMethod::kAverage),
              tensor({{0., 1., 1., 2.}, {2., 3., 2., 2.}, {4., 5., 4.5, 4.}}));
  // Ward's: sqrt(2 * 2 * 2 / 4) * 4.5 between means 0.5 and 5.
  expect_same(index(linkage(x, LinkageMethod::kWard), {2, 2}), tensor(std::sqrt(2) * 4.5), 1e-14);
  const Tensor tree = linkage(x);
  EXPECT_EQ(cut_tree(tree, 1).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(cut_tree(tree, 3).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 1, 2}));
  EXPECT_EQ(cut_tree(tree, 4).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_THROW(cut_tree(tree, 5), ValueError);
  EXPECT_THROW(cut_tree(tensor({{0., 9., 1., 2.}}), 1), ValueError);
  EXPECT_THROW(linkage(ones({1, 2})), ValueError);
  EXPECT_THROW(linkage(x, LinkageMethod::kWard, Metric::kManhattan), ValueError);
}

TEST(Linkage, EverySplitHasTheBlobs) {
  const Blobs b = blobs(120, 3, 4, 25);
  for (const char* method : {"ward", "complete", "average", "single"}) {
    AgglomerativeClustering tree({.n_clusters = 4});
    set_params(tree, {{"linkage", method}});
    EXPECT_EQ(agreement(b, tree.fit(b.x).labels), 1) << method;
    const auto apart = tree.distances.to_vector<double>();
    EXPECT_TRUE(std::is_sorted(apart.begin(), apart.end())) << method;
    AgglomerativeClustering by_distance = tree;
    set_params(by_distance, {{"distance_threshold", apart[116] + 1e-9}});
    EXPECT_EQ(by_distance.fit(b.x).n_clusters, 3) << method;
  }
}

TEST(GaussianMixture, FindsWhatMadeTheSamples) {
  const Blobs b = blobs(900, 2, 3, 25);
  for (const char* kind : {"full", "tied", "diag", "spherical"})
    for (const char* init : {"kmeans", "random"}) {
      GaussianMixture mixture({.n_components = 3, .n_init = 3});
      set_params(mixture,
                 {{"covariance_type", kind}, {"init_params", init}, {"max_iter", int64_t{300}}});
      mixture.fit(b.x);
      if (std::string(init) == "kmeans") {
        EXPECT_EQ(agreement(b, mixture.predict(b.x)), 1) << kind;
      }
      expect_same(sum(mixture.predict_proba(b.x), {1}), ones({900}, kF64), 1e-12);
      EXPECT_NEAR(mixture.score(b.x), mean(mixture.score_samples(b.x)).item(), 1e-12);
      const auto drawn = mixture.sample(4000, 3);
      EXPECT_EQ(drawn.x.shape(), (Shape{4000, 2}));
      // As likely as the samples, but for chance.
      EXPECT_NEAR(mixture.score(drawn.x), mixture.score(b.x), 0.1) << kind << init;
      EXPECT_LT(mixture.aic(b.x), mixture.bic(b.x));
    }
}

TEST(GaussianMixture, OfOneIsMeanAndCovariance) {
  const Tensor x = blobs(50, 3, 1, 1).x, rest = x - mean(x, {0});
  const GaussianMixture one = GaussianMixture({.reg_covar = 0}).fit(x);
  expect_same(one.means, mean(x, {0}, true), 1e-12);
  expect_same(squeeze(one.covariances, 0), matmul(transpose(rest), rest) / 50, 1e-12);
  EXPECT_THROW(GaussianMixture({.n_components = 3}).fit(ones({2, 2})), ValueError);
  EXPECT_NE(message_of<ValueError>([&] {
              GaussianMixture({.reg_covar = 0}).fit(ones({9, 2}));
            }).find("positive definite"),
            std::string::npos);
  EXPECT_NO_THROW(GaussianMixture().fit(ones({9, 2})));
}

TEST(SpectralClustering, PartsMoons) {
  const Tensor x = moons(200);
  std::vector<int64_t> truth;
  for (int64_t i = 0; i < 200; ++i) truth.push_back(i % 2);
  for (const bool by_neighbors : {false, true}) {
    SpectralClustering spectral({.n_clusters = 2, .gamma = 50});
    if (by_neighbors) set_params(spectral, {{"affinity", "nearest_neighbors"}});
    const Tensor labels = spectral.fit_predict(x);
    EXPECT_EQ(clustering_scores(from_vector(truth, {200}), labels).adjusted_rand, 1);
  }
  SpectralClustering given({.n_clusters = 2, .affinity = Affinity::kPrecomputed});
  const Tensor blocks =
      tensor({{1., 1., 0., 0.}, {1., 1., 0.1, 0.}, {0., 0.1, 1., 1.}, {0., 0., 1., 1.}});
  const auto labels = given.fit_predict(blocks).to_vector<int64_t>();
  EXPECT_EQ(labels[0], labels[1]);
  EXPECT_EQ(labels[2], labels[3]);
  EXPECT_NE(labels[0], labels[2]);
  EXPECT_THROW(given.fit(tensor({{1., 2.}, {3., 1.}})), ValueError);
  EXPECT_THROW(given.fit(-blocks), ValueError);
}

TEST(MiniBatchKMeans, IsNearKMeans) {
  const Blobs b = blobs(3000, 4, 6, 15);
  MiniBatchKMeans batches({.n_clusters = 6, .batch_size = 256, .n_init = 3});
  batches.fit(b.x);
  const KMeans whole = KMeans({.n_clusters = 6, .n_init = 5}).fit(b.x);
  EXPECT_LT(batches.inertia, 1.1 * whole.inertia);
  expect_same(batches.predict(b.x), batches.labels);
  EXPECT_NEAR(batches.score(b.x), -batches.inertia, 1e-9 * batches.inertia);
  const Tensor again = MiniBatchKMeans(batches.options()).fit(b.x).cluster_centers;
  expect_same(again, batches.cluster_centers);
  EXPECT_THROW(MiniBatchKMeans({.batch_size = 0}), ValueError);
  EXPECT_NO_THROW(MiniBatchKMeans({.n_clusters = 2}).fit(ones({2, 1})));
}

TEST(LabelSpreading, TwoLabelsAreEnoughForMoons) {
  const Tensor x = moons(200);
  std::vector<int64_t> truth, known(200, -1);
  for (int64_t i = 0; i < 200; ++i) truth.push_back(i % 2 == 0 ? 3 : 8);
  known[0] = 3, known[1] = 8;
  const Tensor y = from_vector(known, {200}), of = from_vector(truth, {200});
  LabelSpreading spreading({.gamma = 100, .alpha = 0.99, .max_iter = 3000, .tol = 1e-6});
  spreading.fit(x, y);
  expect_same(spreading.transduction, of);
  expect_same(spreading.classes, tensor({3, 8}), 0);
  expect_same(spreading.predict(x), of);
  LabelPropagation propagation({.kernel = LabelKernel::kKnn, .n_neighbors = 5, .tol = 1e-9});
  expect_same(propagation.fit(x, y).transduction, of);
  EXPECT_THROW(spreading.fit(x, full({200}, -1, kI64)), ValueError);
  EXPECT_THROW(spreading.fit(x, full({200}, -2, kI64)), ValueError);
  EXPECT_THROW(LabelSpreading({.alpha = 1}), ValueError);
  EXPECT_EQ(get_params(propagation).size(), 5u);
}

TEST(Clusters, AreTheSameForAnyThreads) {
  const Tensor x = blobs(400, 3, 3, 2).x;
  const int threads = num_threads();
  for (const char* name : {"AgglomerativeClustering", "GaussianMixture", "HDBSCAN",
                           "MiniBatchKMeans", "NMF", "OPTICS", "SpectralClustering"}) {
    std::vector<StateDict> states;
    for (const int t : {1, 2}) {
      set_num_threads(t);
      const auto estimator = make_estimator(name);
      estimator->fit(abs(x));
      states.push_back(estimator->state_dict());
    }
    set_num_threads(threads);
    for (size_t i = 0; i < states[0].size(); ++i)
      expect_same(states[1][i].second, states[0][i].second);
  }
}

}  // namespace
}  // namespace glia::classic
