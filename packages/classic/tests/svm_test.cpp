// Support vector machines: margins known by hand, what optimal means, and what is refused.
#include "glia/classic/svm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "classic_data.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

TEST(SVC, TheWidestMarginOfTwoSamples) {
  const Tensor x = tensor({{0., 0.}, {2., 0.}, {-1., 3.}, {5., -2.}}), y = tensor({0, 1, 0, 1});
  SVC svc({{.kernel = SvmKernel::kLinear, .tol = 1e-9}, 1e6});
  svc.fit(x, y);
  EXPECT_EQ(svc.support.to_vector<int64_t>(), (std::vector<int64_t>{0, 1}));
  // The line half-way, at which the margin is 1 to either side: f = x1 - 1.
  expect_same(svc.decision_function(tensor({{0., 0.}, {1., 7.}, {2., -1.}})), tensor({-1., 0., 1.}),
              1e-8);
  expect_same(svc.dual_coef, tensor({{-0.5, 0.5}}), 1e-8);
  EXPECT_EQ(svc.score(x, y), 1);
}

// Kuhn and Tucker's conditions, sample by sample.
TEST(SVC, IsOptimal) {
  for (const char* kernel : {"linear", "poly", "rbf"}) {
    const auto b = blobs(120, 3, 2, 0.7);
    const Tensor y = from_vector(b.of, {120});
    SVC svc({{.tol = 1e-8}, 2});
    set_params(svc, {{"kernel", kernel}});
    svc.fit(b.x, y);
    const auto f = svc.decision_function(b.x).to_vector<double>();
    std::vector<double> alpha(120);
    const auto support = svc.support.to_vector<int64_t>();
    const auto dual = svc.dual_coef.to_vector<double>();
    double balance = 0;
    for (size_t s = 0; s < support.size(); ++s) {
      const double sign = b.of[support[s]] == 1 ? 1 : -1;
      alpha[support[s]] = dual[s] * sign;
      balance += dual[s];
    }
    EXPECT_NEAR(balance, 0, 1e-9) << kernel;
    for (int64_t i = 0; i < 120; ++i) {
      const double margin = f[i] * (b.of[i] == 1 ? 1 : -1);
      EXPECT_GE(alpha[i], -1e-12);
      EXPECT_LE(alpha[i], 2 + 1e-12);
      if (alpha[i] == 0) {
        EXPECT_GE(margin, 1 - 1e-6) << kernel;
      } else if (alpha[i] < 2 - 1e-12) {
        EXPECT_NEAR(margin, 1, 1e-6) << kernel;
      } else {
        EXPECT_LE(margin, 1 + 1e-6) << kernel;
      }
    }
  }
}

TEST(SVC, XorAndManyClasses) {
  const Tensor x = tensor({{0., 0.}, {1., 1.}, {0., 1.}, {1., 0.}}), y = tensor({7, 7, -2, -2});
  EXPECT_EQ(SVC({{.gamma = 2}, 100}).fit(x, y).score(x, y), 1);
  EXPECT_LT(SVC({{.kernel = SvmKernel::kLinear}, 100}).fit(x, y).score(x, y), 1);
  const auto b = blobs(200, 2, 5, 20);
  const Tensor of = from_vector(b.of, {200}) * 2;
  SVC many;
  many.fit(b.x, of);
  EXPECT_EQ(many.score(b.x, of), 1);
  EXPECT_EQ(many.decision_function(b.x).shape(), (Shape{200, 5}));
  set_params(many, {{"decision_function_shape", "ovo"}});
  EXPECT_EQ(many.decision_function(b.x).shape(), (Shape{200, 10}));
  expect_same(many.predict(b.x), of);
}

TEST(SVC, AKernelThatIsGivenIsTheSame) {
  const auto b = blobs(90, 3, 3, 1.5);
  const Tensor y = from_vector(b.of, {90}), k = matmul(b.x, transpose(b.x));
  SVC given({{.kernel = SvmKernel::kPrecomputed, .tol = 1e-9}}),
      own({{.kernel = SvmKernel::kLinear, .tol = 1e-9}});
  expect_same(given.fit(k, y).decision_function(k), own.fit(b.x, y).decision_function(b.x), 1e-6);
  EXPECT_THROW(given.fit(b.x, y), ShapeError);
  SVC loaded(given.options());
  loaded.load_state_dict(given.state_dict());
  expect_same(loaded.predict(k), given.predict(k));
}

TEST(SVC, WeightsAreRepetitionsAndASmallCacheChangesNothing) {
  const auto b = blobs(80, 2, 2, 0.8);
  const Tensor y = from_vector(b.of, {80});
  std::vector<double> weight;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 80; ++i) {
    weight.push_back(static_cast<double>(i % 3));
    for (int64_t r = 0; r < i % 3; ++r) rows.push_back(i);
  }
  const Tensor repeated = from_vector(rows, {static_cast<int64_t>(rows.size())});
  SVC weighted({{.gamma = 0.5, .tol = 1e-9}}), more = weighted,
                                               small({{.gamma = 0.5, .tol = 1e-9, .cache_mb = 0}});
  weighted.fit(b.x, y, from_vector(weight, {80}));
  more.fit(take(b.x, repeated), take(y, repeated));
  expect_same(weighted.decision_function(b.x), more.decision_function(b.x), 1e-6);
  small.fit(b.x, y, from_vector(weight, {80}));
  expect_same(small.dual_coef, weighted.dual_coef);
}

TEST(SVR, FitsWithinEpsilon) {
  std::vector<double> x, y;
  for (int i = 0; i < 80; ++i) x.push_back(0.1 * i), y.push_back(std::sin(0.1 * i));
  const Tensor tx = from_vector(x, {80, 1}), ty = from_vector(y, {80});
  SVR svr({{.gamma = 1, .tol = 1e-8}, 1e4, 0.05});
  svr.fit(tx, ty);
  EXPECT_LE(max(abs(svr.predict(tx) - ty)).item(), 0.05 + 1e-6);
  EXPECT_LT(svr.support.size(0), 40);
  const SVR flat = SVR({{}, 1, 5}).fit(tx, ty);  // nothing is off by 5
  EXPECT_EQ(flat.support.size(0), 0);
  expect_same(flat.predict(tx), full({80}, flat.intercept, kF64));
  EXPECT_THROW(SVR({{}, 1, -0.1}), ValueError);
}

TEST(OneClassSVM, HoldsItsShare) {
  const Tensor x = blobs(400, 2, 1, 0).x;
  for (const double nu : {0.05, 0.2, 0.5}) {
    const OneClassSVM one = OneClassSVM({{.tol = 1e-8}, nu}).fit(x);
    const double outside = mean(cast(one.predict(x) == -1, kF64)).item();
    EXPECT_NEAR(outside, nu, 0.02);
    EXPECT_GE(static_cast<double>(one.support.size(0)) / 400, nu - 1e-9);
  }
  EXPECT_EQ(OneClassSVM().fit(x).predict(full({1, 2}, 100.0)).item<int64_t>(), -1);
  EXPECT_THROW(OneClassSVM({{}, 0}), ValueError);
}

TEST(SVC, SaysWhatIsWrong) {
  const Tensor x = tensor({{0.}, {1.}});
  EXPECT_NE(message_of<ValueError>([&] {
              SVC().fit(x, tensor({1, 1}));
            }).find("one class"),
            std::string::npos);
  EXPECT_NE(message_of<ValueError>([&] {
              SVC().fit(x, tensor({0, 1}), tensor({0., 1.}));
            }).find("no sample that weighs"),
            std::string::npos);
  EXPECT_THROW(SVC({{}, 0}), ValueError);
  EXPECT_THROW(SVC({{.gamma = -1}}), ValueError);
  EXPECT_THROW(SVC({{.max_iter = 0}}), ValueError);
  EXPECT_THROW(SVC().fit(x, tensor({0, 1, 2})), ShapeError);
}

}  // namespace
}  // namespace glia::classic
