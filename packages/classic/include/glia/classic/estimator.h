// What the estimators have in common: scikit-learn's names, defaults and fitted attributes (without
// its underscore at the end), on tensors X of shape (samples, features).
#pragma once

#include "glia/tensor.h"

namespace glia::classic {

// A method of classical learning. fit() takes X of any dtype: f32 and f64 as they are, 16-bit
// floats as f32, integers as f64; numbers that are not finite are a ValueError. When it throws,
// what was fitted before is still there. Estimators are values: a copy is independent.
class Estimator {
 public:
  virtual ~Estimator() = default;

  // How many features X had in fit(); 0 before it.
  int64_t n_features_in = 0;

  bool fitted() const { return n_features_in > 0; }
  // The fitted attributes by their names, numbers as tensors of rank 0: what
  // io::write_safetensors takes. Throws Error before fit().
  virtual StateDict state_dict(Where where = Where::current()) const = 0;
  // Makes it fitted by what state_dict() gave, all or nothing: throws Error for names that are
  // missing or unknown, and for shapes or dtypes that do not fit each other or the options.
  virtual void load_state_dict(const StateDict& state, Where where = Where::current()) = 0;

 protected:
  Estimator() = default;
  Estimator(const Estimator&) = default;
  Estimator(Estimator&&) noexcept = default;
  Estimator& operator=(const Estimator&) = default;
  Estimator& operator=(Estimator&&) noexcept = default;
};

}  // namespace glia::classic
