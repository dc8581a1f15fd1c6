// What metrics ask of their arguments, as plain numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

// Numbers (rows, columns); of rank 1 one column.
struct Grid {
  std::vector<double> values;
  int64_t rows = 0, columns = 1;
  bool flat = true;  // of rank 1

  double at(int64_t i, int64_t j = 0) const { return values[static_cast<size_t>(i * columns + j)]; }
};
// Of rank 1 or 2, not empty and finite. Throws ShapeError or ValueError, which name `what`.
Grid grid_of(const char* op, const Tensor& t, const char* what, Where where);
// The same without a look at its numbers.
Grid any_grid_of(const char* op, const Tensor& t, const char* what, Where where);
void require_rows(const char* op, const Grid& a, const Grid& b, Where where);
void require_same_shape(const char* op, const Grid& a, const Grid& b, Where where);

// 1 each where there are none.
std::vector<double> weights_of(const char* op, const Tensor& weight, int64_t samples, Where where);
// Whole numbers of a grid of one column.
std::vector<int64_t> labels_of(const char* op, const Grid& g, const char* what, Where where);
// 0 and 1 of all of a grid.
void require_flags(const char* op, const Grid& g, const char* what, Where where);
std::vector<int64_t> distinct(std::vector<int64_t> values);  // ascending
// Its position in ascending numbers, or -1.
int64_t position(const std::vector<int64_t>& sorted, int64_t value);

double weighted_mean(const std::vector<double>& values, const std::vector<double>& weights);
Tensor to_tensor(const std::vector<double>& values);

// scikit-learn's weighted percentile, "averaged inverted cdf"; `rank` from 0 to 1.
double weighted_percentile(std::vector<double> values, const std::vector<double>& weights,
                           double rank);

}  // namespace glia::classic
