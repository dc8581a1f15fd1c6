// Estimators that have names: what all that are made of such share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/classic/compose.h"

namespace glia::classic {

// Throws ValueError for names that are not different, not empty and without "__".
void check_names(const char* op, const NamedEstimators& parts, Where where);
void require_parts(const char* op, bool any, Where where);
std::vector<Param> params_of(const NamedEstimators& parts);
std::vector<std::pair<std::string, const Estimator*>> seen(const NamedEstimators& parts);

// n_features_in, and "NAME." with what each part has.
StateDict states_of(const NamedEstimators& parts, int64_t width);
// Copies of the parts, loaded; what begins with no part's name is in `own`.
NamedEstimators loaded_parts(const NamedEstimators& parts, const StateDict& state, StateDict& own,
                             Where where);
// The same, with n_features_in in `width`, and nothing else.
NamedEstimators loaded(const char* name, const NamedEstimators& parts, const StateDict& state,
                       int64_t& width, Where where);

}  // namespace glia::classic
