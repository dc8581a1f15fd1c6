// Scores by name: what cross-validation and searches call good, the more the better. scikit-learn's
// names.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "glia/classic/estimator.h"

namespace glia::classic {

// How good a fitted estimator is on samples; y and the weights may be undefined.
using Scorer = std::function<double(const Estimator& estimator, const Tensor& x, const Tensor& y,
                                    const Tensor& sample_weight)>;
struct NamedScorer {
  std::string name;
  Scorer score;
};

// The scorer of that name, such as "accuracy"; of "", the estimator's own score(). Throws
// ValueError, which lists what there is.
Scorer get_scorer(std::string_view name, Where where = Where::current());
std::vector<std::string> get_scorer_names();  // sorted

}  // namespace glia::classic
