// DBSCAN, OPTICS and HDBSCAN, and the neighbours that they stand on: beside plain loops.
#include "glia/classic/density.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "classic_data.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

Tensor noise(int64_t n, int64_t d, uint64_t seed, double grid = 0) {
  data::Random random(seed);
  std::vector<double> x;
  for (int64_t i = 0; i < n * d; ++i) {
    const double v = test::gaussian(random);
    x.push_back(grid > 0 ? std::round(v / grid) * grid : v);
  }
  return from_vector(x, {n, d});
}

double apart(Metric metric, const double* a, const double* b, int64_t d) {
  double sum = 0, dot = 0, aa = 0, bb = 0;
  for (int64_t f = 0; f < d; ++f) {
    const double e = std::abs(a[f] - b[f]);
    sum = metric == Metric::kEuclidean   ? sum + e * e
          : metric == Metric::kChebyshev ? std::max(sum, e)
                                         : sum + (metric == Metric::kMinkowski ? e * e * e : e);
    dot += a[f] * b[f], aa += a[f] * a[f], bb += b[f] * b[f];
  }
  if (metric == Metric::kCosine) return 1 - dot / std::sqrt(aa * bb);
  return metric == Metric::kEuclidean   ? std::sqrt(sum)
         : metric == Metric::kMinkowski ? std::cbrt(sum)
                                        : sum;
}

TEST(Neighbors, AreThoseOfAPlainSearch) {
  for (const int64_t d : {1, 3, 5, 30})
    for (const Metric metric : {Metric::kEuclidean, Metric::kManhattan, Metric::kChebyshev,
                                Metric::kMinkowski, Metric::kCosine})
      for (const NeighborAlgorithm algorithm :
           {NeighborAlgorithm::kAuto, NeighborAlgorithm::kKdTree, NeighborAlgorithm::kBrute}) {
        if (metric == Metric::kCosine && (algorithm == NeighborAlgorithm::kKdTree || d == 1))
          continue;
        const Tensor x = noise(300, d, 1), new_x = noise(40, d, 2);
        NearestNeighbors search({.metric = metric, .p = 3, .algorithm = algorithm});
        search.fit(x);
        const KNeighbors near = search.kneighbors(new_x, 7);
        const double *a = x.data<double>().data(), *b = new_x.data<double>().data();
        const double radius = near.distances.data<double>()[6] * (1 + 1e-9);
        const RadiusNeighbors ball = search.radius_neighbors(new_x, radius);
        for (int64_t i = 0; i < 40; ++i) {
          std::vector<std::pair<double, int64_t>> all;
          std::vector<int64_t> inside;
          for (int64_t j = 0; j < 300; ++j) {
            all.emplace_back(apart(metric, b + i * d, a + j * d, d), j);
            if (all.back().first <= radius) inside.push_back(j);
          }
          std::sort(all.begin(), all.end());
          for (int64_t k = 0; k < 7; ++k) {
            ASSERT_EQ(near.indices.data<int64_t>()[i * 7 + k], all[k].second);
            ASSERT_NEAR(near.distances.data<double>()[i * 7 + k], all[k].first, 1e-12);
          }
          const auto starts = ball.starts.data<int64_t>();
          const auto found =
              ball.indices.data<int64_t>().subspan(starts[i], starts[i + 1] - starts[i]);
          ASSERT_EQ(std::vector<int64_t>(found.begin(), found.end()), inside);
        }
      }
}

TEST(Neighbors, OfTheFittedSamplesAreWithoutThemselves) {
  const Tensor x = noise(100, 2, 3, 0.5);  // some are equal
  NearestNeighbors search;
  search.fit(x);
  const auto indices = search.kneighbors().indices.to_vector<int64_t>();
  for (int64_t i = 0; i < 100; ++i)
    for (int64_t k = 0; k < 5; ++k) EXPECT_NE(indices[i * 5 + k], i);
  const RadiusNeighbors none = search.radius_neighbors({}, 0.0);
  const double* v = x.data<double>().data();
  const auto starts = none.starts.data<int64_t>();
  for (int64_t i = 0; i < 100; ++i)
    for (int64_t e = starts[i]; e < starts[i + 1]; ++e) {
      const int64_t j = none.indices.data<int64_t>()[e];
      EXPECT_NE(i, j);
      EXPECT_EQ(v[i * 2], v[j * 2]);
    }
  NearestNeighbors given({.metric = Metric::kPrecomputed});
  given.fit(tensor({{0., 1., 5.}, {1., 0., 2.}, {5., 2., 0.}}));
  EXPECT_EQ(given.kneighbors({}, 1).indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 0, 1}));
}

TEST(Neighbors, FarFromTheOriginAndHuge) {
  const Tensor x = noise(200, 8, 4), far = x + 1e9;
  NearestNeighbors near({.algorithm = NeighborAlgorithm::kBrute}), away = near, huge = near;
  const auto of = near.fit(x).kneighbors().indices;
  // What 1e9 leaves of the digits decides a few places.
  EXPECT_GT(mean(cast(away.fit(far).kneighbors().indices == of, kF64)).item(), 0.99);
  expect_same(huge.fit(x * 1e100).kneighbors().indices, of);
}

// The tree is that of the samples and options of the last fit, whatever changes meanwhile.
TEST(Neighbors, AreThoseOfTheLastFit) {
  const Tensor a = noise(80, 2, 11), b = noise(90, 2, 12), at = noise(10, 2, 13);
  const auto of = [&](const NearestNeighbors& n) { return n.kneighbors(at, 4).indices; };
  const auto fresh = [&](const Tensor& x, Metric metric) {
    return of(NearestNeighbors({.metric = metric}).fit(x));
  };
  NearestNeighbors search;
  search.fit(a);
  const NearestNeighbors copy = search;
  set_params(search, {{"metric", "manhattan"}});
  expect_same(of(search), fresh(a, Metric::kEuclidean));  // not before fit()
  search.fit(a);
  expect_same(of(search), fresh(a, Metric::kManhattan));
  search.fit(b);
  expect_same(of(search), fresh(b, Metric::kManhattan));
  expect_same(of(copy), fresh(a, Metric::kEuclidean));
  EXPECT_THROW(search.fit(full({9, 2}, NAN)), ValueError);
  expect_same(of(search), fresh(b, Metric::kManhattan));
  search.load_state_dict(copy.state_dict());
  expect_same(of(search), fresh(a, Metric::kManhattan));
}

TEST(KNeighbors, ClassesAndMeans) {
  const Tensor x = tensor({{0.}, {1.}, {2.}, {10.}}), y = tensor({5, 5, -1, -1});
  KNeighborsClassifier classifier({{.n_neighbors = 3}});
  classifier.fit(x, y);
  EXPECT_EQ(classifier.predict(tensor({{0.5}, {9.}})).to_vector<int64_t>(),
            (std::vector<int64_t>{5, -1}));
  expect_same(classifier.predict_proba(tensor({{0.5}})), tensor({{1. / 3, 2. / 3}}), 1e-15);
  EXPECT_EQ(classifier.score(x, y), 0.75);
  KNeighborsRegressor regressor({{.n_neighbors = 2}, NeighborWeights::kDistance});
  regressor.fit(x, tensor({1., 3., 5., 7.}));
  expect_same(regressor.predict(tensor({{0.25}, {2.}})), tensor({1.5, 5.}), 1e-15);
  EXPECT_NE(message_of<ValueError>([&] {
              classifier.fit(x, tensor({0.5, 1., 2., 3.}));
            }).find("no class"),
            std::string::npos);
  EXPECT_THROW(classifier.fit(x, tensor({1, 2})), ShapeError);
  EXPECT_THROW(KNeighborsRegressor({{.n_neighbors = 5}}).fit(x, x).predict(x), ValueError);
}

// The grid, the tree and a plain search, where distances meet eps exactly too.
TEST(DBSCAN, AlgorithmsAgree) {
  for (const int64_t d : {1, 2, 3, 4, 5})
    for (const double grid : {0.0, 0.25})
      for (const double eps : {0.1, 0.5, 1.0, 3.0})
        for (const bool weighted : {false, true}) {
          const Tensor x = noise(250, d, 5 + static_cast<uint64_t>(d), grid);
          data::Random random(9);
          std::vector<double> w;
          for (int i = 0; i < 250; ++i) w.push_back(static_cast<double>(random.below(3)));
          const Tensor weight = weighted ? from_vector(w, {250}) : Tensor();
          DBSCAN any({.eps = eps, .min_samples = 4}), tree = any, all = any;
          set_params(tree, {{"algorithm", "kd_tree"}});
          set_params(all, {{"algorithm", "brute"}});
          any.fit(x, {}, weight);
          expect_same(any.labels, tree.fit(x, {}, weight).labels);
          expect_same(any.labels, all.fit(x, {}, weight).labels);
          expect_same(any.core_sample_indices, all.core_sample_indices);
          expect_same(any.components, take(x, any.core_sample_indices));
        }
}

TEST(DBSCAN, FindsBlobsAndNoise) {
  const auto b = blobs(300, 2, 3, 30);
  const Tensor lone = tensor({{1e6, 1e6}});
  DBSCAN dbscan({.eps = 2});
  const auto labels = dbscan.fit_predict(concat({b.x, lone})).to_vector<int64_t>();
  EXPECT_EQ(labels.back(), -1);
  for (size_t i = 0; i < 300; ++i)
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(labels[i] == labels[j], b.of[i] == b.of[j]);
  EXPECT_EQ(DBSCAN().fit_predict(full({1, 2}, 3.0)).item<int64_t>(), -1);
  EXPECT_EQ(DBSCAN({.min_samples = 1}).fit_predict(full({1, 2}, 3.0)).item<int64_t>(), 0);
  expect_same(DBSCAN().fit_predict(full({9, 2}, 3.0)), zeros({9}, kI64));
  expect_same(DBSCAN({.eps = 1e-300}).fit_predict(noise(50, 2, 1)), full({50}, -1, kI64));
  EXPECT_THROW(DBSCAN({.eps = 0}), ValueError);
  EXPECT_THROW(DBSCAN().fit(full({3, 2}, NAN)), ValueError);
  EXPECT_THROW(DBSCAN({.metric = Metric::kPrecomputed}).fit(ones({3, 2})), ShapeError);
}

TEST(DBSCAN, IsTheSameForAnyThreads) {
  const Tensor x = noise(2000, 3, 8);
  const int threads = num_threads();
  std::vector<Tensor> labels;
  for (const int t : {1, 2, 3}) {
    set_num_threads(t);
    labels.push_back(DBSCAN({.eps = 0.3}).fit_predict(x));
  }
  set_num_threads(threads);
  expect_same(labels[1], labels[0]);
  expect_same(labels[2], labels[0]);
}

TEST(OPTICS, OrdersAndParts) {
  const auto b = blobs(150, 2, 3, 30);
  OPTICS optics({.min_samples = 10});
  const auto labels = optics.fit_predict(b.x).to_vector<int64_t>();
  auto order = optics.ordering.to_vector<int64_t>();
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 150; ++i) EXPECT_EQ(order[i], i);
  for (size_t i = 0; i < 150; ++i)
    for (size_t j = 0; j < i; ++j)
      if (labels[i] >= 0 && labels[j] >= 0 && labels[i] == labels[j]) {
        EXPECT_EQ(b.of[i], b.of[j]);
      }
  // Core samples are DBSCAN's.
  const auto dense = DBSCAN({.eps = 1.5, .min_samples = 10}).fit(b.x).core_sample_indices;
  const auto found = cluster_optics_dbscan(optics, 1.5).to_vector<int64_t>();
  for (const int64_t i : dense.to_vector<int64_t>()) EXPECT_GE(found[i], 0);
  EXPECT_THROW(cluster_optics_dbscan(optics, -1), ValueError);
  EXPECT_THROW(OPTICS({.min_samples = 200}).fit(b.x), ValueError);
  EXPECT_THROW(OPTICS({.xi = 1}), ValueError);
}

TEST(HDBSCAN, FindsClustersOfDifferentDensity) {
  const auto b = blobs(200, 2, 2, 40);
  const Tensor x = concat({b.x, b.x * 0.01 - 300});
  HDBSCAN hdbscan({.min_cluster_size = 20});
  const auto labels = hdbscan.fit_predict(x).to_vector<int64_t>();
  const auto shares = hdbscan.probabilities.to_vector<double>();
  int64_t noise_samples = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    noise_samples += labels[i] == -1;
    EXPECT_TRUE(shares[i] >= 0 && shares[i] <= 1);
    EXPECT_EQ(shares[i] == 0, labels[i] == -1);
  }
  EXPECT_LT(noise_samples, 60);
  EXPECT_GE(*std::max_element(labels.begin(), labels.end()), 2);
  EXPECT_THROW(HDBSCAN().fit(ones({1, 2})), ValueError);
  EXPECT_THROW(HDBSCAN({.min_samples = 9}).fit(ones({8, 2})), ValueError);
  const Tensor equal = HDBSCAN({.allow_single_cluster = true}).fit_predict(full({20, 2}, 1.0));
  expect_same(equal, zeros({20}, kI64));
}

}  // namespace
}  // namespace glia::classic
