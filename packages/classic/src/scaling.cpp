#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "columns.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"
#include "glia/ops/special.h"

namespace glia::classic {
namespace {

// As scikit-learn: what is hardly more than nothing does not divide.
double divisor(double scale) {
  return std::abs(scale) < 10 * std::numeric_limits<double>::epsilon() ? 1 : scale;
}

// f(value, feature) of all, missing ones too.
template <class F>
Tensor each(Features x, F&& f) {
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.columns; ++j) x.at(i, j) = f(x.at(i, j), j);
  return x.tensor();
}

// A vector of each feature.
struct PerFeature {
  std::vector<double> values;
  explicit PerFeature(const Tensor& t) : values(t.to_vector<double>()) {}
  double operator[](int64_t j) const { return values[static_cast<size_t>(j)]; }
};

}  // namespace

// ---- MinMaxScaler -----------------------------------------------------------------------------

std::vector<Param> MinMaxScaler::params() {
  return {{"feature_min", &options_.feature_min},
          {"feature_max", &options_.feature_max},
          {"clip", &options_.clip}};
}

MinMaxScaler& MinMaxScaler::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                Where where) {
  const char* op = "MinMaxScaler.fit";
  refuse_sample_weight(op, sample_weight, where);
  if (!(options_.feature_min < options_.feature_max))
    throw ValueError(std::string(op) + ": feature_min = " + std::to_string(options_.feature_min) +
                         " is not below feature_max = " + std::to_string(options_.feature_max),
                     where);
  const Features given = features_of(op, x, true, -1, where);
  std::vector<double> low, high, range, factor, shift;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    low.push_back(seen.empty() ? 0 : seen.front());
    high.push_back(seen.empty() ? 0 : seen.back());
    range.push_back(high.back() - low.back());
    factor.push_back((options_.feature_max - options_.feature_min) / divisor(range.back()));
    shift.push_back(options_.feature_min - low.back() * factor.back());
  }
  min = vector_of(shift);
  scale = vector_of(factor);
  data_min = vector_of(low);
  data_max = vector_of(high);
  data_range = vector_of(range);
  n_features_in = given.columns;
  return *this;
}

Tensor MinMaxScaler::transform(const Tensor& x, Where where) const {
  const Features given = features_of("MinMaxScaler.transform", x, true, n_features_in, where);
  const PerFeature factor(scale), shift(min);
  return each(given, [&](double v, int64_t j) {
    const double scaled = v * factor[j] + shift[j];
    return options_.clip && !std::isnan(v)
               ? std::clamp(scaled, options_.feature_min, options_.feature_max)
               : scaled;
  });
}

Tensor MinMaxScaler::inverse_transform(const Tensor& x, Where where) const {
  const Features given =
      features_of("MinMaxScaler.inverse_transform", x, true, n_features_in, where);
  const PerFeature factor(scale), shift(min);
  return each(given, [&](double v, int64_t j) { return (v - shift[j]) / factor[j]; });
}

StateDict MinMaxScaler::state_dict(Where where) const {
  require_fitted("MinMaxScaler.state_dict", fitted(), where);
  return {{"min", min},
          {"scale", scale},
          {"data_min", data_min},
          {"data_max", data_max},
          {"data_range", data_range}};
}

void MinMaxScaler::load_state_dict(const StateDict& state, Where where) {
  StateReader read("MinMaxScaler", state, where);
  const Tensor shift = read.take("min", kF64, {-1});
  const Shape shape = shift.shape();
  const Tensor factor = read.take("scale", kF64, shape), low = read.take("data_min", kF64, shape);
  const Tensor high = read.take("data_max", kF64, shape);
  const Tensor range = read.take("data_range", kF64, shape);
  read.finish();
  min = shift;
  scale = factor;
  data_min = low;
  data_max = high;
  data_range = range;
  n_features_in = shape[0];
}

// ---- MaxAbsScaler -----------------------------------------------------------------------------

std::vector<Param> MaxAbsScaler::params() { return {{"clip", &options_.clip}}; }

MaxAbsScaler& MaxAbsScaler::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                Where where) {
  refuse_sample_weight("MaxAbsScaler.fit", sample_weight, where);
  const Features given = features_of("MaxAbsScaler.fit", x, true, -1, where);
  std::vector<double> most, factor;
  for (int64_t j = 0; j < given.columns; ++j) {
    double largest = 0;
    for (const double v : given.present(j)) largest = std::max(largest, std::abs(v));
    most.push_back(largest);
    factor.push_back(divisor(largest));
  }
  max_abs = vector_of(most);
  scale = vector_of(factor);
  n_features_in = given.columns;
  return *this;
}

Tensor MaxAbsScaler::transform(const Tensor& x, Where where) const {
  const Features given = features_of("MaxAbsScaler.transform", x, true, n_features_in, where);
  const PerFeature factor(scale);
  return each(given, [&](double v, int64_t j) {
    const double scaled = v / factor[j];
    return options_.clip && !std::isnan(v) ? std::clamp(scaled, -1.0, 1.0) : scaled;
  });
}

Tensor MaxAbsScaler::inverse_transform(const Tensor& x, Where where) const {
  const Features given =
      features_of("MaxAbsScaler.inverse_transform", x, true, n_features_in, where);
  const PerFeature factor(scale);
  return each(given, [&](double v, int64_t j) { return v * factor[j]; });
}

StateDict MaxAbsScaler::state_dict(Where where) const {
  require_fitted("MaxAbsScaler.state_dict", fitted(), where);
  return {{"scale", scale}, {"max_abs", max_abs}};
}

void MaxAbsScaler::load_state_dict(const StateDict& state, Where where) {
  StateReader read("MaxAbsScaler", state, where);
  const Tensor factor = read.take("scale", kF64, {-1});
  const Tensor most = read.take("max_abs", kF64, factor.shape());
  read.finish();
  scale = factor;
  max_abs = most;
  n_features_in = factor.size(0);
}

// ---- RobustScaler -----------------------------------------------------------------------------

std::vector<Param> RobustScaler::params() {
  return {{"with_centering", &options_.with_centering},
          {"with_scaling", &options_.with_scaling},
          {"quantile_min", &options_.quantile_min},
          {"quantile_max", &options_.quantile_max},
          {"unit_variance", &options_.unit_variance}};
}

RobustScaler& RobustScaler::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& sample_weight,
                                Where where) {
  const char* op = "RobustScaler.fit";
  refuse_sample_weight(op, sample_weight, where);
  const double low = options_.quantile_min, high = options_.quantile_max;
  if (!(0 <= low && low <= high && high <= 100))
    throw ValueError(std::string(op) + ": quantile_min = " + std::to_string(low) +
                         " and quantile_max = " + std::to_string(high) +
                         " are no range in [0, 100]",
                     where);
  const Features given = features_of(op, x, true, -1, where);
  const Tensor ends = ndtri(tensor({low / 100, high / 100}));
  const double normal =
      options_.unit_variance ? ends.to_vector<double>()[1] - ends.to_vector<double>()[0] : 1;
  std::vector<double> centers, scales;
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    const bool any = !seen.empty();
    centers.push_back(any && options_.with_centering ? quantile(seen, 0.5) : 0);
    scales.push_back(any && options_.with_scaling
                         ? divisor(quantile(seen, high / 100) - quantile(seen, low / 100)) / normal
                         : 1);
  }
  center = vector_of(centers);
  scale = vector_of(scales);
  n_features_in = given.columns;
  return *this;
}

Tensor RobustScaler::transform(const Tensor& x, Where where) const {
  const Features given = features_of("RobustScaler.transform", x, true, n_features_in, where);
  const PerFeature shift(center), factor(scale);
  return each(given, [&](double v, int64_t j) { return (v - shift[j]) / factor[j]; });
}

Tensor RobustScaler::inverse_transform(const Tensor& x, Where where) const {
  const Features given =
      features_of("RobustScaler.inverse_transform", x, true, n_features_in, where);
  const PerFeature shift(center), factor(scale);
  return each(given, [&](double v, int64_t j) { return v * factor[j] + shift[j]; });
}

StateDict RobustScaler::state_dict(Where where) const {
  require_fitted("RobustScaler.state_dict", fitted(), where);
  return {{"center", center}, {"scale", scale}};
}

void RobustScaler::load_state_dict(const StateDict& state, Where where) {
  StateReader read("RobustScaler", state, where);
  const Tensor shift = read.take("center", kF64, {-1});
  const Tensor factor = read.take("scale", kF64, shift.shape());
  read.finish();
  center = shift;
  scale = factor;
  n_features_in = shift.size(0);
}

// ---- Normalizer, Binarizer --------------------------------------------------------------------

namespace {

StateDict width_alone(std::string_view op, int64_t n_features_in, Where where) {
  require_fitted(op, n_features_in > 0, where);
  return {{"n_features_in", tensor(n_features_in)}};
}

int64_t width_of(std::string_view name, const StateDict& state, Where where) {
  StateReader read(name, state, where);
  const int64_t width = read.count("n_features_in");
  read.finish();
  if (width == 0) throw Error(std::string(name) + ".load_state_dict: n_features_in is 0", where);
  return width;
}

}  // namespace

std::vector<Param> Normalizer::params() { return {{"norm", &options_.norm, {"l1", "l2", "max"}}}; }

Normalizer& Normalizer::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& /*sample_weight*/,
                            Where where) {
  n_features_in = check_x("Normalizer.fit", x, where).size(1);
  return *this;
}

Tensor Normalizer::transform(const Tensor& x, Where where) const {
  Features given = features_of("Normalizer.transform", x, false, n_features_in, where);
  for (int64_t i = 0; i < given.rows; ++i) {
    double norm = 0;
    for (int64_t j = 0; j < given.columns; ++j) {
      const double v = std::abs(given.at(i, j));
      norm = options_.norm == Norm::kMax  ? std::max(norm, v)
             : options_.norm == Norm::kL1 ? norm + v
                                          : norm + v * v;
    }
    if (options_.norm == Norm::kL2) norm = std::sqrt(norm);
    for (int64_t j = 0; j < given.columns; ++j) given.at(i, j) /= divisor(norm);
  }
  return given.tensor();
}

StateDict Normalizer::state_dict(Where where) const {
  return width_alone("Normalizer.state_dict", n_features_in, where);
}
void Normalizer::load_state_dict(const StateDict& state, Where where) {
  n_features_in = width_of("Normalizer", state, where);
}

std::vector<Param> Binarizer::params() { return {{"threshold", &options_.threshold}}; }

Binarizer& Binarizer::fit(const Tensor& x, const Tensor& /*y*/, const Tensor& /*sample_weight*/,
                          Where where) {
  n_features_in = check_x("Binarizer.fit", x, where).size(1);
  return *this;
}

Tensor Binarizer::transform(const Tensor& x, Where where) const {
  return each(features_of("Binarizer.transform", x, false, n_features_in, where),
              [&](double v, int64_t) { return v > options_.threshold; });
}

StateDict Binarizer::state_dict(Where where) const {
  return width_alone("Binarizer.state_dict", n_features_in, where);
}
void Binarizer::load_state_dict(const StateDict& state, Where where) {
  n_features_in = width_of("Binarizer", state, where);
}

}  // namespace glia::classic
