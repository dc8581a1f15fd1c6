// Logistic regression, generalised linear models, and single neurons.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "classic_data.h"
#include "glia/classic/linear_model.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/sparse.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

// Spector & Mazzeo 1980: GPA, TUCE, PSI and whether the grade was better (Greene, Econometric
// analysis, table 21.1).
const std::vector<double> kSpector{
    2.66, 20, 0, 0, 2.89, 22, 0, 0, 3.28, 24, 0, 0, 2.92, 12, 0, 0, 4.00, 21, 0, 1, 2.86, 17, 0, 0,
    2.76, 17, 0, 0, 2.87, 21, 0, 0, 3.03, 25, 0, 0, 3.92, 29, 0, 1, 2.63, 20, 0, 0, 3.32, 23, 0, 0,
    3.57, 23, 0, 0, 3.26, 25, 0, 1, 3.53, 26, 0, 0, 2.74, 19, 0, 0, 2.75, 25, 0, 0, 2.83, 19, 0, 0,
    3.12, 23, 1, 0, 3.16, 25, 1, 1, 2.06, 22, 1, 0, 3.62, 28, 1, 1, 2.89, 14, 1, 0, 3.51, 26, 1, 0,
    3.54, 24, 1, 1, 2.83, 27, 1, 1, 3.39, 17, 1, 1, 2.67, 24, 1, 0, 3.65, 21, 1, 1, 4.00, 23, 1, 1,
    3.10, 21, 1, 0, 2.39, 19, 1, 1};
Tensor spector_x() { return narrow(from_vector(kSpector, {32, 4}), 1, 0, 3); }
Tensor spector_y() { return reshape(narrow(from_vector(kSpector, {32, 4}), 1, 3, 1), {-1}); }

// statsmodels 0.13.5: const, GPA, TUCE, PSI.
const std::vector<double> kSpectorLogit{-13.021347, 2.826113, 0.095158, 2.378688};

TEST(Logit, Spector) {
  const GLMResults r = logit(spector_y(), spector_x());
  expect_values(r.params, {4}, kSpectorLogit, 5e-7);
  EXPECT_NEAR(r.llf, -12.889634, 5e-7);
  // Greene, table 21.1 and statsmodels' page on discrete choice.
  expect_values(r.bse, {4}, {4.931, 1.263, 0.142, 1.065}, 5e-4);
  EXPECT_NEAR(r.prsquared, 0.3740, 5e-5);
  EXPECT_NEAR(r.llr_pvalue, 0.001502, 5e-7);
  EXPECT_TRUE(r.converged);
  expect_values(glm_predict(r, spector_x()), {32}, r.fittedvalues.to_vector<double>(), 1e-14);
  const std::string page = summary(r, {"const", "GPA", "TUCE", "PSI"});
  for (const char* part : {"Binomial, link logit", "P>|z|", "GPA", "LLR p-value"})
    EXPECT_NE(page.find(part), std::string::npos) << page;
}

TEST(LogisticRegression, EverySolverFindsTheSame) {
  for (const LogisticSolver solver :
       {LogisticSolver::kLbfgs, LogisticSolver::kNewtonCholesky, LogisticSolver::kAscent}) {
    LogisticRegression model(
        {.penalty = Penalty::kNone, .solver = solver, .max_iter = 200000, .tol = 1e-10});
    model.fit(spector_x(), spector_y());
    expect_values(concat({model.intercept, reshape(model.coef, {-1})}), {4}, kSpectorLogit, 1e-6);
    EXPECT_NEAR(model.log_likelihood, -12.889634, 5e-7);
  }
  const test::Blobs b = test::blobs(150, 4, 3, 1);
  const Tensor y = from_vector(b.of, {150});
  LogisticRegression exact({.max_iter = 10000, .tol = 1e-12});
  exact.fit(b.x, y);
  for (const LogisticSolver solver :
       {LogisticSolver::kNewtonCholesky, LogisticSolver::kAscent, LogisticSolver::kSaga}) {
    LogisticRegression model({.solver = solver, .max_iter = 200000, .tol = 1e-9});
    expect_same(model.fit(b.x, y).coef, exact.coef, 1e-5);
  }
  // Softmax with a penalty: the weights of all classes add up to 0.
  expect_values(sum(exact.coef, {0}), {4}, std::vector<double>(4), 1e-8);
  const Tensor p = exact.predict_proba(b.x);
  expect_same(sum(p, {1}), ones({150}, kF64), 1e-14);
  expect_same(exact.predict(b.x), take(exact.classes, argmax(p, 1)));
}

TEST(LogisticRegression, ExtremesWarmStartsAndPenalties) {
  // Far samples: no probability is NaN, no logarithm is of 0.
  const Tensor x = tensor({{-1e6}, {-1.}, {1.}, {1e6}}), y = tensor({3, 3, 7, 7});
  LogisticRegression model({.C = 1e6, .max_iter = 1000});
  model.fit(x, y);
  EXPECT_TRUE(std::isfinite(model.log_likelihood));
  const Tensor p = model.predict_proba(tensor({{-1e300}, {1e300}}));
  expect_values(p, {2, 2}, {1, 0, 0, 1}, 1e-300);
  expect_values(model.predict(x), {4}, {3, 3, 7, 7});

  const test::Blobs b = test::blobs(200, 5, 2, 0.5);
  const Tensor two = from_vector(b.of, {200});
  LogisticRegression warm({.max_iter = 1000, .tol = 1e-8, .warm_start = true});
  const int64_t first = warm.fit(b.x, two).n_iter;
  EXPECT_GT(first, warm.fit(b.x, two).n_iter);
  // L1 empties weights, all of them where C is small.
  LogisticRegression sparse(
      {.penalty = Penalty::kL1, .C = 1e-3, .solver = LogisticSolver::kSaga, .max_iter = 1000});
  expect_values(sparse.fit(b.x, two).coef, {1, 5}, std::vector<double>(5));
  // Balanced classes: the mean probability is a half.
  std::vector<int64_t> rare(200);
  for (int64_t i = 0; i < 20; ++i) rare[i] = 1;
  LogisticRegression balanced({.balanced = true, .tol = 1e-10});
  balanced.fit(b.x, from_vector(rare, {200}));
  const std::vector<double> q = balanced.predict_proba(b.x).to_vector<double>();
  double weighed = 0;
  for (int64_t i = 0; i < 200; ++i) weighed += q[2 * i + 1] * (rare[i] ? 5 : 5. / 9) / 200;
  EXPECT_NEAR(weighed, 0.5, 1e-6);
}

// ---- Generalised models -----------------------------------------------------------------------

TEST(LogisticRegression, SparseSamplesSayTheSame) {
  data::Random random(2);
  const int64_t n = 700, d = 40;
  for (int64_t k : {2, 4}) {
    std::vector<double> values;
    std::vector<int64_t> of;
    for (int64_t i = 0; i < n; ++i) {
      of.push_back(random.below(k) * 2 + 1);
      for (int64_t j = 0; j < d; ++j)
        values.push_back(random.uniform() < 0.1 || j == of.back() ? random.uniform() * 2 : 0);
    }
    const Tensor x = from_vector(values, {n, d}), y = from_vector(of, {n});
    const Csr sparse = Csr::from_dense(x);
    for (const MultiClass way : {MultiClass::kMultinomial, MultiClass::kOvr}) {
      LogisticRegression dense({.multi_class = way, .max_iter = 1000, .tol = 1e-8});
      LogisticRegression model = dense;
      dense.fit(x, y);
      model.fit(sparse, y);
      expect_same(model.coef, dense.coef, 1e-5);
      expect_same(model.intercept, dense.intercept, 1e-5);
      expect_same(model.predict_proba(sparse), model.predict_proba(x), 1e-13);
      expect_same(model.predict(sparse), model.predict(x));
    }
  }
  const Csr some = Csr::from_dense(eye(4, kF64));
  const Tensor y = tensor({0, 1, 0, 1});
  LogisticRegression model;
  EXPECT_THROW(model.predict(some), Error);
  EXPECT_THROW(LogisticRegression({.solver = LogisticSolver::kSaga}).fit(some, y), ValueError);
  EXPECT_THROW(model.fit(some.with_values(full({4}, NAN, kF64)), y), ValueError);
  model.fit(some, y);
  EXPECT_THROW(model.predict(Csr::from_dense(eye(3, kF64))), ShapeError);
}

TEST(Glm, FamiliesWhereTheAnswerIsKnown) {
  // A constant alone gives the mean, whatever the family; ones as a feature are dependent on it.
  const Tensor y = tensor({0.5, 1., 2., 4., 0.25, 3.});
  const double mean_y = mean(y).item();
  for (const GLMFamily family :
       {GLMFamily::kGaussian, GLMFamily::kPoisson, GLMFamily::kGamma, GLMFamily::kInverseGaussian,
        GLMFamily::kNegativeBinomial, GLMFamily::kTweedie}) {
    const GLMResults r = glm(y, ones({6, 1}, kF64), {.family = family, .link = GLMLink::kLog});
    expect_same(r.fittedvalues, full({6}, mean_y, kF64), 1e-7);
    EXPECT_NEAR(r.deviance, r.null_deviance, 1e-9);
    EXPECT_EQ(r.df_model, 0);
  }
  // Gaussian is least squares.
  data::Random random(3);
  std::vector<double> x, z;
  for (int i = 0; i < 40; ++i) {
    x.push_back(test::gaussian(random));
    z.push_back(2 * x.back() + test::gaussian(random));
  }
  const Tensor feature = from_vector(x, {40, 1}), target = from_vector(z, {40});
  const GLMResults g = glm(target, feature);
  const OLSResults o = ols(target, feature);
  expect_same(g.params, o.params, 1e-12);
  expect_same(g.cov_params, o.cov_params, 1e-12);
  EXPECT_NEAR(g.llf, o.llf, 1e-10);
  expect_same(conf_int(g), conf_int(ols(target, feature, {.use_t = false})), 1e-10);
  // An offset is what it takes off.
  const GLMResults shifted = glm(target + 3, feature, {}, {}, full({40}, 3., kF64));
  expect_same(shifted.params, o.params, 1e-10);
}

TEST(Glm, Faults) {
  const Tensor x = tensor({{1.}, {2.}, {3.}}), y = tensor({1., 2., 3.});
  EXPECT_NE(message_of<ValueError>([&] { logit(y, x); }).find("between 0 and 1, not 2"),
            std::string::npos);
  EXPECT_THROW(glm(-y, x, {.family = GLMFamily::kPoisson}), ValueError);
  EXPECT_THROW(glm(y - 1, x, {.family = GLMFamily::kGamma}), ValueError);
  EXPECT_THROW(glm(y, x, {.nb_alpha = 0}), ValueError);
  EXPECT_THROW(glm(y, x, {.var_power = 0.5}), ValueError);
  EXPECT_THROW(glm(y, x, {.max_iter = 0}), ValueError);
  EXPECT_THROW(glm(y, y), ShapeError);
  EXPECT_THROW(glm(y, x, {}, {}, ones({2}, kF64)), ShapeError);
  EXPECT_THROW(glm_predict(glm(y, x), ones({2, 2}, kF64)), ShapeError);
}

TEST(GlmRegressors, SayTheMean) {
  const Tensor x = tensor({{0.}, {1.}, {2.}, {3.}, {4.}});
  const Tensor y = exp(0.5 * reshape(x, {-1}) + 0.2);
  PoissonRegressor poisson({.alpha = 0, .tol = 1e-12});
  poisson.fit(x, y);
  EXPECT_NEAR(poisson.coef.to_vector<double>()[0], 0.5, 1e-9);
  EXPECT_NEAR(poisson.score(x, y), 1, 1e-12);
  expect_same(poisson.predict(x), y, 1e-8);
  // With a penalty the means still add up to the targets.
  GammaRegressor gamma({.alpha = 1, .tol = 1e-12});
  gamma.fit(x, y);
  EXPECT_NEAR(sum(y / gamma.predict(x)).item(), 5, 1e-9);
  TweedieRegressor normal({.alpha = 0});
  LinearRegression plain;
  expect_same(normal.fit(x, y).predict(x), plain.fit(x, y).predict(x), 1e-9);
}

// ---- One neuron -------------------------------------------------------------------------------

const Tensor& corners() {
  static const Tensor x = tensor({{0., 0.}, {0., 1.}, {1., 0.}, {1., 1.}});
  return x;
}

TEST(Neuron, LearnsAndAndOrButNeverXor) {
  const Tensor both = tensor({0, 0, 0, 1}), either = tensor({0, 1, 1, 1}),
               one = tensor({0, 1, 1, 0});
  for (const Tensor& y : {both, either}) {
    Perceptron neuron({.max_iter = 100, .tol = {}});
    EXPECT_EQ(neuron.fit(corners(), y).score(corners(), y), 1);
    EXPECT_TRUE(perceptron(corners(), y).separated);
    Adaline linear({.learning_rate = 0.1});
    EXPECT_EQ(linear.fit(corners(), y).score(corners(), y), 1);
    LogisticRegression sigmoid_unit({.C = 1e3});
    EXPECT_EQ(sigmoid_unit.fit(corners(), y).score(corners(), y), 1);
  }
  // No line has both of (0, 1), (1, 0) on one side and (0, 0), (1, 1) on the other.
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Perceptron neuron({.max_iter = 1000, .tol = {}, .random_state = seed});
    EXPECT_LE(neuron.fit(corners(), one).score(corners(), one), 0.75);
  }
  const PerceptronRun run = perceptron(corners(), one, true, 10000);
  EXPECT_FALSE(run.separated);
  EXPECT_EQ(run.epochs, 10000);
  EXPECT_GE(run.mistakes, 10000);
}

// Novikoff 1962: at most (R / gamma)^2 mistakes for any order of samples that a unit vector
// separates by gamma.
TEST(Neuron, MakesNoMoreMistakesThanNovikoffSays) {
  data::Random random(1);
  for (int trial = 0; trial < 50; ++trial) {
    const int64_t n = 60, d = 2 + trial % 4;
    std::vector<double> direction;
    double length = 0;
    for (int64_t j = 0; j < d; ++j) {
      direction.push_back(test::gaussian(random));
      length += direction.back() * direction.back();
    }
    std::vector<double> x;
    std::vector<int64_t> y;
    double radius = 0, margin = INFINITY;
    while (static_cast<int64_t>(y.size()) < n) {
      double dot = 0, squares = 0;
      std::vector<double> row;
      for (int64_t j = 0; j < d; ++j) {
        row.push_back(test::gaussian(random));
        dot += row.back() * direction[j] / std::sqrt(length);
        squares += row.back() * row.back();
      }
      if (std::abs(dot) < 0.05) continue;
      x.insert(x.end(), row.begin(), row.end());
      y.push_back(dot > 0 ? 1 : 0);
      radius = std::max(radius, std::sqrt(squares));
      margin = std::min(margin, std::abs(dot));
    }
    if (std::count(y.begin(), y.end(), 1) % n == 0) continue;
    const PerceptronRun run =
        perceptron(from_vector(x, {n, d}), from_vector(y, {n}), false, 1000000);
    EXPECT_TRUE(run.separated);
    EXPECT_LE(static_cast<double>(run.mistakes), radius * radius / (margin * margin));
  }
}

TEST(Neuron, AdalineGoesDownTheSquaredError) {
  const test::Blobs b = test::blobs(100, 3, 2, 2);
  const Tensor y = from_vector(b.of, {100});
  Adaline batch({.learning_rate = 0.02, .max_iter = 100000, .tol = 1e-12, .batch = true});
  batch.fit(b.x, y);
  LinearRegression least;
  least.fit(b.x, 2 * cast(y, kF64) - 1);
  expect_same(reshape(batch.coef, {-1}), least.coef, 1e-6);
  const std::vector<double> errors = batch.errors.to_vector<double>();
  for (size_t i = 1; i < errors.size(); ++i) EXPECT_LE(errors[i], errors[i - 1] + 1e-15);
  EXPECT_THROW(batch.fit(b.x, arange(0, 100, 1, kI64)), ValueError);
}

TEST(Sgd, LearnsStopsAndGoesOn) {
  const test::Blobs b = test::blobs(300, 4, 3, 4);
  const Tensor y = from_vector(b.of, {300});
  for (const SGDLoss loss : {SGDLoss::kHinge, SGDLoss::kLogLoss, SGDLoss::kModifiedHuber,
                             SGDLoss::kSquaredHinge, SGDLoss::kPerceptron}) {
    SGDClassifier model({.loss = loss});
    EXPECT_GT(model.fit(b.x, y).score(b.x, y), 0.9);
  }
  SGDClassifier early({.loss = SGDLoss::kLogLoss, .early_stopping = true});
  EXPECT_LT(early.fit(b.x, y).n_iter, 1000);
  expect_same(sum(early.predict_proba(b.x), {1}), ones({300}, kF64), 1e-12);
  EXPECT_THROW(SGDClassifier().fit(b.x, y).predict_proba(b.x), Error);
  EXPECT_THROW(SGDClassifier({.early_stopping = true, .validation_fraction = 0.001}).fit(b.x, y),
               ValueError);
  // Going on counts steps on.
  SGDClassifier more({.max_iter = 3, .tol = {}, .warm_start = true});
  EXPECT_EQ(more.fit(b.x, y).t, 900);
  EXPECT_EQ(more.fit(b.x, y).t, 1800);
  const Tensor line = sum(b.x * tensor({1., -1., 0.5, 0.}), {1}) / 10;
  SGDRegressor regressor({.max_iter = 2000, .tol = 1e-6});
  EXPECT_GT(regressor.fit(b.x / 10, line).score(b.x / 10, line), 0.95);
  SGDRegressor mean({.early_stopping = true, .average = 10});
  EXPECT_TRUE(std::isfinite(mean.fit(b.x / 10, line).score(b.x / 10, line)));
}

}  // namespace
}  // namespace glia::classic
