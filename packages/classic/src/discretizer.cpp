#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "columns.h"
#include "glia/classic/cluster.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

// The first value at or below which that share of the weight lies.
double inverted_cdf(const std::vector<double>& values, const std::vector<double>& weights,
                    double rank) {
  std::vector<std::pair<double, double>> order;
  for (size_t i = 0; i < values.size(); ++i) order.emplace_back(values[i], weights[i]);
  std::sort(order.begin(), order.end());
  double total = 0, sum = 0;
  for (const auto& [value, weight] : order) total += weight;
  const double wanted = std::max(rank * total, std::nextafter(0.0, 1.0));
  for (const auto& [value, weight] : order)
    if ((sum += weight) >= wanted) return value;
  return order.back().first;
}

std::vector<double> edges_of(const KBinsDiscretizerOptions& options,
                             const std::vector<double>& column, const std::vector<double>& weights,
                             bool weighted) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (size_t i = 0; i < column.size(); ++i) {
    if (weights[i] == 0 && options.strategy != BinStrategy::kQuantile) continue;
    low = std::min(low, column[i]);
    high = std::max(high, column[i]);
  }
  if (low == high) return {};
  const std::vector<double> even = linspace(low, high, options.n_bins + 1);
  if (options.strategy == BinStrategy::kUniform) return even;
  std::vector<double> edges;
  if (options.strategy == BinStrategy::kQuantile) {
    std::vector<double> sorted = column;
    std::sort(sorted.begin(), sorted.end());
    for (const double percent : linspace(0, 100, options.n_bins + 1)) {
      const double q = percent / 100;
      edges.push_back(options.quantile_method == QuantileMethod::kLinear && !weighted
                          ? quantile(sorted, q)
                      : options.quantile_method == QuantileMethod::kInvertedCdf
                          ? inverted_cdf(column, weights, q)
                          : weighted_percentile(column, weights, q));
    }
  } else {
    std::vector<double> begin;
    for (int64_t i = 0; i < options.n_bins; ++i)
      begin.push_back((even[static_cast<size_t>(i)] + even[static_cast<size_t>(i) + 1]) * 0.5);
    KMeans kmeans({.n_clusters = options.n_bins,
                   .init_centers = from_vector(begin, {options.n_bins, 1}),
                   .n_init = 1});
    kmeans.fit(from_vector(column, {static_cast<int64_t>(column.size()), 1}), {},
               weighted ? vector_of(weights) : Tensor());
    std::vector<double> centers = kmeans.cluster_centers.to_vector<double>();
    std::sort(centers.begin(), centers.end());
    edges.push_back(low);
    for (size_t i = 1; i < centers.size(); ++i)
      edges.push_back((centers[i - 1] + centers[i]) * 0.5);
    edges.push_back(high);
  }
  std::vector<double> apart;
  for (size_t i = 0; i < edges.size(); ++i)
    if (i == 0 || edges[i] - edges[i - 1] > 1e-8) apart.push_back(edges[i]);
  return apart;
}

// The edges of each feature; one bin has none.
std::vector<std::vector<double>> split(const Tensor& n_bins, const Tensor& bin_edges) {
  std::vector<std::vector<double>> out;
  const auto all = bin_edges.to_vector<double>();
  auto at = all.begin();
  for (const int64_t bins : n_bins.to_vector<int64_t>()) {
    const int64_t count = bins > 1 ? bins + 1 : 0;
    out.emplace_back(at, at + count);
    at += count;
  }
  return out;
}

}  // namespace

std::vector<Param> KBinsDiscretizer::params() {
  return {{"n_bins", &options_.n_bins},
          {"encode", &options_.encode, {"onehot", "ordinal"}},
          {"strategy", &options_.strategy, {"uniform", "quantile", "kmeans"}},
          {"quantile_method",
           &options_.quantile_method,
           {"linear", "inverted_cdf", "averaged_inverted_cdf"}}};
}

KBinsDiscretizer& KBinsDiscretizer::fit(const Tensor& x, const Tensor& /*y*/,
                                        const Tensor& sample_weight, Where where) {
  const char* op = "KBinsDiscretizer.fit";
  if (options_.n_bins < 2)
    throw ValueError(std::string(op) + ": n_bins = " + std::to_string(options_.n_bins), where);
  const Features given = features_of(op, x, false, -1, where);
  const bool weighted = sample_weight.defined();
  if (weighted && options_.strategy == BinStrategy::kQuantile &&
      options_.quantile_method == QuantileMethod::kLinear)
    throw ValueError(std::string(op) + ": quantile_method linear takes no sample_weight", where);
  const std::vector<double> weights = weights_of(op, sample_weight, given.rows, where);
  std::vector<int64_t> bins;
  std::vector<double> edges;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> own = edges_of(options_, given.column(j), weights, weighted);
    const auto count = std::max<int64_t>(1, static_cast<int64_t>(own.size()) - 1);
    bins.push_back(count);
    if (count > 1) edges.insert(edges.end(), own.begin(), own.end());
  }
  n_bins = vector_of(bins);
  bin_edges = vector_of(edges);
  n_features_in = given.columns;
  return *this;
}

Tensor KBinsDiscretizer::transform(const Tensor& x, Where where) const {
  Features given = features_of("KBinsDiscretizer.transform", x, false, n_features_in, where);
  const std::vector<std::vector<double>> edges = split(n_bins, bin_edges);
  for (int64_t j = 0; j < given.columns; ++j) {
    const auto& own = edges[static_cast<size_t>(j)];
    for (int64_t i = 0; i < given.rows; ++i)
      given.at(i, j) = own.empty()
                           ? 0
                           : static_cast<double>(
                                 std::upper_bound(own.begin() + 1, own.end() - 1, given.at(i, j)) -
                                 own.begin() - 1);
  }
  if (options_.encode == BinEncode::kOrdinal) return given.tensor();
  const auto bins = n_bins.to_vector<int64_t>();
  Features out{.values = {}, .rows = given.rows, .columns = 0, .dtype = given.dtype};
  for (const int64_t count : bins) out.columns += count;
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t i = 0; i < given.rows; ++i) {
    int64_t at = 0;
    for (int64_t j = 0; j < given.columns; at += bins[static_cast<size_t>(j)], ++j)
      out.at(i, at + static_cast<int64_t>(given.at(i, j))) = 1;
  }
  return out.tensor();
}

Tensor KBinsDiscretizer::inverse_transform(const Tensor& x, Where where) const {
  const char* op = "KBinsDiscretizer.inverse_transform";
  require_fitted(op, fitted(), where);
  const auto bins = n_bins.to_vector<int64_t>();
  int64_t width = n_features_in;
  if (options_.encode == BinEncode::kOneHot) {
    width = 0;
    for (const int64_t count : bins) width += count;
  }
  const Features given = features_of(op, x, false, width, where);
  const std::vector<std::vector<double>> edges = split(n_bins, bin_edges);
  Features out{.values = {}, .rows = given.rows, .columns = n_features_in, .dtype = given.dtype};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t i = 0; i < given.rows; ++i) {
    int64_t at = 0;
    for (int64_t j = 0; j < n_features_in; ++j) {
      const int64_t count = bins[static_cast<size_t>(j)];
      int64_t code = 0;
      if (options_.encode == BinEncode::kOneHot) {
        for (int64_t c = 1; c < count; ++c)
          if (given.at(i, at + c) > given.at(i, at + code)) code = c;
        at += count;
      } else {
        const double v = given.at(i, j);
        if (v != std::floor(v) || v < 0 || v >= static_cast<double>(count))
          throw ValueError(
              std::string(op) + ": " + std::to_string(v) + " is no bin of " + std::to_string(count),
              where);
        code = static_cast<int64_t>(v);
      }
      const auto& own = edges[static_cast<size_t>(j)];
      const auto c = static_cast<size_t>(code);
      out.at(i, j) =
          own.empty() ? std::numeric_limits<double>::quiet_NaN() : (own[c] + own[c + 1]) * 0.5;
    }
  }
  return out.tensor();
}

StateDict KBinsDiscretizer::state_dict(Where where) const {
  require_fitted("KBinsDiscretizer.state_dict", fitted(), where);
  return {{"n_bins", n_bins}, {"bin_edges", bin_edges}};
}

void KBinsDiscretizer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("KBinsDiscretizer", state, where);
  const Tensor bins = read.take("n_bins", kI64, {-1});
  int64_t total = 0;
  for (const int64_t count : bins.to_vector<int64_t>()) {
    if (count < 1 || count > (int64_t{1} << 32))
      throw Error("KBinsDiscretizer.load_state_dict: n_bins has " + std::to_string(count), where);
    total += count > 1 ? count + 1 : 0;
  }
  const Tensor edges = read.take("bin_edges", kF64, {total});
  read.finish();
  n_bins = bins;
  bin_edges = edges;
  n_features_in = bins.size(0);
}

}  // namespace glia::classic
