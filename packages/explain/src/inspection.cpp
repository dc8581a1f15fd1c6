#include "glia/explain/inspection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "common.h"
#include "glia/data/source.h"
#include "glia/op.h"

namespace glia::explain {
namespace {

Tensor table(const char* op, const Tensor& x, const std::vector<int64_t>& features,
             const Where& where) {
  require_defined(op, x, where);
  if (x.rank() != 2 || x.size(0) == 0)
    fail(op, "X is (samples, features), not " + x.shape().str(), where);
  for (int64_t f : features)
    if (f < 0 || f >= x.size(1))
      throw ValueError(
          std::string(op) + ": feature " + std::to_string(f) + " of X " + x.shape().str(), where);
  return cast(x, kF64);
}

std::vector<double> column(const Tensor& x, int64_t feature) {
  return index(x, {Slice{}, feature}).to_vector<double>();
}

Tensor with_column(const Tensor& x, int64_t feature, const Tensor& values) {
  return index_update(x, {Slice{}, feature}, values);
}

Tensor said(const char* op, const TableModel& model, const Tensor& x, const Where& where) {
  const NoGrad no_grad;
  const Tensor y = cast(model(x), kF64);
  if (y.shape() == Shape{x.size(0), 1}) return squeeze(y, 1);
  if (y.shape() != Shape{x.size(0)})
    fail(op, "the model gives " + y.shape().str() + " of " + x.shape().str() + ", not (N)", where);
  return y;
}

// As SciPy's mquantiles, by which scikit-learn lays its grids: of n sorted numbers the one at
// 0.4 + q (n + 0.2), from 1 on.
double quantile_of(const std::vector<double>& sorted, double q) {
  const auto n = static_cast<double>(sorted.size());
  if (n < 2) return sorted[0];
  const double at = 0.4 + q * (n + 0.2), below = std::clamp(std::floor(at), 1.0, n - 1);
  const double share = std::clamp(at - below, 0.0, 1.0);
  const auto k = static_cast<size_t>(below);
  return (1 - share) * sorted[k - 1] + share * sorted[k];
}

std::vector<double> grid_of(const Tensor& x, int64_t feature, const PartialDependenceOptions& o,
                            const Where& where) {
  if (o.percentiles.size() != 2 ||
      !(0 <= o.percentiles[0] && o.percentiles[0] < o.percentiles[1] && o.percentiles[1] <= 1))
    throw ValueError("partial_dependence: percentiles are two that rise, from 0 to 1", where);
  if (o.grid_resolution < 2)
    throw ValueError("partial_dependence: grid_resolution is " + std::to_string(o.grid_resolution) +
                         ", not at least 2",
                     where);
  std::vector<double> sorted = column(x, feature);
  std::ranges::sort(sorted);
  std::vector<double> different = sorted;
  different.erase(std::unique(different.begin(), different.end()), different.end());
  if (static_cast<int64_t>(different.size()) < o.grid_resolution) return different;
  const double low = quantile_of(sorted, o.percentiles[0]),
               high = quantile_of(sorted, o.percentiles[1]);
  if (!(low < high))
    throw ValueError("partial_dependence: feature " + std::to_string(feature) +
                         " is constant between the percentiles",
                     where);
  return linspace(low, high, o.grid_resolution, kF64).to_vector<double>();
}

Tensor centred(const Tensor& x) { return x - mean(x); }

}  // namespace

PermutationImportance permutation_importance(const TableScore& score, const Tensor& x,
                                             const Tensor& y,
                                             const PermutationImportanceOptions& options,
                                             Where where) {
  constexpr const char* kOp = "permutation_importance";
  const Tensor given = table(kOp, x, {}, where);
  require_count(kOp, "n_repeats", options.n_repeats, where);
  const double whole = score(given, y);
  const int64_t n = given.size(0), features = given.size(1);
  std::vector<double> all;
  data::Random random(options.random_state, 0);
  for (int64_t f = 0; f < features; ++f) {
    std::vector<double> values = column(given, f);
    for (int64_t r = 0; r < options.n_repeats; ++r) {
      for (int64_t i = n - 1; i > 0; --i)
        std::swap(values[static_cast<size_t>(i)], values[static_cast<size_t>(random.below(i + 1))]);
      all.push_back(whole - score(with_column(given, f, from_vector(values, {n})), y));
    }
  }
  const Tensor importances = from_vector(all, {features, options.n_repeats});
  return {importances, mean(importances, {1}), sqrt(var(importances, {1}, false, 0))};
}

PartialDependence partial_dependence(const TableModel& model, const Tensor& x, int64_t feature,
                                     const PartialDependenceOptions& options, Where where) {
  constexpr const char* kOp = "partial_dependence";
  const Tensor given = table(kOp, x, {feature}, where);
  const std::vector<double> grid = grid_of(given, feature, options, where);
  std::vector<Tensor> all;
  for (double at : grid) {
    all.push_back(said(kOp, model, with_column(given, feature, full({}, at, kF64)), where));
    eval(all.back());
  }
  const Tensor individual = stack(all, 1);
  return {from_vector(grid, {static_cast<int64_t>(grid.size())}), mean(individual, {0}),
          individual};
}

PartialDependence2d partial_dependence(const TableModel& model, const Tensor& x, int64_t feature0,
                                       int64_t feature1, const PartialDependenceOptions& options,
                                       Where where) {
  constexpr const char* kOp = "partial_dependence";
  const Tensor given = table(kOp, x, {feature0, feature1}, where);
  const std::vector<double> first = grid_of(given, feature0, options, where),
                            second = grid_of(given, feature1, options, where);
  std::vector<double> values;
  for (double a : first) {
    const Tensor set = with_column(given, feature0, full({}, a, kF64));
    for (double b : second)
      values.push_back(
          mean(said(kOp, model, with_column(set, feature1, full({}, b, kF64)), where)).item());
  }
  const auto n0 = static_cast<int64_t>(first.size()), n1 = static_cast<int64_t>(second.size());
  return {from_vector(first, {n0}), from_vector(second, {n1}), from_vector(values, {n0, n1})};
}

AccumulatedLocalEffects accumulated_local_effects(const TableModel& model, const Tensor& x,
                                                  int64_t feature, int64_t bins, Where where) {
  constexpr const char* kOp = "accumulated_local_effects";
  const Tensor given = table(kOp, x, {feature}, where);
  require_count(kOp, "bins", bins, where);
  const std::vector<double> values = column(given, feature);
  std::vector<double> sorted = values, edges;
  std::ranges::sort(sorted);
  for (int64_t i = 0; i <= bins; ++i) {
    // A quantile that is a value of the data, so that no bin is empty.
    const auto at =
        static_cast<size_t>(std::ceil(static_cast<double>(i) / static_cast<double>(bins) *
                                      static_cast<double>(sorted.size() - 1)));
    if (edges.empty() || sorted[at] > edges.back()) edges.push_back(sorted[at]);
  }
  if (edges.size() < 2)
    throw ValueError(std::string(kOp) + ": feature " + std::to_string(feature) + " is constant",
                     where);
  // The first bin has its lower edge, the others do not.
  std::vector<double> below, above;
  std::vector<size_t> bin;
  for (double v : values) {
    const size_t b = std::max<int64_t>(std::ranges::lower_bound(edges, v) - edges.begin() - 1, 0);
    bin.push_back(b);
    below.push_back(edges[b]);
    above.push_back(edges[b + 1]);
  }
  const int64_t n = given.size(0);
  const auto rise = (said(kOp, model, with_column(given, feature, from_vector(above, {n})), where) -
                     said(kOp, model, with_column(given, feature, from_vector(below, {n})), where))
                        .to_vector<double>();
  std::vector<double> step(edges.size() - 1, 0);
  std::vector<int64_t> count(edges.size() - 1, 0);
  for (size_t i = 0; i < rise.size(); ++i) {
    step[bin[i]] += rise[i];
    ++count[bin[i]];
  }
  std::vector<double> effects{0};
  for (size_t b = 0; b < step.size(); ++b)
    effects.push_back(effects.back() +
                      (count[b] > 0 ? step[b] / static_cast<double>(count[b]) : 0));
  double middle = 0;
  for (size_t b = 0; b < step.size(); ++b)
    middle +=
        static_cast<double>(count[b]) / static_cast<double>(n) * (effects[b] + effects[b + 1]) / 2;
  for (double& e : effects) e -= middle;
  const auto k = static_cast<int64_t>(edges.size());
  return {from_vector(edges, {k}), from_vector(effects, {k}), from_vector(count, {k - 1})};
}

double h_statistic(const TableModel& model, const Tensor& x, int64_t feature0, int64_t feature1,
                   Where where) {
  constexpr const char* kOp = "h_statistic";
  const Tensor given = table(kOp, x, {feature0, feature1}, where);
  const int64_t n = given.size(0);
  std::vector<Tensor> one, other, both;
  for (int64_t i = 0; i < n; ++i) {
    const Tensor a = index(given, {i, feature0}), b = index(given, {i, feature1});
    const Tensor first = with_column(given, feature0, a);
    one.push_back(mean(said(kOp, model, first, where)));
    other.push_back(mean(said(kOp, model, with_column(given, feature1, b), where)));
    both.push_back(mean(said(kOp, model, with_column(first, feature1, b), where)));
    eval({one.back(), other.back(), both.back()});
  }
  const Tensor joint = centred(stack(both));
  const double all = sum(square(joint)).item();
  if (all == 0) return 0;
  return sum(square(joint - centred(stack(one)) - centred(stack(other)))).item() / all;
}

}  // namespace glia::explain
