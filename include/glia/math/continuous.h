// Distributions of one real number. x, p and parameters broadcast; densities are in the comments.
//
// fit() finds the parameters of the largest likelihood of all numbers in x, which it computes at
// once, in f64; tensors of rank 0 then are parameters. It throws ValueError for less than two
// numbers, those that are not finite or outside the support, and those that the family fits
// without bound, such as equal ones.
#pragma once

#include "glia/math/distribution.h"

namespace glia::distributions {

// ---- On all numbers ---------------------------------------------------------------------------
// z = (x - loc) / scale.

// e^(-z^2 / 2) / (scale sqrt(2 pi)).
class Normal : public Distribution {
 public:
  Normal(const Operand& loc, const Operand& scale);
  static Normal fit(const Tensor& x, Where where = Where::current());
};
// e^-|z| / (2 scale).
class Laplace : public Distribution {
 public:
  Laplace(const Operand& loc, const Operand& scale);
  static Laplace fit(const Tensor& x, Where where = Where::current());
};
// 1 / (pi scale (1 + z^2)); mean NaN, variance infinite.
class Cauchy : public Distribution {
 public:
  Cauchy(const Operand& loc, const Operand& scale);
  static Cauchy fit(const Tensor& x, Where where = Where::current());
};
// e^-(z + e^-z) / scale, of largest values.
class Gumbel : public Distribution {
 public:
  Gumbel(const Operand& loc, const Operand& scale);
  static Gumbel fit(const Tensor& x, Where where = Where::current());
};
// e^-z / (scale (1 + e^-z)^2).
class Logistic : public Distribution {
 public:
  Logistic(const Operand& loc, const Operand& scale);
  static Logistic fit(const Tensor& x, Where where = Where::current());
};
// (1 + z^2 / df)^(-(df + 1) / 2) / (scale sqrt(df) B(df / 2, 1 / 2)).
class StudentT : public Distribution {
 public:
  StudentT(const Operand& df, const Operand& loc = 0.0, const Operand& scale = 1.0);
  static StudentT fit(const Tensor& x, Where where = Where::current());
};
// e^(concentration cos(x - loc)) / (2 pi I0(concentration)) on a circle: x is an angle, and cdf()
// counts from loc - pi. Its mean is loc, its variance 1 - I1 / I0.
class VonMises : public Distribution {
 public:
  VonMises(const Operand& loc, const Operand& concentration);
  static VonMises fit(const Tensor& x, Where where = Where::current());
};

// ---- From 0 on --------------------------------------------------------------------------------

// rate e^(-rate x).
class Exponential : public Distribution {
 public:
  explicit Exponential(const Operand& rate);
  static Exponential fit(const Tensor& x, Where where = Where::current());
};
// rate^c x^(c - 1) e^(-rate x) / Gamma(c), c the concentration.
class Gamma : public Distribution {
 public:
  Gamma(const Operand& concentration, const Operand& rate);
  static Gamma fit(const Tensor& x, Where where = Where::current());
};
// Gamma(df / 2, 1 / 2), the sum of df squares of normal numbers.
class Chi2 : public Distribution {
 public:
  explicit Chi2(const Operand& df);
};
// 1 / y of a Gamma(concentration, rate).
class InverseGamma : public Distribution {
 public:
  InverseGamma(const Operand& concentration, const Operand& rate);
  static InverseGamma fit(const Tensor& x, Where where = Where::current());
};
// |y| of a Normal(0, scale).
class HalfNormal : public Distribution {
 public:
  explicit HalfNormal(const Operand& scale);
  static HalfNormal fit(const Tensor& x, Where where = Where::current());
};
// |y| of a Cauchy(0, scale).
class HalfCauchy : public Distribution {
 public:
  explicit HalfCauchy(const Operand& scale);
};
// e^y of a Normal(loc, scale).
class LogNormal : public Distribution {
 public:
  LogNormal(const Operand& loc, const Operand& scale);
  static LogNormal fit(const Tensor& x, Where where = Where::current());
};
// scale y^(1 / c) of an Exponential(1), c the concentration.
class Weibull : public Distribution {
 public:
  Weibull(const Operand& scale, const Operand& concentration);
  static Weibull fit(const Tensor& x, Where where = Where::current());
};
// alpha scale^alpha / x^(alpha + 1) from scale on.
class Pareto : public Distribution {
 public:
  Pareto(const Operand& scale, const Operand& alpha);
  static Pareto fit(const Tensor& x, Where where = Where::current());
};
// (1 + c z)^(-1 / c - 1) / scale for z = (x - loc) / scale >= 0, c the concentration: of excesses
// over a threshold. c below 0 ends at loc - scale / c.
class GeneralizedPareto : public Distribution {
 public:
  GeneralizedPareto(const Operand& loc, const Operand& scale, const Operand& concentration);
};
// (x1 / df1) / (x2 / df2) of Chi2(df1) and Chi2(df2).
class FisherSnedecor : public Distribution {
 public:
  FisherSnedecor(const Operand& df1, const Operand& df2);
};

// ---- Between two numbers ----------------------------------------------------------------------

class Uniform : public Distribution {
 public:
  Uniform(const Operand& low, const Operand& high);
  static Uniform fit(const Tensor& x, Where where = Where::current());
};
// Rises from low to peak, and falls to high.
class Triangular : public Distribution {
 public:
  Triangular(const Operand& low, const Operand& high, const Operand& peak);
};
// A Normal(loc, scale) given that it lies in [low, high], which may be infinite.
class TruncatedNormal : public Distribution {
 public:
  TruncatedNormal(const Operand& loc, const Operand& scale, const Operand& low,
                  const Operand& high);
};
// x^(c1 - 1) (1 - x)^(c0 - 1) / B(c1, c0) on [0, 1].
class Beta : public Distribution {
 public:
  Beta(const Operand& concentration1, const Operand& concentration0);
  static Beta fit(const Tensor& x, Where where = Where::current());
};
// c1 c0 x^(c1 - 1) (1 - x^c1)^(c0 - 1) on [0, 1] (Kumaraswamy 1980).
class Kumaraswamy : public Distribution {
 public:
  Kumaraswamy(const Operand& concentration1, const Operand& concentration0);
};
// probs^x (1 - probs)^(1 - x) times its constant on [0, 1] (Loaiza-Ganem & Cunningham 2019).
class ContinuousBernoulli : public Distribution {
 public:
  explicit ContinuousBernoulli(const Operand& probs);
  static ContinuousBernoulli from_logits(const Operand& logits);

 private:
  explicit ContinuousBernoulli(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};
// sigmoid((logits + a logistic number) / temperature): a Bernoulli with rsample() (Maddison et al.
// 2017).
class RelaxedBernoulli : public Distribution {
 public:
  RelaxedBernoulli(const Operand& temperature, const Operand& probs);
  static RelaxedBernoulli from_logits(const Operand& temperature, const Operand& logits);

 private:
  explicit RelaxedBernoulli(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};

}  // namespace glia::distributions
