#include "glia/classic/isotonic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "columns.h"
#include "fitted.h"
#include "glia/ops.h"
#include "linear.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

// In place: blocks of equal values, each the mean of what it pools.
void pool(Vector& y, Vector weight, bool increasing) {
  const double sign = increasing ? 1 : -1;
  std::vector<size_t> length;  // of the blocks so far
  size_t blocks = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    y[blocks] = y[i];
    weight[blocks] = weight[i];
    length.push_back(1);
    ++blocks;
    while (blocks > 1 && sign * y[blocks - 2] >= sign * y[blocks - 1]) {
      const double total = weight[blocks - 2] + weight[blocks - 1];
      y[blocks - 2] =
          (weight[blocks - 2] * y[blocks - 2] + weight[blocks - 1] * y[blocks - 1]) / total;
      weight[blocks - 2] = total;
      length[blocks - 2] += length[blocks - 1];
      length.pop_back();
      --blocks;
    }
  }
  size_t at = y.size();
  for (size_t b = blocks; b-- > 0;) {
    const double value = y[b];
    for (size_t i = 0; i < length[b]; ++i) y[--at] = value;
  }
}

void clip(Vector& y, const std::optional<double>& low, const std::optional<double>& high) {
  for (double& v : y) {
    if (low) v = std::max(v, *low);
    if (high) v = std::min(v, *high);
  }
}

void check_bounds(std::string_view op, const std::optional<double>& low,
                  const std::optional<double>& high, Where where) {
  if (low && high && !(*low <= *high))
    throw ValueError(std::string(op) + ": y_min is above y_max", where);
}

// Mean ranks, from 1 on.
Vector ranks(const Vector& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  Vector rank(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) rank[order[j]] = (static_cast<double>(i + end) + 1) / 2;
    i = end;
  }
  return rank;
}

// Whether Spearman's correlation is not below 0.
bool rises(const Vector& x, const Vector& y) {
  const Vector a = ranks(x), b = ranks(y);
  const double middle = (static_cast<double>(x.size()) + 1) / 2;
  double together = 0;
  for (size_t i = 0; i < x.size(); ++i) together += (a[i] - middle) * (b[i] - middle);
  return together >= 0;
}

// One column, also of rank 1.
Tensor column_of(const std::string& op, const Tensor& x, Where where) {
  const Tensor given = check_x(op, x.defined() && x.rank() == 1 ? unsqueeze(x, 1) : x, where);
  if (given.size(1) != 1)
    throw ShapeError(
        op + ": X has " + std::to_string(given.size(1)) + " features, where one is taken", where);
  return reshape(cast(given, kF64), {-1});
}

}  // namespace

Tensor isotonic_regression(const Tensor& y, const IsotonicOptions& options, Where where) {
  const char* op = "isotonic_regression";
  if (!y.defined() || y.rank() != 1) throw ShapeError(std::string(op) + ": y is (samples)", where);
  const int64_t n = y.size(0);
  Vector values = check_targets(op, y, n, where).to_vector<double>();
  const Tensor weight = check_sample_weight(op, options.sample_weight, n, kF64, where);
  Vector w = weight.defined() ? weight.to_vector<double>() : Vector(values.size(), 1);
  for (const double one : w)
    if (!(one > 0)) throw ValueError(std::string(op) + ": a weight is 0", where);
  check_bounds(op, options.y_min, options.y_max, where);
  pool(values, std::move(w), options.increasing);
  clip(values, options.y_min, options.y_max);
  return vector_of(values);
}

std::vector<Param> IsotonicRegression::params() {
  auto& o = options_;
  return {
      {"y_min", &o.y_min},
      {"y_max", &o.y_max},
      {"increasing",
       [&o] {
         return o.increasing == Increasing::kAuto ? ParamValue("auto")
                                                  : ParamValue(o.increasing == Increasing::kTrue);
       },
       [&o](const ParamValue& value) {
         const auto* flag = std::get_if<bool>(&value);
         if (!flag && value != ParamValue("auto")) return false;
         o.increasing = !flag ? Increasing::kAuto : *flag ? Increasing::kTrue : Increasing::kFalse;
         return true;
       }},
      {"out_of_bounds", &o.out_of_bounds, {"nan", "clip", "raise"}}};
}

IsotonicRegression& IsotonicRegression::fit(const Tensor& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const std::string op = "IsotonicRegression.fit";
  const NoGrad no_grad;
  check_bounds(op, options_.y_min, options_.y_max, where);
  const Vector values = column_of(op, x, where).to_vector<double>();
  const auto n = static_cast<int64_t>(values.size());
  const Tensor given = check_targets(op, y, n, where);
  if (given.rank() != 1) throw ShapeError(op + ": y is (samples)", where);
  const Vector targets = given.to_vector<double>();
  const Tensor weight = check_sample_weight(op, sample_weight, n, kF64, where);
  const bool up = options_.increasing == Increasing::kAuto
                      ? rises(values, targets)
                      : options_.increasing == Increasing::kTrue;
  std::vector<size_t> order;
  for (size_t i = 0; i < values.size(); ++i)
    if (!weight.defined() || weight.data<double>()[i] > 0) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(values[a], targets[a]) < std::pair(values[b], targets[b]);
  });
  // Samples at the same place become one of their weights' sum.
  Vector place, mean, mass;
  for (const size_t i : order) {
    const double w = weight.defined() ? weight.data<double>()[i] : 1;
    if (place.empty() || values[i] - place.back() >= 1e-15) {
      place.push_back(values[i]);
      mean.push_back(0);
      mass.push_back(0);
    }
    mean.back() += w * targets[i];
    mass.back() += w;
  }
  for (size_t i = 0; i < mean.size(); ++i) mean[i] /= mass[i];
  pool(mean, mass, up);
  clip(mean, options_.y_min, options_.y_max);
  // Within a level part only its ends are kept.
  Vector corners, heights;
  for (size_t i = 0; i < place.size(); ++i) {
    const bool inner =
        i > 0 && i + 1 < place.size() && mean[i] == mean[i - 1] && mean[i] == mean[i + 1];
    if (inner) continue;
    corners.push_back(place[i]);
    heights.push_back(mean[i]);
  }
  X_min = place.front();
  X_max = place.back();
  X_thresholds = vector_of(corners);
  y_thresholds = vector_of(heights);
  increasing = up;
  n_features_in = 1;
  return *this;
}

Tensor IsotonicRegression::predict(const Tensor& x, Where where) const {
  const std::string op = "IsotonicRegression.predict";
  require_fitted(op, fitted(), where);
  Vector values = column_of(op, x, where).to_vector<double>();
  const double* at = X_thresholds.data<double>().data();
  const double* height = y_thresholds.data<double>().data();
  const int64_t count = X_thresholds.size(0);
  for (double& v : values) {
    const bool outside = v < X_min || v > X_max;
    if (count == 1) {
      v = height[0];
      continue;
    }
    if (outside && options_.out_of_bounds == OutOfBounds::kRaise)
      throw ValueError(op + ": " + to_text(ParamValue(v)) + " is outside of " +
                           to_text(ParamValue(X_min)) + " to " + to_text(ParamValue(X_max)),
                       where);
    if (outside && options_.out_of_bounds == OutOfBounds::kNan) {
      v = std::nan("");
      continue;
    }
    v = std::clamp(v, X_min, X_max);
    const int64_t above =
        std::clamp<int64_t>(std::lower_bound(at, at + count, v) - at, 1, count - 1);
    const double share = (v - at[above - 1]) / (at[above] - at[above - 1]);
    v = share >= 1 ? height[above]
                   : height[above - 1] + share * (height[above] - height[above - 1]);
  }
  return vector_of(values);
}

Tensor IsotonicRegression::transform(const Tensor& x, Where where) const {
  return predict(x, where);
}

std::vector<FittedAttribute> IsotonicRegression::attributes() {
  return {{"X_min", &X_min, {}},
          {"X_max", &X_max, {}},
          {"X_thresholds", &X_thresholds, {-1}},
          {"y_thresholds", &y_thresholds, {-1}},
          {"increasing", &increasing, {}}};
}

StateDict IsotonicRegression::state_dict(Where where) const {
  IsotonicRegression copy = *this;
  return fitted_state(copy, copy.attributes(), where);
}

void IsotonicRegression::load_state_dict(const StateDict& state, Where where) {
  IsotonicRegression fresh = *this;
  load_fitted_state(fresh, fresh.attributes(), state, where);
  const Vector at = fresh.X_thresholds.to_vector<double>();
  if (fresh.y_thresholds.shape() != fresh.X_thresholds.shape() || fresh.n_features_in != 1 ||
      std::adjacent_find(at.begin(), at.end(), std::greater_equal<>()) != at.end() ||
      fresh.X_min > at.front() || fresh.X_max < at.back())
    throw Error("IsotonicRegression.load_state_dict: its thresholds do not fit together", where);
  fresh.X_thresholds = cast(fresh.X_thresholds, kF64);
  fresh.y_thresholds = cast(fresh.y_thresholds, kF64);
  eval({fresh.X_thresholds, fresh.y_thresholds});
  *this = std::move(fresh);
}

}  // namespace glia::classic
