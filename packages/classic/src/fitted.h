// Fitted attributes as a state, and back.
#pragma once

#include <vector>

#include "checks.h"
#include "glia/classic/linear_base.h"

namespace glia::classic {

// Adds those that there are.
void append_fitted(StateDict& state, const std::vector<FittedAttribute>& attributes);
// Takes all of them before it sets one, and finishes the reader.
void take_fitted(StateReader& read, const std::vector<FittedAttribute>& attributes,
                 int64_t n_features, int64_t n_classes = -1);

// The state of an estimator that is n_features_in, its classes if it is a classifier, and these.
StateDict fitted_state(const Estimator& estimator, const std::vector<FittedAttribute>& attributes,
                       Where where);
void load_fitted_state(Estimator& estimator, const std::vector<FittedAttribute>& attributes,
                       const StateDict& state, Where where);

// Throws Error, which names op, unless they ascend.
void require_ascending(std::string_view op, const Tensor& classes, Where where);

}  // namespace glia::classic
