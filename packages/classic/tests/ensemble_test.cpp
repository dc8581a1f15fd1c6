// Estimators made of estimators: their answers by their parts' answers.
#include "glia/classic/ensemble.h"

#include <gtest/gtest.h>

#include "classic_data.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/neighbors.h"
#include "glia/classic/tree.h"
#include "glia/classic/voting.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

class EnsembleFiles : public glia::test::Scratch {};

TEST(Bagging, TheMeanOfItsParts) {
  const auto b = blobs(120, 4, 3, 2);
  const Tensor y = from_vector(b.of, {120}) * 5;
  BaggingClassifier model({.n_estimators = 7, .max_features = 0.5, .oob_score = true});
  model.fit(b.x, y);
  ASSERT_EQ(model.estimators().size(), 7U);
  Tensor sum = zeros({120, 3}, kF64);
  for (size_t i = 0; i < 7; ++i) {
    ASSERT_EQ(model.estimators_features[i].size(), 2U);
    const Tensor own = take(b.x, from_vector(model.estimators_features[i], {2}), 1);
    sum = sum + model.estimators()[i]->predict_proba(own);
  }
  expect_same(model.predict_proba(b.x), sum / 7.0, 1e-14);
  EXPECT_GT(model.oob_score, 0.7);
  EXPECT_GT(model.score(b.x, y), 0.9);
  // Of one that takes no weights, whose samples are repeated.
  BaggingClassifier neighbors(KNeighborsClassifier(), {.n_estimators = 5, .max_samples = 0.5});
  EXPECT_GT(neighbors.fit(b.x, y).score(b.x, y), 0.9);
  BaggingRegressor numbers(Ridge(), {.n_estimators = 30, .oob_score = true});
  const Tensor line = index(b.x, {Slice{}, 0}) * 2.0 + 1.0;
  EXPECT_GT(numbers.fit(b.x, line).score(b.x, line), 0.99);
  EXPECT_GT(numbers.oob_score, 0.99);
  EXPECT_THROW(BaggingClassifier({.n_estimators = 0}).fit(b.x, y), ValueError);
  EXPECT_THROW(BaggingClassifier({.max_samples = 500, .bootstrap = false}).fit(b.x, y), ValueError);
}

TEST(AdaBoost, ByHand) {
  // The best stump has one of five wrong: it says log((1 - 1/5) / (1/5)) = log 4, and after that
  // the one weighs as much as the other four.
  const Tensor x = tensor({{1.}, {2.}, {3.}, {4.}, {5.}}), y = tensor({0, 0, 1, 1, 0});
  AdaBoostClassifier model({.n_estimators = 1});
  model.fit(x, y);
  expect_same(model.estimator_errors, tensor({0.2}), 1e-15);
  expect_same(model.estimator_weights, tensor({std::log(4.0)}), 1e-15);
  expect_same(model.decision_function(x), tensor({-2., -2., 2., 2., 2.}));
  AdaBoostClassifier more({.n_estimators = 10});
  EXPECT_EQ(more.fit(x, y).score(x, y), 1);
  // A perfect one is enough.
  EXPECT_EQ(AdaBoostClassifier().fit(x, tensor({0, 0, 0, 1, 1})).estimators().size(), 1U);
  // Chance is not.
  EXPECT_NE(message_of<ValueError>([&] {
              AdaBoostClassifier().fit(ones({4, 1}), tensor({0, 1, 0, 1}));
            }).find("no better than chance"),
            std::string::npos);
  AdaBoostRegressor numbers({.n_estimators = 20});
  const Tensor line = reshape(arange(0, 40, 1, kF64), {40, 1}),
               target = square(reshape(line, {-1}));
  for (const char* loss : {"linear", "square", "exponential"}) {
    set_params(numbers, {{"loss", loss}});
    EXPECT_GT(numbers.fit(line, target).score(line, target), 0.97) << loss;
  }
}

TEST(Voting, MostAndMeans) {
  const auto b = blobs(150, 3, 3, 0.5);
  const Tensor y = from_vector(b.of, {150});
  NamedEstimators parts;
  parts.emplace_back("tree", std::make_unique<DecisionTreeClassifier>(
                                 DecisionTreeClassifierOptions{.max_depth = 2}));
  parts.emplace_back("line", std::make_unique<LogisticRegression>());
  parts.emplace_back("near", std::make_unique<KNeighborsClassifier>());
  VotingClassifier votes(std::move(parts));
  votes.fit(b.x, y);
  std::vector<std::vector<int64_t>> said;
  for (const auto& [name, part] : votes.parts())
    said.push_back(part->predict(b.x).to_vector<int64_t>());
  const auto all = votes.predict(b.x).to_vector<int64_t>();
  for (size_t i = 0; i < all.size(); ++i)
    if (said[1][i] == said[2][i]) {
      EXPECT_EQ(all[i], said[1][i]);
    }
  EXPECT_THROW(votes.predict_proba(b.x), Error);
  set_params(votes, {{"voting", "soft"}, {"weights", "1,0,3"}});
  expect_same(votes.predict_proba(b.x),
              (votes.parts()[0].second->predict_proba(b.x) +
               3.0 * votes.parts()[2].second->predict_proba(b.x)) /
                  4.0,
              1e-6);
  set_params(votes, {{"weights", "1,2"}});
  EXPECT_THROW(votes.fit(b.x, y), ValueError);
  NamedEstimators wrong;
  wrong.emplace_back("numbers", std::make_unique<Ridge>());
  EXPECT_THROW(VotingClassifier(std::move(wrong)), ValueError);
}

TEST_F(EnsembleFiles, StacksLearnWhomToBelieve) {
  const auto b = blobs(150, 3, 2, 0.8);
  const Tensor y = from_vector(b.of, {150});
  NamedEstimators parts;
  parts.emplace_back("tree", std::make_unique<DecisionTreeClassifier>());
  parts.emplace_back("near", std::make_unique<KNeighborsClassifier>());
  StackingClassifier stack(std::move(parts), LogisticRegression(), {.passthrough = true});
  stack.fit(b.x, y);
  EXPECT_EQ(stack.transform(b.x).shape(), (Shape{150, 5}));
  EXPECT_GT(stack.score(b.x, y), 0.85);
  write_estimator(file("stack.safetensors"), stack);
  const auto again = read_estimator(file("stack.safetensors"));
  expect_same(again->predict_proba(b.x), stack.predict_proba(b.x));
  NamedEstimators numbers;
  numbers.emplace_back("ridge", std::make_unique<Ridge>());
  StackingRegressor line(std::move(numbers), LinearRegression());
  const Tensor target = index(b.x, {Slice{}, 1}) * 3.0;
  EXPECT_GT(line.fit(b.x, target).score(b.x, target), 0.999);
  set_params(line, {{"cv", int64_t{1}}});
  EXPECT_THROW(line.fit(b.x, target), ValueError);
}

}  // namespace
}  // namespace glia::classic
