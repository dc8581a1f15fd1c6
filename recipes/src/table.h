// Numbers of the user's: CSV files, and what is typed.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/recipe.h"

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
// The same of a text, or of a tensor of any shape; `what` is what they are: "an observation".
std::vector<double> numbers_of(const Input& input, int64_t count, const std::string& what);
// One number, of a text or a tensor. Throws ValueError, "1.5 is no WHAT from 1 to MOST".
int64_t whole_number_of(const Input& input, const std::string& what, int64_t most);
// The rows of a CSV file of numbers, each as numbers_of() reads it.
std::vector<std::string> rows_of(const std::string& path);

}  // namespace glia::recipes
