// Distributions made of others, and transforms of values.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "glia/math/distribution.h"

namespace glia::distributions {

// ---- Transforms -------------------------------------------------------------------------------

struct Map;  // private: src/math/distributions/map.h

// A one-to-one function of values with the logarithm of its derivative. A handle: copies share it.
class Transform {
 public:
  const std::string& name() const;
  Tensor operator()(const Tensor& x) const;
  Tensor inverse(const Tensor& y) const;
  // log |dy / dx| at x with y = f(x), of transforms of vectors the determinant's: without the axes
  // that the transform takes together.
  Tensor log_abs_det_jacobian(const Tensor& x, const Tensor& y) const;
  // How many last axes of x, and of y, it takes together: 0 where it is elementwise.
  int domain_rank() const;
  int codomain_rank() const;
  // The same the other way round.
  Transform inv() const;

  // Private to the library: what it is a handle on.
  explicit Transform(std::shared_ptr<const Map> map) : map_(std::move(map)) {}
  const Map& map() const { return *map_; }
  const std::shared_ptr<const Map>& shared_map() const { return map_; }

 private:
  std::shared_ptr<const Map> map_;
};

// loc + scale x, scale not 0.
class AffineTransform : public Transform {
 public:
  AffineTransform(const Operand& loc, const Operand& scale);
};
class ExpTransform : public Transform {
 public:
  ExpTransform();
};
// x^exponent of x above 0.
class PowerTransform : public Transform {
 public:
  explicit PowerTransform(const Operand& exponent);
};
class SigmoidTransform : public Transform {
 public:
  SigmoidTransform();
};
class TanhTransform : public Transform {
 public:
  TanhTransform();
};
class SoftplusTransform : public Transform {
 public:
  SoftplusTransform();
};
// Vectors of K - 1 numbers to rows (K) of sum 1, by breaking a stick: torch's.
class StickBreakingTransform : public Transform {
 public:
  StickBreakingTransform();
};
// Square matrices to lower triangular ones, whose diagonal is the exponential of theirs.
class LowerCholeskyTransform : public Transform {
 public:
  LowerCholeskyTransform();
};
// One after the other, the first one first.
class ComposeTransform : public Transform {
 public:
  explicit ComposeTransform(const std::vector<Transform>& parts);
};

// ---- Distributions ----------------------------------------------------------------------------

// The last axes of the base's batch, as many as reinterpreted_batch_ndims, are part of the event.
class Independent : public Distribution {
 public:
  Independent(const Distribution& base, int reinterpreted_batch_ndims,
              Where where = Where::current());
};
// f(x) of the base's x, for transforms one after the other. It has cdf() and icdf() where these are
// elementwise; no moments.
class TransformedDistribution : public Distribution {
 public:
  TransformedDistribution(const Distribution& base, const std::vector<Transform>& transforms,
                          Where where = Where::current());
};
// One of K components, which are the last axis of the component's batch, by a Categorical of batch
// (...) and K categories.
class MixtureSameFamily : public Distribution {
 public:
  MixtureSameFamily(const Distribution& mixture, const Distribution& component,
                    Where where = Where::current());
};
// softmax of a Normal vector (..., K - 1) with a 0 behind, by StickBreakingTransform: event (K).
class LogisticNormal : public Distribution {
 public:
  LogisticNormal(const Tensor& loc, const Tensor& scale, Where where = Where::current());
};

}  // namespace glia::distributions
