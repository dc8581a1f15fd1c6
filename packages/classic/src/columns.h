// Features as plain numbers, column by column, for transformers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

struct Features {
  std::vector<double> values;  // (rows, columns)
  int64_t rows = 0, columns = 0;
  DType dtype = kF64;  // what transform() gives back

  double& at(int64_t i, int64_t j) { return values[static_cast<size_t>(i * columns + j)]; }
  double at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * columns + j)]; }
  std::vector<double> column(int64_t j) const;
  std::vector<double> present(int64_t j) const;  // without NaN, ascending
  Tensor tensor() const;                         // of `dtype`
};
// As check_x() with or without NaN; n_features_in is what fit() saw, or -1.
Features features_of(std::string_view op, const Tensor& x, bool allow_nan, int64_t n_features_in,
                     Where where);

// numpy's linear percentile of ascending numbers; q from 0 to 1. NaN of none.
double quantile(const std::vector<double>& sorted, double q);
// `count` numbers from a to b, as numpy gives them.
std::vector<double> linspace(double a, double b, int64_t count);
Tensor vector_of(const std::vector<double>& values);
Tensor vector_of(const std::vector<int64_t>& values);

// (n) as (n, 1).
Tensor column(const Tensor& numbers);

}  // namespace glia::classic
