// SHAP of trees against the definition, what models make of features, concepts, influence,
// counterfactuals, and pages.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/classic/boosting.h"
#include "glia/classic/forest.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/naive_bayes.h"
#include "glia/explain/examples.h"
#include "glia/explain/inspection.h"
#include "glia/explain/layers.h"
#include "glia/explain/page.h"
#include "glia/explain/perturb.h"
#include "glia/explain/shap.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::explain {
namespace {

using glia::test::expect_same;
using glia::test::message_of;

double largest(const Tensor& t) { return max(abs(t)).item(); }

struct Table {
  Tensor x, y, classes;
};
Table table(int64_t n = 120, int64_t features = 4) {
  manual_seed(5);
  const Tensor x = randn({n, features}, kF64);
  const auto f = [&](int64_t i) { return index(x, {Slice{}, i}); };
  const Tensor y = 2 * f(0) - f(1) * f(2) + cast(f(3) > 0.3, kF64);
  return {cast(cast(x, kF32), kF64), y, cast(y > 0, kI64)};
}

// ---- Trees --------------------------------------------------------------------------------------

// The definition: of each feature the mean over all orders, by all 2^features coalitions.
std::vector<double> shapley(const std::function<double(int)>& value, int features) {
  std::vector<double> phi(static_cast<size_t>(features), 0);
  for (int s = 0; s < 1 << features; ++s) {
    const int size = __builtin_popcount(static_cast<unsigned>(s));
    for (int i = 0; i < features; ++i) {
      if (s >> i & 1) continue;
      const double weight = std::exp(std::lgamma(size + 1) + std::lgamma(features - size) -
                                     std::lgamma(features + 1));
      phi[static_cast<size_t>(i)] += weight * (value(s | 1 << i) - value(s));
    }
  }
  return phi;
}

TEST(TreeShap, IsTheDefinition) {
  const Table t = table();
  classic::RandomForestRegressor forest({.n_estimators = 5, .max_depth = 4});
  forest.fit(t.x, t.y);
  const TreeEnsemble trees = trees_of(forest);
  const Tensor rows = slice(t.x, 0, {0, 3}), background = slice(t.x, 0, {10, 17});
  // Interventional: features that are not there come from the background.
  const TableShap shap = tree_shap(trees, rows, background);
  for (int64_t r = 0; r < 3; ++r) {
    const auto value = [&](int s) {
      Tensor mixed = background;
      for (int i = 0; i < 4; ++i)
        if (s >> i & 1) mixed = index_update(mixed, {Slice{}, i}, index(rows, {r, i}));
      return mean(forest.predict(mixed)).item();
    };
    expect_same(index(shap.values, {r}), from_vector(shapley(value, 4), {4}), 1e-9);
    EXPECT_NEAR(value(0), shap.expected_value.item(), 1e-9);
  }
  // Path-dependent: where a feature is not known both sides count by their samples.
  const TableShap own = tree_shap(trees, rows);
  const auto walk = [&](auto&& self, size_t tree, int64_t node, int s,
                        const double* row) -> double {
    const auto at = static_cast<size_t>(trees.begin[tree] + node);
    if (trees.left[at] < 0) return trees.value[at];
    const auto side = [&](int64_t child) { return self(self, tree, child, s, row); };
    if (s >> trees.feature[at] & 1)
      return side(row[trees.feature[at]] <= trees.threshold[at] ? trees.left[at] : trees.right[at]);
    const double left = trees.weight[static_cast<size_t>(trees.begin[tree] + trees.left[at])];
    return (left * side(trees.left[at]) + (trees.weight[at] - left) * side(trees.right[at])) /
           trees.weight[at];
  };
  for (int64_t r = 0; r < 3; ++r) {
    const auto row = index(rows, {r}).to_vector<double>();
    const auto value = [&](int s) {
      double total = 0;
      for (size_t tree = 0; tree + 1 < trees.begin.size(); ++tree)
        total += walk(walk, tree, 0, s, row.data());
      return total;
    };
    expect_same(index(own.values, {r}), from_vector(shapley(value, 4), {4}), 1e-9);
  }
}

TEST(TreeShap, AddsUpForEveryEstimator) {
  const Table t = table();
  const Tensor three = cast(floor(clamp(t.y, -1, 1.9)), kI64) + 1;
  const auto check = [&](classic::Estimator& model, const Tensor& y, bool scores) {
    model.fit(t.x, y);
    const TableShap shap = tree_shap(trees_of(model), t.x);
    Tensor said = scores ? model.kind() == classic::EstimatorKind::kRegressor
                               ? model.predict(t.x)
                               : model.decision_function(t.x)
                         : model.predict_proba(t.x);
    const Tensor sums = sum(shap.values, {1}) + shap.expected_value;
    EXPECT_LT(largest(sums - said), 1e-9) << model.name();
  };
  classic::DecisionTreeClassifier tree({.max_depth = 5});
  check(tree, three, false);
  classic::ExtraTreesClassifier extra({.n_estimators = 4, .max_depth = 5, .bootstrap = false});
  check(extra, t.classes, false);
  classic::DecisionTreeRegressor regressor;
  check(regressor, t.y, true);
  classic::GradientBoostingRegressor boosted({.learning_rate = 0.2, .n_estimators = 8});
  check(boosted, t.y, true);
  classic::GradientBoostingClassifier many({.n_estimators = 4});
  check(many, three, true);
  classic::GradientBoostingClassifier two({.n_estimators = 4});
  check(two, t.classes, true);
  classic::Ridge line;
  line.fit(t.x, t.y);
  EXPECT_NE(message_of([&] { trees_of(line); }).find("trees"), std::string::npos);
  TreeEnsemble broken = trees_of(tree);
  broken.left[0] = 1 << 20;
  EXPECT_NE(message_of<ValueError>([&] { tree_shap(broken, t.x); }), "");
  EXPECT_NE(message_of<ShapeError>([&] { tree_shap(trees_of(tree), ones({2, 9})); }), "");
}

TEST(Shap, LinearModelsExactly) {
  const Table t = table();
  classic::LinearRegression line;
  line.fit(t.x, t.y);
  const TableShap shap = linear_shap(line.coef, line.intercept, t.x, t.x);
  expect_same(shap.values, line.coef * (t.x - mean(t.x, {0})), 1e-12);
  expect_same(sum(shap.values, {1}) + shap.expected_value, line.predict(t.x), 1e-9);
  const auto kernel = kernel_shap([&](const Tensor& x) { return line.predict(x); },
                                  slice(t.x, 0, {0, 4}), {.background = t.x});
  expect_same(kernel.values, slice(shap.values, 0, {0, 4}), 1e-9);
  // With groups, and with more features than all coalitions can be tried of.
  const auto grouped =
      kernel_shap([&](const Tensor& x) { return line.predict(x); }, slice(t.x, 0, {0, 2}),
                  {.background = t.x, .feature_mask = tensor<int64_t>({0, 0, 1, 1})});
  EXPECT_EQ(grouped.values.shape(), (Shape{2, 2}));
  const Tensor w = randn({30}, kF64), wide = randn({2, 30}, kF64), base = randn({1, 30}, kF64);
  const auto many = kernel_shap([&](const Tensor& x) { return matmul(x, w); }, wide,
                                {.background = base, .n_samples = 400});
  expect_same(many.values, w * (wide - base), 1e-8);
}

// ---- Tables -------------------------------------------------------------------------------------

TEST(Inspection, OfAFunctionThatIsKnown) {
  const Table t = table(400);
  const TableModel f = [](const Tensor& x) {
    return 3 * index(x, {Slice{}, 0}) + square(index(x, {Slice{}, 1})) +
           index(x, {Slice{}, 2}) * index(x, {Slice{}, 3});
  };
  const auto pdp = partial_dependence(f, t.x, 0, {.grid_resolution = 5});
  const Tensor slope = (slice(pdp.average, 0, {1, 5}) - slice(pdp.average, 0, {0, 4})) /
                       (slice(pdp.grid, 0, {1, 5}) - slice(pdp.grid, 0, {0, 4}));
  expect_same(slope, full({4}, 3.0, kF64), 1e-9);
  const auto ale = accumulated_local_effects(f, t.x, 1, 15);
  EXPECT_EQ(sum(ale.counts).item<int64_t>(), 400);
  const Tensor square_of = square(ale.edges);
  EXPECT_LT(largest((ale.effects - index(ale.effects, {0})) - (square_of - index(square_of, {0}))),
            1e-9);
  const Tensor few = slice(t.x, 0, {0, 60});
  EXPECT_LT(h_statistic(f, few, 0, 1), 1e-12);
  EXPECT_GT(h_statistic(f, few, 2, 3), 0.5);
  const auto both = partial_dependence(f, few, 2, 3, {.grid_resolution = 3});
  EXPECT_EQ(both.average.shape(), (Shape{3, 3}));
  const auto importance = permutation_importance(
      [&](const Tensor& x, const Tensor& y) { return -mean(square(f(x) - y)).item(); }, t.x,
      f(t.x));
  EXPECT_EQ(argmax(importance.importances_mean).item<int64_t>(), 0);
  EXPECT_NE(message_of<ValueError>([&] { partial_dependence(f, t.x, 4); }), "");
  EXPECT_NE(message_of<ValueError>([&] {
              accumulated_local_effects(f, ones({5, 4}, kF64), 0);
            }),
            "");
}

TEST(Examples, CounterfactualsAreNear) {
  // sigmoid(2 a - b): the nearest change moves a alone, by the weights 1 and 1.
  const Forward f = [](const Tensor& x) {
    return sigmoid(2 * index(x, {Slice{}, 0}) - index(x, {Slice{}, 1}));
  };
  const Tensor x = tensor({{-1.0, 0.5}, {2.0, 0.0}});
  const auto found = counterfactual(f, x, {.target_score = 0.5, .lambda = 1, .lr = 0.02});
  EXPECT_TRUE(all(found.valid).item<bool>());
  EXPECT_LT(largest(found.scores - 0.5), 0.05);
  EXPECT_NEAR(index(found.cost, {0}).item(), 1.25, 0.15);
  EXPECT_NEAR(index(found.inputs, {0, 1}).item(), 0.5, 0.1);
  // What may not change does not, and bounds are kept.
  const auto held = counterfactual(f, x,
                                   {.target_score = 0.5,
                                    .mutable_features = tensor({false, true}),
                                    .low = tensor({-9.0, -9.0}),
                                    .high = tensor({9.0, 9.0}),
                                    .lambda = 1,
                                    .lr = 0.05});
  expect_same(index(held.inputs, {Slice{}, 0}), index(x, {Slice{}, 0}));
  EXPECT_TRUE(all(held.valid).item<bool>());
  const auto never = counterfactual([](const Tensor& t) { return 0 * sum(t, {1}); }, x,
                                    {.target_score = 1, .steps = 3});
  EXPECT_FALSE(any(never.valid).item<bool>());
}

TEST(Examples, InfluenceIsWhatLeavingOutDoes) {
  manual_seed(2);
  const Tensor x = randn({30, 3}, kF64), y = cast(sum(x, {1}) + 0.5 * randn({30}, kF64) > 0, kF64);
  nn::Linear model(3, 1);
  model.to(kF64);
  constexpr double kDecay = 0.05;
  const auto loss = [&](const std::vector<Tensor>& b) {
    return binary_cross_entropy_with_logits(squeeze(model(b[0]), 1), b[1]);
  };
  // By gradient descent until nothing moves.
  const auto train = [&](const Tensor& weights) {
    for (int i = 0; i < 1500; ++i) {
      const Tensor logits = squeeze(model(x), 1);
      const Tensor total =
          sum(weights * (softplus(logits) - y * logits)) / 30 +
          kDecay / 2 * (sum(square(model.weight.tensor())) + sum(square(model.bias.tensor())));
      const auto g = gradients(total, model.parameters());
      model.weight.set(stop_gradient(model.weight.tensor() - 1.0 * g[0]));
      model.bias.set(stop_gradient(model.bias.tensor() - 1.0 * g[1]));
      eval_variables();
    }
  };
  train(ones({30}, kF64));
  const Tensor test_x = randn({2, 3}, kF64), test_y = tensor({1.0, 0.0});
  const Tensor said = influence(model, loss, {x, y}, {test_x, test_y}, {.damping = kDecay});
  EXPECT_EQ(said.shape(), (Shape{2, 30}));
  const auto loss_of = [&](int64_t i) {
    return loss({slice(test_x, 0, {i, i + 1}), slice(test_y, 0, {i, i + 1})}).item();
  };
  const double before = loss_of(0);
  const StateDict values = model.state_dict();
  double dot = 0, a2 = 0, b2 = 0;
  for (int64_t out = 0; out < 6; ++out) {
    const Tensor weights = index_update(ones({30}, kF64), {out}, tensor(0.9));
    train(weights);
    const double real = (loss_of(0) - before) / -0.1 * 30, guess = index(said, {0, out}).item();
    dot += real * guess;
    a2 += real * real;
    b2 += guess * guess;
    model.load_state_dict(values);
  }
  EXPECT_GT(dot / std::sqrt(a2 * b2), 0.98);
  EXPECT_NEAR(std::sqrt(b2 / a2), 1, 0.15);
}

// ---- Layers -------------------------------------------------------------------------------------

TEST(Layers, ConceptsProbesAndAttention) {
  manual_seed(4);
  const Tensor direction = randn({8});
  const Tensor with = randn({40, 8}) + direction, without = randn({40, 8}) - direction;
  const Forward head = [&](const Tensor& h) {
    return stack({sum(h * direction, {1}), -sum(h * direction, {1})}, 1);
  };
  const Tcav towards = tcav(head, with, without, randn({20, 8}), {.target = 0}),
             away = tcav(head, with, without, randn({20, 8}), {.target = 1});
  EXPECT_EQ(towards.score, 1);
  EXPECT_EQ(away.score, 0);
  EXPECT_GT(towards.accuracy, 0.9);
  const Tensor labels = concat({ones({40}, kI64), zeros({40}, kI64)}, 0);
  const Probe found = probe(concat({with, without}, 0), labels);
  EXPECT_GT(found.accuracy, 0.9);
  EXPECT_GT(found.selectivity(), 0.2);
  EXPECT_LT(probe(randn({80, 8}), labels).accuracy, 0.8);

  // Rows stay shares; attention to oneself alone stays so.
  const Tensor a = softmax(randn({3, 5, 5})), b = softmax(randn({3, 5, 5}));
  const Tensor rollout = attention_rollout({a, b});
  expect_same(sum(rollout, {1}), ones({5}), 1e-6);
  const Tensor both = matmul(0.5 * eye(5) + 0.5 * mean(b, {0}), 0.5 * eye(5) + 0.5 * mean(a, {0}));
  expect_same(rollout, both, 1e-6);
  const Tensor self = expand(eye(5), {2, 3, 5, 5});
  expect_same(attention_rollout({self, self}, {.discard_ratio = 0.3}), expand(eye(5), {2, 5, 5}),
              1e-6);
  EXPECT_NE(message_of([&] { attention_rollout({}); }), "");
  EXPECT_NE(message_of([&] { attention_rollout({ones({2, 3, 4})}); }), "");
}

TEST(Page, HeatWordsAndBars) {
  const Tensor image = full({6, 4, 3}, 100, kU8);
  const Tensor heat = tensor({{1.0f, 0.0f}, {0.0f, -1.0f}});
  const Tensor shown = heat_picture(image, heat);
  EXPECT_EQ(shown.shape(), image.shape());
  const auto at = [&](int64_t y, int64_t x, int64_t c) {
    return index(shown, {y, x, c}).item<int>();
  };
  EXPECT_GT(at(0, 0, 0), at(0, 0, 2) + 50);  // red where it speaks for
  EXPECT_GT(at(5, 3, 2), at(5, 3, 0) + 50);  // blue against
  expect_same(index(heat_picture(image, zeros({2, 2})), {0, 0, 0}),
              index(heat_picture(image, zeros({2, 2})), {0, 0, 2}));
  const report::Report page{
      .title = "Why",
      .sections = {pictures_section("Where", image, {{"map", heat}}),
                   words_section("Words", {"good", " ", "<wicked>"}, {0.5, 0, -0.2}),
                   bars_section("Columns", {"a", "b", "c"}, {0.1, -3, 1}, 2)}};
  const std::string html = report::to_html(page);
  EXPECT_EQ(html.find("<wicked>"), std::string::npos);
  EXPECT_NE(html.find("good"), std::string::npos);
  const auto& bars = std::get<report::Bars>(page.sections[2].body).bars;
  ASSERT_EQ(bars.size(), 2u);
  EXPECT_EQ(bars[0].name, "b");
  EXPECT_NE(message_of([&] { heat_picture(image, ones({2})); }), "");
  EXPECT_NE(message_of([&] { words_section("", {"a"}, {}); }), "");
}

}  // namespace
}  // namespace glia::explain
