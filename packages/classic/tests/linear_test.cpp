// What all linear models have in common, by their names: what they refuse, edges, weights, the
// order of rows, threads and files; and what each of them finds where the answer is known.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "classic_data.h"
#include "glia/classic/linear_model.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Case {
  std::string name;
  ParamValues options;         // with which it finds the same from anywhere
  bool weights_repeat = true;  // a weight of 2 is a sample that is there twice
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"LinearRegression", {}},
      {"Ridge", {}},
      {"RidgeCV", {}, false},  // a sample that is there twice is not left out
      {"Lasso", {{"alpha", 0.01}, {"tol", 1e-14}, {"max_iter", int64_t{100000}}}},
      {"ElasticNet", {{"alpha", 0.01}, {"tol", 1e-14}, {"max_iter", int64_t{100000}}}},
      {"LassoCV", {{"n_alphas", int64_t{5}}}, false},
      {"ElasticNetCV", {{"n_alphas", int64_t{5}}}, false},
      {"Lars", {}},
      {"LassoLars", {{"alpha", 0.01}}},
      {"BayesianRidge", {{"tol", 1e-13}}},
      {"HuberRegressor", {{"tol", 1e-10}, {"max_iter", int64_t{10000}}}},
      {"QuantileRegressor", {{"alpha", 0.01}}},
      {"PoissonRegressor", {{"tol", 1e-12}}},
      {"GammaRegressor", {{"tol", 1e-12}}},
      {"TweedieRegressor", {{"tol", 1e-12}}},
      {"LogisticRegression", {{"tol", 1e-12}, {"max_iter", int64_t{10000}}}},
      {"SGDRegressor", {}, false},
      {"SGDClassifier", {}, false},
      {"Perceptron", {}, false},
      {"Adaline",
       {{"batch", true}, {"learning_rate", 0.1}, {"tol", 1e-13}, {"max_iter", int64_t{100000}}}},
  };
  return all;
}

std::unique_ptr<Estimator> made(const Case& c) {
  std::unique_ptr<Estimator> model = make_estimator(c.name);
  set_params(*model, c.options);
  return model;
}

struct Samples {
  Tensor x, y;  // y above 0, or two classes
};
Samples samples(const Estimator& model, int64_t n, int64_t d, uint64_t seed = 1) {
  data::Random random(seed);
  const bool classes = model.kind() == EstimatorKind::kClassifier;
  std::vector<double> x, y;
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0.3 * test::gaussian(random);
    for (int64_t j = 0; j < d; ++j) {
      x.push_back(test::gaussian(random));
      sum += x.back() * (j % 2 == 0 ? 0.4 : -0.3);
    }
    y.push_back(classes ? (i < 2 ? static_cast<double>(i) : sum > 0) : std::exp(sum));
  }
  return {from_vector(x, {n, d}), from_vector(y, {n})};
}

TEST(LinearModels, RefuseWhatIsWrong) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const std::unique_ptr<Estimator> model = made(c);
    const Samples s = samples(*model, 30, 3);
    EXPECT_THROW(model->predict(s.x), Error);
    EXPECT_THROW(model->fit(s.x, {}), ShapeError);
    EXPECT_THROW(model->fit(narrow(s.x, 0, 0, 20), s.y), ShapeError);
    EXPECT_THROW(model->fit(s.y, s.y), ShapeError);
    EXPECT_THROW(model->fit(zeros({0, 3}, kF64), zeros({0}, kF64)), ShapeError);
    for (const double wrong : {kNaN, std::numeric_limits<double>::infinity()}) {
      EXPECT_THROW(model->fit(where(s.x == max(s.x), wrong, s.x), s.y), ValueError);
      EXPECT_THROW(model->fit(s.x, where(s.y == max(s.y), wrong, s.y)), ValueError);
      EXPECT_THROW(model->fit(s.x, s.y, full({30}, wrong, kF64)), ValueError);
    }
    EXPECT_THROW(model->fit(s.x, s.y, full({30}, -1., kF64)), ValueError);
    EXPECT_THROW(model->fit(s.x, s.y, zeros({30}, kF64)), ValueError);
    EXPECT_FALSE(model->fitted());
    model->fit(s.x, s.y);
    const Tensor before = model->predict(s.x);
    EXPECT_THROW(model->fit(s.x * kNaN, s.y), ValueError);
    expect_same(model->predict(s.x), before);
    EXPECT_THROW(model->predict(narrow(s.x, 1, 0, 2)), ShapeError);
    EXPECT_THROW(model->predict(s.x * kNaN), ValueError);
    if (model->kind() == EstimatorKind::kClassifier) {
      EXPECT_THROW(model->fit(s.x, zeros({30}, kI64)), ValueError);
      EXPECT_THROW(model->fit(s.x, s.y + 0.5), ValueError);
    }
  }
}

TEST(LinearModels, Edges) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    std::unique_ptr<Estimator> model = made(c);
    const bool classes = model->kind() == EstimatorKind::kClassifier;
    const Samples s = samples(*model, 40, 3);
    // One feature, more features than samples, features that are constant or the same.
    model->fit(narrow(s.x, 1, 0, 1), s.y);
    const Samples wide = samples(*model, 12, 20);
    model->fit(wide.x, wide.y);
    EXPECT_TRUE(all(isfinite(cast(model->predict(wide.x), kF64))).item<bool>());
    const Tensor twice = concat({s.x, narrow(s.x, 1, 0, 1), full({40, 1}, 7., kF64)}, 1);
    if (c.name != "SGDRegressor" && c.name != "Adaline") model->fit(twice, s.y);  // 7 is too much
    EXPECT_TRUE(
        all(isfinite(cast(model->predict(model->n_features_in == 5 ? twice : wide.x), kF64)))
            .item<bool>());
    // One sample: regressors say it again, classifiers have one class only, folds none.
    const Tensor x1 = narrow(s.x, 0, 0, 1), y1 = narrow(s.y, 0, 0, 1);
    if (classes || c.name == "LassoCV" || c.name == "ElasticNetCV" || c.name == "RidgeCV") {
      EXPECT_THROW(model->fit(x1, y1), ValueError);
    } else if (c.name != "SGDRegressor") {
      expect_same(model->fit(x1, y1).predict(x1), y1, 1e-4);
    }
    // A target that is constant.
    if (!classes && c.name != "SGDRegressor" && c.name != "HuberRegressor") {
      const Tensor same = full({40}, 2.5, kF64);
      expect_same(model->fit(s.x, same).predict(s.x), same, 1e-6);
    }
    // f32, integers, and a view.
    model->fit(cast(s.x, kF32), cast(s.y, classes ? kI64 : kF32));
    const Tensor from_f32 = cast(model->predict(cast(s.x, kF32)), kF64);
    model->fit(transpose(transpose(s.x)), s.y);
    if (!classes) expect_same(from_f32, model->predict(s.x), 1e-4);
    model->fit(round(3 * s.x), s.y);
    const Tensor of_floats = model->predict(s.x);
    model->fit(cast(round(3 * s.x), kI64), s.y);
    expect_same(model->predict(s.x), of_floats);
  }
}

TEST(LinearModels, WeightsAreRepetitions) {
  for (const Case& c : cases()) {
    if (!c.weights_repeat) continue;
    SCOPED_TRACE(c.name);
    std::unique_ptr<Estimator> model = made(c), other = made(c);
    const Samples s = samples(*model, 40, 3);
    const int64_t counts[] = {1, 2, 0, 3};
    std::vector<int64_t> rows;
    std::vector<double> weight;
    for (int64_t i = 0; i < 40; ++i) {
      weight.push_back(static_cast<double>(counts[i % 4]));
      rows.insert(rows.end(), static_cast<size_t>(counts[i % 4]), i);
    }
    const Tensor at = from_vector(rows, {static_cast<int64_t>(rows.size())});
    model->fit(s.x, s.y, from_vector(weight, {40}));
    other->fit(take(s.x, at), take(s.y, at));
    if (model->kind() == EstimatorKind::kClassifier)
      expect_same(model->decision_function(s.x), other->decision_function(s.x), 1e-5);
    else
      expect_same(model->predict(s.x), other->predict(s.x), 1e-6);
    // Weights that are all the same are none; for some, only beside the penalty.
    if (c.name == "LinearRegression" || c.name == "Lasso" || c.name == "PoissonRegressor") {
      model->fit(s.x, s.y, full({40}, 3., kF64));
      expect_same(model->predict(s.x), other->fit(s.x, s.y).predict(s.x), 1e-9);
    }
  }
}

TEST(LinearModels, OrderOfRowsAndThreads) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    std::unique_ptr<Estimator> model = made(c), other = made(c);
    const Samples s = samples(*model, 1200, 3);
    {
      const ThreadLimit one(1);
      model->fit(s.x, s.y);
    }
    {
      const ThreadLimit two(2);
      other->fit(s.x, s.y);
    }
    const StateDict a = model->state_dict(), b = other->state_dict();
    for (size_t i = 0; i < a.size(); ++i) expect_same(a[i].second, b[i].second);
    // Those that go sample by sample, and folds, know an order.
    if (!c.weights_repeat && c.name != "RidgeCV") continue;
    const Tensor back = arange(1199, -1, -1, kI64);
    other->fit(take(s.x, back), take(s.y, back));
    if (model->kind() == EstimatorKind::kClassifier)
      expect_same(model->decision_function(s.x), other->decision_function(s.x), 1e-6);
    else
      expect_same(model->predict(s.x), other->predict(s.x), 1e-6);
  }
}

TEST(LinearModels, StatesAreLoadedWholeOrNotAtAll) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    std::unique_ptr<Estimator> model = made(c), other = made(c);
    const Samples s = samples(*model, 30, 3);
    model->fit(s.x, s.y);
    StateDict state = model->state_dict();
    other->load_state_dict(state);
    expect_same(other->predict(s.x), model->predict(s.x));
    std::unique_ptr<Estimator> fresh = made(c);
    StateDict less(state.begin() + 1, state.end());
    EXPECT_THROW(fresh->load_state_dict(less), Error);
    StateDict more = state;
    more.emplace_back("more", tensor(1.));
    EXPECT_THROW(fresh->load_state_dict(more), Error);
    for (auto& [name, value] : state)
      if (name == "intercept") value = ones({7}, kF64);
    EXPECT_THROW(fresh->load_state_dict(state), Error);
    EXPECT_FALSE(fresh->fitted());
  }
}

TEST(LinearModels, OptionsOutOfRange) {
  const Samples r = samples(LinearRegression(), 20, 2), c = samples(LogisticRegression(), 20, 2);
  const auto refuses = [&](Estimator&& model, const char* option) {
    const bool classes = model.kind() == EstimatorKind::kClassifier;
    const std::string message =
        message_of<ValueError>([&] { classes ? model.fit(c.x, c.y) : model.fit(r.x, r.y); });
    EXPECT_NE(message.find(option), std::string::npos) << message;
  };
  refuses(LinearRegression({.max_iter = 0}), "max_iter = 0");
  refuses(LinearRegression({.batch_size = 0}), "batch_size = 0");
  refuses(LinearRegression({.learning_rate = -1}), "learning_rate = -1");
  refuses(Ridge({.alpha = -1}), "alpha = -1");
  refuses(RidgeCV({.alphas = {}}), "alphas is empty");
  refuses(RidgeCV({.alphas = {0}}), "alphas = 0");
  refuses(Lasso({.alpha = kNaN}), "alpha = nan");
  refuses(ElasticNet({.l1_ratio = 2}), "l1_ratio = 2");
  refuses(ElasticNetCV({.cv = 21}), "cv = 21");
  refuses(ElasticNetCV({.l1_ratio = {0}}), "needs alphas");
  refuses(BayesianRidge({.alpha_1 = -1}), "alpha_1 = -1");
  refuses(HuberRegressor({.epsilon = 0.5}), "epsilon = 0.5");
  refuses(QuantileRegressor({.quantile = 1}), "quantile = 1");
  refuses(TweedieRegressor({.power = 0.5}), "power = 0.5");
  refuses(LogisticRegression({.C = 0}), "C = 0");
  refuses(LogisticRegression({.penalty = Penalty::kL1}), "only solver saga");
  refuses(LogisticRegression({.class_weight = {1, 2, 3}}), "3 numbers for 2 classes");
  refuses(SGDClassifier({.alpha = 0}), "alpha = 0");
  refuses(SGDClassifier({.learning_rate = SGDRate::kConstant, .eta0 = 0}), "eta0 = 0");
  refuses(SGDRegressor({.loss = SGDLoss::kHinge}), "is for classes");
  refuses(Adaline({.learning_rate = 100}), "smaller learning_rate");
  SGDRegressor far;
  EXPECT_NE(message_of<ValueError>([&] { far.fit(r.x * 1e200, r.y); }).find("overflow in epoch 1"),
            std::string::npos);
  PoissonRegressor poisson;
  EXPECT_NE(message_of<ValueError>([&] { poisson.fit(r.x, -r.y); }).find("y is not negative"),
            std::string::npos);
}

// ---- Least squares ----------------------------------------------------------------------------

TEST(LinearRegression, EverySolverFindsTheSame) {
  const Samples s = samples(LinearRegression(), 200, 4);
  LinearRegression exact;
  exact.fit(s.x, s.y);
  // The residuals are at right angles to the features and to ones.
  const Tensor rest = s.y - exact.predict(s.x);
  expect_values(concat({matmul(transpose(s.x), rest), reshape(sum(rest), {1})}), {5},
                std::vector<double>(5), 1e-11);
  for (const LeastSquaresSolver solver :
       {LeastSquaresSolver::kSVD, LeastSquaresSolver::kNormal, LeastSquaresSolver::kGD}) {
    LinearRegression model({.solver = solver});
    model.fit(s.x, s.y);
    expect_same(model.coef, exact.coef, 1e-8);
    expect_same(model.intercept, exact.intercept, 1e-8);
  }
  LinearRegression stochastic({.solver = LeastSquaresSolver::kSGD, .max_iter = 200});
  expect_same(stochastic.fit(s.x, s.y).coef, exact.coef, 0.02);
}

TEST(LinearRegression, RankAndShortestSolution) {
  const Tensor x = tensor({{1., 2., 3.}, {2., 4., 1.}, {3., 6., 7.}, {5., 10., 2.}});
  const Tensor y = tensor({1., 2., 3., 4.});
  for (const LeastSquaresSolver solver :
       {LeastSquaresSolver::kQR, LeastSquaresSolver::kSVD, LeastSquaresSolver::kNormal}) {
    LinearRegression model({.solver = solver});
    model.fit(x, y);
    EXPECT_EQ(model.rank, 2);
    const std::vector<double> w = model.coef.to_vector<double>();
    EXPECT_NEAR(w[1], 2 * w[0], 1e-12);  // in the direction of (1, 2)
  }
}

TEST(LinearRegression, PositiveAndSeveralOutputs) {
  const Samples s = samples(LinearRegression(), 60, 4);
  LinearRegression model({.positive = true});
  model.fit(s.x, stack({s.y, -s.y}, 1));
  EXPECT_EQ(model.coef.shape(), (Shape{2, 4}));
  EXPECT_GE(min(model.coef).item(), 0);
  // Where a weight is above 0 the slope is 0, else it goes up: Karush, Kuhn and Tucker.
  const Tensor slope =
      matmul(transpose(model.predict(s.x) - stack({s.y, -s.y}, 1)), s.x - mean(s.x, {0}));
  EXPECT_TRUE(all(slope >= -1e-8).item<bool>());
  EXPECT_NEAR(sum(slope * model.coef).item(), 0, 1e-8);
}

TEST(Ols, WhatStatisticsMean) {
  const Samples s = samples(LinearRegression(), 50, 3);
  const OLSResults r = ols(s.y, s.x);
  EXPECT_NEAR(r.ssr + r.ess, r.centered_tss, 1e-10);
  EXPECT_NEAR(r.fvalue, r.rsquared / 3 / ((1 - r.rsquared) / 46), 1e-9 * r.fvalue);
  expect_same(r.fittedvalues + r.resid, s.y, 1e-13);
  const Tensor interval = conf_int(r);
  expect_same(mean(interval, {1}), r.params, 1e-12);
  // t of 46 degrees of freedom: 2.0129 (tables).
  expect_same((narrow(interval, 1, 1, 1) - narrow(interval, 1, 0, 1)) / 2 / reshape(r.bse, {-1, 1}),
              full({4, 1}, 2.0129, kF64), 1e-4);
  // HC0 of residuals that are all as large is nearly the usual one; any of them is symmetric.
  for (const ErrorCovariance type :
       {ErrorCovariance::kHC0, ErrorCovariance::kHC1, ErrorCovariance::kHC2, ErrorCovariance::kHC3,
        ErrorCovariance::kHAC}) {
    const OLSResults robust = ols(s.y, s.x, {.cov_type = type});
    expect_same(robust.params, r.params);
    expect_same(robust.cov_params, transpose(robust.cov_params), 1e-14);
    EXPECT_FALSE(robust.use_t);
  }
  const OLSResults none = ols(s.y, s.x, {.cov_type = ErrorCovariance::kHAC, .maxlags = 0});
  expect_same(none.cov_params, ols(s.y, s.x, {.cov_type = ErrorCovariance::kHC0}).cov_params,
              1e-14);
  const PredictionIntervals p = get_prediction(r, s.x);
  expect_same(p.mean, r.fittedvalues, 1e-12);
  EXPECT_TRUE(all(p.obs_ci_lower < p.mean_ci_lower).item<bool>());
  const std::string page = summary(r, {"one", "a", "b", "c"});
  for (const char* part : {"R-squared:", "P>|t|", "one", "nonrobust", "[0.025"})
    EXPECT_NE(page.find(part), std::string::npos) << page;
}

TEST(Ols, EdgesAndFaults) {
  const Samples s = samples(LinearRegression(), 12, 2);
  // As many parameters as samples: no degrees of freedom, no tests.
  const OLSResults tight = ols(narrow(s.y, 0, 0, 3), narrow(s.x, 0, 0, 3));
  EXPECT_EQ(tight.df_resid, 0);
  EXPECT_TRUE(std::isnan(tight.bse.to_vector<double>()[0]));
  // Dependent columns: the shortest parameters, and what the rank says.
  const OLSResults twice = ols(s.y, concat({s.x, s.x}, 1));
  EXPECT_EQ(twice.rank, 3);
  EXPECT_EQ(twice.df_resid, 9);
  EXPECT_NEAR(twice.rsquared, ols(s.y, s.x).rsquared, 1e-12);
  // A column of ones is a constant, however it came there.
  const Tensor with_ones = concat({ones({12, 1}, kF64), s.x}, 1);
  const OLSResults given = ols(s.y, with_ones, {.add_constant = false});
  EXPECT_TRUE(given.has_constant);
  EXPECT_EQ(given.rsquared, ols(s.y, s.x).rsquared);
  EXPECT_FALSE(ols(s.y, s.x, {.add_constant = false}).has_constant);
  EXPECT_THROW(ols(s.y, s.y), ShapeError);
  EXPECT_THROW(ols(stack({s.y, s.y}, 1), s.x), ShapeError);
  EXPECT_THROW(ols(s.y, s.x * kNaN), ValueError);
  EXPECT_THROW(ols(s.y, s.x, {.maxlags = -1}), ValueError);
  EXPECT_THROW(conf_int(given, 0), ValueError);
  EXPECT_THROW(summary(given, {"a"}), ValueError);
  EXPECT_THROW(get_prediction(given, s.x), ShapeError);
  EXPECT_THROW(ols_polynomial(s.y, s.x, 2), ShapeError);
  EXPECT_THROW(ols_polynomial(s.y, s.y, -1), ValueError);
  EXPECT_THROW(ols_polynomial(s.y, s.y * 1e200, 3), ValueError);
  EXPECT_THROW(describe(s.x), ShapeError);
  EXPECT_TRUE(std::isnan(describe(tensor({1.})).std));
  EXPECT_THROW(anova_oneway(s.y, zeros({12}, kI64)), ValueError);
}

// ---- Penalties --------------------------------------------------------------------------------

TEST(Penalised, OptimalityAndLimits) {
  const Samples s = samples(LinearRegression(), 80, 6);
  const Tensor x = s.x - mean(s.x, {0}), y = s.y - mean(s.y);
  Lasso lasso({.alpha = 0.05, .max_iter = 100000, .tol = 1e-14});
  lasso.fit(s.x, s.y);
  // |X^T r| / n is alpha where a weight is not 0, and at most that elsewhere.
  const std::vector<double> w = lasso.coef.to_vector<double>();
  const std::vector<double> c =
      (matmul(transpose(x), y - matmul(x, lasso.coef)) / 80).to_vector<double>();
  for (size_t j = 0; j < w.size(); ++j) {
    EXPECT_LE(std::abs(c[j]), 0.05 + 1e-9);
    if (w[j] == 0) continue;
    EXPECT_NEAR(c[j], std::copysign(0.05, w[j]), 1e-7);
  }
  LassoLars by_path({.alpha = 0.05});
  expect_same(by_path.fit(s.x, s.y).coef, lasso.coef, 1e-7);
  // Where the path begins nothing is left; with no penalty it is least squares.
  const PathResult path = lasso_path(x, y, {.n_alphas = 20});
  expect_values(narrow(path.coefs, 1, 0, 1), {6, 1}, std::vector<double>(6));
  LinearRegression plain;
  plain.fit(s.x, s.y);
  Ridge none({.alpha = 0});
  expect_same(none.fit(s.x, s.y).coef, plain.coef, 1e-10);
  ElasticNet no_penalty({.alpha = 0, .max_iter = 100000, .tol = 1e-16});
  expect_same(no_penalty.fit(s.x, s.y).coef, plain.coef, 1e-6);
  Ridge much({.alpha = 1e12});
  expect_values(much.fit(s.x, s.y).coef, {6}, std::vector<double>(6), 1e-9);
  Lars all;
  expect_same(all.fit(s.x, s.y).coef, plain.coef, 1e-9);
  // Begun at the answer, there is nothing to do.
  ElasticNet warm({.alpha = 0.01, .warm_start = true});
  warm.fit(s.x, s.y);
  EXPECT_GT(warm.n_iter, 0);
  warm.fit(s.x, s.y);
  EXPECT_EQ(warm.n_iter, 0);
}

// Leaving each sample out by hand gives the errors of the closed form.
TEST(Penalised, RidgeLeavesEachSampleOut) {
  const Samples s = samples(LinearRegression(), 25, 3);
  RidgeCV cv({.alphas = {0.5, 5}});
  cv.fit(s.x, s.y);
  for (const bool second : {false, true}) {
    double sum = 0;
    for (int64_t i = 0; i < 25; ++i) {
      std::vector<double> weight(25, 1);
      weight[i] = 0;
      Ridge rest({.alpha = second ? 5. : 0.5});
      rest.fit(s.x, s.y, from_vector(weight, {25}));
      const double error = (narrow(s.y, 0, i, 1) - rest.predict(narrow(s.x, 0, i, 1))).item();
      sum += error * error / 25;
    }
    EXPECT_NEAR(cv.cv_errors.to_vector<double>()[second], sum, 1e-10);
  }
}

TEST(Robust, OutliersPullLittle) {
  std::vector<double> x, y;
  for (int i = 0; i < 40; ++i) {
    x.push_back(i);
    y.push_back(2 * i + 1 + (i % 2 ? 0.1 : -0.1) + (i >= 36 ? -200 : 0));
  }
  const Tensor features = from_vector(x, {40, 1}), target = from_vector(y, {40});
  HuberRegressor huber({.max_iter = 1000});
  huber.fit(features, target);
  EXPECT_NEAR(huber.coef.to_vector<double>()[0], 2, 0.02);
  EXPECT_TRUE(all(narrow(huber.outliers, 0, 36, 4)).item<bool>());
  LinearRegression plain;
  EXPECT_LT(plain.fit(features, target).coef.to_vector<double>()[0], 0.5);
  QuantileRegressor median({.alpha = 0}), top({.quantile = 0.9, .alpha = 0});
  EXPECT_NEAR(median.fit(features, target).coef.to_vector<double>()[0], 2, 0.02);
  const Tensor rest = target - top.fit(features, target).predict(features);
  EXPECT_LE(mean(cast(rest < -1e-6, kF64)).item(), 0.9);  // half of them lie on one line
  EXPECT_GE(mean(cast(rest < 1e-6, kF64)).item(), 0.9);
  BayesianRidge bayes;
  bayes.fit(features, target);
  const Tensor far = tensor({{20.}, {1000.}});
  const std::vector<double> deviations = bayes.predict_std(far).to_vector<double>();
  EXPECT_LT(deviations[0], deviations[1]);
}

}  // namespace
}  // namespace glia::classic
