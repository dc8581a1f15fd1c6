// What linear models have in common: coefficients, an intercept, and what follows from them.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/sparse.h"

namespace glia::classic {

// A fitted attribute besides the coefficients: where it is and which sizes it has; -1 is any, -2
// as many as there are features, -3 as many as there are classes.
struct FittedAttribute {
  std::string name;
  std::variant<Tensor*, double*, int64_t*> at;
  Shape shape;
  DType dtype = kF64;
  bool optional = false;  // may be undefined
  bool infinite = false;  // may hold infinities
};

// Says X coef^T + intercept, in f64: (samples), or (samples, outputs) if y was.
class LinearRegressor : public Regressor {
 public:
  Tensor coef;       // (features) or (outputs, features), f64
  Tensor intercept;  // rank 0 or (outputs), f64; zeros without one

  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

 protected:
  virtual std::vector<FittedAttribute> attributes() { return {}; }
};

// Says the class of the largest of X coef^T + intercept, or of two the second where the one row
// gives more than 0.
class LinearClassifier : public Classifier {
 public:
  Tensor coef;       // (1, features) for two classes, else (classes, features), f64
  Tensor intercept;  // (1) or (classes), f64; zeros without one

  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  // The same of sparse samples.
  Tensor predict(const Csr& x, Where where = Where::current()) const;
  Tensor decision_function(const Csr& x, Where where = Where::current()) const;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

 protected:
  virtual std::vector<FittedAttribute> attributes() { return {}; }
};

}  // namespace glia::classic
