// What estimators that fit copies of another one share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checks.h"
#include "glia/classic/meta.h"
#include "glia/classic/search.h"

namespace glia::classic {

// "estimator__OPTION" of its options, behind `own`.
std::vector<Param> with_part_params(std::vector<Param> own, const AnyEstimator& estimator);

// Throws ValueError unless the estimator is a classifier, or a regressor.
void require_kind(std::string_view op, const Estimator& estimator, EstimatorKind kind, Where where);

// The option `cv` by its number of folds; a splitter is none, and stays.
Param cv_param(CV* at);

// States as "estimators.0.NAME", ..., and back into copies of `part`; those that are `absent` are
// none.
void append_copies(StateDict& state, const FittedEstimators& copies);
FittedEstimators loaded_copies(const Estimator& part, const StateDict& state, int64_t count,
                               Where where, const std::vector<bool>& absent = {});
// What a state has besides those, without what begins with `prefix`.
StateDict own_state(const StateDict& state, const std::string& prefix = "estimators.");

// decision_function() or, of an estimator without one, predict_proba(), whose second column is
// taken of two: (samples) or (samples, classes).
struct Response {
  Tensor values;  // f64
  bool probabilities = false;
};
Response response_of(const Estimator& estimator, const Tensor& x, Where where);

// How many features there are, and how many samples. Throws ShapeError unless X is (samples,
// features).
struct Extent {
  int64_t samples = 0, features = 0;
};
Extent extent_of(std::string_view op, const Tensor& x, Where where);

}  // namespace glia::classic
