#include "fit_and_score.h"

#include <algorithm>
#include <chrono>

#include "glia/classic/search.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "glia/runtime.h"
#include "splits.h"

namespace glia::classic {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<double> scores_of(const FitProblem& problem, const Estimator& estimator,
                              const Tensor& positions, std::string& error) {
  const Tensor x = rows(problem.x, positions), y = rows(problem.y, positions),
               weight = rows(problem.score_weight, positions);
  std::vector<double> scores;
  for (const NamedScorer& scorer : problem.scorers) {
    try {
      scores.push_back(scorer.score(estimator, x, y, weight));
    } catch (const Error& fault) {
      if (!problem.error_score) throw;
      if (error.empty()) error = fault.what();
      scores.push_back(*problem.error_score);
    }
  }
  return scores;
}

FitScores fit_one(const FitProblem& problem, const Estimator& estimator, const FitJob& job,
                  Where where) {
  const NoGrad no_grad;
  FitScores result;
  const double begin = now();
  const std::shared_ptr<Estimator> copy = estimator.clone();
  set_params(*copy, job.params, where);
  try {
    copy->fit(rows(problem.x, job.split.train), rows(problem.y, job.split.train),
              rows(problem.fit_weight, job.split.train), where);
    result.fitted = true;
  } catch (const Error& fault) {
    if (!problem.error_score) throw;
    result.error = fault.what();
  }
  result.fit_time = now() - begin;
  if (!result.fitted) {
    result.test.assign(problem.scorers.size(), *problem.error_score);
    result.train = result.test;
    return result;
  }
  result.test = scores_of(problem, *copy, job.split.test, result.error);
  result.score_time = now() - begin - result.fit_time;
  if (problem.train_score) result.train = scores_of(problem, *copy, job.split.train, result.error);
  if (problem.keep_estimator) result.estimator = copy;
  return result;
}

}  // namespace

Tensor rows(const Tensor& t, const Tensor& positions) {
  return t.defined() ? take(t, positions) : t;
}

FitProblem fit_problem(std::string_view op, const Tensor& x, const Tensor& y,
                       const Tensor& sample_weight, std::vector<NamedScorer> scorers,
                       std::optional<double> error_score, Where where) {
  const int64_t n = sample_count(op, x, where);
  std::vector<Tensor> given{x};
  for (const auto& [name, t] : {std::pair("y", y), {"sample_weight", sample_weight}}) {
    if (!t.defined()) continue;
    if (t.rank() == 0 || t.size(0) != n)
      throw ShapeError(std::string(op) + ": " + name + " is " + t.shape().str() + " for " +
                           std::to_string(n) + " samples",
                       where);
    given.push_back(t);
  }
  eval(given, where);
  return {.x = x,
          .y = y,
          .fit_weight = sample_weight,
          .score_weight = {},
          .scorers = std::move(scorers),
          .error_score = error_score};
}

std::vector<NamedScorer> one_scorer(const std::string& scoring, const Scorer& scorer, Where where) {
  return {{"score", scorer ? scorer : get_scorer(scoring, where)}};
}

void run_jobs(std::string_view op, int64_t count, int64_t n_jobs,
              const std::function<void(int64_t)>& body, Where where) {
  if (n_jobs < -1 || n_jobs == 0)
    throw ValueError(std::string(op) + ": n_jobs = " + std::to_string(n_jobs) +
                         ", which is neither -1 nor at least 1",
                     where);
  if (n_jobs == 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const int all = num_threads();
  const ThreadLimit limit(n_jobs == -1 ? all : static_cast<int>(std::min<int64_t>(n_jobs, all)));
  parallel_for(count, body);
}

std::vector<FitScores> fit_and_score(const FitProblem& problem, const Estimator& estimator,
                                     const std::vector<FitJob>& jobs, int64_t n_jobs, Where where) {
  std::vector<FitScores> results(jobs.size());
  run_jobs(
      estimator.name(), static_cast<int64_t>(jobs.size()), n_jobs,
      [&](int64_t i) { results[i] = fit_one(problem, estimator, jobs[i], where); }, where);
  if (!std::any_of(results.begin(), results.end(), [](const FitScores& r) { return r.fitted; }))
    throw Error("all fits failed: " + (results.empty() ? "there are none" : results[0].error));
  return results;
}

std::vector<TrainTest> all_splits(std::string_view op, const CV& cv, const Estimator& estimator,
                                  const Tensor& x, const Tensor& y, const Tensor& groups,
                                  Where where) {
  const bool classifier = estimator.kind() == EstimatorKind::kClassifier;
  std::vector<TrainTest> splits;
  for (const TrainTest& split : cv.split(x, y, groups, classifier, where)) {
    if (split.train.numel() == 0 || split.test.numel() == 0)
      throw ValueError(std::string(op) + ": split " + std::to_string(splits.size()) +
                           " has no samples to " + (split.train.numel() == 0 ? "train on" : "test"),
                       where);
    eval({split.train, split.test}, where);
    splits.push_back(split);
  }
  return splits;
}

const Tensor* classes_of(const Estimator& estimator) {
  if (const auto* classifier = dynamic_cast<const Classifier*>(&estimator))
    return &classifier->classes;
  if (const auto* search = dynamic_cast<const SearchCV*>(&estimator))
    return classes_of(search->best_estimator());
  const Tensor* classes = nullptr;
  for (const auto& [name, part] : estimator.parts())  // of a pipeline, the last one's
    if (const Tensor* own = classes_of(*part)) classes = own;
  return classes;
}

}  // namespace glia::classic
