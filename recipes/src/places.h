// Places of samples in the plane, and what a report says of them.
#pragma once

#include <string>

#include "recipes/src/clusters.h"

namespace glia::recipes {

// The share of samples whose nearest one in the plane is of their class.
double same_class(const Tensor& places, const Tensor& labels);
// Points by class, if these are known; `equal`: a unit is as long on both axes.
report::Scatter scatter_of(const Tensor& places, const Samples& samples, bool equal);
// A CSV file of columns x, y and, where it is known, class.
void write_places(const std::string& path, const Tensor& places, const Samples& samples);

}  // namespace glia::recipes
