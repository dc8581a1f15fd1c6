// Cross-validation: what estimators say of samples that they have not seen.
#include <algorithm>
#include <limits>
#include <numeric>

#include "checks.h"
#include "fit_and_score.h"
#include "glia/ops.h"
#include "splits.h"

namespace glia::classic {
namespace {

std::vector<FitJob> jobs_of(const std::vector<TrainTest>& splits) {
  std::vector<FitJob> jobs;
  for (const TrainTest& split : splits) jobs.push_back({split});
  return jobs;
}

int64_t length(const auto& values) { return static_cast<int64_t>(values.size()); }

Tensor first(const std::vector<FitScores>& fits, int64_t columns,
             std::vector<double> FitScores::*side) {
  return table(fits, columns, [side](const FitScores& fit) { return (fit.*side)[0]; });
}

const Tensor& named(const std::vector<std::pair<std::string, Tensor>>& scores,
                    std::string_view name, Where where) {
  for (const auto& [key, values] : scores)
    if (key == name) return values;
  throw Error("CrossValidation: there is no score \"" + std::string(name) + "\"", where);
}

}  // namespace

Tensor cross_val_score(const Estimator& estimator, const Tensor& x, const Tensor& y,
                       const CrossValScoreOptions& options, Where where) {
  const char* op = "cross_val_score";
  const FitProblem problem =
      fit_problem(op, x, y, options.sample_weight,
                  one_scorer(options.scoring, options.scorer, where), options.error_score, where);
  const auto splits = all_splits(op, options.cv, estimator, x, y, options.groups, where);
  const auto fits = fit_and_score(problem, estimator, jobs_of(splits), options.n_jobs, where);
  return reshape(first(fits, 1, &FitScores::test), {length(splits)});
}

const Tensor& CrossValidation::test(std::string_view name, Where where) const {
  return named(test_scores, name, where);
}
const Tensor& CrossValidation::train(std::string_view name, Where where) const {
  return named(train_scores, name, where);
}

CrossValidation cross_validate(const Estimator& estimator, const Tensor& x, const Tensor& y,
                               const CrossValidateOptions& options, Where where) {
  const char* op = "cross_validate";
  std::vector<NamedScorer> scorers;
  for (const std::string& name : options.scoring)
    scorers.push_back({name.empty() ? "score" : name, get_scorer(name, where)});
  scorers.insert(scorers.end(), options.scorers.begin(), options.scorers.end());
  if (scorers.empty()) scorers = one_scorer("", {}, where);
  FitProblem problem =
      fit_problem(op, x, y, options.sample_weight, std::move(scorers), options.error_score, where);
  problem.train_score = options.return_train_score;
  problem.keep_estimator = options.return_estimator;
  auto splits = all_splits(op, options.cv, estimator, x, y, options.groups, where);
  const auto fits = fit_and_score(problem, estimator, jobs_of(splits), options.n_jobs, where);

  const auto column = [&](auto get) { return reshape(table(fits, 1, get), {length(fits)}); };
  CrossValidation result;
  result.fit_time = column([](const FitScores& f) { return f.fit_time; });
  result.score_time = column([](const FitScores& f) { return f.score_time; });
  for (size_t s = 0; s < problem.scorers.size(); ++s) {
    const std::string& name = problem.scorers[s].name;
    result.test_scores.emplace_back(name, column([s](const FitScores& f) { return f.test[s]; }));
    if (options.return_train_score)
      result.train_scores.emplace_back(name,
                                       column([s](const FitScores& f) { return f.train[s]; }));
  }
  for (const FitScores& fit : fits) {
    result.errors.push_back(fit.error);
    if (options.return_estimator) result.estimators.push_back(fit.estimator);
  }
  if (options.return_indices) result.indices = std::move(splits);
  return result;
}

// ---- Predictions --------------------------------------------------------------------------------

namespace {

Tensor said(const Estimator& estimator, PredictMethod method, const Tensor& x, Where where) {
  switch (method) {
    case PredictMethod::kPredictProba:
      return estimator.predict_proba(x, where);
    case PredictMethod::kDecisionFunction:
      return estimator.decision_function(x, where);
    case PredictMethod::kTransform:
      return estimator.transform(x, where);
    case PredictMethod::kPredict:
      break;
  }
  return estimator.predict(x, where);
}

// Columns of the classes that were trained on, put where all classes have theirs.
Tensor in_all_classes(const Tensor& values, const Tensor& own, const Tensor& all,
                      PredictMethod method, Where where) {
  if (own.numel() == all.numel()) return values;
  const char* op = "cross_val_predict";
  if (values.rank() != 2 || values.size(1) != own.numel())
    throw ValueError(std::string(op) + ": a training has " + std::to_string(own.numel()) +
                         " of the " + std::to_string(all.numel()) +
                         " classes, of which a decision has no columns; stratify the splits",
                     where);
  const bool wide = values.dtype() == kF64;
  const double missing = method == PredictMethod::kPredictProba ? 0
                         : wide ? std::numeric_limits<double>::lowest()
                                : std::numeric_limits<float>::lowest();
  const auto names = all.to_vector<int64_t>(), known = own.to_vector<int64_t>();
  const Tensor none = full({values.size(0), 1}, missing, values.dtype());
  std::vector<Tensor> columns;
  for (const int64_t name : names) {
    const auto at = std::lower_bound(known.begin(), known.end(), name);
    const bool has = at != known.end() && *at == name;
    columns.push_back(has ? slice(values, 1, {at - known.begin(), at - known.begin() + 1}) : none);
  }
  return concat(columns, 1);
}

}  // namespace

Tensor cross_val_predict(const Estimator& estimator, const Tensor& x, const Tensor& y,
                         const CrossValPredictOptions& options, Where where) {
  const char* op = "cross_val_predict";
  const NoGrad no_grad;
  const FitProblem problem = fit_problem(op, x, y, options.sample_weight, {}, {}, where);
  const auto splits = all_splits(op, options.cv, estimator, x, y, options.groups, where);
  const int64_t n = x.size(0);
  std::vector<int64_t> place(static_cast<size_t>(n), -1);  // where each sample's answer stands
  int64_t answers = 0;
  bool once = true;
  for (const TrainTest& split : splits)
    for (const int64_t sample : split.test.to_vector<int64_t>()) {
      once = once && sample >= 0 && sample < n && place[sample] < 0;
      if (once) place[sample] = answers++;
    }
  if (!once || answers != n)
    throw ValueError(std::string(op) + ": each sample must be in one test", where);

  const bool by_class = options.method == PredictMethod::kPredictProba ||
                        options.method == PredictMethod::kDecisionFunction;
  Tensor all;
  if (by_class && y.defined() && estimator.kind() == EstimatorKind::kClassifier)
    all = check_classes(op, y, n, where).classes;
  std::vector<Tensor> parts(splits.size());
  run_jobs(
      op, length(splits), options.n_jobs,
      [&](int64_t i) {
        const NoGrad none;
        const std::unique_ptr<Estimator> copy = estimator.clone();
        const auto& [train, test] = splits[i];
        copy->fit(rows(x, train), rows(y, train), rows(problem.fit_weight, train), where);
        Tensor part = said(*copy, options.method, rows(x, test), where);
        const Tensor* own = all.defined() ? classes_of(*copy) : nullptr;
        if (own && own->defined()) part = in_all_classes(part, *own, all, options.method, where);
        eval(part, where);
        parts[i] = part;
      },
      where);
  for (const Tensor& part : parts)
    for (int axis = 1; axis < std::max(part.rank(), parts[0].rank()); ++axis)
      if (part.rank() != parts[0].rank() || part.size(axis) != parts[0].size(axis))
        throw ValueError(std::string(op) + ": splits give " + parts[0].shape().str() + " and " +
                             part.shape().str(),
                         where);
  return take(concat(parts), positions(place));
}

// ---- Curves -------------------------------------------------------------------------------------

namespace {

std::vector<int64_t> sizes_of(const LearningCurveOptions& options, int64_t most, Where where) {
  const char* op = "learning_curve";
  std::vector<int64_t> sizes = options.train_counts;
  for (const int64_t size : sizes)
    if (size < 1 || size > most)
      throw ValueError(std::string(op) + ": train_counts has " + std::to_string(size) +
                           ", not from 1 to " + std::to_string(most),
                       where);
  if (sizes.empty())
    for (const double share : options.train_sizes) {
      if (!(share > 0 && share <= 1))
        throw ValueError(std::string(op) + ": train_sizes has " + std::to_string(share) +
                             ", which is no share above 0 and up to 1",
                         where);
      sizes.push_back(
          std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(most))));
    }
  if (sizes.empty()) throw ValueError(std::string(op) + ": train_sizes is empty", where);
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

}  // namespace

LearningCurve learning_curve(const Estimator& estimator, const Tensor& x, const Tensor& y,
                             const LearningCurveOptions& options, Where where) {
  const char* op = "learning_curve";
  FitProblem problem =
      fit_problem(op, x, y, options.sample_weight,
                  one_scorer(options.scoring, options.scorer, where), options.error_score, where);
  problem.train_score = true;
  const auto splits = all_splits(op, options.cv, estimator, x, y, options.groups, where);
  const std::vector<int64_t> sizes = sizes_of(options, splits[0].train.numel(), where);
  std::vector<FitJob> jobs;
  data::Random random(options.random_state);
  for (const TrainTest& split : splits) {
    std::vector<int64_t> train = split.train.to_vector<int64_t>();
    if (options.shuffle) shuffle(train, random);
    for (const int64_t size : sizes) {
      const auto end = train.begin() + std::min(size, length(train));
      jobs.push_back({{positions({train.begin(), end}), split.test}});
    }
  }
  const auto fits = fit_and_score(problem, estimator, jobs, options.n_jobs, where);
  const int64_t count = length(sizes);
  return {positions(sizes), transpose(first(fits, count, &FitScores::train)),
          transpose(first(fits, count, &FitScores::test)),
          transpose(table(fits, count, [](const FitScores& f) { return f.fit_time; })),
          transpose(table(fits, count, [](const FitScores& f) { return f.score_time; }))};
}

ValidationCurve validation_curve(const Estimator& estimator, const Tensor& x, const Tensor& y,
                                 const std::string& param_name,
                                 const std::vector<ParamValue>& param_range,
                                 const CrossValScoreOptions& options, Where where) {
  const char* op = "validation_curve";
  if (param_range.empty()) throw ValueError(std::string(op) + ": param_range is empty", where);
  FitProblem problem =
      fit_problem(op, x, y, options.sample_weight,
                  one_scorer(options.scoring, options.scorer, where), options.error_score, where);
  problem.train_score = true;
  std::vector<FitJob> jobs;
  for (const TrainTest& split : all_splits(op, options.cv, estimator, x, y, options.groups, where))
    for (const ParamValue& value : param_range) jobs.push_back({split, {{param_name, value}}});
  const auto fits = fit_and_score(problem, estimator, jobs, options.n_jobs, where);
  const int64_t count = length(param_range);
  return {transpose(first(fits, count, &FitScores::train)),
          transpose(first(fits, count, &FitScores::test))};
}

// ---- Chance -------------------------------------------------------------------------------------

PermutationTest permutation_test_score(const Estimator& estimator, const Tensor& x, const Tensor& y,
                                       const PermutationTestOptions& options, Where where) {
  const char* op = "permutation_test_score";
  if (options.n_permutations < 1)
    throw ValueError(
        std::string(op) + ": n_permutations = " + std::to_string(options.n_permutations), where);
  if (!y.defined()) throw ShapeError(std::string(op) + ": y is not defined", where);
  const FitProblem given =
      fit_problem(op, x, y, options.sample_weight,
                  one_scorer(options.scoring, options.scorer, where), {}, where);
  const int64_t n = x.size(0);
  std::vector<std::vector<int64_t>> members;  // those among whom y is permuted
  if (options.groups.defined()) {
    const Groups groups = group_codes(op, options.groups, n, where);
    members.resize(static_cast<size_t>(groups.count));
    for (int64_t i = 0; i < n; ++i) members[groups.of[i]].push_back(i);
  } else {
    members.emplace_back(static_cast<size_t>(n));
    std::iota(members[0].begin(), members[0].end(), 0);
  }
  const auto mean_score = [&](const Tensor& target) {
    FitProblem problem = given;
    problem.y = target;
    const auto splits = all_splits(op, options.cv, estimator, x, target, options.groups, where);
    double sum = 0;
    for (const FitScores& fit : fit_and_score(problem, estimator, jobs_of(splits), 1, where))
      sum += fit.test[0];
    return sum / static_cast<double>(splits.size());
  };
  std::vector<double> scores(static_cast<size_t>(options.n_permutations));
  run_jobs(
      op, options.n_permutations, options.n_jobs,
      [&](int64_t i) {
        data::Random random(options.random_state, static_cast<uint64_t>(i));
        std::vector<int64_t> order(static_cast<size_t>(n));
        for (const auto& group : members) {
          std::vector<int64_t> drawn = group;
          shuffle(drawn, random);
          for (size_t j = 0; j < group.size(); ++j) order[group[j]] = drawn[j];
        }
        const Tensor permuted = rows(y, positions(order));
        eval(permuted, where);
        scores[i] = mean_score(permuted);
      },
      where);
  PermutationTest result;
  result.score = mean_score(y);
  const auto as_good = std::count_if(scores.begin(), scores.end(),
                                     [&](double score) { return score >= result.score; });
  result.permutation_scores = from_vector(scores, {options.n_permutations});
  result.pvalue =
      static_cast<double>(as_good + 1) / static_cast<double>(options.n_permutations + 1);
  return result;
}

}  // namespace glia::classic
