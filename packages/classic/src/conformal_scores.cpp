// Scores, thresholds and sets of conformal prediction.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "columns.h"
#include "glia/classic/conformal.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "linear.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

Grid probabilities_of(const char* op, const Tensor& y_prob, Where where) {
  Grid p = grid_of(op, y_prob, "y_prob", where);
  if (p.columns < 2) throw ShapeError(std::string(op) + ": y_prob is (samples, classes)", where);
  for (const double value : p.values)
    if (!(value >= 0 && value <= 1 + 1e-5))
      throw ValueError(std::string(op) + ": " + to_text(ParamValue(value)) + " is no probability",
                       where);
  return p;
}

// Of each class of each sample how badly it fits.
std::vector<double> all_scores(const Grid& p, ConformityScore score, uint64_t seed) {
  std::vector<double> out(p.values.size());
  data::Random random(seed, 5);
  std::vector<int64_t> order(static_cast<size_t>(p.columns));
  for (int64_t i = 0; i < p.rows; ++i) {
    const double* row = p.values.data() + i * p.columns;
    double* own = out.data() + i * p.columns;
    if (score == ConformityScore::kLac) {
      for (int64_t c = 0; c < p.columns; ++c) own[c] = 1 - row[c];
      continue;
    }
    const double u = score == ConformityScore::kApsRandomized ? random.uniform() : 0;
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return row[a] > row[b]; });
    double sum = 0;
    for (const int64_t c : order) {
      sum += row[c];
      own[c] = sum - u * row[c];
    }
  }
  return out;
}

std::vector<int64_t> classes_in(const char* op, const Tensor& y, const Grid& p, Where where) {
  const Grid given = grid_of(op, y, "y", where);
  require_rows(op, given, p, where);
  std::vector<int64_t> labels = labels_of(op, given, "y", where);
  for (const int64_t label : labels)
    if (label < 0 || label >= p.columns)
      throw ValueError(std::string(op) + ": y has the class " + std::to_string(label) + " of " +
                           std::to_string(p.columns),
                       where);
  return labels;
}

}  // namespace

Tensor conformity_scores(const Tensor& y_prob, const Tensor& y, ConformityScore score,
                         uint64_t random_state, Where where) {
  const char* op = "conformity_scores";
  const Grid p = probabilities_of(op, y_prob, where);
  const std::vector<int64_t> labels = classes_in(op, y, p, where);
  const std::vector<double> all = all_scores(p, score, random_state);
  std::vector<double> out;
  for (int64_t i = 0; i < p.rows; ++i) out.push_back(all[i * p.columns + labels[i]]);
  return to_tensor(out);
}

double conformal_quantile(const Tensor& scores, double confidence_level, Where where) {
  const char* op = "conformal_quantile";
  require_option(confidence_level > 0 && confidence_level < 1, op, "confidence_level",
                 confidence_level, where);
  Grid s = grid_of(op, scores, "scores", where);
  const auto n = static_cast<double>(s.rows);
  // A little less than what rounding may have added to a whole number.
  const double rank = std::ceil(confidence_level * (n + 1) * (1 - 1e-14));
  if (rank > n) return std::numeric_limits<double>::infinity();
  const auto at = s.values.begin() + static_cast<int64_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(s.values.begin(), at, s.values.end());
  return *at;
}

Tensor prediction_sets(const Tensor& y_prob, double threshold, ConformityScore score,
                       uint64_t random_state, Where where) {
  const char* op = "prediction_sets";
  if (std::isnan(threshold)) throw ValueError(std::string(op) + ": the threshold is NaN", where);
  const Grid p = probabilities_of(op, y_prob, where);
  const std::vector<double> all = all_scores(p, score, random_state);
  const Tensor scores = from_vector(all, {p.rows, p.columns});
  const Tensor in = scores <= threshold;
  if (score != ConformityScore::kAps) return in;
  const Tensor best = argmin(scores, 1, true);
  return in | (arange(0, p.columns, 1, kI64) == best);
}

double classification_coverage_score(const Tensor& y_true, const Tensor& sets, Where where) {
  const char* op = "classification_coverage_score";
  const Grid in = grid_of(op, cast(sets, kF64), "sets", where);
  require_flags(op, in, "sets", where);
  const std::vector<int64_t> labels = classes_in(op, y_true, in, where);
  double right = 0;
  for (int64_t i = 0; i < in.rows; ++i) right += in.at(i, labels[i]);
  return right / static_cast<double>(in.rows);
}

double classification_mean_width_score(const Tensor& sets, Where where) {
  const char* op = "classification_mean_width_score";
  const Grid in = grid_of(op, cast(sets, kF64), "sets", where);
  require_flags(op, in, "sets", where);
  return std::accumulate(in.values.begin(), in.values.end(), 0.0) / static_cast<double>(in.rows);
}

double regression_coverage_score(const Tensor& y_true, const Tensor& lower, const Tensor& upper,
                                 Where where) {
  const char* op = "regression_coverage_score";
  const Grid y = grid_of(op, y_true, "y_true", where), low = any_grid_of(op, lower, "lower", where),
             high = any_grid_of(op, upper, "upper", where);
  require_same_shape(op, y, low, where);
  require_same_shape(op, y, high, where);
  double in = 0;
  for (size_t i = 0; i < y.values.size(); ++i)
    in += low.values[i] <= y.values[i] && y.values[i] <= high.values[i] ? 1 : 0;
  return in / static_cast<double>(y.values.size());
}

double regression_mean_width_score(const Tensor& lower, const Tensor& upper, Where where) {
  const char* op = "regression_mean_width_score";
  const Grid low = any_grid_of(op, lower, "lower", where),
             high = any_grid_of(op, upper, "upper", where);
  require_same_shape(op, low, high, where);
  double width = 0;
  for (size_t i = 0; i < low.values.size(); ++i) width += high.values[i] - low.values[i];
  return width / static_cast<double>(low.values.size());
}

}  // namespace glia::classic
