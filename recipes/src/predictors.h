// What predictors share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "glia/recipes/recipe.h"

namespace glia::recipes {

// What was typed. Throws ValueError, which is the complaint, for a tensor.
const std::string& text_of(const Input& input, const std::string& complaint);

// Classes with their probabilities, in their own order.
report::Table probability_table(const std::vector<std::string>& classes,
                                const std::vector<double>& probabilities);

// What f(Tensor) -> Tensor, which holds the module, computes of such an input.
Computation computation_of(const nn::Module& module, std::function<Tensor(const Tensor&)> f,
                           const Tensor& example, const std::string& input,
                           const std::string& output);

}  // namespace glia::recipes
