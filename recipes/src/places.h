// Places of samples in the plane, and what a report says of them.
#pragma once

#include <string>

#include "recipes/src/clusters.h"

namespace glia::recipes {

// classic::trustworthiness() of 5 neighbours, or as many as few samples have, of at most 4,000
// samples that are spread evenly; 1 of one or two.
double trust(const Tensor& samples, const Tensor& places);
// The share of samples whose nearest one in the plane is of their class.
double same_class(const Tensor& places, const Tensor& labels);
// Points by class, if these are known; `equal`: a unit is as long on both axes.
report::Scatter scatter_of(const Tensor& places, const Samples& samples, bool equal);
// A CSV file of columns x, y and, where it is known, class.
void write_places(const std::string& path, const Tensor& places, const Samples& samples);

}  // namespace glia::recipes
