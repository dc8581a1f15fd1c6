#include "columns.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::classic {

std::vector<double> Features::column(int64_t j) const {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) out.push_back(at(i, j));
  return out;
}

std::vector<double> Features::present(int64_t j) const {
  std::vector<double> out = column(j);
  std::erase_if(out, [](double v) { return std::isnan(v); });
  std::sort(out.begin(), out.end());
  return out;
}

Tensor Features::tensor() const { return cast(from_vector(values, {rows, columns}), dtype); }

Features features_of(std::string_view op, const Tensor& x, bool allow_nan, int64_t n_features_in,
                     Where where) {
  if (n_features_in >= 0) require_fitted(op, n_features_in > 0, where);
  const NoGrad no_grad;
  Tensor given = x;
  const bool floats = x.defined() && is_float(x.dtype());
  // Missing values are looked at for their number and shape alone.
  if (allow_nan && floats) given = glia::where(isnan(x), zeros({}, x.dtype()), x);
  given = n_features_in >= 0 ? check_x(op, given, n_features_in, where) : check_x(op, given, where);
  Features out{
      .values = {}, .rows = given.size(0), .columns = given.size(1), .dtype = given.dtype()};
  out.values = cast(allow_nan && floats ? stop_gradient(x) : given, kF64).to_vector<double>();
  return out;
}

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

std::vector<double> linspace(double a, double b, int64_t count) {
  std::vector<double> out;
  const double step = count > 1 ? (b - a) / static_cast<double>(count - 1) : 0;
  for (int64_t i = 0; i < count; ++i) out.push_back(a + static_cast<double>(i) * step);
  if (count > 1) out.back() = b;
  return out;
}

Tensor vector_of(const std::vector<double>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}
Tensor vector_of(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

Tensor column(const Tensor& numbers) { return unsqueeze(numbers, 1); }

}  // namespace glia::classic
