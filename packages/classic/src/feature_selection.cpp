#include "glia/classic/feature_selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "columns.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "nan.h"

namespace glia::classic {
namespace {

// The continued fraction of the incomplete beta function, by Lentz's method (Numerical
// Recipes, 6.4; DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), h = d;
  for (int m = 1; m < 10000; ++m) {
    const double i = m, even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    const double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return h;
}

// The regularised incomplete beta function.
double beta_inc(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                   : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

// How likely an F of that size or above is by chance.
double f_tail(double f, double d1, double d2) {
  if (std::isnan(f)) return kNaN;
  if (std::isinf(f)) return 0;
  return f <= 0 ? 1 : beta_inc(d2 / 2, d1 / 2, d2 / (d2 + d1 * f));
}

Tensor chosen(std::string_view op, const Tensor& x, const Tensor& support, bool allow_nan,
              int64_t n_features_in, Where where) {
  const Features given = features_of(op, x, allow_nan, n_features_in, where);
  const auto kept = support.to_vector<int64_t>();
  Features out{.values = {},
               .rows = given.rows,
               .columns = static_cast<int64_t>(kept.size()),
               .dtype = given.dtype};
  for (int64_t i = 0; i < given.rows; ++i)
    for (const int64_t j : kept) out.values.push_back(given.at(i, j));
  return out.tensor();
}

// With 0 for what was left out.
Tensor put_back(std::string_view op, const Tensor& x, const Tensor& support, int64_t n_features_in,
                Where where) {
  require_fitted(op, n_features_in > 0, where);
  const Features given = features_of(op, x, true, support.size(0), where);
  const auto kept = support.to_vector<int64_t>();
  Features out{.values = {}, .rows = given.rows, .columns = n_features_in, .dtype = given.dtype};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t i = 0; i < given.rows; ++i)
    for (size_t k = 0; k < kept.size(); ++k)
      out.at(i, kept[k]) = given.at(i, static_cast<int64_t>(k));
  return out.tensor();
}

Tensor checked_support(StateReader& read, int64_t features, const char* name, Where where) {
  Tensor out = read.take("support", kI64, {-1});
  int64_t before = -1;
  for (const int64_t j : out.to_vector<int64_t>()) {
    if (j <= before || j >= features)
      throw Error(std::string(name) + ".load_state_dict: support has " + std::to_string(j), where);
    before = j;
  }
  return out;
}

}  // namespace

// ---- Tests ------------------------------------------------------------------------------------

FeatureScores f_classif(const Tensor& x, const Tensor& y, Where where) {
  const Features given = features_of("f_classif", x, false, -1, where);
  const ClassTargets targets = check_classes("f_classif", y, given.rows, where);
  const auto codes = targets.codes.to_vector<int64_t>();
  const auto k = static_cast<size_t>(targets.classes.size(0));
  const auto n = static_cast<double>(given.rows);
  std::vector<double> scores, pvalues;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> column = given.column(j);
    double mean = 0, between = 0, within = 0;
    std::vector<double> sums(k), counts(k);
    for (size_t i = 0; i < column.size(); ++i) {
      mean += column[i] / n;
      sums[static_cast<size_t>(codes[i])] += column[i];
      ++counts[static_cast<size_t>(codes[i])];
    }
    for (size_t c = 0; c < k; ++c) {
      sums[c] /= counts[c];
      between += counts[c] * (sums[c] - mean) * (sums[c] - mean);
    }
    for (size_t i = 0; i < column.size(); ++i) {
      const double difference = column[i] - sums[static_cast<size_t>(codes[i])];
      within += difference * difference;
    }
    const double d1 = static_cast<double>(k) - 1, d2 = n - static_cast<double>(k);
    scores.push_back((between / d1) / (within / d2));
    pvalues.push_back(f_tail(scores.back(), d1, d2));
  }
  return {vector_of(scores), vector_of(pvalues)};
}

FeatureScores f_regression(const Tensor& x, const Tensor& y, Where where) {
  const Features given = features_of("f_regression", x, false, -1, where);
  const Tensor targets = check_targets("f_regression", y, given.rows, where);
  if (targets.rank() != 1) throw ShapeError("f_regression: y is (samples)", where);
  const auto target = targets.to_vector<double>();
  const auto n = static_cast<double>(given.rows);
  const double mean_y = std::accumulate(target.begin(), target.end(), 0.0) / n;
  std::vector<double> scores, pvalues;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> column = given.column(j);
    const double mean = std::accumulate(column.begin(), column.end(), 0.0) / n;
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < column.size(); ++i) {
      xx += (column[i] - mean) * (column[i] - mean);
      yy += (target[i] - mean_y) * (target[i] - mean_y);
      xy += (column[i] - mean) * (target[i] - mean_y);
    }
    const double r = xx > 0 && yy > 0 ? xy / std::sqrt(xx) / std::sqrt(yy) : 0;
    const double f = r * r / (1 - r * r) * (n - 2);
    // As scikit-learn: finite scores, so that they can be ordered.
    scores.push_back(std::isnan(f) ? 0 : std::isinf(f) ? std::numeric_limits<double>::max() : f);
    pvalues.push_back(std::isnan(f) ? 1 : f_tail(f, 1, n - 2));
  }
  return {vector_of(scores), vector_of(pvalues)};
}

FeatureScores chi2(const Tensor& x, const Tensor& y, Where where) {
  const Features given = features_of("chi2", x, false, -1, where);
  for (const double v : given.values)
    if (v < 0) throw ValueError("chi2: X contains the negative number " + std::to_string(v), where);
  const ClassTargets targets = check_classes("chi2", y, given.rows, where);
  const auto codes = targets.codes.to_vector<int64_t>();
  const auto k = static_cast<size_t>(std::max<int64_t>(2, targets.classes.size(0)));
  std::vector<double> share(k), scores;
  for (const int64_t code : codes)
    share[static_cast<size_t>(code)] += 1 / static_cast<double>(given.rows);
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> column = given.column(j);
    std::vector<double> observed(k);
    for (size_t i = 0; i < column.size(); ++i) observed[static_cast<size_t>(codes[i])] += column[i];
    const double total = std::accumulate(column.begin(), column.end(), 0.0);
    double sum = 0;
    for (size_t c = 0; c < k; ++c) {
      const double expected = share[c] * total;
      sum += (observed[c] - expected) * (observed[c] - expected) / expected;
    }
    scores.push_back(sum);
  }
  const Tensor s = vector_of(scores);
  return {s, glia::where(isnan(s), kNaN, gammaincc(static_cast<double>(k - 1) / 2, s / 2))};
}

// ---- VarianceThreshold ------------------------------------------------------------------------

std::vector<Param> VarianceThreshold::params() { return {{"threshold", &options_.threshold}}; }

VarianceThreshold& VarianceThreshold::fit(const Tensor& x, const Tensor& /*y*/,
                                          const Tensor& sample_weight, Where where) {
  const char* op = "VarianceThreshold.fit";
  refuse_sample_weight(op, sample_weight, where);
  if (!(options_.threshold >= 0))
    throw ValueError(std::string(op) + ": threshold = " + std::to_string(options_.threshold),
                     where);
  const Features given = features_of(op, x, true, -1, where);
  std::vector<double> found;
  std::vector<int64_t> kept;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    const auto n = static_cast<double>(seen.size());
    double variance = 0;
    const double mean = seen.empty() ? 0 : std::accumulate(seen.begin(), seen.end(), 0.0) / n;
    for (const double v : seen) variance += (v - mean) * (v - mean) / n;
    // What is constant must not be kept for rounding.
    if (options_.threshold == 0 && !seen.empty())
      variance = std::min(variance, seen.back() - seen.front());
    found.push_back(variance);
    if (variance > options_.threshold) kept.push_back(j);
  }
  if (kept.empty())
    throw ValueError(std::string(op) + ": no feature has a variance above " +
                         to_text(ParamValue(options_.threshold)),
                     where);
  variances = vector_of(found);
  support = vector_of(kept);
  n_features_in = given.columns;
  return *this;
}

Tensor VarianceThreshold::transform(const Tensor& x, Where where) const {
  return chosen("VarianceThreshold.transform", x, support, true, n_features_in, where);
}
Tensor VarianceThreshold::inverse_transform(const Tensor& x, Where where) const {
  return put_back("VarianceThreshold.inverse_transform", x, support, n_features_in, where);
}

StateDict VarianceThreshold::state_dict(Where where) const {
  require_fitted("VarianceThreshold.state_dict", fitted(), where);
  return {{"variances", variances}, {"support", support}};
}

void VarianceThreshold::load_state_dict(const StateDict& state, Where where) {
  StateReader read("VarianceThreshold", state, where);
  const Tensor given = read.take("variances", kF64, {-1});
  const Tensor kept = checked_support(read, given.size(0), "VarianceThreshold", where);
  read.finish();
  variances = given;
  support = kept;
  n_features_in = given.size(0);
}

// ---- SelectKBest ------------------------------------------------------------------------------

std::vector<Param> SelectKBest::params() {
  return {{"score_func", &options_.score_func, {"f_classif", "f_regression", "chi2"}},
          {"k", &options_.k}};
}

SelectKBest& SelectKBest::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                              Where where) {
  const char* op = "SelectKBest.fit";
  refuse_sample_weight(op, sample_weight, where);
  const int64_t d = check_x(op, x, where).size(1), k = std::min(options_.k.value_or(d), d);
  if (k < 1) throw ValueError(std::string(op) + ": k = " + std::to_string(k), where);
  const FeatureScores found =
      options_.score_func == ScoreFunction::kFClassif      ? f_classif(x, y, where)
      : options_.score_func == ScoreFunction::kFRegression ? f_regression(x, y, where)
                                                           : chi2(x, y, where);
  std::vector<double> order_by = found.scores.to_vector<double>();
  for (double& s : order_by)
    if (std::isnan(s)) s = std::numeric_limits<double>::lowest();
  std::vector<int64_t> order(static_cast<size_t>(d));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return order_by[static_cast<size_t>(a)] < order_by[static_cast<size_t>(b)];
  });
  std::vector<int64_t> kept(order.end() - k, order.end());
  std::sort(kept.begin(), kept.end());
  scores = found.scores;
  pvalues = found.pvalues;
  support = vector_of(kept);
  n_features_in = d;
  return *this;
}

Tensor SelectKBest::transform(const Tensor& x, Where where) const {
  return chosen("SelectKBest.transform", x, support, false, n_features_in, where);
}
Tensor SelectKBest::inverse_transform(const Tensor& x, Where where) const {
  return put_back("SelectKBest.inverse_transform", x, support, n_features_in, where);
}

// Scores that are undefined are not in a file, whose numbers are finite.
StateDict SelectKBest::state_dict(Where where) const {
  require_fitted("SelectKBest.state_dict", fitted(), where);
  const auto finite = [](const Tensor& t) { return glia::where(isfinite(t), t, 0.0); };
  return {{"scores", finite(scores)},
          {"pvalues", finite(pvalues)},
          {"defined", cast(isfinite(scores), kI64)},
          {"support", support}};
}

void SelectKBest::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SelectKBest", state, where);
  const Tensor given = read.take("scores", kF64, {-1});
  const Tensor chance = read.take("pvalues", kF64, given.shape());
  const Tensor defined = read.take("defined", kI64, given.shape()) != 0;
  const Tensor kept = checked_support(read, given.size(0), "SelectKBest", where);
  read.finish();
  scores = glia::where(defined, given, kNaN);
  pvalues = glia::where(defined, chance, kNaN);
  support = kept;
  n_features_in = given.size(0);
}

}  // namespace glia::classic
