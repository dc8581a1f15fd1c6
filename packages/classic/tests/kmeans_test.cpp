// k-means: what it finds, what its parts agree on, and what it refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "classic_data.h"
#include "glia/classic/cluster.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "simd.h"
#include "tests/support/instructions.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using test::Blobs;
using test::blobs;

std::vector<int64_t> vector_of(const Tensor& t) { return t.to_vector<int64_t>(); }

// Whether labels name the same partition.
bool same_partition(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::map<int64_t, int64_t> to, from;
  for (size_t i = 0; i < a.size(); ++i)
    if (to.emplace(a[i], b[i]).first->second != b[i] ||
        from.emplace(b[i], a[i]).first->second != a[i])
      return false;
  return a.size() == b.size();
}

template <class T>
bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<T>().data(), b.data<T>().data(), a.data<T>().size_bytes()) == 0;
}

// Labels and inertia of centers, each distance by itself.
struct Plain {
  std::vector<int64_t> labels;
  double inertia = 0;
};
Plain plain(const Tensor& x, const Tensor& centers) {
  const std::vector<double> a = x.to_vector<double>(), c = centers.to_vector<double>();
  const int64_t d = x.size(1);
  Plain p;
  for (int64_t i = 0; i < x.size(0); ++i) {
    double least = INFINITY;
    int64_t label = 0;
    for (int64_t j = 0; j < centers.size(0); ++j) {
      double distance = 0;
      for (int64_t f = 0; f < d; ++f) distance += std::pow(a[i * d + f] - c[j * d + f], 2);
      if (distance < least) least = distance, label = j;
    }
    p.labels.push_back(label);
    p.inertia += least;
  }
  return p;
}

TEST(KMeans, FindsBlobs) {
  for (const DType dtype : {kF32, kF64})
    for (const KMeansInit init : {KMeansInit::kKMeansPlusPlus, KMeansInit::kRandom})
      for (const KMeansAlgorithm algorithm : {KMeansAlgorithm::kLloyd, KMeansAlgorithm::kElkan}) {
        const Blobs b = blobs(600, 5, 6, 20, dtype);
        KMeans kmeans({.n_clusters = 6, .init = init, .n_init = 10, .algorithm = algorithm});
        kmeans.fit(b.x);
        EXPECT_TRUE(same_partition(vector_of(kmeans.labels), b.of));
        EXPECT_EQ(kmeans.cluster_centers.dtype(), dtype);
        EXPECT_EQ(kmeans.n_features_in, 5);
        const Plain p = plain(b.x, kmeans.cluster_centers);
        EXPECT_EQ(vector_of(kmeans.labels), p.labels);
        EXPECT_NEAR(kmeans.inertia / p.inertia, 1, dtype == kF32 ? 1e-6 : 1e-12);
        EXPECT_EQ(vector_of(kmeans.predict(b.x)), p.labels);
        EXPECT_NEAR(kmeans.score(b.x) / -p.inertia, 1, dtype == kF32 ? 1e-6 : 1e-12);
      }
}

TEST(KMeans, DrawsLeaveLessThanRandomSamples) {
  const Blobs b = blobs(400, 3, 20, 30);
  double plus_plus = 0, random = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    KMeansOptions options{.n_clusters = 20, .n_init = 1, .random_state = seed};
    plus_plus += KMeans(options).fit(b.x).inertia;
    options.init = KMeansInit::kRandom;
    random += KMeans(options).fit(b.x).inertia;
  }
  EXPECT_LT(plus_plus, random);
}

TEST(KMeans, ElkanIsLloyd) {
  for (const DType dtype : {kF32, kF64})
    for (const double apart : {0.0, 1.0, 5.0}) {
      const Blobs b = blobs(700, 7, 9, apart, dtype);
      KMeansOptions options{.n_clusters = 9, .init_centers = slice(b.x, 0, Slice{0, 9})};
      const KMeans lloyd = KMeans(options).fit(b.x);
      options.algorithm = KMeansAlgorithm::kElkan;
      const KMeans elkan = KMeans(options).fit(b.x);
      EXPECT_EQ(vector_of(lloyd.labels), vector_of(elkan.labels)) << apart;
      EXPECT_EQ(lloyd.n_iter, elkan.n_iter);
      EXPECT_EQ(lloyd.inertia, elkan.inertia);
    }
}

// By hand: 0, 1 | 9, 10, 14 moves to 0.5 and 11.
TEST(KMeans, GivenCenters) {
  const Tensor x = reshape(tensor({0., 1., 9., 10., 14.}), {5, 1});
  const Tensor begin = reshape(tensor({1., 9.}), {2, 1});
  KMeans kmeans({.n_clusters = 2, .init_centers = begin});
  EXPECT_EQ(vector_of(kmeans.fit_predict(x)), (std::vector<int64_t>{0, 0, 1, 1, 1}));
  expect_values(kmeans.cluster_centers, {2, 1}, {0.5, 11}, 1e-15);
  EXPECT_NEAR(kmeans.inertia, 0.5 + 4 + 1 + 9, 1e-13);
  EXPECT_EQ(kmeans.n_iter, 2);
  expect_values(kmeans.transform(reshape(tensor({0.5, 3.}), {2, 1})), {2, 2}, {0, 10.5, 2.5, 8},
                1e-14);
  EXPECT_NEAR(kmeans.score(x), -14.5, 1e-13);
  // The first of equally near centers.
  const KMeans tie =
      KMeans({.n_clusters = 2, .init_centers = reshape(tensor({-1., 1.}), {2, 1}), .max_iter = 1})
          .fit(reshape(tensor({-1., 1.}), {2, 1}));
  EXPECT_EQ(vector_of(tie.predict(zeros({1, 1}, kF64))), (std::vector<int64_t>{0}));
}

TEST(KMeans, WeightsAreRepetition) {
  const Blobs b = blobs(200, 4, 5, 3);
  std::vector<double> weight;
  std::vector<int64_t> repeated;
  data::Random random(3);
  for (int64_t i = 0; i < 200; ++i) {
    weight.push_back(static_cast<double>(random.below(4)));
    for (int64_t r = 0; r < weight.back(); ++r) repeated.push_back(i);
  }
  const Tensor rows = from_vector(repeated, {static_cast<int64_t>(repeated.size())});
  // Not as far as tol decides, which knows no weights.
  const KMeansOptions options{
      .n_clusters = 5, .init_centers = slice(b.x, 0, Slice{0, 5}), .tol = 0};
  const KMeans weighted = KMeans(options).fit(b.x, {}, from_vector(weight, {200}));
  const KMeans repetition = KMeans(options).fit(take(b.x, rows));
  expect_same(weighted.cluster_centers, repetition.cluster_centers, 1e-12);
  EXPECT_NEAR(weighted.inertia, repetition.inertia, 1e-9);
  EXPECT_EQ(weighted.n_iter, repetition.n_iter);
  EXPECT_NEAR(weighted.score(b.x, {}, from_vector(weight, {200})), -weighted.inertia, 1e-9);
  expect_same(weighted.predict(b.x), weighted.labels);
  const KMeans ones_ = KMeans(options).fit(b.x, {}, full({200}, 1, kF64));
  expect_same(ones_.cluster_centers, KMeans(options).fit(b.x).cluster_centers);
  // Their scale is nobody's business.
  for (const double size : {1e-300, 1e300}) {
    const KMeansOptions drawn{.n_clusters = 5, .random_state = 2};
    const KMeans scaled = KMeans(drawn).fit(b.x, {}, from_vector(weight, {200}) * size);
    expect_same(scaled.labels, KMeans(drawn).fit(b.x, {}, from_vector(weight, {200})).labels);
  }
  // What has no weight is drawn only when nothing else is left.
  const Tensor lone = from_vector(std::vector<double>{0, 1, 0, 1, 0, 0}, {6});
  for (const KMeansInit init : {KMeansInit::kKMeansPlusPlus, KMeansInit::kRandom}) {
    KMeans two({.n_clusters = 2, .init = init});
    const Tensor x = reshape(tensor({100., 1., 200., 2., 300., 400.}), {6, 1});
    two.fit(x, {}, lone);
    const std::vector<double> c = two.cluster_centers.to_vector<double>();
    EXPECT_EQ(std::set<double>(c.begin(), c.end()), (std::set<double>{1, 2}));
    EXPECT_EQ(two.inertia, 0);
  }
}

TEST(KMeans, OrderOfRowsDoesNotMatter) {
  const Blobs b = blobs(300, 4, 5, 2);
  std::vector<int64_t> order(300);
  std::iota(order.begin(), order.end(), 0);
  data::Random random(5);
  for (int64_t i = 299; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  const Tensor rows = from_vector(order, {300});
  const KMeansOptions options{.n_clusters = 5, .init_centers = slice(b.x, 0, Slice{0, 5})};
  const KMeans a = KMeans(options).fit(b.x), c = KMeans(options).fit(take(b.x, rows));
  expect_same(take(a.labels, rows), c.labels);
  expect_same(a.cluster_centers, c.cluster_centers, 1e-12);
}

// Blocks of rows, of which the last is smaller.
TEST(KMeans, ManyRowsAreOneProblem) {
  const Blobs b = blobs(9000, 2, 300, 30);
  const Tensor begin = slice(b.x, 0, Slice{0, 300});
  const KMeans kmeans = KMeans({.n_clusters = 300, .init_centers = begin, .max_iter = 1}).fit(b.x);
  // One step by hand.
  const Plain first = plain(b.x, begin);
  std::vector<double> sums(600), counts(300);
  const std::vector<double> x = b.x.to_vector<double>();
  for (int64_t i = 0; i < 9000; ++i) {
    counts[first.labels[i]] += 1;
    for (int64_t f = 0; f < 2; ++f) sums[first.labels[i] * 2 + f] += x[i * 2 + f];
  }
  for (int64_t j = 0; j < 600; ++j) sums[j] /= counts[j / 2];
  expect_values(kmeans.cluster_centers, {300, 2}, sums, 1e-11);
  EXPECT_EQ(vector_of(kmeans.labels), plain(b.x, kmeans.cluster_centers).labels);
}

TEST(KMeans, ThreadsAndEagerModeGiveTheSame) {
  const int before = num_threads();
  const bool was_eager = eager();
  for (const DType dtype : {kF32, kF64}) {
    const Blobs b = blobs(5000, 8, 10, 2, dtype);
    const KMeansOptions options{.n_clusters = 10, .n_init = 2, .random_state = 7};
    set_num_threads(1);
    const KMeans one = KMeans(options).fit(b.x);
    for (const int threads : {2, 4}) {
      set_num_threads(threads);
      const KMeans other = KMeans(options).fit(b.x);
      const bool same = dtype == kF32
                            ? same_bits<float>(one.cluster_centers, other.cluster_centers)
                            : same_bits<double>(one.cluster_centers, other.cluster_centers);
      EXPECT_TRUE(same) << threads;
      EXPECT_TRUE(same_bits<int64_t>(one.labels, other.labels));
      EXPECT_EQ(one.inertia, other.inertia);
    }
    set_num_threads(before);
    set_eager(true);
    const KMeans at_once = KMeans(options).fit(b.x);
    set_eager(was_eager);
    EXPECT_NEAR(at_once.inertia / one.inertia, 1, 1e-5);
  }
}

// Samples far from zero, whose squares leave no digits of the distances between them.
TEST(KMeans, FarFromZero) {
  const Tensor x = blobs(300, 3, 4, 20, kF32).x;
  const KMeansOptions options{.n_clusters = 4, .n_init = 5};
  const KMeans near = KMeans(options).fit(x);
  const Tensor far = x + 65536;
  KMeans away = KMeans(options);
  EXPECT_TRUE(same_partition(vector_of(away.fit_predict(far)), vector_of(near.labels)));
  EXPECT_EQ(vector_of(away.predict(far)), vector_of(away.labels));
}

TEST(KMeans, EmptyClusters) {
  // Nobody is near 100 and 200: they take the farthest samples, 10 and then 9.
  const Tensor x = reshape(tensor({0., 1., 2., 9., 10.5}), {5, 1});
  for (const KMeansAlgorithm algorithm : {KMeansAlgorithm::kLloyd, KMeansAlgorithm::kElkan}) {
    KMeans kmeans({.n_clusters = 3,
                   .init_centers = reshape(tensor({0., 100., 200.}), {3, 1}),
                   .algorithm = algorithm});
    kmeans.fit(x);
    EXPECT_EQ(vector_of(kmeans.labels), (std::vector<int64_t>{0, 0, 0, 2, 1}));
    expect_values(kmeans.cluster_centers, {3, 1}, {1, 10.5, 9}, 1e-14);
    EXPECT_NEAR(kmeans.inertia, 2, 1e-13);
    // Fewer different samples than clusters: centers coincide.
    KMeans equal({.n_clusters = 3, .algorithm = algorithm});
    equal.fit(full({4, 2}, 3, kF64));
    EXPECT_EQ(equal.inertia, 0);
    expect_values(equal.cluster_centers, {3, 2}, {3, 3, 3, 3, 3, 3});
    EXPECT_EQ(vector_of(equal.labels), (std::vector<int64_t>(4, 0)));
  }
}

TEST(KMeans, SmallProblems) {
  const Tensor x = tensor({{1., 2.}, {3., 4.}, {5., 9.}});
  const KMeans one = KMeans({.n_clusters = 1}).fit(x);
  expect_values(one.cluster_centers, {1, 2}, {3, 5}, 1e-15);
  EXPECT_NEAR(one.inertia, 8 + 26, 1e-12);
  const KMeans each = KMeans({.n_clusters = 3}).fit(x);
  EXPECT_NEAR(each.inertia, 0, 1e-12);
  EXPECT_EQ(each.predict(x).numel(), 3);
  const KMeans sample = KMeans({.n_clusters = 1}).fit(tensor({{7.0f}}));
  expect_values(sample.cluster_centers, {1, 1}, {7});
  // Other dtypes: integers as f64, 16-bit floats as f32.
  EXPECT_EQ(KMeans({.n_clusters = 2}).fit(tensor({{1, 2}, {3, 4}})).cluster_centers.dtype(), kF64);
  EXPECT_EQ(KMeans({.n_clusters = 2}).fit(cast(x, kBF16)).cluster_centers.dtype(), kF32);
  // A model of one dtype takes samples of another.
  EXPECT_EQ(vector_of(each.predict(cast(x, kF32))), vector_of(each.predict(x)));
  // Precision is its own.
  const Autocast autocast(kBF16);
  const Tensor far = blobs(100, 3, 4, 1, kF32).x;
  const KMeans cast_around = KMeans({.n_clusters = 4}).fit(far);
  EXPECT_EQ(vector_of(cast_around.predict(far)), plain(far, cast_around.cluster_centers).labels);
}

TEST(KMeans, SaysWhatIsWrong) {
  const Tensor x = blobs(20, 3, 2, 5).x;
  const auto fit = [](const Tensor& samples, KMeansOptions options = {.n_clusters = 2},
                      const Tensor& weight = {}) { KMeans(options).fit(samples, {}, weight); };
  const auto contains = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks " << part;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = INFINITY;
  contains(message_of<ValueError>([&] { fit(tensor({{1., nan}, {2., 3.}})); }), "X contains NaN");
  contains(message_of<ValueError>([&] { fit(tensor({{1., -inf}, {2., 3.}})); }), "infinite");
  contains(message_of<ValueError>([&] { fit(tensor({{1e38f}, {-3e38f}})); }), "beyond f32");
  contains(message_of<ValueError>([&] { fit(x, {.n_clusters = 21}); }), "20 samples");
  contains(message_of<ShapeError>([&] { fit(tensor({1., 2.})); }), "(samples, features)");
  contains(message_of<ShapeError>([&] { fit(zeros({0, 3})); }), "no samples");
  contains(message_of<ShapeError>([&] { fit(zeros({3, 0})); }), "no features");
  contains(message_of<ShapeError>([&] { fit(Tensor{}); }), "not defined");
  contains(message_of<ShapeError>([&] {
             fit(x, {.n_clusters = 2, .init_centers = zeros({3, 3})});
           }),
           "init_centers is (3, 3), not (2, 3)");
  contains(message_of<ValueError>([&] {
             fit(x, {.n_clusters = 2, .init_centers = full({2, 3}, nan)});
           }),
           "NaN");
  contains(message_of<ShapeError>([&] { fit(x, {.n_clusters = 2}, ones({19})); }), "(19,)");
  contains(message_of<ValueError>([&] { fit(x, {.n_clusters = 2}, zeros({20})); }), "all zero");
  contains(message_of<ValueError>([&] { fit(x, {.n_clusters = 2}, full({20}, -1)); }), "negative");
  contains(message_of<ValueError>([&] { fit(x, {.n_clusters = 2}, full({20}, nan)); }), "finite");
  contains(message_of<ValueError>([&] { fit(x, {.n_clusters = 2}, full({20}, 8e306, kF64)); }),
           "weighted squared distances");
  contains(message_of<ValueError>([&] { KMeans({.n_clusters = 0}); }), "n_clusters = 0");
  contains(message_of<ValueError>([&] { KMeans({.n_init = 0}); }), "n_init = 0");
  contains(message_of<ValueError>([&] { KMeans({.max_iter = 0}); }), "max_iter = 0");
  contains(message_of<ValueError>([&] { KMeans({.tol = nan}); }), "tol");

  KMeans kmeans({.n_clusters = 2});
  contains(message_of<Error>([&] { kmeans.predict(x); }), "not fitted");
  contains(message_of<Error>([&] { kmeans.score(x); }), "not fitted");
  contains(message_of<Error>([&] { kmeans.state_dict(); }), "not fitted");
  kmeans.fit(x);
  const double inertia = kmeans.inertia;
  const std::string features = message_of<ShapeError>([&] { kmeans.predict(zeros({4, 2})); });
  contains(features, "2 features, but fit saw 3");
  contains(features, "kmeans_test.cpp");
  contains(message_of<ValueError>([&] { kmeans.transform(full({1, 3}, nan)); }), "NaN");
  // What was fitted before stays.
  EXPECT_THROW(kmeans.fit(full({5, 4}, nan)), ValueError);
  EXPECT_EQ(kmeans.n_features_in, 3);
  EXPECT_EQ(kmeans.inertia, inertia);
}

using KMeansFile = glia::test::Scratch;

TEST_F(KMeansFile, IsSavedAndLoaded) {
  const Tensor x = blobs(60, 3, 4, 5, kF32).x;
  const KMeans kmeans = KMeans({.n_clusters = 4}).fit(x);
  io::write_safetensors(file("kmeans"), kmeans.state_dict());
  KMeans loaded({.n_clusters = 4});
  loaded.load_state_dict(io::read_safetensors(file("kmeans")));
  EXPECT_TRUE(same_bits<float>(loaded.cluster_centers, kmeans.cluster_centers));
  EXPECT_TRUE(same_bits<int64_t>(loaded.labels, kmeans.labels));
  EXPECT_EQ(loaded.inertia, kmeans.inertia);
  EXPECT_EQ(loaded.n_iter, kmeans.n_iter);
  EXPECT_EQ(vector_of(loaded.predict(x)), vector_of(kmeans.labels));

  const auto message = [&](StateDict state) {
    return message_of<Error>([&] { loaded.load_state_dict(state); });
  };
  StateDict state = kmeans.state_dict();
  state.pop_back();
  EXPECT_NE(message(state).find("no n_iter"), std::string::npos);
  state = kmeans.state_dict();
  state.emplace_back("more", zeros({}));
  EXPECT_NE(message(state).find("unknown more"), std::string::npos);
  state = kmeans.state_dict();
  state[0].second = zeros({5, 3});
  EXPECT_NE(message(state).find("cluster_centers is (5, 3)"), std::string::npos);
  state[0].second = zeros({4, 3}, kI64);
  EXPECT_NE(message(state).find("i64"), std::string::npos);
  state[0].second = full({4, 3}, INFINITY);
  EXPECT_NE(message(state).find("finite"), std::string::npos);
  EXPECT_TRUE(same_bits<float>(loaded.cluster_centers, kmeans.cluster_centers));
}

void check_vector_loops() {
  data::Random random(3);
  for (int64_t n = 0; n < 90; n += n < 20 ? 1 : 13) {
    std::vector<double> a, b, sum;
    std::vector<float> c, d;
    double product = 0, squares = 0, city = 0, of_floats = 0;
    for (int64_t i = 0; i < n; ++i) {
      a.push_back(random.uniform() - 0.5), b.push_back(random.uniform());
      c.push_back(static_cast<float>(a.back())), d.push_back(static_cast<float>(b.back()));
      product += a.back() * b.back();
      squares += (a.back() - b.back()) * (a.back() - b.back());
      city += std::abs(a.back() - b.back());
      of_floats += std::pow(double{c.back()} - double{d.back()}, 2);
    }
    EXPECT_NEAR(simd::dot(a.data(), b.data(), n), product, 1e-13);
    EXPECT_NEAR(simd::squared_distance(a.data(), b.data(), n), squares, 1e-13);
    EXPECT_NEAR(simd::squared_distance(c.data(), d.data(), n), of_floats, 1e-13);
    EXPECT_NEAR(simd::city_distance(a.data(), b.data(), n), city, 1e-13);
    sum = b;
    simd::add(sum.data(), 2, a.data(), n);
    simd::add(sum.data(), -1, d.data(), n);
    for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(sum[i], 2 * a[i] + b[i] - double{d[i]}, 1e-15);
  }
}

TEST(VectorLoopsDeathTest, AreThoseOfTheLevelInUse) {
  const std::vector<double> a(40, 1);
  std::vector<double> b(40, 1);
  glia::test::expect_each_level("libglia_classic", check_vector_loops, [&] {
    simd::add(b.data(), simd::dot(a.data(), b.data(), 40), a.data(), 40);
    simd::squared_distance(a.data(), b.data(), 40);
    simd::city_distance(a.data(), b.data(), 40);
  });
}

}  // namespace
}  // namespace glia::classic
