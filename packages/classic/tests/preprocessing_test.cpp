// The scaler and principal components.
#include <gtest/gtest.h>

#include <limits>

#include "classic_data.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/preprocessing.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using test::blobs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(StandardScaler, TakesMeanAndDeviationOff) {
  // Means 3 and 5, variances 8/3 and 0; a constant feature is not divided.
  const Tensor x = tensor({{1., 5.}, {3., 5.}, {5., 5.}});
  StandardScaler scaler;
  const double s = std::sqrt(8.0 / 3);
  expect_values(scaler.fit_transform(x), {3, 2}, {-2 / s, 0, 0, 0, 2 / s, 0}, 1e-15);
  expect_values(scaler.mean, {2}, {3, 5});
  expect_values(scaler.var, {2}, {8.0 / 3, 0}, 1e-15);
  expect_values(scaler.scale, {2}, {s, 1}, 1e-15);
  EXPECT_EQ(scaler.n_samples_seen, 3);
  expect_same(scaler.inverse_transform(scaler.transform(x)), x, 1e-15);
  // A constant whose mean is rounded.
  const Tensor tenth = StandardScaler().fit(full({10, 1}, 0.1, kF64)).scale;
  expect_values(tenth, {1}, {1});
  expect_same(StandardScaler({.with_std = false}).fit_transform(x), x - tensor({3., 5.}), 1e-15);
  expect_same(StandardScaler({.with_mean = false}).fit_transform(x), x / tensor({s, 1.}), 1e-15);
  // f32 stays f32, and what it holds may have a mean far from zero.
  const Tensor far = StandardScaler().fit_transform(cast(x, kF32) + 1e6);
  EXPECT_EQ(far.dtype(), kF32);
  expect_values(far, {3, 2}, {-2 / s, 0, 0, 0, 2 / s, 0}, 1e-6);
}

TEST(StandardScaler, SaysWhatIsWrongAndIsLoaded) {
  const Tensor x = blobs(30, 3, 2, 5).x;
  StandardScaler scaler, loaded;
  EXPECT_NE(message_of<Error>([&] { scaler.transform(x); }).find("not fitted"), std::string::npos);
  EXPECT_THROW(scaler.fit(tensor({{kNan}})), ValueError);
  EXPECT_THROW(scaler.fit(tensor({{1e300}, {-1e300}})), ValueError);
  EXPECT_FALSE(scaler.fitted());
  scaler.fit(x);
  EXPECT_THROW(scaler.transform(zeros({2, 4})), ShapeError);
  loaded.load_state_dict(scaler.state_dict());
  expect_same(loaded.transform(x), scaler.transform(x));
  StateDict state = scaler.state_dict();
  state[1].second = zeros({4});
  EXPECT_THROW(loaded.load_state_dict(state), Error);
}

TEST(PCA, AxesOfVariance) {
  // On the line (3, 4) / 5 at -10, 0, 10: variance 100 and nothing else.
  const Tensor x = tensor({{-5., -7.}, {1., 1.}, {7., 9.}});
  PCA pca;
  pca.fit(x);
  expect_values(pca.components, {2, 2}, {0.6, 0.8, 0.8, -0.6}, 1e-15);
  expect_values(pca.explained_variance, {2}, {100, 0}, 1e-13);
  expect_values(pca.explained_variance_ratio, {2}, {1, 0}, 1e-15);
  expect_values(pca.mean, {2}, {1, 1}, 1e-15);
  EXPECT_NEAR(pca.singular_values.to_vector<double>()[0], std::sqrt(200), 1e-13);
  expect_values(PCA({.n_components = 1}).fit_transform(x), {3, 1}, {-10, 0, 10}, 1e-14);
  expect_values(PCA({.n_components = 1, .whiten = true}).fit_transform(x), {3, 1}, {-1, 0, 1},
                1e-14);
}

TEST(PCA, AllComponentsGiveTheDataBack) {
  for (const bool whiten : {false, true}) {
    const Tensor x = blobs(50, 6, 3, 4).x;
    PCA pca({.whiten = whiten});
    const Tensor y = pca.fit_transform(x);
    expect_same(pca.inverse_transform(y), x, 1e-12);
    const Tensor covariance = matmul(transpose(y), y) / 49;
    expect_same(covariance,
                whiten ? eye(6, kF64) : eye(6, kF64) * unsqueeze(pca.explained_variance, 1), 1e-11);
    PCA loaded({.whiten = whiten});
    loaded.load_state_dict(pca.state_dict());
    expect_same(loaded.transform(x), y);
  }
  // More features than samples, and f32.
  const Tensor wide = blobs(4, 9, 2, 3, kF32).x;
  PCA pca;
  const Tensor y = pca.fit_transform(wide);
  EXPECT_EQ(y.shape(), Shape({4, 4}));
  EXPECT_EQ(y.dtype(), kF32);
  expect_same(pca.inverse_transform(y), wide, 1e-4);
}

TEST(PCA, SaysWhatIsWrong) {
  const Tensor x = blobs(10, 3, 2, 5).x;
  EXPECT_THROW(PCA({.n_components = 0}), ValueError);
  EXPECT_THROW(PCA({.n_components = 4}).fit(x), ValueError);
  EXPECT_THROW(PCA().fit(ones({1, 3})), ValueError);
  EXPECT_THROW(PCA().fit(tensor({{kNan, 1.}, {1., 2.}})), ValueError);
  EXPECT_THROW(PCA().fit(tensor({{1e200}, {-1e200}})), ValueError);
  PCA pca({.n_components = 2});
  EXPECT_THROW(pca.transform(x), Error);
  pca.fit(x);
  EXPECT_THROW(pca.transform(zeros({2, 2})), ShapeError);
  EXPECT_THROW(pca.inverse_transform(zeros({2, 3})), ShapeError);
  // Constant data has components, of no variance.
  const Tensor constant = full({5, 2}, 3, kF64);
  expect_values(PCA({.whiten = true}).fit_transform(constant), {5, 2}, std::vector<double>(10));
  PCA equal;
  equal.fit(constant);
  expect_values(equal.explained_variance_ratio, {2}, {0, 0});
}

}  // namespace
}  // namespace glia::classic
