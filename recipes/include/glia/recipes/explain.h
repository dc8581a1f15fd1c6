// Models that say why: what `glia explain` uses. A predictor that is an Explains does.
#pragma once

#include <string>

#include "glia/recipes/recipe.h"
#include "glia/report.h"

namespace glia::recipes {

struct ExplainOptions {
  std::string answer = {};  // the class that is explained; empty: what the model says
};

class Explains {
 public:
  virtual ~Explains() = default;
  // A page of why the model says what it says of an input, which is as for predict(). Throws
  // IoError for a file that cannot be used, ValueError for another input or an answer that there is
  // not.
  virtual report::Report explain(const Input& input, const ExplainOptions& options = {}) const = 0;
};

}  // namespace glia::recipes
