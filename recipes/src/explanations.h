// What explanations of recipes share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "glia/recipes/explain.h"
#include "glia/tensor.h"

namespace glia::recipes {

// The position of the class that is explained: the one that is named, or the likeliest. Throws
// ValueError, which lists the classes.
int64_t explained_class(const std::vector<std::string>& classes, const std::string& named,
                        const std::vector<double>& probabilities);

// Sections of a picture (1, H, W, C) as the model takes it, and as it is shown, u8 (H, W, C):
// heat of several methods, and how far they can be trusted.
std::vector<report::Section> picture_sections(const std::function<Tensor(const Tensor&)>& logits,
                                              const Tensor& x, const Tensor& shown, int64_t label);

// A column of a row, as the page shows it.
struct RowColumn {
  std::string name, value;
  std::vector<std::string> categories = {};  // by code; none of a number
};
// Sections of a row (1, F): what each feature adds to `said`, (N, F) -> (N), beside rows of a
// background, and how the answer changes with those that matter most.
std::vector<report::Section> row_sections(const std::function<Tensor(const Tensor&)>& said,
                                          const Tensor& row, const Tensor& background,
                                          const std::vector<RowColumn>& columns);

}  // namespace glia::recipes
