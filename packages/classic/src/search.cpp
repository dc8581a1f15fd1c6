#include "glia/classic/search.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "checks.h"
#include "copies.h"
#include "fit_and_score.h"
#include "glia/classic/cluster.h"
#include "glia/ops.h"
#include "splits.h"

namespace glia::classic {
namespace {

constexpr const char* kBest = "best_estimator.";

Tensor column(const std::vector<double>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

// The mean and the deviation of each row of a (rows, columns) table.
std::pair<Tensor, Tensor> moments(const Tensor& t) {
  const Tensor mean = glia::mean(t, {1}), rest = t - glia::mean(t, {1}, true);
  return {mean, sqrt(glia::mean(square(rest), {1}))};
}

// 1 for the largest; equal ones share the least rank, and NaN are behind all.
Tensor ranks(const std::vector<double>& scores) {
  std::vector<int64_t> ranks;
  for (const double own : scores)
    ranks.push_back(1 + std::count_if(scores.begin(), scores.end(), [own](double other) {
                      return other > own || (std::isnan(own) && !std::isnan(other));
                    }));
  return positions(ranks);
}

// A share of positions, drawn.
Tensor drawn(const Tensor& all, double share, data::Random& random, Where where) {
  std::vector<int64_t> values = all.to_vector<int64_t>();
  const auto count = static_cast<int64_t>(share * static_cast<double>(values.size()));
  if (count < 1)
    throw ValueError(
        "halving: min_resources leaves a split no samples of " + std::to_string(values.size()),
        where);
  shuffle(values, random);
  values.resize(static_cast<size_t>(count));
  return positions(values);
}

SearchResults results_of(const std::vector<FitScores>& fits, int64_t splits,
                         const std::vector<NamedScorer>& scorers, bool train) {
  SearchResults out;
  std::tie(out.mean_fit_time, out.std_fit_time) =
      moments(table(fits, splits, [](const FitScores& f) { return f.fit_time; }));
  std::tie(out.mean_score_time, out.std_score_time) =
      moments(table(fits, splits, [](const FitScores& f) { return f.score_time; }));
  for (size_t s = 0; s < scorers.size(); ++s) {
    SearchScores scores;
    scores.name = scorers[s].name;
    scores.split_test = table(fits, splits, [s](const FitScores& f) { return f.test[s]; });
    std::tie(scores.mean_test, scores.std_test) = moments(scores.split_test);
    scores.rank_test = ranks(scores.mean_test.to_vector<double>());
    if (train) {
      scores.split_train = table(fits, splits, [s](const FitScores& f) { return f.train[s]; });
      std::tie(scores.mean_train, scores.std_train) = moments(scores.split_train);
    }
    out.scores.push_back(std::move(scores));
  }
  for (size_t i = 0; i < fits.size(); i += static_cast<size_t>(splits)) {
    const auto begin = fits.begin() + static_cast<int64_t>(i);
    const auto fault =
        std::find_if(begin, begin + splits, [](const FitScores& f) { return !f.error.empty(); });
    out.errors.push_back(fault == begin + splits ? "" : fault->error);
  }
  return out;
}

}  // namespace

const SearchScores& SearchResults::of(std::string_view scorer, Where where) const {
  for (const SearchScores& one : scores)
    if (scorer.empty() || one.name == scorer) return one;
  throw Error("SearchResults: there is no scorer \"" + std::string(scorer) + "\"", where);
}

// ---- Options ------------------------------------------------------------------------------------

SearchCV::SearchCV(const Estimator& estimator, SearchSpace space, const SearchOptions& options,
                   Where where)
    : MetaEstimator(estimator), space_(std::move(space)), search_(options) {
  parse_space(to_text(space_, where), where);
}

std::vector<Param> SearchCV::params() {
  std::vector<Param> params;
  const auto text = [&](const char* name, std::function<std::string()> get,
                        std::function<bool(const std::string&)> set) {
    params.emplace_back(
        name, [get = std::move(get)] { return ParamValue(get()); },
        [set = std::move(set)](const ParamValue& value) { return set(to_text(value)); });
  };
  text(
      "space", [this] { return to_text(space_); },
      [this](const std::string& given) {
        space_ = parse_space(given);
        return true;
      });
  for (Param& own : own_params()) params.push_back(std::move(own));
  text(
      "scoring",
      [this] {
        std::string names;
        for (const std::string& name : search_.scoring) names += (names.empty() ? "" : ",") + name;
        return names;
      },
      [this](const std::string& given) {
        search_.scoring.clear();
        for (size_t at = 0; at < given.size();) {
          const size_t end = std::min(given.find(',', at), given.size());
          search_.scoring.push_back(given.substr(at, end - at));
          at = end + 1;
        }
        return true;
      });
  params.emplace_back("refit_metric", &search_.refit_metric);
  params.emplace_back("refit", &search_.refit);
  params.push_back(cv_param(&search_.cv));
  text(
      "error_score",
      [this] { return search_.error_score ? to_text(ParamValue(*search_.error_score)) : "raise"; },
      [this](const std::string& given) {
        double score = 0;
        const char* end = given.data() + given.size();
        if (given == "raise") {
          search_.error_score = {};
        } else if (std::from_chars(given.data(), end, score).ptr == end && !given.empty()) {
          search_.error_score = score;
        } else {
          return false;
        }
        return true;
      });
  params.emplace_back("return_train_score", &search_.return_train_score);
  params.emplace_back("n_jobs", &search_.n_jobs);
  return with_part_params(std::move(params), estimator_);
}

std::vector<NamedScorer> SearchCV::scorers(Where where) const {
  std::vector<NamedScorer> all;
  for (const std::string& name : search_.scoring) all.push_back({name, get_scorer(name, where)});
  all.insert(all.end(), search_.scorers.begin(), search_.scorers.end());
  if (all.empty()) all = one_scorer("", {}, where);
  if (search_.refit_metric.empty()) return all;
  const auto at = std::find_if(
      all.begin(), all.end(), [&](const NamedScorer& s) { return s.name == search_.refit_metric; });
  if (at == all.end())
    throw ValueError(
        std::string(name()) + ": refit_metric " + search_.refit_metric + " is none of its scorers",
        where);
  std::rotate(all.begin(), at, at + 1);
  return all;
}

// ---- The search ---------------------------------------------------------------------------------

SearchCV& SearchCV::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                        Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  const std::vector<NamedScorer> scoring = scorers(where);
  FitProblem problem = fit_problem(op, x, y, sample_weight, scoring, search_.error_score, where);
  problem.score_weight = sample_weight;
  problem.train_score = search_.return_train_score;
  const auto splits = all_splits(op, search_.cv, *estimator_, x, y, search_.groups, where);
  const auto count = static_cast<int64_t>(splits.size());
  Data data{.samples = x.size(0), .splits = count};
  if (kind() == EstimatorKind::kClassifier)
    data.classes = check_classes(op, y, data.samples, where).classes.size(0);

  std::vector<ParamValues> params;
  std::vector<int64_t> iter, n_resources;
  std::vector<FitScores> fits;
  const Judge judge = [&](const Round& round) {
    std::vector<TrainTest> parts = splits;
    for (size_t i = 0; round.share < 1 && i < parts.size(); ++i) {
      data::Random random(seed(), static_cast<uint64_t>(round.iter), i);
      parts[i] = {drawn(parts[i].train, round.share, random, where),
                  drawn(parts[i].test, round.share, random, where)};
    }
    std::vector<FitJob> jobs;
    for (const ParamValues& candidate : round.candidates)
      for (const TrainTest& split : parts) jobs.push_back({split, candidate});
    std::vector<FitScores> these = fit_and_score(problem, *estimator_, jobs, search_.n_jobs, where);
    std::vector<double> means;
    for (size_t i = 0; i < these.size(); i += parts.size()) {
      double sum = 0;
      for (size_t s = 0; s < parts.size(); ++s) sum += these[i + s].test[0];
      means.push_back(sum / static_cast<double>(count));
    }
    params.insert(params.end(), round.candidates.begin(), round.candidates.end());
    iter.insert(iter.end(), round.candidates.size(), round.iter);
    n_resources.insert(n_resources.end(), round.candidates.size(), round.n_resources);
    fits.insert(fits.end(), std::make_move_iterator(these.begin()),
                std::make_move_iterator(these.end()));
    return means;
  };
  run(data, judge, where);

  SearchResults results = results_of(fits, count, scoring, search_.return_train_score);
  results.params = std::move(params);
  const std::vector<double> means = results.scores[0].mean_test.to_vector<double>();
  int64_t best = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(means.size()); ++i) {
    if (last_iter_decides() && iter[i] != iter.back()) continue;
    if (best < 0 || means[i] > means[best] || (std::isnan(means[best]) && !std::isnan(means[i])))
      best = i;
  }
  if (last_iter_decides()) {
    results.iter = std::move(iter);
    results.n_resources = std::move(n_resources);
  }
  std::shared_ptr<Estimator> winner;
  const auto begin = std::chrono::steady_clock::now();
  if (search_.refit) {
    winner = estimator_->clone();
    set_params(*winner, results.params[best], where);
    winner->fit(x, y, sample_weight, where);
  }
  refit_time = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  n_features_in = winner ? winner->n_features_in : x.rank() > 1 ? x.size(1) : 1;
  best_index = best;
  best_score = means[best];
  best_params = results.params[best];
  n_splits = count;
  cv_results = std::move(results);
  best_estimator_ = std::move(winner);
  keep();
  return *this;
}

const Estimator& SearchCV::best_estimator(Where where) const {
  require_fitted(name(), fitted(), where);
  if (!best_estimator_)
    throw Error(std::string(name()) + ": refit is false, so that there is no best estimator",
                where);
  return *best_estimator_;
}

Tensor SearchCV::predict(const Tensor& x, Where where) const {
  return best_estimator(where).predict(x, where);
}
Tensor SearchCV::predict_proba(const Tensor& x, Where where) const {
  return best_estimator(where).predict_proba(x, where);
}
Tensor SearchCV::decision_function(const Tensor& x, Where where) const {
  return best_estimator(where).decision_function(x, where);
}
Tensor SearchCV::transform(const Tensor& x, Where where) const {
  return best_estimator(where).transform(x, where);
}
Tensor SearchCV::inverse_transform(const Tensor& x, Where where) const {
  return best_estimator(where).inverse_transform(x, where);
}
double SearchCV::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                       Where where) const {
  return scorers(where)[0].score(best_estimator(where), x, y, sample_weight);
}

// ---- Its state ----------------------------------------------------------------------------------

namespace {

// A line for each candidate: options, mean, deviation and rank.
std::string lines_of(const SearchResults& results) {
  const SearchScores& scores = results.of();
  const auto mean = scores.mean_test.to_vector<double>(), std = scores.std_test.to_vector<double>();
  const auto rank = scores.rank_test.to_vector<int64_t>();
  std::string text = scores.name + "\n";
  for (size_t i = 0; i < results.params.size(); ++i) {
    SearchSpace chosen;
    for (const auto& [name, value] : results.params[i])
      chosen.push_back(categorical(name, {value}));
    text += to_text(chosen) + "\t" + to_text(ParamValue(mean[i])) + "\t" +
            to_text(ParamValue(std[i])) + "\t" + std::to_string(rank[i]) + "\n";
  }
  return text;
}

SearchResults results_from(const std::string& text, Where where) {
  SearchResults results;
  SearchScores scores;
  std::vector<double> mean, std;
  std::vector<int64_t> rank;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (at == 0) {
      scores.name = line;
      at = end + 1;
      continue;
    }
    at = end + 1;
    const size_t first = line.find('\t'), second = line.find('\t', first + 1),
                 third = line.find('\t', second + 1);
    double numbers[2] = {0, 0};
    int64_t place = 0;
    const auto number = [&](size_t from, size_t to, auto& value) {
      const char* behind = line.data() + to;
      return std::from_chars(line.data() + from, behind, value).ptr == behind;
    };
    if (third == std::string::npos || !number(first + 1, second, numbers[0]) ||
        !number(second + 1, third, numbers[1]) || !number(third + 1, line.size(), place))
      throw Error("its cv_results has the line '" + line + "'", where);
    ParamValues params;
    for (const Distribution& d : parse_space(line.substr(0, first), where)) {
      if (d.is_range()) throw Error("its cv_results has a range: '" + line + "'", where);
      params.emplace_back(d.name, d.choices[0]);
    }
    results.params.push_back(std::move(params));
    mean.push_back(numbers[0]);
    std.push_back(numbers[1]);
    rank.push_back(place);
  }
  scores.mean_test = column(mean);
  scores.std_test = column(std);
  scores.rank_test = positions(rank);
  results.scores.push_back(std::move(scores));
  return results;
}

}  // namespace

StateDict SearchCV::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  const std::string lines = lines_of(cv_results);
  const std::vector<uint8_t> bytes(lines.begin(), lines.end());
  StateDict state{{"n_features_in", tensor(n_features_in)},
                  {"best_index", tensor(best_index)},
                  {"n_splits", tensor(n_splits)},
                  {"cv_results", from_vector(bytes, {static_cast<int64_t>(bytes.size())})}};
  if (best_estimator_) io::append(state, kBest, best_estimator_->state_dict(where));
  return state;
}

void SearchCV::load_state_dict(const StateDict& state, Where where) {
  const StateDict best = io::with_prefix(state, kBest);
  StateDict own = state;
  std::erase_if(own, [](const auto& entry) { return entry.first.starts_with(kBest); });
  StateReader read(name(), own, where);
  const int64_t features = read.count("n_features_in"), index = read.count("best_index"),
                splits = read.count("n_splits");
  const std::vector<uint8_t> bytes = read.take("cv_results", kU8, {-1}).to_vector<uint8_t>();
  read.finish();
  SearchResults results = results_from(std::string(bytes.begin(), bytes.end()), where);
  if (index >= static_cast<int64_t>(results.params.size()) || features < 1)
    throw Error(std::string(name()) + ".load_state_dict: best_index is " + std::to_string(index) +
                    " of " + std::to_string(results.params.size()),
                where);
  std::shared_ptr<Estimator> winner;
  if (!best.empty()) {
    winner = estimator_->clone();
    set_params(*winner, results.params[index], where);
    winner->load_state_dict(best, where);
  }
  n_features_in = features;
  best_index = index;
  best_score = results.scores[0].mean_test.to_vector<double>()[index];
  best_params = results.params[index];
  n_splits = splits;
  cv_results = std::move(results);
  best_estimator_ = std::move(winner);
}

// ---- Grid, draws, trials ------------------------------------------------------------------------

GridSearchCV::GridSearchCV() : GridSearchCV(KMeans(), {}) {}
GridSearchCV::GridSearchCV(const Estimator& estimator, const SearchSpace& param_grid,
                           const SearchOptions& options, Where where)
    : SearchCV(estimator, param_grid, options, where) {}

void GridSearchCV::run(const Data&, const Judge& judge, Where where) {
  judge({.candidates = parameter_grid(space_, where)});
}

RandomizedSearchCV::RandomizedSearchCV() : RandomizedSearchCV(KMeans(), {}) {}
RandomizedSearchCV::RandomizedSearchCV(const Estimator& estimator,
                                       const SearchSpace& param_distributions,
                                       const RandomizedSearchOptions& random,
                                       const SearchOptions& options, Where where)
    : SearchCV(estimator, param_distributions, options, where), random_(random) {}

std::vector<Param> RandomizedSearchCV::own_params() {
  return {{"n_iter", &random_.n_iter}, {"random_state", &random_.random_state}};
}

void RandomizedSearchCV::run(const Data&, const Judge& judge, Where where) {
  judge({.candidates = parameter_samples(space_, random_.n_iter, random_.random_state, where)});
}

TPESearchCV::TPESearchCV() : TPESearchCV(KMeans(), {}) {}
TPESearchCV::TPESearchCV(const Estimator& estimator, const SearchSpace& space,
                         const TPESearchOptions& tpe, const SearchOptions& options, Where where)
    : SearchCV(estimator, space, options, where), tpe_(tpe) {}

std::vector<Param> TPESearchCV::own_params() {
  return {{"n_iter", &tpe_.n_iter},
          {"n_startup_trials", &tpe_.sampler.n_startup_trials},
          {"n_ei_candidates", &tpe_.sampler.n_ei_candidates},
          {"random_state", &tpe_.sampler.random_state}};
}

void TPESearchCV::run(const Data&, const Judge& judge, Where where) {
  if (tpe_.n_iter < 1)
    throw ValueError("TPESearchCV: n_iter = " + std::to_string(tpe_.n_iter), where);
  const TPESampler sampler(space_, tpe_.sampler, where);
  std::vector<Trial> trials;
  const int64_t count = space_.empty() ? 1 : tpe_.n_iter;
  while (static_cast<int64_t>(trials.size()) < count) {
    const ParamValues params = sampler.suggest(trials, where);
    trials.push_back({params, judge({.candidates = {params}})[0]});
  }
}

}  // namespace glia::classic
