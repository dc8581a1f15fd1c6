// Glia's side of model_selection.py: model_selection WHAT ARGUMENT IN.npz OUT.npz.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>

#include "glia/classic/cluster.h"
#include "glia/classic/model_selection.h"
#include "glia/classic/search.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::classic;

namespace {

std::map<std::string, Tensor> in;

double option(const char* name, double fallback) {
  return in.count(name) ? in[name].item() : fallback;
}
int64_t whole(const char* name, int64_t fallback) {
  return static_cast<int64_t>(option(name, static_cast<double>(fallback)));
}

// The class whose mean is nearest, as scikit-learn's NearestCentroid has it.
class Centroids : public Classifier {
 public:
  int64_t skip = 0;  // leaves out so many features
  Tensor means;

  std::string_view name() const override { return "Centroids"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Centroids>(*this); }
  std::vector<Param> params() override { return {{"skip", &skip}}; }
  Tensor kept(const Tensor& x) const { return slice(x, 1, {.start = skip}); }
  Centroids& fit(const Tensor& x, const Tensor& y, const Tensor&, Where) override {
    std::vector<int64_t> names = cast(y, kI64).to_vector<int64_t>();
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const auto k = static_cast<int64_t>(names.size());
    classes = from_vector(names, {k});
    const Tensor of = cast(reshape(classes, {k, 1}) == reshape(cast(y, kI64), {1, -1}), kF64);
    means = matmul(of, kept(x)) / sum(of, {1}, true);
    eval(means);
    n_features_in = x.size(1);
    return *this;
  }
  Tensor predict_proba(const Tensor& x, Where) const override {
    const Tensor given = kept(x);
    const int64_t n = x.size(0), k = means.size(0);
    return softmax(-sqrt(sum(square(reshape(given, {n, 1, -1}) - reshape(means, {1, k, -1})), {2})),
                   1);
  }
  StateDict state_dict(Where) const override { return {{"means", means}}; }
  void load_state_dict(const StateDict&, Where) override {}
};

std::unique_ptr<CrossValidator> splitter(const std::string& name) {
  const KFoldOptions k{
      .n_splits = whole("n_splits", 5), .shuffle = option("shuffle", 0) != 0, .random_state = 3};
  ShuffleSplitOptions drawn{.n_splits = whole("n_splits", 5)};
  const auto size = [](const char* key) -> SplitSize {
    if (!in.count(key)) return {};
    if (in[key].dtype() == kF64) return in[key].item();
    return in[key].item<int64_t>();
  };
  drawn.test_size = size("test_size");
  drawn.train_size = size("train_size");
  if (name == "KFold") return KFold(k).clone();
  if (name == "StratifiedKFold") return StratifiedKFold(k).clone();
  if (name == "GroupKFold") return GroupKFold(k).clone();
  if (name == "StratifiedGroupKFold") return StratifiedGroupKFold(k).clone();
  if (name == "ShuffleSplit") return ShuffleSplit(drawn).clone();
  if (name == "StratifiedShuffleSplit") return StratifiedShuffleSplit(drawn).clone();
  if (name == "GroupShuffleSplit") return GroupShuffleSplit(drawn).clone();
  if (name == "LeaveOneOut") return LeaveOneOut().clone();
  if (name == "LeavePOut") return LeavePOut(whole("p", 2)).clone();
  if (name == "LeaveOneGroupOut") return LeaveOneGroupOut().clone();
  if (name == "LeavePGroupsOut") return LeavePGroupsOut(whole("p", 2)).clone();
  if (name == "PredefinedSplit") return PredefinedSplit(in.at("test_fold")).clone();
  TimeSeriesSplitOptions time{.n_splits = whole("n_splits", 5), .gap = whole("gap", 0)};
  if (in.count("max_train_size")) time.max_train_size = whole("max_train_size", 0);
  if (in.count("test_size")) time.test_size = whole("test_size", 0);
  return TimeSeriesSplit(time).clone();
}

void add_results(StateDict& out, const SearchCV& search) {
  const SearchScores& scores = search.cv_results.of();
  out = {{"split_test", scores.split_test},
         {"mean_test", scores.mean_test},
         {"std_test", scores.std_test},
         {"rank_test", scores.rank_test},
         {"split_train", scores.split_train},
         {"best_index", tensor(search.best_index)},
         {"best_score", tensor(search.best_score)}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  const std::string what = argv[1], argument = argv[2];
  for (const auto& [name, value] : io::read_npz(argv[3])) in[name] = value;
  const Tensor x = in["x"], y = in["y"], groups = in["groups"];
  std::unique_ptr<Estimator> estimator = std::make_unique<Centroids>();
  if (in.count("init"))
    estimator = std::make_unique<KMeans>(
        KMeansOptions{.n_clusters = in["init"].size(0), .init_centers = in["init"]});
  StateDict out;
  if (what == "splits") {
    std::vector<Tensor> train, test;
    std::vector<int64_t> trains, tests;
    for (const TrainTest& split : splitter(argument)->split(x, y, groups)) {
      train.push_back(split.train);
      test.push_back(split.test);
      trains.push_back(split.train.numel());
      tests.push_back(split.test.numel());
    }
    const auto counts = [](const std::vector<int64_t>& v) {
      return from_vector(v, {static_cast<int64_t>(v.size())});
    };
    out = {{"train", concat(train)},
           {"test", concat(test)},
           {"trains", counts(trains)},
           {"tests", counts(tests)}};
  } else if (what == "validation") {
    const CV cv(whole("cv", 5));
    const CrossValidation v =
        cross_validate(*estimator, x, y, {.cv = cv, .return_train_score = true});
    const LearningCurve curve = learning_curve(*estimator, x, y, {.cv = cv});
    out = {{"score", cross_val_score(*estimator, x, y, {.cv = cv, .scoring = argument})},
           {"test", v.test()},
           {"train", v.train()},
           {"predict", cross_val_predict(*estimator, x, y, {.cv = cv})},
           {"sizes", curve.train_sizes},
           {"curve_train", curve.train_scores},
           {"curve_test", curve.test_scores}};
    if (in.count("init")) {
      const ValidationCurve by = validation_curve(*estimator, x, y, "max_iter",
                                                  {int64_t{1}, int64_t{2}, int64_t{5}}, {.cv = cv});
      out.emplace_back("by_train", by.train_scores);
      out.emplace_back("by_test", by.test_scores);
    } else {
      const PermutationTest chance = permutation_test_score(*estimator, x, y, {.cv = cv});
      out.emplace_back("permutation", chance.permutation_scores);
      out.emplace_back("pvalue", tensor(chance.pvalue));
    }
  } else if (what == "grid") {
    GridSearchCV search(*estimator, parse_space(argument),
                        {.cv = whole("cv", 5), .return_train_score = true});
    search.fit(x, y);
    add_results(out, search);
    out.emplace_back("predict", search.predict(x));
    if (!in.count("init"))
      out.emplace_back("nested", cross_val_score(search, x, y, {.cv = whole("cv", 5)}));
  } else if (what == "halving") {
    HalvingGridSearchCV search(*estimator, parse_space(argument),
                               {.factor = option("factor", 3),
                                .resource = "max_iter",
                                .max_resources = whole("max_resources", 9),
                                .aggressive_elimination = option("aggressive", 0) != 0},
                               {.cv = whole("cv", 5), .return_train_score = true});
    search.fit(x, y);
    add_results(out, search);
    const auto list = [&](const char* name, const std::vector<int64_t>& v) {
      out.emplace_back(name, from_vector(v, {static_cast<int64_t>(v.size())}));
    };
    list("iter", search.cv_results.iter);
    list("n_resources", search.course.n_resources);
    list("n_candidates", search.course.n_candidates);
  } else if (what == "densities") {
    // Columns of `trials` and `candidates` are the space's numbers, the last of `trials` scores.
    const SearchSpace space = parse_space(argument);
    const auto d = static_cast<int64_t>(space.size());
    const auto params = [&](const Tensor& rows, int64_t i) {
      ParamValues p;
      for (int64_t c = 0; c < d; ++c) {
        const double value = rows.data<double>()[i * rows.size(1) + c];
        const Distribution& at = space[static_cast<size_t>(c)];
        if (!at.is_range())
          p.emplace_back(at.name, at.choices[static_cast<size_t>(value)]);
        else if (at.integer)
          p.emplace_back(at.name, static_cast<int64_t>(value));
        else
          p.emplace_back(at.name, value);
      }
      return p;
    };
    const Tensor given = in.at("trials"), asked = in.at("candidates");
    std::vector<Trial> trials;
    for (int64_t i = 0; i < given.size(0); ++i)
      trials.push_back({params(given, i), given.data<double>()[i * (d + 1) + d]});
    std::vector<ParamValues> candidates;
    for (int64_t i = 0; i < asked.size(0); ++i) candidates.push_back(params(asked, i));
    std::vector<double> good, others;
    for (const auto& [g, o] : TPESampler(space).log_densities(trials, candidates)) {
      good.push_back(g);
      others.push_back(o);
    }
    out = {{"good", from_vector(good, {asked.size(0)})},
           {"others", from_vector(others, {asked.size(0)})}};
  } else if (what == "bowl") {
    // The best of 60 trials on the function of model_selection.py, for each seed.
    const SearchSpace space = parse_space(argument);
    std::vector<double> bests;
    for (int64_t seed = 0; seed < whole("seeds", 20); ++seed) {
      const TPESampler sampler(space, {.random_state = static_cast<uint64_t>(seed)});
      std::vector<Trial> trials;
      double best = -1e300;
      for (int i = 0; i < 60; ++i) {
        const ParamValues p = sampler.suggest(trials);
        const double u = std::get<double>(p[0].second) - 2;
        const double v = std::log10(std::get<double>(p[1].second)) + 1;
        const double w = p[2].second == ParamValue("c") ? 0 : 2;
        const auto n = static_cast<double>(std::get<int64_t>(p[3].second) - 7);
        trials.push_back({p, -(u * u + v * v + w + n * n / 10)});
        best = std::max(best, trials.back().score);
      }
      bests.push_back(best);
    }
    out = {{"best", from_vector(bests, {static_cast<int64_t>(bests.size())})}};
  } else {
    return 2;
  }
  io::write_npz(argv[4], out);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
