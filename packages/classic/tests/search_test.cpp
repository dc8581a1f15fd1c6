// Spaces, samplers, and searches by cross-validation.
#include "glia/classic/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "classic_data.h"
#include "glia/classic/cluster.h"
#include "glia/runtime.h"
#include "test_estimators.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using test::blobs;
using test::Centroids;
using test::Mean;

class SearchFiles : public glia::test::Scratch {};

double number(const ParamValues& params, const std::string& name) {
  for (const auto& [key, value] : params)
    if (key == name) {
      const auto* whole = std::get_if<int64_t>(&value);
      return whole ? static_cast<double>(*whole) : std::get<double>(value);
    }
  ADD_FAILURE() << "no " << name;
  return 0;
}

// ---- Spaces -------------------------------------------------------------------------------------

TEST(Spaces, AreTextsToo) {
  const SearchSpace space = {
      float_range("lr", 1e-4, 0.1, true),
      int_range("units", 8, 64),
      float_range("share", 0, 1),
      int_range("width", 1, 1024, true),
      categorical("init", {"random", "k-means++", ParamValue(), true, int64_t{3}, 0.5, 2.0}),
      categorical("texts", {"3", "a, b", "1..2", "none", "", "x|y"})};
  const std::string text = to_text(space);
  EXPECT_EQ(text,
            "lr=log:1e-04..0.1,units=8..64,share=0.0..1.0,width=log:1..1024,"
            "init=random|k-means++|none|true|3|0.5|2.0,texts='3'|'a, b'|'1..2'|'none'|''|'x|y'");
  EXPECT_EQ(parse_space(text), space);
  EXPECT_EQ(parse_space("hidden=64|128,lr=log:1e-4..1e-1")[1], float_range("lr", 1e-4, 0.1, true));
  EXPECT_TRUE(parse_space("").empty());
  for (const char* bad : {"lr", "=3", "lr=", "lr=1|", "lr=log:3", "lr=log:0..1", "lr=2..1",
                          "lr=1,lr=2", "lr=0..inf", "lr=nan..1", "lr=1,,b=2", "lr=log:a..b"})
    EXPECT_THROW(parse_space(bad), ValueError) << bad;
  EXPECT_THROW(to_text(SearchSpace{categorical("a", {"it's"})}), ValueError);
  EXPECT_THROW(categorical("a", {}), ValueError);
  EXPECT_THROW(float_range("a", 0, 1, true), ValueError);
  EXPECT_THROW(float_range("a", -1e308, 1e308), ValueError);
  EXPECT_THROW(float_range("", 0, 1), ValueError);
  EXPECT_THROW(int_range("a", 0, int64_t{1} << 60), ValueError);
}

TEST(Spaces, GridsAreScikitLearns) {
  const auto grid = parameter_grid(parse_space("b=1|2,a=x|y"));
  ASSERT_EQ(grid.size(), 4u);
  EXPECT_EQ(grid[0], (ParamValues{{"a", "x"}, {"b", int64_t{1}}}));
  EXPECT_EQ(grid[1], (ParamValues{{"a", "x"}, {"b", int64_t{2}}}));
  EXPECT_EQ(grid[2], (ParamValues{{"a", "y"}, {"b", int64_t{1}}}));
  EXPECT_EQ(parameter_grid({}).size(), 1u);
  EXPECT_THROW(parameter_grid(parse_space("a=1..2")), ValueError);
  SearchSpace large;
  for (int i = 0; i < 30; ++i)
    large.push_back(categorical("x" + std::to_string(i), {0.0, 1.0, 2.0}));
  EXPECT_THROW(parameter_grid(large), ValueError);
  EXPECT_EQ(parameter_samples(large, 5).size(), 5u);
}

TEST(Spaces, AreDrawnFrom) {
  // Values alone: each combination once.
  const auto all = parameter_samples(parse_space("a=1|2|3,b=x|y"), 10, 3);
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(std::set<ParamValues>(all.begin(), all.end()).size(), 6u);
  EXPECT_EQ(parameter_samples(parse_space("a=1|2|3,b=x|y"), 4).size(), 4u);

  const auto draws = parameter_samples(parse_space("lr=log:1e-4..1,n=1..4,u=-1.0..1.0"), 4000, 1);
  double logs = 0, sum = 0;
  std::vector<int> counts(5);
  for (const ParamValues& p : draws) {
    const double lr = number(p, "lr"), u = number(p, "u");
    EXPECT_TRUE(lr >= 1e-4 && lr <= 1 && u >= -1 && u <= 1);
    logs += std::log10(lr) / 4000;
    sum += u / 4000;
    ++counts.at(static_cast<size_t>(number(p, "n")));
  }
  EXPECT_NEAR(logs, -2, 0.1);  // 5 standard deviations of the mean
  EXPECT_NEAR(sum, 0, 0.05);
  for (int n = 1; n <= 4; ++n) EXPECT_NEAR(counts[n], 1000, 140);
  EXPECT_EQ(parameter_samples(parse_space("u=0.0..1.0"), 3, 5),
            parameter_samples(parse_space("u=0.0..1.0"), 3, 5));
  EXPECT_THROW(parameter_samples({}, 0), ValueError);
}

// ---- TPE ----------------------------------------------------------------------------------------

TEST(TPE, DensitiesAreThoseOfTheirFormula) {
  // One trial is good (0.25) and nine are not; kernels of the good one: at 0.25, as wide as its
  // farther end, 0.75, and at 0.5, as wide as all, both cut to [0, 1].
  const SearchSpace space = {float_range("x", 0, 1)};
  std::vector<Trial> trials{{{{"x", 0.25}}, 1.0}};
  for (int i = 0; i < 9; ++i) trials.push_back({{{"x", 0.1 * i + 0.1}}, -1.0 - i});
  trials.push_back({{{"x", 0.0}}, std::nan("")});  // failed: does not count
  const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2)); };
  const auto kernel = [&](double x, double center, double width) {
    const double z = (x - center) / width;
    return std::exp(-z * z / 2) / (width * std::sqrt(2 * M_PI)) /
           (phi((1 - center) / width) - phi(-center / width));
  };
  const TPESampler sampler(space);
  for (const double x : {0.0, 0.3, 1.0}) {
    const auto [good, others] = sampler.log_densities(trials, {{{"x", x}}})[0];
    EXPECT_NEAR(good, std::log((kernel(x, 0.25, 0.75) + kernel(x, 0.5, 1)) / 2), 1e-12);
    double sum = kernel(x, 0.5, 1);
    for (int i = 0; i < 9; ++i) sum += kernel(x, 0.1 * i + 0.1, 0.1);
    EXPECT_NEAR(others, std::log(sum / 10), 1e-12);
  }
}

TEST(TPE, ChoicesAndIntegersAreProbabilities) {
  const SearchSpace space = {categorical("c", {"a", "b", "c"}), int_range("n", 1, 20, true)};
  std::vector<Trial> trials;
  for (int64_t i = 0; i < 40; ++i)
    trials.push_back(
        {{{"c", i % 3 == 0 ? "a" : "b"}, {"n", 1 + i % 20}}, static_cast<double>(i % 7)});
  const TPESampler sampler(space);
  double good = 0, others = 0;
  for (const char* c : {"a", "b", "c"})
    for (int64_t n = 1; n <= 20; ++n) {
      const auto [g, o] = sampler.log_densities(trials, {{{"n", n}, {"c", c}}})[0];
      good += std::exp(g);
      others += std::exp(o);
    }
  EXPECT_NEAR(good, 1, 1e-12);
  EXPECT_NEAR(others, 1, 1e-12);
}

TEST(TPE, SuggestsFromTheSpaceAndTheSeedAlone) {
  const SearchSpace space = parse_space("lr=log:1e-5..1,n=2..9,c=a|b,one=7,same=3..3");
  const TPESampler sampler(space, {.random_state = 4});
  std::vector<Trial> trials;
  for (int i = 0; i < 60; ++i) {
    const ParamValues p = sampler.suggest(trials);
    ASSERT_EQ(p.size(), 5u);
    EXPECT_EQ(p, sampler.suggest(trials));
    EXPECT_TRUE(number(p, "lr") >= 1e-5 && number(p, "lr") <= 1);
    EXPECT_TRUE(number(p, "n") >= 2 && number(p, "n") <= 9);
    EXPECT_EQ(number(p, "one"), 7);
    EXPECT_EQ(number(p, "same"), 3);
    trials.push_back({p, i % 5 == 0 ? std::nan("") : -std::abs(std::log10(number(p, "lr")) + 2)});
  }
  EXPECT_NE(TPESampler(space, {.random_state = 5}).suggest(trials), sampler.suggest(trials));
  trials[1].params[0].second = 2.0;
  EXPECT_NE(message_of<ValueError>([&] { sampler.suggest(trials); }).find("is not of the space"),
            std::string::npos);
  trials[1].params.erase(trials[1].params.begin());
  EXPECT_THROW(sampler.suggest(trials), ValueError);
  EXPECT_THROW(TPESampler(space, {.n_ei_candidates = 0}), ValueError);
  EXPECT_THROW(TPESampler(space, {.n_startup_trials = -1}), ValueError);
}

// Of a bowl with one choice that is right, after 60 trials, the mean over 20 seeds.
TEST(TPE, IsBetterThanChance) {
  const SearchSpace space = parse_space("x=-5.0..5.0,y=log:1e-3..1e3,c=a|b|c|d");
  const auto value = [](const ParamValues& p) {
    const double x = number(p, "x") - 2, y = std::log10(number(p, "y")) + 1;
    return -x * x - y * y - (p[2].second == ParamValue("c") ? 0 : 2);
  };
  double tpe = 0, chance = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const TPESampler sampler(space, {.random_state = seed});
    std::vector<Trial> trials;
    double best = -1e9, best_drawn = -1e9;
    for (int i = 0; i < 60; ++i) {
      const ParamValues p = sampler.suggest(trials);
      trials.push_back({p, value(p)});
      best = std::max(best, trials.back().score);
    }
    for (ParamValues p : parameter_samples(space, 60, seed)) {
      std::swap(p[0], p[2]);
      std::swap(p[0], p[1]);  // c, x, y -> x, y, c
      best_drawn = std::max(best_drawn, value({p[0], p[1], p[2]}));
    }
    tpe += best / 20;
    chance += best_drawn / 20;
  }
  EXPECT_GT(tpe, chance / 2) << tpe << " beside " << chance;
}

// ---- Searches -----------------------------------------------------------------------------------

struct Problem {
  Tensor x, y;
};
Problem problem(int64_t n = 60) {
  const test::Blobs b = blobs(n, 3, 3, 1.5);
  return {b.x, from_vector(b.of, {n})};
}

TEST(GridSearch, TriesEachAndFitsTheBest) {
  const Tensor x = zeros({6, 2}), y = tensor({0., 2., 0., 2., 0., 2.});
  GridSearchCV search(Mean(), parse_space("shift=1.0|0.0|-1.0|0.0"),
                      {.cv = 3, .return_train_score = true});
  EXPECT_THROW(search.predict(x), Error);
  search.fit(x, y);
  EXPECT_EQ(search.best_index, 1);
  EXPECT_EQ(search.best_params, (ParamValues{{"shift", 0.0}}));
  EXPECT_EQ(search.best_score, 0);
  EXPECT_EQ(search.n_splits, 3);
  const SearchScores& scores = search.cv_results.of();
  expect_values(scores.mean_test, {4}, {-1, 0, -1, 0}, 1e-12);
  expect_values(scores.rank_test, {4}, {3, 1, 3, 1});
  EXPECT_EQ(scores.split_test.shape(), (Shape{4, 3}));
  EXPECT_EQ(scores.mean_train.shape(), (Shape{4}));
  EXPECT_EQ(search.cv_results.mean_fit_time.shape(), (Shape{4}));
  expect_values(search.predict(x), {6}, {1, 1, 1, 1, 1, 1});
  EXPECT_EQ(search.score(x, y), 0);
  EXPECT_EQ(dynamic_cast<const Mean&>(search.best_estimator()).value, 1);
  EXPECT_FALSE(search.estimator().fitted());
}

TEST(GridSearch, IsAnEstimator) {
  const auto [x, y] = problem();
  GridSearchCV search(Centroids(), parse_space("sharpness=0.5|2.0"), {.cv = 3});
  EXPECT_EQ(search.kind(), EstimatorKind::kClassifier);
  // Nested: each fold of the outer one searches by itself.
  const Tensor nested = cross_val_score(search, x, y, {.cv = 4});
  EXPECT_EQ(nested.shape(), (Shape{4}));
  EXPECT_GT(mean(nested).item(), 0.7);
  EXPECT_FALSE(search.fitted());
  EXPECT_EQ(
      cross_val_predict(search, x, y, {.cv = 4, .method = PredictMethod::kPredictProba}).shape(),
      (Shape{60, 3}));
  set_params(
      search,
      {{"estimator__fail_above", int64_t{50}}, {"cv", int64_t{5}}, {"space", "sharpness=1"}});
  EXPECT_EQ(to_text(search.space()), "sharpness=1");
  search.fit(slice(x, 0, {0, 40}), slice(y, 0, {0, 40}));
  EXPECT_EQ(search.n_splits, 5);
  const GridSearchCV copy = search;
  expect_same(copy.predict(x), search.predict(x));
  EXPECT_THROW(set_params(search, {{"cv", "many"}}), ValueError);
  EXPECT_THROW(set_params(search, {{"error_score", "x"}}), ValueError);
  set_params(search, {{"error_score", "raise"}, {"scoring", "accuracy,r2"}});
  EXPECT_EQ(search.options().scoring.size(), 2u);
  EXPECT_FALSE(search.options().error_score);
  // What was fitted stays when fit() throws.
  EXPECT_THROW(search.fit(x, y), ValueError);
  EXPECT_EQ(search.n_splits, 5);
  expect_same(copy.predict(x), search.predict(x));
}

TEST(GridSearch, FaultsAreScoresOrThrown) {
  const auto [x, y] = problem();
  GridSearchCV search(Centroids(), parse_space("sharpness=-1.0|1.0"));
  search.fit(x, y);
  EXPECT_EQ(search.best_index, 1);
  EXPECT_TRUE(std::isnan(search.cv_results.of().mean_test.to_vector<double>()[0]));
  expect_values(search.cv_results.of().rank_test, {2}, {2, 1});
  EXPECT_NE(search.cv_results.errors[0].find("sharpness below 0"), std::string::npos);
  EXPECT_TRUE(search.cv_results.errors[1].empty());
  GridSearchCV strict(Centroids(), parse_space("sharpness=1.0|-1.0"), {.error_score = {}});
  EXPECT_THROW(strict.fit(x, y), ValueError);
  EXPECT_THROW(GridSearchCV(Centroids(), parse_space("sharpness=-1.0")).fit(x, y), Error);
  EXPECT_THROW(GridSearchCV(Centroids(), parse_space("blunt=1")).fit(x, y), ValueError);
  EXPECT_THROW(GridSearchCV(Centroids(), parse_space("sharpness=x")).fit(x, y), ValueError);
  EXPECT_THROW(GridSearchCV(Centroids(), parse_space("sharpness=0.0..1.0")).fit(x, y), ValueError);
  EXPECT_THROW(GridSearchCV(Centroids(), {}, {.scoring = {"best"}}).fit(x, y), ValueError);
  EXPECT_THROW(GridSearchCV(Centroids(), {}, {.refit_metric = "r2"}).fit(x, y), ValueError);
  EXPECT_THROW(search.set_parts({}), Error);
}

TEST(GridSearch, SeveralScorersAndWithoutRefit) {
  const auto [x, y] = problem();
  const Scorer blunt = [](const Estimator& e, const Tensor&, const Tensor&, const Tensor&) {
    return -std::get<double>(get_params(e)[0].second);
  };
  GridSearchCV search(
      Centroids(), parse_space("sharpness=3.0|1.0|2.0"),
      {.scoring = {"accuracy"}, .scorers = {{"blunt", blunt}}, .refit_metric = "blunt"});
  search.fit(x, y);
  EXPECT_EQ(search.best_index, 1);
  EXPECT_EQ(search.cv_results.of("accuracy").mean_test.numel(), 3);
  EXPECT_EQ(search.score(x, y), -1);
  GridSearchCV scores(Centroids(), parse_space("sharpness=3.0|1.0"), {.refit = false});
  scores.fit(x, y);
  EXPECT_EQ(scores.best_params.size(), 1u);
  EXPECT_NE(message_of<Error>([&, &x = x] { scores.predict(x); }).find("refit is false"),
            std::string::npos);
}

TEST(Searches, AreTheSameOnSeveralThreads) {
  const auto [x, y] = problem(90);
  const int before = num_threads();
  set_num_threads(2);
  GridSearchCV one(KMeans(), parse_space("n_clusters=2|3|5,init=random|k-means++"), {.cv = 3});
  GridSearchCV two(KMeans(), one.space(), {.cv = 3, .n_jobs = -1});
  expect_same(one.fit(x).cv_results.of().split_test, two.fit(x).cv_results.of().split_test);
  set_num_threads(before);
}

TEST_F(SearchFiles, AreKept) {
  const auto [x, y] = problem();
  GridSearchCV search(Centroids(), parse_space("sharpness=-1.0|1.0|2.0"),
                      {.scoring = {"accuracy"}});
  search.fit(x, y);
  GridSearchCV loaded(Centroids(), search.space());
  loaded.load_state_dict(search.state_dict());
  EXPECT_EQ(loaded.best_params, search.best_params);
  EXPECT_EQ(loaded.best_score, search.best_score);
  EXPECT_EQ(loaded.cv_results.params, search.cv_results.params);
  expect_same(loaded.cv_results.of("accuracy").mean_test, search.cv_results.of().mean_test);
  expect_same(loaded.predict(x), search.predict(x));
  StateDict state = search.state_dict();
  state[1].second = tensor(int64_t{3});
  EXPECT_NE(message_of<Error>([&] { loaded.load_state_dict(state); }).find("best_index is 3 of 3"),
            std::string::npos);
  state = search.state_dict();
  state[3].second = zeros({4}, kU8);
  EXPECT_THROW(loaded.load_state_dict(state), Error);
  expect_same(loaded.predict(x), search.predict(x));

  RandomizedSearchCV kmeans(KMeans(), parse_space("n_clusters=2..5,tol=log:1e-5..1e-2"),
                            {.n_iter = 4, .random_state = 3}, {.cv = 3});
  kmeans.fit(x);
  EXPECT_EQ(kmeans.cv_results.params.size(), 4u);
  write_estimator(file("search.safetensors"), kmeans);
  const auto read = read_estimator(file("search.safetensors"));
  EXPECT_EQ(read->name(), "RandomizedSearchCV");
  expect_same(read->predict(x), kmeans.predict(x));
  EXPECT_EQ(get_params(*read), get_params(kmeans));
}

TEST(Halving, GivesTheBestMore) {
  // 9 candidates on 1, 3 of them on 3, 1 on 9 of the estimator's own resource.
  const auto [x, y] = problem();
  HalvingGridSearchCV search(Centroids(), parse_space("sharpness=1|2|3|4|5|6|7|8|9"),
                             {.resource = "budget", .max_resources = 9});
  const Scorer sharp = [](const Estimator& e, const Tensor&, const Tensor&, const Tensor&) {
    return std::get<double>(get_params(e)[0].second);
  };
  HalvingGridSearchCV by(Centroids(), search.space(), {.resource = "budget", .max_resources = 9},
                         {.scorers = {{"sharp", sharp}}});
  by.fit(x, y);
  EXPECT_EQ(by.course.n_resources, (std::vector<int64_t>{1, 3, 9}));
  EXPECT_EQ(by.course.n_candidates, (std::vector<int64_t>{9, 3, 1}));
  EXPECT_EQ(by.course.n_remaining_candidates, 1);
  EXPECT_EQ(by.best_params, (ParamValues{{"sharpness", int64_t{9}}, {"budget", int64_t{9}}}));
  EXPECT_EQ(by.best_index, 12);
  EXPECT_EQ(by.cv_results.iter, (std::vector<int64_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2}));

  search.fit(x, y);
  EXPECT_EQ(search.course.n_iterations, 3);
  // Of samples: all of them at the end.
  HalvingGridSearchCV samples(Centroids(), parse_space("sharpness=1|2|3|4"), {.factor = 2},
                              {.cv = 2});
  samples.fit(x, y);
  EXPECT_EQ(samples.course.n_resources, (std::vector<int64_t>{15, 30, 60}));
  EXPECT_EQ(samples.course.min_resources, 15);
  HalvingRandomSearchCV drawn(Centroids(), parse_space("sharpness=0.1..10.0"), {}, {.cv = 2});
  drawn.fit(x, y);
  EXPECT_EQ(drawn.course.min_resources, 12);  // 2 x 2 splits x 3 classes
  EXPECT_EQ(drawn.course.n_candidates, (std::vector<int64_t>{5, 2}));
  const double before = drawn.best_score;
  EXPECT_EQ(drawn.fit(x, y).best_score, before);

  HalvingGridSearchCV few(Centroids(), search.space(),
                          {.resource = "budget",
                           .max_resources = 3,
                           .min_resources = 1,
                           .aggressive_elimination = true});
  few.fit(x, y);
  EXPECT_EQ(few.course.n_resources, (std::vector<int64_t>{1, 1, 3}));
}

TEST(Halving, SaysWhatIsWrong) {
  const auto [x, y] = problem();
  const auto fails = [&, &x = x, &y = y](const HalvingOptions& halving,
                                         const char* space = "sharpness=1|2") {
    EXPECT_THROW(HalvingGridSearchCV(Centroids(), parse_space(space), halving).fit(x, y),
                 ValueError);
  };
  fails({.factor = 1});
  fails({.factor = kNanScore});
  fails({.resource = "epochs", .max_resources = 3});
  fails({.resource = "budget"});
  fails({.resource = "budget", .max_resources = 3}, "budget=1|2");
  fails({.max_resources = 61});
  fails({.max_resources = 0});
  fails({.min_resources = 61});
  fails({.min_resources = 1});  // splits would be without samples
}

TEST(TPESearch, FindsWhatIsGood) {
  const Tensor x = zeros({6, 2}), y = tensor({0., 2., 0., 2., 0., 2.});
  TPESearchCV search(Mean(), parse_space("shift=-10.0..10.0"), {.n_iter = 40}, {.cv = 3});
  search.fit(x, y);
  EXPECT_EQ(search.cv_results.params.size(), 40u);
  EXPECT_LT(std::abs(number(search.best_params, "shift")), 0.3);
  TPESearchCV again(Mean(), search.space(), {.n_iter = 40}, {.cv = 3});
  EXPECT_EQ(again.fit(x, y).best_params, search.best_params);
  EXPECT_THROW(TPESearchCV(Mean(), search.space(), {.n_iter = 0}).fit(x, y), ValueError);
}

}  // namespace
}  // namespace glia::classic
