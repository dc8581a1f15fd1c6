#include "checks.h"

#include <algorithm>
#include <cmath>

#include "glia/ops.h"

namespace glia::classic {
namespace {

std::string of(std::string_view op) { return std::string(op) + ": "; }

}  // namespace

Tensor check_x(std::string_view op, const Tensor& x, Where where) {
  if (!x.defined()) throw ShapeError(of(op) + "X is not defined", where);
  const Shape& shape = x.shape();
  if (shape.rank() != 2)
    throw ShapeError(of(op) + "X is (samples, features), not " + shape.str(), where);
  if (shape[0] == 0 || shape[1] == 0)
    throw ShapeError(
        of(op) + "X " + shape.str() + " has no " + (shape[0] == 0 ? "samples" : "features"), where);
  const DType dtype = x.dtype();
  if (!is_float(dtype)) return cast(stop_gradient(x), kF64);
  const Tensor floats = cast(stop_gradient(x), dtype == kF64 ? kF64 : kF32);
  // A sum is not finite if a number is not; or if it overflows, where each is looked at.
  if (!std::isfinite(sum(cast(floats, kF64)).item()) && !all(isfinite(floats)).item<bool>())
    throw ValueError(
        of(op) + "X contains " + (any(isnan(floats)).item<bool>() ? "NaN" : "an infinite number"),
        where);
  return floats;
}

Tensor check_x(std::string_view op, const Tensor& x, int64_t n_features_in, Where where) {
  require_fitted(op, n_features_in > 0, where);
  Tensor floats = check_x(op, x, where);
  if (floats.size(1) != n_features_in)
    throw ShapeError(of(op) + "X has " + std::to_string(floats.size(1)) +
                         " features, but fit saw " + std::to_string(n_features_in),
                     where);
  return floats;
}

Tensor check_sample_weight(std::string_view op, const Tensor& weight, int64_t samples, DType dtype,
                           Where where) {
  if (!weight.defined()) return weight;
  if (weight.shape() != Shape{samples})
    throw ShapeError(
        of(op) + "sample_weight is " + weight.shape().str() + ", not " + Shape{samples}.str(),
        where);
  Tensor w = cast(stop_gradient(weight), dtype);
  if (!isfinite(sum(cast(w, kF64))).item<bool>())
    throw ValueError(of(op) + "sample_weight contains a number that is not finite", where);
  if (any(w < 0).item<bool>())
    throw ValueError(of(op) + "sample_weight contains a negative number", where);
  if (!any(w > 0).item<bool>()) throw ValueError(of(op) + "sample_weight is all zero", where);
  return w;
}

void refuse_sample_weight(std::string_view op, const Tensor& weight, Where where) {
  if (weight.defined()) throw Error(of(op) + "it takes no sample_weight", where);
}

Tensor check_targets(std::string_view op, const Tensor& y, int64_t samples, Where where) {
  if (!y.defined()) throw ShapeError(of(op) + "y is not defined", where);
  if (y.rank() < 1 || y.rank() > 2 || y.size(0) != samples || y.numel() == 0)
    throw ShapeError(of(op) + "y is (samples) or (samples, outputs) for " +
                         std::to_string(samples) + " samples, not " + y.shape().str(),
                     where);
  const Tensor numbers = cast(stop_gradient(y), kF64);
  if (!all(isfinite(numbers)).item<bool>())
    throw ValueError(of(op) + "y contains a number that is not finite", where);
  return numbers;
}

ClassTargets check_classes(std::string_view op, const Tensor& y, int64_t samples, Where where) {
  if (!y.defined()) throw ShapeError(of(op) + "y is not defined", where);
  if (y.shape() != Shape{samples})
    throw ShapeError(of(op) + "y is " + Shape{samples}.str() + ", not " + y.shape().str(), where);
  Tensor given = stop_gradient(y);
  if (is_float(given.dtype())) {
    const Tensor numbers = cast(given, kF64);
    if (!all((numbers == floor(numbers)) & (abs(numbers) < 0x1p53)).item<bool>())
      throw ValueError(of(op) + "y contains a number that is no class: classes are integers",
                       where);
  }
  const std::vector<int64_t> values = cast(given, kI64).to_vector<int64_t>();
  std::vector<int64_t> classes = values, codes;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  for (const int64_t value : values)
    codes.push_back(std::lower_bound(classes.begin(), classes.end(), value) - classes.begin());
  return {from_vector(classes, {static_cast<int64_t>(classes.size())}),
          from_vector(codes, {samples})};
}

void require_fitted(std::string_view op, bool fitted, Where where) {
  if (!fitted) throw Error(of(op) + "it is not fitted; call fit first", where);
}

bool all_within(const Tensor& positions, int64_t count) {
  return all((positions >= 0) & (positions < count)).item<bool>();
}

StateReader::StateReader(std::string_view estimator, const StateDict& state, Where where)
    : estimator_(estimator), left_(state), where_(where) {}

void StateReader::fail(const std::string& fault) const {
  throw Error(estimator_ + ".load_state_dict: " + fault, where_);
}

bool StateReader::has(std::string_view name) const {
  return std::ranges::any_of(
      left_, [&](const auto& entry) { return entry.first == name && entry.second.defined(); });
}

Shape StateReader::shape_of(std::string_view name) const {
  for (const auto& [other, value] : left_)
    if (other == name && value.defined()) return value.shape();
  fail("no " + std::string(name));
}

Tensor StateReader::take(std::string_view name, DType dtype, const Shape& shape, bool infinite) {
  const auto found = std::find_if(left_.begin(), left_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == left_.end() || !found->second.defined()) fail("no " + std::string(name));
  Tensor value = found->second;
  left_.erase(found);
  bool fits = value.rank() == shape.rank();
  for (int i = 0; fits && i < shape.rank(); ++i)
    fits = shape[i] == -1 ? value.size(i) > 0 : value.size(i) == shape[i];
  if (!fits) {
    std::string expected = shape.str();
    fail(std::string(name) + " is " + value.shape().str() + ", not " + expected);
  }
  const bool same =
      is_float(dtype) ? value.dtype() == kF32 || value.dtype() == kF64 : value.dtype() == dtype;
  if (!same)
    fail(std::string(name) + " is " + glia::name(value.dtype()) + ", not " +
         (is_float(dtype) ? "f32 or f64" : glia::name(dtype)));
  if (is_float(dtype) && !all(infinite ? value == value : isfinite(value)).item<bool>())
    fail(std::string(name) + " contains a number that is not finite");
  return value;
}

int64_t StateReader::count(std::string_view name) {
  const int64_t value = take(name, kI64, {}).item<int64_t>();
  if (value < 0) fail(std::string(name) + " is " + std::to_string(value));
  return value;
}

void StateReader::finish() const {
  if (!left_.empty()) fail("unknown " + left_.front().first);
}

}  // namespace glia::classic
