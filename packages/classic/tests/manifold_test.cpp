// Maps of samples: t-SNE's forces, UMAP's graph, and maps of data whose true map is known.
#include "glia/classic/manifold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "classic_data.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/runtime.h"
#include "lanczos.h"
#include "manifold/affinities.h"
#include "manifold/forces.h"
#include "manifold/fuzzy_set.h"
#include "randomized.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;

// The share of samples whose nearest one in a map is of their own blob.
double kept_apart(const Tensor& map, const std::vector<int64_t>& of) {
  NearestNeighbors search({.n_neighbors = 1});
  const auto near = search.fit(map).kneighbors().indices.to_vector<int64_t>();
  double right = 0;
  for (size_t i = 0; i < of.size(); ++i) right += of[i] == of[near[i]];
  return right / static_cast<double>(of.size());
}

// ---- Eigenvectors -----------------------------------------------------------------------------

TEST(Lanczos, FindsWhatLapackFinds) {
  const int64_t n = 700;
  const Tensor basis = linalg::qr(normal_numbers({n, n}, 1)).Q;
  std::vector<double> spectrum;
  for (int64_t i = 0; i < n; ++i) spectrum.push_back(std::pow(0.99, i));
  spectrum[1] = spectrum[2] = 1;  // three times 1
  const Tensor a = matmul(basis * from_vector(spectrum, {n}), transpose(basis));
  const Eigen found = largest_eigen(a, 6);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(found.values.to_vector<double>()[i], spectrum[i], 1e-13);
  expect_same(matmul(a, found.vectors), found.vectors * found.values, 1e-12);
  expect_same(matmul(transpose(found.vectors), found.vectors), eye(6, kF64), 1e-12);
  const Eigen least = least_eigen(a, 4);
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(least.values.to_vector<double>()[i], spectrum[n - 1 - i], 1e-10);
  // A space that is closed after a few products.
  const Eigen flat = largest_eigen(ones({n, n}, kF64), 3);
  EXPECT_NEAR(flat.values.to_vector<double>()[0], 700, 1e-9);
  EXPECT_NEAR(flat.values.to_vector<double>()[1], 0, 1e-9);
}

// ---- Trust ------------------------------------------------------------------------------------

TEST(Trustworthiness, OfFiveOnALine) {
  const Tensor x = tensor({{0.}, {1.}, {2.}, {3.}, {4.}});
  EXPECT_NEAR(trustworthiness(x, tensor({{0.}, {2.}, {4.}, {1.}, {3.}}), 1), 0.2, 1e-15);
  EXPECT_EQ(trustworthiness(x, x * -3 + 1, 1), 1);
  EXPECT_EQ(trustworthiness(euclidean_distances(x), x, 2, Metric::kPrecomputed), 1);
  EXPECT_THROW(trustworthiness(x, x, 3), ValueError);
  EXPECT_THROW(trustworthiness(x, x, 0), ValueError);
  EXPECT_THROW(trustworthiness(x, slice(x, 0, Slice{0, 4}), 1), ShapeError);
}

// ---- t-SNE ------------------------------------------------------------------------------------

TEST(TSNE, NeighborsHaveThePerplexity) {
  const Tensor squares = square(normal_numbers({50, 40}, 2)) * 100;
  const auto p = neighbor_probabilities(squares.data<double>().data(), 50, 40, 12);
  for (int i = 0; i < 50; ++i) {
    double sum = 0, entropy = 0;
    for (int j = 0; j < 40; ++j) {
      sum += p[i * 40 + j];
      if (p[i * 40 + j] > 0) entropy -= p[i * 40 + j] * std::log(p[i * 40 + j]);
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(entropy, std::log(12), 1.1e-5);
  }
  // All at one place: any share is as good; none is NaN.
  for (const double one :
       neighbor_probabilities(zeros({1, 7}, kF64).data<double>().data(), 1, 7, 3))
    EXPECT_NEAR(one, 1.0 / 7, 1e-12);
}

class Forced : public ::testing::TestWithParam<int64_t> {};

// P of all pairs that is symmetric, places, and both ways to their forces.
TEST_P(Forced, GradientIsThatOfTheDivergence) {
  const int64_t d = GetParam(), n = 60;
  std::vector<double> p = exp(normal_numbers({n, n}, 3)).to_vector<double>();
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      p[j * n + i] = p[i * n + j] = i == j ? 0 : p[i * n + j];
      sum += (1 + (i != j)) * p[i * n + j];
    }
  for (double& one : p) one /= sum;
  std::vector<double> y = (normal_numbers({n, d}, 4) * 3).to_vector<double>();
  std::vector<double> pull(y.size()), push(y.size());
  const auto exact = exact_forces(p, n, d);
  const double total = exact->compute(y, pull, push);
  const double freedom = d > 2 ? static_cast<double>(d - 1) : 1;
  for (size_t i = 0; i < 6; ++i) {  // central differences
    const double slope = 2 * (freedom + 1) / freedom * (pull[i] - push[i] / total), step = 1e-5;
    std::vector<double> a(y.size()), b(y.size()), up = y, down = y;
    up[i] += step;
    down[i] -= step;
    const double above = exact->divergence(up, exact->compute(up, a, b));
    const double below = exact->divergence(down, exact->compute(down, a, b));
    EXPECT_NEAR(slope, (above - below) / (2 * step), 1e-8);
  }
  if (d > 3) return;
  Graph graph;
  graph.starts = {0};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      graph.columns.push_back(static_cast<int32_t>(j));
      graph.values.push_back(p[i * n + j]);
    }
    graph.starts.push_back(graph.edges());
  }
  // A cell of no width beside its distance: all pairs, in f32.
  const auto cells = barnes_hut_forces(graph, d, 0);
  std::vector<double> near_pull(y.size()), near_push(y.size());
  EXPECT_NEAR(cells->compute(y, near_pull, near_push), total, 1e-5 * total);
  EXPECT_NEAR(cells->divergence(y, total), exact->divergence(y, total), 1e-12);
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(near_pull[i], pull[i], 1e-6);
    EXPECT_NEAR(near_push[i], push[i], 1e-4);
  }
}
INSTANTIATE_TEST_SUITE_P(TSNE, Forced, ::testing::Values(1, 2, 3, 4));

TEST(TSNE, CellsAreNearAllPairs) {
  const int64_t n = 3000;
  Graph none;
  none.starts.assign(static_cast<size_t>(n + 1), 0);
  const std::vector<double> no_pairs(static_cast<size_t>(n * n), 0.0);
  for (const int64_t d : {1, 2, 3}) {
    std::vector<double> y = (normal_numbers({n, d}, 5) * 20).to_vector<double>();
    for (int64_t i = 0; i < 100 * d; ++i) y[i] = 7;  // a hundred at one place
    std::vector<double> pull(y.size()), push(y.size()), near(y.size());
    const double total = exact_forces(no_pairs, n, d)->compute(y, pull, push);
    for (const double angle : {0.2, 0.5}) {
      const double found = barnes_hut_forces(none, d, angle)->compute(y, pull, near);
      EXPECT_NEAR(found / total, 1, 0.02 * angle) << d;
      double fault = 0, length = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        fault += (near[i] - push[i]) * (near[i] - push[i]);
        length += push[i] * push[i];
      }
      EXPECT_LT(std::sqrt(fault / length), angle == 0.2 ? 0.003 : 0.015) << d;
    }
  }
}

TEST(TSNE, KeepsBlobsApart) {
  const test::Blobs b = test::blobs(300, 10, 4, 4);
  for (const TsneMethod method : {TsneMethod::kBarnesHut, TsneMethod::kExact}) {
    TSNE tsne({.perplexity = 20, .method = method});
    const Tensor map = tsne.fit_transform(b.x);
    EXPECT_EQ(map.shape(), (Shape{300, 2}));
    EXPECT_EQ(kept_apart(map, b.of), 1);
    EXPECT_GT(trustworthiness(b.x, map), 0.85);
    EXPECT_LT(tsne.kl_divergence, 1.5);
    EXPECT_GT(tsne.kl_divergence, 0);
    EXPECT_EQ(tsne.learning_rate, 50);
  }
}

TEST(TSNE, IsTheSameForAnyNumberOfThreads) {
  const test::Blobs b = test::blobs(400, 5, 3, 3);
  TSNE one({.max_iter = 300}), two = one;
  UMAP umap_one({.n_epochs = 50}), umap_two = umap_one;
  const int before = num_threads();
  set_num_threads(1);
  one.fit(b.x);
  umap_one.fit(b.x);
  set_num_threads(2);
  two.fit(b.x);
  umap_two.fit(b.x);
  set_num_threads(before);
  expect_same(one.embedding, two.embedding);
  EXPECT_EQ(one.kl_divergence, two.kl_divergence);
  expect_same(umap_one.embedding, umap_two.embedding);
}

TEST(TSNE, SaysWhatIsWrong) {
  const Tensor x = normal_numbers({40, 3}, 1);
  const auto message = [&](const TSNEOptions& o, const Tensor& of) {
    return message_of<ValueError>([&] { TSNE(o).fit(of); });
  };
  EXPECT_NE(message({.perplexity = 40}, x).find("perplexity = 40 is not below the 40 samples"),
            std::string::npos);
  EXPECT_NE(message({.n_components = 4}, x).find("at most 3"), std::string::npos);
  EXPECT_NE(message({.n_components = 2}, slice(x, 1, Slice{0, 1})).find("init = pca"),
            std::string::npos);
  EXPECT_NE(message({.max_iter = 249}, x).find("max_iter = 249"), std::string::npos);
  EXPECT_NE(message({.angle = 2}, x).find("angle = 2"), std::string::npos);
  EXPECT_NE(message({}, x / 0.0).find("TSNE.fit: X contains"), std::string::npos);
  EXPECT_NE(message({.learning_rate = 1e300, .max_iter = 300}, x).find("learning_rate"),
            std::string::npos);
  EXPECT_NE(message({.metric = Metric::kPrecomputed}, euclidean_distances(x)).find("init = pca"),
            std::string::npos);
  EXPECT_THROW(TSNE({.metric = Metric::kPrecomputed}).fit(x), ShapeError);
  EXPECT_THROW(TSNE({.init_embedding = x}).fit(x), ShapeError);
  EXPECT_THROW(TSNE().fit(x).transform(x), Error);
  // Samples that are all equal have a map, too.
  const TSNE equal = TSNE({.perplexity = 5, .max_iter = 250}).fit(ones({20, 3}));
  EXPECT_TRUE(all(isfinite(equal.embedding)).item<bool>());
  // By distances.
  TSNE given({.perplexity = 5,
              .max_iter = 300,
              .metric = Metric::kPrecomputed,
              .init = MapInit::kRandom,
              .method = TsneMethod::kExact});
  EXPECT_GT(trustworthiness(x, given.fit_transform(euclidean_distances(x))), 0.8);
}

// ---- UMAP -------------------------------------------------------------------------------------

TEST(UMAP, CurveIsThatOfUmapLearn) {
  const auto [a, b] = find_ab_params();  // umap-learn 0.5's, by SciPy's curve_fit
  EXPECT_NEAR(a, 1.576943, 1e-6);
  EXPECT_NEAR(b, 0.895061, 1e-6);
  const auto [tight_a, tight_b] = find_ab_params(1, 0.001);
  EXPECT_NEAR(tight_a, 1.929077, 1e-5);
  EXPECT_NEAR(tight_b, 0.791506, 1e-5);
  EXPECT_THROW(find_ab_params(1, 2), ValueError);
}

TEST(UMAP, MembershipsAddUpToTheLogarithm) {
  const Tensor x = normal_numbers({200, 4}, 6);
  NearestNeighbors search({.n_neighbors = 15});
  const KNeighbors near = search.fit(x).kneighbors(x);
  const double* d = near.distances.data<double>().data();
  const LocalScale scale = local_scale(d, 200, 15, 1);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(scale.rho[i], d[i * 15 + 1]);
    double sum = 0;
    for (int j = 1; j < 15; ++j)
      sum += std::exp(-std::max(d[i * 15 + j] - scale.rho[i], 0.0) / scale.sigma[i]);
    EXPECT_NEAR(sum, std::log2(15), 1e-5);
  }
  const Graph graph = fuzzy_set(near, 1, 1, Where::current());
  std::map<std::pair<int64_t, int64_t>, double> entries;
  for (int64_t i = 0; i < 200; ++i)
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
      entries[{i, graph.columns[e]}] = graph.values[e];
  for (const auto& [at, value] : entries) {
    EXPECT_NE(at.first, at.second);
    EXPECT_EQ(value, entries.at({at.second, at.first}));
    EXPECT_LE(value, 1);
  }
}

TEST(UMAP, KeepsBlobsApartAndPlacesOthers) {
  const test::Blobs b = test::blobs(400, 8, 4, 4);
  for (const UmapInit init : {UmapInit::kSpectral, UmapInit::kRandom, UmapInit::kPca}) {
    UMAP umap({.n_neighbors = 10, .init = init});
    const Tensor map = umap.fit_transform(b.x);
    EXPECT_EQ(kept_apart(map, b.of), 1);
    EXPECT_GT(trustworthiness(b.x, map), 0.8);
    const Tensor again = umap.transform(b.x);
    const Tensor away = sqrt(sum(square(again - map), {1}));
    EXPECT_LT(mean(away).item(), 0.3);
  }
  EXPECT_THROW(UMAP({.n_neighbors = 1}), ValueError);
  EXPECT_THROW(UMAP({.a = 1.0}), ValueError);
  EXPECT_THROW(UMAP().fit(ones({1, 3})), ValueError);
  const UMAP equal = UMAP().fit(ones({30, 3}));
  EXPECT_TRUE(all(isfinite(equal.embedding)).item<bool>());
  const UMAP two = UMAP().fit(normal_numbers({2, 3}, 1));
  EXPECT_EQ(two.embedding.shape(), (Shape{2, 2}));
}

// ---- Isomap, locally linear, scaling ----------------------------------------------------------

TEST(Isomap, UnrollsAnArc) {
  std::vector<double> rows, angles;
  for (int i = 0; i < 200; ++i) {
    angles.push_back(1.5 * std::numbers::pi * i / 199);
    rows.push_back(std::cos(angles.back()));
    rows.push_back(std::sin(angles.back()));
  }
  const Tensor x = from_vector(rows, {200, 2});
  Isomap isomap({.n_neighbors = 2, .n_components = 1});
  const Tensor map = isomap.fit_transform(x);
  // Chords of an arc of 1.5 pi in 199 parts are shorter by (1.5 pi / 199)^2 / 24 of it, 1.1e-4.
  const Tensor along = euclidean_distances(map),
               arc = euclidean_distances(from_vector(angles, {200, 1}));
  expect_same(along, arc, 1.2e-4);
  EXPECT_LT(isomap.reconstruction_error(), 1e-6);
  expect_same(isomap.transform(x), map, 1e-8);
  // Two parts are joined.
  const Tensor two = concat({x, x + 10}, 0);
  EXPECT_TRUE(all(isfinite(Isomap({.n_neighbors = 2}).fit(two).dist_matrix)).item<bool>());
  // All within a radius.
  const Tensor by_radius = Isomap({.radius = 0.05, .n_components = 1}).fit_transform(x);
  expect_same(euclidean_distances(by_radius), arc, 4.8e-4);
  EXPECT_THROW(Isomap({.n_neighbors = 5}).fit(ones({5, 2})), ValueError);
  EXPECT_THROW(isomap.fit(x / 0.0), ValueError);
  expect_same(isomap.embedding, map);  // what was fitted is still there
}

TEST(LocallyLinearEmbedding, FindsAPlane) {
  const Tensor plane = normal_numbers({300, 2}, 8);
  const Tensor x = matmul(plane, normal_numbers({2, 6}, 9));
  LocallyLinearEmbedding lle({.n_neighbors = 8, .reg = 1e-6});
  const Tensor map = lle.fit_transform(x);
  EXPECT_LT(lle.reconstruction_error, 1e-6);
  // The plane by a linear map of the places: nothing is left.
  const auto fit = linalg::lstsq(concat({map, ones({300, 1}, kF64)}, 1), plane);
  EXPECT_LT(max(fit.residuals).item(), 1e-2);
  expect_same(lle.transform(x), map, 1e-2);
  EXPECT_THROW(LocallyLinearEmbedding({.n_neighbors = 300}).fit(x), ValueError);
  EXPECT_THROW(LocallyLinearEmbedding({.reg = 0}), ValueError);
}

TEST(MDS, PlacesInThePlaneComeBack) {
  const Tensor plane = normal_numbers({60, 2}, 10), distances = euclidean_distances(plane);
  ClassicalMDS classical;
  expect_same(euclidean_distances(classical.fit_transform(plane)), distances, 1e-10);
  for (const MdsInit init : {MdsInit::kClassicalMds, MdsInit::kRandom}) {
    MDS mds({.n_init = 4,
             .init = init,
             .max_iter = 3000,
             .eps = 1e-12,
             .metric = Metric::kPrecomputed});
    expect_same(euclidean_distances(mds.fit_transform(distances)), distances, 1e-2);
    EXPECT_LT(mds.stress, 1e-3);
  }
  // Only the order counts: any rising function of the distances has the same map.
  MDS order({.metric_mds = false, .metric = Metric::kPrecomputed});
  order.fit(square(square(distances)));
  EXPECT_LT(order.stress, 0.05);
  EXPECT_THROW(MDS({.metric = Metric::kPrecomputed}).fit(plane), ShapeError);
  EXPECT_THROW(MDS({.metric = Metric::kPrecomputed}).fit(triu(distances)), ValueError);
  EXPECT_THROW(MDS().fit(plane * 1e200), ValueError);
}

TEST(SpectralEmbedding, PartsTwoCliques) {
  // Two cliques of 5 that one weak edge joins: the first eigenvector has two signs.
  std::vector<double> a(100, 0.0);
  for (int i = 0; i < 10; ++i)
    for (int j = 0; j < 10; ++j) a[i * 10 + j] = i / 5 == j / 5;
  a[4 * 10 + 5] = a[5 * 10 + 4] = 0.1;
  SpectralEmbedding map({.n_components = 1, .affinity = EmbeddingAffinity::kPrecomputed});
  const auto places = map.fit_transform(from_vector(a, {10, 10})).to_vector<double>();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(places[i] > 0, (places[0] > 0) == (i < 5));
  const test::Blobs b = test::blobs(900, 4, 2, 0.5);  // large enough for Lanczos
  SpectralEmbedding large({.n_neighbors = 30}), small = large;
  const Tensor by_lanczos = large.fit_transform(b.x);
  EXPECT_TRUE(all(isfinite(by_lanczos)).item<bool>());
  EXPECT_THROW(map.fit(from_vector(a, {20, 5})), ShapeError);
}

}  // namespace
}  // namespace glia::classic
