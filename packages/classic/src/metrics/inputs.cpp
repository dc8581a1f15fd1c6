#include "metrics/inputs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::classic {

Grid any_grid_of(const char* op, const Tensor& t, const char* what, Where where) {
  if (!t.defined() || t.rank() < 1 || t.rank() > 2 || t.numel() == 0)
    throw ShapeError(std::string(op) + ": " + what +
                         " is (N) or (N, columns), not empty, and not " +
                         (t.defined() ? t.shape().str() : "undefined"),
                     where);
  const NoGrad no_grad;
  return {.values = cast(stop_gradient(t), kF64).to_vector<double>(),
          .rows = t.size(0),
          .columns = t.rank() == 2 ? t.size(1) : 1,
          .flat = t.rank() == 1};
}

Grid grid_of(const char* op, const Tensor& t, const char* what, Where where) {
  Grid grid = any_grid_of(op, t, what, where);
  for (const double v : grid.values)
    if (!std::isfinite(v))
      throw ValueError(std::string(op) + ": " + what + " contains " +
                           (std::isnan(v) ? "NaN" : "an infinite number"),
                       where);
  return grid;
}

void require_rows(const char* op, const Grid& a, const Grid& b, Where where) {
  if (a.rows != b.rows)
    throw ShapeError(std::string(op) + ": " + std::to_string(a.rows) + " and " +
                         std::to_string(b.rows) + " samples",
                     where);
}

void require_same_shape(const char* op, const Grid& a, const Grid& b, Where where) {
  require_rows(op, a, b, where);
  if (a.columns != b.columns)
    throw ShapeError(std::string(op) + ": " + std::to_string(a.columns) + " and " +
                         std::to_string(b.columns) + " columns",
                     where);
}

std::vector<double> weights_of(const char* op, const Tensor& weight, int64_t samples, Where where) {
  const Tensor w = check_sample_weight(op, weight, samples, kF64, where);
  return w.defined() ? w.to_vector<double>() : std::vector<double>(static_cast<size_t>(samples), 1);
}

std::vector<int64_t> labels_of(const char* op, const Grid& g, const char* what, Where where) {
  if (g.columns != 1)
    throw ShapeError(
        std::string(op) + ": " + what + " is (N), not of " + std::to_string(g.columns) + " columns",
        where);
  std::vector<int64_t> out;
  out.reserve(g.values.size());
  for (const double v : g.values) {
    if (v != std::floor(v) || !(std::abs(v) < 0x1p53))
      throw ValueError(std::string(op) + ": " + what + " contains " + std::to_string(v) +
                           ", which is no class: classes are integers",
                       where);
    out.push_back(static_cast<int64_t>(v));
  }
  return out;
}

void require_flags(const char* op, const Grid& g, const char* what, Where where) {
  for (const double v : g.values)
    if (v != 0 && v != 1)
      throw ValueError(
          std::string(op) + ": " + what + " (N, labels) is of 0 and 1, not " + std::to_string(v),
          where);
}

std::vector<int64_t> distinct(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

int64_t position(const std::vector<int64_t>& sorted, int64_t value) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), value);
  return at != sorted.end() && *at == value ? at - sorted.begin() : -1;
}

double weighted_mean(const std::vector<double>& values, const std::vector<double>& weights) {
  double sum = 0, total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += values[i] * weights[i];
    total += weights[i];
  }
  return sum / total;
}

Tensor to_tensor(const std::vector<double>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

double weighted_percentile(std::vector<double> values, const std::vector<double>& weights,
                           double rank) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> cdf;
  double sum = 0;
  for (const size_t i : order) cdf.push_back(sum += weights[i]);
  double wanted = rank * sum;
  if (wanted == 0) wanted = std::nextafter(0.0, 1.0);
  const auto last = static_cast<int64_t>(values.size()) - 1;
  const int64_t at =
      std::min<int64_t>(std::lower_bound(cdf.begin(), cdf.end(), wanted) - cdf.begin(), last);
  const auto value = [&](int64_t i) { return values[order[static_cast<size_t>(i)]]; };
  if (cdf[static_cast<size_t>(at)] - wanted > std::numeric_limits<double>::epsilon())
    return value(at);
  int64_t next = std::min(at + 1, last);
  if (weights[order[static_cast<size_t>(next)]] == 0) {
    next = std::upper_bound(cdf.begin(), cdf.end(), cdf[static_cast<size_t>(at)]) - cdf.begin();
    if (next > last) next = at;
  }
  return (value(at) + value(next)) / 2;
}

}  // namespace glia::classic
