// Decision trees and forests: splits known by hand, what every tree must be, and what is refused.
#include "glia/classic/tree.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "classic_data.h"
#include "glia/classic/forest.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DecisionTree, SplitsByHand) {
  // Gini of the root 1 - (3/5)^2 - (2/5)^2 = 0.48; one split parts the classes.
  const Tensor x = tensor({{1., 5.}, {2., 5.}, {3., 5.}, {10., 5.}, {12., 5.}}),
               y = tensor({7, 7, 7, 9, 9});
  DecisionTreeClassifier tree;
  tree.fit(x, y);
  const TreeArrays t = tree.tree();
  expect_same(t.children_left, tensor({1, -1, -1}));
  expect_same(t.children_right, tensor({2, -1, -1}));
  expect_same(t.feature, tensor({0, -2, -2}));
  expect_same(t.threshold, tensor({6.5, -2., -2.}));
  expect_same(t.impurity, tensor({0.48, 0., 0.}), 1e-15);
  expect_same(t.n_node_samples, tensor({5, 3, 2}));
  expect_same(t.value, tensor({{0.6, 0.4}, {1., 0.}, {0., 1.}}), 1e-15);
  expect_same(tree.feature_importances, tensor({1., 0.}));
  expect_same(tree.predict(tensor({{6.5, 0.}, {6.6, 0.}})), tensor({7, 9}));
  expect_same(tree.apply(tensor({{0., 0.}, {20., 0.}})), tensor({{1}, {2}}));
  expect_same(cast(tree.decision_path(tensor({{20., 0.}})), kI64), tensor({{1, 0, 1}}));
  EXPECT_EQ(tree.depth(), 1);
  EXPECT_EQ(tree.n_leaves(), 2);
  EXPECT_EQ(export_text(tree, {.feature_names = {"size", "shade"}}),
            "|--- size <= 6.50\n|   |--- class: 7\n|--- size >  6.50\n|   |--- class: 9\n");
  EXPECT_EQ(export_text(tree, {.class_names = {"a", "b"}, .decimals = 0, .show_weights = true}),
            "|--- feature_0 <= 6\n|   |--- weights: [3, 0] class: a\n|--- feature_0 >  6\n"
            "|   |--- weights: [0, 2] class: b\n");
}

TEST(DecisionTree, MeansMediansAndRates) {
  const Tensor x = tensor({{0.}, {1.}, {2.}, {3.}}), y = tensor({1., 2., 10., 30.});
  DecisionTreeRegressor tree({.max_depth = 1});
  // Squared errors: {1, 2, 10} and {30} leave 48.7, {1, 2} and {10, 30} 200.5.
  expect_same(tree.fit(x, y).predict(x), tensor({13. / 3, 13. / 3, 13. / 3, 30.}), 1e-14);
  set_params(tree, {{"criterion", "absolute_error"}});
  // Absolute errors: 9 against 21.
  expect_same(tree.fit(x, y).predict(x), tensor({2., 2., 2., 30.}));
  set_params(tree, {{"criterion", "poisson"}});
  // sum y log(mean): 13 log(13 / 3) + 30 log 30 = 121.10 is the most; {1, 2}, {10, 30} has 121.05.
  expect_same(tree.fit(x, y).predict(x), tensor({13. / 3, 13. / 3, 13. / 3, 30.}), 1e-14);
  EXPECT_EQ(export_text(tree),
            "|--- feature_0 <= 2.50\n|   |--- value: [4.33]\n"
            "|--- feature_0 >  2.50\n|   |--- value: [30.00]\n");
}

TEST(DecisionTree, WeightsAreSamples) {
  const auto b = blobs(60, 3, 3, 0.5);
  std::vector<double> weight;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 60; ++i) {
    weight.push_back(static_cast<double>(i % 3));
    rows.insert(rows.end(), static_cast<size_t>(i % 3), i);
  }
  const Tensor y = from_vector(b.of, {60}), some = from_vector(rows, {60});
  DecisionTreeClassifier weighted({.max_depth = 4}), repeated({.max_depth = 4});
  weighted.fit(b.x, y, from_vector(weight, {60}));
  repeated.fit(take(b.x, some), take(y, some));
  expect_same(weighted.predict_proba(b.x), repeated.predict_proba(b.x), 1e-14);
  DecisionTreeRegressor one, other;
  const Tensor numbers = index(b.x, {Slice{}, 0}) * 3.0;
  // Of samples that were fitted: others may be on either side of splits that are as good.
  const Tensor seen = take(b.x, some);
  expect_same(one.fit(b.x, numbers, from_vector(weight, {60})).predict(seen),
              other.fit(seen, take(numbers, some)).predict(seen), 1e-12);
}

TEST(DecisionTree, GrowsAsFarAsItMay) {
  const auto b = blobs(200, 4, 3, 0.3);
  const Tensor y = from_vector(b.of, {200});
  EXPECT_EQ(DecisionTreeClassifier().fit(b.x, y).score(b.x, y), 1);
  EXPECT_EQ(DecisionTreeClassifier({.max_depth = 3}).fit(b.x, y).depth(), 3);
  EXPECT_EQ(DecisionTreeClassifier({.max_leaf_nodes = 6}).fit(b.x, y).n_leaves(), 6);
  DecisionTreeClassifier leaves({.min_samples_leaf = 0.1});
  leaves.fit(b.x, y);
  const TreeArrays t = leaves.tree();
  EXPECT_GE(min(t.n_node_samples).item<int64_t>(), 20);
  // The same tree with a price for leaves is smaller, and the path says from which price on.
  const PruningPath path = DecisionTreeClassifier().cost_complexity_pruning_path(b.x, y);
  const auto alphas = path.ccp_alphas.to_vector<double>();
  EXPECT_TRUE(std::is_sorted(alphas.begin(), alphas.end()));
  EXPECT_EQ(DecisionTreeClassifier({.ccp_alpha = alphas.back()}).fit(b.x, y).n_leaves(), 1);
  EXPECT_EQ(DecisionTreeClassifier({.ccp_alpha = alphas.back() * 0.999}).fit(b.x, y).depth() > 0,
            true);
}

TEST(DecisionTree, MissingValuesGoToTheBetterSide) {
  // What is missing is of the class of small numbers, or of one that numbers do not have.
  const Tensor x = tensor({{1.}, {2.}, {kNan}, {8.}, {9.}, {kNan}});
  DecisionTreeClassifier tree;
  tree.fit(x, tensor({0, 0, 0, 1, 1, 0}));
  expect_same(tree.predict(tensor({{kNan}, {0.}, {99.}})), tensor({0, 0, 1}));
  EXPECT_TRUE(index(tree.tree().missing_go_to_left, {0}).item<bool>());
  tree.fit(x, tensor({0, 0, 2, 0, 0, 2}));
  expect_same(tree.predict(tensor({{kNan}, {0.}, {99.}})), tensor({2, 0, 0}));
  EXPECT_TRUE(std::isinf(index(tree.tree().threshold, {0}).item()));
  // Without any they go where most samples went.
  tree.fit(tensor({{1.}, {2.}, {3.}, {9.}}), tensor({0, 0, 0, 1}));
  expect_same(tree.predict(tensor({{kNan}})), tensor({0}));
}

TEST(DecisionTree, IsMonotonicIfItMustBe) {
  data::Random random(3);
  std::vector<double> x, y;
  for (int i = 0; i < 300; ++i) {
    x.push_back(random.uniform());
    y.push_back(std::sin(9 * x.back()) + 0.3 * random.uniform());
  }
  const Tensor rows = reshape(from_vector(x, {300}), {300, 1}), targets = from_vector(y, {300});
  const Tensor grid = reshape(arange(0, 1, 0.002, kF64), {-1, 1});
  for (const char* criterion : {"squared_error", "absolute_error"})
    for (const double sign : {1.0, -1.0}) {
      DecisionTreeRegressor tree({.monotonic_cst = {sign}});
      set_params(tree, {{"criterion", criterion}});
      const auto said = tree.fit(rows, targets).predict(grid).to_vector<double>();
      EXPECT_GT(tree.n_leaves(), 5);
      for (size_t i = 1; i < said.size(); ++i) EXPECT_GE((said[i] - said[i - 1]) * sign, 0);
    }
  DecisionTreeClassifier tree({.min_samples_leaf = 5, .monotonic_cst = {1}});
  const Tensor p = tree.fit(rows, cast(targets > 0.2, kI64)).predict_proba(grid);
  const auto second = index(p, {Slice{}, 1}).to_vector<double>();
  for (size_t i = 1; i < second.size(); ++i) EXPECT_GE(second[i], second[i - 1]);
}

TEST(DecisionTree, WhatIsRefused) {
  const Tensor x = tensor({{1., 2.}, {3., 4.}, {5., 6.}}), y = tensor({0, 1, 2});
  const auto says = [&](const DecisionTreeClassifierOptions& o, const Tensor& of) {
    return message_of<ValueError>([&] { DecisionTreeClassifier(o).fit(of, y); });
  };
  EXPECT_NE(says({.max_depth = 0}, x).find("max_depth = 0"), std::string::npos);
  EXPECT_NE(says({.min_samples_leaf = 0}, x).find("min_samples_leaf = 0"), std::string::npos);
  EXPECT_NE(says({.min_samples_split = 1}, x).find("min_samples_split = 1"), std::string::npos);
  EXPECT_NE(says({.max_features = "3"}, x).find("max_features is 3"), std::string::npos);
  EXPECT_NE(says({.max_features = "many"}, x).find("max_features is many"), std::string::npos);
  EXPECT_NE(says({.max_leaf_nodes = 1}, x).find("max_leaf_nodes = 1"), std::string::npos);
  EXPECT_NE(says({.ccp_alpha = kNan}, x).find("ccp_alpha"), std::string::npos);
  EXPECT_NE(says({.monotonic_cst = {1, 0}}, x).find("two classes"), std::string::npos);
  EXPECT_NE(says({}, x / 0.0).find("infinite"), std::string::npos);
  EXPECT_NE(says({}, x * 1e300).find("beyond f32"), std::string::npos);
  EXPECT_THROW(DecisionTreeRegressor({.monotonic_cst = {2, 0}}).fit(x, y), ValueError);
  DecisionTreeRegressor poisson({.criterion = RegressionCriterion::kPoisson});
  EXPECT_THROW(poisson.fit(x, tensor({-1., 1., 2.})), ValueError);
  EXPECT_THROW(DecisionTreeClassifier().predict(x), Error);
  DecisionTreeClassifier tree;
  tree.fit(x, y);
  EXPECT_THROW(tree.predict(ones({2, 3})), ShapeError);
  EXPECT_THROW(tree.tree(1), ValueError);
  EXPECT_THROW(export_text(tree, {.feature_names = {"one"}}), ValueError);
}

TEST(DecisionTree, StatesThatAreNoTrees) {
  const auto b = blobs(40, 2, 2, 1);
  DecisionTreeClassifier tree({.max_depth = 2});
  tree.fit(b.x, from_vector(b.of, {40}));
  const StateDict good = tree.state_dict();
  const auto with = [&](const std::string& name, const Tensor& value) {
    StateDict state = good;
    for (auto& entry : state)
      if (entry.first == name) entry.second = value;
    return state;
  };
  const auto left = good[3].second;
  ASSERT_EQ(good[3].first, "children_left");
  EXPECT_THROW(tree.load_state_dict(with("children_left", left * 0)), Error);     // a circle
  EXPECT_THROW(tree.load_state_dict(with("children_left", left + 1000)), Error);  // beyond
  EXPECT_THROW(tree.load_state_dict(with("feature", left * 0 + 77)), Error);
  EXPECT_THROW(tree.load_state_dict(with("tree_begin", tensor({0, 1}))), Error);
  EXPECT_THROW(tree.load_state_dict(with("value", ones({3, 2}, kF64))), Error);
  tree.load_state_dict(good);
}

TEST(DecisionTree, EdgesOfData) {
  // One sample, constant features, and targets of all the same.
  const Tensor one = tensor({{3.}});
  expect_same(DecisionTreeClassifier().fit(one, tensor({4})).predict(one), tensor({4}));
  expect_same(
      DecisionTreeRegressor().fit(ones({5, 2}), tensor({1., 2., 3., 4., 5.})).predict(ones({1, 2})),
      tensor({3.}));
  DecisionTreeClassifier same;
  same.fit(tensor({{1.}, {2.}}), tensor({5, 5}));
  EXPECT_EQ(same.n_leaves(), 1);
  expect_same(same.feature_importances, tensor({0.}));
  expect_same(DecisionTreeClassifier().fit(full({4, 1}, kNan), tensor({0, 1, 1, 1})).predict(one),
              tensor({1}));
  // Several outputs.
  const Tensor x = tensor({{0.}, {1.}, {2.}}), y = tensor({{0., 9.}, {1., 8.}, {2., 7.}});
  expect_same(DecisionTreeRegressor().fit(x, y).predict(x), y);
}

TEST(Forests, TheMeanOfTheirTrees) {
  const auto b = blobs(150, 4, 3, 0.5);
  const Tensor y = from_vector(b.of, {150});
  for (const char* name : {"RandomForestClassifier", "ExtraTreesClassifier"}) {
    const auto model = make_estimator(name);
    set_params(*model, {{"n_estimators", int64_t{20}}});
    model->fit(b.x, y);
    const auto& forest = dynamic_cast<const ForestClassifier&>(*model);
    EXPECT_EQ(forest.n_trees(), 20);
    const Tensor leaves = forest.apply(b.x);
    Tensor sum = zeros({150, 3}, kF64);
    for (int64_t t = 0; t < 20; ++t)
      sum = sum + take(forest.tree(t).value, index(leaves, {Slice{}, t}));
    expect_same(forest.predict_proba(b.x), sum / 20.0, 1e-14);
    EXPECT_NEAR(glia::sum(forest.feature_importances).item(), 1, 1e-12);
    EXPECT_GT(forest.score(b.x, y), 0.95);
  }
}

TEST(Forests, TheSameForAnyNumberOfThreads) {
  const auto b = blobs(120, 3, 2, 0.4);
  const Tensor y = index(b.x, {Slice{}, 0});
  RandomForestRegressor one({.n_estimators = 12}), many({.n_estimators = 12});
  {
    const ThreadLimit limit(1);
    one.fit(b.x, y);
  }
  many.fit(b.x, y);
  expect_same(one.predict(b.x), many.predict(b.x));
}

TEST(Forests, SamplesThatTreesDidNotSee) {
  const auto b = blobs(300, 4, 2, 0.8);
  const Tensor y = from_vector(b.of, {300});
  RandomForestClassifier forest({.n_estimators = 60, .oob_score = true});
  forest.fit(b.x, y);
  EXPECT_GT(forest.oob_score, 0.8);
  EXPECT_LE(forest.oob_score, forest.score(b.x, y));
  expect_same(sum(forest.oob_decision_function, {1}), ones({300}, kF64), 1e-12);
  RandomForestRegressor numbers({.n_estimators = 60, .oob_score = true});
  numbers.fit(b.x, index(b.x, {Slice{}, 0}) + index(b.x, {Slice{}, 1}));
  EXPECT_GT(numbers.oob_score, 0.8);
  EXPECT_THROW(ExtraTreesClassifier({.bootstrap = false, .oob_score = true}).fit(b.x, y),
               ValueError);
  EXPECT_THROW(RandomForestClassifier({.n_estimators = 0}).fit(b.x, y), ValueError);
  EXPECT_THROW(RandomForestClassifier({.max_samples = -1}).fit(b.x, y), ValueError);
}

TEST(IsolationForests, FindWhatIsFarOut) {
  const auto b = blobs(200, 2, 1, 0);
  const Tensor far = tensor({{9., 9.}, {-8., 7.}});
  IsolationForest forest;
  forest.fit(concat({b.x, far}, 0));
  expect_same(forest.predict(far), tensor({-1, -1}));
  EXPECT_LT(max(forest.score_samples(far)).item(), min(forest.score_samples(b.x)).item() + 0.1);
  // As many as were asked for.
  IsolationForest some({.contamination = 0.1});
  some.fit(b.x);
  EXPECT_EQ(sum(cast(some.predict(b.x) == -1, kI64)).item<int64_t>(), 20);
  EXPECT_THROW(IsolationForest({.contamination = 0.7}).fit(b.x), ValueError);
}

}  // namespace
}  // namespace glia::classic
