#include "glia/classic/impute.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "columns.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "nan.h"

namespace glia::classic {
namespace {

// With NaN for what is missing.
Features with_gaps(std::string_view op, const Tensor& x, const std::optional<double>& missing,
                   int64_t n_features_in, Where where) {
  Features out = features_of(op, x, !missing || std::isnan(*missing), n_features_in, where);
  if (missing)
    for (double& v : out.values)
      if (v == *missing) v = kNaN;
  return out;
}

std::vector<int64_t> lacking(const Features& x) {
  std::vector<int64_t> out;
  for (int64_t j = 0; j < x.columns; ++j)
    if (static_cast<int64_t>(x.present(j).size()) < x.rows) out.push_back(j);
  return out;
}

// The features of x that are kept, and indicators of what was missing in `gaps`.
Tensor assembled(const Features& x, const std::vector<bool>& kept, const Features& gaps,
                 const std::vector<int64_t>& indicators) {
  Features out{.values = {}, .rows = x.rows, .columns = 0, .dtype = x.dtype};
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.columns; ++j)
      if (kept[static_cast<size_t>(j)]) out.values.push_back(x.at(i, j));
    for (const int64_t j : indicators) out.values.push_back(std::isnan(gaps.at(i, j)));
  }
  out.columns = static_cast<int64_t>(out.values.size()) / x.rows;
  return out.tensor();
}

Tensor checked_indicators(StateReader& read, const StateDict& state, int64_t features,
                          const char* name, Where where) {
  int64_t count = 0;
  for (const auto& [key, value] : state)
    if (key == "indicators" && value.defined() && value.rank() == 1) count = value.size(0);
  const Tensor out = read.take("indicators", kI64, {count});
  for (const int64_t j : out.to_vector<int64_t>())
    if (j < 0 || j >= features)
      throw Error(std::string(name) + ".load_state_dict: indicators has " + std::to_string(j),
                  where);
  return out;
}

double most_frequent(const std::vector<double>& sorted) {
  double best = sorted.front();
  size_t most = 0;
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i;
    while (end < sorted.size() && sorted[end] == sorted[i]) ++end;
    if (end - i > most) {
      most = end - i;
      best = sorted[i];
    }
    i = end;
  }
  return best;
}

}  // namespace

// ---- SimpleImputer ----------------------------------------------------------------------------

std::vector<Param> SimpleImputer::params() {
  return {{"strategy", &options_.strategy, {"mean", "median", "most_frequent", "constant"}},
          {"missing_values", &options_.missing_values},
          {"fill_value", &options_.fill_value},
          {"add_indicator", &options_.add_indicator},
          {"keep_empty_features", &options_.keep_empty_features}};
}

SimpleImputer& SimpleImputer::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                  Where where) {
  const char* op = "SimpleImputer.fit";
  refuse_sample_weight(op, sample_weight, where);
  const Features given = with_gaps(op, x, options_.missing_values, -1, where);
  std::vector<double> values;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    double value = options_.fill_value;
    if (seen.empty()) {
      if (!options_.keep_empty_features)
        value = kNaN;
      else if (options_.strategy != ImputeStrategy::kConstant)
        value = 0;
    } else if (options_.strategy == ImputeStrategy::kMean) {
      double sum = 0;
      for (const double v : seen) sum += v;
      value = sum / static_cast<double>(seen.size());
    } else if (options_.strategy == ImputeStrategy::kMedian) {
      value = quantile(seen, 0.5);
    } else if (options_.strategy == ImputeStrategy::kMostFrequent) {
      value = most_frequent(seen);
    }
    values.push_back(value);
  }
  if (std::ranges::all_of(values, [](double v) { return std::isnan(v); }))
    throw ValueError(std::string(op) + ": no feature has a value", where);
  statistics = vector_of(values);
  indicators = vector_of(options_.add_indicator ? lacking(given) : std::vector<int64_t>());
  n_features_in = given.columns;
  return *this;
}

Tensor SimpleImputer::transform(const Tensor& x, Where where) const {
  Features given =
      with_gaps("SimpleImputer.transform", x, options_.missing_values, n_features_in, where);
  const Features gaps = given;
  const auto values = statistics.to_vector<double>();
  std::vector<bool> kept;
  for (const double v : values) kept.push_back(!std::isnan(v));
  for (int64_t i = 0; i < given.rows; ++i)
    for (int64_t j = 0; j < given.columns; ++j)
      if (std::isnan(given.at(i, j))) given.at(i, j) = values[static_cast<size_t>(j)];
  return assembled(given, kept, gaps, indicators.to_vector<int64_t>());
}

StateDict SimpleImputer::state_dict(Where where) const {
  require_fitted("SimpleImputer.state_dict", fitted(), where);
  // Files of estimators have finite numbers.
  return {{"statistics", glia::where(isnan(statistics), 0.0, statistics)},
          {"kept", cast(~isnan(statistics), kI64)},
          {"indicators", indicators}};
}

void SimpleImputer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SimpleImputer", state, where);
  const Tensor values = read.take("statistics", kF64, {-1});
  const Tensor kept = read.take("kept", kI64, values.shape());
  const Tensor marks = checked_indicators(read, state, values.size(0), "SimpleImputer", where);
  read.finish();
  statistics = glia::where(kept != 0, values, kNaN);
  indicators = marks;
  n_features_in = values.size(0);
}

// ---- KNNImputer -------------------------------------------------------------------------------

std::vector<Param> KNNImputer::params() {
  return {{"n_neighbors", &options_.n_neighbors},
          {"weights", &options_.weights, {"uniform", "distance"}},
          {"missing_values", &options_.missing_values},
          {"add_indicator", &options_.add_indicator},
          {"keep_empty_features", &options_.keep_empty_features}};
}

KNNImputer& KNNImputer::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                            Where where) {
  const char* op = "KNNImputer.fit";
  refuse_sample_weight(op, sample_weight, where);
  if (options_.n_neighbors < 1)
    throw ValueError(std::string(op) + ": n_neighbors = " + std::to_string(options_.n_neighbors),
                     where);
  Features given = with_gaps(op, x, options_.missing_values, -1, where);
  indicators = vector_of(options_.add_indicator ? lacking(given) : std::vector<int64_t>());
  given.dtype = kF64;
  fit_x = given.tensor();
  n_features_in = given.columns;
  return *this;
}

Tensor KNNImputer::transform(const Tensor& x, Where where) const {
  const char* op = "KNNImputer.transform";
  Features given = with_gaps(op, x, options_.missing_values, n_features_in, where);
  const Features gaps = given;
  const Features donors = features_of(op, fit_x, true, n_features_in, where);
  const int64_t d = given.columns;
  std::vector<bool> kept;
  std::vector<double> means;
  for (int64_t j = 0; j < d; ++j) {
    const std::vector<double> seen = donors.present(j);
    double sum = 0;
    for (const double v : seen) sum += v;
    kept.push_back(!seen.empty() || options_.keep_empty_features);
    means.push_back(seen.empty() ? 0 : sum / static_cast<double>(seen.size()));
  }
  parallel_for(given.rows, [&](int64_t i) {
    bool any = false;
    for (int64_t j = 0; j < d; ++j) any |= std::isnan(gaps.at(i, j));
    if (!any) return;
    std::vector<double> distance(static_cast<size_t>(donors.rows), kNaN);
    for (int64_t r = 0; r < donors.rows; ++r) {
      double sum = 0, count = 0;
      for (int64_t j = 0; j < d; ++j) {
        const double difference = gaps.at(i, j) - donors.at(r, j);
        if (std::isnan(difference)) continue;
        sum += difference * difference;
        ++count;
      }
      if (count > 0)
        distance[static_cast<size_t>(r)] = std::sqrt(sum * (static_cast<double>(d) / count));
    }
    for (int64_t j = 0; j < d; ++j) {
      if (!std::isnan(gaps.at(i, j))) continue;
      std::vector<std::pair<double, double>> near;  // distances and values
      for (int64_t r = 0; r < donors.rows; ++r)
        if (!std::isnan(donors.at(r, j)) && !std::isnan(distance[static_cast<size_t>(r)]))
          near.emplace_back(distance[static_cast<size_t>(r)], donors.at(r, j));
      if (near.empty()) {
        given.at(i, j) = means[static_cast<size_t>(j)];
        continue;
      }
      std::stable_sort(near.begin(), near.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      near.resize(std::min(near.size(), static_cast<size_t>(options_.n_neighbors)));
      const bool same = near.front().first == 0;  // then only those count
      double sum = 0, total = 0;
      for (const auto& [far, value] : near) {
        const double w = options_.weights == NeighborWeights::kUniform ? 1
                         : same                                        ? far == 0
                                                                       : 1 / far;
        sum += w * value;
        total += w;
      }
      given.at(i, j) = sum / total;
    }
  });
  return assembled(given, kept, gaps, indicators.to_vector<int64_t>());
}

StateDict KNNImputer::state_dict(Where where) const {
  require_fitted("KNNImputer.state_dict", fitted(), where);
  return {{"fit_x", glia::where(isnan(fit_x), 0.0, fit_x)},
          {"present", cast(~isnan(fit_x), kI64)},
          {"indicators", indicators}};
}

void KNNImputer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KNNImputer", state, where);
  const Tensor values = read.take("fit_x", kF64, {-1, -1});
  const Tensor present = read.take("present", kI64, values.shape());
  const Tensor marks = checked_indicators(read, state, values.size(1), "KNNImputer", where);
  read.finish();
  fit_x = glia::where(present != 0, values, kNaN);
  indicators = marks;
  n_features_in = values.size(1);
}

}  // namespace glia::classic
