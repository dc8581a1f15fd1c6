// Named values: what predictions, evaluations and training runs result in.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "glia/report.h"
#include "glia/tensor.h"

namespace glia::recipes {

struct Result {
  std::string name;
  std::variant<std::string, int64_t, double, report::Table, Tensor> value;
  bool percent = false;  // of a number: 0.93 is shown as 93.00 %
};
using Results = std::vector<Result>;

// For people: one value, "92.31 %"; and all, a line each, with the rows of tables below.
std::string shown(const Result& result);
std::string to_text(const Results& results);
// An object; a table is a list of objects, a tensor nested lists, what is no finite number null.
std::string to_json(const Results& results);

}  // namespace glia::recipes
