// What conformal classifiers and regressors share.
#pragma once

#include <string>
#include <vector>

#include "copies.h"
#include "fit_and_score.h"
#include "glia/classic/conformal.h"

namespace glia::classic {

// Throws ValueError unless 0 < level < 1.
void check_level(const std::string& op, double level, Where where);
// Throws Error unless there are scores.
void require_scores(const std::string& op, const Tensor& scores, Where where);

std::vector<Param> split_params(SplitConformalOptions& o);
// Which samples are for fitting, and which for the scores: none if the options say so. `classes`
// are shared out evenly, if there are any.
TrainTest conformal_parts(const std::string& op, const SplitConformalOptions& o, int64_t samples,
                          const Tensor& classes, Where where);

// (samples) of a regressor of one output, and y as such.
Tensor flat_prediction(const std::string& op, const Estimator& estimator, const Tensor& x,
                       Where where);
Tensor flat_targets(const std::string& op, const Tensor& y, int64_t samples, Where where);

// Which fold's test each sample is in, and each fold's estimator.
struct Folds {
  FittedEstimators estimators;
  std::vector<TrainTest> splits;
  Tensor fold;
};
Folds fitted_folds(const std::string& op, const Estimator& estimator, const CV& cv, const Tensor& x,
                   const Tensor& y, const Tensor& weight, Where where);
// What the folds say of their tests, in the order of the samples.
Tensor in_order(const Folds& folds, const std::vector<Tensor>& of_tests);

}  // namespace glia::classic
