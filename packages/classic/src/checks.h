// What every estimator asks of its arguments and of a state that it loads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

// X as floats (integers f64, 16-bit floats f32), cut from its history. `op` is "KMeans.fit".
// Throws ShapeError unless it is (samples, features), neither 0, and ValueError unless it is
// finite.
Tensor check_x(std::string_view op, const Tensor& x, Where where);
// The same with the number of features that fit() saw; throws Error if that is 0.
Tensor check_x(std::string_view op, const Tensor& x, int64_t n_features_in, Where where);
// Weights (samples) as `dtype`; undefined stays so. Throws ValueError for what is negative, not
// finite or all zero.
Tensor check_sample_weight(std::string_view op, const Tensor& weight, int64_t samples, DType dtype,
                           Where where);
// Throws Error if it is given.
void refuse_sample_weight(std::string_view op, const Tensor& weight, Where where);

// y of a regressor as f64, cut from its history: (samples), or (samples, outputs). Throws
// ShapeError for other shapes, and ValueError unless it is finite.
Tensor check_targets(std::string_view op, const Tensor& y, int64_t samples, Where where);
// y of a classifier, whole numbers of any dtype: what its classes are, ascending, and which of them
// each sample has. Throws ShapeError unless it is (samples), and ValueError for other numbers.
struct ClassTargets {
  Tensor classes;  // (classes) i64
  Tensor codes;    // (samples) i64, positions in `classes`
};
ClassTargets check_classes(std::string_view op, const Tensor& y, int64_t samples, Where where);

void require_fitted(std::string_view op, bool fitted, Where where);

// Whether all are positions of so many things.
bool all_within(const Tensor& positions, int64_t count);

// Takes the values of a state dict one by one; every fault is an Error.
class StateReader {
 public:
  StateReader(std::string_view estimator, const StateDict& state, Where where);
  // A size of -1 in `shape` takes any but 0. Floats are any float dtype, others must be `dtype`.
  // What is not finite is refused unless `infinite`.
  Tensor take(std::string_view name, DType dtype, const Shape& shape, bool infinite = false);
  bool has(std::string_view name) const;
  Shape shape_of(std::string_view name) const;
  double number(std::string_view name) { return take(name, kF64, {}).item(where_); }
  int64_t count(std::string_view name);  // not negative
  void finish() const;                   // nothing may be left

 private:
  [[noreturn]] void fail(const std::string& fault) const;

  std::string estimator_;
  StateDict left_;
  Where where_;
};

}  // namespace glia::classic
