// Naive Bayes, discriminants, covariances, isotonic curves: examples of textbooks, closed forms,
// and what is refused. Beside scikit-learn: parity/bayes.py.
#include <gtest/gtest.h>

#include <cmath>

#include "classic_data.h"
#include "glia/classic/covariance.h"
#include "glia/classic/cross_decomposition.h"
#include "glia/classic/discriminant_analysis.h"
#include "glia/classic/isotonic.h"
#include "glia/classic/kernel_ridge.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/multiclass.h"
#include "glia/classic/multioutput.h"
#include "glia/classic/naive_bayes.h"
#include "glia/ops.h"
#include "glia/sparse.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

// Manning, Raghavan & Schuetze 2008, examples 13.1 and 13.2: four documents of six words, of which
// the first three are about China, and a fifth one.
const Tensor kWords =  // Chinese, Beijing, Shanghai, Macao, Tokyo, Japan
    tensor({{2., 1., 0., 0., 0., 0.},
            {2., 0., 1., 0., 0., 0.},
            {1., 0., 0., 1., 0., 0.},
            {1., 0., 0., 0., 1., 1.}});
const Tensor kChina = tensor({1, 1, 1, 0});
const Tensor kFifth = tensor({{3., 0., 0., 0., 1., 1.}});

TEST(NaiveBayes, IntroductionToInformationRetrieval) {
  MultinomialNB multinomial;
  multinomial.fit(kWords, kChina);
  const double yes = 3.0 / 4 * std::pow(3.0 / 7, 3) / 14 / 14,
               no = 1.0 / 4 * std::pow(2.0 / 9, 3) * 2 / 9 * 2 / 9;
  EXPECT_NEAR(yes, 0.0003, 5e-5);  // as printed
  EXPECT_NEAR(no, 0.0001, 5e-5);
  expect_same(exp(multinomial.predict_joint_log_proba(kFifth)), tensor({{no, yes}}), 1e-14);
  EXPECT_EQ(multinomial.predict(kFifth).item<int64_t>(), 1);

  BernoulliNB bernoulli;
  bernoulli.fit(kWords, kChina);
  const Tensor joint = exp(bernoulli.predict_joint_log_proba(kFifth));
  EXPECT_NEAR(joint.to_vector<double>()[1], 0.005, 5e-4);
  EXPECT_NEAR(joint.to_vector<double>()[0], 0.022, 5e-4);
  EXPECT_EQ(bernoulli.predict(kFifth).item<int64_t>(), 0);
}

TEST(NaiveBayes, PartsAreTheWhole) {
  const auto b = blobs(300, 4, 3, 1.5);
  const Tensor y = from_vector(b.of, {300}) * 2 - 1, x = b.x - min(b.x);
  for (const char* name : {"GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB"}) {
    const auto whole = make_estimator(name), parts = make_estimator(name);
    whole->fit(x, y);
    auto& bayes = dynamic_cast<NaiveBayes&>(*parts);
    bayes.partial_fit(slice(x, 0, {.stop = 100}), slice(y, 0, {.stop = 100}), {3, -1, 1});
    bayes.partial_fit(slice(x, 0, {.start = 100}), slice(y, 0, {.start = 100}));
    // The noise that is added to variances is that of the last part.
    expect_same(parts->predict_proba(x), whole->predict_proba(x), 1e-6);
    expect_same(bayes.class_count, dynamic_cast<NaiveBayes&>(*whole).class_count);
    EXPECT_THROW(bayes.partial_fit(x, y + 100), ValueError);
    EXPECT_THROW(bayes.partial_fit(x, y, {1, 2}), ValueError);
    expect_same(parts->predict_proba(x), whole->predict_proba(x), 1e-6);  // as before
  }
  EXPECT_TRUE(
      says(message_of<ValueError>([&] { GaussianNB().partial_fit(x, y); }), "needs classes"));
}

TEST(NaiveBayes, WeightsAreRepetitions) {
  const auto b = blobs(120, 3, 2, 1);
  const Tensor x = floor(abs(b.x) * 2), y = from_vector(b.of, {120});
  std::vector<double> weight;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 120; ++i) {
    weight.push_back(static_cast<double>(i % 3));
    for (int64_t r = 0; r < i % 3; ++r) rows.push_back(i);
  }
  const Tensor repeated = from_vector(rows, {static_cast<int64_t>(rows.size())});
  for (const char* name :
       {"GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB"}) {
    const auto weighted = make_estimator(name), more = make_estimator(name);
    if (std::string(name) == "GaussianNB") set_params(*weighted, {{"var_smoothing", 0.0}});
    if (std::string(name) == "GaussianNB") set_params(*more, {{"var_smoothing", 0.0}});
    if (std::string(name) == "CategoricalNB") set_params(*more, {{"min_categories", int64_t{30}}});
    if (std::string(name) == "CategoricalNB")
      set_params(*weighted, {{"min_categories", int64_t{30}}});
    weighted->fit(x, y, from_vector(weight, {120}));
    more->fit(take(x, repeated), take(y, repeated));
    expect_same(weighted->predict_proba(x), more->predict_proba(x), 1e-10);
  }
}

template <class Model>
void expect_sparse(Model dense) {
  SCOPED_TRACE(dense.name());
  data::Random random(4);
  std::vector<double> counts, weight;
  std::vector<int64_t> of;
  for (int64_t i = 0; i < 60; ++i) {
    of.push_back(random.below(3) * 3);
    weight.push_back(random.uniform());
    for (int64_t j = 0; j < 9; ++j)
      counts.push_back(j / 3 * 3 == of.back() ? static_cast<double>(random.below(5)) : 0);
  }
  const Tensor x = from_vector(counts, {60, 9}), y = from_vector(of, {60}),
               w = from_vector(weight, {60});
  const Csr sparse = Csr::from_dense(x);
  Model model = dense, parts = dense;
  dense.fit(x, y, w);
  model.fit(sparse, y, w);
  expect_same(model.feature_log_prob, dense.feature_log_prob, 1e-14);
  expect_same(model.predict_joint_log_proba(sparse), dense.predict_joint_log_proba(x), 1e-13);
  expect_same(model.predict(sparse), dense.predict(x));
  expect_same(model.predict_proba(sparse), dense.predict_proba(x), 1e-13);
  const auto rows = [&](int64_t from, int64_t to) { return slice(x, 0, {from, to}); };
  parts.partial_fit(Csr::from_dense(rows(0, 20)), slice(y, 0, {0, 20}), {0, 3, 6});
  parts.partial_fit(Csr::from_dense(rows(20, 60)), slice(y, 0, {20, 60}));
  Model whole = dense;
  whole.fit(x, y);
  expect_same(parts.feature_count, whole.feature_count, 1e-13);
  EXPECT_THROW(model.fit(sparse.with_values(-sparse.values()), y), ValueError);
  EXPECT_THROW(model.predict(Csr::from_dense(ones({2, 3}, kF64))), ShapeError);
}

TEST(NaiveBayes, SparseSamplesSayTheSame) {
  expect_sparse(MultinomialNB());
  expect_sparse(MultinomialNB({.alpha = 0}));
  expect_sparse(ComplementNB());
}

TEST(NaiveBayes, WithoutSmoothingWhatNeverWasIsImpossible) {
  MultinomialNB nb({.alpha = 0});
  nb.fit(kWords, kChina);
  expect_same(nb.predict_proba(tensor({{1., 0., 0., 0., 1., 0.}})), tensor({{1., 0.}}));
  EXPECT_TRUE(says(message_of<ValueError>([&] {
                     nb.predict_proba(tensor({{0., 1., 0., 0., 1., 0.}}));
                   }),
                   "probability 0 in every class"));
  // Its infinite numbers are kept, too.
  MultinomialNB again({.alpha = 0});
  again.load_state_dict(nb.state_dict());
  expect_same(again.feature_log_prob, nb.feature_log_prob);
}

TEST(NaiveBayes, WhatHasNoSpreadHasNoDensity) {
  GaussianNB nb;
  nb.fit(ones({6, 2}), tensor({0, 1, 0, 1, 0, 1}));
  EXPECT_TRUE(says(message_of<ValueError>([&] { nb.predict(ones({1, 2})); }), "not constant"));
  // Beside a feature that is not constant it is as good as the others.
  GaussianNB other;
  const Tensor x = tensor({{1., 0.}, {1., 9.}, {1., 1.}, {1., 8.}});
  other.fit(x, tensor({0, 1, 0, 1}));
  EXPECT_EQ(other.score(x, tensor({0, 1, 0, 1})), 1);
  // A class that was never seen is never guessed.
  GaussianNB some({.var_smoothing = 0});
  some.partial_fit(tensor({{0.}, {1.}, {4.}, {6.}}), tensor({0, 0, 1, 1}), {0, 1, 2});
  expect_same(index(some.predict_proba(tensor({{2.}})), {0, 2}), tensor(0.));
}

TEST(NaiveBayes, SaysWhatIsWrong) {
  const Tensor x = tensor({{0., 1.}, {2., 0.}}), y = tensor({0, 1});
  EXPECT_TRUE(says(message_of<ValueError>([&] { MultinomialNB().fit(x - 1, y); }), "below 0"));
  EXPECT_TRUE(
      says(message_of<ValueError>([&] { CategoricalNB().fit(x + 0.5, y); }), "categories: 0, 1"));
  EXPECT_TRUE(says(message_of<ValueError>([&] { CategoricalNB().fit(x * 4.9e6, y); }), "too many"));
  EXPECT_TRUE(says(message_of<ValueError>([&] {
                     CategoricalNB nb;
                     nb.fit(x, y);
                     nb.predict(x * 9);
                   }),
                   "did not know"));
  EXPECT_TRUE(says(message_of<ValueError>([&] { GaussianNB({.priors = {0.5}}).fit(x, y); }),
                   "priors has 1"));
  EXPECT_TRUE(says(message_of<ValueError>([&] {
                     GaussianNB({.priors = {0.9, 0.3}}).fit(x, y);
                   }),
                   "adds up"));
  EXPECT_TRUE(says(message_of<ValueError>([&] {
                     BernoulliNB({{}, std::nullopt}).fit(x, y);
                   }),
                   "0 and 1"));
  EXPECT_THROW(MultinomialNB({.alpha = -1}).fit(x, y), ValueError);
  EXPECT_THROW(GaussianNB().fit(x * NAN, y), ValueError);
  EXPECT_THROW(GaussianNB().predict(x), Error);
  EXPECT_THROW(CategoricalNB({{}, {2, 2, 2}}).fit(x, y), ValueError);
}

TEST(DiscriminantAnalysis, TheBorderIsHalfWay) {
  // Two classes of the same spread around 0 and 4, and a feature that says nothing.
  const Tensor x = tensor(
      {{-1., 1.}, {1., -1.}, {-1., -1.}, {1., 1.}, {3., 1.}, {5., -1.}, {3., -1.}, {5., 1.}});
  const Tensor y = tensor({0, 0, 0, 0, 7, 7, 7, 7});
  for (const char* solver : {"svd", "lsqr", "eigen"}) {
    LinearDiscriminantAnalysis lda;
    set_params(lda, {{"solver", solver}});
    lda.fit(x, y);
    // f = S^-1 (m2 - m1) (x - 2), S = 1.
    expect_same(lda.coef, tensor({{4., 0.}}), 1e-12);
    expect_same(lda.intercept, tensor({-8.}), 1e-12);
    const Tensor p = lda.predict_proba(tensor({{2., 3.}, {2.25, 0.}}));
    expect_same(p, tensor({{0.5, 0.5}, {1 / (1 + std::exp(1.)), 1 / (1 + std::exp(-1.))}}), 1e-12);
    EXPECT_EQ(lda.score(x, y), 1);
    if (std::string(solver) == "lsqr") {
      EXPECT_THROW(lda.transform(x), Error);
    } else {
      EXPECT_EQ(lda.transform(x).shape(), (Shape{8, 1}));
    }
  }
  // Of spreads 1 and 2 around the same mean the border is where both are as likely: |x|^2 = 8/3
  // log 2.
  const Tensor one = tensor({-1., 1.}), wide = concat({one, one * 2});
  QuadraticDiscriminantAnalysis qda;
  qda.fit(reshape(wide, {4, 1}), tensor({0, 0, 1, 1}));
  const double border = std::sqrt(8.0 / 3 * std::log(2.0));
  const Tensor at = qda.decision_function(reshape(tensor({border, -border, 0.}), {3, 1}));
  EXPECT_NEAR(at.to_vector<double>()[0], 0, 1e-12);
  EXPECT_NEAR(at.to_vector<double>()[1], 0, 1e-12);
  EXPECT_NEAR(at.to_vector<double>()[2], -std::log(2.0), 1e-12);
}

TEST(DiscriminantAnalysis, SaysWhatIsWrong) {
  const Tensor x = tensor({{0., 0.}, {1., 2.}, {4., 4.}, {5., 6.}}), y = tensor({0, 0, 1, 1});
  EXPECT_TRUE(
      says(message_of<ValueError>([&] { QuadraticDiscriminantAnalysis().fit(x, y); }), "singular"));
  EXPECT_TRUE(says(message_of<ValueError>([&] {
                     LinearDiscriminantAnalysis lda({.solver = LdaSolver::kEigen});
                     lda.fit(x, y);
                   }),
                   "shrinkage"));
  EXPECT_THROW(LinearDiscriminantAnalysis({.shrinkage = 0.5}).fit(x, y), ValueError);
  EXPECT_THROW(LinearDiscriminantAnalysis({.n_components = 2}).fit(x, y), ValueError);
  EXPECT_THROW(LinearDiscriminantAnalysis().fit(x, tensor({1, 1, 1, 1})), ValueError);
  EXPECT_THROW(LinearDiscriminantAnalysis().fit(x, tensor({0, 1, 2, 3})), ValueError);
  EXPECT_THROW(LinearDiscriminantAnalysis().fit(x, y, ones({4})), Error);
}

TEST(Covariance, ShrinksBetweenItsEnds) {
  const Tensor x = blobs(50, 4, 1, 0).x;
  EmpiricalCovariance plain;
  plain.fit(x);
  const Tensor trace = sum(plain.covariance * eye(4, kF64));
  EXPECT_NEAR(sum(ShrunkCovariance({.shrinkage = 1}).fit(x).covariance * eye(4, kF64)).item(),
              trace.item(), 1e-12);
  expect_same(ShrunkCovariance({.shrinkage = 0}).fit(x).covariance, plain.covariance, 1e-15);
  expect_same(matmul(plain.covariance, plain.precision), eye(4, kF64), 1e-10);
  EXPECT_NEAR(mean(plain.mahalanobis(x)).item(), 4, 1e-10);  // tr(C^-1 C)
  EXPECT_GT(LedoitWolf().fit(x).shrinkage, 0);
  EXPECT_EQ(plain.error_norm(plain.covariance), 0);
  EXPECT_THROW(ShrunkCovariance({.shrinkage = 1.5}).fit(x), ValueError);
  EXPECT_THROW(plain.error_norm(eye(3, kF64)), ShapeError);
}

TEST(MinCovDet, DoesNotMindOutliers) {
  const Tensor good = blobs(700, 3, 1, 0).x, bad = blobs(200, 3, 1, 0, kF64, 5).x * 0.1 + 30;
  const Tensor x = concat({good, bad});
  MinCovDet robust;
  robust.fit(x);
  const EmpiricalCovariance clean = EmpiricalCovariance().fit(good);
  EXPECT_LT(max(abs(robust.location - clean.location)).item(), 0.1);
  EXPECT_LT(max(abs(robust.covariance - clean.covariance)).item(), 0.15);
  EXPECT_EQ(sum(slice(robust.support, 0, {.start = 700})).item<int64_t>(), 0);
  EllipticEnvelope envelope({{}, 200.0 / 900});
  envelope.fit(x);
  EXPECT_EQ(envelope.score(x, concat({ones({700}, kI64), -ones({200}, kI64)})), 1);
  EXPECT_THROW(MinCovDet().fit(concat({zeros({8, 1}, kF64), ones({2, 1}, kF64)})), ValueError);
  EXPECT_THROW(MinCovDet().fit(ones({1, 2}, kF64)), ValueError);
}

TEST(Isotonic, PoolsWhatFalls) {
  const Tensor y = tensor({1., 3., 2., 4., 3., 5.});
  expect_same(isotonic_regression(y), tensor({1., 2.5, 2.5, 3.5, 3.5, 5.}));
  expect_same(isotonic_regression(y, {.sample_weight = tensor({1., 3., 1., 1., 1., 1.})}),
              tensor({1., 2.75, 2.75, 3.5, 3.5, 5.}));
  expect_same(isotonic_regression(-y, {.increasing = false}), -isotonic_regression(y));
  expect_same(isotonic_regression(y, {.y_min = 2., .y_max = 3.}),
              tensor({2., 2.5, 2.5, 3., 3., 3.}));
  IsotonicRegression curve({.out_of_bounds = OutOfBounds::kClip});
  curve.fit(reshape(arange(0, 6, 1, kF64), {6, 1}), y);
  expect_same(curve.predict(tensor({-5., 0.5, 1.5, 2.5, 9.})), tensor({1., 1.75, 2.5, 3., 5.}));
  EXPECT_EQ(curve.X_thresholds.size(0), 6);
  IsotonicRegression unsure({.out_of_bounds = OutOfBounds::kRaise});
  unsure.fit(tensor({0., 1.}), tensor({0., 1.}));
  EXPECT_TRUE(
      says(message_of<ValueError>([&] { unsure.predict(tensor({2.})); }), "outside of 0 to 1"));
  EXPECT_THROW(IsotonicRegression().fit(ones({3, 2}), ones({3})), ShapeError);
  EXPECT_THROW(isotonic_regression(y, {.y_min = 3., .y_max = 2.}), ValueError);
}

TEST(KernelRidge, OfALinearKernelIsRidge) {
  const auto b = blobs(60, 3, 1, 0);
  const Tensor y = matmul(b.x, tensor({{1., 0.}, {2., -1.}, {0.5, 3.}}));
  Ridge ridge({.alpha = 0.7, .fit_intercept = false});
  ridge.fit(b.x, y);
  KernelRidge kernel({.alpha = 0.7});
  kernel.fit(b.x, y);
  expect_same(kernel.predict(b.x), ridge.predict(b.x), 1e-9);
  KernelRidge given({.alpha = 0.7, .kernel = RidgeKernel::kPrecomputed});
  const Tensor k = matmul(b.x, transpose(b.x));
  given.fit(k, y);
  expect_same(given.predict(k), ridge.predict(b.x), 1e-9);
  EXPECT_THROW(given.fit(b.x, y), ShapeError);
  // Singular, without a penalty: the shortest solution.
  const Tensor same = concat({b.x, b.x});
  KernelRidge none({.alpha = 0});
  none.fit(same, concat({y, y}));
  expect_same(none.predict(b.x), y, 1e-6);
}

TEST(PLSRegression, OfAllComponentsIsLeastSquares) {
  const auto b = blobs(80, 4, 1, 0);
  const Tensor y = matmul(b.x, tensor({{1., 0.}, {2., -1.}, {0.5, 3.}, {0., 1.}})) +
                   square(b.x.defined() ? slice(b.x, 1, {.stop = 2}) : b.x);
  PLSRegression pls({.n_components = 4, .max_iter = 5000, .tol = 1e-20});
  pls.fit(b.x, y);
  LinearRegression ols;
  ols.fit(b.x, y);
  expect_same(pls.predict(b.x), ols.predict(b.x), 1e-7);
  expect_same(pls.inverse_transform(pls.transform(b.x)), b.x, 1e-8);
  // y is told by one direction: the other components are nothing.
  PLSRegression one({.n_components = 3, .scale = false});
  const Tensor told = index(b.x, {Slice{}, 0});
  one.fit(slice(b.x, 1, {.stop = 1}) * tensor({1., 2., 3.}), told);
  expect_same(one.predict(slice(b.x, 1, {.stop = 1}) * tensor({1., 2., 3.})), told, 1e-10);
  EXPECT_THROW(PLSRegression({.n_components = 5}).fit(b.x, y), ValueError);
}

TEST(ManyOutputs, AreEachTheirOwn) {
  const auto b = blobs(150, 3, 3, 2);
  const Tensor y = from_vector(b.of, {150}), two = stack({y, cast(y == 1, kI64)}, 1);
  MultiOutputClassifier many{GaussianNB()};
  many.fit(b.x, two);
  GaussianNB alone;
  alone.fit(b.x, y);
  expect_same(index(many.predict(b.x), {Slice{}, 0}), alone.predict(b.x));
  EXPECT_EQ(many.predict_probas(b.x)[1].size(1), 2);
  EXPECT_THROW(many.predict_proba(b.x), Error);
  OneVsOneClassifier pairs{GaussianNB()};
  pairs.fit(b.x, y * 5);
  EXPECT_EQ(pairs.estimators.size(), 3);
  EXPECT_GT(pairs.score(b.x, y * 5), 0.7);
  OneVsRestClassifier labels{GaussianNB()};
  labels.fit(b.x, concat({two * 0 + (two == 1), ones({150, 1}, kI64)}, 1));  // the last is constant
  EXPECT_TRUE(all(index(labels.predict(b.x), {Slice{}, 2}) == 1).item<bool>());
  OneVsRestClassifier again{GaussianNB()};
  again.load_state_dict(labels.state_dict());
  expect_same(again.predict(b.x), labels.predict(b.x));
  EXPECT_THROW(OneVsRestClassifier{Ridge()}.fit(b.x, y), ValueError);
  EXPECT_THROW(ClassifierChain(GaussianNB(), {.order = {0, 0}}).fit(b.x, two), ValueError);
}

}  // namespace
}  // namespace glia::classic
