// Numbers that are typed.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/recipe.h"

namespace glia::recipes {

// Numbers with ',' or spaces between: "1, 2.5". Throws ValueError unless there are `count`.
std::vector<double> numbers_of(const std::string& text, int64_t count);
// The same of a text, or of a tensor of any shape; `what` is what they are: "an observation".
std::vector<double> numbers_of(const Input& input, int64_t count, const std::string& what);
// The value "200,100" of the setting of that name: whole numbers from 1 to `most`. Throws Error.
std::vector<int64_t> whole_numbers_of(const std::string& setting, const std::string& text,
                                      int64_t most);
// One number, of a text or a tensor. Throws ValueError, "1.5 is no WHAT from 1 to MOST".
int64_t whole_number_of(const Input& input, const std::string& what, int64_t most);
}  // namespace glia::recipes
