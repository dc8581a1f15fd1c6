#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "columns.h"
#include "glia/classic/preprocessing.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "glia/ops/special.h"

namespace glia::classic {
namespace {

constexpr double kBound = 1e-7;  // ranks nearer to an end count as it

// numpy's: linear between points whose x ascend, the ends beyond them.
double interp(double x, const std::vector<double>& xs, const std::vector<double>& ys) {
  const auto above = std::upper_bound(xs.begin(), xs.end(), x);
  if (above == xs.begin()) return ys.front();
  if (above == xs.end()) return ys.back();
  const auto i = static_cast<size_t>(above - xs.begin());
  return (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]) * (x - xs[i - 1]) + ys[i - 1];
}

// The same from the other side: of equal points the first.
double interp_down(double x, const std::vector<double>& xs, const std::vector<double>& ys) {
  const auto at = std::lower_bound(xs.begin(), xs.end(), x);
  if (at == xs.begin()) return ys.front();
  if (at == xs.end()) return ys.back();
  const auto i = static_cast<size_t>(at - xs.begin());
  return (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]) * (x - xs[i]) + ys[i];
}

std::vector<double> column_of(const Tensor& t, int64_t j) {
  const auto all = t.to_vector<double>();
  std::vector<double> out;
  for (int64_t i = 0; i < t.size(0); ++i)
    out.push_back(all[static_cast<size_t>(i * t.size(1) + j)]);
  return out;
}

}  // namespace

std::vector<Param> QuantileTransformer::params() {
  return {{"n_quantiles", &options_.n_quantiles},
          {"output_distribution", &options_.output_distribution, {"uniform", "normal"}},
          {"subsample", &options_.subsample},
          {"random_state", &options_.random_state}};
}

QuantileTransformer& QuantileTransformer::fit(const Tensor& x, const Tensor& /*y*/,
                                              const Tensor& sample_weight, Where where) {
  const char* op = "QuantileTransformer.fit";
  refuse_sample_weight(op, sample_weight, where);
  if (options_.n_quantiles < 1)
    throw ValueError(std::string(op) + ": n_quantiles = " + std::to_string(options_.n_quantiles),
                     where);
  if (options_.subsample && *options_.subsample < options_.n_quantiles)
    throw ValueError(std::string(op) + ": n_quantiles = " + std::to_string(options_.n_quantiles) +
                         " is above subsample = " + std::to_string(*options_.subsample),
                     where);
  const Features given = features_of(op, x, true, -1, where);
  const int64_t count = std::max<int64_t>(1, std::min(options_.n_quantiles, given.rows));
  std::vector<int64_t> rows(static_cast<size_t>(given.rows));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  if (options_.subsample && *options_.subsample < given.rows) {
    data::Random random(options_.random_state);
    for (int64_t i = 0; i < *options_.subsample; ++i)
      std::swap(rows[static_cast<size_t>(i)],
                rows[static_cast<size_t>(i + random.below(given.rows - i))]);
    rows.resize(static_cast<size_t>(*options_.subsample));
  }
  const std::vector<double> levels = linspace(0, 1, count);
  Features out{.values = {}, .rows = count, .columns = given.columns, .dtype = kF64};
  out.values.resize(static_cast<size_t>(count * given.columns));
  for (int64_t j = 0; j < given.columns; ++j) {
    std::vector<double> seen;
    for (const int64_t i : rows)
      if (!std::isnan(given.at(i, j))) seen.push_back(given.at(i, j));
    std::sort(seen.begin(), seen.end());
    if (seen.empty()) seen = {0};
    for (int64_t i = 0; i < count; ++i)
      out.at(i, j) = quantile(seen, levels[static_cast<size_t>(i)]);
  }
  quantiles = out.tensor();
  references = vector_of(levels);
  n_features_in = given.columns;
  return *this;
}

Tensor QuantileTransformer::transform(const Tensor& x, Where where) const {
  Features given = features_of("QuantileTransformer.transform", x, true, n_features_in, where);
  const std::vector<double> levels = references.to_vector<double>();
  const bool normal = options_.output_distribution == OutputDistribution::kNormal;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> points = column_of(quantiles, j);
    for (int64_t i = 0; i < given.rows; ++i) {
      double& v = given.at(i, j);
      if (std::isnan(v)) continue;
      const bool least = normal ? v - kBound < points.front() : v == points.front();
      const bool most = normal ? v + kBound > points.back() : v == points.back();
      // Of values that appear often, the middle of their ranks.
      v = least ? 0 : most ? 1 : 0.5 * (interp(v, points, levels) + interp_down(v, points, levels));
    }
  }
  if (!normal) return given.tensor();
  const double spacing = std::numeric_limits<double>::epsilon();
  const Tensor ends = ndtri(tensor({kBound - spacing, 1 - (kBound - spacing)}));
  const auto bounds = ends.to_vector<double>();
  const Tensor ranks = from_vector(given.values, {given.rows, given.columns});
  return cast(clamp(ndtri(ranks), bounds[0], bounds[1]), given.dtype);
}

Tensor QuantileTransformer::inverse_transform(const Tensor& x, Where where) const {
  Features given =
      features_of("QuantileTransformer.inverse_transform", x, true, n_features_in, where);
  const std::vector<double> levels = references.to_vector<double>();
  const bool normal = options_.output_distribution == OutputDistribution::kNormal;
  if (normal)
    given.values = ndtr(from_vector(given.values, {static_cast<int64_t>(given.values.size())}))
                       .to_vector<double>();
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> points = column_of(quantiles, j);
    for (int64_t i = 0; i < given.rows; ++i) {
      double& v = given.at(i, j);
      if (std::isnan(v)) continue;
      const bool least = normal ? v - kBound < 0 : v == 0, most = normal ? v + kBound > 1 : v == 1;
      v = least ? points.front() : most ? points.back() : interp(v, levels, points);
    }
  }
  return given.tensor();
}

StateDict QuantileTransformer::state_dict(Where where) const {
  require_fitted("QuantileTransformer.state_dict", fitted(), where);
  return {{"quantiles", quantiles}, {"references", references}};
}

void QuantileTransformer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("QuantileTransformer", state, where);
  const Tensor points = read.take("quantiles", kF64, {-1, -1});
  const Tensor levels = read.take("references", kF64, {points.size(0)});
  read.finish();
  const auto ascends = [&](const std::vector<double>& v) {
    if (!std::is_sorted(v.begin(), v.end()))
      throw Error("QuantileTransformer.load_state_dict: what must ascend does not", where);
  };
  ascends(levels.to_vector<double>());
  for (int64_t j = 0; j < points.size(1); ++j) ascends(column_of(points, j));
  quantiles = points;
  references = levels;
  n_features_in = points.size(1);
}

}  // namespace glia::classic
