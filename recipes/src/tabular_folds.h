// Cross-validation of a model of a table, and the choice of its options by it.
#pragma once

#include <string>
#include <vector>

#include "recipes/src/tabular_settings.h"

namespace glia::recipes {

// The scores of each fold. Throws Interrupted.
std::vector<Results> cross_validated(Run& run, const classic::Pipeline& model,
                                     const TableSamples& samples, const TableForm& form,
                                     const TabularSettings& s);
struct Spread {
  double mean = 0, deviation = 0;
};
// Of a result over folds; sample deviation.
Spread spread_of(const std::vector<Results>& folds, const std::string& name);
report::Section cv_section(const std::vector<Results>& folds);
// The best options of the search, with those that are given; tables and curves go to `sections`.
std::string chosen(Run& run, const TableSamples& samples, const TableForm& form,
                   const TabularSettings& s, std::vector<report::Section>& sections);

}  // namespace glia::recipes
