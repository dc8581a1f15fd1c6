// Boosting: trees known by hand, what every boost must be, and what is refused.
#include "glia/classic/boosting.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "classic_data.h"
#include "glia/classic/forest.h"
#include "glia/classic/hist_boosting.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

const double kNan = std::numeric_limits<double>::quiet_NaN();

// x (n, 2) and a wave of the first of them, with noise.
struct Wave {
  Tensor x, y;
};
Wave wave(int64_t n) {
  data::Random random(5);
  std::vector<double> x, y;
  for (int64_t i = 0; i < n; ++i) {
    x.push_back(random.uniform());
    x.push_back(random.uniform());
    y.push_back(std::sin(6 * x[static_cast<size_t>(2 * i)]) + 0.2 * test::gaussian(random));
  }
  return {from_vector(x, {n, 2}), from_vector(y, {n})};
}

TEST(HistGradientBoosting, OneTreeByHand) {
  // Means of 0, 0, 6, 6 are 3; the gradients are 3, 3, -3, -3, and a leaf's step is minus their
  // mean, of which a tenth is taken.
  const Tensor x = tensor({{1.}, {2.}, {3.}, {4.}}), y = tensor({0., 0., 6., 6.});
  HistGradientBoostingRegressor model({.max_iter = 1, .min_samples_leaf = 1});
  model.fit(x, y);
  expect_same(model.baseline, tensor({3.}));
  expect_same(model.predict(x), tensor({2.7, 2.7, 3.3, 3.3}), 1e-12);
  expect_same(model.predict(tensor({{2.5}, {2.51}})), tensor({2.7, 3.3}), 1e-12);
  // With a penalty of 2 two samples' steps are 6 / (2 + 2).
  set_params(model, {{"l2_regularization", 2.0}, {"max_leaf_nodes", int64_t{2}}});
  expect_same(model.fit(x, y).predict(x), tensor({2.85, 2.85, 3.15, 3.15}), 1e-12);
  // Classes: p = 1/2, gradients 1/2 and -1/2, second derivatives 1/4, steps of 2.
  HistGradientBoostingClassifier two({.max_iter = 1, .min_samples_leaf = 1});
  two.fit(x, tensor({0, 0, 1, 1}));
  expect_same(two.decision_function(x), tensor({-0.2, -0.2, 0.2, 0.2}), 1e-6);
}

TEST(HistGradientBoosting, LearnsAndStops) {
  const Wave w = wave(2000);
  HistGradientBoostingRegressor model({.max_iter = 500, .early_stopping = EarlyStopping::kTrue});
  model.fit(w.x, w.y);
  EXPECT_LT(model.n_iter, 200);
  EXPECT_EQ(model.validation_score.size(0), model.n_iter + 1);
  EXPECT_GT(model.score(w.x, w.y), 0.9);
  EXPECT_GT(index(model.feature_importances, {0}).item(), 0.8);
  const auto scores = model.train_score.to_vector<double>();
  EXPECT_TRUE(std::is_sorted(scores.begin(), scores.end()));
  for (const char* loss : {"absolute_error", "quantile", "poisson", "gamma"}) {
    SCOPED_TRACE(loss);
    HistGradientBoostingRegressor other({.quantile = 0.5});
    set_params(other, {{"loss", loss}});
    const Tensor y = exp(w.y);
    EXPECT_GT(other.fit(w.x, y).score(w.x, y), 0.85);
  }
}

// Three quarters of what there is are below the quantile of 0.75.
TEST(HistGradientBoosting, Quantiles) {
  const Wave w = wave(3000);
  HistGradientBoostingRegressor model({.loss = HistRegressionLoss::kQuantile, .quantile = 0.75});
  const Tensor said = model.fit(w.x, w.y).predict(w.x);
  EXPECT_NEAR(mean(cast(w.y <= said, kF64)).item(), 0.75, 0.02);
}

TEST(HistGradientBoosting, MissingValuesAndCategories) {
  data::Random random(2);
  std::vector<double> x;
  std::vector<int64_t> y;
  for (int64_t i = 0; i < 600; ++i) {  // a name says it, or that a number is missing
    const auto name = static_cast<double>(random.below(6)) * 7 - 3;
    const bool missing = random.uniform() < 0.3;
    x.push_back(name);
    x.push_back(missing ? kNan : random.uniform());
    y.push_back(missing ? 1 : name == 4 || name == 18 || name == -3 ? 2 : 0);
  }
  const Tensor rows = from_vector(x, {600, 2}), classes = from_vector(y, {600});
  HistGradientBoostingClassifier model(
      {.max_iter = 30, .max_leaf_nodes = 4, .categorical_features = {0}});
  model.fit(rows, classes);
  EXPECT_EQ(model.score(rows, classes), 1);
  // A name that it has not seen is as one that is missing, and kept in a file.
  const Tensor unseen = tensor({{100., 0.5}, {kNan, 0.5}});
  const Tensor p = model.predict_proba(unseen);
  expect_same(index(p, {0}), index(p, {1}));
  HistGradientBoostingClassifier again({.max_leaf_nodes = 4, .categorical_features = {0}});
  again.load_state_dict(model.state_dict());
  expect_same(again.predict_proba(rows), model.predict_proba(rows));
  StateDict state = model.state_dict();
  HistGradientBoostingClassifier none;
  EXPECT_THROW(none.load_state_dict(state), Error);
}

TEST(HistGradientBoosting, IsMonotonicIfItMustBe) {
  const Wave w = wave(1500);
  const Tensor first = reshape(arange(0, 1, 0.01, kF64), {-1, 1});
  const Tensor grid = concat({first, full({100, 1}, 0.5, kF64)}, 1);
  for (const double sign : {1.0, -1.0}) {
    HistGradientBoostingRegressor model({.monotonic_cst = {sign, 0}});
    const auto said = model.fit(w.x, w.y).predict(grid).to_vector<double>();
    for (size_t i = 1; i < said.size(); ++i) EXPECT_GE((said[i] - said[i - 1]) * sign, -1e-12);
  }
}

TEST(HistGradientBoosting, TheSameForAnyNumberOfThreads) {
  const auto b = blobs(30000, 9, 3, 0.5);
  const Tensor y = from_vector(b.of, {30000});
  HistGradientBoostingClassifier one({.max_iter = 3}), many({.max_iter = 3});
  {
    const ThreadLimit limit(1);
    one.fit(b.x, y);
  }
  many.fit(b.x, y);
  expect_same(one.predict_proba(b.x), many.predict_proba(b.x));
  expect_same(many.validation_score, one.validation_score);
}

TEST(HistGradientBoosting, WhatIsRefused) {
  const Tensor x = tensor({{1., 2.}, {3., 4.}, {5., 6.}}), y = tensor({0, 1, 1});
  const auto says = [&](const HistGradientBoostingClassifierOptions& o) {
    return message_of<ValueError>([&] { HistGradientBoostingClassifier(o).fit(x, y); });
  };
  EXPECT_NE(says({.learning_rate = 0}).find("learning_rate = 0"), std::string::npos);
  EXPECT_NE(says({.max_iter = 0}).find("max_iter = 0"), std::string::npos);
  EXPECT_NE(says({.max_leaf_nodes = 1}).find("max_leaf_nodes = 1"), std::string::npos);
  EXPECT_NE(says({.max_bins = 256}).find("max_bins = 256"), std::string::npos);
  EXPECT_NE(says({.max_bins = 2, .categorical_features = {0}}).find("more than max_bins"),
            std::string::npos);
  EXPECT_NE(says({.categorical_features = {2}}).find("categorical_features = 2"),
            std::string::npos);
  EXPECT_NE(says({.categorical_features = {0}, .monotonic_cst = {1, 0}}).find("categorical"),
            std::string::npos);
  EXPECT_NE(says({.validation_fraction = 1.5}).find("validation_fraction = 1.5"),
            std::string::npos);
  EXPECT_THROW(HistGradientBoostingClassifier().fit(x, tensor({1, 1, 1})), ValueError);
  HistGradientBoostingRegressor quantile({.loss = HistRegressionLoss::kQuantile});
  EXPECT_THROW(quantile.fit(x, tensor({1., 2., 3.})), ValueError);
  HistGradientBoostingRegressor gamma({.loss = HistRegressionLoss::kGamma});
  EXPECT_THROW(gamma.fit(x, tensor({1., 0., 3.})), ValueError);
  EXPECT_THROW(HistGradientBoostingRegressor().predict(x), Error);
  EXPECT_THROW(HistGradientBoostingRegressor().fit(x, tensor({1., 2., 1e300})), ValueError);
  EXPECT_THROW(GradientBoostingRegressor().fit(x, tensor({1., 2., 1e300})), ValueError);
  // Too few to be split: what is said is the mean.
  expect_same(HistGradientBoostingRegressor().fit(x, tensor({1., 2., 6.})).predict(x),
              tensor({3., 3., 3.}));
}

TEST(GradientBoosting, OneTreeByHand) {
  const Tensor x = tensor({{1.}, {2.}, {3.}, {4.}}), y = tensor({0., 0., 6., 6.});
  GradientBoostingRegressor model({.n_estimators = 2});
  model.fit(x, y);
  expect_same(model.init, tensor({3.}));
  // 3 -+ 0.1 * 3, and of what is left a tenth again; scores are mean squares.
  expect_same(model.predict(x), tensor({2.43, 2.43, 3.57, 3.57}), 1e-12);
  expect_same(index(model.staged_predict(x), {0}), tensor({2.7, 2.7, 3.3, 3.3}), 1e-12);
  expect_same(model.train_score, tensor({7.29, 5.9049}), 1e-12);
  GradientBoostingClassifier two({.n_estimators = 1});
  two.fit(x, tensor({4, 4, 8, 8}));
  expect_same(two.decision_function(x), tensor({-0.2, -0.2, 0.2, 0.2}), 1e-12);
  expect_same(two.staged_predict(x), tensor({{4, 4, 8, 8}}));
}

TEST(GradientBoosting, EveryLossLearns) {
  const Wave w = wave(400);
  for (const char* loss : {"squared_error", "absolute_error", "huber", "quantile"}) {
    SCOPED_TRACE(loss);
    GradientBoostingRegressor model({.subsample = 0.7, .alpha = 0.5});
    set_params(model, {{"loss", loss}});
    model.fit(w.x, w.y);
    EXPECT_GT(model.score(w.x, w.y), 0.85);
    EXPECT_EQ(model.oob_improvement.size(0), 100);
    EXPECT_NEAR(sum(model.feature_importances).item(), 1, 1e-12);
  }
  const auto b = blobs(200, 3, 3, 2);
  const Tensor three = from_vector(b.of, {200});
  EXPECT_GT(GradientBoostingClassifier({.n_estimators = 30}).fit(b.x, three).score(b.x, three),
            0.97);
  GradientBoostingClassifier exponential({.loss = BoostingClassLoss::kExponential});
  EXPECT_THROW(exponential.fit(b.x, three), ValueError);
  const Tensor two = cast(three == 1, kI64);
  EXPECT_GT(exponential.fit(b.x, two).score(b.x, two), 0.97);
  GradientBoostingRegressor stops({.n_estimators = 1000, .n_iter_no_change = 5});
  stops.fit(w.x, w.y);
  EXPECT_LT(stops.train_score.size(0), 300);
}

// Of an estimator whose option counts what it adds: the same as if it had never stopped.
template <class Model>
void expect_warm_start(Model model, const char* option, const Tensor& x, const Tensor& y) {
  SCOPED_TRACE(model.name());
  Model whole = model;
  set_params(whole, {{option, int64_t{9}}});
  whole.fit(x, y);
  set_params(model, {{option, int64_t{4}}, {"warm_start", true}});
  model.fit(x, y);
  EXPECT_FALSE(all(model.predict(x) == whole.predict(x)).template item<bool>());
  set_params(model, {{option, int64_t{9}}});
  model.fit(x, y);
  expect_same(model.predict(x), whole.predict(x));
  EXPECT_EQ(model.state_dict().size(), whole.state_dict().size());
  for (const auto& [name, value] : whole.state_dict()) {
    SCOPED_TRACE(name);
    for (const auto& [other, own] : model.state_dict())
      if (other == name) expect_same(own, value, 1e-12);
  }
  set_params(model, {{option, int64_t{3}}});
  EXPECT_NE(message_of<ValueError>([&] { model.fit(x, y); }).find("is less than the 9 of warm_st"),
            std::string::npos);
  set_params(model, {{option, int64_t{12}}});
  EXPECT_NE(message_of<ValueError>([&] {
              model.fit(concat({x, x}, 1), y);
            }).find("of before"),
            std::string::npos);
  expect_same(model.predict(x), whole.predict(x));
}

TEST(WarmStart, GoesOnAsIfItHadNeverStopped) {
  const Wave w = wave(150);
  const auto b = blobs(150, 4, 3, 1);
  const Tensor labels = from_vector(b.of, {150}) * 2;
  expect_warm_start(RandomForestRegressor({.oob_score = true}), "n_estimators", w.x, w.y);
  expect_warm_start(ExtraTreesRegressor(), "n_estimators", w.x, w.y);
  expect_warm_start(GradientBoostingRegressor({.subsample = 0.5}), "n_estimators", w.x, w.y);
  expect_warm_start(GradientBoostingRegressor({.loss = BoostingRegressionLoss::kHuber}),
                    "n_estimators", w.x, w.y);
  expect_warm_start(HistGradientBoostingRegressor({.early_stopping = EarlyStopping::kTrue}),
                    "max_iter", w.x, w.y);
  // Classes say the same of most samples; what is kept tells the fits apart.
  RandomForestClassifier forest({.n_estimators = 4, .warm_start = true});
  forest.fit(b.x, labels);
  set_params(forest, {{"n_estimators", int64_t{7}}});
  forest.fit(b.x, labels);
  expect_same(forest.predict_proba(b.x),
              RandomForestClassifier({.n_estimators = 7}).fit(b.x, labels).predict_proba(b.x));
  EXPECT_THROW(forest.fit(b.x, labels + 1), ValueError);
  HistGradientBoostingClassifier boost({.max_iter = 3, .warm_start = true});
  boost.fit(b.x, labels);
  set_params(boost, {{"max_iter", int64_t{8}}});
  boost.fit(b.x, labels);
  EXPECT_EQ(boost.n_iter, 8);
  expect_same(boost.predict_proba(b.x),
              HistGradientBoostingClassifier({.max_iter = 8}).fit(b.x, labels).predict_proba(b.x));
  EXPECT_THROW(boost.fit(b.x, labels + 1), ValueError);
}

}  // namespace
}  // namespace glia::classic
