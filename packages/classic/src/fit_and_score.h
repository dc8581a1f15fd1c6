// Fits of copies of an estimator to parts of samples, which cross-validation and searches are made
// of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/model_selection.h"

namespace glia::classic {

// Samples with their targets and weights, of which y and weights may be undefined, and how fits to
// them are judged.
struct FitProblem {
  Tensor x, y, fit_weight, score_weight;
  std::vector<NamedScorer> scorers;
  std::optional<double> error_score;
  bool train_score = false, keep_estimator = false;
};
// Computes what is lazy, since several threads will read it. Throws ShapeError where y or a weight
// are not of x's samples.
FitProblem fit_problem(std::string_view op, const Tensor& x, const Tensor& y,
                       const Tensor& sample_weight, std::vector<NamedScorer> scorers,
                       std::optional<double> error_score, Where where);
// The one scorer of the options `scoring` and `scorer`, called "score".
std::vector<NamedScorer> one_scorer(const std::string& scoring, const Scorer& scorer, Where where);

struct FitJob {
  TrainTest split;
  ParamValues params = {};  // set before
};
struct FitScores {
  std::vector<double> test, train;  // of each scorer
  double fit_time = 0, score_time = 0;
  std::string error;  // of fit() or of a scorer
  bool fitted = false;
  std::shared_ptr<const Estimator> estimator;
};
// Throws the first fault if all fits fail, or if there is no error_score.
std::vector<FitScores> fit_and_score(const FitProblem& problem, const Estimator& estimator,
                                     const std::vector<FitJob>& jobs, int64_t n_jobs, Where where);

// Calls body(i) for i < count, so many at once: see n_jobs. Throws ValueError for no number.
void run_jobs(std::string_view op, int64_t count, int64_t n_jobs,
              const std::function<void(int64_t)>& body, Where where);

// All splits, which are then the same for each use.
std::vector<TrainTest> all_splits(std::string_view op, const CV& cv, const Estimator& estimator,
                                  const Tensor& x, const Tensor& y, const Tensor& groups,
                                  Where where);

// Rows of a tensor; of an undefined one, undefined.
Tensor rows(const Tensor& t, const Tensor& positions);

// A column of the scores as (jobs / columns, columns), or transposed.
template <class Get>
Tensor table(const std::vector<FitScores>& fits, int64_t columns, Get get) {
  std::vector<double> values;
  for (const FitScores& fit : fits) values.push_back(get(fit));
  return from_vector(values, {static_cast<int64_t>(fits.size()) / columns, columns});
}

// The classes that a fitted classifier knows, or one that it is made of; null if there are none.
const Tensor* classes_of(const Estimator& estimator);

}  // namespace glia::classic
