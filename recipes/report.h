// The page that a training run of a classifier leaves behind: one file that needs no other.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::recipes {

using Facts = std::vector<std::pair<std::string, std::string>>;  // name and value

// A quantity over the epochs: one line for each series, all of the same length.
struct Curve {
  std::string title;
  bool percent = false;
  std::vector<std::pair<std::string, std::vector<double>>> series;
};

struct Mistake {
  Tensor image;  // as io::encode_png takes it
  int64_t truth = 0, guess = 0;
  double probability = 0;  // of the guess
};

struct Report {
  std::string title, subtitle;
  Facts highlights, settings;
  std::vector<Curve> curves;
  std::vector<std::string> classes;
  std::vector<std::vector<int64_t>> confusion;  // [truth][guess], counts
  std::vector<Mistake> mistakes;                // the worst first
};

// HTML with inline SVG and pictures; follows the reader's light or dark scheme and any width.
std::string to_html(const Report& report);

}  // namespace glia::recipes
