// Tables of the user's: CSV files of numbers.
#pragma once

#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::recipes {

struct NumberTable {
  std::vector<std::string> names;  // of the columns; "1", "2", ... without a header
  Tensor values;                   // f64 (rows, columns)
  std::vector<std::string>
      labels;  // of the rows, if a column of labels was named; it is none above
};

// RFC 4180, with ',' between; the first line is a header unless all of it are numbers. `label`
// names a column that may hold any text, or is empty. Throws IoError, "FILE: line N: ...", for
// anything else that is no finite number, and rows of different lengths.
NumberTable read_table(const std::string& path, const std::string& label = "");

// Numbers with ',' or spaces between: "1, 2.5". Throws ValueError unless there are `count`.
std::vector<double> numbers_of(const std::string& text, int64_t count);

}  // namespace glia::recipes
