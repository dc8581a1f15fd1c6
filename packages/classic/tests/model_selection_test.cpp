// Splits, and validation by them.
#include "glia/classic/model_selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "classic_data.h"
#include "glia/classic/cluster.h"
#include "glia/runtime.h"
#include "test_estimators.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using test::blobs;
using test::Centroids;
using test::Mean;

using Indices = std::vector<int64_t>;

Indices of(const Tensor& t) { return t.to_vector<int64_t>(); }
Tensor i64s(const Indices& v) { return from_vector(v, {static_cast<int64_t>(v.size())}); }

struct Problem {
  Tensor x, y;
};
Problem problem(int64_t n = 60, double apart = 1, uint64_t seed = 1) {
  const test::Blobs b = blobs(n, 3, 3, apart, kF64, seed);
  std::vector<int64_t> y;
  for (const int64_t c : b.of) y.push_back(c * 2 - 1);  // -1, 1, 3
  return {b.x, from_vector(y, {n})};
}

// Training and test have no sample in common, and the tests each sample once.
void expect_partition(const Splits& splits, int64_t n) {
  Indices seen(static_cast<size_t>(n));
  for (const auto& [train, test] : splits) {
    std::set<int64_t> both;
    for (const int64_t i : of(train)) both.insert(i);
    for (const int64_t i : of(test)) {
      both.insert(i);
      ++seen.at(static_cast<size_t>(i));
    }
    EXPECT_EQ(static_cast<int64_t>(both.size()), train.numel() + test.numel());
    EXPECT_EQ(train.numel() + test.numel(), n);
    EXPECT_TRUE(std::ranges::is_sorted(of(test)));
  }
  for (const int64_t times : seen) EXPECT_EQ(times, 1);
}

// scikit-learn's examples of its documentation.
TEST(Splits, AreThoseOfScikitLearn) {
  const Tensor x = zeros({4, 2});
  const Splits k = KFold({.n_splits = 2}).split(x);
  ASSERT_EQ(k.size(), 2);
  EXPECT_EQ(of(k[0].train), (Indices{2, 3}));
  EXPECT_EQ(of(k[1].test), (Indices{2, 3}));
  const Splits uneven = KFold({.n_splits = 3}).split(zeros({7}));
  EXPECT_EQ(of(uneven[0].test), (Indices{0, 1, 2}));
  EXPECT_EQ(of(uneven[2].test), (Indices{5, 6}));

  const Splits s = StratifiedKFold({.n_splits = 2}).split(x, tensor({0, 0, 1, 1}));
  EXPECT_EQ(of(s[0].test), (Indices{0, 2}));
  EXPECT_EQ(of(s[1].test), (Indices{1, 3}));

  const Splits g = GroupKFold({.n_splits = 2}).split(zeros({6, 2}), {}, tensor({0, 0, 2, 2, 3, 3}));
  EXPECT_EQ(of(g[0].test), (Indices{0, 1, 4, 5}));
  EXPECT_EQ(of(g[1].test), (Indices{2, 3}));

  const Splits sg =
      StratifiedGroupKFold({.n_splits = 3})
          .split(zeros({17, 2}), tensor({0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
                 tensor({1, 1, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 6, 6, 7, 8, 8}));
  EXPECT_EQ(of(sg[0].test), (Indices{4, 5, 6, 12, 13, 14}));
  EXPECT_EQ(of(sg[1].test), (Indices{0, 1, 2, 3, 15, 16}));
  EXPECT_EQ(of(sg[2].test), (Indices{7, 8, 9, 10, 11}));

  const Splits t = TimeSeriesSplit().split(zeros({6, 2}));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(t[i].train.numel(), i + 1);
    EXPECT_EQ(of(t[i].test), (Indices{i + 1}));
  }
  const Splits gap = TimeSeriesSplit({.n_splits = 3, .max_train_size = 3, .test_size = 2, .gap = 2})
                         .split(zeros({12, 2}));
  EXPECT_EQ(of(gap[0].train), (Indices{1, 2, 3}));
  EXPECT_EQ(of(gap[0].test), (Indices{6, 7}));
  EXPECT_EQ(of(gap[2].train), (Indices{5, 6, 7}));

  const Splits p = LeavePOut(2).split(x);
  ASSERT_EQ(p.size(), 6);
  EXPECT_EQ(of(p[0].test), (Indices{0, 1}));
  EXPECT_EQ(of(p[4].test), (Indices{1, 3}));
  EXPECT_EQ(of(p[5].train), (Indices{0, 1}));
  EXPECT_EQ(of(LeaveOneOut().split(x)[2].test), (Indices{2}));
  const Tensor groups = tensor({5, 5, -2, 9});
  EXPECT_EQ(of(LeaveOneGroupOut().split(x, {}, groups)[0].test), (Indices{2}));
  EXPECT_EQ(of(LeavePGroupsOut(2).split(x, {}, groups)[0].test), (Indices{0, 1, 2}));

  const Splits given = PredefinedSplit(tensor({0, 1, -1, 1})).split(x);
  ASSERT_EQ(given.size(), 2);
  EXPECT_EQ(of(given[0].train), (Indices{1, 2, 3}));
  EXPECT_EQ(of(given[1].test), (Indices{1, 3}));
}

TEST(Splits, ShuffledOnesArePartitionsOfTheSeed) {
  const auto [x, y] = problem(61);
  const Tensor groups = remainder(arange(0, 61, 1, kI64), 11);
  const auto each = [&](auto make) {
    for (const uint64_t seed : {1, 2}) {
      const auto validator =
          make(KFoldOptions{.n_splits = 4, .shuffle = true, .random_state = seed});
      SCOPED_TRACE(validator.name());
      const Splits splits = validator.split(x, y, groups);
      expect_partition(splits, 61);
      expect_same(validator.clone()->split(x, y, groups)[1].test, splits[1].test);
      EXPECT_EQ(validator.get_n_splits(x, y, groups), 4);
      // The last of them moves only groups that are alike.
      const auto other = make({.n_splits = 4, .shuffle = true, .random_state = 7});
      if (validator.name() == "StratifiedGroupKFold") continue;
      EXPECT_NE(of(other.split(x, y, groups)[0].test), of(splits[0].test));
    }
  };
  each([](const KFoldOptions& o) { return KFold(o); });
  each([](const KFoldOptions& o) { return StratifiedKFold(o); });
  each([](const KFoldOptions& o) { return GroupKFold(o); });
  each([](const KFoldOptions& o) { return StratifiedGroupKFold(o); });

  // Each class is spread over the tests as evenly as it goes.
  const Indices classes = of(y);
  const Splits plain = StratifiedKFold({.n_splits = 4}).split(x, y);
  const Splits drawn = StratifiedKFold({.n_splits = 4, .shuffle = true}).split(x, y);
  for (int64_t i = 0; i < 4; ++i)
    for (const int64_t c : {-1, 1, 3}) {
      const auto count = [&](const Splits& splits) {
        return std::ranges::count_if(of(splits[i].test),
                                     [&](int64_t s) { return classes[s] == c; });
      };
      EXPECT_EQ(count(plain), count(drawn));
      EXPECT_LE(std::abs(count(plain) - std::ranges::count(classes, c) / 4), 1);
    }
  // Groups stay together.
  for (const auto& [train, test] : StratifiedGroupKFold({.n_splits = 4}).split(x, y, groups)) {
    std::set<int64_t> in_test;
    for (const int64_t s : of(test)) in_test.insert(s % 11);
    for (const int64_t s : of(train)) EXPECT_EQ(in_test.count(s % 11), 0u);
  }
}

TEST(Splits, AreRepeatedAndDrawnAnew) {
  const auto [x, y] = problem(30);
  const Splits repeated = RepeatedKFold({.n_splits = 3, .n_repeats = 2}).split(x);
  ASSERT_EQ(repeated.size(), 6);
  EXPECT_NE(of(repeated[0].test), of(repeated[3].test));
  EXPECT_EQ(RepeatedStratifiedKFold().get_n_splits(x, y), 50);

  const Splits drawn = ShuffleSplit({.n_splits = 3, .test_size = 0.25}).split(x);
  for (const auto& [train, test] : drawn) {
    EXPECT_EQ(test.numel(), 8);  // rounded up
    EXPECT_EQ(train.numel(), 22);
  }
  EXPECT_NE(of(drawn[0].test), of(drawn[1].test));
  EXPECT_EQ(ShuffleSplit().split(x)[0].test.numel(), 3);
  EXPECT_EQ(ShuffleSplit({.train_size = 10}).split(x)[0].test.numel(), 20);
  EXPECT_EQ(ShuffleSplit({.test_size = 4, .train_size = 0.5}).split(x)[0].train.numel(), 15);
  const Tensor groups = remainder(arange(0, 30, 1, kI64), 6);
  for (const auto& [train, test] : GroupShuffleSplit().split(x, {}, groups)) {
    EXPECT_EQ(test.numel(), 10);  // 0.2 of 6 groups, rounded up
    EXPECT_EQ(train.numel(), 20);
  }
  // 12, 6 and 2 of a class: a half is 6, 3 and 1.
  std::vector<int64_t> classes(20, 0);
  std::fill(classes.begin() + 12, classes.begin() + 18, 1);
  std::fill(classes.begin() + 18, classes.end(), 2);
  for (const auto& [train, test] :
       StratifiedShuffleSplit({.test_size = 0.5}).split(zeros({20}), i64s(classes)))
    for (const auto& [cls, count] : {std::pair<int64_t, int64_t>{0, 6}, {1, 3}, {2, 1}})
      for (const Tensor& side : {train, test})
        EXPECT_EQ(
            std::ranges::count_if(of(side), [&, c = cls](int64_t s) { return classes[s] == c; }),
            count);
}

TEST(Splits, TrainAndTest) {
  const auto [train, test] = train_test_split(10);
  EXPECT_EQ(test.numel(), 3);
  EXPECT_EQ(train.numel(), 7);
  Indices all = of(concat({train, test}));
  std::ranges::sort(all);
  EXPECT_EQ(all, of(arange(0, 10, 1, kI64)));
  EXPECT_EQ(of(train_test_split(10, {.test_size = 4, .shuffle = false}).test),
            (Indices{6, 7, 8, 9}));
  const auto [x, y] = problem(40);
  const auto parts = train_test_split({x, y}, {.stratify = y});
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].size(0), 30);
  EXPECT_EQ(parts[3].size(0), 10);
  EXPECT_THROW(train_test_split(10, {.test_size = 1.0}), ValueError);
  EXPECT_THROW(train_test_split(10, {.test_size = 10}), ValueError);
  EXPECT_THROW(train_test_split(10, {.test_size = kNanScore}), ValueError);
  EXPECT_THROW(train_test_split(10, {.test_size = 0.6, .train_size = 0.6}), ValueError);
  EXPECT_THROW(train_test_split(10, {.test_size = 6, .train_size = 6}), ValueError);
  EXPECT_THROW(train_test_split(1), ValueError);
  EXPECT_THROW(train_test_split(0), ValueError);
  EXPECT_THROW(train_test_split(10, {.shuffle = false, .stratify = zeros({10})}), ValueError);
  EXPECT_THROW(train_test_split({x, zeros({3})}), ShapeError);
  EXPECT_THROW(train_test_split(std::vector<Tensor>{}), ValueError);
}

TEST(Splits, SayWhatIsWrong) {
  const auto [x, y] = problem(12);
  EXPECT_THROW(KFold({.n_splits = 1}), ValueError);
  EXPECT_NE(message_of<ValueError>([&, &x = x] {
              KFold({.n_splits = 13}).split(x);
            }).find("KFold.split: n_splits = 13 for 12 samples"),
            std::string::npos);
  EXPECT_THROW(KFold().split({}), ShapeError);
  EXPECT_THROW(KFold().split(zeros({0, 3})), ShapeError);
  EXPECT_THROW(KFold().split(x)[5], ValueError);
  EXPECT_THROW(StratifiedKFold().split(x), ShapeError);
  EXPECT_THROW(StratifiedKFold().split(x, y + 0.5), ValueError);
  EXPECT_THROW(StratifiedKFold({.n_splits = 12}).split(x, y), ValueError);
  EXPECT_NE(message_of<Error>([&, &x = x] { GroupKFold().split(x); }).find("it needs groups"),
            std::string::npos);
  EXPECT_THROW(GroupKFold().split(x, y, zeros({12})), ValueError);
  EXPECT_THROW(GroupKFold().split(x, y, zeros({12}, kI64)), ValueError);
  EXPECT_THROW(GroupKFold().split(x, y, zeros({11}, kI64)), ShapeError);
  EXPECT_THROW(LeaveOneGroupOut().split(x, y, zeros({12}, kI64)), ValueError);
  EXPECT_THROW(LeavePOut(12).split(x), ValueError);
  EXPECT_THROW(LeavePOut(0), ValueError);
  EXPECT_THROW(LeavePOut(100).split(zeros({200})), ValueError);
  EXPECT_EQ(LeavePOut(2).get_n_splits(zeros({100000})), 4999950000);
  EXPECT_THROW(PredefinedSplit(tensor({-1, -1})), ValueError);
  EXPECT_THROW(PredefinedSplit(tensor({0, 1})).split(x), ValueError);
  EXPECT_THROW(TimeSeriesSplit({.n_splits = 12}).split(x), ValueError);
  EXPECT_THROW(TimeSeriesSplit({.test_size = INT64_MAX}).split(x), ValueError);
  EXPECT_THROW(TimeSeriesSplit({.gap = INT64_MAX}).split(x), ValueError);
  EXPECT_THROW(TimeSeriesSplit({.max_train_size = 0}), ValueError);
  EXPECT_THROW(RepeatedKFold({.n_repeats = 0}), ValueError);
  EXPECT_THROW(RepeatedKFold({.n_repeats = INT64_MAX}), ValueError);
  EXPECT_THROW(ShuffleSplit({.n_splits = 0}), ValueError);
  EXPECT_THROW(StratifiedShuffleSplit({.test_size = 2}).split(x, y), ValueError);  // 3 classes
  EXPECT_THROW(CV(std::vector<TrainTest>{}).split(x, y, {}, false), ValueError);
}

// ---- Validation ---------------------------------------------------------------------------------

TEST(Validation, ScoresAreThoseOfTheFits) {
  const auto [x, y] = problem();
  Centroids model;
  const Tensor scores = cross_val_score(model, x, y);
  EXPECT_FALSE(model.fitted());
  std::vector<double> by_hand;
  for (const auto& [train, test] : StratifiedKFold().split(x, y)) {
    Centroids one;
    static_cast<Estimator&>(one).fit(take(x, train), take(y, train));
    by_hand.push_back(static_cast<Estimator&>(one).score(take(x, test), take(y, test)));
  }
  expect_values(scores, {5}, by_hand);
  EXPECT_NE(mean(scores).item(), 1);
  // A regressor's folds are not stratified; one without targets has its own score.
  expect_values(cross_val_score(Mean(), zeros({4, 1}), tensor({1., 1., 3., 3.}), {.cv = 2}), {2},
                {0, 0});
  EXPECT_EQ(cross_val_score(KMeans({.n_clusters = 3}), x).numel(), 5);
  expect_same(cross_val_score(model, x, y, {.scoring = "accuracy"}), scores);
  const Scorer two = [](const Estimator&, const Tensor&, const Tensor&, const Tensor&) {
    return 2.;
  };
  expect_values(cross_val_score(model, x, y, {.cv = KFold({.n_splits = 3}), .scorer = two}), {3},
                {2, 2, 2});
  EXPECT_NE(message_of<ValueError>([&, &x = x, &y = y] {
              cross_val_score(model, x, y, {.scoring = "best"});
            }).find("there is no scorer \"best\"; there are accuracy"),
            std::string::npos);
  EXPECT_TRUE(std::ranges::is_sorted(get_scorer_names()));
}

TEST(Validation, WeightsGoToTheFits) {
  // Only the weighted half of each training counts.
  const Tensor y = tensor({1., 5., 1., 5.}), w = tensor({0., 1., 0., 1.});
  const auto v = cross_validate(Mean(), zeros({4, 1}), y,
                                {.cv = 2, .sample_weight = w, .return_estimator = true});
  for (const auto& e : v.estimators) EXPECT_EQ(dynamic_cast<const Mean&>(*e).value, 5);
  EXPECT_THROW(cross_val_score(Mean(), zeros({4, 1}), y, {.cv = 2, .sample_weight = ones({3})}),
               ShapeError);
  EXPECT_THROW(cross_val_score(Mean(), zeros({4, 1}), zeros({3}), {.cv = 2}), ShapeError);
}

TEST(Validation, SeveralScorersTimesAndFaults) {
  const auto [x, y] = problem();
  const auto v = cross_validate(Centroids(), x, y,
                                {.cv = 4,
                                 .scoring = {"accuracy", "v_measure_score"},
                                 .return_train_score = true,
                                 .return_estimator = true,
                                 .return_indices = true});
  EXPECT_EQ(v.test("accuracy").numel(), 4);
  EXPECT_EQ(v.train("v_measure_score").numel(), 4);
  EXPECT_EQ(v.estimators.size(), 4u);
  EXPECT_EQ(v.indices.size(), 4u);
  EXPECT_GE(min(v.fit_time).item(), 0);
  EXPECT_GE(min(v.score_time).item(), 0);
  EXPECT_EQ(v.errors, std::vector<std::string>(4));
  EXPECT_THROW(v.test("score"), Error);

  Centroids picky;
  picky.fail_above = 45;  // of trainings with 40 and 50 samples
  std::vector<int64_t> fold(60, 0);
  std::fill(fold.begin() + 20, fold.begin() + 30, 1);
  std::fill(fold.begin() + 30, fold.end(), -1);
  const PredefinedSplit cv(from_vector(fold, {60}));
  const auto some = cross_validate(picky, x, y, {.cv = cv, .return_train_score = true});
  EXPECT_FALSE(std::isnan(some.test().to_vector<double>()[0]));
  EXPECT_TRUE(std::isnan(some.test().to_vector<double>()[1]));
  EXPECT_TRUE(std::isnan(some.train().to_vector<double>()[1]));
  EXPECT_NE(some.errors[1].find("too many samples"), std::string::npos);
  expect_same(slice(cross_val_score(picky, x, y, {.cv = cv, .error_score = -1}), 0, {1, 2}),
              tensor({-1.}));
  EXPECT_THROW(cross_val_score(picky, x, y, {.cv = cv, .error_score = {}}), ValueError);
  picky.fail_above = 1;
  EXPECT_NE(message_of<Error>([&, &x = x, &y = y] {
              cross_val_score(picky, x, y);
            }).find("all fits failed: "),
            std::string::npos);
}

TEST(Validation, IsTheSameOnSeveralThreads) {
  const auto [x, y] = problem(90);
  const int before = num_threads();
  set_num_threads(2);
  const KMeans kmeans({.n_clusters = 4, .n_init = 3});
  expect_same(cross_val_score(kmeans, x, y, {.cv = 8, .n_jobs = -1}),
              cross_val_score(kmeans, x, y, {.cv = 8}));
  expect_same(cross_val_predict(Centroids(), x, y, {.cv = 8, .n_jobs = 2}),
              cross_val_predict(Centroids(), x, y, {.cv = 8}));
  expect_same(permutation_test_score(Centroids(), x, y, {.n_permutations = 9, .n_jobs = 2})
                  .permutation_scores,
              permutation_test_score(Centroids(), x, y, {.n_permutations = 9}).permutation_scores);
  set_num_threads(before);
  EXPECT_THROW(cross_val_score(kmeans, x, y, {.n_jobs = 0}), ValueError);
}

TEST(Validation, PredictsEachSampleOnce) {
  const auto [x, y] = problem(40);
  const Tensor said = cross_val_predict(Centroids(), x, y, {.cv = 4});
  EXPECT_EQ(said.shape(), (Shape{40}));
  const auto split = StratifiedKFold({.n_splits = 4}).split(x, y)[2];
  Centroids one;
  static_cast<Estimator&>(one).fit(take(x, split.train), take(y, split.train));
  expect_same(take(said, split.test), static_cast<Estimator&>(one).predict(take(x, split.test)));

  // A training without a class: its probability is 0.
  std::vector<int64_t> order;
  for (const int64_t c : {-1, 1, 3})
    for (int64_t i = 0; i < 40; ++i)
      if (of(y)[i] == c) order.push_back(i);
  const Tensor sorted_x = take(x, i64s(order)), sorted_y = take(y, i64s(order));
  const Tensor p =
      cross_val_predict(Centroids(), sorted_x, sorted_y,
                        {.cv = KFold({.n_splits = 2}), .method = PredictMethod::kPredictProba});
  EXPECT_EQ(p.shape(), (Shape{40, 3}));
  expect_values(sum(p, {1}), {40}, std::vector<double>(40, 1), 1e-12);
  EXPECT_EQ(p.to_vector<double>()[0], 0);  // the first half was not seen by the second
  const Tensor d =
      cross_val_predict(Centroids(), sorted_x, sorted_y,
                        {.cv = KFold({.n_splits = 2}), .method = PredictMethod::kDecisionFunction});
  EXPECT_EQ(d.to_vector<double>()[0], std::numeric_limits<double>::lowest());
  EXPECT_EQ(
      cross_val_predict(KMeans({.n_clusters = 2}), x, {}, {.method = PredictMethod::kTransform})
          .shape(),
      (Shape{40, 2}));
  EXPECT_THROW(cross_val_predict(Centroids(), x, y, {.cv = ShuffleSplit()}), ValueError);
  EXPECT_THROW(
      cross_val_predict(Mean(), x, cast(y, kF64), {.method = PredictMethod::kPredictProba}), Error);
}

TEST(Validation, Curves) {
  const auto [x, y] = problem(60);
  const LearningCurve curve = learning_curve(Centroids(), x, y, {.shuffle = true});
  expect_values(curve.train_sizes, {5}, {4, 15, 26, 37, 48});
  EXPECT_EQ(curve.test_scores.shape(), (Shape{5, 5}));
  EXPECT_EQ(curve.fit_times.shape(), (Shape{5, 5}));
  expect_same(slice(curve.test_scores, 0, {4, 5}),
              reshape(cross_val_score(Centroids(), x, y), {1, 5}), 1e-12);
  const LearningCurve counts =
      learning_curve(Mean(), x, cast(y, kF64), {.train_counts = {10, 3, 10}, .cv = 3});
  expect_values(counts.train_sizes, {2}, {3, 10});
  EXPECT_THROW(learning_curve(Mean(), x, y, {.train_sizes = {1.1}}), ValueError);
  EXPECT_THROW(learning_curve(Mean(), x, y, {.train_sizes = {}}), ValueError);
  EXPECT_THROW(learning_curve(Mean(), x, y, {.train_counts = {0}}), ValueError);

  const ValidationCurve shifts =
      validation_curve(Mean(), zeros({6, 1}), tensor({0., 2., 0., 2., 0., 2.}), "shift",
                       {0.0, 1.0, int64_t{-1}}, {.cv = 3});
  expect_values(shifts.test_scores, {3, 3}, {0, 0, 0, -1, -1, -1, -1, -1, -1}, 1e-12);
  EXPECT_EQ(shifts.train_scores.shape(), (Shape{3, 3}));
  EXPECT_THROW(validation_curve(Mean(), x, y, "slope", {0.0}), ValueError);
  EXPECT_THROW(validation_curve(Mean(), x, y, "shift", {"far"}), ValueError);
  EXPECT_THROW(validation_curve(Mean(), x, y, "shift", {}), ValueError);
}

TEST(Validation, IsComparedWithChance) {
  const auto [x, y] = problem(60, 3);
  const PermutationTest good = permutation_test_score(Centroids(), x, y, {.n_permutations = 19});
  EXPECT_GT(good.score, 0.8);
  EXPECT_EQ(good.pvalue, 1.0 / 20);
  EXPECT_LT(mean(good.permutation_scores).item(), 0.6);
  const PermutationTest none = permutation_test_score(
      Centroids(), test::blobs(60, 3, 1, 0, kF64, 9).x, y, {.n_permutations = 19});
  EXPECT_GT(none.pvalue, 0.05);
  // Within groups that are the classes nothing changes.
  const PermutationTest same =
      permutation_test_score(Centroids(), x, y, {.n_permutations = 5, .groups = y});
  EXPECT_EQ(same.pvalue, 1);
  EXPECT_THROW(permutation_test_score(Centroids(), x, y, {.n_permutations = 0}), ValueError);
  EXPECT_THROW(permutation_test_score(Centroids(), x, {}), ShapeError);
}

}  // namespace
}  // namespace glia::classic
