// What searches draw.
#pragma once

#include "glia/classic/search_space.h"
#include "splits.h"

namespace glia::classic {

double uniform53(data::Random& random);  // in [0, 1), 53 bits

// Throws ValueError where there is nothing to choose, or a name twice.
void check_space(std::string_view op, const SearchSpace& space, Where where);
// The number as a value of a range, rounded if need be.
ParamValue value_at(const Distribution& d, double number);
ParamValue draw(const Distribution& d, data::Random& random);

}  // namespace glia::classic
